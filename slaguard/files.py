"""Files that last and names that are safe: atomic writes, bounded reads of regular files, an allow-list for names."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import tempfile
from pathlib import Path
from typing import Final

from slaguard.errors import SlaguardError

MAX_NAME: Final = 100
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}\Z", re.ASCII)
_UNSAFE = re.compile(r"[^A-Za-z0-9._@+-]+", re.ASCII)
_RESERVED: Final = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{port}{i}" for port in ("com", "lpt") for i in range(10)}
)  # device names on Windows, with any extension


class FileRefused(SlaguardError):  # noqa: N818 - what happened is the name
    """A file was not read; `path`, `text` and `mend` are the parts of the message."""

    def __init__(self, path: Path, text: str, mend: str) -> None:
        """Keep the parts, so that a caller can put them into a finding of its own."""
        self.path, self.text, self.mend = path, text, mend
        super().__init__(f"{path}: E-FILE  {text}\n    {mend}")


def atomic_write(path: Path, content: bytes | str) -> None:
    """Write a file so that, whenever the power fails, either the old or the whole new content is there.

    Write to a temporary name, fsync, rename, fsync the directory. Of 372 files acknowledged this way none was lost in
    simulated power cuts; without the first fsync every one was, without the last one in 507 (`evidence.md` §3).

    Raises:
        OSError: the directory is missing, not writable or full; what stood at `path` is untouched.

    """
    data = content.encode() if isinstance(content, str) else content
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), _mode_for(path))
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)  # it is there only if something went wrong
    fsync_directory(path.parent)


def _mode_for(path: Path) -> int:
    """Keep the mode of the file that is replaced; a new file is readable by its owner and group."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return 0o640


def fsync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_regular(path: Path, *, limit: int, follow: bool = False) -> bytes:
    """Return a regular file's bytes; anything else is refused before a byte is read.

    Args:
        path: the file.
        limit: the most bytes it may have.
        follow: accept a symbolic link (Kubernetes mounts its files as links).

    Raises:
        FileRefused: missing, unreadable, a link, a directory, a pipe, a device, or larger than `limit`.

    """
    # O_NONBLOCK: opening a pipe without a writer would wait forever.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        handle = os.open(path, flags)
    except (OSError, ValueError) as error:
        raise _refusal(path, error) from None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise FileRefused(path, f"this is {_sort(found.st_mode)}, not a file", "name a regular file")
        if found.st_size > limit:
            raise _too_large(path, limit)
        with os.fdopen(handle, "rb", closefd=False) as file:
            content = file.read(limit + 1)
    finally:
        os.close(handle)
    if len(content) > limit:  # it grew while it was read
        raise _too_large(path, limit)
    return content


def _refusal(path: Path, error: OSError | ValueError) -> FileRefused:
    number = error.errno if isinstance(error, OSError) else None
    match number:
        case errno.ENOENT | errno.ENOTDIR:
            return FileRefused(path, "there is no such file", "check the name and the directory you are in")
        case errno.ELOOP:
            return FileRefused(path, "this is a symbolic link", "name the file it points to")
        case errno.EACCES | errno.EPERM:
            return FileRefused(path, "you may not read this file", "check its owner and mode")
        case None:
            return FileRefused(Path(ascii(str(path))), "a name cannot hold a NUL character", "name a regular file")
        case _:
            return FileRefused(path, f"it cannot be opened: {os.strerror(number)}", "name a regular file")


def _too_large(path: Path, limit: int) -> FileRefused:
    return FileRefused(path, f"it is larger than {limit:,} bytes", "split it, or leave out what is not needed")


def _sort(mode: int) -> str:
    tests = {stat.S_ISDIR: "a directory", stat.S_ISFIFO: "a pipe", stat.S_ISSOCK: "a socket"}
    return next((words for test, words in tests.items() if test(mode)), "a device")


def is_safe_name(name: str) -> bool:
    """Tell whether a name can be a file name everywhere: letters, digits and ``. _ @ + -``, no path, no device name."""
    stem = name.partition(".")[0].lower()
    return bool(_SAFE.match(name)) and not name.endswith(".") and stem not in _RESERVED


def safe_name(text: str) -> str:
    """Return a file name for any text: itself where it is one, else its safe characters and a hash that tells it apart."""
    if is_safe_name(text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    stem = _UNSAFE.sub("-", text).strip("-.")[: MAX_NAME - 10].rstrip("-.")
    stem = stem.lstrip("._@+-")
    name = f"{stem}-{digest}" if stem else digest
    return name if is_safe_name(name) else f"name-{digest}"
