import hashlib
import json
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slaguard.errors import LedgerError
from slaguard.ledger import schema
from slaguard.ledger.check import whole_rows, whole_stretches
from slaguard.ledger.columns import int64
from slaguard.ledger.headers import Parts, leaf
from slaguard.ledger.keyed import as_number
from slaguard.ledger.manifest import root
from slaguard.ledger.places import numbered, side_by_side
from slaguard.ledger.projection import COUNTED, FIELDS, PARSED, parse
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import seal_all
from slaguard.ledger.segment import derive, write_segment
from slaguard.ledger.stored import TABLES
from slaguard.records import NULL, RECORD_TYPES, Fact, Record, Score
from slaguard.terms import Grade
from tests.ledger.sealing import again_as_sealed, again_by_hand, everything, manifests
from tests.ledger.test_watched import tally
from tests.ledger.world import START, Watch, any_record, call


def headers(records: Sequence[Record]) -> list[bytes]:
    return [Parts.of(r).header(seq=i, recorded_at=START + i) for i, r in enumerate(records)]


def read(*headers: bytes) -> bool:
    """Whether the engine takes these headers."""
    with duckdb.connect() as database:
        return parse(database, range(len(headers)), headers) is not None


def altered(header: bytes, **fields: Any) -> bytes:
    """The header of a record that says something else, or no longer says something (None)."""
    body = json.loads(header) | fields
    kept = {name: value for name, value in body.items() if value is not None}
    return json.dumps(kept, separators=(",", ":"), sort_keys=True).encode("ascii")


# ── the same columns ────────────────────────────────────────────────────────────────────────────────────────────────
@given(st.lists(any_record, min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_the_engine_takes_what_a_writer_wrote_and_gives_the_columns_that_derive_gives(records: list[Record]) -> None:
    written = headers(records)
    with duckdb.connect() as database:
        parsed = parse(database, range(len(written)), written)
        assert parsed is not None
        found = database.execute(f"SELECT * FROM {PARSED}").fetchnumpy()
        places = np.flatnonzero(database.execute(f"SELECT {COUNTED} AS c FROM {PARSED}").fetchnumpy()["c"])
    for place, (record, header) in enumerate(zip(records, written, strict=True)):
        is_counted = RECORD_TYPES[record.kind] in TABLES
        assert (place in places, parsed.kinds[place]) == (is_counted, record.kind)
        if not is_counted:
            assert parsed.named[place] is None
            continue
        columns = derive(record.kind, [json.loads(header)])
        named = parsed.named[place]
        assert named is not None
        assert as_number(hashlib.sha256(named.encode("ascii")).digest()) == columns["identity"][0]
        for name in FIELDS:
            expected = columns[name][0] if name in columns else None
            value = found[name].tolist()[place]
            assert (None if expected == NULL else expected) == value, name
        for name, column in parsed.times.items():
            assert int64(column)[place] == (columns[name][0] if name in columns else NULL)


@pytest.mark.parametrize("few", [0, 100])
def test_rows_of_all_kinds_stand_in_the_file_in_their_order_whoever_read_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr("slaguard.ledger.segment.FEW", few)
    records: list[Record] = [
        call("run/1"),
        Fact(id="f", type="notice", when=1),
        tally(0),
        Score(observation="run/1", scorer="s", grade=Grade.WRONG),
        Fact(id="g", type="notice", when=2),
        call('run/"2\\', attributes={"a": "", "": "b"}),
    ]
    written = headers(records)
    write_segment(tmp_path / "s.parquet", list(enumerate(written)), "log/0")
    with duckdb.connect() as database:
        rows = database.execute("SELECT seq, kind, hdr FROM read_parquet(?)", [str(tmp_path / "s.parquet")]).fetchall()
    assert rows == [(i, r.kind, h) for i, (r, h) in enumerate(zip(records, written, strict=True))]


@given(st.lists(any_record, min_size=1, max_size=8), st.data())
@settings(max_examples=25, deadline=None)
def test_a_file_is_the_same_bytes_whether_the_engine_read_the_headers_or_not(
    records: list[Record], data: st.DataObject
) -> None:
    rows = list(enumerate(headers(records)))
    again = data.draw(st.sets(st.sampled_from(range(len(rows)))))
    contents = []
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        for way in ("engine", "hand"):
            path = Path(directory) / f"{way}.parquet"
            patch.setattr("slaguard.ledger.segment.FEW", 0 if way == "engine" else len(rows))
            written = write_segment(path, rows, "log/0", again=lambda _: again)
            contents.append((path.read_bytes(), written))
    assert contents[0] == contents[1]


# ── what the engine leaves to derive ────────────────────────────────────────────────────────────────────────────────
USUAL = headers([call("a", status=200, stream=True, attributes={"k": "v"})])[0]


@pytest.mark.parametrize(
    "header",
    [
        altered(USUAL, new_field="x"),
        altered(USUAL, slot="a field of another kind"),
        altered(USUAL, v=2),
        altered(USUAL, seq=1),
        altered(USUAL, seq=None),
        altered(USUAL, outcome="no such outcome"),
        altered(USUAL, outcome=None),
        altered(USUAL, id=None),
        altered(USUAL, status="many"),
        altered(USUAL, sent_at=str(2**63)),
        altered(USUAL, stream="perhaps"),
        altered(USUAL, attributes="none"),
        altered(USUAL, attributes={}),
        USUAL.replace(b'"vendor":"acme"', b'"vendor":null'),
        USUAL.replace(b'"status":200', b'"status":200,"status":200'),
        USUAL.replace(b'"id":"a"', b'"id":"\\u00fc"'),
        USUAL.replace(b'"id":"a"', '"id":"ü"'.encode()),
        USUAL[:-1],
        USUAL + b"}",
        b"",
    ],
)
def test_what_no_writer_of_this_version_wrote_is_left_to_derive(header: bytes) -> None:
    assert read(USUAL)
    assert not read(header)


def test_one_strange_header_among_many_is_noticed() -> None:
    many = headers([call(f"run/{i}", status=200) for i in range(2000)])
    assert read(*many)
    many[1234] = altered(many[1234], new_field="x")
    assert not read(*many)


# ── rows, keys and hashes, many at a time ───────────────────────────────────────────────────────────────────────────
def test_stretches_of_rows_are_those_that_are_read_one_by_one(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([call(f"c-{i}") for i in range(25)])
        with schema.snapshot(tmp_path) as rows, pytest.MonkeyPatch.context() as patch:
            patch.setattr("slaguard.ledger.check._STRETCH", 7)
            one_by_one = list(whole_rows(rows, tmp_path / "rows.db"))
            stretches = list(whole_stretches(rows, tmp_path / "rows.db", 3, 20))
    assert [row for s in stretches for row in enumerate(s.headers, s.first)] == one_by_one[3:23]
    assert [h for s in stretches for h in s.leaves] == [leaf(header) for _, header in one_by_one[3:23]]
    assert [len(s.headers) for s in stretches] == [7, 7, 6]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE rows SET hdr = X'7B7D' WHERE seq = 9", "E-LOG-CORRUPT 9  the row's bytes do not match"),
        ("UPDATE rows SET (hdr, leaf) = (SELECT hdr, leaf FROM rows WHERE seq = 4) WHERE seq = 9", "E-LOG-CORRUPT 9 .*place"),
        ("DELETE FROM rows WHERE seq = 9", r"E-LOG-CORRUPT 9  the row is missing \(the next one is 10\)"),
        ("DELETE FROM rows WHERE seq >= 9", "E-LOG-CORRUPT 9  the log should have"),
    ],
)
def test_a_damaged_row_in_a_stretch_is_named(tmp_path: Path, damage: str, said: str) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([call(f"c-{i}") for i in range(15)])
    with closing(sqlite3.connect(tmp_path / "rows.db")) as rows:
        for trigger in ("rows_keep", "rows_stay"):
            rows.execute(f"DROP TRIGGER {trigger}")
        rows.execute(damage)
        with pytest.raises(LedgerError, match=said):
            list(whole_stretches(rows, tmp_path / "rows.db", 0, 16))


def split_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962 §2.1 as it is written: split at the largest power of two below the number."""
    if len(leaves) == 1:
        return leaves[0]
    at = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + split_root(leaves[:at]) + split_root(leaves[at:])).digest()


@pytest.mark.parametrize("count", [*range(1, 40), 63, 64, 65, 1000])
def test_the_root_is_that_of_the_tree_that_is_split_at_powers_of_two(count: int) -> None:
    leaves = [hashlib.sha256(b"%d" % i).digest() for i in range(count)]
    assert root(leaves) == split_root(leaves).hex()


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 60)), max_size=40), st.integers(0, 9))
def test_places_are_looked_for_as_spans_where_they_lie_close(ids: list[tuple[str, int]], others: int) -> None:
    hashes = [hashlib.sha256(b"%d" % i).digest() for i in range(others)]
    places = {p for run, n in ids if (p := numbered("observation", f"{run}/{n}")) is not None}
    spans, single = side_by_side([*places, *hashes])
    assert all(sum(first <= p <= last for first, last in spans) + (p in single) == 1 for p in places)
    assert set(hashes) <= set(single)
    for first, last in spans:
        inside = [p for p in places if first <= p <= last]
        assert first in places
        assert last in places
        assert int.from_bytes(last[24:]) - int.from_bytes(first[24:]) < 2 * len(inside)


def test_rows_that_come_again_are_marked_among_many_that_lie_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slaguard.ledger.segment.FEW", 0)
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([call(f"run/{i}") for i in range(0, 60, 3)])
        log.append([call(f"run/{i}", status=500) for i in (3, 4, 9)])
        seal_all(log)
        log.append([call(f"run/{i}", status=404) for i in (3, 61, 57)])
        log.append([call(f"run/{i}") for i in range(62, 90)])
        seal_all(log)
    assert len(manifests(tmp_path)) == 2
    assert again_as_sealed(tmp_path) == again_by_hand(everything(tmp_path)) == [21, 23, 24, 26]
