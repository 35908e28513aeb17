import hashlib
import hmac
import json
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slaguard.errors import LedgerError
from slaguard.ledger.commit import Grouping
from slaguard.ledger.headers import leaf
from slaguard.ledger.rowlog import RowLog
from slaguard.records import NS, Fact, Record, Score, from_header
from slaguard.terms import Grade
from tests.ledger.world import START, Watch, any_record, call


def rows_of(directory: Path) -> list[dict[str, Any]]:
    """All stored headers, after looking that seq has no gap and every leaf fits."""
    with sqlite3.connect(directory / "rows.db") as connection:
        found = connection.execute("SELECT seq, hdr, leaf FROM rows ORDER BY seq").fetchall()
    connection.close()
    assert [seq for seq, _, _ in found] == list(range(len(found)))
    assert all(leaf(header) == kept for _, header, kept in found)
    bodies: list[dict[str, Any]] = [json.loads(header) for _, header, _ in found]
    assert [body["seq"] for body in bodies] == list(range(len(found)))
    return bodies


def test_a_new_log_begins_with_a_row_about_itself(tmp_path: Path) -> None:
    with RowLog.open(tmp_path / "new" / "ledger", clock=Watch()) as log:
        assert log.next_seq == 1
    (genesis,) = rows_of(tmp_path / "new" / "ledger")
    assert genesis["kind"] == "genesis"
    assert genesis["origin"] == log.origin
    assert genesis["recorded_at"] == str(START + NS)


def test_records_get_numbers_without_a_gap_and_the_time_they_were_recorded(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        ack = log.append([call("a"), call("b", recorded_at=77)])
    assert (ack.first_seq, ack.last_seq, ack.new, ack.repeated, ack.conflicts) == (1, 2, 2, 0, ())
    _, first, second = rows_of(tmp_path)
    assert from_header(first) == call("a", recorded_at=START + 2 * NS)
    assert from_header(second) == call("b", recorded_at=77)


def test_an_opened_log_goes_on_where_it_ended(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([call("a")])
    with RowLog.open(tmp_path, clock=Watch()) as again:
        assert again.origin == log.origin
        assert again.append([call("b")]).first_seq == 2
    assert len(rows_of(tmp_path)) == 3


def test_nothing_to_append_is_acknowledged_at_once(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        ack = log.append([])
    assert (ack.first_seq, ack.new) == (None, 0)


@settings(max_examples=15)
@given(records=st.lists(any_record, max_size=8))
def test_any_record_is_kept_as_its_header_says(records: list[Record], tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("log")
    with RowLog.open(directory, clock=Watch()) as log:
        ack = log.append(records)
        again = log.append(records)
    assert ack.new + ack.repeated == len(records)
    assert (again.new, again.repeated) == (0, len(records))
    assert len(rows_of(directory)) == 1 + ack.new
    RowLog.open(directory, clock=Watch()).close()


# ── once ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_same_record_written_twice_counts_once(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([call("a"), call("b")])
        ack = log.append([call("b"), call("c"), call("c")])
    assert (ack.first_seq, ack.last_seq, ack.new, ack.repeated) == (3, 3, 1, 2)
    assert [body.get("id") for body in rows_of(tmp_path)] == [None, "a", "b", "c"]


def test_a_repeat_is_known_after_a_restart_and_whenever_it_was_recorded(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([call("a")])
    with RowLog.open(tmp_path, clock=Watch()) as log:
        assert log.append([call("a", recorded_at=5)]).repeated == 1


def test_a_contradiction_is_kept_beside_the_first_record_and_reported(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([call("a")])
        ack = log.append([call("a", status=500)])
    assert (ack.new, ack.repeated) == (1, 0)
    (conflict,) = ack.conflicts
    assert (conflict.kind, conflict.identity, conflict.seq, conflict.first_seq) == ("observation", ("a",), 2, 1)
    assert str(conflict).startswith("E-IDEMPOTENCY-CONFLICT  observation 'a': row 2 ")
    assert len(rows_of(tmp_path)) == 3


def test_a_contradiction_that_comes_again_is_a_repeat(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([call("a"), call("a", status=500), call("a", status=503)])
        ack = log.append([call("a", status=503), call("a", status=500), call("a")])
    assert (ack.new, ack.repeated, ack.conflicts) == (0, 3, ())


def test_hostile_text_in_a_contradiction_is_shown_harmlessly(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        (conflict,) = log.append([call("\x1b[31m"), call("\x1b[31m", status=1)]).conflicts
    assert "\x1b" not in str(conflict)


# ── payloads ────────────────────────────────────────────────────────────────────────────────────────────────────────
def payloads_of(directory: Path) -> dict[int, tuple[bytes, bytes]]:
    connection = sqlite3.connect(directory / "payloads.db")
    found = {seq: (key, body) for seq, key, body in connection.execute("SELECT seq, k_rec, body FROM payloads")}
    connection.close()
    return found


def test_a_payload_is_kept_apart_and_bound_to_its_record_by_a_key_of_its_own(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([call("a"), call("b"), call("c")], [b"what is 2+2?", None, b"what is 2+2?"])
    _, first, second, third = rows_of(tmp_path)
    kept = payloads_of(tmp_path)
    assert set(kept) == {1, 3}
    assert "payload_commit" not in second
    for seq, row in ((1, first), (3, third)):
        key, body = kept[seq]
        assert body == b"what is 2+2?"
        assert row["payload_commit"] == hmac.new(key, body, hashlib.sha256).hexdigest()
    assert first["payload_commit"] != third["payload_commit"]
    assert b"2+2" not in (tmp_path / "rows.db").read_bytes()


def test_only_the_writers_own_user_reads_payloads(tmp_path: Path) -> None:
    RowLog.open(tmp_path, clock=Watch()).close()
    assert (tmp_path / "payloads.db").stat().st_mode & 0o077 == 0


def test_a_record_with_the_same_payload_is_a_repeat_and_with_another_a_contradiction(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([call("a")], [b"one"])
        assert log.append([call("a")], [b"one"]).repeated == 1
        assert log.append([call("a")]).repeated == 1
        assert len(log.append([call("a")], [b"two"]).conflicts) == 1
        assert log.append([call("a")], [b"two"]).repeated == 1
        assert len(log.append([call("b"), call("b")], [b"one", b"two"]).conflicts) == 1


def test_a_payload_without_a_header_is_deleted_at_the_next_start(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([call("a")], [b"kept"])
    connection = sqlite3.connect(tmp_path / "payloads.db", isolation_level=None)
    connection.execute("INSERT INTO payloads VALUES (2, zeroblob(32), 'from a commit that was cut off')")
    connection.close()
    RowLog.open(tmp_path, clock=Watch()).close()
    assert set(payloads_of(tmp_path)) == {1}


def test_payloads_go_with_observations_one_for_each(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        with pytest.raises(LedgerError, match="1 records came with 2 payloads"):
            log.append([call("a")], [b"x", b"y"])
        with pytest.raises(LedgerError, match="a fact carries no payload"):
            log.append([Fact(id="f", type="ticket", when=1)], [b"x"])
        assert log.next_seq == 1


# ── all or none, in the order of their callers ──────────────────────────────────────────────────────────────────────
def test_one_bad_record_keeps_the_whole_batch_out(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        with pytest.raises(LedgerError, match="E-RECORD"):
            log.append([call("a"), call("b", status=2**64)])
        assert log.append([call("a")]).first_seq == 1


def test_several_threads_append_and_each_gets_its_own_rows_acknowledged(tmp_path: Path) -> None:
    acks: dict[str, tuple[int, int]] = {}

    def write(thread: int) -> None:
        for i in range(20):
            batch = [call(f"{thread}-{i}-{j}") for j in range(3)]
            ack = log.append(batch, [b"body"] * 3 if i % 2 else None)
            assert ack.first_seq is not None
            acks.update({r.id: (ack.first_seq + j, ack.new) for j, r in enumerate(batch)})

    with RowLog.open(tmp_path, clock=Watch(), grouping=Grouping(rows=10, linger_ms=1)) as log:
        threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    kept = {body["id"]: body["seq"] for body in rows_of(tmp_path)[1:]}
    assert {name: (seq, 3) for name, seq in kept.items()} == acks
    assert len(kept) == 6 * 20 * 3


def test_the_same_record_from_several_threads_counts_once(tmp_path: Path) -> None:
    acks = []
    with RowLog.open(tmp_path, clock=Watch()) as log:
        start = threading.Barrier(8)

        def write() -> None:
            start.wait()
            acks.append(log.append([call("a")]))

        threads = [threading.Thread(target=write) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (sum(a.new for a in acks), sum(a.repeated for a in acks)) == (1, 7)


def test_a_closed_writer_takes_nothing_more_and_may_be_closed_again(tmp_path: Path) -> None:
    log = RowLog.open(tmp_path, clock=Watch())
    log.close()
    log.close()
    with pytest.raises(LedgerError, match="E-LEDGER-CLOSED"):
        log.append([call("a")])


def test_a_closed_log_is_one_file_of_rows_and_one_of_payloads(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([call("a")], [b"x"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["payloads.db", "rows.db", "writer.lock"]


def test_rows_are_never_changed_replaced_or_deleted_by_accident(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([call("a"), Score(observation="a", scorer="s@1", grade=Grade.WRONG)])
    connection = sqlite3.connect(tmp_path / "rows.db", isolation_level=None)
    for statement in (
        "UPDATE rows SET hdr = x'00' WHERE seq = 1",
        "DELETE FROM rows WHERE seq = 2",
        "INSERT OR REPLACE INTO rows VALUES (1, x'00', zeroblob(32))",
        "UPDATE idem SET seq = 9",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="are never"):
            connection.execute(statement)
    for statement in ("INSERT INTO rows VALUES (9, x'00', x'00')", "INSERT INTO rows VALUES (9, 'text', zeroblob(32))"):
        with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
            connection.execute(statement)
    connection.close()


def test_a_record_of_the_log_appended_to_another_log_keeps_its_recording_time(tmp_path: Path) -> None:
    with RowLog.open(tmp_path / "one", clock=Watch()) as log:
        log.append([call("a")])
    copied = from_header(rows_of(tmp_path / "one")[1])
    with RowLog.open(tmp_path / "other", clock=Watch(START * 2)) as log:
        log.append([copied])
    assert from_header(rows_of(tmp_path / "other")[1]) == replace(call("a"), recorded_at=START + 2 * NS)
