"""A month of calls in segments: answered from partials, by a scan, and by DuckDB's own aggregation over the same files.

    .venv/bin/python benchmarks/segments.py                        # two million calls, about a minute
    .venv/bin/python benchmarks/segments.py --records 10000000     # the goals' size
    .venv/bin/python benchmarks/segments.py --curve                # 100,000 to 10 million

Prints ratios, which mean something on another machine, and writes nothing but its own temporary folder. Every way runs in
a process of its own, in turns, so that the peak of memory is that way's alone; the answers of all ways are compared.
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
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

import duckdb

from slaguard import __version__
from slaguard.evaluation.demands import Condition, Counts, Demands, Mark
from slaguard.ledger.manifest import Manifest
from slaguard.ledger.partials import NAME
from slaguard.ledger.read import open_store
from slaguard.ledger.segment import COLUMNS
from slaguard.records import NS
from slaguard.terms import Attribution, Outcome, Source

START: Final = 1_790_812_800 * NS
"""The first of October 2026."""
MONTH: Final = (START, START + 31 * 86_400 * NS)
KNOWN: Final = MONTH[1] + 86_400 * NS
SEGMENT: Final = 100_000
ORIGIN: Final = "slaguard/00000000c0ffee00"
CURVE: Final = (100_000, 1_000_000, 10_000_000)

NIGHTS: Final = tuple((START + d * 86_400 * NS, START + d * 86_400 * NS + 3600 * NS) for d in range(0, 31, 7))
DEMANDS: Final = (
    Counts(  # uptime by minutes, with two exclusions
        source=Source.TRAFFIC,
        span=MONTH,
        as_of=KNOWN,
        where=(Condition("vendor", ("Acme AI",)),),
        marks=(Mark((), NIGHTS), Mark((Condition("region", ("us-east",)), Condition("error_code", ("maintenance",))))),
        keys=("bin", "clock", "outcome", "mask"),
        bin_ns=60 * NS,
    ),
    Counts(  # a percentile of the time to the first token
        source=Source.TRAFFIC,
        span=MONTH,
        as_of=KNOWN,
        where=(Condition("vendor", ("Acme AI",)), Condition("model_requested", ("acme-large",))),
        marks=(Mark((), NIGHTS),),
        keys=("clock", "outcome", "mask", "known", "time_to_first_token"),
    ),
)
PLAIN: Final = (
    (
        f"SELECT (sent_at - {START}) // {60 * NS} AS bin, outcome, region, count(*) AS n FROM calls"
        f" WHERE sent_at >= {MONTH[0]} AND sent_at < {MONTH[1]} AND vendor = 'Acme AI' GROUP BY 1, 2, 3"
    ),
    (
        "SELECT outcome, time_to_first_token AS ms, count(*) AS n FROM calls"
        f" WHERE sent_at >= {MONTH[0]} AND sent_at < {MONTH[1]} AND vendor = 'Acme AI' AND model_requested = 'acme-large'"
        " GROUP BY 1, 2"
    ),
)
"""What somebody would type who needs both figures once: no time of knowledge, no exclusions, no batches."""


@dataclass(frozen=True)
class Turn:
    """One way once: processor and clock seconds of the answers, and the process's peak memory."""

    cpu: float
    seconds: float
    peak_mb: float
    sha256: str


# ── a month of segments ─────────────────────────────────────────────────────────────────────────────────────────────
def make(home: Path, records: int) -> None:
    """Write segments of a month's calls in order of time, made by DuckDB (a writer would take a while), with manifests."""
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
        made = {**known, "seq": "i", "segment": f"'{ORIGIN}/{ix}'"}
        columns = ", ".join(f'CAST({made.get(name, "NULL")} AS {kind}) AS "{name}"' for name, (kind, _) in COLUMNS.items())
        path = folder / f"{ix:08d}.parquet"
        engine.execute(
            f"COPY (SELECT {columns} FROM (SELECT i, {START} + i * {step} AS sent, i * 7919 % 1000 < 7 AS failed"
            f" FROM (SELECT CAST(range AS BIGINT) AS i FROM range({first}, {first + count})))) TO '{path}'"
            " (FORMAT parquet, COMPRESSION zstd)"
        )
        sent = (START + first * step, START + (first + count - 1) * step)
        publish(path, ix, (first, count), sent)
    engine.close()


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
def plain(home: Path) -> str:
    """Let DuckDB aggregate twice over the files."""
    with duckdb.connect(config={"threads": 1, "memory_limit": "512MB"}) as engine:
        engine.execute(f"CREATE VIEW calls AS SELECT * FROM read_parquet('{home}/segments/*.parquet')")
        for statement in PLAIN:
            engine.execute(statement).fetchnumpy()
    return ""


def answered(home: Path, *, partials: bool) -> str:
    """Open the ledger and answer both Demands."""
    with open_store(home, memory_limit="512MB", threads=1, partials=partials) as store:
        return store.answer(Demands(DEMANDS, MONTH, KNOWN)).sha256()


def one(way: str, home: Path) -> Turn:
    """Go one way in this process."""
    before, start = resource.getrusage(resource.RUSAGE_SELF), perf_counter()
    sha256 = plain(home) if way == "plain" else answered(home, partials=way != "scan")
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return Turn(cpu, perf_counter() - start, after.ru_maxrss / scale, sha256)


def turn(way: str, home: Path) -> Turn:
    """Go one way in a process of its own; `fresh` without a cache."""
    if way == "fresh":
        (home / NAME).unlink(missing_ok=True)
    ended = subprocess.run(
        [sys.executable, __file__, "--way", way, "--home", home], check=True, capture_output=True, text=True, env=os.environ
    )
    return Turn(**json.loads(ended.stdout))


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
    hashes = {t.sha256 for way in WAYS[1:] for t in found[way]}
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
        "scan": "both Demands, by a scan",
        "fresh": "both Demands, partials made and kept",
        "kept": "both Demands, from partials",
    }
    for way, turns in found.items():
        cpu, seconds = statistics.median(t.cpu for t in turns), statistics.median(t.seconds for t in turns)
        peak = max(t.peak_mb for t in turns)
        print(f"  {names[way]:40} {cpu:7.3f} s CPU {seconds:7.3f} s  peak {peak:5.0f} MB")
    print(f"  scan / DuckDB's own {ratio(found, 'scan', 'plain'):.2f}", end="")
    print(f", partials / DuckDB's own {ratio(found, 'kept', 'plain'):.2f}", end="")
    print(f", partials / scan {ratio(found, 'kept', 'scan'):.2f}; equal evidence from all three")


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
