"""The options that several verbs share: where the records are, which period, as known when."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LedgerDir = Annotated[Path | None, typer.Option(help="The ledger's directory.")]
RecordFiles = Annotated[
    list[str] | None, typer.Option(help="A file of records (CSV or JSONL, gzipped or not); repeat for more.")
]
MappingName = Annotated[
    str | None, typer.Option(help="How to read them: auto (if absent), a shipped mapping's name, or your own file.")
]
Covers = Annotated[str | None, typer.Option(help="What the records cover: START/END, if the mapping does not say.")]
FactsFile = Annotated[Path | None, typer.Option(help="Incidents and Facts (announcements, invoices …), JSONL.")]
PeriodText = Annotated[
    str | None, typer.Option(help="2026-10, 2026-Q4, 2026-10-05, 2026 or START/END; absent: the last closed one.")
]
AsOf = Annotated[str | None, typer.Option(help="Judge with what was known then (RFC 3339); absent: now.")]
