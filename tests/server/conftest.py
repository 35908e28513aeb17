"""One server for many tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server.world import FakeBoard, Server, forget, standing_server


@pytest.fixture(scope="session", autouse=True)
def records() -> Iterator[None]:
    """The records that all tests here look at, closed when the last one is done."""
    yield
    forget()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A real server on loopback, also known as sla.example.org; ask it about any Board."""
    with standing_server(FakeBoard(), hosts=("sla.example.org",)) as one:
        yield one
