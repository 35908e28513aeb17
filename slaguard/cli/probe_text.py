"""What `slaguard probe` prints: the preview of a dry run, and the summary of what was asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final

from slaguard.cli.probing import Prepared
from slaguard.config import Budget
from slaguard.probes.run import Tally
from slaguard.probes.spending import Cost
from slaguard.providers.base import Prompt, Request
from slaguard.records import NS_PER_MS, Span
from slaguard.spec.labels import Label
from slaguard.spec.model import PeriodUnit
from slaguard.spec.nodes import shown
from slaguard.spec.zones import local_day, midnight, zone
from slaguard.terms import Grade, Outcome, format_duration, minor_digits

_NAME_WIDTH: Final = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What would be sent, how often, and at what cost."""

    prepared: Prepared
    prompt: Prompt
    request: Request
    key: str
    calls_now: int
    month: str
    calls_month: int

    @property
    def most(self) -> Decimal | None:
        """What one call can cost at most; None: unknown."""
        return Cost.of(self.prepared.probe).most(self.request, self.prompt)

    @property
    def currency(self) -> str:
        """The currency of the cost."""
        return Cost.of(self.prepared.probe).currency or ""


def calls_in(span: Span, every_ms: int) -> int:
    """Return how many slots a span has: one for each stratum, the last one perhaps shorter."""
    return -((span[0] - span[1]) // (every_ms * NS_PER_MS))


def month_of(zone_name: str, now_ns: int) -> tuple[str, Span]:
    """Return the calendar month at `now_ns` in a zone, and its span."""
    where = zone(zone_name)
    month = Label.around(local_day(now_ns, where), PeriodUnit.MONTH)
    return str(month), (midnight(month.first, where), midnight(month.after, where))


def amount(value: Decimal, currency: str, digits: int | None = None) -> str:
    """Return money for people, rounded up, so that "at most" stays true."""
    places = minor_digits(currency) if digits is None else digits
    return f"{value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_CEILING):,} {currency}"


def shown_headers(request: Request) -> dict[str, str]:
    """Return a request's headers with the key taken out."""
    return {name: str(value) for name, value in request.headers}


# ── dry run ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def preview_text(preview: Preview) -> str:
    """Return the preview as a terminal shows it."""
    prepared, probe = preview.prepared, preview.prepared.probe
    head = _head(prepared)
    request = [f"POST {preview.request.url}"]
    request += [f"{name}: {value}" for name, value in shown_headers(preview.request).items()]
    request += [preview.request.body.decode("utf-8")]
    month = f"{preview.calls_month:,} calls in {preview.month} ({_every(probe.every)})"
    rows = [
        ("request", request),
        ("key", [preview.key]),
        ("price", [_price(preview)]),
        ("now", [_sum(preview, preview.calls_now, f"--once would ask {preview.calls_now:,} questions")]),
        ("month", [_sum(preview, preview.calls_month, month)]),
        ("budget", _budgets(preview)),
        ("sent", ["nothing"]),
    ]
    return "\n".join([head, "", *_aligned(rows)])


def _head(prepared: Prepared) -> str:
    agreement, subject = prepared.agreement, prepared.subject
    return f"{agreement.name} {agreement.version} · {subject.model} at {subject.vendor} · {subject.golden.id}"


def _every(every_ms: int) -> str:
    return f"one every {format_duration(every_ms)}"


def _aligned(rows: list[tuple[str, list[str]]]) -> list[str]:
    lines = []
    for name, values in rows:
        labels = [name, *[""] * (len(values) - 1)]
        lines += [f"  {label:{_NAME_WIDTH}}{value}" for label, value in zip(labels, values, strict=True)]
    return lines


def _price(preview: Preview) -> str:
    if preview.most is None:
        return f"unknown: no price for {preview.prepared.probe.model} in slaguard.yaml (price: {{input: …, output: …}})"
    return f"at most {amount(preview.most, preview.currency, 6)} a call"


def _sum(preview: Preview, calls: int, words: str) -> str:
    cost = "cost unknown" if preview.most is None else f"at most {amount(preview.most * calls, preview.currency)}"
    return f"{words}, {cost}"


def _budgets(preview: Preview) -> list[str]:
    """Say what limits the spending: the probe's own budget, and its vendor's, which other probes draw on too."""
    own, shared = preview.prepared.probe.budget, preview.prepared.vendor.budget
    found = [_budget(preview, own)] if own is not None else []
    if shared is not None:
        found.append(f"{_budget(preview, shared)}, with all other probes of {preview.prepared.agreement.vendor}")
    return found or ["none: nothing limits what is spent"]


def _budget(preview: Preview, budget: Budget) -> str:
    if preview.most is None:
        return f"{budget.amount} a {budget.per}: cannot be kept while the price is unknown, so nothing would be asked"
    calls = int(budget.amount.amount // preview.most) if preview.most else None
    return f"{budget.amount} a {budget.per}" + (f": enough for {calls:,} calls" if calls is not None else "")


def preview_json(preview: Preview) -> str:
    """Return the preview for machines: decimal strings, and null for what is not known."""
    most = preview.most
    budget, shared = preview.prepared.probe.budget, preview.prepared.vendor.budget
    body: dict[str, Any] = {
        "schema": "slaguard/probe-preview/v1",
        **_subject(preview.prepared),
        "request": {
            "method": "POST",
            "url": preview.request.url,
            "headers": shown_headers(preview.request),
            "body": json.loads(preview.request.body),
        },
        "cost": None if most is None else _cost(preview, most),
        "calls": {"now": preview.calls_now, "month": preview.calls_month, "period": preview.month},
        "budget": None if budget is None else {"amount": str(budget.amount), "per": budget.per},
        "vendor_budget": None if shared is None else {"amount": str(shared.amount), "per": shared.per},
        "sent": 0,
    }
    return json.dumps(body, indent=2, ensure_ascii=False)


def _cost(preview: Preview, most: Decimal) -> dict[str, str]:
    return {"currency": preview.currency, "call": f"{most:f}", "month": f"{most * preview.calls_month:f}"}


def _subject(prepared: Prepared) -> dict[str, Any]:
    return {
        "agreement": {"name": prepared.agreement.name, "version": prepared.agreement.version},
        "vendor": prepared.subject.vendor,
        "model": prepared.subject.model,
        "golden_set": prepared.golden.id,
    }


# ── summary ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a run did, and where it is written."""

    prepared: Prepared
    tally: Tally
    ledger: str
    next_step: str


def summary_text(summary: Summary) -> str:
    """Return the summary as a terminal shows it."""
    tally, prepared = summary.tally, summary.prepared
    failed: dict[Outcome, int] = {o: n for o, n in sorted(tally.outcomes.items()) if o is not Outcome.OK}
    answered = tally.outcomes[Outcome.OK]
    rows = [("asked", [f"{tally.asked:,} questions"])]
    rows.append(("answered", [f"{answered:,}" + (f"  ({_counts(_graded(tally))})" if tally.grades else "")]))
    if failed:
        rows.append(("otherwise", [f"{sum(failed.values()):,}  ({_otherwise(tally, failed)})"]))
    if tally.shed:
        rows.append(("not asked", [f"{tally.shed:,}, because the budget does not allow them"]))
    currency = Cost.of(prepared.probe).currency
    if currency is not None:
        rows.append(("cost", [f"at most {amount(tally.spent, currency)}"]))
    rows.append(("written to", [summary.ledger]))
    lines = [_head(prepared), "", *_aligned(rows)]
    if tally.blamed_unreached and prepared.config.control is None:
        lines += ["", *_unsure(tally.blamed_unreached)]
    return "\n".join([*lines, "", f"  {'next':{_NAME_WIDTH}}{summary.next_step}"])


def _graded(tally: Tally) -> dict[str, int]:
    return {grade.value: tally.grades[grade] for grade in Grade if tally.grades[grade]}


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {word}" for word, n in counts.items())


def _otherwise(tally: Tally, failed: Mapping[Outcome, int]) -> str:
    """Return the outcomes, each with the error code it most often had, which is vendor text and shown as such."""
    words = []
    for outcome, n in failed.items():
        codes = sorted(((count, code) for (of, code), count in tally.codes.items() if of is outcome), reverse=True)
        words.append(f"{n:,} {outcome.value}" + (f": {shown(codes[0][1])}" if codes else ""))
    return ", ".join(words)


def _unsure(calls: int) -> list[str]:
    return [
        f"  {calls:,} calls found no way to the vendor, and they count against the vendor.",
        "  If your own network may be at fault, name somebody else to try: control: HOST:PORT in slaguard.yaml.",
    ]


def summary_json(summary: Summary) -> str:
    """Return the summary for machines."""
    tally = summary.tally
    currency = Cost.of(summary.prepared.probe).currency
    body: dict[str, Any] = {
        "schema": "slaguard/probe/v1",
        **_subject(summary.prepared),
        "asked": tally.asked,
        "outcomes": {o.value: n for o, n in sorted(tally.outcomes.items())},
        "grades": _graded(tally),
        "shed": tally.shed,
        "lost": tally.lost,
        "cost": None if currency is None else {"currency": currency, "at_most": f"{tally.spent:f}"},
        "ledger": summary.ledger,
    }
    return json.dumps(body, indent=2)
