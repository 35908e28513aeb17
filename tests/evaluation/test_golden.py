"""The contract's formulas as pairs: terms and a few records in, the figure and the verdict out, computed by hand.

`make golden` writes what the product says into the `expect` lines; a change there is a change of the law.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml

from slaguard.evaluation.result import ObjectiveResult
from slaguard.records import Adjudication, Coverage, Fact, Observation, Record, Score
from slaguard.spec.model import Agreement
from slaguard.terms import Grade, Source, parse_duration
from tests.evaluation import naive
from tests.evaluation.world import (
    ACCURACY,
    DAY,
    HALLUCINATION,
    MEAN,
    MINUTE,
    OUTCOMES,
    RATIO,
    RUNS,
    START,
    agreement,
    call,
    judge,
    objective,
    period,
    watched,
)

FOLDER = Path(__file__).parent / "golden"
Case = dict[str, Any]
DUAL: dict[str, Any] = {
    "bin": "1m", "empty_bin": "good", "priced_by": "worst",
    "tests": [
        {"error_rate": {"at_most": "1%"}, "share": {"at_least": "90%"}},
        {"error_rate": {"at_most": "10%"}, "share": {"at_least": "99%"}},
    ],
}  # fmt: skip
FIRST_TOKEN = {"field": "time_to_first_token", "min_requests": "1"}
RULES: dict[str, dict[str, Any]] = {
    "mean_of_intervals": MEAN,
    "error_rate_runs": RUNS,
    "dual_threshold": DUAL,
    "ratio": RATIO,
    "percentile": {**FIRST_TOKEN, "p": "95%", "failed": "exceed"},
    "request_attainment": {**FIRST_TOKEN, "within": {"at_most": "2s"}, "failed": "miss"},
}
BOUNDS = ("at_least", "at_most", "more_than", "less_than")
DECISION = {"estimand": "realised", "rule": "point", "alpha": "5%", "min_n": "0"}
SMALL = 2_000  # minutes that the naive evaluation walks through at once


def cases() -> list[Any]:
    found = [(path, case) for path in sorted(FOLDER.glob("*.yaml")) for case in read(path)]
    return [pytest.param(case, id=f"{path.stem}: {case['name']}") for path, case in found]


def read(path: Path) -> list[Case]:
    """Return the cases of a file; all scalars are text."""
    found: list[Case] = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    return found


# ── from a case to a world ──────────────────────────────────────────────────────────────────────────────────────────
def contract_of(case: Case) -> Agreement:
    terms = {key: case[key] for key in (*BOUNDS, "source", "min_coverage", "readings", "settled", "credits") if key in case}
    terms["outcomes"] = {**OUTCOMES, **case.get("outcomes", {})}
    terms["exclusions"] = [exclusion(i, given) for i, given in enumerate(case.get("exclusions", ()))]
    terms["decision"] = {**DECISION, **case.get("decision", {})}
    return agreement(objective(rule_of(case["rule"]), **terms))


def rule_of(given: dict[str, Any]) -> dict[str, Any]:
    if given["rule"] == "sample_proportion":
        usual = ACCURACY if given["event"] == "correct" else HALLUCINATION
        return {**usual, **given}
    return {**RULES[given["rule"]], **given}


def exclusion(index: int, given: dict[str, Any]) -> dict[str, Any]:
    proof = "request_field" if "selector" in given else "announcement"
    usual = {"id": f"x{index}", "clause": f"B {index}", "kind": "maintenance", "asserted_by": "vendor", "proof": proof}
    return {**usual, "effect": "drop_records", **given}


def spread(text: str) -> Iterator[str]:
    """Yield the tokens of ``a*2 b``: a, a, b."""
    for token in text.split():
        word, _, times = token.partition("*")
        yield from [word] * int(times or 1)


def records_of(case: Case) -> list[Record]:
    calls = [*by_minute(case), *by_call(case), *by_time(case)]
    given = case.get("with", {})
    every = parse_duration(case.get("calls_every", "0ms")) * 1_000_000
    graded = list(by_grade(case))
    seen = Source(given.get("source", "traffic"))
    placed = [shaped(o, i, given, every) for i, o in enumerate([*calls, *(o for o in graded if isinstance(o, Observation))])]
    return [*coverage(case, seen), *placed, *(r for r in graded if not isinstance(r, Observation))]


def shaped(o: Observation, index: int, given: dict[str, str], every: int) -> Observation:
    """Return a call with what the case says of all calls."""
    changed: dict[str, Any] = {"source": Source(given.get("source", "traffic"))}
    if given.get("inclusion_probability") == "none":
        changed["inclusion_probability"] = None
    if given.get("clock") == "none":
        changed |= {"sent_at": None, "batch_start": START, "batch_end": START + MINUTE}
    if every:
        changed["sent_at"] = START + index * every
    return replace(o, **changed)


def by_minute(case: Case) -> Iterator[Observation]:
    first = int(case.get("from", "0"))
    for index, token in enumerate(spread(case.get("each_minute", "")), first):
        good, _, bad = token.replace(".", "0").partition("+")
        outcomes = ["ok"] * int(good) + ["error_500"] * int(bad or 0)
        yield from (call(index * MINUTE + i * MINUTE // 1000, o, n=i) for i, o in enumerate(outcomes))


def by_call(case: Case) -> Iterator[Observation]:
    for index, token in enumerate(spread(case.get("calls", ""))):
        outcome, _, code = token.removesuffix(")").partition("(")
        yield call(index * MINUTE // 60, outcome, error_code=code or None, n=f"c{index}")


def by_time(case: Case) -> Iterator[Observation]:
    for index, token in enumerate(spread(case.get("times", ""))):
        if token in {"failed", "untimed"}:
            yield call(index, "timeout" if token == "failed" else "ok", n=index)
        else:
            took = int(Fraction(token) * 1_000_000)
            yield call(index, time_to_first_token_ns=took, total_time_ns=took, n=index)


def by_grade(case: Case) -> Iterator[Record]:
    for index, word in enumerate(spread(case.get("grades", ""))):
        answer = call(index, n=f"g{index}")
        yield answer
        if word != "none" and case.get("by") == "people":
            yield Adjudication(observation=answer.id, grade=Grade(word), by="panel")
        elif word != "none":
            yield Score(observation=answer.id, scorer="exact@1", grade=Grade(word))


def coverage(case: Case, source: Source) -> list[Coverage]:
    text = case.get("watched", "all")
    if text in {"all", "none"}:
        return [watched(source=source)] if text == "all" else []
    spans = re.findall(r"(-?[\d.]+)-([\d.]+)", text)
    return [watched(int(Fraction(a) * MINUTE), int(Fraction(b) * MINUTE), source) for a, b in spans]


def facts_of(case: Case) -> list[Fact]:
    out: list[Fact] = []
    for index, text in enumerate(case.get("announced", ())):
        window, before, *state = text.split()
        start, end = (START + int(m) * MINUTE for m in re.findall(r"(?<!\d)-?\d+", window))
        when = start - parse_duration(before) * 1_000_000
        out.append(Fact(id=f"a{index}", type="announcement", when=when, exclusion="x0", start=start, end=end))
        out += [Fact(id=f"s{index}", type="exclusion_state", when=start, exclusion="x0", start=start, state=s) for s in state]
    return [*out, *(fact(f"f{index}", given) for index, given in enumerate(case.get("facts", ())))]


def fact(name: str, given: dict[str, str]) -> Fact:
    """Return a Fact; its times are minutes of the period."""
    times: dict[str, Any] = {key: START + int(given[key]) * MINUTE for key in ("when", "start", "end") if key in given}
    words: dict[str, Any] = {
        key: given[key] for key in ("type", "exclusion", "by", "reference", "document_sha256", "state") if key in given
    }
    body: dict[str, Any] = {"id": name, "when": START, "exclusion": "x0", **words, **times}
    return Fact(**body)


# ── from a result to a line ─────────────────────────────────────────────────────────────────────────────────────────
def line_of(result: ObjectiveResult) -> str:
    e = result.estimate
    said: dict[str, object] = {"value": e.value}
    if result.design == "census" and e.low != e.high:
        said["between"] = f"[{plain(e.low)}, {plain(e.high)}]"
    said |= {"n": e.n, "bad": e.bad, "allowed": e.allowed, "verdict": result.verdict, "reason": result.reason}
    if result.provisional:
        said["provisional"] = "true"
    if result.excluded:
        also = {x.id: f" and {x.also} too" if x.also else "" for x in result.excluded}
        said["excluded"] = "{" + ", ".join(f"{x.id} {x.state}: {x.n}{also[x.id]}" for x in result.excluded) + "}"
    if result.contested:
        said["alone"] = "{" + ", ".join(f"{x.id}: {x.result.value} {x.result.verdict}" for x in result.contested) + "}"
    if result.readings:
        said["under"] = "{" + ", ".join(f"{x.id}: {x.estimate.value} {x.verdict} {x.credit}" for x in result.readings) + "}"
    return "expect: {" + ", ".join(f"{key}: {plain(value)}" for key, value in said.items()) + "}"


def plain(value: object) -> str:
    return "null" if value is None else str(value)


def judged(case: Case) -> ObjectiveResult:
    now = START + int(case["now"]) * MINUTE if "now" in case else None
    span = period(int(case.get("minutes", "1000")))
    return judge(contract_of(case), span, records_of(case), facts_of(case), now).objectives[0]


@pytest.mark.parametrize("name", sorted(p.stem for p in FOLDER.glob("*.yaml")))
def test_contract_formulas_give_what_was_computed_by_hand(name: str, golden: Callable[[Path, str], None]) -> None:
    path = FOLDER / f"{name}.yaml"
    lines = iter([line_of(judged(case)) for case in read(path)])
    text = re.sub(r"(?m)(?<=^  )expect: .*$", lambda _: next(lines), path.read_text(encoding="utf-8"))
    golden(path, text)
    assert next(lines, None) is None


BEYOND = ("excluded:", "intervals:", "readings:")  # files with terms that the naive evaluation does not hold


@pytest.mark.parametrize(
    "case", [p for p in cases() if int(p.values[0].get("minutes", 0)) <= SMALL and not str(p.id).startswith(BEYOND)]
)
def test_the_naive_evaluation_agrees_on_the_small_ones(case: Case) -> None:
    minutes = int(case.get("minutes", "1000"))
    now = START + int(case["now"]) * MINUTE if "now" in case else START + minutes * MINUTE + DAY
    found = naive.evaluate(contract_of(case), period(minutes), records_of(case), facts_of(case), now)[0]
    t, wanted = found.accepted.tally, case["expect"]
    figures = {"value": plain(t.value), "n": str(t.n), "bad": str(t.bad), "verdict": found.verdict, "reason": found.reason}
    assert figures == {key: wanted[key] for key in figures}


def test_every_case_is_named_and_there_are_enough() -> None:
    names = [p.values[0]["name"] for p in cases()]
    assert len(names) == len(set(names)) >= 60
