"""A writer that appends from three threads until it is killed, and says through its standard output what was acknowledged.

One line of JSON an acknowledgement: first and last seq, and the ids in between.
"""

import json
import os
import random
import sys
import threading
from pathlib import Path

from slaguard.ledger.rowlog import RowLog
from tests.ledger.world import Watch, call


def append(log: RowLog, name: str, seed: int) -> None:
    chance = random.Random(seed)
    for n in range(10**9):
        batch = [call(f"{name}-{n}-{i}", region="r" * chance.randrange(250)) for i in range(chance.randrange(1, 20))]
        bodies = [b"answer " * chance.randrange(100) if chance.random() < 0.3 else None for _ in batch]
        ack = log.append(batch, bodies)
        line = json.dumps([ack.first_seq, ack.last_seq, [r.id for r in batch]]) + "\n"
        os.write(1, line.encode("ascii"))  # at once and whole: what is printed was acknowledged


def main() -> None:
    directory, seed = Path(sys.argv[1]), int(sys.argv[2])
    log = RowLog.open(directory, clock=Watch())
    os.write(1, b"[]\n")
    threads = [threading.Thread(target=append, args=(log, f"{seed}-{t}", seed * 3 + t)) for t in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
