"""The containers' files as data: what is mounted where, and which programs are started with which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

REPO = Path(__file__).resolve().parents[2]
FOLDER = REPO / "exporters" / "compose"
AGENT = FOLDER / "agent"


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
    volumes = (volume.split(":") for volume in services()[service].get("volumes", ()))
    return {parts[1]: (FOLDER / parts[0]).resolve() for parts in volumes if parts[0].startswith(".")}


def found(service: str, path: str) -> Path:
    """Return which of our files a service finds at a path, in a folder that is mounted."""
    for inside, ours in mounts(service).items():
        if path.startswith(f"{inside}/"):
            return ours / path.removeprefix(f"{inside}/")
    msg = f"{path} is not mounted in {service}"
    raise AssertionError(msg)


def dockerfile() -> list[list[str]]:
    """Return the Dockerfile's instructions, each as its words; comments and continued lines are resolved."""
    text = (FOLDER / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    return [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
