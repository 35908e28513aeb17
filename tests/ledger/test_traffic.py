import sqlite3
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slaguard.errors import LedgerError
from slaguard.ledger.headers import Parts
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import seal_all
from slaguard.ledger.traffic import template
from slaguard.records import Observation
from slaguard.terms import Attribution, Outcome, Source
from tests.ledger.test_rowlog import rows_of
from tests.ledger.world import START, Watch, call, records_of

any_call: st.SearchStrategy[Observation] = records_of(Observation)


def fields_of(record: Observation, *, words: bool = False, absent: bool = False) -> dict[str, Any]:
    """A record as its fields; closed lists as plain text, or missing fields left out."""
    row = asdict(record)
    if words:
        row = {k: str(v) if isinstance(v, Outcome | Attribution | Source) else v for k, v in row.items()}
    return {k: v for k, v in row.items() if v is not None} if absent else row


@given(record=any_call, words=st.booleans(), absent=st.booleans(), turned=st.booleans())
@settings(max_examples=300)
def test_fields_alone_give_the_bytes_of_the_record_whatever_their_order(
    record: Observation, words: bool, absent: bool, turned: bool
) -> None:
    row = fields_of(record, words=words, absent=absent)
    if turned:
        row = dict(reversed(row.items()))
    assert template(row) == Parts.of(record).template


def usual(i: int, **values: Any) -> dict[str, Any]:
    """What a sidecar writes of one good call."""
    plain: dict[str, Any] = {
        "id": f"sidecar-1/{i}",
        "outcome": "ok",
        "attribution": "none",
        "source": "traffic",
        "via": "sidecar",
        "vendor": "Acme AI",
        "sent_at": START + i,
        "status": 200,
        "stream": True,
        "attributes": {"endpoint": "POST /v1/chat/completions"},
    }
    return plain | values


def record_of(row: Mapping[str, Any]) -> Observation:
    listed: dict[str, Any] = {"outcome": Outcome, "attribution": Attribution, "source": Source}
    return Observation(**{k: listed[k](v) if k in listed else v for k, v in row.items()})


def test_rows_are_appended_as_the_same_records_are(tmp_path: Path) -> None:
    rows = [usual(i, region=None if i % 2 else "eu") for i in range(20)]
    given_as = [b"asked" if i == 3 else None for i in range(20)]
    for name in ("rows", "records"):
        with RowLog.open(tmp_path / name, clock=Watch(), entropy=lambda n: b"k" * n) as log:
            ack = log.append_observations(rows, given_as) if name == "rows" else log.append(map(record_of, rows), given_as)
            assert (ack.first_seq, ack.last_seq, ack.new, ack.repeated) == (1, 20, 20, 0)
    assert rows_of(tmp_path / "rows") == rows_of(tmp_path / "records")
    assert [keys(tmp_path / name) for name in ("rows", "records")] == [keys(tmp_path / "rows")] * 2


def keys(directory: Path) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(directory / "rows.db")
    found = connection.execute("SELECT * FROM idem ORDER BY seq").fetchall()
    connection.close()
    return found


def test_a_row_that_comes_again_counts_once_in_its_batch_later_and_as_a_record(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        assert log.append_observations([usual(1), usual(2), usual(1)]).repeated == 1
        ack = log.append_observations([usual(2), usual(3)])
        assert (ack.first_seq, ack.new, ack.repeated) == (3, 1, 1)
        assert log.append([record_of(usual(3)), call("other")]).new == 1
        assert log.append_observations([usual(4)]).first_seq == 5
    with RowLog.open(tmp_path, clock=Watch()) as log:
        seal_all(log)
        assert log.append_observations([usual(i) for i in range(1, 5)]).repeated == 4


def test_a_row_that_contradicts_is_kept_beside_the_first_and_reported(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append_observations([usual(1)])
        (conflict,) = log.append_observations([usual(0), usual(1, status=500)]).conflicts
        assert (conflict.identity, conflict.seq, conflict.first_seq) == (("sidecar-1/1",), 3, 1)
        assert log.append_observations([usual(1, status=500)]).repeated == 1


def test_no_rows_are_acknowledged_at_once(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        assert log.append_observations([]).new == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mood": "good"}, "has no field 'mood'"),
        ({"vendor": None}, "lacks vendor"),
        ({"outcome": "fine"}, "observation.outcome: 'fine' cannot stand there"),
        ({"status": "200"}, "observation.status holds a str"),
        ({"status": True}, "observation.status holds a bool"),
        ({"status": 2**63}, "does not fit into 64 bits"),
        ({"sent_at": 1.5}, "observation.sent_at holds a float"),
        ({"attributes": {"k": 5}}, "observation.attributes"),
        ({"attributes": ["k"]}, "observation.attributes holds a list"),
    ],
)
def test_a_row_that_is_no_observation_is_refused_and_nothing_of_its_batch_is_kept(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        with pytest.raises(LedgerError, match=f"E-RECORD  .*{said}"):
            log.append_observations([usual(1), usual(2, **change)])
        assert log.append_observations([usual(3)]).first_seq == 1


def test_payloads_are_one_for_each_row(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log, pytest.raises(LedgerError, match="2 records came with 1 payloads"):
        log.append_observations([usual(1), usual(2)], [None])


@pytest.mark.parametrize("count", [99, 100, 101, 250])
def test_many_rows_in_one_commit_are_kept_as_one_by_one(tmp_path: Path, count: int) -> None:
    rows = [usual(i, recorded_at=START + i) for i in range(count)]
    for name, batches in (("once", [rows]), ("singly", [[row] for row in rows])):
        with RowLog.open(tmp_path / name, clock=Watch(), entropy=lambda n: b"k" * n) as log:
            for batch in batches:
                log.append_observations(batch)
    assert rows_of(tmp_path / "once") == rows_of(tmp_path / "singly")
    assert keys(tmp_path / "once") == keys(tmp_path / "singly")


def test_of_many_rows_in_one_commit_those_that_come_again_count_once(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append_observations([usual(i) for i in range(150)])
        ack = log.append_observations([usual(i) for i in range(100, 350)])
        assert (ack.first_seq, ack.last_seq, ack.new, ack.repeated) == (151, 350, 200, 50)
