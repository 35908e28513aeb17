import itertools
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from slaguard.evaluation.demands import Demands
from slaguard.ledger.read import open_store
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import seal_all
from slaguard.ledger.store import ColumnStore
from slaguard.ledger.watched import less, united
from slaguard.records import MINUTE, Coverage, Record, Span, TrafficTally, merge_spans
from slaguard.terms import Source
from tests.ledger.world import Watch, call

FIRST = 29_833_333 * MINUTE
SPAN = (FIRST, FIRST + 10 * MINUTE)
LATER = 2 * FIRST


def tally(minute: int, *, seen: int = 5, shed: int = 0, sampled_out: int = 0, **values: Any) -> TrafficTally:
    """A minute's tally of the first writer, unless told otherwise."""
    usual: dict[str, Any] = {
        "vendor": "acme",
        "via": "sidecar",
        "writer": "sidecar-1",
        "start": FIRST + minute * MINUTE,
        "end": FIRST + (minute + 1) * MINUTE,
        "client_abort": 0,
        "bodies": 0,
        "bodies_shed": 0,
    }
    counted = {"seen": seen, "recorded": seen - shed - sampled_out, "sampled_out": sampled_out, "shed": shed}
    return TrafficTally(**(usual | counted | values))


def minutes(*spans: Span) -> tuple[Span, ...]:
    return tuple((FIRST + a * MINUTE, FIRST + b * MINUTE) for a, b in spans)


def watched(records: Sequence[Record], *, vendor: str | None = "acme", as_of: int = LATER) -> tuple[Span, ...]:
    with ColumnStore() as store:
        store.add(records)
        return store.answer(Demands((), SPAN, as_of, vendor)).coverage[Source.TRAFFIC]


# ── what counts ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_touching_minutes_without_a_loss_are_one_watched_span() -> None:
    assert watched([tally(i) for i in (3, 1, 2, 7)]) == minutes((1, 4), (7, 8))


def test_a_minute_in_which_nothing_was_seen_was_watched_all_the_same() -> None:
    assert watched([tally(0, seen=0)]) == minutes((0, 1))


def test_a_minute_in_which_one_sidecar_lost_a_call_was_not_watched_whatever_the_others_say() -> None:
    kept = [tally(i, writer=name) for i in range(4) for name in ("a", "b")]
    third = [tally(i, writer="c") for i in range(4)]
    assert watched([*kept, *third[:2], tally(2, writer="c", shed=1), third[3]]) == minutes((0, 2), (3, 4))
    assert watched([*kept, third[0], tally(1, writer="c", sampled_out=1), *third[2:]]) == minutes((0, 1), (2, 4))


def test_what_a_killed_sidecar_owes_was_not_watched_whatever_the_others_say() -> None:
    other = [tally(i, writer="b") for i in range(10)]
    first = [tally(i, writer="a.1") for i in range(3)]
    assert watched([*other, *first]) == minutes((0, 3), (4, 10))  # how long it went on is not known: one minute
    again = [tally(i, writer="a.2") for i in range(6, 10)]
    assert watched([*other, *first, *again]) == minutes((0, 3), (6, 10))
    held_back = [tally(i, writer="a.1") for i in (0, 1, 3, 4, 5)]
    assert watched([*other, *held_back, *again]) == minutes((0, 2), (3, 10))


def test_a_sidecar_that_ended_in_order_owes_nothing() -> None:
    other = [tally(i, writer="b") for i in range(10)]
    ended = [tally(0, writer="a.1"), tally(1, writer="a.1", end=FIRST + 2 * MINUTE - 7)]
    assert watched([*other, *ended]) == minutes((0, 10))
    assert watched([*other, *ended, tally(6, writer="a.2"), tally(7, writer="a.2", end=FIRST + 7 * MINUTE + 9)]) == minutes(
        (0, 10)
    )


def test_a_loss_also_takes_from_what_a_coverage_document_says() -> None:
    document = Coverage(source=Source.TRAFFIC, start=FIRST, end=FIRST + 5 * MINUTE, via="import")
    lost = tally(2, shed=3, end=FIRST + 3 * MINUTE - 1)
    assert watched([document, lost, tally(6)]) == (
        (FIRST, FIRST + 2 * MINUTE),
        (lost.end, FIRST + 5 * MINUTE),
        *minutes((6, 7)),
    )


def test_calls_that_a_client_left_and_bodies_that_were_not_kept_are_no_loss() -> None:
    assert watched([tally(0, client_abort=5, bodies=2, bodies_shed=3)]) == minutes((0, 1))


def test_another_vendors_tallies_neither_cover_nor_take_away() -> None:
    assert watched([tally(0), tally(0, vendor="other", shed=1), tally(1, vendor="other")]) == minutes((0, 1))
    assert watched([tally(0)], vendor=None) == ()


def test_a_vendor_is_told_by_its_escaped_name_as_everywhere() -> None:
    assert watched([tally(0, vendor="Ümläut\n%")], vendor="Ümläut\n%") == minutes((0, 1))


def test_a_tally_counts_from_when_it_was_recorded() -> None:
    assert watched([tally(0, recorded_at=50)], as_of=49) == ()
    assert watched([tally(0, recorded_at=50)], as_of=50) == minutes((0, 1))


def test_probes_are_not_covered_by_tallies_of_traffic() -> None:
    with ColumnStore() as store:
        store.add([tally(0)])
        assert store.answer(Demands((), SPAN, LATER, "acme")).coverage[Source.PROBE] == ()


def test_of_a_minute_on_the_edge_of_the_span_only_what_lies_in_it_counts() -> None:
    with ColumnStore() as store:
        store.add([tally(0), tally(1), tally(2)])
        cut = (FIRST + MINUTE // 2, FIRST + 2 * MINUTE + 1)
        assert store.answer(Demands((), cut, LATER, "acme")).coverage[Source.TRAFFIC] == (cut,)


# ── the same as counted by hand, however records are kept ───────────────────────────────────────────────────────────
@st.composite
def some_tallies(draw: st.DrawFn) -> list[Record]:
    found: list[Record] = []
    for minute, writer in itertools.product(range(-1, 11), ("a", "b")):
        if draw(st.booleans()):
            continue
        begin = draw(st.sampled_from([0, 0, 1, MINUTE // 2]))
        end = draw(st.sampled_from([MINUTE, MINUTE, MINUTE - 1]))
        lost = {"shed": draw(st.sampled_from([0, 0, 0, 1])), "sampled_out": draw(st.sampled_from([0, 0, 0, 2]))}
        start = FIRST + minute * MINUTE
        vendor = draw(st.sampled_from(["acme", "acme", "other"]))
        values: dict[str, Any] = {"writer": writer, "start": start + begin, "end": start + end, "vendor": vendor}
        found.append(tally(minute, **lost, **values, recorded_at=draw(st.integers(1, 4))))
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(-1, 9))
        length = draw(st.integers(1, 4))
        found.append(
            Coverage(
                source=Source.TRAFFIC,
                start=FIRST + start * MINUTE,
                end=FIRST + (start + length) * MINUTE,
                via="import",
                recorded_at=draw(st.integers(1, 4)),
            )
        )
    return draw(st.permutations(found))


def _owes(own: Sequence[TrafficTally], instant: int) -> bool:
    """Tell whether a writer has told of the time before an instant to a minute's end, and not of the instant."""
    ends = [t.end for t in own if t.end <= instant]
    if not ends or any(t.start <= instant < t.end for t in own) or max(ends) % MINUTE:
        return False
    return instant < max(ends) + MINUTE or any(t.start > instant for t in own)


def by_hand(records: Sequence[Record], as_of: int) -> tuple[Span, ...]:
    """Instant by instant, at the few instants where anything begins or ends."""
    known = [r for r in records if (r.recorded_at or 0) <= as_of]
    tallies = [t for t in known if isinstance(t, TrafficTally) and t.vendor == "acme"]
    said = [(t.start, t.end, t.shed or t.sampled_out) for t in tallies]
    documents = [(c.start, c.end) for c in known if isinstance(c, Coverage)]
    edges = sorted({*SPAN, *(e for a, b, _ in said for e in (a, b, b + MINUTE)), *(e for span in documents for e in span)})
    held = []
    for start, end in itertools.pairwise(edges):
        inside = SPAN[0] <= start and end <= SPAN[1]
        whole = any(a <= start and end <= b and not lost for a, b, lost in said)
        document = any(a <= start and end <= b for a, b in documents)
        lost = any(a <= start and end <= b and lost for a, b, lost in said)
        owed = any(_owes([t for t in tallies if t.writer == writer], start) for writer in ("a", "b"))
        if inside and (whole or document) and not lost and not owed:
            held.append((start, end))
    return merge_spans(held)


@given(records=some_tallies(), as_of=st.integers(0, 5), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_coverage_is_the_same_by_hand_in_any_order_and_sealed_or_not(
    records: list[Record], as_of: int, seed: int, tmp_path_factory: Any
) -> None:
    expected = by_hand(records, as_of)
    assert watched(records, as_of=as_of) == expected
    home = tmp_path_factory.mktemp("ledger")
    dice = random.Random(seed)
    for folder in (home, home / "beside"):
        with RowLog.open(folder, clock=Watch(1)) as log:
            own = [r for r in records if not isinstance(r, TrafficTally) or (r.writer == "a") == (folder == home)]
            while own:
                count = dice.randint(1, 6)
                log.append(own[:count])
                own = own[count:]
                if dice.random() < 0.6:
                    seal_all(log)
    asked = Demands((), SPAN, as_of, "acme")
    for partials in (False, True, True):
        with open_store(home, partials=partials) as store:
            assert store.answer(asked).coverage[Source.TRAFFIC] == expected


def test_a_copy_of_a_writers_folder_changes_nothing_and_is_counted_as_repeats(tmp_path: Path) -> None:
    for name, opened in (("one", FIRST), ("two", FIRST + MINUTE)):
        with RowLog.open(tmp_path / name, clock=Watch(opened)) as log:
            log.append([tally(i) for i in range(4)])
            log.append([tally(5, shed=1)] if name == "two" else [tally(5)])
            seal_all(log)
    with open_store(tmp_path) as store:
        assert store.answer(Demands((), SPAN, LATER, "acme")).coverage[Source.TRAFFIC] == minutes((0, 4), (5, 6))
        assert (store.repeated, store.conflicts) == (5, 1)  # the one known first counts


def test_tallies_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    written = [tally(i, writer="ü/%", recorded_at=7) for i in range(3)]
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append(written[:2])
        seal_all(log)
        log.append([written[2], call("a")])
    with open_store(tmp_path) as store:
        assert list(store.tallies()) == written


# ── spans ───────────────────────────────────────────────────────────────────────────────────────────────────────────
spans = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=8)


@given(spans)
def test_a_union_is_the_one_of_the_plain_implementation(some: list[Span]) -> None:
    assert united(some) == merge_spans(some)


@given(spans, spans)
def test_what_is_left_holds_each_instant_that_only_the_first_spans_hold(some: list[Span], lost: list[Span]) -> None:
    left = less(united(some), united(lost))
    held = {i for a, b in some for i in range(a, b)} - {i for a, b in lost for i in range(a, b)}
    assert {i for a, b in left for i in range(a, b)} == held
    assert left == merge_spans(list(left))
