"""The recorder as a process: what it does when the disk, the folder or the pump is not as it should be."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import pytest

from slaguard.ledger.lock import LOCK_NAME
from slaguard.ledger.read import open_store
from slaguard.sidecar import recorder as recorder_module
from slaguard.sidecar.call import Ended
from slaguard.sidecar.link import Link
from tests.conftest import absent
from tests.sidecar.recorders import (
    linked,
    looped,
    make_link,
    observations,
    pass_call,
    signal_recorder,
    spec_of,
    tallies,
    until,
)


def trouble(link: Link) -> str:
    return link.state().trouble or ""


# ── the disk ────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.faults
@looped
async def test_a_full_disk_is_waited_for_and_costs_no_call(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        async with linked(disk / "s") as link:
            pass_call(link)
            await until(lambda: link.state().recorded == 1)
            filler = disk / "filler"
            fill(filler)
            for number in range(600):
                pass_call(link)
                if number % 100 == 0:
                    await asyncio.sleep(0.02)
            await until(lambda: "E-DISK-FULL" in trouble(link))
            assert link.state().recorder_up
            filler.unlink()
            await until(lambda: link.state().recorded == 601)
            await until(lambda: link.state().trouble is None)
            assert await link.stop(20)
        assert len(observations(disk / "s")) == 601
        assert sum(t.recorded for t in tallies(disk / "s")) == 601


def fill(path: Path) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        for size in (1 << 16, 1 << 10, 1):
            with suppress(OSError):
                while True:
                    os.write(handle, b"x" * size)
    finally:
        os.close(handle)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    disk = folder / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        absent("a small disk needs root and mount")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("this container may not mount a small disk")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@looped
async def test_a_folder_that_is_removed_is_made_anew_and_its_minute_has_no_tally(tmp_path: Path) -> None:
    folder = tmp_path / "ledger" / "s"
    async with linked(folder) as link:
        pass_call(link)
        await until(lambda: link.state().recorded == 1)
        shutil.rmtree(tmp_path / "ledger")
        pass_call(link)
        await until(lambda: link.state().recorded == 2)
        assert await link.stop(20)
        assert link.state().ledger_lost == 1
    assert len(observations(folder)) == 1
    assert tallies(folder) == []


@looped
async def test_a_tally_of_records_that_are_gone_is_not_written(tmp_path: Path) -> None:
    folder = tmp_path / "ledger" / "s"
    async with linked(folder) as link:
        pass_call(link)
        await until(lambda: link.state().recorded == 1)
        shutil.rmtree(tmp_path / "ledger")
        assert await link.stop(20)
    assert observations(folder) == []
    assert tallies(folder) == []


@looped
async def test_a_folder_that_another_one_took_the_place_of_is_written_to_from_then_on(tmp_path: Path) -> None:
    folder, aside = tmp_path / "s", tmp_path / "aside"
    async with linked(folder) as link:
        pass_call(link)
        await until(lambda: link.state().recorded == 1)
        folder.rename(aside)
        pass_call(link)
        await until(lambda: link.state().recorded == 2)
        assert await link.stop(20)
    assert len(observations(folder)) == 1


@looped
async def test_a_folder_that_cannot_be_written_is_trouble_until_it_can(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_text("a file where a folder should be")
    async with linked(tmp_path / "ledger" / "s") as link:
        pass_call(link)
        await until(lambda: "E-LEDGER-WRITE" in trouble(link))
        assert "\n" not in trouble(link)
        (tmp_path / "ledger").unlink()
        await until(lambda: link.state().recorded == 1)
        assert await link.stop(20)
    assert len(observations(tmp_path / "ledger" / "s")) == 1


@looped
async def test_a_folder_that_another_writer_holds_is_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    with (folder / LOCK_NAME).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        async with linked(folder) as link:
            pass_call(link)
            await until(lambda: "E-LOCK" in trouble(link))
            fcntl.flock(lock, fcntl.LOCK_UN)
            await until(lambda: link.state().recorded == 1)
            assert link.state().trouble is None
            assert await link.stop(20)


@looped
async def test_a_damaged_ledger_is_trouble_and_is_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    async with linked(folder) as link:
        pass_call(link)
        assert await link.stop(20)
    with sqlite3.connect(folder / "rows.db") as rows:
        rows.execute("DROP TRIGGER rows_keep")
        rows.execute("UPDATE rows SET hdr = CAST(replace(CAST(hdr AS TEXT), 'Acme', 'Bcme') AS BLOB) WHERE seq = 1")
    rows.close()
    before = (folder / "rows.db").read_bytes()
    link = make_link(folder)
    await link.start()
    pass_call(link)
    await until(lambda: "E-LOG" in trouble(link))
    assert not await link.stop(0.5)
    assert (folder / "rows.db").read_bytes() == before


# ── one vendor's bodies ─────────────────────────────────────────────────────────────────────────────────────────────
SLOW = b"[" + b",".join([b"411111111111111"] * 60_000) + b"]"


@looped
async def test_bodies_that_take_too_long_are_not_kept_and_hold_back_nobody(tmp_path: Path) -> None:
    async with linked(tmp_path / "s", bodies=Fraction(1), spec=spec_of(tmp_path / "s", patience_s=2.0)) as link:
        for _ in range(10):
            pass_call(link, answer=SLOW)
        pass_call(link)
        assert await link.stop(20)
        assert link.state().restarts == 0
    found = observations(tmp_path / "s")
    assert {o.attributes.get("body") for o in found[:-1]} == {"unreadable"}
    assert found[-1].payload_commit is not None


def test_what_stands_in_a_log_that_is_gone_is_written_anew() -> None:
    batch = recorder_module.Batch([])
    batch.rows += [{"id": "1"}]
    assert batch.is_written("one")
    batch.rows += [{"id": "2"}]
    assert batch.unwritten()[0] == [{"id": "2"}]
    assert not batch.is_written("other")
    assert len(batch.unwritten()[0]) == 2
    assert batch.is_written("other")


# ── segments ────────────────────────────────────────────────────────────────────────────────────────────────────────
@looped
async def test_rows_are_sealed_when_they_are_due(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    async with linked(folder, spec=spec_of(folder, seal_every_ms=200)) as link:
        pass_call(link)
        await until(lambda: list(folder.glob("segments/*.json")))
        pass_call(link)
        assert await link.stop(20)
    with open_store(folder) as store:
        assert len(list(store.observations())) == 2


@looped
async def test_what_is_published_can_be_read_without_the_log(tmp_path: Path) -> None:
    folder, there = tmp_path / "s", tmp_path / "there" / "s"
    (tmp_path / "there").mkdir()
    async with linked(folder, spec=spec_of(folder, publish=there)) as link:
        for _ in range(5):
            pass_call(link)
        assert await link.stop(20)
        assert link.state().trouble is None
    with open_store(tmp_path / "there") as store:
        assert len(list(store.observations())) == 5
        assert sum(t.seen for t in store.tallies()) == 5


# ── the process ─────────────────────────────────────────────────────────────────────────────────────────────────────
@looped
async def test_signals_to_the_group_do_not_end_the_recorder_before_it_has_written(tmp_path: Path) -> None:
    async with linked(tmp_path / "s") as link:
        await until(lambda: link._is_ready)
        pid = signal_recorder(link, signal.SIGTERM)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal_recorder(link, number)
        pass_call(link)
        await until(lambda: link.state().recorded == 1)
        assert link.recorder_pid == pid
        assert os.getsid(pid) != os.getsid(0)
        assert await link.stop(20)


def test_the_recorder_ends_when_the_pump_is_killed_and_what_it_had_is_on_disk(tmp_path: Path) -> None:
    program = f"""
import asyncio, os, signal
from fractions import Fraction
from pathlib import Path
from tests.sidecar.recorders import *
async def main():
    link = make_link(Path({str(tmp_path / "s")!r}))
    await link.start()
    await until(lambda: link._is_ready)
    pass_call(link)
    await until(lambda: link.state().recorded == 1)
    print(link.recorder_pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    recorder = int(done.stdout)

    async def gone() -> None:
        await until(lambda: not _runs(recorder))

    asyncio.run(gone())
    assert len(observations(tmp_path / "s")) == 1
    assert (tmp_path / "s" / LOCK_NAME).read_text().split()[1] == "closed"


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_recorder_that_is_told_nothing_ends() -> None:
    command = [sys.executable, "-m", recorder_module.__name__]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=60, check=False)
    assert done.stdout == b""


@looped
async def test_a_recorder_does_not_grow_with_what_it_has_written(tmp_path: Path) -> None:
    async with linked(tmp_path / "s") as link:
        sizes = []
        for _ in range(4):
            for number in range(1500):
                pass_call(link, ended=Ended.COMPLETE)
                if number % 50 == 0:
                    await asyncio.sleep(0.01)
            await until(lambda: not link.state().queued_bytes)
            status = Path(f"/proc/{link.recorder_pid}/status")
            if not status.exists():
                pytest.skip("how large a process is cannot be told here")
            sizes.append(int(status.read_text().partition("VmRSS:")[2].split()[0]))
        assert sizes[-1] - sizes[0] < 16 * 1024
        assert await link.stop(20)
