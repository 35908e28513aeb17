import errno
import os
import sqlite3
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slaguard import __version__
from slaguard.errors import LedgerError
from slaguard.ledger import schema, seal, segment
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import seal_all, seal_due
from slaguard.records import NS, Adjudication, Fact, Incident, Record, Score
from slaguard.terms import Grade
from tests.ledger.sealing import (
    again_as_sealed,
    again_by_hand,
    calls,
    everything,
    ids,
    manifests,
    names,
    sealed_ledger,
    step_seal,
    tail,
)
from tests.ledger.world import START, Watch, any_record, call

HOUR = 3600 * NS


# ── what is sealed ──────────────────────────────────────────────────────────────────────────────────────────────────
few = st.sampled_from(["a", "b", "%41"])
grades = st.sampled_from([Grade.CORRECT, Grade.WRONG, Grade.UNSCORED])
often_the_same: st.SearchStrategy[Record] = st.one_of(
    st.builds(call, few, region=few),
    st.builds(Score, observation=few, scorer=few, grade=grades, reason=few),
    st.builds(
        Adjudication, observation=few, by=few, grade=grades, note=few, recorded_at=st.sampled_from([None, START + 5 * NS])
    ),
    st.builds(Incident, id=few, start=st.just(1), end=st.sampled_from([None, 2]), severity=few, source=few),
    st.builds(Fact, id=few, type=few, when=st.just(1)),
)


class Slow(Watch):
    """A clock that hardly moves, so that records without a time of their own often get the same one."""

    def read(self) -> Any:
        now = super().read()
        self.wall_ns -= NS * 3 // 4
        return now


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_every_header_stands_exactly_once_whatever_is_sealed_when(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name) / "ledger"
        acknowledged: list[bytes] = []
        log = RowLog.open(directory, clock=Slow())
        for _ in range(data.draw(st.integers(1, 4), label="rounds")):
            for batch in data.draw(st.lists(st.lists(any_record | often_the_same, max_size=8), max_size=3), label="batches"):
                log.append(batch)
            acknowledged += [header for seq, header in tail(directory) if seq >= len(acknowledged)]
            for count in data.draw(st.lists(st.integers(1, 9), max_size=2), label="seals"):
                waiting = log.next_seq - 1 - log.sealed_through
                if waiting:
                    step_seal(log, min(count, waiting))
            if data.draw(st.booleans(), label="reopen"):
                log.close()
                log = RowLog.open(directory, clock=Slow())
            assert everything(directory) == acknowledged
        seal_all(log)
        log.close()
        assert everything(directory) == acknowledged
        assert again_as_sealed(directory) == again_by_hand(acknowledged)


def test_a_manifest_says_what_its_segment_is(tmp_path: Path) -> None:
    with sealed_ledger(tmp_path) as log:
        first, second = manifests(tmp_path)
    assert (first.ix, first.first_seq, first.last_seq, first.origin) == (0, 0, 10, log.origin)
    assert (second.ix, second.first_seq, second.last_seq) == (1, 11, 20)
    assert (first.kinds, second.kinds) == ({"genesis": 1, "observation": 10}, {"observation": 10})
    assert (second.sent, second.batch, second.t_min_ns, second.t_max_ns) == ((START, START), None, START, START)
    assert second.known is not None
    assert START < second.known < second.sealed_wall_ns
    assert second.software == f"slaguard {__version__}"
    assert names(tmp_path) == ["00000000.json", "00000000.parquet", "00000001.json", "00000001.parquet"]
    assert len(everything(tmp_path)) == 31
    assert [seq for seq, _ in tail(tmp_path)] == list(range(21, 31))


def test_a_sealed_record_that_comes_again_is_known_and_one_that_contradicts_it_is_marked(tmp_path: Path) -> None:
    with sealed_ledger(tmp_path) as log:
        assert log.append(calls(0, 30)).repeated == 30
        ack = log.append([call("call-3", region="eu")])
        assert [(c.seq, c.first_seq) for c in ack.conflicts] == [(31, 4)]
        assert log.append([call("call-3", region="eu")]).repeated == 1
        seal_all(log)
    assert again_as_sealed(tmp_path) == [31]


def test_an_adjudication_is_named_by_the_time_the_log_gave_it_also_across_segments(tmp_path: Path) -> None:
    def says(note: str, recorded_at: int | None = None) -> Adjudication:
        return Adjudication(observation="a", grade=Grade.WRONG, by="ann", note=note, recorded_at=recorded_at)

    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([says("first"), says("second")])  # one commit, one time
        given = START + 2 * NS
        seal_all(log)
        log.append([says("third")])  # a later time: the person says it once more
        log.append([says("fourth", given)])
        seal_all(log)
        log.append([says("fifth", given)])
        seal_all(log)
    assert again_as_sealed(tmp_path) == [2, 4, 5] == again_by_hand(everything(tmp_path))


# ── when it is sealed ───────────────────────────────────────────────────────────────────────────────────────────────
def test_full_segments_are_due_and_the_rest_once_its_oldest_row_has_waited_long_enough(tmp_path: Path) -> None:
    clock = Watch()
    with RowLog.open(tmp_path, clock=clock) as log:
        log.append(calls(0, 24))
        assert seal_due(log, every_ns=HOUR, rows=10) == 2
        assert [m.count for m in manifests(tmp_path)] == [10, 10]
        assert seal_due(log, every_ns=HOUR, rows=10) == 0
        clock.wall_ns += HOUR
        assert seal_due(log, every_ns=HOUR, rows=10) == 1
        assert [m.count for m in manifests(tmp_path)] == [10, 10, 5]
        assert (log.sealed_through, tail(tmp_path)) == (24, [])
        clock.wall_ns += HOUR
        assert seal_due(log, every_ns=HOUR, rows=10) == 0


def test_a_log_without_a_record_makes_no_segment(tmp_path: Path) -> None:
    clock = Watch()
    with RowLog.open(tmp_path, clock=clock) as log:
        clock.wall_ns += 2 * HOUR
        assert (seal_due(log, every_ns=HOUR), seal_all(log)) == (0, 0)
    assert names(tmp_path) == []


def test_all_is_sealed_in_segments_of_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "MOST", 10)
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append(calls(0, 24))
        assert seal_all(log) == 3
        assert seal_all(log) == 0
    assert [m.count for m in manifests(tmp_path)] == [10, 10, 5]


def test_very_large_rows_make_smaller_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "MOST_BYTES", 3_000)
    clock = Watch()
    with RowLog.open(tmp_path, clock=clock) as log:
        log.append([call(f"call-{i}", attributes={"note": "x" * 200}) for i in range(20)])
        log.append([call("large", attributes={f"note-{i}": "x" * 256 for i in range(32)})])
        clock.wall_ns += 2 * HOUR
        seal_due(log, every_ns=HOUR)
    assert {m.count for m in manifests(tmp_path)[:-1]} < set(range(2, 10))
    assert manifests(tmp_path)[-1].count == 1
    assert (len(everything(tmp_path)), tail(tmp_path)) == (22, [])


def test_a_log_whose_rows_are_all_sealed_opens_and_goes_on(tmp_path: Path) -> None:
    with sealed_ledger(tmp_path) as log:
        seal_all(log)
    with RowLog.open(tmp_path, clock=Watch()) as again:
        assert (again.next_seq, again.sealed_through, again.origin) == (31, 30, log.origin)
        assert again.append([call("next")]).first_seq == 31
        seal_all(again)
    assert ids(everything(tmp_path)) == [f"call-{i}" for i in range(30)] + ["next"]


def test_payloads_stay_where_they_are(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([call("a")], [b"answer"])
        seal_all(log)
    with RowLog.open(tmp_path, clock=Watch()) as log:
        assert log.append([call("a")], [b"answer"]).repeated == 1
        assert len(log.append([call("a")], [b"other answer"]).conflicts) == 1
    with closing(sqlite3.connect(tmp_path / "payloads.db")) as payloads:
        assert payloads.execute("SELECT seq, body FROM payloads ORDER BY seq").fetchall() == [
            (1, b"answer"),
            (2, b"other answer"),
        ]


# ── an older log ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_log_of_version_1_is_read_and_brought_to_version_2_by_its_writer(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([*calls(0, 10), call("call-3", region="eu")])
    with closing(sqlite3.connect(tmp_path / "rows.db", isolation_level=None)) as rows:
        rows.executescript("DROP TABLE manifests; DROP TABLE named; PRAGMA user_version=1;")
        schema.require_version(rows, tmp_path / "rows.db")
    before = tail(tmp_path)
    with RowLog.open(tmp_path, clock=Watch()) as log:
        assert tail(tmp_path) == before
        seal_all(log)
    assert everything(tmp_path) == [header for _, header in before]
    assert again_as_sealed(tmp_path) == [11]
    with closing(sqlite3.connect(tmp_path / "rows.db")) as rows:
        assert schema.version(rows) == (schema.APPLICATION_ID, 2)
    RowLog.open(tmp_path, clock=Watch()).close()


# ── beside others ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_appends_go_on_while_a_segment_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = segment.write_segment

    def slow(path: Path, *args: Any, **named: Any) -> Any:
        assert log.append([call("meanwhile")]).new == 1  # the same thread: it would wait for itself
        return written(path, *args, **named)

    monkeypatch.setattr(seal, "write_segment", slow)
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append(calls(0, 10))
        assert seal_all(log) == 1
        assert log.sealed_through == 10
    assert ids(everything(tmp_path))[-1] == "meanwhile"


def test_a_reader_keeps_what_it_began_with_while_rows_are_sealed(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append(calls(0, 1000))
        with schema.snapshot(tmp_path) as reader:
            cursor = reader.execute("SELECT seq FROM rows ORDER BY seq")
            assert cursor.fetchone() == (0,)
            seal_all(log)
            assert tail(tmp_path) == []
            assert len(cursor.fetchall()) == 1000
            assert reader.execute("SELECT sealed_through FROM log_state").fetchone() == (-1,)


def test_at_any_moment_one_look_finds_every_row_in_a_segment_or_in_the_row_log(tmp_path: Path) -> None:
    done = threading.Event()
    with RowLog.open(tmp_path, clock=Watch()) as log:

        def write() -> None:
            for n in range(12):
                log.append(calls(n * 50, 50))
                seal_due(log, every_ns=HOUR, rows=120)
            done.set()

        writer = threading.Thread(target=write)
        writer.start()
        looks = 0
        while not done.is_set():
            with schema.snapshot(tmp_path) as rows:
                next_seq, sealed = rows.execute("SELECT next_seq, sealed_through FROM log_state").fetchone()
                kept = [seq for (seq,) in rows.execute("SELECT seq FROM rows WHERE seq > ? ORDER BY seq", (sealed,))]
                files = rows.execute("SELECT printf('%08d.parquet', ix) FROM manifests").fetchall()
            assert kept == list(range(sealed + 1, next_seq))
            assert {name for (name,) in files} <= set(names(tmp_path))
            looks += 1
        writer.join()
        assert looks > 3
    assert len(everything(tmp_path)) == 601


def test_two_who_seal_at_once_make_each_segment_once(tmp_path: Path) -> None:
    made: list[int] = []
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append(calls(0, 99))
        threads = [threading.Thread(target=lambda: made.append(seal_due(log, every_ns=HOUR, rows=25))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(made) == [0, 0, 0, 4]
    assert [m.count for m in manifests(tmp_path)] == [25] * 4
    assert len(everything(tmp_path)) == 100


def test_closing_waits_for_a_segment_under_way_and_afterwards_nothing_is_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = segment.write_segment
    begun, go = threading.Event(), threading.Event()

    def slow(path: Path, *args: Any, **named: Any) -> Any:
        begun.set()
        assert go.wait(10)
        return written(path, *args, **named)

    monkeypatch.setattr(seal, "write_segment", slow)
    log = RowLog.open(tmp_path, clock=Watch())
    log.append(calls(0, 5))
    sealer = threading.Thread(target=seal_all, args=(log,))
    sealer.start()
    assert begun.wait(10)
    closer = threading.Thread(target=log.close)
    closer.start()
    closer.join(0.05)
    assert closer.is_alive()
    go.set()
    sealer.join(10)
    closer.join(10)
    assert len(everything(tmp_path)) == 6
    with pytest.raises(LedgerError, match="E-LEDGER-CLOSED"):
        seal_all(log)


# ── disks that refuse ───────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("where", ["segment", "directory"])
def test_a_disk_that_fails_to_sync_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def failing(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    log = sealed_ledger(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(
            *(("slaguard.ledger.segment.os.fsync", failing) if where == "segment" else (seal, "fsync_directory", failing))
        )
        with pytest.raises(LedgerError, match="E-LEDGER-WRITE  a segment cannot be written: Input/output error"):
            seal_all(log)
    for use in (lambda: seal_all(log), lambda: log.append([call("x")])):
        with pytest.raises(LedgerError, match="Input/output error"):
            use()
    log.close()
    with RowLog.open(tmp_path, clock=Watch()) as again:
        assert len(everything(tmp_path)) == 31
        assert seal_all(again) == 1
    assert len(everything(tmp_path)) == 31


def test_a_folder_that_cannot_be_written_leaves_the_log_usable(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append(calls(0, 5))
        (tmp_path / "segments").write_text("in the way")
        with pytest.raises(LedgerError, match="segments: E-LEDGER-WRITE  a segment cannot be written"):
            seal_all(log)
        log.append(calls(5, 5))
        (tmp_path / "segments").unlink()
        assert seal_all(log) == 1
    assert len(everything(tmp_path)) == 11


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    mount = tmp_path / "disk"
    mount.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", mount], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("mounting a small disk needs the rights of root")
    yield mount
    subprocess.run(["umount", mount], check=True)


@pytest.mark.faults
@pytest.mark.parametrize("room", [0, 12288, 16384, 20480, 28672, 40960])  # the refusal comes a step later each time
def test_a_full_disk_leaves_no_half_segment_and_sealing_goes_on_when_there_is_room(small_disk: Path, room: int) -> None:
    ledger = small_disk / "ledger"
    with RowLog.open(ledger, clock=Watch()) as log:
        log.append(calls(0, 500))
        ballast = small_disk / "ballast"
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass
        os.truncate(ballast, ballast.stat().st_size - room)
        with pytest.raises(LedgerError, match="E-DISK-FULL"):
            seal_all(log)
        assert [name for name in names(ledger) if name.endswith(".part")] == []
        ballast.unlink()
        assert log.append([call("next")]).new == 1
        seal_all(log)
        assert len(everything(ledger)) == 502
        assert tail(ledger) == []
    with RowLog.open(ledger, clock=Watch()) as log:
        assert log.next_seq == 502
