"""What a writer finds when it starts: what an interrupted sealing left, what a disk or a backup did to it."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from slaguard.errors import LedgerError
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import clean, commit, draft, finish, publish, seal_all
from tests.ledger.sealing import calls, everything, ids, manifests, names, sealed_ledger, tail
from tests.ledger.world import Watch, call


# ── interrupted after each step ─────────────────────────────────────────────────────────────────────────────────────
def half_written(log: RowLog) -> None:
    folder = log.directory / "segments"
    folder.mkdir(exist_ok=True)
    (folder / ".00000002.parquet.part").write_bytes(b"PAR1")
    (folder / ".spill-x.part").mkdir()
    (folder / ".spill-x.part" / "block").write_bytes(b"x")


def parquet_without_manifest(log: RowLog) -> None:
    draft(log, 10)


def manifest_without_its_file(log: RowLog) -> None:
    commit(log, draft(log, 10))


def sealed_rows_still_there(log: RowLog) -> None:
    drafted = draft(log, 10)
    commit(log, drafted)
    publish(log, drafted)


STEPS = [half_written, parquet_without_manifest, manifest_without_its_file, sealed_rows_still_there]


@pytest.mark.parametrize("interrupted", STEPS)
def test_a_writer_that_died_after_any_step_has_lost_nothing_and_goes_on(
    tmp_path: Path, interrupted: Callable[[RowLog], None]
) -> None:
    child = os.fork()
    if child == 0:  # the one that dies
        try:
            interrupted(sealed_ledger(tmp_path))
        finally:
            os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    sealed = 3 if interrupted in STEPS[2:] else 2
    with RowLog.open(tmp_path, clock=Watch()) as log:
        assert len(manifests(tmp_path)) == sealed
        assert ids(everything(tmp_path)) == [f"call-{i}" for i in range(30)]
        assert names(tmp_path) == [f"{ix:08d}.{kind}" for ix in range(sealed) for kind in ("json", "parquet")]
        log.append([call("next")])
        seal_all(log)
    assert ids(everything(tmp_path)) == [f"call-{i}" for i in range(30)] + ["next"]


def test_before_its_manifest_is_kept_a_segment_does_not_count_and_after_it_does(tmp_path: Path) -> None:
    with sealed_ledger(tmp_path) as log:
        drafted = draft(log, 10)
        assert (len(manifests(tmp_path)), log.sealed_through, len(tail(tmp_path))) == (2, 20, 10)
        commit(log, drafted)
        assert (len(manifests(tmp_path)), log.sealed_through, len(tail(tmp_path))) == (3, 30, 10)
        assert "00000002.json" not in names(tmp_path)
        publish(log, drafted)
        assert (tmp_path / "segments" / "00000002.json").read_bytes() == drafted.content
        clean(log)
        assert tail(tmp_path) == []


def test_what_could_not_be_published_or_deleted_is_with_the_next_segment(tmp_path: Path) -> None:
    with sealed_ledger(tmp_path) as log:
        commit(log, draft(log, 10))
        log.append(calls(30, 5))
        seal_all(log)
        assert len(everything(tmp_path)) == 36
        finish(log)
        assert len(everything(tmp_path)) == 36


# ── files that are gone, cut, or older than others ──────────────────────────────────────────────────────────────────
def test_a_parquet_file_that_is_gone_or_cut_stops_the_writer_and_is_named(tmp_path: Path) -> None:
    sealed_ledger(tmp_path).close()
    path = tmp_path / "segments" / "00000001.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(LedgerError, match=rf"00000001\.parquet: E-LOG-MISSING  .* has {len(content) - 1} bytes in place of"):
        RowLog.open(tmp_path, clock=Watch())
    path.unlink()
    with pytest.raises(LedgerError, match=r"00000001\.parquet: E-LOG-MISSING  the segment of rows 11 to 20 is gone\n.*backup"):
        RowLog.open(tmp_path, clock=Watch())
    path.write_bytes(content)
    RowLog.open(tmp_path, clock=Watch()).close()


def test_a_manifest_whose_file_is_gone_or_changed_is_published_again(tmp_path: Path) -> None:
    sealed_ledger(tmp_path).close()
    (tmp_path / "segments" / "00000000.json").unlink()
    (tmp_path / "segments" / "00000001.json").write_bytes(b"{}")
    RowLog.open(tmp_path, clock=Watch()).close()
    assert len(everything(tmp_path)) == 31


def test_a_row_log_that_was_put_back_deletes_no_segment_that_it_does_not_know(tmp_path: Path) -> None:
    sealed_ledger(tmp_path).close()
    older = (tmp_path / "rows.db").read_bytes()
    with RowLog.open(tmp_path, clock=Watch()) as log:
        seal_all(log)
    (tmp_path / "rows.db").write_bytes(older)
    before = names(tmp_path)
    for _ in range(2):
        with pytest.raises(LedgerError, match=r"00000002\.json: E-LOG-ROLLBACK  the row log beside it knows 2 segments"):
            RowLog.open(tmp_path, clock=Watch())
    assert names(tmp_path) == before


def test_no_new_log_is_begun_beside_segments(tmp_path: Path) -> None:
    sealed_ledger(tmp_path).close()
    for name in ("rows.db", "writer.lock"):
        (tmp_path / name).unlink()
    with pytest.raises(LedgerError, match="E-LOG-ROLLBACK"):
        RowLog.open(tmp_path, clock=Watch())


def test_files_of_others_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    sealed_ledger(tmp_path).close()
    for name in ("notes.txt", "00000009.parquet.bak", "9.parquet"):
        (tmp_path / "segments" / name).write_text("mine")
    RowLog.open(tmp_path, clock=Watch()).close()
    assert {"notes.txt", "00000009.parquet.bak", "9.parquet"} <= set(names(tmp_path))


def edit(directory: Path, *statements: str) -> None:
    """Do what the triggers are there to prevent."""
    with closing(sqlite3.connect(directory / "rows.db", isolation_level=None)) as rows:
        for trigger in ("manifests_keep", "manifests_stay", "manifests_once", "rows_keep", "rows_stay"):
            rows.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            rows.execute(statement)


@pytest.mark.parametrize(
    ("statement", "seq"),
    [
        ("UPDATE manifests SET bytes = CAST(replace(bytes, 'observation', 'observatiom') AS BLOB) WHERE ix = 1", 11),
        ("UPDATE manifests SET leaf = zeroblob(32) WHERE ix = 0", 0),
        ("DELETE FROM manifests WHERE ix = 0", 0),
        ("DELETE FROM manifests WHERE ix = 1", 11),
        ("UPDATE manifests SET (bytes, leaf) = (SELECT bytes, leaf FROM manifests WHERE ix = 0) WHERE ix = 1", 11),
    ],
)
def test_manifests_that_are_not_those_of_the_sealed_rows_stop_the_writer(tmp_path: Path, statement: str, seq: int) -> None:
    sealed_ledger(tmp_path).close()
    edit(tmp_path, statement)
    with pytest.raises(LedgerError, match=rf"rows\.db: E-LOG-CORRUPT {seq}  "):
        RowLog.open(tmp_path, clock=Watch())


def test_a_row_whose_bytes_changed_is_not_sealed(tmp_path: Path) -> None:
    with sealed_ledger(tmp_path) as log:
        edit(tmp_path, "UPDATE rows SET hdr = CAST(replace(hdr, 'acme', 'acne') AS BLOB) WHERE seq = 27")
        with pytest.raises(LedgerError, match=r"rows\.db: E-LOG-CORRUPT 27  "):
            seal_all(log)
        assert names(tmp_path) == [f"0000000{i}.{kind}" for i in range(2) for kind in ("json", "parquet")]


def test_manifests_are_never_changed_replaced_or_deleted_by_accident(tmp_path: Path) -> None:
    sealed_ledger(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "rows.db", isolation_level=None)) as rows:
        for statement in (
            "UPDATE manifests SET bytes = x'00'",
            "DELETE FROM manifests",
            "INSERT OR REPLACE INTO manifests VALUES (1, x'00', zeroblob(32))",
            "UPDATE named SET seq = 9 WHERE (SELECT count(*) FROM named) > 0 OR 1",
            "DELETE FROM rows WHERE seq = 25",
        ):
            if "named" in statement:
                rows.execute("INSERT INTO named VALUES (x'00', 1)")
            with pytest.raises(sqlite3.IntegrityError, match="are never"):
                rows.execute(statement)
