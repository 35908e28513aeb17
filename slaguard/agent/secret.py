"""The secret that plans are drawn from: it keeps a vendor from knowing when it will be asked what."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from slaguard.errors import ConfigError
from slaguard.files import FileRefused, fsync_directory, read_regular

NAME: Final = "agent.secret"
SIZE: Final = 32
_TEXT: Final = re.compile(rb"[0-9a-f]{64}\n?\Z")


def agent_secret(ledger: Path, entropy: Callable[[int], bytes]) -> bytes:
    """Return the 32 bytes in `ledger`/agent.secret; made there, for the owner alone, where there are none.

    The caller holds the ledger's lock, so nobody else makes one meanwhile.

    Raises:
        ConfigError: the file is no secret, or others may read it.
        OSError: it cannot be written.

    """
    path = ledger / NAME
    if not path.exists():
        _make(path, entropy(SIZE))
    try:
        text = read_regular(path, limit=SIZE * 4)
    except FileRefused as error:
        raise ConfigError(str(error)) from None
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        msg = f"{path}: others than its owner may read the secret that plans are drawn from\n    chmod 600 {path}"
        raise ConfigError(msg)
    if not _TEXT.match(text):
        msg = (
            f"{path}: not the 64 hexadecimal digits that were written here\n"
            "    restore the file; without it, remove it: another plan is then drawn from now on"
        )
        raise ConfigError(msg)
    return bytes.fromhex(text.decode("ascii").strip())


def _make(path: Path, secret: bytes) -> None:
    """Write it whole or not at all, never readable by others, not even for a moment."""
    part = path.with_name(f".{NAME}.part")
    with suppress(FileNotFoundError):
        part.unlink()  # of a start that was killed
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, secret.hex().encode("ascii") + b"\n")
        os.fsync(handle)
    finally:
        os.close(handle)
    part.rename(path)
    fsync_directory(path.parent)


def period_seed(secret: bytes, agreement: str, model: str, label: str) -> bytes:
    """Return the seed of one probe's plan in one period: HMAC-SHA256 over ``agreement/model/label``."""
    return hmac.new(secret, f"{agreement}/{model}/{label}".encode(), hashlib.sha256).digest()


def slot_tag(secret: bytes) -> str:
    """Return the eight hexadecimal digits in the names of all slots that are drawn from a secret; they do not tell it.

    Two hosts may ask the same model for the same Agreement: read side by side, what they found must not look like one.
    """
    return hmac.new(secret, b"slot name", hashlib.sha256).hexdigest()[:8]
