"""Every code that `validate` can report, most severe first, with one line each; `docs/errors.md` has a heading for each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from slaguard.errors import Problem
from slaguard.spec.nodes import without_tokens

CODES: Final[dict[str, str]] = {
    "E-SPEC-FILE": "the file cannot be read: missing, no regular file, or too big",
    "E-SPEC-SYNTAX": "the text is no YAML document of the kind slaguard reads",
    "E-SPEC-DEPTH": "maps and lists are nested too deeply",
    "E-SPEC-ALIAS": "anchors and aliases are not part of the notation",
    "E-SPEC-TAG": "tags are not part of the notation",
    "E-SPEC-DUP": "something that must be said once is said twice",
    "E-SPEC-SCHEMA": "a key is unknown, a term is missing, or a value has the wrong form",
    "E-SPEC-NAME": "a name has characters that names do not have",
    "E-SPEC-SECRET": "an Agreement holds something that looks like a secret or an endpoint",
    "E-SPEC-REF": "a profile, golden set, service or other reference leads nowhere",
    "E-SPEC-UNIT": "a value lacks its unit, or has the wrong one",
    "E-SPEC-STRICT": "a bound is not exactly one of the four words, or points the wrong way",
    "E-SPEC-UNMEASURABLE": "nothing says how a promise is measured",
    "E-SPEC-OUTCOME": "it is not said how an outcome counts",
    "E-SPEC-EMPTY": "it is not said what an interval without requests means",
    "E-SPEC-PERIOD": "the period or its time zone is missing or unknown",
    "E-SPEC-BIN": "an interval does not fit the clock",
    "E-SPEC-QUALITY": "a promise about quality lacks what makes it decidable",
    "E-SPEC-UNPINNED": "a signed Agreement names questions that can still change",
    "E-SPEC-TARGET-100": "a promise of all or nothing that no sample can show",
    "E-SPEC-EXCL": "an exclusion does not say who asserts it, what proves it, or what it does",
    "E-SPEC-READING": "a reading or an amendment changes what cannot be changed so, or leaves no sound Agreement",
    "E-SPEC-READINGS": "more readings than are evaluated, or readings that are not told apart",
    "E-SPEC-TIER-TARGET": "the first credit step does not start at the target",
    "E-SPEC-TIER-GAP": "a table of credits has no row for some figures that break the promise",
    "E-SPEC-TIER-ORDER": "the credit steps are not in order",
    "E-SPEC-TIER-OVERLAP": "two credit steps start at the same figure, or two rows of a table hold one",
    "E-SPEC-FEE": "a credit is a share of a fee that is not stated for the period",
    "E-SPEC-CURRENCY": "amounts of different currencies meet",
    "E-SPEC-CAP": "a cap is for a span that cannot be counted",
    "E-SPEC-CHRONIC": "it is not clear when a right arises from several bad periods",
    "E-SPEC-COMBINE": "it is not said how several broken promises pay together",
    "E-SPEC-ANCHOR": "it is not said from when a deadline counts",
    "E-SPEC-DATES": "a date does not exist, or dates contradict each other",
    "W-SPEC-SCALE": "a figure is so far from the usual that a slip of the pen is likely",
    "W-SPEC-IDLE": "a term at the top of the Agreement is in force nowhere, as every promise has its own",
    "W-SPEC-UNPINNED": "the agreed questions are not pinned by their hash",
    "W-SPEC-TARGET-100": "a single failure breaks the promise",
    "W-SPEC-NMIN": "the smallest sample that counts can never show the promise kept",
    "W-SPEC-PAIR": "a promise on hallucinations without one on refusals",
    "W-SPEC-PROBE": "the promise is about customer requests, but only probes are counted",
    "W-SPEC-BIN-RESOLUTION": "one failure alone makes an interval bad",
    "W-SPEC-NO-EFFECT": "a term is written that can change nothing",
    "W-SPEC-TIER-GAP": "a table of credits is printed with a gap, and the clause says what decides there",
    "W-SPEC-TIER-TARGET": "a table of credits as printed does not start at the target",
    "W-SPEC-TIER-OVERLAP": "a table of credits is printed with rows that overlap, and the clause says what decides there",
    "W-SPEC-CAP-BELOW-TIER": "a cap or a smallest payout makes a credit unreachable",
    "W-SPEC-COMBINE": "a promise has no credits and does not say that it pays nothing",
    "W-SPEC-FEE": "no fee is stated, or parts of it add up to more than the whole",
    "W-SPEC-EXCL-SWALLOW": "an exclusion without a cap can swallow the promise",
    "W-SPEC-READINGS": "a reading is called settled, and nothing shows it",
    "W-SPEC-ROLLING": "a window that rolls is tested again every day",
    "W-SPEC-DEADLINE-DELAY": "a deadline can pass before there is anything to act on",
    "W-SPEC-PRESET": "a profile follows a text that nobody has compared with its source",
}
SEVERITY: Final[dict[str, int]] = {code: rank for rank, code in enumerate(CODES)}


def hidden(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems in order, with nothing in them that looks like a key, a token or a password."""
    return tuple(
        replace(p, path=without_tokens(p.path), text=without_tokens(p.text), mend=without_tokens(p.mend))
        for p in ordered(problems)
    )


def ordered(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems, most severe first, then by place; the same one found on two ways is kept once."""
    unique = {(p.code, p.place, p.path, p.mend): p for p in reversed(tuple(problems))}
    return tuple(sorted(unique.values(), key=lambda p: (SEVERITY[p.code], p.place, p.path)))
