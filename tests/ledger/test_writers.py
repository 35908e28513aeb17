import fcntl
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest

from slaguard.errors import LedgerError, LedgerLocked
from slaguard.evaluation.demands import Demands
from slaguard.ledger.headers import Parts
from slaguard.ledger.manifest import Manifest
from slaguard.ledger.read import facts, open_store, read
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import seal_all
from slaguard.ledger.segment import write_segment
from slaguard.ledger.writers import folders, open_writer
from slaguard.records import Evidence, Fact, Incident, ProbeMissed, ProbePlanned, Record
from slaguard.terms import OUTCOME_CODE, Outcome, Source
from tests.ledger.test_read import CALLS, LATER, REPO, SPAN
from tests.ledger.world import START, Watch, call

OK, TIMEOUT = OUTCOME_CODE[Outcome.OK], OUTCOME_CODE[Outcome.TIMEOUT]


def write(folder: Path, *records: Record, name: int = 0, seal: bool = True) -> Path:
    """Append as a writer whose log is named by a number, and seal."""
    with RowLog.open(folder, clock=Watch(), entropy=lambda n: bytes([name]) * n) as log:
        log.append(records)
        if seal:
            seal_all(log)
    return folder


def only_segments(folder: Path) -> Path:
    """Leave what somebody gets who copies the segments alone."""
    for name in ("rows.db", "payloads.db", "writer.lock"):
        (folder / name).unlink()
    return folder


def evidence(home: Path) -> Evidence:
    return read(home, Demands((CALLS,), SPAN, LATER))


def outcomes(home: Path) -> dict[int, int]:
    (table,) = evidence(home).tables.values()
    return dict(zip(table.column("outcome").tolist(), table.n.tolist(), strict=True))


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def agent(tmp_path: Path) -> subprocess.Popen[str]:
    """Another process that holds the ledger."""
    program = (
        "import pathlib, sys\n"
        "from slaguard.ledger.rowlog import RowLog\n"
        "from tests.ledger.world import Watch, call\n"
        "log = RowLog.open(pathlib.Path(sys.argv[1]), clock=Watch())\n"
        "log.append([call('of the agent')])\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
        "log.close()\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, tmp_path / "ledger"],
        cwd=REPO,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_who_finds_a_ledger_taken_writes_beside_it_and_readers_see_both(tmp_path: Path, agent: subprocess.Popen[str]) -> None:
    home = tmp_path / "ledger"
    with agent:
        assert agent.stdout is not None
        assert agent.stdout.readline() == "open\n"
        with open_writer(home, "import", clock=Watch()) as log:
            assert log.directory == home / "import"
            log.append([call("imported", outcome=Outcome.TIMEOUT)])
            assert outcomes(home) == {OK: 1, TIMEOUT: 1}
            with pytest.raises(LedgerLocked) as caught:
                open_writer(home, "import", clock=Watch())
            assert caught.value.pid == os.getpid()
        agent.communicate("")
    with open_writer(home, "import", clock=Watch()) as log:
        assert log.directory == home
        log.append([call("later")])
    assert outcomes(home) == {OK: 2, TIMEOUT: 1}
    assert folders(home) == (home, home / "import")


@pytest.mark.parametrize("name", ["segments", "", "..", "a/b", ".hidden", "con"])
def test_a_writer_cannot_have_a_name_that_is_something_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(LedgerError, match="no writer can be called"):
        open_writer(tmp_path, name, clock=Watch())
    assert list(tmp_path.iterdir()) == []


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_folders_that_hold_no_writer_are_passed_over(tmp_path: Path) -> None:
    home = write(tmp_path / "ledger", call("a"))
    write(home / "record", call("b"), seal=False)
    for name in ("notes", ".hidden", "segments/rows.db"):
        (home / name).mkdir(exist_ok=True)
    (home / "file").write_text("no folder")
    shutil.copytree(home / "record", home / ".kept")
    (home / "new").mkdir()
    (home / "new" / "writer.lock").write_text("17 \n")
    assert folders(home) == (home, home / "record")
    assert outcomes(home) == {OK: 2}


def test_a_writer_that_is_just_being_made_has_nothing_to_read(tmp_path: Path) -> None:
    home = write(tmp_path / "ledger", call("a"))
    (home / "new").mkdir()
    (home / "new" / "rows.db").touch()
    assert outcomes(home) == {OK: 1}


def test_segments_that_were_copied_from_elsewhere_are_read_from_their_manifests(tmp_path: Path) -> None:
    home = tmp_path / "ledger"
    for i in range(3):
        write(home / f"host{i}", call(f"a{i}"), Fact(id=f"f{i}", type="ticket", when=START + i), name=i)
        only_segments(home / f"host{i}")
    assert outcomes(home) == {OK: 3}
    assert [f.id for f in facts(home, LATER)[0]] == ["f0", "f1", "f2"]


def test_a_gap_among_copied_segments_is_named(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        for i in range(3):
            log.append([call(f"{i}")])
            seal_all(log)
    only_segments(tmp_path)
    (tmp_path / "segments" / "00000001.json").unlink()
    with pytest.raises(LedgerError, match=r"segments/00000001.json: E-LOG-MISSING"):
        outcomes(tmp_path)


def test_manifests_of_two_logs_in_one_folder_are_refused(tmp_path: Path) -> None:
    one, other = write(tmp_path / "one", call("a"), name=1), write(tmp_path / "other", call("b"), name=2)
    for name in ("00000000.json", "00000000.parquet"):
        shutil.copy(other / "segments" / name, one / "segments" / name.replace("0.", "1."))
    only_segments(one)
    with pytest.raises(LedgerError, match="E-LOG-CORRUPT"):
        outcomes(one)
    (one / "segments" / "00000000.json").write_text("{}")
    with pytest.raises(LedgerError, match="not a manifest"):
        outcomes(one)


def test_a_row_log_that_is_gone_is_not_read_as_if_nothing_had_followed_its_segments(tmp_path: Path) -> None:
    write(tmp_path, call("a"))
    (tmp_path / "rows.db").unlink()
    with pytest.raises(LedgerError, match="E-LOG-MISSING  a row log was here and is gone"):
        outcomes(tmp_path)


# ── the same record in two writers ──────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("sealed", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("first", ["main", "beside"])
def test_a_record_in_two_writers_counts_once_as_the_first_by_the_name_of_its_log_has_it(
    tmp_path: Path, sealed: tuple[bool, bool], first: str
) -> None:
    own, other = (1, 2) if first == "main" else (2, 1)
    home = write(tmp_path / "ledger", call("a"), call("b"), name=own, seal=sealed[0])
    write(home / "w", call("a", outcome=Outcome.TIMEOUT), call("b"), call("c"), name=other, seal=sealed[1])
    assert outcomes(home) == ({OK: 3} if first == "main" else {OK: 2, TIMEOUT: 1})
    notes = evidence(home).notes
    assert notes == (
        "2 records more of the same: each counts once",
        "1 record with contradicting versions: the first one counts",
    )
    with open_store(home) as store:
        assert (store.repeated, store.conflicts) == (2, 1)
        assert sorted(o.id for o in store.observations()) == ["a", "b", "c"]


def test_a_whole_copy_beside_a_ledger_changes_nothing(tmp_path: Path) -> None:
    records: list[Record] = [call(f"c{i}", sent_at=START + i) for i in range(50)]
    records += [Incident(id="i", start=START, end=None, severity="high", source="x", recorded_at=5)]
    home = write(tmp_path / "ledger", *records)
    before = evidence(home)
    shutil.copytree(home, tmp_path / "copy")
    shutil.move(tmp_path / "copy", home / "copy")
    after = evidence(home)
    assert after.sha256() == before.sha256()
    assert after.notes == ("51 records more of the same: each counts once",)


def test_equal_keys_do_not_make_equal_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two identities may share the first 8 bytes of their keys: only the identity itself decides."""
    monkeypatch.setattr("slaguard.ledger.segment._numbers", lambda keys: np.full(len(keys), 7))
    monkeypatch.setattr("slaguard.ledger.store.as_number", lambda key: 7)
    home = write(tmp_path / "ledger", call("a"), call("b"), name=1)
    write(home / "w", call("b"), call("c"), name=2)
    write(home / "x", call("c"), call("d"), name=3, seal=False)
    assert outcomes(home) == {OK: 4}


def test_records_added_to_a_ledgers_store_are_compared_with_what_is_sealed(tmp_path: Path) -> None:
    home = write(tmp_path / "ledger", call("a"), call("b"))
    with open_store(home) as store:
        store.add([call("b", outcome=Outcome.TIMEOUT), call("c")])
        (table,) = store.answer(Demands((CALLS,), SPAN, LATER)).tables.values()
        assert (table.n.tolist(), store.repeated) == ([3], 1)


# ── a writer that was killed ────────────────────────────────────────────────────────────────────────────────────────
def test_a_reader_notices_that_a_killed_writers_write_ahead_log_is_gone(tmp_path: Path) -> None:
    home = write(tmp_path / "ledger", call("a"))
    lock = home / "writer.lock"
    lock.write_text("4711 open\n")
    with pytest.raises(LedgerError, match="E-LOG-ROLLBACK  the last writer did not close"):
        outcomes(home)
    with lock.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert outcomes(home) == {OK: 1}, "whoever closes holds the lock until the lock file says so"
    lock.unlink()
    assert outcomes(home) == {OK: 1}


def test_a_reader_notices_that_a_row_log_is_older_than_its_segments(tmp_path: Path) -> None:
    home = write(tmp_path / "ledger", call("a"))
    kept = (home / "rows.db").read_bytes()
    write(home, call("b"))
    (home / "rows.db").write_bytes(kept)
    with pytest.raises(LedgerError, match="E-LOG-ROLLBACK"):
        outcomes(home)


# ── segments that are not what was sealed ───────────────────────────────────────────────────────────────────────────
def test_a_segment_that_is_gone_or_cut_is_never_a_smaller_number(tmp_path: Path) -> None:
    home = write(tmp_path / "ledger", call("a"))
    path = home / "segments" / "00000000.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    with pytest.raises(LedgerError, match=r"00000000.parquet: E-LOG-MISSING"):
        outcomes(home)
    path.unlink()
    with pytest.raises(LedgerError, match=r"00000000.parquet: E-LOG-MISSING"):
        outcomes(home)


def test_a_segment_that_goes_while_it_is_read_is_named(tmp_path: Path) -> None:
    home = write(tmp_path / "ledger", call("a"))
    with open_store(home, partials=False) as store:
        (home / "segments" / "00000000.parquet").unlink()
        with pytest.raises(LedgerError, match=r"00000000.parquet: E-LOG-MISSING"):
            store.answer(Demands((CALLS,), SPAN, LATER))


def test_a_segment_that_cannot_be_parsed_is_named(tmp_path: Path) -> None:
    home = write(tmp_path / "ledger", call("a"))
    path = home / "segments" / "00000000.parquet"
    path.write_bytes(b"PAR1" + bytes(path.stat().st_size - 4))
    with pytest.raises(LedgerError, match=r"00000000.parquet: E-LOG-CORRUPT"):
        outcomes(home)


def test_a_segment_with_another_number_of_rows_is_named(tmp_path: Path) -> None:
    """The file of another log, of the same size: every row in it is sound, and it is not what was sealed."""
    home = write(tmp_path / "ledger", call("a"), name=1)
    other = write(tmp_path / "other", Fact(id="a", type="ticket", when=START), name=1)
    path = home / "segments" / "00000000.parquet"
    sealed = (home / "segments" / "00000000.json").read_bytes()
    size = path.stat().st_size
    shutil.copy(other / "segments" / "00000000.parquet", path)
    only_segments(home)
    (home / "segments" / "00000000.json").write_bytes(sealed.replace(b'"bytes":%d' % size, b'"bytes":%d' % path.stat().st_size))
    with pytest.raises(LedgerError, match=r"E-LOG-CORRUPT 0  its bytes are not those that were sealed"):
        outcomes(home)


def test_only_the_segments_near_a_span_are_opened(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([call("early", sent_at=START - 10**15)])
        seal_all(log)
        log.append([call("now")])
        seal_all(log)
    path = tmp_path / "segments" / "00000000.parquet"
    path.write_bytes(bytes(path.stat().st_size))
    assert outcomes(tmp_path) == {OK: 1}
    wide = replace(CALLS, span=(START - 10**16, SPAN[1]))
    with pytest.raises(LedgerError, match="E-LOG-CORRUPT"):
        read(tmp_path, Demands((wide,), SPAN, LATER))


def test_a_directory_whose_name_is_a_pattern_is_read(tmp_path: Path) -> None:
    home = write(tmp_path / "led[g]er'*?", call("a"))
    assert outcomes(home) == {OK: 1}


def test_nothing_but_segments_can_be_read_by_statements(tmp_path: Path) -> None:
    home = write(tmp_path / "ledger", call("a"))
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with open_store(home) as store:
        for path in (tmp_path / "secret.csv", home / "segments" / ".." / ".." / "secret.csv"):
            with pytest.raises(duckdb.PermissionException):
                store._duckdb.execute(f"SELECT * FROM read_csv('{path}')")


def test_the_agent_learns_what_was_left_open_and_when_something_was_last_written_down(tmp_path: Path) -> None:
    def plan(i: int) -> ProbePlanned:
        return ProbePlanned(slot=f"s{i}", agreement="x", golden_item="g", scheduled_at=START + i, recorded_at=START + i)

    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([plan(i) for i in range(6)])
        seal_all(log)
        log.append([call("r", source=Source.PROBE, logical_request_id="s1", recorded_at=START + 50)])
        seal_all(log)
        log.append([ProbeMissed(slot="s2", how="lost", reason="crash", scheduled_at=START + 2, recorded_at=START + 60)])
        log.append([plan(7)])
    with open_store(tmp_path) as store:
        assert [p.slot for p in store.open_slots(START + 5)] == ["s0", "s3", "s4"]
        assert list(store.open_slots(START + 8))[-1] == plan(7)
        assert store.last_recorded() == START + 60
    with open_store(write(tmp_path / "other", Fact(id="f", type="ticket", when=START, recorded_at=START + 99))) as store:
        assert store.last_recorded() == START + 99
        assert list(store.open_slots(LATER)) == []


@pytest.mark.slow
def test_a_million_sealed_calls_are_answered_and_read_in_bounded_memory(tmp_path: Path) -> None:
    folder = tmp_path / "segments"
    folder.mkdir()
    for ix in range(10):
        seqs = range(ix * 100_000, ix * 100_000 + 100_000)
        rows = (
            (i, Parts.of(call(f"call-{i:032d}", sent_at=START + i, region="r" * 100)).header(seq=i, recorded_at=START))
            for i in seqs
        )
        made = write_segment(folder / f"{ix:08d}.parquet", rows, f"slaguard/x/{ix}")
        manifest = Manifest(
            origin="slaguard/x",
            ix=ix,
            first_seq=made.first_seq,
            last_seq=made.last_seq,
            records_root="0" * 64,
            parquet_bytes=made.bytes,
            parquet_sha256=made.sha256,
            kinds=made.kinds,
            again=0,
            sent=made.sent,
            batch=None,
            known=made.known,
            t_min_ns=seqs[0] + START,
            t_max_ns=seqs[-1] + START,
            sealed_wall_ns=START,
            software="test",
        )
        (folder / manifest.published).write_bytes(manifest.content())
    program = (
        "import pathlib, resource, sys\n"
        "from slaguard.ledger.read import open_store\n"
        "from slaguard.evaluation.demands import Demands\n"
        "from tests.ledger.test_read import CALLS, LATER, SPAN\n"
        "with open_store(pathlib.Path(sys.argv[1]), memory_limit='300MB', threads=1, partials=False) as store:\n"
        "    (table,) = store.answer(Demands((CALLS,), SPAN, LATER)).tables.values()\n"
        "    print(int(table.n.sum()), sum(1 for _ in store.observations()))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, tmp_path], cwd=REPO, capture_output=True, text=True, check=True)
    counted, peak = ended.stdout.splitlines()
    assert counted == "1000000 1000000"
    assert int(peak) / 2**10 < 600
