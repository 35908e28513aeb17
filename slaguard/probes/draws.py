"""The draw stream of a plan (`evidence.md` §6): SHA-256 in counter mode, because a library's generator is no contract.

Anyone can derive the same numbers from the same seed with nothing but SHA-256.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

import numpy as np
import numpy.typing as npt

_U64: Final = 1 << 64
_AT_ONCE: Final = 1 << 14
_PLAN: Final = b"slaguard/plan/v1"


class Draws:
    """Whole numbers from a seed and a label: ``block_j = SHA-256(seed ‖ label ‖ 0x00 ‖ u64be(j))``, four u64 a block."""

    def __init__(self, seed: bytes, label: str) -> None:
        """Start the stream; labels in use are ``items``, ``times`` and ``audit``."""
        self._prefix = seed + label.encode("ascii") + b"\0"
        self._next_block = 0
        self._ready: list[int] = []

    def _word(self) -> int:
        if not self._ready:
            block = hashlib.sha256(self._prefix + self._next_block.to_bytes(8, "big")).digest()
            self._next_block += 1
            self._ready = [int.from_bytes(block[i : i + 8], "big") for i in (24, 16, 8, 0)]
        return self._ready.pop()

    def uniform(self, n: int) -> int:
        """Return the next number, uniform on 0 … n − 1 without bias.

        Raises:
            ValueError: n is below 1 or above 2^64.

        """
        if not 1 <= n <= _U64:
            msg = "n is a whole number from 1 to 2^64"
            raise ValueError(msg)
        end = _U64 - _U64 % n
        while (word := self._word()) >= end:
            pass
        return word % n

    def permutation(self, n: int) -> list[int]:
        """Return 0 … n − 1 in a drawn order (Fisher–Yates from the last to the second)."""
        order = list(range(n))
        for i in range(n - 1, 0, -1):
            j = self.uniform(i + 1)
            order[i], order[j] = order[j], order[i]
        return order

    # ── passing over ────────────────────────────────────────────────────────────────────────────────────────────────
    def skip(self, count: int, n: int) -> None:
        """Pass over `count` numbers that `uniform(n)` would return: the same as drawing them, ten times as fast."""
        end = _U64 - _U64 % n
        while count > 0:
            words = self._words(min(count, _AT_ONCE))
            count -= int(np.count_nonzero(words <= np.uint64(end - 1)))

    def skip_permutations(self, count: int, n: int) -> None:
        """Pass over `count` times `permutation(n)`."""
        size = n - 1
        while count > 0 and size:
            some = min(count, max(1, _AT_ONCE // size))
            before = self._next_block, list(self._ready)
            if np.any(self._words(some * size) >= np.uint64(_U64 - n)):
                # Whether such a word counts depends on where it stands: draw, as if nobody were in a hurry.
                self._next_block, self._ready = before
                some = 1
                self.permutation(n)
            count -= some

    def _words(self, count: int) -> npt.NDArray[np.uint64]:
        """Return the next words of the stream."""
        ready = [self._ready.pop() for _ in range(min(count, len(self._ready)))]
        blocks = -(-(count - len(ready)) // 4)
        first = self._next_block
        self._next_block += blocks
        stream = b"".join(hashlib.sha256(self._prefix + j.to_bytes(8, "big")).digest() for j in range(first, first + blocks))
        words = np.frombuffer(stream, dtype=">u8").astype(np.uint64)
        used = count - len(ready)
        self._ready += [int(word) for word in words[used:][::-1]]
        return np.concatenate([np.array(ready, dtype=np.uint64), words[:used]])


def derive_seed(secret: bytes, golden_root: bytes, spec_sha256: bytes, period: str, beacon: bytes = b"") -> bytes:
    """Return the seed of a period's plan.

    Args:
        secret: 32 bytes that only we know before the period ends.
        golden_root: 32 bytes that stand for the questions.
        spec_sha256: 32 bytes, the hash of the Agreement's normal form.
        period: ``<start>/<end>`` in UTC seconds, such as ``2027-03-01T00:00:00Z/2027-04-01T00:00:00Z``.
        beacon: a value that becomes known after the plan was committed to; empty without one.

    """
    text = period.encode("ascii")
    parts = [_PLAN, golden_root, spec_sha256]
    for piece in (text, beacon):
        parts += [len(piece).to_bytes(2, "big"), piece]
    return hmac.new(secret, b"".join(parts), hashlib.sha256).digest()
