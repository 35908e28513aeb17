import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from slaguard.errors import LedgerError
from slaguard.evaluation.demands import Counts, Demands
from slaguard.ledger import read as reading
from slaguard.ledger.headers import leaf
from slaguard.ledger.read import facts, open_store, read
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.store import ColumnStore
from slaguard.records import NS, Adjudication, Coverage, Fact, Incident, ProbeMissed, ProbePlanned, Record, Score
from slaguard.terms import Grade, Outcome, Source
from tests.ledger.world import START, Watch, call

REPO = Path(__file__).resolve().parents[2]
SPAN = (START - NS, START + 1000 * NS)
LATER = START * 2
CALLS = Counts(Source.TRAFFIC, SPAN, LATER, (), (), ("outcome",))
RECORDS: tuple[Record, ...] = (
    call("a", recorded_at=1, attributes={"nodes": "4"}, stream=True, status=200),
    call("ü%\x00", recorded_at=1, outcome=Outcome.ERROR_500, sent_at=START + 1),
    Score(observation="a", scorer="exact@1", grade=Grade.CORRECT, recorded_at=2),
    Adjudication(observation="a", grade=Grade.WRONG, by="ann", recorded_at=3),
    Fact(id="f", type="ticket", when=START, recorded_at=4),
    Incident(id="i", start=START, end=None, severity="high", source="status page", recorded_at=5),
    Incident(id="i", start=START, end=START + NS, severity="high", source="status page", recorded_at=9),
    ProbePlanned(slot="s", agreement="x", golden_item="g", scheduled_at=START, recorded_at=6),
    ProbeMissed(slot="s", how="lost", reason="crash", scheduled_at=START, recorded_at=7),
    Coverage(source=Source.TRAFFIC, start=START, end=START + NS, via="import:test", recorded_at=8),
)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    with RowLog.open(tmp_path / "ledger", clock=Watch()) as log:
        log.append(RECORDS)
    return tmp_path / "ledger"


def content(directory: Path) -> dict[str, tuple[str, int]]:
    """What is in a directory: names, hashes and times."""
    return {p.name: (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns) for p in directory.iterdir()}


def count(directory: Path) -> int:
    (table,) = read(directory, Demands((CALLS,), SPAN, LATER)).tables.values()
    return int(table.n.sum())


def test_a_ledger_gives_every_record_back_as_it_was(ledger: Path) -> None:
    with open_store(ledger) as store:
        kept: list[Record] = [
            *store.observations(),
            *store.scores(),
            *store.adjudications(),
            *store.documents(),
            *store.planned(),
            *store.missed(),
        ]
    assert sorted(map(repr, kept)) == sorted(map(repr, RECORDS))


def test_evidence_from_a_ledger_holds_tables_coverage_facts_and_incidents(ledger: Path) -> None:
    evidence = read(ledger, Demands((CALLS,), SPAN, LATER))
    table = evidence.tables[CALLS.sha256()]
    assert table.n.tolist() == [1, 1]
    assert evidence.coverage == {Source.TRAFFIC: ((START, START + NS),), Source.PROBE: ()}
    assert [f.id for f in evidence.facts] == ["f"]
    assert [i.end for i in evidence.incidents] == [START + NS]


def test_facts_and_incidents_are_those_known_by_then(ledger: Path) -> None:
    assert facts(ledger, 3) == ((), ())
    assert facts(ledger, 4) == ((RECORDS[4],), ())
    assert facts(ledger, 5)[1] == (RECORDS[5],)
    assert facts(ledger, 8)[1] == (RECORDS[5],)
    assert facts(ledger, 9)[1] == (RECORDS[6],)


def test_reading_a_closed_ledger_writes_nothing(ledger: Path) -> None:
    before = content(ledger)
    assert count(ledger) == 2
    facts(ledger, LATER)
    assert content(ledger) == before


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A ledger whose writer was killed; its rows are in the write-ahead log."""
    program = (
        "import os, signal, pathlib, sys\n"
        "from slaguard.ledger.rowlog import RowLog\n"
        "from tests.ledger.world import Watch, call\n"
        "log = RowLog.open(pathlib.Path(sys.argv[1]), clock=Watch())\n"
        "log.append([call(f'call-{i}') for i in range(20)])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path / "killed"], cwd=REPO, check=False)
    return tmp_path / "killed"


def test_what_a_killed_writer_left_is_read_and_not_moved(killed: Path) -> None:
    before = content(killed)
    assert count(killed) == 20
    after = content(killed)
    assert {n: after[n] for n in after if n != "rows.db-shm"} == {n: before[n] for n in before if n != "rows.db-shm"}


@pytest.fixture
def other_user() -> Iterator[None]:
    """Be somebody without rights, as readers of somebody else's ledger are."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.fixture
def read_only(killed: Path) -> Iterator[Path]:
    """A copy of a killed writer's files in a directory where nothing can be made; SQLite's index is not among them."""
    home = Path(tempfile.mkdtemp(prefix="slaguard-read-only-"))
    for name in ("rows.db", "rows.db-wal"):
        shutil.copy(killed / name, home / name)
        (home / name).chmod(0o444)
    home.chmod(0o555)
    yield home
    home.chmod(0o755)
    shutil.rmtree(home)


def test_a_read_only_copy_of_a_killed_writers_files_can_be_read(read_only: Path, other_user: None) -> None:
    assert count(read_only) == 20
    assert sorted(p.name for p in read_only.iterdir()) == ["rows.db", "rows.db-wal"]


# ── beside a writer ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_readers_see_whole_commits_while_a_writer_writes(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        stop = threading.Event()
        written = [0]

        def write() -> None:
            while not stop.is_set():
                log.append([call(f"{written[0]}-{j}") for j in range(7)])
                written[0] += 7

        writer = threading.Thread(target=write)
        writer.start()
        seen = [0]
        while len(seen) < 10 or seen[-1] == 0:
            before = written[0]
            seen.append(count(tmp_path))
            assert seen[-1] >= before
        stop.set()
        writer.join()
    assert all(n % 7 == 0 for n in seen)
    assert seen == sorted(seen)
    assert count(tmp_path) == written[0]


def test_a_writer_that_comes_while_a_closed_ledger_is_read_makes_the_reader_look_again(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = reading._load
    visits: list[int] = []

    def visited(store: ColumnStore, place: int, rows: sqlite3.Connection, path: Path) -> None:
        load(store, place, rows, path)
        if len(visits) < 2:
            visits.append(len(visits))
            with RowLog.open(ledger, clock=Watch()) as log:
                log.append([call(f"late-{len(visits)}")])

    monkeypatch.setattr(reading, "_load", visited)
    assert count(ledger) == 4


def test_a_reader_gives_up_on_a_ledger_that_never_rests(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(1000))
    monkeypatch.setattr(reading, "_state", lambda path: (None, 0, next(ticks)))
    with pytest.raises(LedgerError, match="E-LEDGER-BUSY"):
        open_store(ledger)


# ── rows of another version ─────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("header", "words"),
    [
        pytest.param(b'{"kind":"tombstone","seq":11,"v":1}', "E-LOG-VERSION  row 11 is of kind 'tombstone'", id="kind"),
        pytest.param(b'{"kind":"score","seq":11,"v":2}', "E-LOG-VERSION  row 11 is of kind 'score', version 2", id="version"),
        pytest.param(b'{"kind":"observation","mood":"x","seq":11,"v":1}', "has the field 'mood'", id="field"),
        pytest.param(b'{"kind":"observation","seq":11,"v":1}', "E-RECORD  observation", id="incomplete"),
        pytest.param(b'"seq":11,', "E-LOG-CORRUPT 11  the row is not JSON", id="no JSON"),
    ],
)
def test_a_row_this_version_does_not_know_is_refused(ledger: Path, header: bytes, words: str) -> None:
    connection = sqlite3.connect(ledger / "rows.db", isolation_level=None)
    connection.execute("INSERT INTO rows VALUES (11, ?, ?)", (header, leaf(header)))
    connection.execute("UPDATE log_state SET next_seq = 12")
    connection.close()
    with pytest.raises(LedgerError) as caught:
        open_store(ledger)
    assert words in str(caught.value)
