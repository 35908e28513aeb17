"""The store's DuckDB: bounded memory, one folder to spill to, and no way to any other file than a ledger's segments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from slaguard.ledger.stored import TABLES
from slaguard.ledger.writers import SEGMENTS, Sealed


def connect(home: Path, memory_limit: str, threads: int | None, writers: Sequence[Sealed] = ()) -> duckdb.DuckDBPyConnection:
    """Return an empty database in memory with the store's tables.

    Args:
        home: a folder of the store's own, in which DuckDB spills.
        memory_limit: what it may use before it does, as DuckDB writes it.
        threads: how many it uses; None: as many as there are processors.
        writers: those whose segments may be read.

    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "memory_limit": memory_limit,
        "temp_directory": str(home),
    }
    if threads is not None:
        config["threads"] = threads
    database = duckdb.connect(":memory:", config=config)
    folders = [str((writer.folder / SEGMENTS).resolve()) for writer in writers if writer.manifests]
    if folders:
        listed = ", ".join(f"'{folder}'" for folder in (f.replace("'", "''") for f in folders))
        database.execute(f"SET allowed_directories = [{listed}]")
    # All objects are text: nothing to guess. Order is by `pos`, not by insertion. External access goes last.
    for setting in ("pandas_analyze_sample = 0", "preserve_insertion_order = false", "enable_external_access = false"):
        database.execute(f"SET {setting}")
    for table in TABLES.values():
        database.execute(table.create())
    return database
