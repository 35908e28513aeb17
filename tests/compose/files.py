"""The containers' files as data: what is mounted where, and which programs are started with which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

REPO = Path(__file__).resolve().parents[2]
FOLDER = REPO / "exporters" / "compose"


def compose() -> dict[str, Any]:
    """Return docker-compose.yml, anchors and merges resolved."""
    read: dict[str, Any] = yaml.safe_load((FOLDER / "docker-compose.yml").read_text("utf-8"))
    return read


def services() -> dict[str, dict[str, Any]]:
    """Return its services by name."""
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def mounts(service: str) -> dict[str, Path]:
    """Return which of our files a service finds where: container path → file or folder of the checkout."""
    found = (volume.split(":") for volume in services()[service].get("volumes", ()))
    return {parts[1]: (FOLDER / parts[0]).resolve() for parts in found if parts[0].startswith(".")}


def dockerfile() -> list[list[str]]:
    """Return the Dockerfile's instructions, each as its words; comments and continued lines are resolved."""
    text = (FOLDER / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    return [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
