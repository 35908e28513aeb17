"""The temporary directory: where a store spills and a snapshot is copied to. One that is full or missing is said so."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from slaguard.errors import LedgerError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_CURE: Final = "    make room there, or name another directory on a disk with room with TMPDIR"


class NoScratch(LedgerError):  # noqa: N818 - what there is not is the name
    """The temporary directory cannot be used: nothing is wrong with the ledger."""


def folder(prefix: str = "slaguard-") -> tempfile.TemporaryDirectory[str]:
    """Make a folder that goes with the object that is returned.

    Raises:
        LedgerError: E-DISK-FULL or E-LEDGER-READ.

    """
    with refusals():
        return tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)


@contextmanager
def refusals() -> Iterator[None]:
    """Raise what the temporary directory's disk says as a LedgerError."""
    try:
        yield
    except OSError as error:
        place = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "the temporary directory"
        raise refused(error.strerror or str(error), place, full=error.errno in _FULL) from error


def refused(what: str, place: str, *, full: bool) -> NoScratch:
    """Return the error that names a temporary place, why it cannot be used, and the cure."""
    if full:
        return NoScratch(f"{place}: E-DISK-FULL  there is no room for temporary files; the ledger is as it was\n{_CURE}")
    return NoScratch(f"{place}: E-LEDGER-READ  temporary files cannot be written: {what}\n{_CURE}")
