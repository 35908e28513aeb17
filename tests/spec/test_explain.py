"""The law of `explain`: whoever reads it knows every term that can change a verdict, an amount or a date.

The law is held by the sentences alone: the table of terms below them lists everything, and would prove nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, get_args

import pytest
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from slaguard.spec import model
from slaguard.spec.conditions import Term
from slaguard.spec.explain import explain, explanation, sections
from slaguard.spec.explain_profile import explain_profile, one_line
from slaguard.spec.explain_words import listing
from slaguard.spec.indicators import DualThreshold
from slaguard.spec.library import Reference, Shelves
from slaguard.spec.lint.promise import words_given
from slaguard.spec.load import load, loads
from slaguard.spec.model import Agreement, Effect, LatencyField, PeriodUnit
from slaguard.spec.profile_file import profile_file
from slaguard.spec.rights import CapSpan
from slaguard.terms import BoundWord, Count, Source
from tests.spec.documents import SHORT, load_text
from tests.spec.promises import RULES, WINDOW, Document, agreement, text, text_of


# ── changing one leaf ───────────────────────────────────────────────────────────────────────────────────────────────
def closed_lists() -> Iterator[frozenset[str]]:
    """Yield every closed list of words that a field of the model takes."""
    yield from (frozenset(word.value for word in kind) for kind in (Count, Source, PeriodUnit, Effect, LatencyField, CapSpan))
    for kind in terms(Term):
        for field in kind.model_fields.values():
            yield frozenset(a for a in _literals(field.annotation) if isinstance(a, str))


def terms(kind: type[Term]) -> Iterator[type[Term]]:
    """Walk to every kind of term there is."""
    for one in kind.__subclasses__():
        yield one
        yield from terms(one)


def _literals(annotation: Any) -> Iterator[Any]:
    for argument in get_args(annotation):
        yield argument
        yield from _literals(argument)


OTHERS: Final = (
    "97.3%", "3%", "7m", "90s", "1", "13", "2027-03-05", "9999.99 EUR", "UTC", "Asia/Tokyo", "another-word", "other@7",
    {"another_code": "ok"}, {"attempt": {"at_most": "3"}}, ("another-one",), ("chat",), (),
    {"amount": "77.00 EUR", "per": "month"}, {"length": "5h", "per": "month"}, {"id": "other@7"}, "fail", "ok", "drop",
    "true", "false", "4x", {"minor": "7"}, {"here": "9.00 EUR"},
    ({"objective": "it", "above": "99.9%", "over": "year", "average": "recomputed"},),
    ({"id": "x", "clause": "B", "undecided": "skip", "right": "terminate", "when": {"objective": ["it"], "consecutive": "2"}},),
    (WINDOW,), ({"id": "other"},), ({"value": "10%", "per": "month"},),
    ({"id": "a1", "effective": "2027-01-01", "clause": "A 1", "within_period": "split", "set": {"fee.amount": "1.00 EUR"}},),
    "2026-01-03T01:00", "2029-01-03T01:00", "FREQ=YEARLY", ({"start": "2026-10-11T00:00", "end": "2026-10-12T00:00"},),
    ({"id": "R1", "set": {"at_least": "77%"}}, {"id": "R2"}), ({"reading": "R1"},), ("ticket",),
)  # fmt: skip
"""What a leaf is changed to, one after the other: whatever of it the model accepts."""
WORDS: Final = tuple(dict.fromkeys(closed_lists()))
"""What a leaf is changed to that holds a word of one of them: every other word there."""


def leaves(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Walk to every leaf, and to every list (which can be emptied or cut)."""
    if isinstance(node, dict):
        for key, child in node.items():
            yield from leaves(child, (*path, key))
    elif isinstance(node, tuple):
        yield path
        for i, child in enumerate(node):
            yield from leaves(child, (*path, i))
    else:
        yield path


def at(node: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        node = node[part]
    return node


def changed(document: Document, path: tuple[str | int, ...], value: Any) -> Document:
    """Return a copy of the document with another value at `path`."""

    def put(node: Any, rest: tuple[str | int, ...]) -> Any:
        if not rest:
            return value
        inside = put(node[rest[0]], rest[1:])
        if isinstance(node, dict):
            return {**node, rest[0]: inside}
        return tuple(inside if i == rest[0] else child for i, child in enumerate(node))

    result: Document = put(document, path)
    return result


def variants(document: Document, path: tuple[str | int, ...]) -> Iterator[Document]:
    """Return the documents with one leaf changed, added, left out, or a list emptied, cut or turned round."""
    here = at(document, path)
    if isinstance(here, tuple):
        yield from (changed(document, path, other) for other in (here[:-1], here[1:], here[::-1], (*here, *here[:1])))
    if here is not None:
        yield changed(document, path, None)
    alike = sorted({word for words in WORDS if here in words for word in words}) if isinstance(here, str) else []
    yield from (changed(document, path, other) for other in alike or OTHERS)


def accepted(document: Document) -> Agreement | None:
    """Return what the model makes of a document, if anything; a promise with no bound, or two, is the linter's to refuse."""
    try:
        found = Agreement.model_validate(document)
        bounded = all(o.bound for o in found.objectives)
    except (ValidationError, PydanticCustomError):
        return None
    twice = any(isinstance(o.indicator, DualThreshold) and words_given(o) for o in found.objectives)
    return found if bounded and not twice else None


def others(before: Agreement, path: tuple[str | int, ...]) -> Iterator[Agreement]:
    """Return the other Agreements that one change at `path` makes."""
    for variant in variants(text_of(before.model_dump()), path):
        other = accepted(variant)
        if other is not None and other != before:
            yield other


def bound_paths(document: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Walk to every map that holds a bound."""
    if isinstance(document, dict):
        if any(document.get(word.value) is not None for word in BoundWord):
            yield path
        for key, child in document.items():
            yield from bound_paths(child, (*path, key))
    elif isinstance(document, tuple):
        for i, child in enumerate(document):
            yield from bound_paths(child, (*path, i))


def is_settled(document: Document, path: tuple[str | int, ...]) -> bool:
    """Tell whether a term has one permitted value only; another `rule` is another promise altogether."""
    if path[-2:] == ("speed", "tokens"):
        return True
    if path[-1] == "windows":  # an exclusion of records, or of what is claimed, names none
        return not at(document, path)
    if path[-1] == "effect":  # an exclusion of records can only drop them
        return at(document, path[:-1])["selector"] is not None
    if path[-2:] == ("resources", "down_when"):  # resources of a mean are always averaged
        return True
    if path[-1] in {"kind", "window"} and ("remedy" in path):  # another kind is another remedy altogether
        return True
    return path[-2:] in {
        ("notice", "anchor"),
        ("apiVersion",),
        ("kind",),
        ("cap", "per"),
        ("combine", "within_event"),
        ("indicator", "rule"),
    }


def assert_every_change_is_heard(before: Agreement, *, promises_only: bool = False) -> None:
    """Change every leaf in every way the model accepts: the sentences are never the same again."""
    document = text_of(before.model_dump())
    spoken = sections(before)
    untried = []
    for path in leaves(document):
        if promises_only and path[0] != "objectives":
            continue
        tried = [sections(other) for other in others(before, path)]
        assert spoken not in tried, path
        if not tried and at(document, path) is not None and not is_settled(document, path):
            untried.append(path)
    assert untried == []


@pytest.mark.parametrize("rule", RULES)
def test_changing_any_term_changes_the_sentences(rule: str) -> None:
    assert_every_change_is_heard(agreement(rule), promises_only=rule != "mean_of_intervals")


def test_changing_any_term_of_the_first_example_changes_the_sentences(repo: Path) -> None:
    assert_every_change_is_heard(load(repo / "sla_specs" / "examples" / "acme-chat.yaml").agreement)


@pytest.mark.parametrize("rule", RULES)
def test_changing_the_word_of_a_bound_changes_the_sentences(rule: str) -> None:
    before = agreement(rule)
    document = text_of(before.model_dump())
    spoken = sections(before)
    for path in bound_paths(document):
        here = at(document, path)
        limit = next(here[word.value] for word in BoundWord if here[word.value] is not None)
        for word in BoundWord:
            moved = {**here, **{w.value: None for w in BoundWord}, word.value: limit}
            other = Agreement.model_validate(changed(document, path, moved))
            assert (sections(other) != spoken) is (other != before), (path, word)


# ── what it says ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_same_agreement_is_explained_in_the_same_bytes() -> None:
    assert explain(agreement(*RULES)).encode() == explain(agreement(*RULES)).encode()


def test_the_promise_is_one_sentence_that_can_be_read_aloud() -> None:
    said = text(explain(agreement("error_rate_runs")))
    assert (
        "In each calendar month, Berlin time, more than 99.5% of the time must be up; time is down when, in 5 or more "
        "intervals of 1 minute in a row, more than 5% of the counted requests fail."
    ) in said


def test_what_nobody_wrote_is_called_unclear() -> None:
    said = text(explain(agreement("sample_proportion", claim=None, fee=None, caps=())))
    unclear = said[said.index("WHAT IS UNCLEAR") :]
    assert "Credits are promised, but no fee is stated." in unclear
    assert "Credits are promised, but not how, and until when, they are claimed." in unclear


def test_a_clause_that_does_not_see_a_vendor_who_is_gone_is_called_unclear() -> None:
    seen = load_text(SHORT).agreement
    assert "cannot be reached is not counted" not in explain(seen)
    gone = explain(load_text(SHORT.replace("outcomes/server-faults@1", "outcomes/server-errors@1")).agreement)
    unclear = " ".join(gone.partition("WHAT IS UNCLEAR")[2].partition("EVERY TERM")[0].split())
    assert "a vendor that cannot be reached is not counted: its outage does not lower this figure." in unclear


def test_a_term_for_all_that_no_promise_takes_names_the_promises_and_their_profiles() -> None:
    text = SHORT.replace("period: month\n", "period: month\nsource: traffic\n")
    (idle,) = (w for w in load_text(text).warnings if w.code == "W-SPEC-IDLE")
    assert idle.path == "source"
    assert "has its own from uptime/mean-of-5-minutes@1" in idle.text
    own = text.replace("    use: uptime/mean-of-5-minutes@1\n", "    use: uptime/mean-of-5-minutes@1\n    source: probe\n")
    assert any(w.code == "W-SPEC-IDLE" and w.text.endswith("has its own") for w in load_text(own).warnings)
    assert not any(w.code == "W-SPEC-IDLE" for w in load_text(SHORT).warnings)


def test_questions_that_could_change_unseen_are_called_unclear() -> None:
    pinned = agreement("sample_proportion")
    loose = pinned.objectives[0].model_copy(update={"golden_set": model.GoldenSetRef(id="claims-qa@4")})
    assert "not pinned" not in explain(pinned)
    assert "the questions are not pinned" in text(explain(pinned.model_copy(update={"objectives": (loose,)})))


def test_nothing_that_a_terminal_obeys_is_printed() -> None:
    hostile = agreement("mean_of_intervals", vendor="Acme \x1b[2J\u202eAI", owner="a\nb\tc")
    said = explain(hostile)
    assert all(c == "\n" or c.isprintable() for c in said)
    assert "\\u001b[2J" in said


# ── with a loader ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_every_term_names_the_profile_or_the_line_it_came_from(repo: Path) -> None:
    loaded = load(repo / "sla_specs" / "examples" / "acme-chat.yaml")
    rows = {row.path: row.source for row in explanation(loaded.agreement, loaded.provenance, loaded.warnings).terms}
    assert rows["objectives[0].outcomes.rate_limited"] == "outcomes/server-faults@1"
    assert rows["objectives[0].exclusions[0].proof"] == "maintenance/announced@1"
    assert rows["objectives[0].source"] == "uptime/mean-of-5-minutes@1"
    assert rows["claim.deadlines[0].n"] == "claim/written@1"
    assert rows["vendor"].startswith("line ")
    lines = [int(rows[f"objectives[0].credits[{i}].credit"].removeprefix("line ")) for i in range(3)]
    assert lines == sorted(set(lines))
    assert rows["status"] == "not written"


def test_an_item_of_a_list_without_an_order_never_names_a_wrong_line(repo: Path) -> None:
    text = (repo / "sla_specs" / "examples" / "acme-chat.yaml").read_text("utf-8")
    services = "services:\n  - {id: search, models: acme-embed}\n  - {id: chat, models: [acme-large, acme-small]}\n"
    loaded = loads(text.replace("objectives:\n", f"{services}objectives:\n"), "acme.yaml", Shelves())
    rows = {row.path: row for row in explanation(loaded.agreement, loaded.provenance).terms}
    first = text[: text.index("objectives:")].count("\n") + 2
    assert rows["services[0].id"].value == "chat"  # the normal form sorts them
    assert rows["services[0].models"].source == f"lines {first}-{first + 1}"
    assert rows["claim.deadlines[0].n"].source == "claim/written@1"


def test_the_first_example_is_explained_as_in_its_golden_file(repo: Path, golden: Callable[[Path, str], None]) -> None:
    loaded = load(repo / "sla_specs" / "examples" / "acme-chat.yaml")
    said = explain(loaded.agreement, loaded.provenance, loaded.warnings)
    golden(repo / "tests" / "golden" / "explain" / "acme-chat.txt", said)


def test_an_unpinned_set_of_questions_is_told_with_its_pin(repo: Path) -> None:
    loaded = load(repo / "sla_specs" / "examples" / "acme-chat.yaml")
    pin = loaded.agreement.objectives[1].golden_set
    assert pin is not None
    said = text(explain(loaded.agreement, loaded.provenance, loaded.warnings))
    assert "accuracy: the questions are not pinned, so somebody could change them unseen. Write golden_set: " in said
    assert f"sha256: {pin.sha256}" in said


def test_a_profile_nobody_has_compared_is_called_unclear(repo: Path) -> None:
    loaded = load(repo / "sla_specs" / "examples" / "acme-chat.yaml")
    doubtful = {path: replace(where, needs_confirmation=True) for path, where in loaded.provenance.items()}
    said = text(explain(loaded.agreement, doubtful))
    assert said.count("outcomes/server-faults@1 follows a text that nobody has compared with its source yet.") == 1


@pytest.mark.parametrize("label", Shelves().profiles())
def test_every_profile_that_ships_is_explained(label: str) -> None:
    reference = Reference.parse(label)
    assert reference is not None
    parsed = Shelves().profile(reference)
    assert parsed is not None
    head = profile_file(parsed).head
    assert head is not None
    said = text(explain_profile(head))
    assert said.startswith(label)
    assert text(head.text) in said
    assert text(head.source) in said
    for name, parameter in head.parameters.items():
        assert f"{name} ({listing(parameter.choices, 'or') or parameter.type}): {parameter.text}" in said
        assert f"<{name}>" in said
    assert one_line(head).startswith(f"{label}  ")
