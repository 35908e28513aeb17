"""`slaguard sidecar` as a process between the known vendor and its load, watched from outside while troubles come."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Final

import pytest

from tests.sidecar.loaded import VENDOR, Load, LoadedVendor, Plan, children, load
from tests.sidecar.process import Process, running

WAIT_S: Final = 60.0
CONFIG: Final = """\
ledger: {{path: "{ledger}"}}
sidecar:
  listen: 127.0.0.1:{listen}
  admin: 127.0.0.1:{admin}
  grace: {grace}
  bodies: {bodies}
  queue: {queue}
  largest_body: 64KiB
  upstreams:
    - {{vendor: {vendor}, url: "{url}"}}
"""
OURS_ALONE: Final = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="processes are looked at through /proc")


@dataclass
class Watched:
    """What was seen from outside, several times a second."""

    readiness: list[int] = field(default_factory=list)
    gaps: set[str] = field(default_factory=set)


class Started:
    """A running sidecar with its recorder."""

    def __init__(self, process: Process, config: Path, ledger: Path, vendor: LoadedVendor) -> None:
        self.process = process
        self.config = config
        self.ledger = ledger
        self.vendor = vendor
        self.watched = Watched()
        self.signalled: set[int] = set()
        self.port = int(process.calls.rpartition(":")[2])
        self._over = threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)

    @property
    def pid(self) -> int:
        return self.process.process.pid

    @property
    def recorder(self) -> int | None:
        """The process id of the recorder that runs."""
        found = children(self.pid)
        return found[0] if found else None

    def metrics(self) -> dict[str, float]:
        """Return all series, by name and labels as written, without the common beginning."""
        lines = self.process.get("/metrics")[1].splitlines()
        pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name.removeprefix("slaguard_"): float(value) for name, _, value in pairs}

    def dropped(self) -> int:
        """Return how many calls were not recorded, by the metrics."""
        return int(sum(value for name, value in self.metrics().items() if name.startswith("capture_dropped_total")))

    def until(self, holds: Callable[[dict[str, float]], bool], what: str) -> None:
        """Wait until something holds of the metrics."""
        end = time.monotonic() + WAIT_S
        while not holds(found := self.metrics()):
            assert self.process.process.poll() is None, self.process.said()
            assert time.monotonic() < end, f"{what}\n{self.process.said()[-3000:]}\n{found}"
            time.sleep(0.2)

    def all_known(self, total: int) -> None:
        """Wait until it is known of each call what became of it: recorded + dropped = seen."""
        names = "sidecar_calls_seen_total", "sidecar_calls_recorded_total"

        def holds(found: dict[str, float]) -> bool:
            dropped = sum(value for name, value in found.items() if name.startswith("capture_dropped_total"))
            return found[names[0]] == total == found[names[1]] + dropped

        self.until(holds, f"of {total} calls it is known what became of them")

    def play(self, plan: Plan) -> Load:
        """Play a load; not one call of it may fail or be changed, and readiness must stay."""
        found = load(self.port, plan)
        assert found.wrong == []
        assert len(found.calls) == plan.total
        assert set(self.vendor.asked.values()) == {1}, "every question reached the vendor once"
        assert set(self.watched.readiness) <= {200}, "readiness depends on the pump alone"
        return found

    def signal_recorder(self, number: int) -> int:
        """Send a signal to the recorder that runs, once there is one."""
        end = time.monotonic() + WAIT_S
        while True:
            pid = self.recorder
            if pid is not None:
                with suppress(ProcessLookupError):  # it has just ended: the next one, then
                    os.kill(pid, number)
                    self.signalled.add(pid)
                    return pid
            assert time.monotonic() < end, "there is no recorder"
            time.sleep(0.01)

    def end(self) -> int:
        """Tell it to end; return its exit status."""
        self._over.set()
        self._watching.join(WAIT_S)
        self.process.process.send_signal(signal.SIGTERM)
        return self.process.process.wait(WAIT_S)

    # ── watching ────────────────────────────────────────────────────────────────────────────────────────────────────
    def start(self) -> None:
        self.until(lambda found: found["sidecar_recorder_up"] == 1, "there is a recorder")
        self._watching.start()

    def stop(self) -> None:
        self._over.set()
        if self._watching.ident is not None:
            self._watching.join(WAIT_S)

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            try:
                self.watched.readiness.append(self.process.get("/-/ready")[0])
                found = self.metrics()
            except (OSError, HTTPException):
                self.watched.readiness.append(0)
                continue
            gaps = {
                "dropped": any(value and name.startswith("capture_dropped_total") for name, value in found.items()),
                "down": not found["sidecar_recorder_up"],
                "trouble": bool(found["sidecar_recorder_trouble"]),
                "waiting": found["sidecar_queue_bytes"] > 0,
                "reload": not found["sidecar_config_last_reload_successful"],
            }
            self.watched.gaps |= {name for name, is_there in gaps.items() if is_there}


def configure(path: Path, url: str, ledger: Path, **settings: str) -> None:
    """Write a configuration."""
    given = {"listen": "0", "admin": "0", "grace": "20s", "bodies": "10%", "queue": "32MiB"} | settings
    path.write_text(CONFIG.format(vendor=VENDOR, url=url, ledger=ledger, **given), "utf-8")


@contextmanager
def started(folder: Path, *, ledger: Path | None = None, **settings: str) -> Iterator[Started]:
    """Start a sidecar and its vendor; clear everything away at the end, the recorder too."""
    place = ledger or folder / "ledger"
    config = folder / "slaguard.yaml"
    with LoadedVendor() as vendor:
        configure(config, vendor.url, place, **settings)
        with running(config) as process:
            found = Started(process, config, place, vendor)
            try:
                found.start()
                yield found
            finally:
                found.stop()
                for pid in {*children(found.pid), *found.signalled}:
                    _clear_away(pid)


def _clear_away(pid: int) -> None:
    """End a recorder of ours that is left: one that we stopped does not notice that its sidecar is gone."""
    with suppress(OSError):
        if b"slaguard.sidecar.recorder" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a disk in memory; skips where that is not allowed."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
