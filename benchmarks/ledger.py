"""The ledger against its peers: how fast records get on disk and into columns, and how fast Demands are answered.

Three ratios, each measured in one run with the peer in turns (ABAB…), medians of the turns:

* records acknowledged per second by the row log (checked, hashed, FULL, group commit) against SQLite in WAL mode with
  synchronous=NORMAL and a commit for each row, once given records and once given finished bytes;
* the same in CPU time per record, also for calls given as their fields, as a sidecar does;
* answering Counts over a million calls against DuckDB's own GROUP BY over the same columns.

    .venv/bin/python benchmarks/ledger.py [--records N] [--calls N] [--turns N] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from dataclasses import fields as fields_of
from functools import partial
from pathlib import Path
from typing import Any, Final

import duckdb

from slaguard.evaluation.demands import Condition, Counts, Demands, Mark
from slaguard.files import atomic_write
from slaguard.ledger.read import open_store
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.store import ColumnStore
from slaguard.records import NS, Instant, Observation, header
from slaguard.terms import Attribution, Outcome, Source

START = 1_790_000_000 * NS
MONTH = (START, START + 30 * 86_400 * NS)
KNOWN = START * 2
FIELDS: Final = tuple(f.name for f in fields_of(Observation) if f.name != "attributes")


class Wall:
    """The real clock."""

    def read(self) -> Instant:
        """Return now."""
        return Instant(time.time_ns(), time.monotonic_ns(), "benchmark")

    async def sleep_until(self, wall_ns: int) -> None:
        """Nothing here waits."""


@dataclass(frozen=True)
class Turn:
    """One measured piece of work: how many units took how many seconds, of the clock and of the processor."""

    units: int
    seconds: float
    cpu: float


def measured(units: int, work: Callable[[], object]) -> Turn:
    """Do the work and time it."""
    before, start = cpu(), time.perf_counter()
    work()
    return Turn(units, time.perf_counter() - start, cpu() - before)


def cpu() -> float:
    """Return the processor seconds this process has used, in user and system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def calls(count: int) -> Iterator[Observation]:
    """Yield a month of gateway traffic of one vendor, about 700 bytes a record, the same each time."""
    step = (MONTH[1] - MONTH[0]) // count
    for i in range(count):
        failed = i * 7919 % 1000 < 7
        sent, first, total = START + i * step, 200 + i * 31 % 900, 900 + i * 97 % 6000
        yield Observation(
            id=f"chatcmpl-{i * 2654435761 % 2**64:032x}",
            outcome=Outcome.ERROR_500 if failed else Outcome.OK,
            attribution=Attribution.VENDOR if failed else Attribution.NONE,
            source=Source.TRAFFIC,
            via="import:gateway",
            vendor="Acme AI",
            sent_at=sent,
            first_byte_at=None if failed else sent + first * 1_000_000,
            ended_at=sent + total * 1_000_000,
            model_requested="acme-large" if i % 3 else "acme-small",
            model_returned="acme-large-2026-07-18",
            region=("eu-west", "us-east")[i % 2],
            status=500 if failed else 200,
            stream=True,
            stream_end="stop",
            input_tokens=800 + i % 400,
            output_tokens=120 + i % 77,
            logical_request_id=f"req-{i:016x}",
            attempt=1,
            inclusion_probability="1",
            request_id=f"{i * 40503 % 2**64:032x}",
            time_to_first_token_ns=None if failed else first * 1_000_000,
            total_time_ns=total * 1_000_000,
        )


def fields(count: int) -> Iterator[dict[str, Any]]:
    """Yield calls as a sidecar writes them down: their fields alone, ids that are counted, one attribute."""
    for i, call in enumerate(calls(count)):
        found = {name: value for name in FIELDS if (value := getattr(call, name)) is not None}
        yield found | {
            "id": f"sidecar-4f1d22a07c3be915/{i}",
            "via": "sidecar",
            "outcome": call.outcome.value,
            "attribution": call.attribution.value,
            "source": call.source.value,
            "scheduled_at": call.sent_at,
            "attributes": {"endpoint": "POST /v1/chat/completions"},
        }


# ── on disk ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def row_log(records: list[Observation], batch: int, home: Path) -> Turn:
    """Append in batches; each is acknowledged before the next one."""
    with RowLog.open(home / "ledger", clock=Wall()) as log:

        def work() -> None:
            for i in range(0, len(records), batch):
                log.append(records[i : i + batch])

        return measured(len(records), work)


def row_log_of_fields(rows: list[dict[str, Any]], batch: int, home: Path) -> Turn:
    """Append calls as their fields in batches."""
    with RowLog.open(home / "ledger", clock=Wall()) as log:

        def work() -> None:
            for i in range(0, len(rows), batch):
                log.append_observations(rows[i : i + batch])

        return measured(len(rows), work)


def row_per_commit(records: list[Observation], home: Path, *, finished: bool) -> Turn:
    """Insert one row a commit, WAL and NORMAL; `finished`: the bytes were made before the clock starts."""
    connection = sqlite3.connect(home / "peer.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("CREATE TABLE rows(seq INTEGER PRIMARY KEY, hdr BLOB NOT NULL)")
    contents: list[bytes] = [header(r) for r in records] if finished else []

    def work() -> None:
        rows = contents if finished else map(header, records)
        for seq, content in enumerate(rows):
            connection.execute("INSERT INTO rows VALUES (?, ?)", (seq, content))

    turn = measured(len(records), work)
    connection.close()
    return turn


def ingest(records: list[Observation], turns: int) -> dict[str, list[Turn]]:
    """Take turns: the row log in small and large batches, and both peers."""
    rows = list(fields(len(records)))
    work: dict[str, Callable[[Path], Turn]] = {
        "row log, calls as fields, 200 a commit": lambda home: row_log_of_fields(rows, 200, home),
        "row log, calls as fields, 5,000 a commit": lambda home: row_log_of_fields(rows, 5000, home),
        "row log, 200 a commit": lambda home: row_log(records, 200, home),
        "row log, 5,000 a commit": lambda home: row_log(records, 5000, home),
        "SQLite NORMAL, a row a commit, from records": lambda home: row_per_commit(records, home, finished=False),
        "SQLite NORMAL, a row a commit, finished bytes": lambda home: row_per_commit(records, home, finished=True),
    }
    return in_turns(turns, work)


def in_turns(turns: int, work: dict[str, Callable[[Path], Turn]]) -> dict[str, list[Turn]]:
    """Run all kinds of work one after the other, so many times, each in a directory of its own."""
    found: dict[str, list[Turn]] = {name: [] for name in work}
    for _ in range(turns):
        for name, one in work.items():
            with tempfile.TemporaryDirectory(prefix="slaguard-benchmark-") as home:
                found[name].append(one(Path(home)))
    return found


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────
DEMANDS = {
    "uptime": Counts(
        source=Source.TRAFFIC,
        span=MONTH,
        as_of=KNOWN,
        where=(Condition("vendor", ("Acme AI",)),),
        marks=(Mark((), ((START, START + 3600 * NS),)), Mark((Condition("region", ("us-east",)),))),
        keys=("bin", "clock", "outcome", "mask"),
        bin_ns=60 * NS,
    ),
    "latency": Counts(
        source=Source.TRAFFIC,
        span=MONTH,
        as_of=KNOWN,
        where=(Condition("vendor", ("Acme AI",)), Condition("model_requested", ("acme-large",))),
        marks=(Mark((), ((START, START + 3600 * NS),)),),
        keys=("clock", "outcome", "mask", "known", "time_to_first_token"),
    ),
}
PLAIN = {
    "uptime": f"SELECT (sent_at - {START}) // {60 * NS} AS bin, outcome, region, count(*) AS n FROM observation"
    f" WHERE sent_at >= {MONTH[0]} AND sent_at < {MONTH[1]} AND vendor = 'Acme AI' GROUP BY 1, 2, 3",
    "latency": "SELECT outcome, (time_to_first_token_ns + 999999) // 1000000 AS ms, count(*) AS n FROM observation"
    f" WHERE sent_at >= {MONTH[0]} AND sent_at < {MONTH[1]} AND vendor = 'Acme AI' AND model_requested = 'acme-large'"
    " GROUP BY 1, 2",
}
"""What somebody would type who needs the figure once: no time of knowledge, no exclusions, no batches."""


def answers(count: int, turns: int) -> dict[str, list[Turn]]:
    """Take turns answering each Demand and running DuckDB's own aggregation over the same columns."""
    with ColumnStore(memory_limit="2GB", threads=1) as store:
        loading = measured(count, lambda: store.add(calls(count)))
        _ = store.repeated  # looks for repeats once, before the first answer
        work: dict[str, Callable[[Path], Turn]] = {}
        for name, counts in DEMANDS.items():
            asked = Demands((counts,), MONTH, KNOWN)
            work[f"{name}: Counts"] = partial(_answer, store, asked, count)
            work[f"{name}: plain GROUP BY"] = partial(_plain, store, PLAIN[name], count)
        found = in_turns(turns, work)
    return {"made and put into columns": [loading], **found}


def _answer(store: ColumnStore, asked: Demands, count: int, _: Path) -> Turn:
    return measured(count, lambda: store.answer(asked))


def _plain(store: ColumnStore, statement: str, count: int, _: Path) -> Turn:
    peer = store._duckdb  # noqa: SLF001 - the peer works on the same columns
    return measured(count, lambda: peer.execute(statement).fetchnumpy())


def reading(count: int) -> Turn:
    """Read a closed ledger of so many records into columns, every row checked against its hash."""
    with tempfile.TemporaryDirectory(prefix="slaguard-benchmark-") as home:
        with RowLog.open(Path(home), clock=Wall()) as log:
            records = list(calls(count))
            for i in range(0, count, 5000):
                log.append(records[i : i + 5000])
        return measured(count, lambda: open_store(Path(home)).close())


# ── figures ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def rate(turns: list[Turn]) -> float:
    """Return units per second of the clock, median of the turns."""
    return statistics.median(t.units / t.seconds for t in turns)


def cost(turns: list[Turn]) -> float:
    """Return processor microseconds per unit, median of the turns."""
    return statistics.median(t.cpu / t.units * 1e6 for t in turns)


def ratios(found: dict[str, list[Turn]]) -> dict[str, float]:
    """Return the figures that mean something on another machine."""

    def faster(one: str, other: str) -> float:
        return round(statistics.median(b.seconds / a.seconds for a, b in zip(found[one], found[other], strict=True)), 2)

    def cheaper(one: str, other: str) -> float:
        return round(statistics.median(b.cpu / a.cpu for a, b in zip(found[one], found[other], strict=True)), 2)

    small, large = "row log, 200 a commit", "row log, 5,000 a commit"
    records, finished = "SQLite NORMAL, a row a commit, from records", "SQLite NORMAL, a row a commit, finished bytes"
    return {
        "ingest, 200 a commit: times as fast as a row a commit from records": faster(small, records),
        "ingest, 5,000 a commit: times as fast as a row a commit from records": faster(large, records),
        "ingest, 200 a commit: times as fast as a row a commit of finished bytes": faster(small, finished),
        "ingest, 5,000 a commit: times as fast as a row a commit of finished bytes": faster(large, finished),
        "ingest, 200 a commit: times cheaper in CPU than a row a commit from records": cheaper(small, records),
        "ingest, 5,000 a commit: times cheaper in CPU than a row a commit of finished bytes": cheaper(large, finished),
        "uptime Counts: times the time of a plain GROUP BY": faster("uptime: plain GROUP BY", "uptime: Counts"),
        "latency Counts: times the time of a plain GROUP BY": faster("latency: plain GROUP BY", "latency: Counts"),
    }


def main() -> None:
    """Measure, print, and write every turn."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=20_000, help="records put on disk a turn")
    options.add_argument("--calls", type=int, default=1_000_000, help="calls in columns")
    options.add_argument("--turns", type=int, default=5)
    out = Path(tempfile.gettempdir()) / "slaguard-ledger.json"
    options.add_argument("--out", type=Path, default=out, help="where every turn is written")
    asked = options.parse_args()
    found = ingest(list(calls(asked.records)), asked.turns)
    found["row log into columns"] = [reading(100_000)]
    found |= answers(asked.calls, asked.turns)
    figures = ratios(found)
    for name, turns in found.items():
        print(f"{name:48} {rate(turns):12,.0f}/s {cost(turns):8.2f} µs CPU each")
    print()
    for name, ratio in figures.items():
        print(f"{name:84} {ratio:6.2f}")
    report = {
        "ratios": figures,
        "turns": {name: [asdict(t) for t in turns] for name, turns in found.items()},
        "versions": {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version, "duckdb": duckdb.__version__},
        "machine": {"system": platform.platform(), "processors": os.cpu_count(), "load": os.getloadavg()},
    }
    atomic_write(asked.out, json.dumps(report, indent=1) + "\n")
    print(f"\nevery turn: {asked.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
