"""Seals what a sidecar has written, as its recorder does once an hour, and says what that takes.

python sidecar_seal.py FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import process_time

from slaguard.cli.clock import SystemClock
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import seal_all

if __name__ == "__main__":
    with RowLog.open(Path(sys.argv[1]), clock=SystemClock()) as log:
        before, rows = process_time(), log.next_seq - 1 - log.sealed_through
        seal_all(log)
        print(json.dumps({"rows": rows, "cpu": process_time() - before}))
