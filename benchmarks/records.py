"""A month of calls through rules that look at single records, against DuckDB's plain aggregation of the same files.

    .venv/bin/python benchmarks/records.py                        # ten million calls, some minutes
    .venv/bin/python benchmarks/records.py --records 1000000

Three Agreements are judged, each with one share of failures: with repeats taken out, with back-off, and within an
entitlement. Measured is all from opening the ledger to the Evaluation (`ledger.judge.judge`), in processor seconds of one
thread; `scan` keeps nothing, `kept` has the partials of an earlier look. The peer groups the calls by minute and outcome,
as somebody would type it who asks nothing else. Ratios mean something on another machine; seconds do not.

Every way runs in a process of its own, in turns, so that the peak of memory is that way's alone. Nothing is written but a
temporary folder.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Final

import duckdb
from segments import KNOWN, MEMORY, MONTH, NS, START, make, peak

from slaguard.files import atomic_write
from slaguard.ledger.judge import judge
from slaguard.ledger.read import open_store
from slaguard.spec.library import Shelves
from slaguard.spec.load import loads
from slaguard.spec.resolve import resolve

GOAL: Final = 6.0
WINDOW: Final = 900 * NS
MORE: Final = {
    "client_id": "'client-' || CAST(hash(i) % 1000 AS VARCHAR)",
    "ended_at": "sent + (900 + i * 97 % 6000) * 1000000",
    "input_tokens": f"800 + i % 400 + CASE WHEN (sent - {START}) // {WINDOW} % 10 = 0 THEN 600 ELSE 0 END",
    "attribute_names": "CASE WHEN i % 2 = 0 THEN 'cached_input_tokens' END",
    "attribute_values": "CASE WHEN i % 2 = 0 THEN CAST(i % 300 AS VARCHAR) END",
}
"""A thousand clients; every tenth quarter of an hour needs more tokens than there are; half of the calls read the cache."""
HEAD: Final = """\
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
use: [outcomes/server-faults@1]
objectives:
  - name: errors
    clause: Exhibit B 2.2
    use: errors/share-failed@1
    at_most: 1%
"""
TERMS: Final = {
    "repeats": "    indicator:\n"
    "      repeats: {within: 5m, window: fixed, by: [client_id], end: inclusive, success_resets: no}\n",
    "backoff": "    indicator:\n      backoff: {first: 1s, factor: 2, max: 32s, per: [client_id], gap_from: error_end}\n",
    "entitlement": "    eligible:\n      entitlement:\n        window: 15m\n        tokens: {tokens}\n        of: eligible\n"
    '        weights: {input: "1", output: "6", cached_input: "0.5"}\n',
}
PLAIN: Final = (
    f"SELECT minute, outcome, count(*) AS n FROM calls WHERE sent_at >= {MONTH[0]} AND sent_at < {MONTH[1]} GROUP BY ALL"
)


@dataclass(frozen=True)
class Turn:
    """One way once: processor and clock seconds, peak memory, and how many records its filter took out."""

    cpu: float
    seconds: float
    peak_mb: float
    removed: int


def one(way: str, home: Path, records: int) -> Turn:
    """Go one way in this process: ``plain``, or a filter and how, such as ``repeats/scan``."""
    if way == "plain":
        return plain(home)
    name, how = way.split("/")
    in_a_window = records * WINDOW // (MONTH[1] - MONTH[0])
    text = HEAD + TERMS[name].replace("{tokens}", str(in_a_window * 2_100))
    loaded = loads(text, "benchmark.yaml", Shelves())
    period = resolve(loaded.agreement, "2026-10")
    before, start = process_time(), perf_counter()
    with open_store(home, memory_limit=MEMORY, threads=1, partials=how == "kept") as store:
        done = judge(store, loaded.agreement, period, KNOWN, spec_sha256=loaded.spec_sha256)
    removed = sum(f.n for o in done.evaluation.objectives for f in o.filtered)
    return Turn(process_time() - before, perf_counter() - start, peak(), removed)


def plain(home: Path) -> Turn:
    """Let DuckDB aggregate the files."""
    before, start = process_time(), perf_counter()
    with duckdb.connect(config={"threads": 1, "memory_limit": MEMORY}) as engine:
        engine.execute(f"CREATE VIEW calls AS SELECT * FROM read_parquet('{home}/segments/*.parquet')")
        engine.execute(PLAIN).fetchnumpy()
    return Turn(process_time() - before, perf_counter() - start, peak(), 0)


def turn(way: str, home: Path, records: int) -> Turn:
    """Go one way in a process of its own."""
    command = [sys.executable, __file__, "--way", way, "--home", str(home), "--records", str(records)]
    ended = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
    return Turn(**json.loads(ended.stdout))


def ways() -> tuple[str, ...]:
    """Return all ways, the peer first."""
    return ("plain", *(f"{name}/{how}" for how in ("scan", "kept") for name in TERMS))


def table(found: dict[str, list[Turn]]) -> str:
    """Return the figures, medians of the turns, and each way's processor time against the peer's."""
    peer = statistics.median(t.cpu for t in found["plain"])
    lines = [f"{'way':18} {'cpu s':>8} {'clock s':>8} {'peak MB':>8} {'removed':>10} {'× plain':>8}"]
    for way, turns in found.items():
        cpu, seconds = (statistics.median(getattr(t, part) for t in turns) for part in ("cpu", "seconds"))
        most = max(t.peak_mb for t in turns)
        lines.append(f"{way:18} {cpu:8.2f} {seconds:8.2f} {most:8.0f} {turns[0].removed:10,} {cpu / peer:8.2f}")
    return "\n".join(lines)


def main() -> None:
    """Run the turns, print the table, and fail where a ratio is over the goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--way")
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    if given.way:
        print(json.dumps(asdict(one(given.way, given.home, given.records))))
        return
    with tempfile.TemporaryDirectory(prefix="slaguard-benchmark-") as place:
        home = Path(place) / "ledger"
        make(home, given.records, MORE)
        for way in ways():
            turn(way, home, given.records)  # a first look: files in memory, partials kept, files verified
        found: dict[str, list[Turn]] = {way: [] for way in ways()}
        for _ in range(given.turns):
            for way, turns in found.items():
                turns.append(turn(way, home, given.records))
    print(f"{given.records:,} calls, {given.turns} turns; DuckDB {duckdb.__version__}, Python {sys.version.split()[0]}")
    print(table(found))
    if given.out:
        atomic_write(given.out, json.dumps({way: [asdict(t) for t in turns] for way, turns in found.items()}).encode())
    peer = statistics.median(t.cpu for t in found["plain"])
    worst = max(statistics.median(t.cpu for t in turns) / peer for turns in found.values())
    if worst > GOAL:
        sys.exit(f"a way takes {worst:.1f} times as long as the plain aggregation; the goal is {GOAL:g}")


if __name__ == "__main__":
    main()
