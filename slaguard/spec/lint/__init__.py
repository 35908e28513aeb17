"""Lint: what an Agreement says that is well-formed and still wrong (`contracts.md` §8), found before it is signed.

Every rule is pure, looks at the sound parts of a draft, and yields Problems with their places. A rule on one Objective
names the fields it needs and is left out where one of them is not sound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from slaguard.errors import Problem
from slaguard.spec.draft import Draft, View
from slaguard.spec.lint import ladder, money, names, promise, quality

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
        ((*WORDS, "indicator", "credits"), ladder.steps),
        (("indicator", "decision", "golden_set"), quality.questions),
        (("indicator", "decision"), quality.decidable),
        ((*WORDS, "indicator", "decision"), quality.smallest_sample),
        (("indicator", "source"), quality.probes_alone),
        (("eligible",), names.eligible),
        (("exclusions",), names.exclusions),
        (("service",), names.services_named),
        (("credits",), money.says_what_it_pays),
    )
)
AGREEMENT_RULES: Final[tuple[AgreementRule, ...]] = (
    names.unique_objectives,
    names.unique_services,
    names.dates,
    money.fee,
    money.currencies,
    money.caps,
    money.combination,
    money.smallest_payout,
    quality.hallucination_pair,
)


def lint(draft: Draft) -> Iterator[Problem]:
    """Yield everything the rules find."""
    for view in draft.views:
        for needs, rule in OBJECTIVE_RULES:
            if needs <= view.has:
                yield from rule(view, draft)
    for agreement_rule in AGREEMENT_RULES:
        yield from agreement_rule(draft)
