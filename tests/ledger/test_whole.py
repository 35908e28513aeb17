import json
import shutil
import sqlite3
import threading
from pathlib import Path
from typing import Any

import duckdb
import pytest

from slaguard.errors import LedgerError
from slaguard.evaluation.demands import Demands
from slaguard.ledger.attached import file_sha256
from slaguard.ledger.headers import leaf
from slaguard.ledger.partials import NAME, TALLIES, Key, Partials
from slaguard.ledger.read import open_store
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import seal_all
from slaguard.ledger.table import format_time
from slaguard.ledger.whole import Finding, check
from slaguard.records import MINUTE, Observation, Score
from slaguard.terms import Grade, Outcome, Source
from tests.ledger.test_read import CALLS, LATER, RECORDS, SPAN
from tests.ledger.test_watched import FIRST, tally
from tests.ledger.world import Watch, call


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger with two segments, rows beside them, payloads, a contradiction and kept partials."""
    home = tmp_path / "ledger"
    with RowLog.open(home, clock=Watch()) as log:
        log.append(RECORDS)
        log.append([call(f"p{i}") for i in range(3)], [b"asked and answered"] * 3)
        seal_all(log)
        log.append([call("a", outcome=Outcome.TIMEOUT), call("z")], [None, b"more"])
        seal_all(log)
        log.append([call("tail"), call("p0", status=500)], [b"last", None])
    with open_store(home) as store:
        store.answer(Demands((CALLS,), SPAN, LATER))
    return home


def codes(home: Path) -> list[str]:
    return [finding.code for finding in check(home).findings]


def found(home: Path) -> Finding:
    report = check(home)
    assert not report.whole
    return report.findings[0]


def test_a_whole_ledger_is_called_whole_and_nothing_is_changed_by_looking(ledger: Path) -> None:
    before = content(ledger), content(ledger / "segments")
    report = check(ledger)
    (writer,) = report.writers
    assert (report.whole, report.findings, report.partials) == (True, (), 3)
    assert (writer.segments, writer.sealed, writer.waiting, writer.payloads) == (2, 16, 2, 5)
    assert (content(ledger), content(ledger / "segments")) == before


def content(directory: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in directory.iterdir() if p.is_file()}


def test_a_ledger_that_is_written_to_and_sealed_meanwhile_is_whole(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([call("first")], [b"x"])
        stop = threading.Event()

        def write() -> None:
            n = 0
            while not stop.is_set():
                log.append([call(f"{n}-{i}") for i in range(5)], [b"x"] * 5)
                seal_all(log)
                n += 1

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(5):
                assert [f for f in check(tmp_path).findings if f.is_error] == []
        finally:
            stop.set()
            writer.join()


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_segment_that_is_gone_is_named(ledger: Path) -> None:
    (ledger / "segments" / "00000001.parquet").unlink()
    finding = found(ledger)
    assert (finding.code, finding.seq) == ("E-LOG-MISSING", 14)
    assert finding.file.endswith("segments/00000001.parquet")


def test_a_segment_that_was_cut_is_named(ledger: Path) -> None:
    path = ledger / "segments" / "00000000.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    assert found(ledger).code == "E-LOG-MISSING"


def test_every_flipped_byte_of_a_segment_is_noticed(ledger: Path) -> None:
    path = ledger / "segments" / "00000000.parquet"
    whole = path.read_bytes()
    for place in range(4, len(whole), len(whole) // 12):
        damaged = bytearray(whole)
        damaged[place] ^= 0x40
        path.write_bytes(damaged)
        assert (found(ledger).code, found(ledger).file) == ("E-LOG-CORRUPT", str(path)), place


def test_two_segments_that_changed_places_are_noticed(ledger: Path) -> None:
    one, other = (ledger / "segments" / f"0000000{i}.parquet" for i in (0, 1))
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    assert codes(ledger)[:2] == ["E-LOG-MISSING", "E-LOG-MISSING"]


def remade(ledger: Path, change: str) -> None:
    """Forge a segment: other content, and a manifest in the row log and beside it that fits the new file."""
    path = ledger / "segments" / "00000000.parquet"
    part = path.with_suffix(".forged")
    duckdb.sql(f"COPY (SELECT * REPLACE ({change}) FROM '{path}' ORDER BY seq) TO '{part}' (FORMAT parquet, COMPRESSION zstd)")
    part.replace(path)
    published = path.with_suffix(".json")
    body = json.loads(published.read_bytes())
    body["parquet"] |= {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
    forged = json.dumps(body, separators=(",", ":"), sort_keys=True).encode()
    published.write_bytes(forged)
    rows = sqlite3.connect(ledger / "rows.db", isolation_level=None)
    rows.execute("DROP TRIGGER manifests_keep")
    rows.execute("UPDATE manifests SET bytes = ?, leaf = ? WHERE ix = 0", (forged, leaf(forged)))
    rows.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("CASE WHEN id = 'p1' THEN 6 ELSE outcome END AS outcome", "the column outcome does not follow from the row's bytes"),
        ("CASE WHEN id = 'p1' THEN 'x' ELSE vendor END AS vendor", "the column vendor"),
        ("CASE WHEN id = 'a' THEN NULL ELSE attribute_values END AS attribute_values", "the column attribute_values"),
        ("minute + 1 AS minute", "the column minute"),
        ("identity + 1 AS identity", "the column identity"),
        ("CASE WHEN kind = 'fact' THEN 'incident' ELSE kind END AS kind", "its number or its kind"),
        ("'slaguard/other/0' AS segment", "names another segment"),
        ("encode(replace(decode(hdr), 'acme', 'acne')) AS hdr", "the column vendor"),
        ("CASE WHEN seq = 5 THEN 6 ELSE seq END AS seq", "a row is missing, or stands there twice"),
        ("CASE WHEN id = 'p1' THEN 1 ELSE again END AS again", "its times, or its contradicting rows"),
    ],
)
def test_columns_that_do_not_follow_from_the_bytes_are_named_though_every_hash_of_the_file_fits(
    ledger: Path, change: str, words: str
) -> None:
    remade(ledger, change)
    assert any(words in finding.what for finding in check(ledger).findings)
    assert not check(ledger).whole


def test_other_header_bytes_do_not_have_the_hash_in_the_manifest(ledger: Path) -> None:
    remade(ledger, "CASE WHEN kind = 'fact' THEN encode(replace(decode(hdr), 'ticket', 'notice')) ELSE hdr END AS hdr")
    assert [f.what for f in check(ledger).findings] == ["the hash over its rows is not the one in the manifest"]


# ── manifests ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_published_manifest_that_is_not_the_kept_one_is_named_and_one_that_is_missing_is_left_to_the_next_writer(
    ledger: Path,
) -> None:
    published = ledger / "segments" / "00000001.json"
    kept = published.read_bytes()
    published.write_bytes(kept.replace(b"software", b"Software"))
    assert (found(ledger).code, found(ledger).file) == ("E-LOG-CORRUPT", str(published))
    published.unlink()
    report = check(ledger)
    assert (report.whole, [f.code for f in report.findings]) == (True, ["W-SEAL"])
    RowLog.open(ledger, clock=Watch()).close()
    assert check(ledger).findings == ()


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE manifests SET bytes = CAST(bytes || ' ' AS BLOB) WHERE ix = 0", "E-LOG-CORRUPT"),
        ("UPDATE manifests SET leaf = zeroblob(32) WHERE ix = 1", "E-LOG-CORRUPT"),
        ("DELETE FROM manifests WHERE ix = 0", "E-LOG-MISSING"),
        ("DELETE FROM manifests WHERE ix = 1", "E-LOG-CORRUPT"),
        ("UPDATE log_state SET sealed_through = 13", "E-LOG-CORRUPT"),
        ("UPDATE log_state SET next_seq = 99", "E-LOG-CORRUPT"),
        ("UPDATE rows SET hdr = CAST(hdr || ' ' AS BLOB) WHERE seq = 16", "E-LOG-CORRUPT"),
        ("UPDATE rows SET leaf = zeroblob(32) WHERE seq = 17", "E-LOG-CORRUPT"),
        ("DELETE FROM rows WHERE seq = 16", "E-LOG-CORRUPT"),
        ("DELETE FROM idem WHERE seq = 5", "E-LOG-CORRUPT"),
    ],
)
def test_a_row_log_that_was_altered_is_not_whole(ledger: Path, statement: str, code: str) -> None:
    rows = sqlite3.connect(ledger / "rows.db", isolation_level=None)
    for (trigger,) in rows.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        rows.execute(f"DROP TRIGGER {trigger}")
    rows.execute(statement)
    rows.close()
    assert code in codes(ledger)


def test_a_row_log_that_is_older_than_its_segments_is_named(ledger: Path) -> None:
    shutil.copy(ledger / "rows.db", ledger / "kept.db")
    with RowLog.open(ledger, clock=Watch()) as log:
        seal_all(log)
    (ledger / "kept.db").replace(ledger / "rows.db")
    assert "E-LOG-ROLLBACK" in codes(ledger)


def test_what_an_interrupted_sealing_left_is_no_damage(ledger: Path) -> None:
    (ledger / "segments" / "00000002.parquet").write_bytes(b"half")
    (ledger / "segments" / ".00000003.parquet.part").write_bytes(b"half")
    report = check(ledger)
    assert (report.whole, [f.code for f in report.findings]) == (True, ["W-SEAL", "W-SEAL"])
    RowLog.open(ledger, clock=Watch()).close()
    assert check(ledger).findings == ()


def test_a_killed_writers_log_without_its_write_ahead_log_is_named(ledger: Path) -> None:
    (ledger / "writer.lock").write_text("1 open\n")
    assert "E-LOG-ROLLBACK" in codes(ledger)


# ── payloads and partials ───────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE payloads SET body = x'00' WHERE seq = 11", ("E-PAYLOAD", 11)),
        ("UPDATE payloads SET k_rec = zeroblob(32) WHERE seq = 16", ("E-PAYLOAD", 16)),
        ("INSERT INTO payloads VALUES (4, zeroblob(32), x'00')", ("E-PAYLOAD", 4)),
        ("INSERT INTO payloads VALUES (99, zeroblob(32), x'00')", ("W-PAYLOAD", 99)),
    ],
)
def test_a_payload_that_no_row_was_written_with_is_named(ledger: Path, statement: str, expected: tuple[str, int]) -> None:
    payloads = sqlite3.connect(ledger / "payloads.db", isolation_level=None)
    payloads.execute(statement)
    payloads.close()
    assert [(f.code, f.seq) for f in check(ledger).findings] == [expected]


def test_an_erased_payload_is_no_damage(ledger: Path) -> None:
    payloads = sqlite3.connect(ledger / "payloads.db", isolation_level=None)
    payloads.execute("DELETE FROM payloads WHERE seq IN (11, 16)")
    payloads.close()
    assert check(ledger).findings == ()


def test_a_kept_answer_that_the_segment_does_not_give_is_named(ledger: Path) -> None:
    cache = Partials(ledger)
    kept = list(cache.all())
    for asked, segment, answer in kept:
        other = next(c for a, s, c in kept if (a, s) != (asked, segment))
        cache.keep(Key.of(asked), {segment: other})
        assert codes(ledger) == ["E-PARTIAL"], asked
        cache.keep(Key.of(asked), {segment: answer})
    (ledger / NAME).unlink()
    report = check(ledger)
    assert (report.whole, report.partials) == (True, 0)


# ── writers ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_every_writer_of_a_ledger_is_checked(ledger: Path) -> None:
    with RowLog.open(ledger / "record", clock=Watch()) as log:
        log.append([Score(observation="a", scorer="x@1", grade=Grade.WRONG)])
        seal_all(log)
    for name in ("rows.db", "payloads.db", "writer.lock"):
        (ledger / "record" / name).unlink()
    assert [w.folder for w in check(ledger).writers] == [str(ledger), str(ledger / "record")]
    assert check(ledger).whole
    (ledger / "record" / "segments" / "00000000.parquet").write_bytes(b"")
    finding = found(ledger)
    assert (finding.code, finding.file) == ("E-LOG-MISSING", str(ledger / "record" / "segments" / "00000000.parquet"))


def test_where_there_is_no_ledger_nothing_is_said_to_be_whole(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="E-LOG-MISSING"):
        check(tmp_path)
    with pytest.raises(LedgerError, match="E-LOG-MISSING"):
        check(tmp_path / "nowhere")


# ── tallies ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def traffic(i: int, minute: int, **values: Any) -> Observation:
    """A call that began in a minute and was sent in the next one."""
    began = FIRST + minute * MINUTE
    return call(f"sidecar-1/{i}", **({"via": "sidecar", "scheduled_at": began, "sent_at": began + MINUTE} | values))


def test_tallies_that_count_the_calls_that_stand_here_are_not_spoken_of(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch(FIRST)) as log:
        log.append([traffic(1, 0), traffic(2, 0), tally(0, seen=3, shed=1), tally(1, seen=0)])
        seal_all(log)
        log.append([traffic(3, 2), tally(2, seen=1)])
        # Of these no tally speaks: another way, another source, a minute that is not tallied yet.
        log.append([traffic(9, 0, via="import"), traffic(8, 0, source=Source.PROBE), traffic(7, 3), call("a/b/4")])
    assert (check(tmp_path).whole, check(tmp_path).findings) == (True, ())


def test_a_tally_that_counts_other_calls_is_a_line_and_no_damage(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with RowLog.open(tmp_path / name, clock=Watch(FIRST)) as log:
            log.append([traffic(1, 0), traffic(2, 0)])
            log.append([tally(0, seen=1, end=FIRST + MINUTE // 2)])
            log.append([tally(0, seen=2, start=FIRST + MINUTE // 2), tally(1, seen=4, writer="sidecar-2")])
            seal_all(log)
    report = check(tmp_path)
    assert report.whole
    first, second = report.findings
    assert (first.code, first.file, second.code) == ("W-TALLY", str(tmp_path), "W-TALLY")
    minute = format_time(FIRST)
    assert first.what == f"sidecar-1 tallied 3 recorded calls to acme in the minute of {minute}, and 2 stand here"
    assert second.what.startswith("sidecar-2 tallied 4 recorded calls to acme")
    assert second.what.endswith("and 0 stand here")


def test_what_tallies_of_a_segment_were_kept_as_is_counted_again(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch(FIRST)) as log:
        log.append([traffic(1, 0), tally(0, seen=1), tally(1, seen=0)])
        seal_all(log)
    with open_store(tmp_path) as store:
        store.answer(Demands((), (0, 2 * FIRST), 2 * FIRST, "acme"))
    assert (check(tmp_path).whole, check(tmp_path).partials) == (True, 1)
    (segment,) = {s for asked, s, _ in Partials(tmp_path).all() if asked == TALLIES.body}
    Partials(tmp_path).keep(TALLIES, {segment: b"{}"})
    assert codes(tmp_path) == ["E-PARTIAL"]
