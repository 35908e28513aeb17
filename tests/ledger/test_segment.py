import hashlib
import json
import math
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal, localcontext
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slaguard.errors import LedgerError
from slaguard.evaluation.demands import Demands
from slaguard.ledger.headers import Parts, leaf
from slaguard.ledger.identity import idempotency_key
from slaguard.ledger.keyed import Keyed, as_number, key_of
from slaguard.ledger.layout import LAYOUTS
from slaguard.ledger.manifest import Manifest
from slaguard.ledger.read import open_store
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import seal_all
from slaguard.ledger.segment import (
    COLUMNS,
    bucket,
    columns_of,
    derive,
    segment_name,
    write_segment,
)
from slaguard.ledger.stored import TABLES
from slaguard.ledger.whole import check
from slaguard.records import MINUTE, NS, NULL, TALLIED, Fact, ProbePlanned, Record, Score
from slaguard.terms import Grade, Source
from tests.ledger.test_store import LATER, SPAN, TRAFFIC
from tests.ledger.test_watched import FIRST, tally
from tests.ledger.world import START, Watch, any_record, call

REPO = Path(__file__).resolve().parents[2]
GENESIS = b'{"boot_id":"b","kind":"genesis","mono_ns":"1","origin":"slaguard/00","recorded_at":"9","schema":2,"seq":0,"v":1}'


def headers(*records: Record) -> list[tuple[int, bytes]]:
    """A log's first row, then these records."""
    return [(0, GENESIS), *((i, Parts.of(r).header(seq=i, recorded_at=START + i)) for i, r in enumerate(records, start=1))]


def read(path: Path) -> list[dict[str, Any]]:
    with duckdb.connect() as connection:
        found = connection.read_parquet(str(path))
        return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def derived(header: bytes) -> dict[str, Any]:
    """The columns of one header as plain values, missing ones as None."""
    body = json.loads(header)
    columns = derive(body["kind"], [body])
    plain = {name: values[0] if values.dtype == object else int(values[0]) for name, values in columns.items()}
    optional = {name for name, (_, may_be_missing) in COLUMNS.items() if may_be_missing}
    return {n: None if v == NULL and n in optional else v for n, v in plain.items()}


@given(st.lists(any_record, max_size=8))
@settings(max_examples=40, deadline=None)
def test_the_file_holds_every_header_byte_for_byte_and_the_columns_made_from_it(records: list[Record]) -> None:
    rows = headers(*records)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "it's.parquet"
        write_segment(path, rows, "log/7", again=lambda batch: [r.seq for r in batch if r.seq % 3 == 2])
        found = read(path)
    assert [(row["seq"], row["hdr"]) for row in found] == rows
    for row, (seq, header) in zip(found, rows, strict=True):
        fixed = {"seq": seq, "kind": json.loads(header)["kind"], "again": int(seq % 3 == 2), "segment": "log/7", "hdr": header}
        assert row == dict.fromkeys(COLUMNS) | fixed | derived(header)


@pytest.mark.parametrize(
    "records",
    [
        [],
        [call("a", total_time_ns=1)],
        [Score(observation="a", scorer="s", grade=Grade.WRONG)],
        [Fact(id="f", type="notice", when=1)],
    ],
    ids=["none", "a call", "a score", "a fact"],
)
def test_the_columns_their_types_and_what_may_be_missing_stand_in_every_file_alike(
    tmp_path: Path, records: list[Record]
) -> None:
    write_segment(tmp_path / "s.parquet", headers(*records), "log/0")
    with duckdb.connect() as connection:
        schema = connection.execute(
            "SELECT name, type, repetition_type FROM parquet_schema(?)", [str(tmp_path / "s.parquet")]
        ).fetchall()[1:]
        codecs = connection.execute(
            "SELECT DISTINCT compression FROM parquet_metadata(?)", [str(tmp_path / "s.parquet")]
        ).fetchall()
    physical = {"BIGINT": "INT64", "VARCHAR": "BYTE_ARRAY", "BLOB": "BYTE_ARRAY"}
    assert schema == [(n, physical[kind], "OPTIONAL" if missing else "REQUIRED") for n, (kind, missing) in COLUMNS.items()]
    assert codecs == [("ZSTD",)]
    assert [n for n, (_, missing) in COLUMNS.items() if not missing] == [
        "seq",
        "kind",
        "again",
        "segment",
        "identity",
        "known_at",
        "hdr",
    ]


def test_a_field_that_several_kinds_of_records_have_is_of_one_sort() -> None:
    sorts: dict[str, set[tuple[object, object]]] = {}
    for record_type in TABLES:
        for field in LAYOUTS[record_type]:
            sorts.setdefault(field.name, set()).add((field.sort, field.members))
    assert {name for name, found in sorts.items() if len(found) > 1} == set()


# ── columns of an earlier version ───────────────────────────────────────────────────────────────────────────────────
def of_version_1(directory: Path) -> None:
    """Put a ledger's one segment and its manifest into the state in which a release without tallies left them."""
    path = directory / "segments" / "00000000.parquet"
    names = ", ".join(f'"{name}"' for name in columns_of(1))
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT {names} FROM read_parquet('{path}')) TO '{path}.old' (FORMAT parquet)")
        written = {row[0] for row in connection.execute("SELECT name FROM parquet_schema(?)", [f"{path}.old"]).fetchall()}
    assert {"writer", "seen", "shed", "start"}.isdisjoint(written)
    Path(f"{path}.old").replace(path)
    with sqlite3.connect(directory / "rows.db") as rows:
        (content,) = rows.execute("SELECT bytes FROM manifests").fetchone()
        size, digest = path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()
        said = replace(Manifest.parse(content), schema=1, parquet_bytes=size, parquet_sha256=digest).content()
        rows.execute("DROP TRIGGER manifests_keep")
        rows.execute("UPDATE manifests SET bytes = ?, leaf = ?", (said, leaf(said)))
    rows.close()
    path.with_suffix(".json").write_bytes(said)


def test_segments_without_the_columns_of_tallies_are_read_and_checked_beside_newer_ones(tmp_path: Path) -> None:
    old: list[Record] = [call("a"), call("b", attributes={"k": "v"}), Fact(id="f", type="notice", when=1), Score(
        observation="a", scorer="s", grade=Grade.WRONG
    )]  # fmt: skip
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append(old)
        seal_all(log)
    of_version_1(tmp_path)
    asked = Demands((TRAFFIC,), SPAN, 2 * LATER, "acme")
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([call("c"), tally(0)])
        seal_all(log)
        log.append([call("d"), tally(1)])
    with open_store(tmp_path) as store:
        assert sorted(o.id for o in store.observations()) == ["a", "b", "c", "d"]
        assert [t.start for t in store.tallies()] == [FIRST, FIRST + MINUTE]
        evidence = store.answer(replace(asked, span=(0, 2 * FIRST)))
        assert evidence.coverage[Source.TRAFFIC] == ((FIRST, FIRST + 2 * MINUTE),)
        assert [f.id for f in evidence.facts] == ["f"]
    report = check(tmp_path)
    assert [f.what for f in report.findings if f.is_error] == []
    assert (report.writers[0].segments, report.partials > 0) == (2, True)


def test_an_earlier_version_has_the_same_columns_less_those_of_tallies() -> None:
    added = {name: column for name, column in columns_of(2).items() if name not in columns_of(1)}
    assert columns_of(2) == COLUMNS
    assert set(added) == {"writer", "start", "end", *TALLIED}
    assert [n for n in COLUMNS if n not in added] == list(columns_of(1))


# ── identity ────────────────────────────────────────────────────────────────────────────────────────────────────────
@given(any_record)
@settings(max_examples=300)
def test_a_header_has_the_key_of_its_record(record: Record) -> None:
    known = 5 if record.recorded_at is None else record.recorded_at
    body = json.loads(Parts.of(record).header(seq=1, recorded_at=known))
    if record.kind == "adjudication":
        body.pop("recorded_at") if record.recorded_at is None else None
    key = idempotency_key(record)
    assert key_of(body) == key
    assert as_number(key) == int.from_bytes(key[:8], "big") - (2**64 if key[0] > 127 else 0)


# ── times ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def exact_bucket(nanoseconds: int) -> int:
    with localcontext() as context:
        context.prec = 80
        return int(((Decimal(nanoseconds) / NS).ln() * 50).to_integral_value(ROUND_FLOOR))


@given(st.integers(1, 2**63 - 1) | st.integers(1, 10**12))
def test_a_bucket_is_the_floor_of_the_logarithm_by_two_hundredths(nanoseconds: int) -> None:
    assert bucket(np.array([nanoseconds]))[0] == exact_bucket(nanoseconds)


def test_a_bucket_begins_at_the_first_nanosecond_that_is_not_below_its_edge() -> None:
    for b in (*range(-300, 400), 1147):
        edge = math.ceil((Decimal(b) / 50).exp() * NS)
        assert bucket(np.array([edge - 1, edge])).tolist() == [b - 1, b], b
    assert bucket(np.array([1, NS - 1, NS, 2**63 - 1])).tolist() == [-1037, -1, 0, 1147]


def test_a_time_that_is_missing_or_not_above_zero_is_in_no_bucket() -> None:
    assert bucket(np.array([NULL, -1, 0])).tolist() == [NULL] * 3


def test_minute_and_hour_are_counted_from_the_epoch_and_missing_without_a_clock() -> None:
    row = derived(headers(call("a", sent_at=7_261 * NS))[1][1])
    assert (row["minute"], row["hour"]) == (121, 2)
    row = derived(headers(call("a", sent_at=-1))[1][1])
    assert (row["minute"], row["hour"]) == (-1, -1)
    row = derived(headers(call("a", sent_at=None, batch_start=1, batch_end=2))[1][1])
    assert (row["minute"], row["hour"]) == (None, None)


# ── what a manifest says ────────────────────────────────────────────────────────────────────────────────────────────
def test_the_summary_says_what_a_reader_needs_to_know_without_opening_the_file(tmp_path: Path) -> None:
    records: list[Record] = [
        call("a", sent_at=50, recorded_at=70),
        call("b", sent_at=20),
        call("c", sent_at=None, batch_start=90, batch_end=95),
        call("d", sent_at=None, batch_start=80, batch_end=85),
        call("e", sent_at=None),
        ProbePlanned(slot="s", agreement="x", golden_item="g", scheduled_at=200),
    ]
    path = tmp_path / "s.parquet"
    written = write_segment(path, headers(*records), "log/0", again=lambda batch: [2])
    assert (written.first_seq, written.last_seq, written.again) == (0, 6, 1)
    assert written.kinds == {"genesis": 1, "observation": 5, "probe_planned": 1}
    assert (written.sent, written.batch, written.known, written.moments) == ((20, 50), (80, 95), START + 6, (20, 200))
    assert written.bytes == path.stat().st_size


def test_of_a_log_without_records_there_is_nothing_to_say(tmp_path: Path) -> None:
    written = write_segment(tmp_path / "s.parquet", headers(), "log/0")
    assert (written.sent, written.batch, written.known, written.moments) == (None, None, None, None)


def test_many_rows_are_handled_some_thousand_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slaguard.ledger.segment.BATCH", 5_000)
    sizes: list[int] = []

    def none(batch: list[Keyed]) -> list[int]:
        sizes.append(len(batch))
        return []

    rows = ((i, Parts.of(call(f"c-{i}")).header(seq=i, recorded_at=1)) for i in range(12_000))
    assert write_segment(tmp_path / "s.parquet", rows, segment_name("log", 0), again=none).last_seq == 11_999  # type: ignore[arg-type]
    assert sizes == [5_000, 5_000, 2_000]
    assert [p.name for p in tmp_path.iterdir()] == ["s.parquet"]


# ── what is refused ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b'{"kind":"new_kind","seq":1,"v":1}', "E-LOG-CORRUPT 1  "),
        (b'{"id":"x","kind":"new_kind","seq":1,"v":1}', "E-LOG-VERSION  row 1 is of kind 'new_kind', version 1"),
        (b'{"id":"x","kind":"fact","seq":1,"v":2}', "E-LOG-VERSION  row 1 is of kind 'fact', version 2"),
        (headers(call("a"))[1][1].replace(b'"via"', b'"vib"'), "has the field 'vib', not known"),
        (b"not JSON", "E-LOG-CORRUPT 1  "),
        (b"[]", "E-LOG-CORRUPT 1  "),
        (b"1,2", "E-LOG-CORRUPT 1  "),
        ('{"id":"ü","kind":"fact","seq":1,"v":1}'.encode(), "E-LOG-CORRUPT 1  "),
        (b'{"id":"\xff","kind":"fact","seq":1,"v":1}', "E-LOG-CORRUPT 1  "),
    ],
)
def test_a_header_that_this_version_does_not_know_is_refused(tmp_path: Path, header: bytes, said: str) -> None:
    with pytest.raises(LedgerError, match=said):
        write_segment(tmp_path / "s.parquet", [(0, GENESIS), (1, header)], "log/0")


def test_a_segment_of_no_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="at least one row"):
        write_segment(tmp_path / "s.parquet", [], "log/0")


def test_a_writer_starts_and_appends_without_the_engine(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys\n"
        "from slaguard.ledger.rowlog import RowLog\n"
        "import slaguard.ledger.seal\n"
        "from tests.ledger.world import Watch, call\n"
        "with RowLog.open(pathlib.Path(sys.argv[1]), clock=Watch()) as log:\n"
        "    log.append([call('a')])\n"
        "    assert slaguard.ledger.seal.seal_due(log, every_ns=10**18) == 0\n"
        "sys.exit('duckdb' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, tmp_path], cwd=REPO, check=False).returncode == 0
    assert sqlite3.connect(tmp_path / "rows.db").execute("SELECT count(*) FROM rows").fetchone() == (2,)
