"""Minutes: every call in one cell, every cell within its minute, nothing for time that was not watched."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from slaguard.records import MINUTE, NS, TrafficTally
from slaguard.sidecar.minutes import Cell, Minutes
from slaguard.sidecar.recorder import tally
from tests.sidecar.recorders import T0, HandClock

A, B = "Acme AI", "Other AI"
LOG = "slaguard/1"


def watching(clock: HandClock, *vendors: str) -> Minutes:
    return Minutes("sidecar.1", clock.read(), vendors or (A,))


def spans(cells: list[Cell]) -> list[tuple[float, float]]:
    """Start and end in seconds after `T0`."""
    return [((c.start - T0) / NS, (c.end - T0) / NS) for c in cells]


def test_a_minute_in_which_nothing_came_is_told_too() -> None:
    clock = HandClock()
    minutes = watching(clock)
    for _ in range(125):
        clock.go(1)
        minutes.look(clock.read())
    cells = minutes.due()
    assert spans(cells) == [(0, 60), (60, 120)]
    assert all(c.tallied()[4:] == (0, 0, 0, 0, 0, 0, None) for c in cells)


def test_the_first_and_the_last_minute_cover_only_what_was_watched() -> None:
    clock = HandClock(T0 + 17 * NS)
    minutes = watching(clock)
    for _ in range(50):
        minutes.look(clock.go(1))
    clock.go(0.5)
    minutes.stop(clock.read())
    assert spans(minutes.due()) == [(17, 60), (60, 67.5)]


def test_a_minute_waits_for_its_last_call() -> None:
    clock = HandClock()
    minutes = watching(clock)
    first, second = minutes.count(A, clock.go(1)), minutes.count(A, clock.go(1))
    assert first is second
    for _ in range(60):
        minutes.look(clock.go(1))
    first.record(LOG)
    assert minutes.due() == []
    second.lose()
    assert [c.tallied() for c in minutes.due()] == [(A, "sidecar.1", T0, T0 + MINUTE, 2, 1, 1, 0, 0, 0, LOG)]
    assert minutes.due() == []


def test_a_call_belongs_to_the_minute_in_which_it_began() -> None:
    clock = HandClock(T0 + 59 * NS)
    minutes = watching(clock)
    before = minutes.count(A, clock.go(0.999))
    after = minutes.count(A, clock.go(0.002))
    assert (before.start, before.end) == (T0 + 59 * NS, T0 + MINUTE)
    assert after.start == T0 + MINUTE


def test_a_vendor_that_comes_later_is_watched_from_then_on_and_one_that_goes_until_then() -> None:
    clock = HandClock()
    minutes = watching(clock, A)
    for _ in range(4):
        minutes.look(clock.go(5))
    minutes.replace((B,), clock.read())
    for _ in range(9):
        minutes.look(clock.go(5))
    assert [(c.vendor, *spans([c])[0]) for c in minutes.due()] == [(A, 0, 20), (B, 20, 60)]


def test_a_clock_that_is_set_forward_leaves_a_gap() -> None:
    clock = HandClock()
    minutes = watching(clock)
    minutes.count(A, clock.go(2)).record(LOG)
    clock.go(1)
    minutes.look(clock.set_by(3600))
    minutes.stop(clock.go(4))
    cells = minutes.due()
    assert spans(cells) == [(0, 3), (3603, 3607)]
    assert [c.seen for c in cells] == [1, 0]


def test_a_clock_that_is_set_back_counts_the_same_minute_again_under_another_name() -> None:
    clock = HandClock(T0 + 30 * NS)
    minutes = watching(clock)
    one = minutes.count(A, clock.go(4))
    clock.set_by(-120)
    two = minutes.count(A, clock.go(1))
    for _ in range(150):
        minutes.look(clock.go(1))
    one.record(LOG)
    two.record(LOG)
    cells = minutes.due()
    assert spans(cells) == [(30, 35), (-85, -60), (-60, 0), (0, 60)]
    assert [c.writer for c in cells] == ["sidecar.1"] + ["sidecar.1-1"] * 3
    assert sum(c.seen for c in cells) == 2


def test_a_clock_that_is_slowed_or_set_by_less_than_a_second_is_no_step() -> None:
    clock = HandClock()
    minutes = watching(clock)
    for _ in range(100):
        clock.set_by(-0.0005)
        minutes.look(clock.go(1))
    assert spans(minutes.due()) == [(0, 60)]
    assert minutes.writer == "sidecar.1"


def test_time_in_which_the_process_stood_still_was_not_watched() -> None:
    clock = HandClock()
    minutes = watching(clock)
    minutes.look(clock.go(3))
    minutes.count(A, clock.go(40)).record(LOG)
    for _ in range(20):
        minutes.look(clock.go(1))
    assert spans(minutes.due()) == [(0, 3), (43, 60)]


def test_records_in_two_logs_leave_a_minute_without_a_tally() -> None:
    clock = HandClock()
    minutes = watching(clock)
    one, two = minutes.count(A, clock.go(1)), minutes.count(A, clock.go(1))
    one.record(LOG)
    two.record("slaguard/2")
    minutes.stop(clock.go(1))
    assert minutes.due() == []


def test_what_could_not_be_counted_leaves_the_minute_without_a_tally() -> None:
    clock = HandClock()
    minutes = watching(clock)
    minutes.doubt()
    for _ in range(125):
        minutes.look(clock.go(1))
    assert spans(minutes.due()) == [(60, 120)]


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["call", "call", "call", "look", "record", "lose", "set", "vendors"]),
        st.integers(0, 9_000),
        st.integers(-200, 4000),
    ),
    max_size=80,
)


class Played:
    """What happens to a watcher, and what it tells of it."""

    def __init__(self, start_ms: int) -> None:
        self.clock = HandClock(T0 + start_ms * 1_000_000)
        self.minutes = watching(self.clock, A, B)
        self.open: list[Cell] = []
        self.told: list[Cell] = []
        self.began: list[tuple[Cell, int]] = []

    def play(self, kind: str, ms: int, amount: int) -> None:
        now = self.clock.go(ms / 1000)
        if kind == "call":
            cell = self.minutes.count(A if amount % 2 else B, now)
            self.open.append(cell)
            self.began.append((cell, now.wall_ns))
        elif kind == "set":
            self.clock.set_by(amount / 10)
        elif kind == "vendors":
            self.minutes.replace((A, B) if amount % 2 else (A,), now)
        elif self.open and kind in {"record", "lose"}:
            cell = self.open.pop(amount % len(self.open))
            cell.lose() if kind == "lose" else cell.record(LOG)
        self.minutes.look(self.clock.read())
        self.told += self.minutes.due()

    def end(self) -> list[TrafficTally]:
        self.minutes.stop(self.clock.go(0.001))
        for cell in self.open:
            cell.record(LOG)
        self.told += self.minutes.due()
        return [tally(tallied) for tallied in (c.tallied() for c in self.told)]


@given(EVENTS, st.integers(0, 59_999))
def test_whatever_happens_each_call_is_in_one_tally_of_its_own_minute(
    events: list[tuple[str, int, int]], start_ms: int
) -> None:
    played = Played(start_ms)
    for event in events:
        played.play(*event)
    made = played.end()
    assert sum(t.seen for t in made) == len(played.began)
    assert len({(t.vendor, t.writer, t.start) for t in made}) == len(made)
    assert all(cell.start <= wall < cell.end and cell in played.told for cell, wall in played.began)
    for name in {(t.vendor, t.writer) for t in made}:
        ordered = sorted((t.start, t.end) for t in made if (t.vendor, t.writer) == name)
        assert all(one[1] <= other[0] for one, other in pairwise(ordered))
