"""An end that was asked for cuts nothing that can still end, writes everything down, and keeps to its grace."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from slaguard.cli.clock import SystemClock
from slaguard.providers.addresses import AddressPolicy
from slaguard.sidecar.pump import Pump
from slaguard.sidecar.route import Routes, Upstream
from slaguard.terms import Attribution, Outcome
from tests.sidecar.hostile_rig import Noting
from tests.sidecar.loaded import VENDOR, Caller, Ledger, LoadedVendor, Sent, answer, question
from tests.sidecar.started import OURS_ALONE, WAIT_S, Started, started

pytestmark = [pytest.mark.faults, OURS_ALONE]
STREAMS = 50


@dataclass
class Streams:
    """Streams that are open in a thread of their own; `done` once it is joined."""

    done: list[Sent] = field(default_factory=list)


@contextmanager
def open_streams(sidecar: Started, numbers: Sequence[int]) -> Iterator[Streams]:
    """Have a stream open for each number: each has its head and its first event, and no more until the vendor lets go."""
    found = Streams()

    async def read_all() -> None:
        callers = [Caller(sidecar.port) for _ in numbers]
        asked = (caller.ask("held", number) for caller, number in zip(callers, numbers, strict=True))
        found.done.extend(await asyncio.gather(*asked))
        for caller in callers:
            caller.close()

    reading = threading.Thread(target=lambda: asyncio.run(read_all()))
    reading.start()
    try:
        sidecar.until(lambda series: series["sidecar_open_calls"] == len(numbers), "all streams are open")
        until(lambda: len(sidecar.vendor.held) == len(numbers), "the vendor has all of them")
        yield found
    finally:
        sidecar.vendor.release(step_s=0)
        reading.join(WAIT_S)


def until(holds: object, what: str) -> None:
    assert callable(holds)
    end = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def drains(folder: Path) -> None:
    """Open fifty streams, tell the sidecar to end, and let them go on: all of them arrive whole and stand in the ledger."""
    with started(folder, grace="30s") as sidecar:
        with open_streams(sidecar, range(STREAMS)) as streams, ThreadPoolExecutor() as pool:
            ending = pool.submit(sidecar.end)
            until(lambda: sidecar.process.events("stopping"), "it was told to end")
            time.sleep(0.2)
            sidecar.vendor.release()
            assert ending.result(WAIT_S) == 0, sidecar.process.said()
        assert [call.wrong for call in streams.done] == [None] * STREAMS
        assert sidecar.process.events("stopped")[0]["calls_ended_early"] == 0
        books = Ledger.of(sidecar.ledger)
        assert books.numbers == dict.fromkeys(range(STREAMS), 1)
        assert {o.outcome for o in books.observations} == {Outcome.OK}
        assert sum(tally.seen for tally in books.tallies) == STREAMS
        assert {tally.shed for tally in books.tallies} == {0}


@pytest.mark.parametrize("turn", range(2))
def test_fifty_open_streams_are_not_cut_by_an_end_that_was_asked_for(tmp_path: Path, turn: int) -> None:
    drains(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("turn", range(10))
def test_fifty_open_streams_are_not_cut_by_an_end_that_was_asked_for_ten_times(tmp_path: Path, turn: int) -> None:
    drains(tmp_path)


def test_a_request_on_a_kept_connection_at_the_moment_of_the_end_is_answered(tmp_path: Path) -> None:
    with started(tmp_path) as sidecar, ThreadPoolExecutor() as pool:
        answers = asyncio.run(ask_around_the_end(sidecar, pool))
        assert answers == [(True, True)] * 8
        books = Ledger.of(sidecar.ledger)
        assert books.numbers == dict.fromkeys(range(16), 1)
        assert sum(tally.seen for tally in books.tallies) == 16


async def ask_around_the_end(sidecar: Started, pool: ThreadPoolExecutor) -> list[tuple[bool, bool]]:
    """Ask on eight connections, tell the sidecar to end, and ask on them again; returns whether both answers were right."""
    connections = [await asyncio.open_connection("127.0.0.1", sidecar.port) for _ in range(8)]
    before = [await ask(*connection, number) for number, connection in enumerate(connections)]
    ending = asyncio.get_running_loop().run_in_executor(pool, sidecar.end)
    after = []
    for number, connection in enumerate(connections):
        after.append(await ask(*connection, 8 + number))
        connection[1].close()
        await asyncio.sleep(0.02)
    assert await ending == 0, sidecar.process.said()
    return list(zip(before, after, strict=True))


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
    """Ask once; tell whether the answer is the right one, less the word that the connection ends."""
    asked = question("json", number)
    writer.write(asked)
    head, body = answer("json", number, asked.partition(b"\r\n\r\n")[2]).split(b"\r\n\r\n")
    async with asyncio.timeout(WAIT_S):
        got = (await reader.readuntil(b"\r\n\r\n"))[:-4]
        rest = await reader.readexactly(len(body))
    return got.replace(b"\r\nConnection: close", b"") == head and rest == body


def test_a_new_connection_after_the_end_is_not_taken(tmp_path: Path) -> None:
    with started(tmp_path) as sidecar, open_streams(sidecar, [0]), ThreadPoolExecutor() as pool:
        ending = pool.submit(sidecar.end)
        until(lambda: sidecar.process.events("stopping"), "it was told to end")
        time.sleep(0.2)
        assert asyncio.run(Caller(sidecar.port).ask("json", 1)).wrong is not None
        assert sidecar.process.get("/-/ready")[0] == 503
        sidecar.vendor.release()
        assert ending.result(WAIT_S) == 0


def test_a_stream_that_outlasts_the_grace_is_ended_and_is_not_the_vendors_failure(tmp_path: Path) -> None:
    with started(tmp_path, grace="4s") as sidecar:
        with open_streams(sidecar, [0, 1]) as streams:
            began = time.monotonic()
            assert sidecar.end() == 0, sidecar.process.said()
            assert 2 < time.monotonic() - began < 4 + 6
        assert all(call.wrong is not None and call.wrong.startswith("cut") for call in streams.done)
        assert sidecar.process.events("stopped")[0]["calls_ended_early"] == 2
        books = Ledger.of(sidecar.ledger)
        assert books.numbers == {0: 1, 1: 1}
        assert {o.outcome for o in books.observations} == {Outcome.UNMEASURED}
        ours = {Attribution.OWN_PROBE, Attribution.OWN_NETWORK, Attribution.HARNESS}
        assert {o.attribution for o in books.observations} <= ours


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with started(tmp_path, grace="60s") as sidecar, open_streams(sidecar, [0]):
        sidecar.process.process.send_signal(signal.SIGTERM)
        until(lambda: sidecar.process.events("stopping"), "it was told to end")
        began = time.monotonic()
        sidecar.process.process.send_signal(signal.SIGTERM)
        assert sidecar.process.process.wait(WAIT_S) != 0
        assert time.monotonic() - began < 10


def test_an_end_without_calls_is_quick(tmp_path: Path) -> None:
    with started(tmp_path) as sidecar, LoadedVendor():
        began = time.monotonic()
        assert sidecar.end() == 0
        assert time.monotonic() - began < 10


def test_a_call_whose_reason_is_still_looked_for_when_the_grace_is_over_is_told_of() -> None:
    """A vendor is not reached, and whether it is our own network is not known yet: the call is over, and must be counted."""
    watcher = Noting()

    async def never() -> bool:
        await asyncio.sleep(WAIT_S)
        return True

    async def live() -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            nobody = Upstream(
                vendor=VENDOR, tls=False, address="127.0.0.1", port=free.getsockname()[1], authority="vendor.test",
                policy=AddressPolicy(loopback=True),
            )  # fmt: skip
            pump = Pump(Routes([nobody]), watcher, SystemClock(), control=never)
            at = await pump.listen("127.0.0.1", 0)
            reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
            writer.write(question("json", 0))
            assert (await reader.readline()).startswith(b"HTTP/1.1 502 ")
            writer.close()
            await pump.drain(0.5)
            assert pump.state().open_calls == 0

    asyncio.run(live())
    assert watcher.begun == len(watcher.over) == 1
