"""One month of one traffic, for the README's comparison of contracts: `python docs/one_month.py > october.csv`.

Two calls a minute through October 2026 (UTC). For four days the vendor flaps: in four minutes out of five one of the two
calls ends with a status 500, and the fifth minute is good.
"""

from __future__ import annotations

import csv
import sys
from datetime import UTC, datetime, timedelta
from typing import Final, TextIO

START: Final = datetime(2026, 10, 1, tzinfo=UTC)
MINUTES: Final = 31 * 24 * 60
FLAPPING: Final = range(11, 15)
"""The days of the month, from 0, on which the vendor flaps."""


def fails(minute: int, call: int) -> bool:
    """Tell whether a call of a minute fails."""
    return minute // 1440 in FLAPPING and minute % 5 != 4 and call == minute % 2


def write(out: TextIO) -> None:
    """Write the calls as CSV."""
    table = csv.writer(out, lineterminator="\n")
    table.writerow(("time", "model", "status", "total_ms"))
    for minute in range(MINUTES):
        for call in range(2):
            moment = START + timedelta(minutes=minute, seconds=30 * call)
            table.writerow((moment.strftime("%Y-%m-%dT%H:%M:%SZ"), "m-1", 500 if fails(minute, call) else 200, 900))


if __name__ == "__main__":
    write(sys.stdout)
