"""The outcome and grade rules of a mapping, compiled: what a row says became of the call, and how its answer was graded."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from slaguard.imports.cells import Cells, RowError, condition, source
from slaguard.imports.mapping import Facts, Mapping, OutcomeRule, ScoreRule
from slaguard.imports.parsers import PARSERS, grade
from slaguard.imports.values import bounded, shown
from slaguard.records import Adjudication, Observation, RawFacts, Score, classify
from slaguard.terms import Attribution, Grade, Outcome


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended; `skip` says why the row is no call."""

    outcome: Outcome = Outcome.OK
    attribution: Attribution = Attribution.NONE
    status: int | None = None
    error_code: str | None = None
    skip: str | None = None


Judge = Callable[[Cells, int | None, str | None], Ended]


def judge(mapping: Mapping) -> Judge:
    """Return a function that tells how a call ended, from its row and its fields `status` and `error_code`."""
    if mapping.outcomes is None:
        return _by_status
    rules = [(condition(rule.when, mapping.missing), _result(rule)) for rule in mapping.outcomes]

    def by_rules(cells: Cells, status: int | None, error_code: str | None) -> Ended:
        for holds, result in rules:
            if holds(cells):
                return result(status, error_code)
        raise RowError("", f"no rule under outcomes: fits this row; it has {_wanted(mapping, cells)}")

    return by_rules


def _by_status(_: Cells, status: int | None, error_code: str | None) -> Ended:
    if status is None:
        raise RowError("status", "no status; say under outcomes: what a row without one means")
    outcome, attribution = classify(RawFacts(status=status, error_code=error_code))
    return Ended(outcome, attribution, status, error_code)


def _wanted(mapping: Mapping, cells: Cells) -> str:
    columns = dict.fromkeys(c for rule in mapping.outcomes or () for c in rule.when or ())
    return ", ".join(f"{c}: {cells.get(c)[:30].encode('ascii', 'backslashreplace').decode()!r}" for c in list(columns)[:3])


def _result(rule: OutcomeRule) -> Callable[[int | None, str | None], Ended]:
    if rule.skip is not None:
        skipped = Ended(skip=rule.skip)
        return lambda _status, _code: skipped
    if rule.facts is not None:
        facts = rule.facts
        return lambda status, code: _classified(facts, status, code)
    stated, attribution = rule.outcome or Outcome.UNMEASURED, rule.attribution or Attribution.NONE
    return lambda status, code: Ended(stated, attribution, status, code)


def _classified(facts: Facts, status: int | None, code: str | None) -> Ended:
    status = facts.status if facts.status is not None else status
    code = facts.error_code or code
    outcome, attribution = classify(
        RawFacts(
            status=status,
            error_code=code,
            body_empty=facts.body == "empty",
            body_is_error=facts.body == "error",
            body_complete=facts.body != "incomplete",
            refused=facts.answer == "refused",
            content_filtered=facts.answer == "content_filtered",
            failure=facts.failure,
        )
    )
    if outcome is Outcome.OK and status is None and facts.body is None and facts.answer is None:
        # An error that the classifier does not know, or nothing at all, must not pass for an answer.
        what = f"no status, and the error {shown(code)} says too little" if code else "no status and no error"
        raise RowError("status", f"{what}; say under outcomes: what such a row means")
    return Ended(outcome, attribution, status, code)


# ── grades ──────────────────────────────────────────────────────────────────────────────────────────────────────────
NO_RULE: Final = "no grade rule fits"
Grader = Callable[[Cells, Observation], Score | Adjudication | None]


def scorer_id(mapping: Mapping, rule: ScoreRule) -> str:
    """Return the scorer that a grade of this rule names: what an Objective's `scorer` chooses."""
    if rule.parser is not None:
        return f"import:{mapping.name}/{rule.parser.use}"
    name = f"/{rule.name}" if rule.name else ""
    return f"import:{mapping.name}{name}@{mapping.version}"


def grader(mapping: Mapping, rule: ScoreRule) -> Grader:
    """Return a function that gives the grade of an answer in a row; None where a person has given none yet."""
    give = _by_parser(rule) if rule.parser is not None else _by_rules(rule, mapping.missing)
    scorer = scorer_id(mapping, rule)
    who = source(rule.by, "by") if rule.by is not None else None

    def graded(cells: Cells, observation: Observation) -> Score | Adjudication | None:
        given, reason = give(cells)
        at = observation.recorded_at
        if who is None:
            return Score(observation=observation.id, scorer=scorer, grade=given, reason=reason, recorded_at=at)
        if given is Grade.UNSCORED:
            return None
        column, by = who(cells)
        if not by:
            raise RowError(column, "a grade without the person who gave it")
        return Adjudication(observation=observation.id, grade=given, by=bounded(by), note=reason, recorded_at=at)

    return graded


Graded = tuple[Grade, str | None]


def _by_rules(rule: ScoreRule, void: Collection[str]) -> Callable[[Cells], Graded]:
    rules = [(condition(r.when, void), (r.grade, r.reason)) for r in rule.grades or ()]

    def give(cells: Cells) -> Graded:
        return next((result for holds, result in rules if holds(cells)), (Grade.UNSCORED, NO_RULE))

    return give


def _by_parser(rule: ScoreRule) -> Callable[[Cells], Graded]:
    parser = rule.parser
    assert parser is not None  # noqa: S101 - the caller looked
    reader = PARSERS[parser.use]

    def give(cells: Cells) -> Graded:
        try:
            return grade(reader, cells.raw(parser.answer), cells.raw(parser.reference)), None
        except ValueError as error:
            return Grade.UNSCORED, str(error)

    return give
