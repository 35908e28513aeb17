"""Small worlds for the ledger's tests: a clock, single records, and strategies for records of every type."""

import types
import typing
from dataclasses import fields
from typing import Any

from hypothesis import strategies as st

from slaguard.ledger.layout import LAYOUTS, Field, Sort
from slaguard.records import MINUTE, NS, RECORD_TYPES, Instant, Observation, Record, TrafficTally
from slaguard.terms import Attribution, Outcome, Source

START = 1_790_000_000 * NS
"""A second in September 2026."""


class Watch:
    """A clock that is read, never waited on: each reading is one second later."""

    def __init__(self, wall_ns: int = START) -> None:
        self.wall_ns = wall_ns

    def read(self) -> Instant:
        self.wall_ns += NS
        return Instant(self.wall_ns, self.wall_ns - START, "boot")

    async def sleep_until(self, wall_ns: int) -> None:
        self.wall_ns = max(self.wall_ns, wall_ns)


def call(name: str, **values: Any) -> Observation:
    """One good call of our traffic, unless told otherwise."""
    usual: dict[str, Any] = {
        "outcome": Outcome.OK,
        "attribution": Attribution.NONE,
        "source": Source.TRAFFIC,
        "via": "import:test",
        "vendor": "acme",
        "sent_at": START,
    }
    return Observation(id=name, **(usual | values))


hostile_text = st.one_of(
    st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=12),
    st.text(st.characters(exclude_categories=[]), max_size=12),  # control characters and lone surrogates too
    st.sampled_from(["%", "%41", '"', "\\", '\\"seq":0', '"recorded_at":0', "a\x1fb", "ü" * 100, "x" * 256, "x" * 257, "=1+1"]),
)
whole = st.one_of(
    st.integers(-5, 5000),
    st.sampled_from([2**53 - 1, 2**53, -(2**53), 2**63 - 1, -(2**63) + 1]),
)


def values_of(field: Field) -> st.SearchStrategy[Any]:
    match field.sort:
        case Sort.TEXT:
            return hostile_text
        case Sort.CODE:
            assert field.members is not None
            return st.sampled_from(list(field.members))
        case Sort.FLAG:
            return st.booleans()
        case Sort.MAP:
            return st.dictionaries(hostile_text, hostile_text, max_size=4)
        case _:
            return whole


def records_of(record_type: type[Any]) -> st.SearchStrategy[Any]:
    """Any record of one type, as strange as its types allow."""
    hints = typing.get_type_hints(record_type)
    may_be_none = {
        f.name
        for f in fields(record_type)
        if isinstance(hints[f.name], types.UnionType) and type(None) in typing.get_args(hints[f.name])
    }
    chosen = {f.name: st.none() | values_of(f) if f.name in may_be_none else values_of(f) for f in LAYOUTS[record_type]}
    return st.builds(record_type, **chosen)


some_calls = st.one_of(st.integers(0, 5000), st.sampled_from([0, 2**53 - 1, 2**53]))


@st.composite
def tallies(draw: st.DrawFn) -> TrafficTally:
    """Any tally whose numbers add up."""
    start = draw(st.integers(-(2**62), 2**62))
    recorded, sampled_out, shed = (draw(some_calls) for _ in range(3))
    bodies = draw(st.integers(0, recorded))
    return TrafficTally(
        vendor=draw(hostile_text),
        via=draw(hostile_text),
        writer=draw(hostile_text),
        start=start,
        end=draw(st.integers(start + 1, start // MINUTE * MINUTE + MINUTE)),
        seen=recorded + sampled_out + shed,
        recorded=recorded,
        sampled_out=sampled_out,
        shed=shed,
        client_abort=draw(st.integers(0, recorded)),
        bodies=bodies,
        bodies_shed=draw(st.integers(0, recorded - bodies)),
        recorded_at=draw(st.none() | whole),
    )


any_record: st.SearchStrategy[Record] = st.one_of(
    *(tallies() if t is TrafficTally else records_of(t) for t in RECORD_TYPES.values())
)
