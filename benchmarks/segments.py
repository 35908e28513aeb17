"""A month of calls judged from segments, from partials, and DuckDB's own aggregation over the same files.

    .venv/bin/python benchmarks/segments.py                        # two million calls, about a minute
    .venv/bin/python benchmarks/segments.py --records 10000000     # the goals' size
    .venv/bin/python benchmarks/segments.py --curve                # 100,000 to 10 million

A real Agreement is judged (`ledger.judge.judge`): uptime by minutes with two exclusions, a share of failures and a 95th
percentile, all with the Profiles that ship, with announced maintenance and coverage from a second writer in the ledger.
Measured is all from opening the ledger to the Evaluation, in processor seconds of one thread, with its split into opening,
answering the Demands and judging (`evaluate`); the Agreement is loaded before. The peer is asked two statements: outcomes
by minute, and the percentile. Ratios mean something on another machine; seconds do not.

Every way runs in a process of its own, in turns, so that the peak of memory is that way's alone. Evidence and results of
all our ways are compared, byte by byte. Nothing is written but a temporary folder.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final, cast

import duckdb

from slaguard import __version__
from slaguard.evaluation.demands import Demands
from slaguard.ledger.headers import leaf
from slaguard.ledger.judge import MEMORY, judge
from slaguard.ledger.manifest import Manifest
from slaguard.ledger.partials import NAME
from slaguard.ledger.read import open_store
from slaguard.ledger.recovery import manifest_leaf
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.schema import connect_rows, create_rows
from slaguard.ledger.segment import COLUMNS
from slaguard.ledger.store import ColumnStore
from slaguard.records import NS, Coverage, Evidence, Fact, Instant
from slaguard.spec.library import Shelves
from slaguard.spec.load import loads
from slaguard.spec.resolve import resolve
from slaguard.terms import Attribution, Outcome, Source

START: Final = 1_790_812_800 * NS
"""The first of October 2026."""
MONTH: Final = (START, START + 31 * 86_400 * NS)
KNOWN: Final = MONTH[1] + 86_400 * NS
SEGMENT: Final = 100_000
ORIGIN: Final = "slaguard/00000000c0ffee00"
CURVE: Final = (100_000, 1_000_000, 10_000_000)

DAY: Final = 86_400 * NS
NIGHTS: Final = tuple((START + d * DAY, START + d * DAY + 3600 * NS) for d in range(0, 31, 7))
"""Maintenance, announced four days ahead."""
AGREEMENT: Final = """\
apiVersion: slaguard/v1
kind: Agreement
name: acme-assistant
version: 1
vendor: Acme AI
customer: Example Bank AG
contract: C-2031
effective: 2026-08-01
time_zone: UTC
period: month
fee: 12000.00 EUR
combine: greater_of
use:
  - outcomes/server-faults@1
  - maintenance/announced@1: {clause: Exhibit B 2.4, notice: 72h}
  - claim/written@1: {days: 30}
exclusions:
  - id: regional-maintenance
    kind: maintenance
    clause: Exhibit B 2.5
    asserted_by: vendor
    selector: {region: us-east, error_code: maintenance}
    effect: drop_records
    proof: [request_field]
objectives:
  - name: uptime
    clause: Exhibit B 2.1
    use: uptime/bad-minutes-in-a-row@1
    at_least: 99.9%
    credits: {below 99.9%: 10%, below 99.0%: 25%}
  - name: errors
    clause: Exhibit B 2.2
    use: errors/share-failed@1
    at_most: 1%
    credits: {above 1%: 10%}
  - name: first-token
    clause: Exhibit B 2.3
    use: {latency/percentile@1: {field: time_to_first_token, p: 95%}}
    at_most: 1s
    credits: {above 1s: 5%}
"""
PLAIN: Final = (
    "SELECT minute, outcome, count(*) AS n FROM calls WHERE {month} GROUP BY ALL",
    "SELECT quantile_disc(time_to_first_token, 0.95) FROM calls WHERE {month}",
)
"""What somebody would type who needs both figures once: no time of knowledge, no exclusions, no batches, no repeats."""


@dataclass(frozen=True)
class Turn:
    """One way once: processor and clock seconds, the processor's part of opening and of answering, and peak memory.

    The rest of the processor seconds is judging: `requirements` and `evaluate`. `hashes` are those of the evidence and of
    the Evaluation's JSON; none for the peer.
    """

    cpu: float
    seconds: float
    opening: float
    answering: float
    peak_mb: float
    hashes: tuple[str, ...]


# ── a month of segments ─────────────────────────────────────────────────────────────────────────────────────────────
def make(home: Path, records: int, more: Mapping[str, str] | None = None) -> None:
    """Write segments of a month's calls in order of time, made by DuckDB (a writer would take a while), with manifests.

    Seven calls in a thousand fail, and six of ten in four outages of 12 minutes. `more` has the expressions of further
    columns, over ``i``, ``sent`` and ``failed``.
    """
    folder = home / "segments"
    folder.mkdir(parents=True)
    failed = list(Outcome).index(Outcome.ERROR_500), list(Attribution).index(Attribution.VENDOR)
    known = {
        "kind": "'observation'",
        "again": "0",
        "identity": "hash(i) // 2",
        "known_at": "sent + 5000000000",
        "recorded_at": "sent + 5000000000",
        "minute": f"sent // {60 * NS}",
        "hour": f"sent // {3600 * NS}",
        "latency_bucket": "i * 97 % 300",
        "first_token_bucket": "i * 31 % 200",
        "id": "'chatcmpl-' || md5(CAST(i AS VARCHAR))",
        "outcome": f"CASE WHEN failed THEN {failed[0]} ELSE 0 END",
        "attribution": f"CASE WHEN failed THEN {failed[1]} ELSE {list(Attribution).index(Attribution.NONE)} END",
        "source": str(list(Source).index(Source.TRAFFIC)),
        "via": "'import:gateway'",
        "vendor": "'Acme AI'",
        "sent_at": "sent",
        "ended_at": "sent + 4000000000",
        "model_requested": "CASE WHEN i % 3 = 0 THEN 'acme-small' ELSE 'acme-large' END",
        "model_returned": "'acme-large-2026-07-18'",
        "region": "CASE WHEN i % 2 = 0 THEN 'eu-west' ELSE 'us-east' END",
        "error_code": "CASE WHEN failed AND i % 5 = 0 THEN 'maintenance' END",
        "status": "CASE WHEN failed THEN 500 ELSE 200 END",
        "stream": "1",
        "input_tokens": "800 + i % 400",
        "output_tokens": "120 + i % 77",
        "logical_request_id": "'req-' || CAST(i AS VARCHAR)",
        "attempt": "1",
        "inclusion_probability": "'1'",
        "time_to_first_token_ns": "CASE WHEN NOT failed THEN (200 + i * 31 % 900) * 1000000 END",
        "time_to_first_token": "CASE WHEN NOT failed THEN 200 + i * 31 % 900 END",
        "total_time_ns": "(900 + i * 97 % 6000) * 1000000",
        "total_time": "900 + i * 97 % 6000",
        "hdr": 'encode(\'{"id":"chatcmpl-\' || md5(CAST(i AS VARCHAR)) || repeat(\',"as":"any other row"\', 25) || \'}\')',
    }
    step = (MONTH[1] - MONTH[0]) // records
    engine = duckdb.connect()
    for ix, first in enumerate(range(0, records, SEGMENT)):
        count = min(SEGMENT, records - first)
        made = {**known, **(more or {}), "seq": "i", "segment": f"'{ORIGIN}/{ix}'"}
        columns = ", ".join(f'CAST({made.get(name, "NULL")} AS {kind}) AS "{name}"' for name, (kind, _) in COLUMNS.items())
        path = folder / f"{ix:08d}.parquet"
        engine.execute(
            f"COPY (SELECT {columns} FROM (SELECT i, {START} + i * {step} AS sent, i * 7919 % 1000 < 7"
            f" OR (i * {step} // {60 * NS} % 10007 BETWEEN 5000 AND 5011 AND i * 31 % 10 < 6) AS failed"
            f" FROM (SELECT CAST(range AS BIGINT) AS i FROM range({first}, {first + count})))) TO '{path}'"
            " (FORMAT parquet, COMPRESSION zstd)"
        )
        sent = (START + first * step, START + (first + count - 1) * step)
        publish(path, ix, (first, count), sent)
    engine.close()
    vouch(home, records)
    document(home)


class Before:
    """A clock that stands a week before the month."""

    def read(self) -> Instant:
        """Return that moment."""
        return Instant(START - 7 * DAY, 0, "benchmark")

    async def sleep_until(self, wall_ns: int) -> None:
        """Nothing here waits."""


def document(home: Path) -> None:
    """Record beside the segments, as `slaguard record` does, that the month was watched, and the announced nights."""
    gap = START + 20 * DAY + 5 * 3600 * NS
    spans = (MONTH[0], gap), (gap + 30 * 60 * NS, MONTH[1])
    seen = [Coverage(source=Source.TRAFFIC, start=a, end=b, via="import:gateway") for a, b in spans]
    announced = [
        Fact(id=f"night-{a}", type="announcement", when=a - 4 * DAY, by="Acme AI", exclusion="maintenance", start=a, end=b)
        for a, b in NIGHTS
    ]
    with RowLog.open(home / "record", clock=Before()) as log:
        log.append([*seen, *announced])


def vouch(home: Path, records: int) -> None:
    """Make the row log that these segments were sealed from, with its manifests and no row waiting, as an agent's own is.

    Segments without one, copied from elsewhere, cost about 0.16 s more for a million calls: their manifests are compared
    with their content, once for each state of a file where partials are kept.
    """
    with closing(connect_rows(home)) as rows:
        header = b"{}"  # sealed, and never read
        create_rows(rows, ORIGIN, (header, leaf(header)))
        rows.execute("BEGIN IMMEDIATE")
        for ix, path in enumerate(sorted((home / "segments").glob("*.json"))):
            content = path.read_bytes()
            rows.execute("INSERT INTO manifests VALUES (?, ?, ?)", (ix, content, manifest_leaf(content)))
        rows.execute("UPDATE log_state SET next_seq = ?, sealed_through = ?", (records, records - 1))
        rows.execute("DELETE FROM rows")
        rows.execute("COMMIT")


def publish(path: Path, ix: int, rows: tuple[int, int], sent: tuple[int, int]) -> None:
    """Write a segment's manifest beside it."""
    content = path.read_bytes()
    manifest = Manifest(
        origin=ORIGIN,
        ix=ix,
        first_seq=rows[0],
        last_seq=rows[0] + rows[1] - 1,
        records_root="0" * 64,
        parquet_bytes=len(content),
        parquet_sha256=hashlib.sha256(content).hexdigest(),
        kinds={"observation": rows[1]},
        again=0,
        sent=sent,
        batch=None,
        known=sent[1] + 5 * NS,
        t_min_ns=sent[0],
        t_max_ns=sent[1],
        sealed_wall_ns=sent[1],
        software=f"slaguard {__version__}",
    )
    (path.parent / manifest.published).write_bytes(manifest.content())


# ── the ways ────────────────────────────────────────────────────────────────────────────────────────────────────────
class Watched:
    """A store that notes how long it answers."""

    def __init__(self, store: ColumnStore) -> None:
        """Watch a store."""
        self._store = store
        self.cpu = 0.0

    def answer(self, demands: Demands) -> Evidence:
        """Answer, and note the processor seconds."""
        before = process_time()
        evidence = self._store.answer(demands)
        self.cpu += process_time() - before
        return evidence

    def __getattr__(self, name: str) -> Any:
        """Return everything else as it is."""
        return getattr(self._store, name)


def plain(home: Path) -> Turn:
    """Let DuckDB aggregate twice over the files."""
    month = f"sent_at >= {MONTH[0]} AND sent_at < {MONTH[1]} AND vendor = 'Acme AI'"
    before, start = process_time(), perf_counter()
    with duckdb.connect(config={"threads": 1, "memory_limit": MEMORY}) as engine:
        engine.execute(f"CREATE VIEW calls AS SELECT * FROM read_parquet('{home}/segments/*.parquet')")
        for statement in PLAIN:
            engine.execute(statement.format(month=month)).fetchnumpy()
    cpu, seconds = process_time() - before, perf_counter() - start
    return Turn(cpu, seconds, 0.0, cpu, peak(), ())


def judged(home: Path, *, partials: bool) -> Turn:
    """Open the ledger and judge the month."""
    loaded = loads(AGREEMENT, "benchmark.yaml", Shelves())
    period = resolve(loaded.agreement, "2026-10")
    before, start = process_time(), perf_counter()
    with open_store(home, memory_limit=MEMORY, threads=1, partials=partials) as store:
        opening = process_time() - before
        watched = Watched(store)
        done = judge(cast("ColumnStore", watched), loaded.agreement, period, KNOWN, spec_sha256=loaded.spec_sha256)
    cpu, seconds = process_time() - before, perf_counter() - start
    result = done.evaluation.to_json()
    hashes = (done.evidence.sha256(), hashlib.sha256(result.encode()).hexdigest())
    return Turn(cpu, seconds, opening, watched.cpu, peak(), hashes)


def peak() -> float:
    """Return the most memory this process has had so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def one(way: str, home: Path) -> Turn:
    """Go one way in this process."""
    return plain(home) if way == "plain" else judged(home, partials=way != "scan")


def turn(way: str, home: Path) -> Turn:
    """Go one way in a process of its own; `fresh` without a cache."""
    if way == "fresh":
        (home / NAME).unlink(missing_ok=True)
    ended = subprocess.run(
        [sys.executable, __file__, "--way", way, "--home", home], check=True, capture_output=True, text=True, env=os.environ
    )
    found = json.loads(ended.stdout)
    return Turn(**{**found, "hashes": tuple(found["hashes"])})


WAYS: Final = ("plain", "scan", "fresh", "kept")


def measure(records: int, turns: int) -> dict[str, list[Turn]]:
    """Take turns of all ways over one month of so many calls."""
    found: dict[str, list[Turn]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(prefix="slaguard-benchmark-") as folder:
        home = Path(folder) / "ledger"
        # Not here: a process inherits the peak of memory of the one that starts it.
        subprocess.run([sys.executable, __file__, "--make", "--records", str(records), "--home", home], check=True)
        size = sum(p.stat().st_size for p in (home / "segments").iterdir())
        for _ in range(turns):
            for way in WAYS:
                found[way].append(turn(way, home))
        print(
            f"{records:,} calls: {size / records:.0f} B each in segments, cache {(home / NAME).stat().st_size / 2**20:.1f} MB"
        )
    hashes = {t.hashes for way in WAYS[1:] for t in found[way]}
    if len(hashes) != 1:
        raise SystemExit(f"the ways disagree: {hashes}")
    return found


def ratio(found: dict[str, list[Turn]], way: str, other: str) -> float:
    """Return the median of the ratios of processor time, turn by turn."""
    return statistics.median(a.cpu / b.cpu for a, b in zip(found[way], found[other], strict=True))


def show(found: dict[str, list[Turn]]) -> None:
    """Print what was measured."""
    names = {
        "plain": "DuckDB's own two aggregations",
        "scan": "the month judged, by a scan",
        "fresh": "the month judged, partials made and kept",
        "kept": "the month judged, from partials",
    }
    for way, turns in found.items():
        cpu, seconds = statistics.median(t.cpu for t in turns), statistics.median(t.seconds for t in turns)
        most = max(t.peak_mb for t in turns)
        print(f"  {names[way]:40} {cpu:7.3f} s CPU {seconds:7.3f} s  peak {most:4.0f} MB", end="")
        print(f"  {split(turns)}" if way != "plain" else "")
    print(f"  scan / DuckDB's own {ratio(found, 'scan', 'plain'):.2f}", end="")
    print(f", partials / DuckDB's own {ratio(found, 'kept', 'plain'):.2f}", end="")
    print(f", partials / scan {ratio(found, 'kept', 'scan'):.2f}; equal evidence and results from all three")


def split(turns: list[Turn]) -> str:
    """Return the processor seconds of each step, in words."""
    opening, answering = statistics.median(t.opening for t in turns), statistics.median(t.answering for t in turns)
    judging = statistics.median(t.cpu - t.opening - t.answering for t in turns)
    return f"open {opening:.3f}, answer {answering:.3f}, evaluate {judging:.3f}"


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=2_000_000)
    options.add_argument("--turns", type=int, default=3)
    options.add_argument("--curve", action="store_true", help="all sizes from 100,000 to 10 million")
    options.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--make", action="store_true", help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.make:
        make(asked.home, asked.records)
        return
    if asked.way:
        print(json.dumps(asdict(one(asked.way, asked.home))))
        return
    previous: dict[str, list[Turn]] | None = None
    for records in CURVE if asked.curve else (asked.records,):
        found = measure(records, asked.turns)
        show(found)
        if previous is not None:
            growth = {
                w: statistics.median(a.cpu for a in found[w]) / statistics.median(b.cpu for b in previous[w]) for w in WAYS
            }
            print("  against a tenth of the calls: " + ", ".join(f"{w} {g:.1f} x" for w, g in growth.items()))
        previous = found
    print(f"load average {os.getloadavg()[0]:.1f}, DuckDB {duckdb.__version__}, {os.cpu_count()} processors, one thread each")


if __name__ == "__main__":
    main()
