"""Writers that append from three threads until they are killed, and say through standard output what was acknowledged.

One line of standard input, a seed, begins one writer: a fork of this process, so that thirty of them start quickly. Its
first line is its process id; then one line of JSON an acknowledgement: first and last seq, and the ids in between. After
its death this process writes ``null``.
"""

import json
import os
import random
import sys
import threading
from pathlib import Path

from slaguard.ledger.rowlog import RowLog
from tests.ledger.world import Watch, call


def say(what: object) -> None:
    os.write(1, f"{json.dumps(what)}\n".encode("ascii"))  # at once and whole


def append(log: RowLog, name: str, seed: int) -> None:
    chance = random.Random(seed)
    for n in range(10**9):
        batch = [call(f"{name}-{n}-{i}", region="r" * chance.randrange(250)) for i in range(chance.randrange(1, 20))]
        bodies = [b"answer " * chance.randrange(100) if chance.random() < 0.3 else None for _ in batch]
        ack = log.append(batch, bodies)
        say([ack.first_seq, ack.last_seq, [r.id for r in batch]])


def write(directory: Path, seed: int) -> None:
    log = RowLog.open(directory, clock=Watch())
    say(os.getpid())
    threads = [threading.Thread(target=append, args=(log, f"{seed}-{t}", seed * 3 + t)) for t in range(3)]
    for thread in threads:
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
