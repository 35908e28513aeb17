"""What is no call of HTTP/1.1 is refused before a byte of it goes out, within a time and a memory that are bounded."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from slaguard.sidecar.pump import Limits
from tests.sidecar.hostile_rig import (
    HOST,
    PATIENCE,
    SMUGGLED,
    Answer,
    Rig,
    answer_to,
    answers_in,
    get,
    one,
    post,
    receive,
    rig,
    strict,
)

REFUSALS = {400, 404, 405, 408, 411, 413, 414, 431, 501, 505}
HELLO_TLS = bytes.fromhex("16030100c8010000c40303") + bytes(range(189))


@pytest.fixture(scope="module")
def pump() -> Iterator[Rig]:
    with rig(Limits(head_s=2)) as made:
        yield made


@pytest.fixture(autouse=True)
def _fresh(request: pytest.FixtureRequest) -> None:
    if "pump" in request.fixturenames:
        pump = request.getfixturevalue("pump")
        pump.settle()
        pump.vendor.clear()


def next_is_served(pump: Rig, name: bytes = b"0") -> None:
    """Assert that the next honest call gets its own answer."""
    request = get(b"/v1/honest/" + name)
    parsed, _ = one(request)
    assert parsed is not None
    assert pump.ask(request) == (200, answer_to(parsed))


def is_refused(pump: Rig, got: Answer) -> None:
    """Assert that a client was turned away, the vendor saw nothing, and the next one is served."""
    assert not got.hung, "neither an answer nor a closed connection"
    assert got.closed
    assert len(got.answers) <= 1
    assert set(got.statuses) <= REFUSALS
    pump.settle()
    assert pump.vendor.seen == []
    assert pump.vendor.faults == []
    assert pump.vendor.unfinished == []
    next_is_served(pump, b"0")
    next_is_served(pump, b"1")


# ── request lines, hosts, protocols ─────────────────────────────────────────────────────────────────────────────────
def line(request_line: bytes, *rows: bytes) -> bytes:
    return request_line + b"\r\n" + HOST + b"".join(row + b"\r\n" for row in rows) + b"\r\n"


def hosts(*values: bytes) -> bytes:
    return b"GET /v1/models HTTP/1.1\r\n" + b"".join(b"Host: " + v + b"\r\n" for v in values) + b"\r\n"


HOSTILE_HEADS = {
    "no Host": b"GET /v1/models HTTP/1.1\r\nAccept: */*\r\n\r\n",
    "two Hosts": hosts(b"sidecar.test", b"other.test"),
    "two Hosts that are one": hosts(b"sidecar.test", b"sidecar.test"),
    "an empty Host": hosts(b""),
    "a Host with a user": hosts(b"user@sidecar.test"),
    "a Host with a space": hosts(b"sidecar.test other.test"),
    "a Host with a comma": hosts(b"sidecar.test,other.test"),
    "a Host with a slash": hosts(b"sidecar.test/x"),
    "a Host with a tab": hosts(b"sidecar.test\tother.test"),
    "a Host that is not ASCII": hosts("sid\u00e9car.test".encode()),
    "a Host with a port of words": hosts(b"sidecar.test:http"),
    "a Host with two ports": hosts(b"sidecar.test:80:81"),
    "a Host with a NUL": hosts(b"sidecar.test\x00"),
    "a Host with a space before the colon": b"GET /v1/models HTTP/1.1\r\nHost : sidecar.test\r\n\r\n",
    "the absolute form": line(b"GET http://other.test/v1/models HTTP/1.1"),
    "the absolute form of us": line(b"GET http://sidecar.test/v1/models HTTP/1.1"),
    "the absolute form over TLS": line(b"GET https://other.test/ HTTP/1.1"),
    "a file": line(b"GET file:///etc/passwd HTTP/1.1"),
    "the authority form": line(b"GET other.test:443 HTTP/1.1"),
    "the asterisk": line(b"OPTIONS * HTTP/1.1"),
    "CONNECT": line(b"CONNECT other.test:443 HTTP/1.1"),
    "CONNECT to a path": line(b"CONNECT /v1/models HTTP/1.1"),
    "a target with a space": line(b"GET /v1/models /smuggled HTTP/1.1"),
    "a target with a tab": line(b"GET /v1/\tmodels HTTP/1.1"),
    "a target with a CR": line(b"GET /v1/\rmodels HTTP/1.1"),
    "a target with an LF": line(b"GET /v1/\nmodels HTTP/1.1"),
    "a target with a NUL": line(b"GET /v1/\x00models HTTP/1.1"),
    "a target with 0x7f": line(b"GET /v1/\x7fmodels HTTP/1.1"),
    "a target with 0x85": line(b"GET /v1/\x85models HTTP/1.1"),
    "a target that is not ASCII": line("GET /v1/mod\u00e8les HTTP/1.1".encode()),
    "a target with a fragment": line(b"GET /v1/models#top HTTP/1.1"),
    "a target without a slash": line(b"GET v1/models HTTP/1.1"),
    "no target": line(b"GET HTTP/1.1"),
    "an empty target": line(b"GET  HTTP/1.1"),
    "two spaces": line(b"GET  /v1/models HTTP/1.1"),
    "two spaces before the version": line(b"GET /v1/models  HTTP/1.1"),
    "tabs for spaces": line(b"GET\t/v1/models\tHTTP/1.1"),
    "a space before the method": line(b" GET /v1/models HTTP/1.1"),
    "a space behind the version": line(b"GET /v1/models HTTP/1.1 "),
    "a method with a colon": line(b"GE:T /v1/models HTTP/1.1"),
    "a method with a bracket": line(b"GET( /v1/models HTTP/1.1"),
    "a method without end": line(b"G" * 5000 + b" /v1/models HTTP/1.1"),
    "no method": line(b"/v1/models HTTP/1.1"),
    "HTTP/0.9": b"GET /v1/models\r\n",
    "HTTP/0.9 with fields": line(b"GET /v1/models"),
    "HTTP/0.9 said": line(b"GET /v1/models HTTP/0.9"),
    "HTTP/1.2": line(b"GET /v1/models HTTP/1.2"),
    "HTTP/1.10": line(b"GET /v1/models HTTP/1.10"),
    "HTTP/01.1": line(b"GET /v1/models HTTP/01.1"),
    "HTTP/2.0": line(b"GET /v1/models HTTP/2.0"),
    "HTTP/2": line(b"GET /v1/models HTTP/2"),
    "HTTP/3": line(b"GET /v1/models HTTP/3"),
    "http/1.1": line(b"GET /v1/models http/1.1"),
    "HTTPS/1.1": line(b"GET /v1/models HTTPS/1.1"),
    "HTTP 1.1": line(b"GET /v1/models HTTP 1.1"),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "a TLS hello": HELLO_TLS,
    "a line of the PROXY protocol": b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" + get(b"/v1/models"),
    "the PROXY protocol, version 2": b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes(12) + get(b"/v1/models"),
    "an SSH greeting": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "a WebSocket": line(b"GET /v1/realtime HTTP/1.1", b"Connection: Upgrade", b"Upgrade: websocket"),
    "a WebSocket, the name in other letters": line(b"GET /v1/realtime HTTP/1.1", b"connection: UPGRADE", b"uPGRADE: WebSocket"),
    "h2c": line(b"GET / HTTP/1.1", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQ"),
    "an Upgrade that Connection does not name": line(b"GET / HTTP/1.1", b"Upgrade: websocket"),
    "a huge request line": line(b"GET /" + b"x" * 70_000 + b" HTTP/1.1"),
    "a head of 200 KB": get(b"/v1/models", *(b"X-%d: %s" % (i, b"y" * 1000) for i in range(200))),
    "one field of 200 KB": get(b"/v1/models", b"X: " + b"y" * 200_000),
    "one name of 200 KB": get(b"/v1/models", b"y" * 200_000 + b": x"),
    "ten thousand fields": get(b"/v1/models", *(b"X-%d: y" % i for i in range(10_000))),
    "a head without end": b"GET /v1/models HTTP/1.1\r\n" + b"X-A: 1234567890\r\n" * 100_000,
    "a line without end": b"x" * 1_000_000,
    "lines of spaces without end": b" \r\n" * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE_HEADS)
def test_a_head_that_is_not_plainly_one_is_refused(pump: Rig, name: str) -> None:
    is_refused(pump, pump.exchange(HOSTILE_HEADS[name]))


@pytest.mark.parametrize("name", [n for n in HOSTILE_HEADS if len(HOSTILE_HEADS[n]) < 1000 and n != "HTTP/0.9"])
def test_what_stands_behind_a_refused_head_is_not_read(pump: Rig, name: str) -> None:
    is_refused(pump, pump.exchange(HOSTILE_HEADS[name] + SMUGGLED, SMUGGLED))


@pytest.mark.parametrize("size", [1, 7])
@pytest.mark.parametrize("name", ["two Hosts", "a TLS hello", "the asterisk", "a WebSocket", "the preface of HTTP/2"])
def test_a_refused_head_is_refused_in_pieces_too(pump: Rig, name: str, size: int) -> None:
    raw = HOSTILE_HEADS[name]
    is_refused(pump, pump.exchange(*(raw[i : i + size] for i in range(0, len(raw), size)), pause=0.0005))


@pytest.mark.parametrize("word", [b"get", b"M-SEARCH", b"PURGE", b"PATCH", b"X" * 32])
def test_any_method_that_is_a_word_is_served(pump: Rig, word: bytes) -> None:
    request = get(b"/v1/models").replace(b"GET", word, 1)
    parsed, _ = one(request)
    assert parsed is not None
    assert pump.ask(request) == (200, answer_to(parsed))
    assert [r.method for r in pump.vendor.seen] == [word]


@pytest.mark.parametrize(
    "target",
    [b"/", b"//", b"//other.test/x", b"/%2e%2e/x", b"/../../x", b"/a;b=c?d=e&f", b"/?q=http://other.test/", b"/%00%0d%0a"],
)
def test_a_target_is_passed_as_it_is_written(pump: Rig, target: bytes) -> None:
    parsed, _ = one(get(target))
    assert parsed is not None
    assert pump.ask(get(target)) == (200, answer_to(parsed))
    assert [r.target for r in pump.vendor.seen] == [target]


# ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_honest_head_may_come_byte_by_byte(pump: Rig) -> None:
    raw = post(b"X-A: 1", b"Content-Length: 5", body=b"hello")
    parsed, _ = one(raw)
    assert parsed is not None
    got = pump.exchange(*(raw[i : i + 1] for i in range(len(raw))), expected=1, pause=0.001)
    assert got.answers == [(200, answer_to(parsed))]


def trickle(pump: Rig, start: bytes, more: bytes) -> tuple[Answer, float]:
    """Send a start, and then a little now and then for as long as we are listened to."""
    began = time.monotonic()
    with pump.connect() as client:
        client.sendall(start)
        client.settimeout(0.1)
        data = b""
        while time.monotonic() - began < PATIENCE:
            try:
                client.sendall(more)
                piece = client.recv(65536)
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                piece = b""
            if not piece:
                return Answer(answers_in(data), closed=True, hung=False), time.monotonic() - began
            data += piece
    return Answer(answers_in(data), closed=False, hung=True), time.monotonic() - began


QUICK = Limits(head_s=1, question_s=1, idle_s=2, stall_s=2, linger_s=1)
SLOW = {
    "a head that comes a byte at a time": (b"GET /v1/models HTTP/1.1\r\nX: ", b"y"),
    "a request line that comes a byte at a time": (b"GET /", b"x"),
    "fields that come one at a time": (b"GET /v1/models HTTP/1.1\r\n", b"X: y\r\n"),
    "a line of HTTP/0.9": (b"GET /v1/models\r\n", b""),
    "half a head": (b"GET /v1/models HTTP/1.1\r\nHost: sidecar.test\r\n", b""),
}


@pytest.fixture(scope="module")
def impatient() -> Iterator[Rig]:
    with rig(QUICK) as made:
        yield made


@pytest.mark.parametrize("name", SLOW)
def test_a_head_that_does_not_come_is_not_waited_for(impatient: Rig, name: str) -> None:
    impatient.vendor.clear()
    got, took = trickle(impatient, *SLOW[name])
    assert took > 1, "it had its time"
    is_refused(impatient, got)


def test_a_body_that_does_not_come_is_not_waited_for(impatient: Rig) -> None:
    impatient.vendor.clear()
    got = impatient.exchange(post(b"Content-Length: 100", body=b"hello"))
    assert not got.hung
    assert got.closed
    assert set(got.statuses) <= REFUSALS
    impatient.settle()
    assert impatient.vendor.seen == []
    assert len(impatient.vendor.unfinished) == 1, "the vendor was told by a closed connection"
    next_is_served(impatient)


def test_a_connection_that_asks_nothing_is_closed(impatient: Rig) -> None:
    assert impatient.exchange() == Answer([], closed=True, hung=False)


def test_a_client_that_neither_reads_nor_closes_after_a_refusal_is_closed(impatient: Rig) -> None:
    got, _ = trickle(impatient, hosts(b"a.test", b"b.test"), b"x" * 1000)
    assert got.closed
    assert got.statuses == [400]


def test_a_hundred_connections_that_only_wait_keep_nobody_from_being_served(impatient: Rig) -> None:
    waiting = [impatient.connect() for _ in range(100)]
    try:
        for client in waiting:
            client.sendall(b"GET /v1/models HTTP/1.1\r\n")
        next_is_served(impatient)
        assert all(receive(client, None).statuses in ([], [408]) for client in waiting)
    finally:
        for client in waiting:
            client.close()


def test_more_connections_than_are_allowed_are_turned_away_and_those_there_are_served() -> None:
    with rig(Limits(clients=4)) as pump:
        first = [pump.connect() for _ in range(4)]
        try:
            for client in first:
                client.sendall(get(b"/v1/models"))
                assert receive(client, 1).statuses == [200]
            assert pump.exchange(get(b"/v1/models")).statuses == [503]
            for client in first:
                client.sendall(get(b"/v1/models"))
                assert receive(client, 1).statuses == [200]
        finally:
            for client in first:
                client.close()


# ── several requests ────────────────────────────────────────────────────────────────────────────────────────────────
def test_requests_in_a_row_are_answered_in_order_and_sent_once_each(pump: Rig) -> None:
    raw = b"".join(
        get(b"/v1/row/%d" % i) if i % 2 else post(b"Content-Length: 3", body=b"%03d" % i, target=b"/v1/row/%d" % i)
        for i in range(50)
    )
    honest = strict(raw).requests
    for size in (len(raw), 1000, 17):
        pump.vendor.clear()
        got = pump.exchange(*(raw[i : i + size] for i in range(0, len(raw), size)), expected=50)
        assert got.answers == [(200, answer_to(request)) for request in honest]
        assert [r.said for r in pump.vendor.seen] == [r.said for r in honest]


def test_a_thousand_requests_at_once_do_not_fill_the_memory_and_are_all_answered(pump: Rig) -> None:
    body = b"x" * 1000
    raw = b"".join(post(b"Content-Length: 1000", body=body, target=b"/v1/row/%d" % i) for i in range(1000))
    honest = strict(raw).requests
    got = pump.exchange(raw, expected=1000)
    assert got.answers == [(200, answer_to(request)) for request in honest]


def test_what_stands_behind_a_request_that_closes_is_not_served(pump: Rig) -> None:
    got = pump.exchange(get(b"/v1/last", b"Connection: close") + SMUGGLED)
    assert got.statuses == [200]
    assert got.closed
    pump.settle()
    assert [r.target for r in pump.vendor.seen] == [b"/v1/last"]


def test_an_honest_request_before_a_hostile_one_is_served(pump: Rig) -> None:
    got = pump.exchange(get(b"/v1/first") + hosts(b"a.test", b"b.test") + SMUGGLED)
    assert got.statuses == [200, 400]
    assert got.closed
    pump.settle()
    assert [r.target for r in pump.vendor.seen] == [b"/v1/first"]


# ── by chance ───────────────────────────────────────────────────────────────────────────────────────────────────────
SPLICES = (
    b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 9999\r\n",
    b"Transfer-Encoding: identity\r\n", b"Host: other.test\r\n", b"Connection: close, content-length\r\n",
    b" ", b"\t", b"\x00", b"0\r\n\r\n", b"5\r\nhello\r\n", b"ffffffffffffffff\r\n", SMUGGLED, b"GET /smuggled HTTP/1.1\r\n",
    b";a=b", b"\r\n", b"\n", b"\r",
    b"HTTP/1.1", b":", b",", b"chunked", b"\x85", b"\x0b", b"Expect: 100-continue\r\n", b"Upgrade: h2c\r\n",
)  # fmt: skip
BATCH = 64


def mutant(chance: random.Random, number: int) -> bytes:
    """Write one or two honest requests, and change them in a place or three."""
    name = b"/f/%d" % number
    honest = [
        get(name),
        post(b"Content-Length: 5", body=b"hello", target=name),
        post(b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n", target=name),
        post(b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED, target=name),
    ]
    raw = b"".join(chance.choices(honest, k=chance.choice([1, 1, 2])))
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(raw) + 1)
        end = min(len(raw), at + chance.choice([0, 1, 1, 2, 8]))
        splice = chance.choice([b"", raw[at:end] * 2, chance.choice(SPLICES), bytes([chance.randrange(256)])])
        raw = raw[:at] + splice + raw[end:]
        if chance.random() < 0.4:  # between two lines, where it matters most
            at = raw.find(b"\r\n", chance.randrange(len(raw) + 1)) + 2
            raw = raw[:at] + chance.choice(SPLICES) + raw[at:]
    return raw


async def play(port: int, raw: bytes, size: int) -> bytes:
    """Send some bytes in pieces; return what comes back until nothing more does."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    got = b""
    try:
        for at in range(0, len(raw), size):
            writer.write(raw[at : at + size])
            await writer.drain()
            await asyncio.sleep(0)
        while piece := await asyncio.wait_for(reader.read(65536), 0.4):
            got += piece
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return got


async def play_all(port: int, batch: list[bytes], chance: random.Random) -> list[bytes]:
    sizes = [chance.choice([1, 5, 40, 4096, 4096]) for _ in batch]
    return await asyncio.gather(*(play(port, raw, size) for raw, size in zip(batch, sizes, strict=True)))


def fuzz(pump: Rig, seed: int, seconds: float) -> Counter[str]:
    """Play mutants for so long; count what became of them."""
    chance, found, number = random.Random(seed), Counter[str](), 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pump.settle()
        pump.vendor.clear()
        batch = [mutant(chance, number := number + 1) for _ in range(BATCH)]
        answers = asyncio.run(play_all(pump.port, batch, chance))
        pump.settle()
        assert pump.vendor.faults == [], f"seed {seed}, up to number {number}"
        honest = [strict(raw).requests for raw in batch]
        allowed = Counter(request.said for requests in honest for request in requests)
        assert Counter(r.said for r in pump.vendor.seen) <= allowed, f"seed {seed}, up to number {number}"
        for requests, got in zip(honest, answers, strict=True):
            served = [body for status, body in answers_in(got) if status == 200]
            assert served == [answer_to(r) for r in requests][: len(served)], f"seed {seed}, up to number {number}"
            found["served"] += len(served)
            found["honest"] += len(requests)
        found["played"] += len(batch)
    next_is_served(pump)
    return found


def test_what_the_vendor_sees_of_changed_requests_is_what_a_strict_reader_sees(pump: Rig) -> None:
    found = fuzz(pump, 5, 6)
    assert found["served"] > 0, found


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_what_the_vendor_sees_of_many_changed_requests_is_what_a_strict_reader_sees(pump: Rig, seed: int) -> None:
    found = fuzz(pump, seed + 100, 60)
    assert found["served"] >= found["honest"] * 0.5 > 0
