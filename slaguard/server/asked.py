"""What may be asked: the parameters of the API, with what is wrong with them told in words."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from slaguard.errors import ConfigError
from slaguard.evaluation.parts import parse_rfc3339
from slaguard.evaluation.snapshot import Snapshot
from slaguard.records import NS
from slaguard.spec.labels import Look, parse_period
from slaguard.spec.zones import local_day, zone

LONGEST_LOOK: Final = 400 * 86_400 * NS
"""The longest START/END of one request, nanoseconds: a look by minutes over decades would hold up everybody else."""
_LATEST: Final = 1 << 63


def _wrong(mend: str) -> PydanticCustomError:
    return PydanticCustomError("parameter", "{mend}", {"mend": mend})


def _plain(text: str) -> str:
    if text.isprintable() and text.strip():
        return text
    raise _wrong("write a name, as /api/v1/agreements has it")


def _period(text: str) -> str:
    try:
        asked = parse_period(text)
    except ConfigError as error:
        raise _wrong(str(error).replace("\n    ", "; ")) from None
    if isinstance(asked, Look) and asked.end - asked.start > LONGEST_LOOK:
        raise _wrong("a look may span 400 days here; `slaguard evaluate` takes longer ones")
    return text


def _moment(text: str) -> str:
    try:
        at = parse_rfc3339(text.replace(" ", "+"))  # a plus sign that was not encoded arrives as a space
    except (ValueError, OverflowError):
        at = -1
    if 0 <= at < _LATEST:
        return str(at)
    raise _wrong("write an instant with its offset: 2026-11-02T09:00:00Z")


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat() if len(text) == len("2026-10-01") else _refuse_day()
    except ValueError:
        return _refuse_day()


def _refuse_day() -> str:
    raise _wrong("write a day as YYYY-MM-DD: 2026-10-01")


Named = Annotated[str, Field(max_length=200), AfterValidator(_plain)]
Day = Annotated[str, Field(max_length=40, json_schema_extra={"format": "date"}), AfterValidator(_day)]


class Query(BaseModel):
    """Parameters of a request: one that is not known is an error, so that a slip of the pen is told."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EvaluationQuery(Query):
    """Which Evaluation."""

    agreement: Annotated[
        Named | None, Field(description="The Agreement's name; needed with `period`.", examples=["acme-chat"])
    ] = None
    period: Annotated[
        Annotated[str, Field(max_length=100), AfterValidator(_period)] | None,
        Field(
            description="A period: 2026-10-05, 2026-10, 2026-Q4, 2026, or START/END (a look, which makes no claim)."
            " Absent: what was judged last, of the open period, of the one that closed last, and of those before it"
            " of which a claim is still open.",
            examples=["2026-10"],
        ),
    ] = None
    as_of: Annotated[
        Annotated[str, Field(max_length=60, json_schema_extra={"format": "date-time"}), AfterValidator(_moment)] | None,
        Field(
            description="Only records known by this instant count (RFC 3339 with an offset); needs `period`. Absent: now.",
            examples=["2026-11-02T09:00:00Z"],
        ),
    ] = None

    @property
    def as_of_ns(self) -> int | None:
        """Return the instant as UTC nanoseconds."""
        return None if self.as_of is None else int(self.as_of)


class BreachQuery(Query):
    """Which breach records, and in which form."""

    vendor: Annotated[
        Named | None, Field(description="Only this vendor's, as the Agreement writes it. Absent: all.", examples=["Acme AI"])
    ] = None
    start: Annotated[
        Day | None,
        Field(
            alias="from", examples=["2026-10-01"],
            description="The first local day; every own period that touches the span counts. Absent: where the earliest of the"
            " periods on the page begins; with neither day, the periods on the page.",
        ),
    ] = None  # fmt: skip
    end: Annotated[
        Day | None,
        Field(alias="to", description="The last local day. Absent: where the latest of them ends.", examples=["2026-12-31"]),
    ] = None
    format: Annotated[
        Literal["json", "csv"] | None,
        Field(description="Absent: CSV if `Accept` prefers text/csv to JSON, else JSON.", examples=["csv"]),
    ] = None


def span(asked: BreachQuery, shown: Snapshot) -> tuple[str, str]:
    """Return the first and the last local day that are asked for; what is not said is what the page shows.

    Raises:
        ConfigError: the last day comes before the first.

    """
    days = [
        (local_day(s.period.start, zone(s.period.zone)), local_day(s.period.end - 1, zone(s.period.zone)))
        for s in shown.standings
    ]
    today = local_day(shown.taken_at, zone("UTC"))
    first = asked.start or min((a for a, _ in days), default=today - timedelta(days=31)).isoformat()
    last = asked.end or max((b for _, b in days), default=today).isoformat()
    if last < first:
        if asked.start is None or asked.end is None:
            return (first, first) if asked.end is None else (last, last)
        raise ConfigError(f"to: {last} comes before from: {first}\n    write the earlier day as from, the later one as to")
    return first, last


def prefers_csv(accept: str) -> bool:
    """Tell whether an Accept header names text/csv, and prefers it to JSON where it names both."""
    weights = {"text/csv": 0.0, "application/json": 0.0}
    for part in accept.lower().split(","):
        name, *parameters = [piece.strip() for piece in part.split(";")]
        if name in weights:
            weights[name] = _weight(parameters)
    return weights["text/csv"] > weights["application/json"]


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            text = parameter[2:]
            return float(text) if text.replace(".", "", 1).isdecimal() and text.isascii() else 0.0
    return 1.0
