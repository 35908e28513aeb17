import itertools
import os
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slaguard.evaluation.demands import Condition, Counts, Demands, Mark
from slaguard.ledger import partials
from slaguard.ledger.identity import idempotency_key
from slaguard.ledger.partials import NAME, Key, Partials, asked, body, merged, packed, unpacked
from slaguard.ledger.read import open_store
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import seal_all
from slaguard.ledger.store import ColumnStore
from slaguard.records import NS, NULL, Evidence, Observation, ProbePlanned, Record, Score, Span, Table
from slaguard.terms import OF_CALLS, BoundWord, Grade, Outcome, Source
from tests.ledger.test_evidence_bytes import demands, instants, recorded, worlds
from tests.ledger.world import START, Watch, call


# ── the same bytes from everywhere ──────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Written:
    """One writer's records in batches, and after which of them it seals."""

    batches: tuple[tuple[Record, ...], ...]
    seals: tuple[bool, ...]
    alone: bool
    """Only the segments are there, as if copied from elsewhere."""


def contradicting(record: Record) -> Record:
    """The same identity, another content."""
    match record:
        case Observation():
            return replace(record, outcome=Outcome.TIMEOUT, status=(record.status or 0) + 1)
        case Score():
            return replace(record, grade=record.grade if record.grade is Grade.UNSCORED else Grade.UNSUPPORTED, reason="x")
        case ProbePlanned():
            return replace(record, golden_item="another")
        case _:
            return record


def later(record: Record, by_ns: int) -> Record:
    """The same record, known at another time."""
    assert record.recorded_at is not None
    return replace(record, recorded_at=record.recorded_at + by_ns)


@st.composite
def written(draw: st.DrawFn) -> tuple[Written, ...]:
    """One to three writers, whose records overlap and contradict each other, also within one writer.

    Each writer learns of a record at a time of its own, so that a question may ask as of a moment between.
    """
    records = [recorded(r) for r in draw(worlds())]
    count = draw(st.integers(1, 3))
    made = []
    rng = random.Random(draw(st.integers(0, 999)))
    for _ in range(count):
        own = [r for r in records if count == 1 or rng.random() < 0.6]
        own += [contradicting(r) for r in own if rng.random() < 0.15]
        if count > 1:
            own = [contradicting(r) if rng.random() < 0.1 else r for r in own]
            own = [later(r, rng.choice([0, 0, -2, 1, 3]) * NS) for r in own]
        rng.shuffle(own)
        cuts = sorted(rng.sample(range(len(own) + 1), min(len(own) + 1, rng.randint(0, 3))))
        edges = [0, *cuts, len(own)]
        batches = tuple(tuple(own[a:b]) for a, b in itertools.pairwise(edges))
        made.append(Written(batches, tuple(rng.random() < 0.7 for _ in batches), rng.random() < 0.3))
    return tuple(made)


spans = st.tuples(instants, instants) | st.sampled_from(
    [(START - 5 * NS, START + 20 * NS), (START - 3 * NS - 7, START + 13 * NS)]
)


def asked_again(counts: Counts, span: Span, as_of: int, bin_ns: int) -> Counts:
    return replace(counts, span=span, as_of=as_of, bin_ns=bin_ns)


bins = st.sampled_from([1, 3, NS, 7 * NS - 1, 60 * NS])
widened = st.builds(asked_again, demands, spans, instants | st.just(START * 2), bins)


def named(number: int) -> Callable[[int], bytes]:
    """Give a log a name that sorts by a number."""
    return lambda n: bytes([number]) * n


def put(home: Path, writers: Sequence[Written]) -> None:
    """Write the writers' ledgers: the first in the folder itself, the others beside it."""
    for i, writer in enumerate(writers):
        folder = home if i == 0 else home / f"w{i}"
        with RowLog.open(folder, clock=Watch(), entropy=named(i)) as log:
            for batch, seal in zip(writer.batches, writer.seals, strict=True):
                log.append(batch)
                if seal or writer.alone:
                    seal_all(log)
        if writer.alone and (folder / "segments").is_dir():
            for name in ("rows.db", "payloads.db", "writer.lock"):
                (folder / name).unlink()


def by_knowledge(writers: Sequence[Written]) -> list[Record]:
    """All records in an order in which the one that counts comes first: in memory, the first of an identity counts.

    Of one writer's records of an identity the first one, and of these the one known first (then by the log's name).
    """
    firsts: dict[bytes, dict[int, Record]] = {}
    everything: list[Record] = []
    for i, writer in enumerate(writers):
        for record in itertools.chain(*writer.batches):
            firsts.setdefault(idempotency_key(record), {}).setdefault(i, record)
            everything.append(record)
    count = [min(own.items(), key=lambda pair: (pair[1].recorded_at, pair[0]))[1] for own in firsts.values()]
    chosen = set(map(id, count))
    return [*count, *(record for record in everything if id(record) not in chosen)]


def in_memory(writers: Sequence[Written], questions: Demands) -> Evidence:
    with ColumnStore(threads=1) as store:
        store.add(by_knowledge(writers))
        return store.answer(questions)


def from_ledger(home: Path, questions: Demands, *, partials: bool, threads: int = 1) -> Evidence:
    with open_store(home, partials=partials, threads=threads) as store:
        return store.answer(questions)


@settings(max_examples=settings().max_examples // 6)
@given(writers=written(), counts=st.lists(widened, min_size=1, max_size=4))
def test_fresh_partials_kept_partials_a_scan_and_columns_in_memory_give_the_same_bytes(
    writers: tuple[Written, ...], counts: list[Counts], tmp_path_factory: pytest.TempPathFactory
) -> None:
    questions = Demands(tuple(counts), (START, START + 5 * NS), counts[0].as_of)
    home = tmp_path_factory.mktemp("ledger")
    put(home, writers)
    expected = in_memory(writers, questions)
    found = {
        "scan": from_ledger(home, questions, partials=False),
        "fresh": from_ledger(home, questions, partials=True),
        "kept": from_ledger(home, questions, partials=True, threads=2),
    }
    for way, evidence in found.items():
        for asked_for in counts:
            got, want = evidence.tables[asked_for.sha256()], expected.tables[asked_for.sha256()]
            assert got.content() == want.content(), (way, asked_for)
        assert evidence.sha256() == expected.sha256(), way
        assert (evidence.facts, evidence.incidents) == (expected.facts, expected.incidents)
    # A partial serves other spans and times too: those kept for the first questions never change another answer.
    moved = [
        replace(c, span=(c.span[0] + step * (c.bin_ns or 1), c.span[1] + far), as_of=as_of)
        for c in counts
        for step, far, as_of in ((-1, 0, c.as_of), (1, NS, START + 3 * NS))
    ]
    others = Demands(tuple(moved), (START, START + 5 * NS), counts[0].as_of)
    assert from_ledger(home, others, partials=True).sha256() == in_memory(writers, others).sha256()


@settings(max_examples=settings().max_examples // 10)
@given(writers=written())
def test_records_come_back_from_segments_as_from_memory(
    writers: tuple[Written, ...], tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("ledger")
    put(home, writers)

    def everything(store: ColumnStore) -> list[list[Any]]:
        return [
            list(store.observations()),
            list(store.scores()),
            list(store.adjudications()),
            list(store.planned()),
            list(store.missed()),
            sorted(map(repr, store.documents())),
            [store.overview(), store.conflicts],
            [p.slot for p in store.open_slots(START + 5 * NS)],
        ]

    with ColumnStore(threads=1) as plain:
        plain.add(by_knowledge(writers))
        expected = everything(plain)
    with open_store(home, threads=1) as store:
        assert everything(store) == expected


# ── where a partial stands ──────────────────────────────────────────────────────────────────────────────────────────
COUNTS = Counts(Source.TRAFFIC, (START, START + 100 * NS), START * 2, (), (), ("bin", "outcome"), bin_ns=10 * NS)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Two segments of ten calls each, a second apart, and five calls that are not sealed."""
    with RowLog.open(tmp_path / "ledger", clock=Watch()) as log:
        for first in (0, 10):
            log.append([call(f"c{i}", sent_at=START + i * NS, recorded_at=START + i * NS) for i in range(first, first + 10)])
            seal_all(log)
        log.append([call(f"c{i}", sent_at=START + i * NS, recorded_at=START + i * NS) for i in range(20, 25)])
    return tmp_path / "ledger"


def count(home: Path, counts: Counts = COUNTS) -> list[int]:
    evidence = from_ledger(home, Demands((counts,), counts.span, counts.as_of), partials=True)
    return evidence.tables[counts.sha256()].n.tolist()  # type: ignore[no-any-return]


def kept(home: Path) -> int:
    return len(list(Partials(home).all()))


@pytest.mark.parametrize("edge", [-1, 0, 1])
@pytest.mark.parametrize("source", OF_CALLS)
def test_windows_at_the_edge_of_a_segment_and_segments_of_another_source_count_as_in_memory(
    tmp_path: Path, source: Source, edge: int
) -> None:
    batches = [
        [call(f"{s}{i}", source=s, sent_at=START + i * NS, recorded_at=START) for s in sources for i in range(first, first + 3)]
        for first, sources in ((0, [Source.TRAFFIC]), (3, [Source.PROBE]), (6, [Source.PROBE, Source.TRAFFIC]), (9, []))
    ]
    batches.append([call("no clock", source=source, batch_start=START, batch_end=START + NS, sent_at=None, recorded_at=START)])
    put(tmp_path, [Written(tuple(map(tuple, batches)), (True,) * 5, alone=False)])
    windows = tuple((START + a * NS + edge, START + b * NS + edge) for a, b in ((2, 3), (5, 6), (8, 9)))
    late = Mark((Condition("region", ("us",)),), windows[:1])
    marks = (Mark((), windows), Mark(()), Mark((), windows), late, Mark((), ()))
    counts = replace(COUNTS, source=source, marks=marks, keys=("bin", "mask"), bin_ns=NS)
    questions = Demands((counts,), counts.span, counts.as_of)
    with ColumnStore(threads=1) as store:
        store.add(r for batch in batches for r in batch)
        expected = store.answer(questions)
    assert {0b00010, 0b00111} <= set(expected.tables[counts.sha256()].column("mask").tolist())
    for partials_too in (False, True, True):
        assert from_ledger(tmp_path, questions, partials=partials_too).sha256() == expected.sha256()


def test_each_segment_wholly_inside_and_known_is_kept_and_no_other(ledger: Path) -> None:
    assert count(ledger) == [10, 10, 5]
    assert kept(ledger) == 2
    assert count(ledger, replace(COUNTS, where=(Condition("vendor", ("acme",)),), span=(START, START + 15 * NS))) == [10, 5]
    assert kept(ledger) == 3
    assert count(ledger, replace(COUNTS, where=(Condition("id", ("c3",)),), as_of=START + 9 * NS)) == [1]
    assert kept(ledger) == 4
    assert count(ledger, replace(COUNTS, where=(Condition("id", ("c3",)),), as_of=START + 12 * NS)) == [1]
    assert kept(ledger) == 4


def test_one_partial_answers_every_span_on_the_same_grid_and_another_phase_is_another_partial(ledger: Path) -> None:
    count(ledger)
    assert count(ledger, replace(COUNTS, span=(START - 50 * NS, START + 50 * NS))) == [10, 10, 5]
    assert kept(ledger) == 2
    assert count(ledger, replace(COUNTS, span=(START - 3 * NS, START + 50 * NS))) == [7, 10, 8]
    assert kept(ledger) == 4


def test_a_kept_partial_is_used_and_not_made_again(ledger: Path) -> None:
    count(ledger)
    with sqlite3.connect(ledger / NAME) as cache:
        rows = cache.execute("SELECT demand, segment FROM partials").fetchall()
    cache.close()
    (demand,) = {bytes(d) for d, _ in rows}
    content = body(COUNTS)
    key = Key.of(content)
    assert key.sha256 == demand
    forged = Table(COUNTS.keys, (np.array([START // (10 * NS)]), np.array([0])), np.array([77]))
    Partials(ledger).keep(key, {bytes(rows[0][1]).hex(): packed(forged)})
    assert sum(count(ledger)) == 77 + 15


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_bytes(b"no database at all" * 100), id="no database"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), id="a folder"),
        pytest.param(lambda path: flip(path, "UPDATE partials SET content = zeroblob(40)"), id="other bytes"),
        pytest.param(lambda path: flip(path, "UPDATE partials SET content = 'text'"), id="text"),
        pytest.param(lambda path: flip(path, "UPDATE partials SET segment = 1000000000 WHERE rowid = 1"), id="a number"),
        pytest.param(lambda path: flip(path, "DROP TABLE partials"), id="no table"),
        pytest.param(lambda path: swap(path), id="two segments changed places"),
    ],
)
def test_a_damaged_cache_is_done_without(ledger: Path, damage: Any) -> None:
    count(ledger)
    damage(ledger / NAME)
    assert count(ledger) == [10, 10, 5]
    assert count(ledger) == [10, 10, 5]


def flip(path: Path, statement: str) -> None:
    cache = sqlite3.connect(path, isolation_level=None)
    cache.execute(statement)
    cache.close()


def swap(path: Path) -> None:
    cache = sqlite3.connect(path, isolation_level=None)
    (first, x), (_, y) = cache.execute("SELECT segment, content FROM partials").fetchall()
    cache.execute("UPDATE partials SET content = CASE segment WHEN ? THEN ? ELSE ? END", (first, y, x))
    cache.close()


def test_a_damaged_cache_is_begun_anew(ledger: Path) -> None:
    count(ledger)
    (ledger / NAME).write_bytes(b"no database at all" * 100)
    count(ledger)
    count(ledger)
    assert kept(ledger) == 2


def test_a_cache_that_somebody_else_holds_is_done_without(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partials, "_WAIT", 0.05)
    count(ledger)
    holder = sqlite3.connect(ledger / NAME, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    assert count(ledger) == [10, 10, 5]
    holder.close()


def test_a_cache_that_has_grown_beyond_its_limit_is_begun_anew(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count(ledger)
    monkeypatch.setattr(partials, "LIMIT", 1)
    assert count(ledger, replace(COUNTS, keys=("outcome",))) == [25]
    assert kept(ledger) == 2


def test_a_folder_that_cannot_be_written_is_read_without_a_cache(ledger: Path) -> None:
    home = Path(tempfile.mkdtemp(prefix="slaguard-read-only-"))
    shutil.copytree(ledger, home, dirs_exist_ok=True)
    home.chmod(0o555)
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        assert count(home) == [10, 10, 5]
    finally:
        os.seteuid(was)
        home.chmod(0o755)
    assert not (home / NAME).exists()
    shutil.rmtree(home)


def test_without_segments_no_cache_is_made(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([call("a")])
    assert count(tmp_path) == [1]
    assert not (tmp_path / NAME).exists()


def test_a_segment_whose_rows_give_way_to_another_writer_is_scanned(ledger: Path) -> None:
    assert count(ledger) == [10, 10, 5]
    shutil.copytree(ledger, ledger / "copy", ignore=shutil.ignore_patterns(NAME))
    assert count(ledger) == [10, 10, 5]
    assert kept(ledger) == 2


# ── maths ───────────────────────────────────────────────────────────────────────────────────────────────────────────
numbers = st.integers(-3, 3) | st.sampled_from([NULL, NULL + 1, 2**63 - 1, -(2**40), 2**40])
rows_of_three = st.lists(st.tuples(numbers, numbers, st.integers(1, 5)), max_size=12)


def of(rows: list[tuple[int, int, int]]) -> Table:
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return Table(("outcome", "mask"), (columns[:, 0], columns[:, 1]), columns[:, 2])


@given(tables=st.lists(rows_of_three, max_size=4), seed=st.integers(0, 9))
def test_adding_up_is_the_same_in_any_order_and_any_grouping(tables: list[list[tuple[int, int, int]]], seed: int) -> None:
    expected: dict[tuple[int, int], int] = {}
    for a, b, n in (row for table in tables for row in table):
        expected[a, b] = expected.get((a, b), 0) + n
    keys = ("outcome", "mask")
    found = merged(keys, [of(t) for t in tables])
    assert list(zip(*(c.tolist() for c in found.columns), found.n.tolist(), strict=True)) == [
        (a, b, n) for (a, b), n in sorted(expected.items())
    ]
    shuffled = list(tables)
    random.Random(seed).shuffle(shuffled)
    halves = [merged(keys, [of(t) for t in shuffled[:2]]), merged(keys, [of(t) for t in shuffled[2:]])]
    assert merged(keys, halves).content() == found.content()


@given(rows=rows_of_three)
def test_a_table_comes_back_from_its_bytes(rows: list[tuple[int, int, int]]) -> None:
    table = of(rows)
    back = unpacked(table.keys, packed(table))
    assert back is not None
    assert back.content() == table.content()
    assert unpacked(("bin",), b"nothing") is None
    assert unpacked(("bin", "mask", "grade", "known", "clock", "outcome"), packed(of([(1, 2, 3)]))) is None


@given(counts=widened)
def test_a_demand_comes_back_from_the_bytes_it_is_kept_under(counts: Counts) -> None:
    content = body(replace(counts, each=False))  # records one by one are not kept
    span = (START - 9 * NS, START + 9 * NS)
    back = asked(content, span)
    assert body(back) == content
    assert back.span[0] <= span[0]
    with pytest.raises(ValueError, match="not a Demand"):
        asked(b"{}", span)
    with pytest.raises(ValueError, match="not a Demand"):
        asked(content.replace(b'"v":2', b'"v":9'), span)


def test_marks_limits_and_windows_come_back_too() -> None:
    marks = (Mark((Condition("status", word=BoundWord.AT_LEAST, limit=2**50),), ((START, START + 1),)), Mark((), None))
    counts = replace(COUNTS, marks=marks, where=(Condition("vendor", ("acme", "ü")),))
    assert replace(asked(body(counts), (START, START + 1)), span=counts.span, as_of=counts.as_of) == counts
