"""Every error slaguard raises on purpose, as one tree.

    SlaguardError
    ├── SpecError          an Agreement, Profile, GoldenSet or Mapping is not acceptable; carries all its Problems
    ├── ConfigError        slaguard.yaml, a SecretRef or a flag is not acceptable
    ├── RecordsError       records could not be read at all (a single bad row is counted, not raised)
    ├── LedgerError        the row log is damaged, of another version, or cannot be written
    │   └── LedgerLocked   another process is its writer
    ├── ProbeError         a probe run cannot start; a failed call is never an error, it is an Observation
    ├── FileRefused        (files) a file was not read: missing, a link, a pipe, a directory, too large
    └── ReportRefused      (reports) a report was not written, because it would not be true

The command line prints the message of a SlaguardError and exits 1 or 2; anything else that reaches it is a bug (exit 3).
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where in a file something stands: 1-based line and column."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        """Return ``file:line:column``, the form editors jump to."""
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a document: where, which rule, what stands there, how to mend it."""

    code: str
    place: Place
    path: str
    text: str
    mend: str

    @property
    def is_error(self) -> bool:
        """Tell whether the document is refused for it (``E-…``) or the reader is only warned (``W-…``)."""
        return self.code.startswith("E-")

    def at(self, place: Place) -> Problem:
        """Return the same problem at another place."""
        return replace(self, place=place)

    def render(self) -> str:
        """Return the block a terminal shows."""
        subject = f"{self.path}: {self.text}" if self.path else self.text
        return f"{self.place}: {self.code}  {subject}\n    {self.mend}"


class SlaguardError(Exception):
    """Base of all errors raised on purpose; the message says where, what, and how to mend it."""


class SpecError(SlaguardError):
    """A document was refused; `problems` holds every finding, most severe first."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        """Keep all problems; the message is the first of them and a count."""
        self.problems = problems
        more = f"\n    (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__((problems[0].render() if problems else "the document was refused") + more)


class ConfigError(SlaguardError):
    """The deployment configuration, a secret reference or a flag is not acceptable."""


class RecordsError(SlaguardError):
    """A file of records could not be read, or no mapping fits it."""


class LedgerError(SlaguardError):
    """The row log is damaged, of another version, or cannot be written."""


class LedgerLocked(LedgerError):  # noqa: N818 - the state is the name
    """Another process holds the writer's lock."""

    def __init__(self, path: str, pid: int | None) -> None:
        """Name the holder, so that the reader knows which process to end or wait for."""
        self.pid = pid
        holder = f"process {pid}" if pid is not None else "another process"
        super().__init__(
            f"{path}: E-LOCK  {holder} is writing to this ledger\n"
            "    wait for it to end, or give this process a ledger directory of its own with --ledger"
        )


class ProbeError(SlaguardError):
    """A probe run cannot start."""
