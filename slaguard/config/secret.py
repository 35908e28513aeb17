"""Where a secret stands, and its value: no model holds it and nothing prints it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn, Self

from slaguard.errors import ConfigError

MAX_SECRET: Final = 4096
_ENV_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z", re.ASCII)


class Secret:
    """The value of a key: nothing shows it but `reveal`, and it cannot be copied into a file by accident."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Keep the value."""
        self._value = value

    def reveal(self) -> str:
        """Return the value, for the one request that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied."""
        msg = "a secret is not written anywhere"
        raise TypeError(msg)


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret stands: ``env:NAME`` or ``file:PATH`` (relative to the configuration's folder)."""

    kind: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a reference; the message of a refusal never repeats what was written, which may be the key itself.

        Raises:
            ValueError: it is none.

        """
        kind, colon, name = text.partition(":")
        if colon and kind == "env" and _ENV_NAME.match(name):
            return cls(kind, name)
        if colon and kind == "file" and name.strip() and name.isprintable():
            return cls(kind, name)
        msg = (
            "write where the key stands, never the key: env:NAME (an environment variable) or file:PATH"
            " (if the key itself stood here, replace it: it has been in a file)"
        )
        raise ValueError(msg)

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


def resolve(ref: SecretRef, environment: Mapping[str, str], read: Callable[[str], bytes]) -> Secret:
    """Return the secret that a reference leads to.

    Args:
        ref: the reference.
        environment: the variables of this process.
        read: returns a file's bytes; the caller says what a relative path is relative to.

    Raises:
        ConfigError: it is missing, empty, or no single line of printable ASCII.

    """
    if ref.kind == "env":
        value = environment.get(ref.name)
        if value is None:
            msg = f"{ref}: the environment variable {ref.name} is not set\n    set it for this process: export {ref.name}=..."
            raise ConfigError(msg)
    else:
        value = read(ref.name).decode("utf-8", "replace")
    value = value.strip("\r\n\t ")
    if not value:
        msg = f"{ref}: the key there is empty\n    put the key there, on one line"
        raise ConfigError(msg)
    if len(value) > MAX_SECRET or not (value.isascii() and value.isprintable()):
        msg = f"{ref}: what stands there is no key: more than one line, not ASCII, or too long\n    put the key alone there"
        raise ConfigError(msg)
    return Secret(value)
