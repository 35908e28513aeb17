"""From a few answers to a first Agreement: one screen of YAML in the short style, which a person goes on to edit.

Pure: the questions are asked, and the text is checked by the loader, elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import TypeAdapter, ValidationError

from slaguard.spec.model import PeriodUnit
from slaguard.spec.scalars import Amount, Day, Duration, Percent, Slug, Whole, Words, Zone

PromiseKind = Literal["uptime", "error-rate", "latency", "accuracy", "hallucination"]
Combining = Literal["greater_of", "sum_to_cap"]
COMMENT_COLUMN: Final = 44
_PLAIN = re.compile(r"\w(?:[\w .%/@+()&'-]*[\w.%/@+()&'-])?\Z")
_STEP = re.compile(r"(?P<side>below|above)\s+(?P<edge>\S+?)\s*:\s*(?P<credit>\S+)\Z")
NOTE: Final = "# Written by slaguard init: compare every line with the contract, then change what you like."


@dataclass(frozen=True, slots=True)
class Form:
    """How a kind of promise is written: its profile, its bound, and on which side of it a credit is due."""

    profile: str
    bound: Literal["at_least", "at_most"]
    comment: str

    @property
    def side(self) -> str:
        """Return the word a step of the ladder begins with."""
        return "below" if self.bound == "at_least" else "above"

    @property
    def example(self) -> str:
        """Return a ladder of two steps."""
        return "below 99.5%: 10%, below 99.0%: 25%" if self.bound == "at_least" else "above 1%: 5%, above 3%: 10%"


FORMS: Final[Mapping[PromiseKind, Form]] = {
    "uptime": Form("uptime/mean-of-5-minutes@1", "at_least", "how downtime is counted"),
    "error-rate": Form("errors/share-failed@1", "at_most", "the share of requests that fail"),
    "latency": Form("latency/share-within@1", "at_least", "the share of requests that are fast enough"),
    "accuracy": Form("accuracy/agreed-questions@1", "at_least", "the score on the agreed questions decides"),
    "hallucination": Form("hallucination/human-audited-sample@1", "at_most", "people grade a sample of the answers"),
}


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise as answered; `credits` holds (edge, share of the fee) from the target on."""

    kind: PromiseKind
    target: str
    clause: str
    credits: tuple[tuple[str, str], ...] = ()
    profile: str | None = None
    """Another profile than the usual one of its kind."""
    arguments: tuple[tuple[str, str], ...] = ()
    """What the profile asks for."""
    golden_set: str | None = None


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Announced maintenance that counts as up."""

    clause: str
    notice: str
    cap: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a first Agreement needs to be told."""

    name: str
    vendor: str
    customer: str
    contract: str
    effective: str
    time_zone: str
    period: str
    outcomes: str
    promises: tuple[Promise, ...]
    fee: str | None = None
    combine: str | None = None
    maintenance: Maintenance | None = None
    claim_days: str | None = None


def draft(answers: Answers) -> str:
    """Return the Agreement as YAML, in the short style, with a final newline."""
    lines = [NOTE, "apiVersion: slaguard/v1", "kind: Agreement", *_head(answers), "use:", *_use(answers), "objectives:"]
    for promise in answers.promises:
        lines.extend(_objective(promise))
    return "\n".join(lines) + "\n"


def _head(answers: Answers) -> list[str]:
    terms = {
        "name": answers.name,
        "version": "1",
        "vendor": answers.vendor,
        "customer": answers.customer,
        "contract": answers.contract,
        "effective": answers.effective,
        "time_zone": answers.time_zone,
        "period": answers.period,
    }
    lines = [f"{key}: {scalar(text)}" for key, text in terms.items()]
    if answers.fee is not None:
        lines.append(_commented(f"fee: {scalar(answers.fee)}", f"a {answers.period}; credits are shares of it"))
    if answers.combine is not None:
        pays = {"greater_of": "two broken promises pay the larger credit", "sum_to_cap": "broken promises add up"}
        lines.append(_commented(f"combine: {scalar(answers.combine)}", pays.get(answers.combine, "")))
    return lines


def _use(answers: Answers) -> list[str]:
    lines = [_commented(f"  - {answers.outcomes}", "which answers count as failures")]
    if answers.maintenance is not None:
        window = answers.maintenance
        arguments = [("clause", window.clause), ("notice", window.notice)]
        arguments += [("cap", window.cap)] if window.cap is not None else []
        lines.append(f"  - {_with_arguments('maintenance/announced@1', arguments)}")
    if answers.claim_days is not None:
        claim = _with_arguments("claim/written@1", [("days", answers.claim_days)])
        lines.append(_commented(f"  - {claim}", "how, and until when, you claim"))
    return lines


def _objective(promise: Promise) -> list[str]:
    form = FORMS[promise.kind]
    used = _with_arguments(promise.profile or form.profile, promise.arguments)
    lines = [
        f"  - name: {promise.kind}",
        f"    clause: {scalar(promise.clause)}",
        f"    use: {{{used}}}" if promise.arguments else _commented(f"    use: {used}", form.comment),
    ]
    if promise.golden_set is not None:
        lines.append(f"    golden_set: {promise.golden_set}")
    lines.append(f"    {form.bound}: {promise.target}")
    if not promise.credits:
        return [*lines, _commented("    remedy: {kind: none}", "a target only; it pays nothing")]
    return [*lines, "    credits:", *(f"      {form.side} {edge}: {credit}" for edge, credit in promise.credits)]


def _with_arguments(profile: str, arguments: Iterable[tuple[str, str]]) -> str:
    inside = ", ".join(f"{key}: {scalar(text)}" for key, text in arguments)
    return f"{profile}: {{{inside}}}" if inside else profile


def _commented(line: str, comment: str) -> str:
    return f"{line:<{COMMENT_COLUMN - 1}} # {comment}" if comment else line


def scalar(text: str) -> str:
    """Write a value so that the notation reads this very text, also inside a one-line map."""
    plain = _PLAIN.match(text) and text.isprintable() and text.lower() not in {"null", "~"}
    return text if plain else json.dumps(text, ensure_ascii=False)


# ── one answer at a time ────────────────────────────────────────────────────────────────────────────────────────────
AnswerType = Literal["words", "name", "day", "zone", "period", "money", "percent", "duration", "whole"]
_TYPES: Final[Mapping[AnswerType, TypeAdapter[Any]]] = {
    "words": TypeAdapter(Words),
    "name": TypeAdapter(Slug),
    "day": TypeAdapter(Day),
    "zone": TypeAdapter(Zone),
    "money": TypeAdapter(Amount),
    "percent": TypeAdapter(Percent),
    "duration": TypeAdapter(Duration),
    "whole": TypeAdapter(Whole),
}


def checked(kind: AnswerType, text: str) -> str:
    """Return the answer as it will stand in the document.

    Raises:
        ValueError: it is not what the field takes; the message is the notation's own and says how to write it.

    """
    answer = text.strip()
    if not answer.isprintable():
        raise ValueError("write text without control characters")
    if kind == "period":
        return one_of(answer, [unit.value for unit in PeriodUnit])
    try:
        _TYPES[kind].validate_python(answer)
    except ValidationError as error:
        raise ValueError(error.errors(include_url=False)[0]["msg"]) from None
    return answer


def one_of(text: str, words: Iterable[str]) -> str:
    """Return the answer if it is one of the words.

    Raises:
        ValueError: it is another; the message names them all.

    """
    known = list(words)
    if text.strip() not in known:
        raise ValueError(f"write one of {', '.join(known)}")
    return text.strip()


def credit_steps(form: Form, text: str) -> tuple[tuple[str, str], ...]:
    """Read ``below 99.5%: 10%, below 99.0%: 25%``; whether they make a ladder is the linter's to say.

    Raises:
        ValueError: a part is no step, or its percentages are not written as such.

    """
    return tuple(_credit_step(form, part) for part in text.split(","))


def _credit_step(form: Form, part: str) -> tuple[str, str]:
    found = _STEP.match(part.strip())
    if found is None or found["side"] != form.side:
        raise ValueError(f"write steps as {form.example}, with commas between them")
    return checked("percent", found["edge"]), checked("percent", found["credit"])
