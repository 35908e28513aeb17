"""Are published manifests true of their segments? Only asked where no row log vouches for them.

A manifest says which segments need not be opened at all, so one that is wrong would be a smaller number.
"""

from __future__ import annotations

import duckdb

from slaguard.ledger.attached import Attached, Part, damaged
from slaguard.ledger.sealed_rows import summary


def require_true_manifests(database: duckdb.DuckDBPyConnection, attached: Attached) -> None:
    """Compare what published manifests say with their files: numbers, kinds and times, once for each state of a file.

    Raises:
        LedgerError: E-LOG-CORRUPT, E-LOG-MISSING.
        duckdb.Error: a file cannot be read.

    """

    def require(part: Part) -> None:
        for _, _, what in summary(database, part.link, part.manifest):
            raise damaged(part, what)

    alone = [part for part in attached.parts if part.alone is not None]
    attached.verify(alone)
    attached.stamp_once(alone, lambda part: part.alone or b"", require)
