"""What the boards have in common: which series they look at, the words for values, and panels that both have."""

from __future__ import annotations

from typing import Any, Final

from slaguard_exporters._panels import BLUE, GREEN, GREY, ORANGE, RED, Panel, Query, variable

INSTANCE: Final = 'job=~"$job", instance=~"$instance"'
WATCHED: Final = f'{INSTANCE}, vendor=~"$vendor", sla=~"$sla"'
AGREEMENT: Final = f'{WATCHED}, model=~"all|$model"'
"""A promise that names no model is about them all."""
MONEY: Final = f'{WATCHED}, currency=~"$currency"'
PROBE: Final = f'{INSTANCE}, probe=~"$sla/.*"'
"""A probe is called ``agreement/model``."""

PERIODS: Final = (("current", "open", GREY), ("closed", "closed", GREY), ("earlier", "earlier", GREY))
FINAL: Final = (("1", "may still change", GREY), ("0", "final", GREY))
VERDICT_CODES: Final = (
    ("1", "COMPLIANT", GREEN),
    ("2", "INCONCLUSIVE", ORANGE),
    ("3", "INSUFFICIENT", BLUE),
    ("4", "BREACH", RED),
)


def verdict_code(where: str, by: str) -> str:
    """Return the query of a verdict as the number that `VERDICT_CODES` names: Grafana draws states from numbers."""
    words = [text.lower() for _, text, _ in VERDICT_CODES]
    each = [f'{i} * slaguard_objective_verdict{{{where}, verdict="{word}"}}' for i, word in enumerate(words, 1)]
    return f"max by ({by}) ({' or '.join(each)})"


def course(figure: str, where: str, by: str) -> str:
    """Return the query of a figure of the open period."""
    return f'max by ({by}) (slaguard_objective_{figure}{{{where}, period="current"}})'


def measured(title: str, family: str, unit: str, where: str, legend: str, width: int = 12) -> Panel:
    """Return the course of what was measured, with its interval, against the target."""
    by = "sla, objective, scope"
    return Panel(
        kind="timeseries",
        title=title,
        description="The figure of the open period (thick), its interval and its target (broken lines). It begins anew"
        " with each"
        " period, so the interval is wide at first.",
        unit=unit,
        width=width,
        height=9,
        queries=(
            Query(course(f"measurement_{family}", where, by), f"{legend} measured"),
            Query(course(f"target_{family}", where, by), f"{legend} target", dashed=True),
            Query(course(f"measurement_low_{family}", where, by), f"{legend} low", dashed=True),
            Query(course(f"measurement_high_{family}", where, by), f"{legend} high", dashed=True),
        ),
    )


def common_variables() -> list[dict[str, Any]]:
    """Return the variables that say which slaguard is meant."""
    return [
        variable("job", "Job", "label_values(slaguard_sla_info, job)"),
        variable("instance", "Instance", 'label_values(slaguard_sla_info{job=~"$job"}, instance)'),
    ]


def last_variables() -> list[dict[str, Any]]:
    """Return the variables that depend on the Agreements chosen."""
    models = f'{{__name__=~"slaguard_objective_verdict|slaguard_probe_requests_total", {INSTANCE}, vendor=~"$vendor"}}'
    return [
        variable("model", "Model", f"label_values({models}, model)", every=".*", regex="/^(?!all$).*/"),
        variable("currency", "Currency", f"label_values(slaguard_sla_info{{{WATCHED}}}, currency)"),
    ]


def watched(where: str, by: str, legend: str) -> Panel:
    """Return how much of the open period was watched, against what must be."""
    return Panel(
        kind="timeseries",
        title="How much of what was due did we see?",
        description="Coverage of the open period so far, and (broken line) the coverage that a verdict needs. What is counted"
        " depends on the promise: intervals, due questions that were answered, or time in your logs.",
        unit="percentunit",
        low=0,
        queries=(
            Query(course("coverage_ratio", where, by), legend),
            Query(course("coverage_minimum_ratio", where, by), f"{legend} must be", dashed=True),
        ),
    )


def _hourly(metric: str, by: str) -> str:
    labels = f'{PROBE}, vendor=~"$vendor", model=~"$model"'
    return f"3600 * sum by ({by}) (rate(slaguard_probe_{metric}_total{{{labels}}}[$__rate_interval]))"


def sent(width: int) -> Panel:
    """Return how many questions were sent and how many got no answer."""
    return Panel(
        kind="timeseries",
        title="How many questions are sent an hour?",
        description="Questions that each probe sent, and (broken lines) those that got no answer, an hour.",
        width=width,
        low=0,
        queries=(
            Query(_hourly("requests", "probe"), "{{probe}}"),
            Query(_hourly("failures", "probe"), "{{probe}} failed", dashed=True),
        ),
    )


def unsent(width: int) -> Panel:
    """Return how many questions were shed and lost, and why."""
    return Panel(
        kind="timeseries",
        title="Which questions were not sent, and why?",
        description="Shed: deliberately not sent. Lost: planned, and could not be sent. Either is a gap in what we know, an"
        " hour.",
        width=width,
        low=0,
        stacked=True,
        queries=tuple(Query(_hourly(kind, "reason"), f"{kind}: {{{{reason}}}}") for kind in ("shed", "lost")),
    )
