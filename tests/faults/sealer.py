"""Writers that append from two threads and seal from a third until they are killed (see `appender` for the protocol)."""

import json
import os
import random
import sys
import threading
import time
from pathlib import Path

import duckdb  # noqa: F401 - loaded before the forks, so that each writer seals at once

from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import seal_due
from tests.ledger.world import Watch, call

AHEAD = 300
"""Rows that wait to be sealed at most."""


def say(what: object) -> None:
    os.write(1, f"{json.dumps(what)}\n".encode("ascii"))  # at once and whole


def append(log: RowLog, name: str, seed: int) -> None:
    chance = random.Random(seed)
    for n in range(10**9):
        while log.next_seq - log.sealed_through > AHEAD:  # so that there is sealing under way, however slow the machine
            time.sleep(0.001)
        batch = [call(f"{name}-{n}-{i}", region="r" * chance.randrange(50)) for i in range(chance.randrange(1, 4))]
        ack = log.append(batch)
        say([ack.first_seq, ack.last_seq, [r.id for r in batch]])


def seal(log: RowLog, seed: int) -> None:
    chance = random.Random(seed)
    while True:
        seal_due(log, every_ns=10**18, rows=chance.randrange(40, 150))


def write(directory: Path, seed: int) -> None:
    log = RowLog.open(directory, clock=Watch())
    say(os.getpid())
    threads = [threading.Thread(target=append, args=(log, f"{seed}-{t}", seed * 3 + t)) for t in range(2)]
    for thread in (*threads, threading.Thread(target=seal, args=(log, seed))):
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    for seed in sys.stdin:
        writer = os.fork()
        if writer == 0:
            write(Path(sys.argv[1]), int(seed))
        os.waitpid(writer, 0)
        say(None)


if __name__ == "__main__":
    main()
