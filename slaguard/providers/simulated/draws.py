"""Randomness that is a function of the seed and the request, never of the order in which requests arrive.

A draw is the SHA-256 of a key and a label. Adding a label moves no other draw, and no generator of a library is used:
their streams are no contract between versions.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

_U64: Final = 1 << 64
_NORMAL: Final = NormalDist()


@dataclass(frozen=True, slots=True)
class Draws:
    """All draws of one request; equal keys give equal draws."""

    key: bytes

    @classmethod
    def of(cls, seed: int, *parts: str | int) -> Draws:
        """Return the draws that belong to `seed` and `parts`, framed as JSON so that no two lists collide."""
        return cls(hashlib.sha256(json.dumps([seed, *parts]).encode("ascii")).digest())

    def bits(self, label: str) -> int:
        """Return a whole number, uniform on [0, 2^64)."""
        return int.from_bytes(hashlib.sha256(self.key + label.encode()).digest()[:8], "big")

    def share(self, label: str) -> float:
        """Return a number uniform on [0, 1)."""
        return (self.bits(label) >> 11) / (1 << 53)

    def below(self, label: str, n: int) -> int:
        """Return a whole number in [0, n); the bias is below n / 2^64."""
        return self.bits(label) * n // _U64

    def normal(self, label: str) -> float:
        """Return a standard normal number, by inversion."""
        return _NORMAL.inv_cdf(((self.bits(label) >> 12) + 0.5) / (1 << 52))

    def hexadecimal(self, label: str) -> str:
        """Return 24 hexadecimal digits, for a handle a vendor would give."""
        return hashlib.sha256(self.key + label.encode()).hexdigest()[:24]
