"""The server in the caller's loop: it binds, says where, ends when told, and says why it cannot start."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import Any

import aiohttp
import pytest
from starlette.types import Receive, Scope, Send

from slaguard.config import Listen
from slaguard.errors import ConfigError
from slaguard.server.app import create_app
from slaguard.server.serve import serve
from tests.server.world import ANYWHERE, FakeBoard


async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer after half a second."""
    await asyncio.sleep(0.5)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def run(listen: Listen, app: Any = None) -> str:
    """Serve until the server says where it is."""

    async def work() -> str:
        stop, found = asyncio.Event(), []

        def started(address: str) -> None:
            found.append(address)
            stop.set()

        await asyncio.wait_for(serve(app or create_app(FakeBoard()), listen, stop=stop, started=started), 20)
        return found[0]

    return asyncio.run(work())


def test_a_taken_port_is_told_and_how_to_choose_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port}: another process listens there\n    end it, or choose"):
            run(Listen("127.0.0.1", port))


@pytest.mark.network
def test_an_address_of_another_machine_is_told() -> None:
    with pytest.raises(ConfigError, match="this machine has no such address"):
        run(Listen("192.0.2.1", 7464))


def test_a_name_that_nobody_knows_is_told() -> None:
    with pytest.raises(ConfigError, match="no such host"):
        run(Listen("nobody.invalid", 7464))


def test_port_zero_takes_a_free_one_and_says_which() -> None:
    address = run(ANYWHERE)
    assert address.startswith("http://127.0.0.1:")
    assert int(address.rpartition(":")[2]) > 0


def test_the_address_of_ipv6_stands_in_brackets() -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    assert run(Listen("::1", 0)).startswith("http://[::1]:")


def test_a_port_can_be_taken_again_at_once() -> None:
    address = run(ANYWHERE)
    port = int(address.rpartition(":")[2])
    assert run(Listen("127.0.0.1", port)) == address


def test_a_request_under_way_is_answered_before_the_server_ends() -> None:
    async def work() -> tuple[int, bool]:
        stop, address = asyncio.Event(), asyncio.get_running_loop().create_future()
        server = asyncio.create_task(serve(slow, ANYWHERE, stop=stop, started=address.set_result))
        async with aiohttp.ClientSession() as session:
            asked = asyncio.create_task(session.get(await address))
            await asyncio.sleep(0.2)
            stop.set()
            status = (await asked).status
        await asyncio.wait_for(server, 10)
        return status, server.done()

    assert asyncio.run(work()) == (200, True)


def test_signals_stay_with_the_caller() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    async def work() -> None:
        stop = asyncio.Event()

        def started(_: str) -> None:
            seen.append((signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)))
            stop.set()

        await serve(create_app(FakeBoard()), ANYWHERE, stop=stop, started=started)

    loop = asyncio.new_event_loop()  # asyncio.run has a handler of its own
    loop.run_until_complete(work())
    loop.close()
    assert seen == [before]


def test_a_server_whose_task_is_cancelled_lets_its_port_go() -> None:
    async def work() -> int:
        address = asyncio.get_running_loop().create_future()
        server = asyncio.create_task(serve(create_app(FakeBoard()), ANYWHERE, stop=asyncio.Event(), started=address.set_result))
        port = int((await address).rpartition(":")[2])
        server.cancel()
        with pytest.raises(asyncio.CancelledError):
            await server
        return port

    with socket.create_server(("127.0.0.1", asyncio.run(work()))):
        pass
