"""Is it us: the control target, over real connections."""

from __future__ import annotations

import asyncio

from slaguard.config import Listen
from slaguard.probes.control import control_of


def test_a_target_that_listens_is_reached_and_one_that_does_not_is_not() -> None:
    async def run() -> tuple[bool, bool, bytes]:
        said = b"?"

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal said
            said = await reader.read()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        target = Listen("127.0.0.1", server.sockets[0].getsockname()[1])
        up = await control_of(target)()
        await asyncio.sleep(0.05)
        server.close()
        await server.wait_closed()
        return up, await control_of(target)(), said

    assert asyncio.run(run()) == (True, False, b"")


def test_a_name_that_nobody_knows_is_not_reached() -> None:
    async def run() -> bool:
        return await control_of(Listen("nobody.invalid", 443), wait_s=1)()

    assert asyncio.run(run()) is False
