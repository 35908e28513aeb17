"""The questions of `slaguard init`, in the order in which a contract answers them.

Each answer is checked as it is given: a single value by the type it lands in, a promise by loading a specimen Agreement
in which it is the only new thing. So the messages are those that `validate` would give.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from slaguard.cli.interview import Check, Interview, Question
from slaguard.errors import SpecError
from slaguard.spec.answers import (
    FORMS,
    Answers,
    AnswerType,
    Form,
    Maintenance,
    Promise,
    PromiseKind,
    checked,
    credit_steps,
    draft,
    one_of,
)
from slaguard.spec.library import Library, shipped_names
from slaguard.spec.load import loads

SPECIMEN: Final = Answers(
    name="specimen",
    vendor="Acme AI",
    customer="Example Bank AG",
    contract="C-2031",
    effective="2026-08-01",
    time_zone="UTC",
    period="month",
    fee="1000000.00 EUR",
    outcomes="outcomes/server-faults@1",
    claim_days="30",
    promises=(),
)
"""A sound Agreement but for its promises, to check one promise in."""
USUAL: Final[dict[PromiseKind, Promise]] = {
    "uptime": Promise("uptime", "99.5%", "Exhibit B 2.1"),
    "error-rate": Promise("error-rate", "1%", "Exhibit B 2.2"),
    "latency": Promise("latency", "95%", "Exhibit B 2.3", arguments=(("within", "2s"), ("field", "time_to_first_token"))),
    "accuracy": Promise("accuracy", "92%", "Exhibit C 1", golden_set="claims-qa@4"),
    "hallucination": Promise("hallucination", "2%", "Exhibit C 2"),
}
"""An ordinary promise of each kind: the examples, and the specimen that an answer is put into."""
ASKED: Final[dict[PromiseKind, str]] = {
    "uptime": "Uptime promised, at least",
    "error-rate": "Share of failed requests promised, at most",
    "latency": "Share of requests that are fast enough, at least",
    "accuracy": "Share of correct answers promised, at least",
    "hallucination": "Share of unsupported answers promised, at most",
}


def answers_of(interview: Interview, library: Library) -> Answers:
    """Put every question and return the answers.

    Raises:
        ConfigError: flags are missing or wrong; all of them are told at once.

    """
    asked = _Asked(interview, library)
    head = asked.contract()
    promises = asked.promises()
    answers = asked.terms(head, promises)
    interview.finish()
    return answers


@dataclass(frozen=True, slots=True)
class _Asked:
    """One run through the questions."""

    interview: Interview
    library: Library

    def ask(self, flag: str, words: str, example: str, check: Check, *, default: str = "", optional: bool = False) -> str:
        """Put one question; the answer is empty where there is none."""
        return self.interview.answer(Question(flag, words, example, check, default or None, optional))

    def contract(self) -> Answers:
        """Ask who and when."""
        vendor = self.ask("--vendor", "Vendor, as the contract says it", "Acme AI", _typed("words"))
        return replace(
            SPECIMEN,
            vendor=vendor,
            customer=self.ask("--customer", "Customer", "Example Bank AG", _typed("words")),
            contract=self.ask("--contract", "Contract", "C-2031", _typed("words")),
            effective=self.ask("--effective", "First day in force", "2026-08-01", _typed("day")),
            time_zone=self.ask("--time-zone", "Time zone of the contract", "Europe/Berlin", _typed("zone")),
            period=self.ask("--period", "Each promise is judged over a", "month or quarter", _typed("period")),
            name=self.ask("--name", "Short name for all this", "", _typed("name"), default=_slug(vendor)),
            outcomes=self.ask(
                "--outcomes", "Which answers are failures", "", _among(_shipped("outcomes/")), default=SPECIMEN.outcomes
            ),
        )

    def promises(self) -> tuple[Promise, ...]:
        """Ask for each kind of promise whether there is one."""
        found = tuple(promise for kind in FORMS if (promise := self.promise(kind)) is not None)
        if not found and not self.interview.wrong:
            self.interview.missing.append(f"one of {', '.join(f'--{kind}' for kind in FORMS)}")
        return found

    def promise(self, kind: PromiseKind) -> Promise | None:
        """Ask for one promise: its target, what its profile needs to know, its place in the contract, its credits."""
        usual, form = USUAL[kind], FORMS[kind]
        target = self.ask(f"--{kind}", ASKED[kind], usual.target, self.target(usual), optional=True)
        if not target:
            return None
        promise = self.measured(replace(usual, target=target))
        clause = self.ask(f"--{kind}-clause", "  where in the contract", usual.clause, _typed("words"), optional=True)
        promise = replace(promise, clause=clause or "not named yet")
        ladder = self.ask(f"--{kind}-credits", "  credits", form.example, self.credits(promise, form), optional=True)
        return replace(promise, credits=credit_steps(form, ladder) if ladder else ())

    def measured(self, promise: Promise) -> Promise:
        """Ask what the profile of a promise leaves open."""
        match promise.kind:
            case "uptime":
                rules = _among(_shipped("uptime/"))
                rule = self.ask("--uptime-rule", "  downtime is counted by", "", rules, default=FORMS["uptime"].profile)
                return replace(promise, profile=rule or None)
            case "latency":
                within = self.ask("--latency-within", "  fast enough is within", "2s", _typed("duration"))
                of = _among(("time_to_first_token", "total_time"))
                measured = self.ask("--latency-of", "  measured to", "time_to_first_token or total_time", of)
                return replace(promise, arguments=(("within", within), ("field", measured)))
            case "accuracy":
                questions = self.ask("--golden-set", "  the agreed questions", "claims-qa@4", self.golden_set())
                return replace(promise, golden_set=questions or promise.golden_set)
            case _:
                return promise

    def terms(self, head: Answers, promises: tuple[Promise, ...]) -> Answers:
        """Ask for money and dates, as far as the promises need them."""
        priced = sum(bool(promise.credits) for promise in promises)
        fee = days = combine = ""
        if priced:
            fee = self.ask("--fee", f"Fee of one {head.period or 'period'}", "12000.00 EUR", _typed("money"))
            days = self.ask("--claim-days", "Days to claim after the period", "30", _typed("whole"))
        if priced > 1:
            ways = _among(("greater_of", "sum_to_cap"))
            combine = self.ask("--combine", "Two broken promises pay", "greater_of or sum_to_cap", ways)
        return replace(
            head,
            promises=promises,
            fee=fee or None,
            claim_days=days or None,
            combine=combine or None,
            maintenance=self.maintenance(),
        )

    def maintenance(self) -> Maintenance | None:
        """Ask whether announced maintenance counts as up."""
        words = "Clause that lets announced maintenance count as up"
        clause = self.ask("--maintenance", words, "Exhibit B 2.4", _typed("words"), optional=True)
        if not clause:
            return None
        notice = self.ask("--maintenance-notice", "  announced before its start by", "72h", _typed("duration"))
        cap = self.ask("--maintenance-cap", "  at most in a month", "4h", _typed("duration"), optional=True)
        return Maintenance(clause, notice, cap or None)

    # ── checks ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def target(self, usual: Promise) -> Check:
        """Return the check of a target: a percentage that the linter takes."""

        def check(text: str) -> str:
            target = checked("percent", text)
            self.specimen(replace(usual, target=target))
            return target

        return check

    def credits(self, promise: Promise, form: Form) -> Check:
        """Return the check of a ladder: steps that the linter takes for this target."""

        def check(text: str) -> str:
            self.specimen(replace(USUAL[promise.kind], target=promise.target, credits=credit_steps(form, text)))
            return text.strip()

        return check

    def golden_set(self) -> Check:
        """Return the check of the agreed questions: they are there."""

        def check(text: str) -> str:
            answer = checked("words", text)
            self.specimen(replace(USUAL["accuracy"], golden_set=answer))
            return answer

        return check

    def specimen(self, promise: Promise) -> None:
        """Load an Agreement in which this promise is the only new thing.

        Raises:
            ValueError: the promise is refused.

        """
        try:
            loads(draft(replace(SPECIMEN, promises=(promise,))), "specimen", self.library)
        except SpecError as error:
            first = error.problems[0]
            raise ValueError(f"{first.text}: {first.mend}") from None


def _typed(kind: AnswerType) -> Check:
    return lambda text: checked(kind, text)


def _among(words: Iterable[str]) -> Check:
    known = tuple(words)
    return lambda text: one_of(text, known)


def _shipped(prefix: str) -> list[str]:
    return [name for name in shipped_names("profiles") if name.startswith(prefix)]


def _slug(vendor: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", vendor.lower()).strip("-")[:63] or "agreement"
