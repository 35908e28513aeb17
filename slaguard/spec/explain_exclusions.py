"""What is excluded, in plain words: records or times, who may say so, what must be shown, and what it does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Final

from slaguard.spec.explain_words import conditions, day, duration, listing, name, value
from slaguard.spec.indicators import OutageRule
from slaguard.spec.model import BinRule, Effect, Exclusion, Objective, Ratio, SampleProportion
from slaguard.spec.recurrence import parse_rule

ASSERTER_WORDS: Final = {"vendor": "the vendor", "customer": "the customer", "either": "either side"}
PROOF_WORDS: Final = {
    "announcement": "the announcement",
    "request_field": "a field of the request itself",
    "vendor_letter": "a letter of the vendor",
    "ticket": "a ticket",
    "document": "a document, kept by its hash",
}
_RECORDED: Final = frozenset({"vendor_letter", "ticket", "document"})
"""Proofs that must be recorded apart from the claim itself."""
_SHOWN: Final = 3


def exclusion(objective: Objective, term: Exclusion) -> str:
    """Return one exclusion: what, who may say so, notice, cap, effect, proof."""
    opening = f"{term.id} ({term.kind.replace('_', ' ')}; {name(term.clause)}):"
    who = f"{ASSERTER_WORDS[term.asserted_by].capitalize()} may claim it."
    if term.selector is not None:
        what = f"requests for which {conditions(term.selector) or 'nothing more is asked'} leave the count."
        return " ".join([opening, what, who, *_proof(term)])
    cap = "There is no cap."
    if term.cap is not None:
        cap = f"At most {duration(term.cap.length)} in a calendar {term.cap.per}; what is over that counts normally."
    return " ".join([opening, *_times(term), who, _effect(objective, term.effect), cap, *_proof(term)])


def _proof(term: Exclusion) -> Iterator[str]:
    yield f"Proof: {listing(PROOF_WORDS[p] for p in term.proof) or 'none'}."
    if _RECORDED & set(term.proof) or (term.selector is not None and "announcement" in term.proof):
        yield "Until that is recorded, it is only proposed, and not applied."


def _times(term: Exclusion) -> Iterator[str]:
    named = [f"{_local(w.start)} to {_local(w.end)}" for w in term.windows]
    if term.recurring is not None:
        again = term.recurring
        following = islice(iter(parse_rule(again.rrule, again.start)), _SHOWN)
        first = listing(_local(one) for one in following)
        named.append(f"{duration(again.length)} each time by the rule {value(again.rrule)} from {_local(again.start)} on "
                     f"(the first: {first})")  # fmt: skip
    if named:
        yield f"{'; '.join(named)}, on the contract's clock."
    if term.claimed_within is not None:
        yield f"times claimed at the latest {duration(term.claimed_within)} after they end; later claims are contested."
    elif term.notice is not None and named:
        yield f"Of these, what was announced at least {duration(term.notice)} before it begins; later ones are contested."
    elif term.notice is not None:
        yield f"times announced at least {duration(term.notice)} before they begin; later ones are contested."


def _local(when: datetime) -> str:
    shown = f"{when:%H:%M:%S}" if when.second else f"{when:%H:%M}"
    return f"{day(when.date())} {shown}"


def _effect(objective: Objective, effect: Effect) -> str:
    """Return what a window does to this promise: time where the rule is over time, requests elsewhere."""
    over_time = isinstance(objective.indicator, BinRule | OutageRule)
    match effect:
        case Effect.COUNT_AS_UP if over_time:
            return "The time stays in the period and counts as up."
        case Effect.COUNT_AS_UP if isinstance(objective.indicator, Ratio):
            return "Requests in it stay in the count, and those that failed count as good."
        case Effect.COUNT_AS_UP if isinstance(objective.indicator, SampleProportion):
            return "Answers in it are graded like all others: this promise is not about availability."
        case Effect.COUNT_AS_UP:
            return "Requests that failed in it leave the count; all others stay."
        case Effect.REMOVE_MINUTES if over_time:
            return "The time leaves the period, up or down."
        case Effect.DROP_RECORDS:
            return "Requests in it leave the count."
        case _:
            return f"Requests in it leave the count (written as {effect.value}; this rule has no minutes)."


def needs_facts(term: Exclusion) -> bool:
    """Tell whether an exclusion counts only where somebody records what was announced or claimed."""
    return term.notice is not None or term.claimed_within is not None
