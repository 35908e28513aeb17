"""Lint: what an Agreement says that is well-formed and still wrong (`contracts.md` §8), found before it is signed.

Every rule is pure, looks at the sound parts of a draft, and yields Problems with their places. A rule on one Objective
names the fields it needs and is left out where one of them is not sound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from slaguard.errors import Problem
from slaguard.spec.draft import Draft, View
from slaguard.spec.lint import (
    caps,
    filters,
    intervals,
    ladder,
    money,
    names,
    promise,
    quality,
    rights,
    stated,
    tables,
    time,
    vain,
)

ObjectiveRule = Callable[[View, Draft], Iterator[Problem]]
AgreementRule = Callable[[Draft], Iterator[Problem]]
WORDS: Final = ("at_least", "at_most", "more_than", "less_than")
OBJECTIVE_RULES: Final[tuple[tuple[frozenset[str], ObjectiveRule], ...]] = tuple(
    (frozenset(fields), rule)
    for fields, rule in (
        (WORDS, promise.one_word),
        ((*WORDS, "indicator"), promise.unit_and_direction),
        ((*WORDS, "indicator"), promise.scale),
        ((*WORDS, "indicator", "decision"), promise.all_or_nothing),
        (("indicator",), promise.intervals),
        (("indicator",), promise.limits_inside),
        (("indicator",), intervals.begin_and_length),
        (("indicator",), intervals.resolution),
        ((*WORDS, "indicator"), intervals.two_tests),
        (("indicator",), intervals.slow_requests),
        (("indicator",), intervals.resources),
        (("indicator",), intervals.without_effect),
        ((*WORDS, "indicator", "credits"), ladder.steps),
        (("indicator", "decision", "golden_set"), quality.questions),
        (("indicator", "decision"), quality.decidable),
        ((*WORDS, "indicator", "decision"), quality.smallest_sample),
        (("indicator", "source"), quality.probes_alone),
        (("indicator", "source"), stated.outages),
        (("indicator", "exclusions"), stated.windows),
        (("indicator", "decision"), stated.penalties),
        (("indicator", "decision", "average_with_previous"), time.averages),
        (("eligible",), names.eligible),
        (("eligible",), filters.entitlement),
        (("indicator",), filters.told_apart),
        (("indicator",), filters.speed),
        (("indicator", "decision"), filters.by_its_figure),
        (("exclusions",), names.exclusions),
        (("service",), names.services_named),
        (("credits", "remedy"), money.says_what_it_pays),
        ((*WORDS, "indicator", "remedy"), tables.remedies),
        (("remedy",), tables.points),
        (("remedy",), vain.nothing),
    )
)
AGREEMENT_RULES: Final[tuple[AgreementRule, ...]] = (
    names.unique_objectives,
    names.unique_services,
    names.dates,
    time.period,
    time.deadlines,
    money.fee,
    money.base,
    money.currencies,
    money.pools,
    money.combination,
    caps.caps,
    caps.crossing,
    caps.smallest_payout,
    rights.earn_back,
    rights.chronic,
    rights.points_table,
    vain.earn_back,
    vain.unreached,
    vain.caps,
    stated.pairs,
)


def lint(draft: Draft) -> Iterator[Problem]:
    """Yield everything the rules find."""
    for view in draft.views:
        for needs, rule in OBJECTIVE_RULES:
            if needs <= view.has:
                yield from rule(view, draft)
    for agreement_rule in AGREEMENT_RULES:
        yield from agreement_rule(draft)
