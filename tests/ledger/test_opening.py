import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slaguard.errors import LedgerError, LedgerLocked
from slaguard.ledger.headers import Parts, leaf
from slaguard.ledger.read import open_store
from slaguard.ledger.rowlog import RowLog
from tests.ledger.world import Watch, call

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A closed ledger with rows 0 to 50, so that its table has several pages."""
    with RowLog.open(tmp_path / "ledger", clock=Watch()) as log:
        log.append([call(f"call-{i:03d}", attributes={"note": "x" * 200}) for i in range(50)])
    return tmp_path / "ledger"


def edit(directory: Path, *statements: tuple[str, tuple[object, ...]]) -> None:
    """Do what the triggers are there to prevent."""
    connection = sqlite3.connect(directory / "rows.db", isolation_level=None)
    for trigger in ("rows_keep", "rows_stay", "rows_once"):
        connection.execute(f"DROP TRIGGER {trigger}")
    for statement, values in statements:
        connection.execute(statement, values)
    connection.close()


def change_a_byte(directory: Path) -> None:
    edit(directory, ("UPDATE rows SET hdr = CAST(replace(hdr, 'acme', 'acne') AS BLOB) WHERE seq = 17", ()))


def rewrite_a_row_with_its_leaf(directory: Path) -> None:
    header = Parts.of(call("call-016")).header(seq=99, recorded_at=1)
    edit(directory, ("UPDATE rows SET hdr = ?, leaf = ? WHERE seq = 17", (header, leaf(header))))


def swap_two_rows(directory: Path) -> None:
    edit(
        directory,
        ("UPDATE rows SET seq = -1 WHERE 0", ()),
        ("CREATE TABLE spare AS SELECT * FROM rows WHERE seq IN (17, 18)", ()),
        ("DELETE FROM rows WHERE seq IN (17, 18)", ()),
        ("INSERT INTO rows SELECT 35 - seq, hdr, leaf FROM spare", ()),
    )


def delete_a_row(directory: Path) -> None:
    edit(directory, ("DELETE FROM rows WHERE seq = 17", ()))


def overwrite_a_page(directory: Path) -> None:
    """Write noise over the page that holds row 17."""
    path = directory / "rows.db"
    content = bytearray(path.read_bytes())
    at = content.index(b'"seq":17,') // 4096 * 4096
    content[at : at + 4096] = bytes(4096)
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [change_a_byte, rewrite_a_row_with_its_leaf, swap_two_rows, delete_a_row])
def test_a_damaged_row_is_named_by_writer_and_reader(ledger: Path, damage: Callable[[Path], None]) -> None:
    damage(ledger)
    for use in (lambda: RowLog.open(ledger, clock=Watch()), lambda: open_store(ledger)):
        with pytest.raises(LedgerError, match=r"rows\.db: E-LOG-CORRUPT 17  "):
            use()


def test_a_damaged_page_is_refused_with_the_first_row_it_takes_away(ledger: Path) -> None:
    overwrite_a_page(ledger)
    for use in (lambda: RowLog.open(ledger, clock=Watch()), lambda: open_store(ledger)):
        with pytest.raises(LedgerError, match=r"E-LOG-CORRUPT \d+  ") as caught:
            use()
        assert int(str(caught.value).split("E-LOG-CORRUPT ")[1].split()[0]) <= 17


def test_the_last_rows_cannot_be_taken_away_unnoticed(ledger: Path) -> None:
    edit(ledger, ("DELETE FROM rows WHERE seq >= 40", ()))
    with pytest.raises(LedgerError, match=r"E-LOG-CORRUPT 40  the log should have 51 rows and has 40"):
        RowLog.open(ledger, clock=Watch())


def test_damage_beside_the_rows_is_refused_too(ledger: Path) -> None:
    path = ledger / "rows.db"
    content = bytearray(path.read_bytes())
    connection = sqlite3.connect(path)
    (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'idem'").fetchone()
    connection.close()
    content[(page - 1) * 4096 + 100 : page * 4096] = bytes(3996)
    path.write_bytes(content)
    with pytest.raises(LedgerError, match="E-LOG-CORRUPT 51  "):
        RowLog.open(ledger, clock=Watch())


def test_an_older_or_newer_schema_is_refused(ledger: Path) -> None:
    connection = sqlite3.connect(ledger / "rows.db")
    connection.execute("PRAGMA user_version=9")
    connection.close()
    for use in (lambda: RowLog.open(ledger, clock=Watch()), lambda: open_store(ledger)):
        with pytest.raises(LedgerError, match="E-LOG-VERSION  written by schema version 9"):
            use()


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "rows.db")
    connection.execute("CREATE TABLE theirs(x)")
    connection.close()
    before = (tmp_path / "rows.db").read_bytes()
    with pytest.raises(LedgerError, match="E-LOG-VERSION  this SQLite file is not a slaguard row log"):
        RowLog.open(tmp_path, clock=Watch())
    with pytest.raises(LedgerError, match="E-LOG-VERSION"):
        open_store(tmp_path)
    # Only the two bytes that say WAL may differ.
    assert (tmp_path / "rows.db").read_bytes()[100:4096] == before[100:4096]


@pytest.mark.parametrize("content", [b"not a database, " * 100, b"SQLite format 3\x00" + bytes(3000)], ids=["text", "zeros"])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rows.db").write_bytes(content)
    for use in (lambda: RowLog.open(tmp_path, clock=Watch()), lambda: open_store(tmp_path)):
        with pytest.raises(LedgerError, match="E-LOG-"):
            use()


def test_a_row_log_that_is_gone_is_not_begun_anew(ledger: Path) -> None:
    (ledger / "rows.db").unlink()
    with pytest.raises(LedgerError, match="E-LOG-MISSING  a row log was here and is gone"):
        RowLog.open(ledger, clock=Watch())
    assert not (ledger / "rows.db").exists()


def test_a_directory_without_a_ledger_is_named_to_readers(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="E-LOG-MISSING  there is no ledger here"):
        open_store(tmp_path / "nowhere")


# ── killed writers ──────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A ledger whose writer was killed after 20 acknowledged rows."""
    directory = tmp_path / "killed"
    program = (
        "import os, signal, pathlib, sys\n"
        "from slaguard.ledger.rowlog import RowLog\n"
        "from tests.ledger.world import Watch, call\n"
        "log = RowLog.open(pathlib.Path(sys.argv[1]), clock=Watch())\n"
        "log.append([call(f'call-{i}') for i in range(20)], [b'answer'] * 20)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, directory], cwd=REPO, check=False)
    assert done.returncode == -9
    return directory


def test_what_a_killed_writer_acknowledged_is_there(killed: Path) -> None:
    with RowLog.open(killed, clock=Watch()) as log:
        assert log.next_seq == 21
        assert log.append([call("call-3")]).repeated == 1


def test_a_write_ahead_log_that_vanished_is_missed(killed: Path) -> None:
    (killed / "rows.db-wal").unlink()
    with pytest.raises(LedgerError, match="E-LOG-ROLLBACK"):
        RowLog.open(killed, clock=Watch())
    # The failed start has not forgotten it.
    with pytest.raises(LedgerError, match="E-LOG-ROLLBACK"):
        RowLog.open(killed, clock=Watch())


def test_the_loss_can_be_accepted_by_removing_the_lock_file(killed: Path) -> None:
    (killed / "rows.db-wal").unlink()
    (killed / "writer.lock").unlink()
    with pytest.raises(LedgerError, match=r"E-LOG-MISSING  the row log is empty or new, and payloads\.db beside it holds"):
        RowLog.open(killed, clock=Watch())
    (killed / "payloads.db").unlink()
    RowLog.open(killed, clock=Watch()).close()


def test_a_writer_that_was_killed_is_no_reason_to_wait(killed: Path) -> None:
    assert (killed / "writer.lock").read_text().split()[1] == "open"
    RowLog.open(killed, clock=Watch()).close()
    assert (killed / "writer.lock").read_text().split()[1] == "closed"


# ── one writer ──────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("end", ["log = None", "sys.exit()", "1 / 0"])
def test_a_writer_that_is_dropped_without_being_closed_leaves_a_whole_ledger(tmp_path: Path, end: str) -> None:
    program = (
        "import pathlib, sys\n"
        "from slaguard.ledger.rowlog import RowLog\n"
        "from tests.ledger.world import Watch, call\n"
        "log = RowLog.open(pathlib.Path(sys.argv[1]), clock=Watch())\n"
        f"log.append([call('a')])\n{end}\n"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path], cwd=REPO, capture_output=True, check=False)
    assert (tmp_path / "writer.lock").read_text().split()[1] == "closed"
    with RowLog.open(tmp_path, clock=Watch()) as log:
        assert log.next_seq == 2


def test_a_reader_that_holds_up_the_last_checkpoint_costs_nothing(tmp_path: Path) -> None:
    log = RowLog.open(tmp_path, clock=Watch())
    log.append([call("a")])
    reader = sqlite3.connect(f"file:{tmp_path / 'rows.db'}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM rows").fetchone()
    log.append([call("b")])
    log._files.rows.execute("PRAGMA busy_timeout=10")
    log.close()
    assert (tmp_path / "writer.lock").read_text().split()[1] == "open"
    reader.close()
    with RowLog.open(tmp_path, clock=Watch()) as again:
        assert again.next_seq == 3


def test_a_second_writer_is_told_who_the_first_is(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys\n"
        "from slaguard.ledger.rowlog import RowLog\n"
        "from slaguard.errors import LedgerLocked\n"
        "from tests.ledger.world import Watch\n"
        "try:\n    RowLog.open(pathlib.Path(sys.argv[1]), clock=Watch())\n"
        "except LedgerLocked as error:\n    print(error)\n"
    )
    with RowLog.open(tmp_path, clock=Watch()):
        with pytest.raises(LedgerLocked) as caught:
            RowLog.open(tmp_path, clock=Watch())
        assert caught.value.pid == os.getpid()
        other = subprocess.run([sys.executable, "-c", program, tmp_path], cwd=REPO, capture_output=True, text=True, check=True)
    assert f"E-LOCK  process {os.getpid()} is writing to this ledger" in other.stdout
    RowLog.open(tmp_path, clock=Watch()).close()


def test_a_start_that_fails_lets_go_of_the_lock(ledger: Path) -> None:
    delete_a_row(ledger)
    for _ in range(2):
        with pytest.raises(LedgerError, match="E-LOG-CORRUPT"):
            RowLog.open(ledger, clock=Watch())


# ── disks that refuse ───────────────────────────────────────────────────────────────────────────────────────────────
def test_a_place_where_nothing_can_be_written_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LedgerError, match="E-LEDGER-WRITE"):
        RowLog.open(tmp_path / "file", clock=Watch())
    with pytest.raises(LedgerError, match="E-LEDGER-WRITE"):
        RowLog.open(tmp_path / "file" / "below", clock=Watch())
    (tmp_path / "ledger" / "rows.db").mkdir(parents=True)
    with pytest.raises(LedgerError, match="E-LEDGER-WRITE"):
        RowLog.open(tmp_path / "ledger", clock=Watch())


def test_a_lock_file_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "writer.lock").symlink_to(tmp_path / "victim")
    with pytest.raises(LedgerError, match="E-LEDGER-WRITE"):
        RowLog.open(tmp_path / "ledger", clock=Watch())
    assert (tmp_path / "victim").read_text() == "precious"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    mount = tmp_path / "disk"
    mount.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", mount], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("mounting a small disk needs the rights of root")
    yield mount
    subprocess.run(["umount", mount], check=True)


@pytest.mark.faults
def test_a_full_disk_keeps_all_that_was_acknowledged_and_writing_resumes_when_there_is_room(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(700_000))
    acknowledged = 0
    with RowLog.open(small_disk / "ledger", clock=Watch()) as log:
        with pytest.raises(LedgerError, match="E-DISK-FULL"):  # noqa: PT012 - the loop is what fills it
            for i in range(10_000):
                log.append([call(f"{i}", attributes={"note": "x" * 200})], [b"y" * 500])
                acknowledged += 1
        assert acknowledged > 20
        with pytest.raises(LedgerError, match="E-DISK-FULL"):
            log.append([call("more")], [b"y" * 900_000])
        ballast.unlink()
        assert log.append([call("after")], [b"room again"]).first_seq == acknowledged + 1
    with RowLog.open(small_disk / "ledger", clock=Watch()) as log:
        assert log.next_seq == acknowledged + 2


@pytest.mark.faults
def test_after_a_failed_write_nothing_more_is_taken_until_a_fresh_start(tmp_path: Path) -> None:
    program = (
        "import pathlib, resource, sys\n"
        "from slaguard.errors import LedgerError\n"
        "from slaguard.ledger.rowlog import RowLog\n"
        "from tests.ledger.world import Watch, call\n"
        "log = RowLog.open(pathlib.Path(sys.argv[1]), clock=Watch())\n"
        "log.append([call('a')])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))\n"
        "done = 0\n"
        "try:\n"
        "    while True:\n"
        "        log.append([call(str(done), attributes={'note': 'x' * 200})]); done += 1\n"
        "except LedgerError as error: print(error)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "try: log.append([call('b')])\n"
        "except LedgerError as error: print(error)\n"
        "print(done)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path], cwd=REPO, capture_output=True, text=True, check=True)
    first, _, second, _, count = done.stdout.splitlines()
    assert "E-LEDGER-WRITE  the disk refused: disk I/O error" in first
    assert second == first
    with RowLog.open(tmp_path, clock=Watch()) as log:
        assert log.next_seq >= int(count) + 2
