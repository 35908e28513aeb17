"""Whatever happens to the record, the traffic does not notice; and what was not recorded is not called watched."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvloop

from slaguard.cli.clock import SystemClock
from slaguard.providers.addresses import AddressPolicy
from slaguard.records import NS, Instant
from slaguard.sidecar.link import Link, LinkState, RecorderSpec
from slaguard.sidecar.pump import Pump
from slaguard.sidecar.route import Routes, Upstream
from tests.sidecar.loaded import VENDOR, Ledger, LoadedVendor, Plan, load
from tests.sidecar.started import OURS_ALONE, WAIT_S, configure, small_disk, started

pytestmark = [pytest.mark.faults, OURS_ALONE]
HOUR = 3600 * NS
T = TypeVar("T")
TOTALS = [500, pytest.param(5000, marks=pytest.mark.slow)]


# ── the ledger ──────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("total", TOTALS)
def test_a_ledger_that_is_removed_is_not_noticed_by_the_traffic(tmp_path: Path, total: int) -> None:
    with started(tmp_path) as sidecar:
        removed: list[float] = []

        def remove() -> None:
            sidecar.until(lambda series: series["sidecar_calls_recorded_total"] > 20, "something is on disk")
            removed.append(sidecar.metrics()["sidecar_calls_recorded_total"])
            shutil.rmtree(sidecar.ledger / "sidecar")

        found = sidecar.play(Plan(total=total, pace_s=0.2, troubles=[(20, remove)]))
        sidecar.all_known(total)
        dropped = sidecar.dropped()
        assert sidecar.end() == 0, sidecar.process.said()
        assert sidecar.watched.gaps & {"dropped", "trouble", "down"}, sidecar.process.said()
        books = Ledger.of(sidecar.ledger)
        assert dropped + removed[0] <= books.lost(found) < total, "what was removed is gone, and the rest is there"
        assert not books.is_watched(found.calls[0].done_ns)
        books.require_true(found)


@pytest.mark.parametrize("total", TOTALS)
def test_a_full_disk_is_not_noticed_by_the_traffic(tmp_path: Path, total: int) -> None:
    room = f"{8 * total // 500}m"
    with small_disk(tmp_path / "disk", room) as disk, started(tmp_path, ledger=disk / "ledger") as sidecar:
        filler = disk / "filler"
        troubles = [(total // 5, lambda: fill(filler)), (total * 4 // 5, filler.unlink)]
        found = sidecar.play(Plan(total=total, troubles=troubles))
        assert sidecar.watched.gaps & {"dropped", "trouble", "down", "waiting"}
        sidecar.all_known(total)
        dropped = sidecar.dropped()
        assert sidecar.end() == 0, sidecar.process.said()
        books = Ledger.of(sidecar.ledger)
        books.require_true(found)
        assert books.lost(found) == dropped


def test_a_disk_that_was_full_at_the_start_is_used_once_it_has_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "8m") as disk:
        (disk / "ledger" / "sidecar").mkdir(parents=True)
        filler = disk / "filler"
        fill(filler)
        with started(tmp_path, ledger=disk / "ledger") as sidecar:

            def make_room() -> None:
                sidecar.until(lambda series: series["sidecar_recorder_trouble"] == 1, "the metrics say so")
                filler.unlink()

            found = sidecar.play(Plan(total=200, pace_s=0.2, troubles=[(20, make_room)]))
            sidecar.all_known(200)
            assert sidecar.dropped() == 0
            assert sidecar.end() == 0, sidecar.process.said()
            books = Ledger.of(sidecar.ledger)
            books.require_true(found)
            assert books.lost(found) == 0


def fill(path: Path) -> None:
    """Leave no byte of room."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(4096)) == 4096:
            pass


@pytest.mark.parametrize("total", TOTALS)
def test_a_ledger_that_becomes_read_only_is_not_noticed_by_the_traffic(tmp_path: Path, total: int) -> None:
    with small_disk(tmp_path / "disk", "64m") as disk, started(tmp_path, ledger=disk / "ledger") as sidecar:

        def read_only() -> None:
            for _ in range(100):  # a file that is open for writing forbids it
                sidecar.signal_recorder(signal.SIGKILL)
                if remount(disk, "ro"):
                    return
            raise AssertionError("the disk cannot be made read-only")

        troubles = [(total // 5, read_only), (total * 4 // 5, lambda: remount(disk, "rw"))]
        found = sidecar.play(Plan(total=total, pace_s=0.2, troubles=troubles))
        assert sidecar.watched.gaps & {"dropped", "trouble", "down"}
        sidecar.all_known(total)
        dropped = sidecar.dropped()
        assert sidecar.end() == 0, sidecar.process.said()
        books = Ledger.of(sidecar.ledger)
        books.require_true(found)
        assert books.lost(found) == dropped


def test_a_ledger_that_stays_read_only_does_not_keep_the_sidecar_from_ending_in_its_grace(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "8m") as disk:
        assert remount(disk, "ro")
        with started(tmp_path, ledger=disk / "ledger", grace="4s") as sidecar:
            found = sidecar.play(Plan(total=100, pace_s=0.05))
            sidecar.until(lambda series: series["sidecar_recorder_trouble"] == 1, "the metrics say that nothing can be written")
            assert sidecar.metrics()["sidecar_calls_recorded_total"] == 0
            began = time.monotonic()
            assert sidecar.end() == 0, sidecar.process.said()
            assert time.monotonic() - began < 4 + 6
            assert len(found.calls) == 100


def remount(disk: Path, mode: str) -> bool:
    done = subprocess.run(["mount", "-o", f"remount,{mode}", str(disk)], capture_output=True, check=False)
    return done.returncode == 0


# ── the recorder ────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("total", TOTALS)
def test_a_recorder_that_hangs_for_a_while_is_not_noticed_and_nothing_is_lost(tmp_path: Path, total: int) -> None:
    with started(tmp_path) as sidecar:
        troubles = [
            (total // 5, lambda: sidecar.signal_recorder(signal.SIGSTOP)),
            (total * 4 // 5, lambda: sidecar.signal_recorder(signal.SIGCONT)),
        ]
        found = sidecar.play(Plan(total=total, troubles=troubles))
        assert "waiting" in sidecar.watched.gaps
        sidecar.all_known(total)
        assert sidecar.dropped() == 0
        assert sidecar.end() == 0, sidecar.process.said()
        books = Ledger.of(sidecar.ledger)
        books.require_true(found)
        assert books.lost(found) == 0
        assert sum(tally.seen for tally in books.tallies) == total


def test_a_recorder_that_hangs_for_good_is_left_behind_and_its_minutes_are_not_watched(tmp_path: Path) -> None:
    with started(tmp_path, grace="4s") as sidecar:
        while not list(sidecar.ledger.rglob("rows.db")):  # a recorder that never began has no books
            time.sleep(0.05)
        hang = (100, lambda: sidecar.signal_recorder(signal.SIGSTOP))
        found = sidecar.play(Plan(total=500, troubles=[hang], pace_s=0.05))
        series = sidecar.metrics()
        assert series["sidecar_queue_bytes"] > 0
        assert series["sidecar_calls_recorded_total"] < 500
        began = time.monotonic()
        assert sidecar.end() == 0, sidecar.process.said()
        assert time.monotonic() - began < 4 + 6
        books = Ledger.of(sidecar.ledger)
        books.require_true(found)
        missing = {call.number: call for call in found.calls if call.number not in books.numbers}
        assert missing, "they could not be written"
        assert not any(books.is_watched(call.sent_ns) for call in missing.values())


@pytest.mark.parametrize("total", TOTALS)
def test_a_recorder_that_is_killed_again_and_again_is_not_noticed_and_no_call_counts_twice(tmp_path: Path, total: int) -> None:
    with started(tmp_path) as sidecar:
        kills = [(total * i // 8, lambda: sidecar.signal_recorder(signal.SIGKILL)) for i in range(1, 7)]
        found = sidecar.play(Plan(total=total, pace_s=0.2, troubles=kills))
        assert len(sidecar.signalled) >= 2
        sidecar.all_known(total)
        dropped = sidecar.dropped()
        assert sidecar.end() == 0, sidecar.process.said()
        books = Ledger.of(sidecar.ledger)
        books.require_true(found)
        assert books.lost(found) == dropped
        assert sum(tally.seen for tally in books.tallies) == total


@pytest.mark.parametrize("total", TOTALS)
def test_a_full_queue_costs_the_record_and_not_the_traffic(tmp_path: Path, total: int) -> None:
    with started(tmp_path, bodies="100%", queue="1MiB") as sidecar:
        hang = (20, lambda: sidecar.signal_recorder(signal.SIGSTOP))
        found = sidecar.play(Plan(total=total, size=9000, troubles=[hang], pace_s=0.02))
        sidecar.until(lambda series: series['capture_dropped_total{reason="queue"}'] > 0, "calls are dropped and counted")
        series = sidecar.metrics()
        assert series["sidecar_queue_bytes"] <= series["sidecar_queue_limit_bytes"]
        sidecar.signal_recorder(signal.SIGCONT)
        sidecar.all_known(total)
        dropped = sidecar.dropped()
        assert sidecar.end() == 0, sidecar.process.said()
        books = Ledger.of(sidecar.ledger)
        books.require_true(found)
        assert books.lost(found) == dropped > 0
        assert sum(tally.shed for tally in books.tallies) == dropped
        missing = [call for call in found.calls if call.number not in books.numbers]
        assert not any(books.is_watched(call.sent_ns) for call in missing)


# ── the configuration ───────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("total", TOTALS)
def test_a_broken_configuration_is_refused_and_the_one_in_force_goes_on(tmp_path: Path, total: int) -> None:
    with started(tmp_path) as sidecar:

        def reload(break_it: Callable[[], object], successful: int) -> Callable[[], None]:
            def work() -> None:
                break_it()
                sidecar.process.process.send_signal(signal.SIGHUP)
                wanted = float(successful)
                sidecar.until(lambda found: found["sidecar_config_last_reload_successful"] == wanted, "it was read again")

            return work

        path, right = sidecar.config, sidecar.config.read_text("utf-8")
        troubles = [
            (total // 5, reload(lambda: path.write_text("sidecar: [", "utf-8"), 0)),
            (total * 2 // 5, reload(lambda: path.write_bytes(b"\xff\x00"), 0)),
            (total * 3 // 5, reload(path.unlink, 0)),
        ]
        found = sidecar.play(Plan(total=total, troubles=troubles))
        assert "reload" in sidecar.watched.gaps
        reload(lambda: path.write_text(right, "utf-8"), 1)()
        sidecar.all_known(total)
        assert sidecar.end() == 0, sidecar.process.said()
        books = Ledger.of(sidecar.ledger)
        books.require_true(found)
        assert books.lost(found) == 0
        assert sum(tally.seen for tally in books.tallies) == total


def test_a_vendor_that_is_configured_away_answers_what_it_has_begun(tmp_path: Path) -> None:
    """A reload under load moves no call that is under way, and loses none."""
    with started(tmp_path) as sidecar, LoadedVendor() as other:

        def move() -> None:
            configure(sidecar.config, other.url, sidecar.ledger)
            sidecar.process.process.send_signal(signal.SIGHUP)

        found = load(sidecar.port, Plan(troubles=[(150, move)]))
        assert found.wrong == []
        sidecar.all_known(500)
        assert sidecar.end() == 0, sidecar.process.said()
        assert sidecar.vendor.asked.total() + other.asked.total() == 500
        assert other.asked.total() > 0
        assert Ledger.of(sidecar.ledger).lost(found) == 0


# ── the clock ───────────────────────────────────────────────────────────────────────────────────────────────────────
class JumpingClock:
    """The real clock, whose wall can be set."""

    def __init__(self) -> None:
        self._real = SystemClock()
        self.offset = 0

    def read(self) -> Instant:
        now = self._real.read()
        return Instant(now.wall_ns + self.offset, now.mono_ns, now.boot_id)

    def wall(self) -> int:
        return self.read().wall_ns

    async def sleep_until(self, wall_ns: int) -> None:
        await self._real.sleep_until(wall_ns - self.offset)

    def jump(self, by: int) -> Callable[[], None]:
        def work() -> None:
            self.offset += by

        return work


class Inside:
    """Pump and link on a loop of their own."""

    def __init__(self, folder: Path, vendor: LoadedVendor, clock: JumpingClock) -> None:
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._spec = RecorderSpec(directory=folder, name="sidecar", seal_every_ms=3_600_000, publish=None, largest_body=1 << 20)
        self._upstream = Upstream(
            vendor=VENDOR, tls=False, address="127.0.0.1", port=vendor.port, authority=f"127.0.0.1:{vendor.port}",
            policy=AddressPolicy(loopback=True),
        )  # fmt: skip
        self._clock = clock
        self.port = 0

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_S)

    async def _start(self) -> None:
        self.link = Link(
            self._spec, self._clock, lambda n: b"k" * n, bodies=Fraction(1, 10), key=b"k" * 32, most_bytes=32 << 20,
            vendors=[VENDOR],
        )  # fmt: skip
        await self.link.start()
        self.pump = Pump(Routes([self._upstream]), self.link, self._clock)
        self.port = (await self.pump.listen("127.0.0.1", 0)).port

    async def _stop(self) -> tuple[int, bool, LinkState]:
        ended = await self.pump.drain(10)
        return ended, await self.link.stop(30), self.link.state()

    @contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            self.run(self._start())
            yield
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(WAIT_S)
            self._loop.close()

    def stop(self) -> tuple[int, bool, LinkState]:
        return self.run(self._stop())


@pytest.mark.parametrize("total", TOTALS)
def test_a_clock_that_is_set_under_load_is_not_noticed_and_no_minute_is_counted_twice(tmp_path: Path, total: int) -> None:
    clock = JumpingClock()
    with LoadedVendor() as vendor:
        inside = Inside(tmp_path / "ledger" / "sidecar", vendor, clock)
        with inside.running():
            troubles = [
                (total // 5, clock.jump(HOUR)), (total * 2 // 5, clock.jump(-2 * HOUR)), (total * 3 // 5, clock.jump(HOUR)),
            ]  # fmt: skip
            found = load(inside.port, Plan(total=total, troubles=troubles, now=clock.wall))
            assert found.wrong == []
            ended, whole, state = inside.stop()
    assert (ended, whole) == (0, True)
    assert state.seen == state.recorded == total
    books = Ledger.of(tmp_path / "ledger")
    books.require_true(found)
    assert books.lost(found) == 0
    assert sum(tally.seen for tally in books.tallies) == total
    assert len({tally.writer for tally in books.tallies}) == 4, "each time that the clock was set, another count began"
    for tally in books.tallies:
        assert tally.end - tally.start <= 60 * NS
    spans = sorted((t.end - t.start) for t in books.tallies)
    assert sum(spans) < 120 * NS, "no tally covers an hour that was skipped"
    durations = [o.total_time_ns for o in books.observations if o.total_time_ns is not None]
    assert 0 <= min(durations) <= max(durations) < 30 * NS, "durations do not follow the wall clock"
