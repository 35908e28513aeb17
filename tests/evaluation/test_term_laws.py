"""Laws that hold for every rule, term and filter, on small random months."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from slaguard.evaluation.evaluate import evaluate
from slaguard.evaluation.requirements import requirements
from slaguard.ledger.store import ColumnStore
from slaguard.records import Observation
from slaguard.terms import Attribution, Outcome, Source
from tests.evaluation.months import Month
from tests.evaluation.term_months import OUTAGES, term_month
from tests.evaluation.test_naive import by_the_product, known_facts
from tests.evaluation.world import MINUTE

SEEDS = range(200)


def figures(at: Month) -> list[tuple[Any, ...]]:
    return [_told(r) for r in by_the_product(at).objectives]


def _told(r: Any) -> tuple[Any, ...]:
    e = r.estimate
    return r.verdict, r.reason, e.value, e.low, e.high, e.n, e.bad, r.coverage, r.filtered


def test_the_order_of_records_means_nothing() -> None:
    for seed in SEEDS:
        at = term_month(Random(seed))
        mixed = list(at.records)
        Random(seed).shuffle(mixed)
        assert figures(replace(at, records=tuple(mixed))) == figures(at), seed


def test_a_record_that_its_outcome_drops_changes_no_figure() -> None:
    for seed in SEEDS:
        at = term_month(Random(seed))
        objective = at.agreement.objectives[0]
        dropped = [o for o in Outcome if getattr(objective.outcomes, o.value, None) == "drop"]
        if not dropped or objective.entitlement is not None or objective.indicator.rule in OUTAGES:
            continue
        extra = Observation(
            id="extra", outcome=dropped[0], attribution=Attribution.NONE, source=Source.TRAFFIC, via="test", vendor="V",
            sent_at=at.period.start + MINUTE + 1, inclusion_probability="1",
        )  # fmt: skip
        assert figures(replace(at, records=(*at.records, extra))) == figures(at), seed


@pytest.mark.parametrize("parts", [2, 5])
def test_records_that_come_in_several_parts_give_the_same_evidence(parts: int) -> None:
    for seed in range(40):
        at = term_month(Random(seed))
        facts = known_facts(at)
        demands = requirements(at.agreement, at.period, facts, at.as_of)
        told = []
        for step in (1, parts):
            with ColumnStore(memory_limit="200MB", threads=1) as store:
                for first in range(step):
                    store.add(at.records[first::step])
                store.add(at.facts)
                found = store.answer(demands)
            told.append([_told(r) for r in evaluate(at.agreement, at.period, found, at.as_of, spec_sha256="0" * 64).objectives])
        assert told[0] == told[1], seed
