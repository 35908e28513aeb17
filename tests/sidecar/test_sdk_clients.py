"""The vendors' own clients, and others that people use, notice nothing: each result is the same as without the sidecar."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import aiohttp
import anthropic
import httpx2
import openai
import pytest

from tests.conftest import absent
from tests.sidecar import ai_vendor
from tests.sidecar.ai_vendor import ARGUMENTS, TEXT, UPLOADED
from tests.sidecar.framing import Head
from tests.sidecar.running import Sidecar, sidecar_to, upstream
from tests.sidecar.wire_vendor import Request, WireVendor, by_book, running

Outcome = Mapping[str, Any]
KEY: Final = "sk-test-1"
PATIENT: Final = httpx2.Timeout(60.0)
TOOLS: Final = [
    {
        "type": "function",
        "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
    }
]
ASKED: Final = [{"role": "user", "content": TEXT}]


@dataclass(frozen=True)
class Both:
    """A vendor, and a sidecar before it."""

    vendor: WireVendor
    sidecar: Sidecar
    clients: dict[tuple[str, str], Any] = field(default_factory=dict)
    """Clients of the plain kind, which keep their connections from scene to scene."""

    def client(self, make: Callable[..., Any], url: str) -> Any:
        """Return the one client of a class that asks there."""
        name = make.__name__, url
        if name not in self.clients:
            self.clients[name] = make(api_key=KEY, base_url=url, max_retries=0)
        return self.clients[name]

    def taken(self, count: int) -> list[Request]:
        """Return the requests that came since, and forget them."""
        found = self.vendor.requests[count:]
        return sorted(found, key=lambda request: request.head.raw)


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    serve = by_book(ai_vendor.answer, whole=lambda request: request.target != UPLOADED)
    with running(WireVendor(serve)) as vendor, sidecar_to(upstream(vendor.port)) as sidecar:
        both = Both(vendor, sidecar)
        yield both
        for client in both.clients.values():
            client.close()


# ── the vendors' own clients ────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Scene:
    """What a client is asked to do; `shows` stands in what comes of it."""

    name: str
    call: str
    options: Mapping[str, Any]
    shows: str = ""
    ended: str | None = None
    alike: Sequence[str] = field(default=())
    """Classes of errors of which any may end it: where a reset or a cut is noticed is the client's own affair."""


def _chat(name: str, shows: str = "", ended: str | None = None, *, alike: Sequence[str] = (), **options: Any) -> Scene:
    given = {"model": name.partition(" ")[0], "messages": ASKED, **options}
    return Scene(f"chat {name}", "chat.completions.create", given, shows, ended, alike)


BROKEN: Final = ("RemoteProtocolError", "ReadError", "APIConnectionError")
SHORT: Final = httpx2.Timeout(60.0, read=2.5)
OPENAI: Final = [
    _chat("plain", TEXT), _chat("plain tools", ARGUMENTS, tools=TOOLS), _chat("packed", TEXT * 40),
    _chat("streamed", "chatcmpl-2", stream=True, stream_options={"include_usage": True}),
    _chat("tools streamed", "call_1", stream=True, tools=TOOLS), _chat("crlf", "chatcmpl-2", stream=True),
    _chat("one-write", "chatcmpl-2", stream=True), _chat("split", "chatcmpl-2", stream=True),
    _chat("limited", "retry-after", "RateLimitError"), _chat("limited streamed", "", "RateLimitError", stream=True),
    _chat("broken", "500", "InternalServerError"), _chat("away", "503", "InternalServerError"),
    _chat("overloaded", "529", "InternalServerError"), _chat("page", "<h1>away", "InternalServerError"),
    _chat("bad", "400", "BadRequestError"), _chat("unauthorized", "401", "AuthenticationError"),
    _chat("forbidden", "403", "PermissionDeniedError"), _chat("missing", "404", "NotFoundError"),
    _chat("error-inside", "overloaded", "APIError", stream=True),
    _chat("cut", "chatcmpl-2", "", stream=True, alike=BROKEN),
    _chat("no-last-chunk", "chatcmpl-2", stream=True, alike=("", *BROKEN)),
    _chat("reset", "chatcmpl-2", "", stream=True, alike=BROKEN), _chat("short", "", "", alike=BROKEN),
    _chat("hang", "", "APITimeoutError", timeout=1.5),
    _chat("stall", "chatcmpl-2", "", stream=True, timeout=SHORT, alike=("ReadTimeout", "APITimeoutError")),
    Scene("responses", "responses.create", {"model": "m", "input": TEXT}, TEXT),
    Scene("responses streamed", "responses.create", {"model": "m", "input": TEXT, "stream": True}, "response.completed"),
    Scene("embeddings", "embeddings.create", {"model": "m", "input": ["a", "b"], "encoding_format": "float"}, "-1.5"),
    Scene("models", "models.list", {}, "acme"),
    Scene("raw", "chat.completions.with_raw_response.create", {"model": "plain", "messages": ASKED}, "openai-processing-ms"),
]  # fmt: skip


def _messages(name: str, shows: str = "", ended: str | None = None, *, alike: Sequence[str] = (), **options: Any) -> Scene:
    given = {"model": name.partition(" ")[0], "max_tokens": 99, "messages": ASKED, **options}
    return Scene(f"messages {name}", "messages.create", given, shows, ended, alike)


USED: Final = [{"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]
STATED: Final = ("OverloadedError", "APIStatusError", "InternalServerError")
ANTHROPIC: Final = [
    _messages("plain", TEXT), _messages("plain tools", "Zürich", tools=USED),
    _messages("streamed", "message_stop", stream=True), _messages("tools streamed", "toolu_1", stream=True, tools=USED),
    _messages("limited", "retry-after", "RateLimitError"), _messages("broken", "500", "InternalServerError"),
    _messages("overloaded", "529", "OverloadedError"), _messages("bad", "400", "BadRequestError"),
    _messages("unauthorized", "401", "AuthenticationError"), _messages("page", "<h1>away", "InternalServerError"),
    _messages("error-inside", "Overloaded", "", stream=True, alike=STATED),
    _messages("cut", "message_start", "", stream=True, alike=BROKEN),
    _messages("hang", "", "APITimeoutError", timeout=1.5),
    _messages("stall", "message_start", "", stream=True, timeout=SHORT, alike=("ReadTimeout", "APITimeoutError")),
    Scene("count", "messages.count_tokens", {"model": "m", "messages": ASKED}, "2095"),
    Scene("raw", "messages.with_raw_response.create", {"model": "plain", "max_tokens": 9, "messages": ASKED}, "anthropic-rate"),
]  # fmt: skip
ERRORS: Final = (openai.APIError, anthropic.APIError, httpx2.HTTPError)


def shown(result: Any) -> Any:
    """Return what a client gave, as plain data."""
    if hasattr(result, "http_response"):
        return {
            "status": result.status_code,
            "headers": fields_of(result.headers.multi_items()),
            "text": result.http_response.text,
        }
    return result.model_dump(mode="json") if hasattr(result, "model_dump") else repr(result)


def fields_of(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the fields of an answer, less what is between two neighbours alone."""
    return [(name.lower(), value) for name, value in pairs if name.lower() not in {"connection", "keep-alive"}]


def told(error: Exception, before: list[Any]) -> Outcome:
    """Return what an error says, and what had come before it."""
    response = getattr(error, "response", None)
    headers = fields_of(response.headers.multi_items()) if response is not None else None
    return {"error": type(error).__name__, "says": str(error), "status": getattr(error, "status_code", None), "before": before,
            "body": getattr(error, "body", None), "headers": headers}  # fmt: skip


def act(client: Any, scene: Scene) -> Outcome:
    """Have a client of the plain kind do a scene."""
    came: list[Any] = []
    try:
        result = attrgetter(scene.call)(client)(**scene.options)
        if not scene.options.get("stream"):
            return {"result": shown(result)}
        came.extend(shown(each) for each in result)
    except ERRORS as error:
        return told(error, came)
    return {"events": came}


async def act_async(client: Any, scene: Scene) -> Outcome:
    """Have a client of the asynchronous kind do a scene."""
    came: list[Any] = []
    try:
        result = await attrgetter(scene.call)(client)(**scene.options)
        if not scene.options.get("stream"):
            return {"result": shown(result)}
        async for each in result:
            came.append(shown(each))  # noqa: PERF401 - what came before an error is kept
    except ERRORS as error:
        return told(error, came)
    return {"events": came}


def asynchronously(make: Callable[..., Any], url: str, scene: Scene) -> Outcome:
    """Do a scene with a client of the asynchronous kind."""

    async def work() -> Outcome:
        async with make(api_key=KEY, base_url=url, max_retries=0) as client:
            return await act_async(client, scene)

    return asyncio.run(work())


def compare(both: Both, scene: Scene, kinds: Sequence[Callable[[str], Outcome]], path: str) -> None:
    """Do a scene with each kind of client, past the sidecar and through it."""
    outcomes, asked = [], []
    for url in (both.vendor.url, both.sidecar.url):
        before = len(both.vendor.requests)
        with ThreadPoolExecutor(len(kinds)) as pool:
            outcomes.append(list(pool.map(lambda kind, url=url: kind(url + path), kinds)))
        asked.append(both.taken(before))
    for direct, through in zip(*outcomes, strict=True):
        same(scene, direct, through)
    assert [said(request) for request in asked[0]] == [said(request) for request in asked[1]]
    assert len(asked[0]) == len(kinds)


def said(request: Request) -> tuple[bytes, list[tuple[bytes, bytes]], bytes]:
    """Return what a vendor was asked, less what the sidecar may change."""
    fields = [pair for pair in request.head.forwarded if pair[0].lower() != b"host"]
    return request.head.line, fields, request.payload


def words(value: Any) -> Iterator[str]:
    """Yield every name and value that stands in plain data."""
    if isinstance(value, Mapping):
        value = [each for pair in value.items() for each in pair]
    if isinstance(value, list | tuple):
        for each in value:
            yield from words(each)
    else:
        yield str(value)


def same(scene: Scene, direct: Outcome, through: Outcome) -> None:
    """The scene came to the same, and to what it is meant to show."""
    if scene.alike:
        assert {direct.get("error", ""), through.get("error", "")} <= set(scene.alike)
        assert through.get("before") == direct.get("before")
    else:
        assert through == direct
        assert direct.get("error") == scene.ended
    assert scene.shows in "\n".join(words(direct))


@pytest.mark.parametrize("scene", OPENAI, ids=lambda scene: scene.name.replace(" ", "-"))
def test_the_openai_client_gets_the_same_through_the_sidecar(both: Both, scene: Scene) -> None:
    kinds: list[Callable[[str], Outcome]] = [
        lambda url: act(both.client(openai.OpenAI, url), scene),
        lambda url: asynchronously(openai.AsyncOpenAI, url, scene),
    ]
    compare(both, scene, kinds, "/v1")


@pytest.mark.parametrize("scene", ANTHROPIC, ids=lambda scene: scene.name.replace(" ", "-"))
def test_the_anthropic_client_gets_the_same_through_the_sidecar(both: Both, scene: Scene) -> None:
    kinds: list[Callable[[str], Outcome]] = [
        lambda url: act(both.client(anthropic.Anthropic, url), scene),
        lambda url: asynchronously(anthropic.AsyncAnthropic, url, scene),
    ]
    compare(both, scene, kinds, "")


def test_helpers_that_gather_a_stream_get_the_same_through_the_sidecar(both: Both) -> None:
    found = []
    for url in (both.vendor.url, both.sidecar.url):
        client = both.client(anthropic.Anthropic, url)
        with client.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}]) as stream:
            found.append(("".join(stream.text_stream), stream.get_final_message().model_dump(mode="json")))
    assert found[0] == found[1]
    assert found[1][0] == TEXT


def test_a_client_that_keeps_its_connection_gets_the_same_a_hundred_times(both: Both) -> None:
    found: list[list[Outcome]] = []
    for url in (both.vendor.url, both.sidecar.url):
        with openai.OpenAI(api_key=KEY, base_url=url + "/v1", max_retries=0, timeout=60) as client:
            found.append([act(client, OPENAI[number % 14]) for number in range(100)])
    assert found[0] == found[1]


def test_a_client_that_tries_again_sends_as_many_requests_as_without_the_sidecar(both: Both) -> None:
    counts = []
    for url in (both.vendor.url, both.sidecar.url):
        before = len(both.vendor.requests)
        with (
            openai.OpenAI(api_key=KEY, base_url=url + "/v1", max_retries=2) as client,
            pytest.raises(openai.InternalServerError),
        ):
            client.chat.completions.create(model="away", messages=[{"role": "user", "content": "x"}])
        counts.append([request.head.values(b"x-stainless-retry-count") for request in both.vendor.requests[before:]])
    assert counts[0] == counts[1] == [[b"0"], [b"1"], [b"2"]]


# ── aiohttp and httpx ───────────────────────────────────────────────────────────────────────────────────────────────
PLAIN: Final = [
    ("plain", {}), ("packed", {}), ("limited", {}), ("page", {}), ("empty", {}), ("short", {}), ("gone", {}),
    ("streamed", {"stream": True}), ("crlf", {"stream": True}), ("cut", {"stream": True}), ("split", {"stream": True}),
]  # fmt: skip
URL: Final = "/v1/chat/completions?api-version=2026-01-01&x=%2F"


async def keep(coming: AsyncIterator[bytes], pieces: list[bytes]) -> None:
    """Keep what comes, also before an error."""
    async for piece in coming:
        pieces.append(piece)  # noqa: PERF401 - as it says


async def by_aiohttp(url: str, body: Mapping[str, Any], *, packed: bool) -> Outcome:
    """Ask by aiohttp; `packed`: the bytes as they are."""
    async with aiohttp.ClientSession(auto_decompress=not packed) as session:
        pieces: list[bytes] = []
        try:
            async with session.post(url + URL, json=body, headers={"Authorization": f"Bearer {KEY}"}) as response:
                fields = fields_of(list(response.headers.items()))
                await keep(response.content.iter_any(), pieces)
        except aiohttp.ServerDisconnectedError:
            return {"error": "no answer"}
        except aiohttp.ClientError as error:
            return {"error": type(error).__name__, "body": b"".join(pieces)}
        return {"status": response.status, "fields": fields, "body": b"".join(pieces)}


async def by_httpx(url: str, body: Mapping[str, Any], *, packed: bool) -> Outcome:
    """Ask by httpx; `packed`: the bytes as they are."""
    async with httpx2.AsyncClient(timeout=PATIENT) as client:
        pieces: list[bytes] = []
        try:
            async with client.stream("POST", url + URL, json=body, headers={"Authorization": f"Bearer {KEY}"}) as response:
                fields = fields_of(response.headers.multi_items())
                await keep(response.aiter_raw() if packed else response.aiter_bytes(), pieces)
        except httpx2.RemoteProtocolError as error:
            return {"error": "no answer" if "without sending a response" in str(error) else "cut", "body": b"".join(pieces)}
        return {"status": response.status_code, "fields": fields, "body": b"".join(pieces)}


@pytest.mark.parametrize("packed", [False, True], ids=["unpacked", "as-it-is"])
@pytest.mark.parametrize(("model", "options"), PLAIN, ids=[model for model, _ in PLAIN])
@pytest.mark.parametrize("by", [by_aiohttp, by_httpx])
def test_other_clients_get_the_same_through_the_sidecar(
    both: Both, by: Callable[..., Any], model: str, options: Mapping[str, Any], *, packed: bool
) -> None:
    body = {"model": model, "messages": ASKED, **options}
    before = len(both.vendor.requests)
    direct = asyncio.run(by(both.vendor.url, body, packed=packed))
    through = asyncio.run(by(both.sidecar.url, body, packed=packed))
    if model == "gone":  # no answer is an answer that says so
        assert direct["error"] == "no answer"
        assert through["status"] == 502
    else:
        assert through == direct
    first, second = both.vendor.requests[before:]
    assert said(first) == said(second)


# ── curl ────────────────────────────────────────────────────────────────────────────────────────────────────────────
CHAT: Final = ("-H", "Content-Type: application/json", "-H", f"Authorization: Bearer {KEY}")
CHAT_URL: Final = "/v1/chat/completions"


def asking(model: str, **options: Any) -> tuple[str, ...]:
    """Return how curl asks for an answer."""
    return (*CHAT, "-d", json.dumps({"model": model, "messages": ASKED, **options}))


CURLS: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "plain": (asking("plain"), CHAT_URL),
    "compressed": (("--compressed", *asking("packed")), CHAT_URL),
    "packed and left so": (("-H", "Accept-Encoding: gzip", *asking("packed")), CHAT_URL),
    "streamed": (("-N", *asking("m", stream=True)), CHAT_URL),
    "streamed raw": (("-N", "--raw", *asking("m", stream=True)), CHAT_URL),
    "cut": (("-N", *asking("cut", stream=True)), CHAT_URL),
    "short": (asking("short"), CHAT_URL),
    "limited": (asking("limited"), CHAT_URL),
    "fails on 500": (("--fail-with-body", *asking("broken")), CHAT_URL),
    "upload": (("-T", "UPLOAD"), UPLOADED),
    "upload in chunks": (("-T", "UPLOAD", "-H", "Transfer-Encoding: chunked"), UPLOADED),
    "upload that waits": (("-T", "UPLOAD", "-H", "Expect: 100-continue", "--expect100-timeout", "60"), UPLOADED),
    "form": (("-F", "purpose=batch", "-F", "file=@UPLOAD"), UPLOADED),
    "head": (("-I",), "/v1/models"),
    "delete": (("-X", "DELETE"), "/v1/files/f1"),
    "old": (("-0", *asking("plain")), CHAT_URL),
    "old and streamed": (("-0", "-N", *asking("m", stream=True)), CHAT_URL),
    "old upload": (("-0", "-T", "UPLOAD"), UPLOADED),
    "path as it is": (("--path-as-is",), "/v1/a/../models//x?q=%41&&"),
}


def curl(url: str, options: Sequence[str], folder: Path) -> Outcome:
    """Run curl; returns what it wrote, and how it ended."""
    folder.mkdir()
    shown = (
        "-q",
        "-sS",
        "-D",
        "head",
        "-o",
        "body",
        "--max-time",
        "120",
        "-w",
        "%{http_code} %{size_download} %{size_upload} %{num_headers}",
    )
    ran = subprocess.run(["curl", *shown, *options, url], cwd=folder, capture_output=True, text=True, timeout=180, check=False)
    heads = (folder / "head").read_bytes().split(b"\r\n\r\n")[:-1]
    fields = [[pair for pair in Head.of(head + b"\r\n\r\n").fields if pair[0].lower() != b"connection"] for head in heads]
    lines = [head.partition(b"\r\n")[0] for head in heads]
    body = (folder / "body").read_bytes() if (folder / "body").exists() else b""
    return {"lines": lines, "fields": fields, "body": body, "code": ran.returncode, "wrote": ran.stdout.rpartition(" ")[0]}


@pytest.mark.parametrize("name", CURLS, ids=lambda name: name.replace(" ", "-"))
def test_curl_gets_the_same_through_the_sidecar(both: Both, tmp_path: Path, name: str) -> None:
    if shutil.which("curl") is None:
        absent("curl is not installed")
    upload = tmp_path / "UPLOAD"
    upload.write_bytes(bytes(range(256)) * 8_000)  # 2 MB, from where on curl waits to be told to go on
    options, path = CURLS[name]
    given = [option.replace("UPLOAD", str(upload)) for option in options]
    before = len(both.vendor.requests)
    direct = curl(both.vendor.url + path, given, tmp_path / "direct")
    through = curl(both.sidecar.url + path, given, tmp_path / "through")
    first, second = both.vendor.requests[before:]
    if name.startswith("old"):  # the vendor is spoken to in HTTP/1.1, and may answer in its chunks
        assert (through["body"], through["code"], through["lines"]) == (direct["body"], direct["code"], direct["lines"])
        assert first.payload == second.payload
        return
    assert through == direct
    if name != "form":  # its boundary is drawn anew
        assert said(first) == said(second)


def test_curl_asks_several_times_on_one_connection(both: Both, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        absent("curl is not installed")
    urls = [f"{both.sidecar.url}/v1/models?n={number}" for number in range(5)]
    written = ["-q", "-sS", "-w", "%{http_code} %{num_connects}\n", *(word for url in urls for word in ("-o", "body", url))]
    ran = subprocess.run(["curl", *written], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert ran.stdout.split("\n") == ["200 1", *["200 0"] * 4, ""]
