"""Find a provider's adapter by name: those that are installed, ours and other people's, through the entry points."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Final

from slaguard.errors import ConfigError
from slaguard.providers.base import Endpoint, Provider, Transport

GROUP: Final = "slaguard.providers"
Adapter = Callable[[Endpoint, Transport], Provider]


def find_adapter(name: str) -> Adapter:
    """Return the adapter of this name.

    Raises:
        ConfigError: none of this name is installed.

    """
    doors = entry_points(group=GROUP)
    if name not in doors.names:
        there = ", ".join(sorted(doors.names)) or "none"
        mend = "write one of these, or install the package that brings it"
        msg = f"no adapter {name!r} is installed; there is {there}\n    {mend}"
        raise ConfigError(msg)
    adapter: Adapter = doors[name].load()
    return adapter
