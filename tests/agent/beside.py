"""A sidecar's recorder as another process sees it: ``python -m tests.agent.beside FOLDER INSTANCE START``.

Each line of standard input, two minutes of the day, makes it write what passed between them, and is answered with ``done``
once that is on disk; at the end of the input it closes its log.
"""

from __future__ import annotations

import sys
from pathlib import Path

from slaguard.ledger.rowlog import RowLog
from tests.cli.watched import Now
from tests.e2e.traffic import sidecar


def say(word: str) -> None:
    """Answer whoever started this process."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main() -> None:
    """Write until the input ends."""
    folder, instance, start = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    with RowLog.open(folder, clock=Now()) as log:
        say("ready")
        for line in sys.stdin:
            first, last = map(int, line.split())
            log.append(list(sidecar(range(first, last), instance=f"{instance}-{first}", start=start)))
            say("done")


if __name__ == "__main__":
    main()
