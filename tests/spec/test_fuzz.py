"""Whatever stands in a file, it is refused with a code and a place, or accepted: 2,000 Agreements and never a traceback."""

import random
import sys
from collections import Counter
from time import process_time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from slaguard.errors import SpecError
from slaguard.spec.codes import CODES
from slaguard.spec.load import examine, expand
from slaguard.spec.model import Agreement, Objective
from slaguard.spec.notation import parse
from tests.spec.documents import ACME, FULL, SHIPPED, SHORT, SOURCE, load_text
from tests.spec.mutants import Mutant, mutants

MUTANTS = 1200
TEXTS = 200
TREES = 300
EDITS = 300
SECONDS = 2.0

WORDS = sorted({*Agreement.model_fields, *Objective.model_fields, "use", "remedy", "rule", "values", "limits", "kind"})
SCALARS = st.one_of(
    st.sampled_from(["99.5%", "5m", "12000.00 EUR", "month", "", "~", "no", "012", "12:30", "1e999", ".nan", "claims-qa@4"]),
    st.text(max_size=12),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
)
TREE = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(WORDS), st.text(max_size=6)), inner, max_size=6),
    ),
    max_leaves=24,
)


def judged(text: str) -> tuple[set[tuple[str, int]], bool]:
    """Load a text; return what it was refused for (code and line), and whether it was accepted."""
    started = process_time()
    loaded, problems = examine(parse(text, SOURCE), SHIPPED)
    assert process_time() - started < SECONDS
    errors = [p for p in problems if p.is_error]
    assert (loaded is None) == bool(errors)
    assert all(p.code in CODES for p in problems)
    lines = len(text.splitlines()) + 2  # YAML counts a lone CR and U+2028 as line ends, as editors do
    assert all(p.place.file != SOURCE or (1 <= p.place.line <= lines and p.place.column >= 1) for p in problems)
    if loaded is not None:
        assert load_text(expand(loaded.agreement)).spec_sha256 == loaded.spec_sha256
    else:
        assert str(SpecError(tuple(errors)))
    return {(p.code, p.place.line) for p in errors}, loaded is not None


@pytest.fixture(scope="module")
def sampled() -> list[Mutant]:
    good = (SHORT, FULL, ACME.read_text(encoding="utf-8"), expand(load_text(SHORT).agreement))
    found = {mutant.text: mutant for seed in range(3) for text in good for mutant in mutants(text, seed)}
    return random.Random(20261031).sample(list(found.values()), MUTANTS)


def test_of_1200_single_faults_nineteen_in_twenty_are_told_with_their_code_and_line(
    sampled: list[Mutant], capsys: pytest.CaptureFixture[str]
) -> None:
    missed: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for mutant in sampled:
        told, accepted = judged(mutant.text)
        if not any((code, mutant.line) in told for code in mutant.codes):
            missed[mutant.kind] += 1
            line = mutant.text.split("\n")[mutant.line - 1]
            examples[mutant.kind] = f"{mutant.line}: {line!r} told {sorted(told)}{' ACCEPTED' if accepted else ''}"
    share = 1 - missed.total() / len(sampled)
    with capsys.disabled():
        sys.stdout.write(f"\n  {len(sampled):,} single-fault mutants: {share:.1%} told with code and line ")
    assert share >= 0.95, (missed, examples)


@settings(max_examples=TEXTS)
@given(st.text(max_size=400))
def test_any_text_is_refused_without_a_traceback(text: str) -> None:
    judged(text)


@settings(max_examples=TREES)
@given(TREE, st.sampled_from(["", SHORT.partition("objectives:")[0]]), st.sampled_from([None, False, True]))
def test_any_tree_is_refused_or_accepted_without_a_traceback(tree: object, head: str, flow: bool | None) -> None:
    body = tree if isinstance(tree, dict) and not head else {"objectives": tree}
    judged(head + yaml.safe_dump(body, default_flow_style=flow, allow_unicode=True))


@settings(max_examples=EDITS)
@given(
    st.sampled_from([SHORT, FULL]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.text(max_size=3)), min_size=1, max_size=4),
)
def test_any_edit_of_a_good_agreement_is_judged_without_a_traceback(good: str, edits: list[tuple[float, int, str]]) -> None:
    text = good
    for where, removed, put in edits:
        at = int(where * len(text))
        text = text[:at] + put + text[at + removed :]
    judged(text)
