"""A secret in a file of its own beside a ledger's rows, for its owner alone, made where there is none."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from slaguard.errors import ConfigError
from slaguard.files import FileRefused, fsync_directory, read_regular

SIZE: Final = 32
_TEXT: Final = re.compile(rb"[0-9a-f]{64}\n?\Z")


def kept_secret(path: Path, entropy: Callable[[int], bytes], what: str) -> bytes:
    """Return the 32 bytes in a file; made there, for the owner alone, where there are none.

    The caller sees to it that nobody else makes one meanwhile.

    Args:
        path: the file, whose folder is there.
        entropy: returns so many random bytes.
        what: what is drawn from it, for messages: ``plans``.

    Raises:
        ConfigError: the file is no secret, or others may read it.
        OSError: it cannot be written.

    """
    if not path.exists():
        _make(path, entropy(SIZE))
    try:
        text = read_regular(path, limit=SIZE * 4)
    except FileRefused as error:
        raise ConfigError(str(error)) from None
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        msg = f"{path}: others than its owner may read the secret that {what} are drawn from\n    chmod 600 {path}"
        raise ConfigError(msg)
    if not _TEXT.match(text):
        msg = (
            f"{path}: not the 64 hexadecimal digits that were written here\n"
            f"    restore the file; without it, remove it: other {what} are then drawn from now on"
        )
        raise ConfigError(msg)
    return bytes.fromhex(text.decode("ascii").strip())


def _make(path: Path, secret: bytes) -> None:
    """Write it whole or not at all, never readable by others, not even for a moment."""
    part = path.with_name(f".{path.name}.part")
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
