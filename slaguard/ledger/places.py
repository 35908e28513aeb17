"""Where the row log keeps an identity in its table of keys.

Keys that are hashes lie anywhere, so that each of them costs a page of its own to write. Observations whose id ends in a
number, as a watcher of traffic counts them, therefore lie side by side: a page holds dozens of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

NUMBERED: Final = 3
"""The version of the row log since which identities with a number lie side by side; before, all are hashes."""
_DIGITS: Final = 18
_RUN: Final = 24
"""Bytes of a place that are of the run."""
Placing = Callable[[str, str], bytes | None]
"""From a record's kind and the first part of its identity, as a header holds it, to 32 bytes that are equal exactly where
kind and identity are; None: its key (`identity.idempotency_key`) is such."""


def placing(version: int) -> Placing:
    """Return how a row log of a version keeps identities."""
    return numbered if version >= NUMBERED else hashed


def hashed(kind: str, name: str) -> None:
    """Leave it to the key."""
    del kind, name


def numbered(kind: str, name: str) -> bytes | None:
    """Return for an observation ``<run>/<number>`` 24 bytes of the run's hash and the number; None for all else."""
    run, slash, digits = name.rpartition("/")
    if not slash or kind != "observation":
        return None
    if digits.isdecimal() and len(digits) <= _DIGITS and (digits[0] != "0" or digits == "0"):
        return _run(run) + int(digits).to_bytes(8, "big")
    return None


def side_by_side(places: Iterable[bytes]) -> tuple[list[tuple[bytes, bytes]], list[bytes]]:
    """Return these places as spans, from the least to the greatest of a run, and those that stand alone.

    A span holds at most twice as many places as were given: what else lies in it is soon passed by.
    """
    runs: dict[bytes, list[bytes]] = {}
    for place in places:
        runs.setdefault(place[:_RUN], []).append(place)
    spans, single = list[tuple[bytes, bytes]](), list[bytes]()
    for run in runs.values():
        first, last = min(run), max(run)
        if len(run) > 1 and int.from_bytes(last[_RUN:], "big") - int.from_bytes(first[_RUN:], "big") < 2 * len(run):
            spans.append((first, last))
        else:
            single += run
    return spans, single


@lru_cache(maxsize=1024)
def _run(run: str) -> bytes:
    return hashlib.sha256(f"observation\x1f{run}/".encode("ascii")).digest()[:_RUN]
