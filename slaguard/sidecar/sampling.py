"""Whose question and answer are kept: drawn by a keyed hash of the request's own id, before anything came of it.

All attempts of one request are kept or none, and nobody without the key can tell which, so nobody can choose to be seen.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Final

_DIGEST_BYTES: Final = 8
_RANGE: Final = 1 << 8 * _DIGEST_BYTES
_KEY_BYTES: Final = 64
"""The longest key of BLAKE2b."""
_MOST_ID: Final = 512
"""Characters of an id: twice what the ledger keeps, so that what is cut off here cannot hide half a key in it."""
_NAMES: Final = (b"x-client-request-id", b"x-request-id", b"idempotency-key")
_RETRIES: Final = b"x-stainless-retry-count"
_ALL_NAMES: Final = frozenset({*_NAMES, b"traceparent"})
_TRACE: Final = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_DIGITS: Final = 18


def logical_id(noted: Mapping[bytes, bytes]) -> str | None:
    """Return the id under which a client sends one request, however often it tries; None where it names none.

    A trace is one only where the client counts its attempts: many requests of one task share a trace.

    Args:
        noted: the request's header fields, by lower-case name.

    """
    if _ALL_NAMES.isdisjoint(noted):
        return None
    for name in _NAMES:
        if noted.get(name):
            return noted[name][:_MOST_ID].decode("latin-1")
    if b"traceparent" in noted and _RETRIES in noted:
        trace = _TRACE.match(noted[b"traceparent"])
        return trace[1].decode("ascii") if trace is not None else None
    return None


def decimal_of(share: Fraction) -> str:
    """Return a share as a decimal without exponent: exact where it has one, else to 18 digits."""
    with localcontext() as context:
        context.prec = _DIGITS
        text = f"{Decimal(share.numerator) / Decimal(share.denominator):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class Sampler:
    """Draws the share of requests; `share` is how likely each is drawn, as it is recorded."""

    __slots__ = ("_below", "_named", "_unnamed", "share")

    def __init__(self, key: bytes, share: Fraction, writer: str) -> None:
        """Draw by this key.

        Args:
            key: secret; the same key draws the same requests.
            share: between 0 and 1.
            writer: with a slash and a number behind it, it is the id of a request that has none of its own.

        """
        short = key if len(key) <= _KEY_BYTES else hashlib.blake2b(key).digest()
        self._named = hashlib.blake2b(key=short, digest_size=_DIGEST_BYTES)
        self._unnamed = self._named.copy()
        self._unnamed.update(f"{writer}/".encode())
        below = share.numerator * _RANGE // share.denominator
        # One byte more than a digest has: a share of 1 is above all of them.
        self._below = below.to_bytes(_DIGEST_BYTES, "big") if below < _RANGE else b"\xff" * (_DIGEST_BYTES + 1)
        self.share = decimal_of(share)

    def draws(self, request: str | None, number: int) -> bool:
        """Tell whether a request is drawn.

        Args:
            request: its own id, None where it has none.
            number: the writer's number of this attempt.

        """
        if request is None:
            digest = self._unnamed.copy()
            digest.update(b"%d" % number)
        else:
            digest = self._named.copy()
            digest.update(request.encode("utf-8"))
        return digest.digest() < self._below
