import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from slaguard.errors import LedgerError
from slaguard.ledger.lock import Left
from slaguard.ledger.read import open_store
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import seal_all
from slaguard.ledger.whole import check
from tests.ledger.test_read import REPO
from tests.ledger.world import Watch, call


def content(directory: Path) -> dict[str, bytes]:
    """The files of a ledger that hold something, but for the lock (it names whoever looked last)."""
    found = {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}
    return {name: held for name, held in found.items() if held and not name.endswith(("-shm", "writer.lock"))}


def refused(directory: Path, code: str) -> None:
    """Reader, check and writer all say so, and nothing is deleted."""
    before = content(directory)
    with pytest.raises(LedgerError, match=code):
        open_store(directory)
    report = check(directory)
    assert not report.whole
    assert code in {finding.code for finding in report.findings}
    with pytest.raises(LedgerError, match=code):
        RowLog.open(directory, clock=Watch())
    assert content(directory) == before


# ── emptied ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    with RowLog.open(tmp_path / "ledger", clock=Watch()) as log:
        log.append([call(f"a{i}") for i in range(20)], [b"answer"] * 20)
    return tmp_path / "ledger"


def payloads(directory: Path) -> int:
    with closing(sqlite3.connect(directory / "payloads.db")) as stored:
        return int(stored.execute("SELECT count(*) FROM payloads").fetchone()[0])


def test_an_emptied_row_log_is_an_error_for_everybody_and_its_payloads_stay(ledger: Path) -> None:
    (ledger / "rows.db").write_bytes(b"")
    refused(ledger, "E-LOG-MISSING")
    assert payloads(ledger) == 20


def test_payloads_beside_an_empty_row_log_are_kept_though_the_lock_file_is_gone(ledger: Path) -> None:
    (ledger / "writer.lock").unlink()
    (ledger / "rows.db").write_bytes(b"")
    refused(ledger, "E-LOG-MISSING")
    (ledger / "rows.db").unlink()
    with pytest.raises(LedgerError, match="E-LOG-MISSING"):
        RowLog.open(ledger, clock=Watch())
    assert payloads(ledger) == 20


@pytest.mark.parametrize("left", ["json", "parquet"])
def test_segments_beside_an_empty_row_log_are_kept_though_the_lock_file_is_gone(tmp_path: Path, left: str) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([call("a")])
        seal_all(log)
    (tmp_path / "writer.lock").unlink()
    (tmp_path / "rows.db").write_bytes(b"")
    next((tmp_path / "segments").glob("*.parquet" if left == "json" else "*.json")).unlink()
    refused(tmp_path, "E-LOG-ROLLBACK")


def test_a_row_log_without_tables_is_an_error_where_rows_were(ledger: Path) -> None:
    (ledger / "rows.db").unlink()
    with closing(sqlite3.connect(ledger / "rows.db")) as rows:
        rows.execute("PRAGMA journal_mode=WAL")
    refused(ledger, "E-LOG-MISSING")


@pytest.mark.parametrize("made", ["rows.db", "payloads.db", "both"])
def test_a_writer_that_was_killed_while_it_made_the_log_is_followed_by_one_that_makes_it(tmp_path: Path, made: str) -> None:
    (tmp_path / "writer.lock").write_text("17 \n")
    for name in ("rows.db", "payloads.db"):
        if made in {name, "both"}:
            (tmp_path / name).touch()
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([call("a")])
    assert check(tmp_path).whole


# ── a write-ahead log that is damaged ───────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A ledger whose writer was killed after it acknowledged 20 commits; the main file has the first half of them."""
    program = (
        "import os, signal, pathlib, sys\n"
        "from slaguard.ledger.rowlog import RowLog\n"
        "from tests.ledger.world import Watch, call\n"
        "log = RowLog.open(pathlib.Path(sys.argv[1]), clock=Watch())\n"
        "for j in range(20):\n"
        "    log.append([call(f'{j}-{i}') for i in range(20)])\n"
        "    if j == 9:\n"
        "        log._files.rows.execute('PRAGMA wal_checkpoint(TRUNCATE)')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    directory = tmp_path / "killed"
    done = subprocess.run([sys.executable, "-c", program, directory], cwd=REPO, check=False)
    assert done.returncode == -9
    (directory / "rows.db-shm").unlink()  # a copy has none, nor has a machine that was started anew
    return directory


def flipped(raw: bytes) -> bytes:
    return raw[: len(raw) // 3] + bytes([raw[len(raw) // 3] ^ 1]) + raw[len(raw) // 3 + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda raw: raw[: len(raw) // 2], id="cut"),
        pytest.param(lambda raw: raw[:-1], id="cut by one byte"),
        pytest.param(lambda raw: b"", id="emptied"),
        pytest.param(flipped, id="one bit"),
        pytest.param(lambda raw: bytes([raw[0] ^ 1]) + raw[1:], id="one bit of its header"),
    ],
)
def test_a_damaged_write_ahead_log_loses_no_acknowledged_row_silently(killed: Path, damage: Callable[[bytes], bytes]) -> None:
    wal = killed / "rows.db-wal"
    wal.write_bytes(damage(wal.read_bytes()))
    refused(killed, "E-LOG-ROLLBACK")
    (killed / "writer.lock").unlink()  # the loss is accepted
    with RowLog.open(killed, clock=Watch()) as log:
        assert 201 <= log.next_seq < 401


def test_half_a_frame_that_nobody_was_told_of_is_no_damage(killed: Path) -> None:
    with (killed / "rows.db-wal").open("ab") as wal:
        wal.write(os.urandom(3000))
    assert check(killed).whole
    with RowLog.open(killed, clock=Watch()) as log:
        assert log.next_seq == 401


def test_an_older_row_log_that_was_put_back_is_noticed_by_what_was_acknowledged(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([call("a")])
    older = (tmp_path / "rows.db").read_bytes()
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([call("b")])
    (tmp_path / "rows.db").write_bytes(older)
    refused(tmp_path, "E-LOG-ROLLBACK")


def test_a_lock_file_of_an_older_release_or_with_a_damaged_number_says_nothing_of_rows(tmp_path: Path) -> None:
    for words in (b"17 open\n", b"17 open 00000000000000000009 00000000\n", b"17 open 9\n"):
        assert (Left.parse(words).state, Left.parse(words).next_seq) == ("open", None)
    assert Left.parse(b"17 \n") == Left() == Left.parse(b"")


def test_a_copy_without_a_lock_file_is_read_as_it_is(killed: Path, tmp_path: Path) -> None:
    shutil.copytree(killed, tmp_path / "copy", ignore=shutil.ignore_patterns("writer.lock"))
    assert check(tmp_path / "copy").whole
