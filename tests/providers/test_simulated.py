"""The simulated vendor, spoken to by a real client over loopback."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import Any

import aiohttp
import pytest

from slaguard.errors import ConfigError
from slaguard.providers.simulated import (
    Fault,
    Latency,
    Question,
    Script,
    Segment,
    SimulatedVendor,
    Truth,
    current_request,
    published_story,
    read_questions,
    truth_as_jsonl,
)
from slaguard.providers.simulated.script import ANSWERED
from slaguard.terms import Grade

GOLDEN = read_questions((files("sla_specs") / "golden" / "claims-qa@4.jsonl").read_text("utf-8").splitlines())
START = 1_790_812_800_000_000_000  # 2026-10-01T00:00:00Z
DAY = 86_400_000_000_000
PERFECT = Segment(start_ns=START, revision="r1", fingerprint="fp_1", other_accuracy=1.0)


@dataclass
class Clock:
    """A simulated clock that its owner and every delay move forward."""

    ns: int = START
    waits: list[float] = field(default_factory=list)

    def now_ns(self) -> int:
        return self.ns

    async def delay(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.ns += round(seconds * 1e9)


@asynccontextmanager
async def speaking(
    script: Script, seed: int = 1, clock: Clock | None = None, **more: Any
) -> AsyncIterator[tuple[SimulatedVendor, aiohttp.ClientSession]]:
    clock = clock or Clock()
    seams: dict[str, Any] = {"now_ns": clock.now_ns, "delay": clock.delay} | more
    async with SimulatedVendor(script, seed, GOLDEN, **seams) as vendor, aiohttp.ClientSession() as client:
        yield vendor, client


def ask(question: Question, **more: object) -> dict[str, object]:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question.input}]
    return {"model": "acme-large", "messages": messages, "temperature": 0, **more}


def chat(vendor: SimulatedVendor, client: aiohttp.ClientSession, body: object, handle: str = "h-1") -> Any:
    url = f"{vendor.base_url}/chat/completions"
    return client.post(url, json=body, headers={"X-Client-Request-Id": handle}, allow_redirects=False)


def data_lines(raw: bytes) -> list[str]:
    return [line.removeprefix("data: ") for line in raw.decode().split("\n") if line.startswith("data: ")]


def streamed_text(raw: bytes, key: str = "content") -> str:
    *events, last = data_lines(raw)
    assert last == "[DONE]"
    deltas = [choice["delta"] for event in events for choice in json.loads(event)["choices"]]
    return "".join(delta.get(key) or "" for delta in deltas)


def with_fault(fault: Fault, **more: Any) -> Script:
    return Script(segments=(replace(PERFECT, faults={fault: 1.0}),), **more)


def test_an_answer_is_a_chat_completion_that_ends_with_the_reference() -> None:
    async def run() -> None:
        async with speaking(Script(segments=(PERFECT,))) as (vendor, client):
            for question in GOLDEN.known[::40]:
                async with chat(vendor, client, ask(question), question.item) as response:
                    body = await response.json()
                    assert response.status == 200
                assert body["object"] == "chat.completion"
                assert (body["model"], body["system_fingerprint"]) == ("acme-large", "fp_1")
                assert body["choices"][0]["message"]["content"].endswith(f"\nAnswer: {question.reference}")
                assert body["usage"]["total_tokens"] == sum(list(body["usage"].values())[:2])
                assert body["created"] * 1_000_000_000 >= START - 1_000_000_000
                truth = vendor.truth_of(response.headers["x-request-id"])
                assert truth is not None
                assert (truth.item, truth.grade) == (question.item, Grade.CORRECT)

    asyncio.run(run())


def test_a_stream_says_the_same_as_a_whole_answer_and_ends_with_done() -> None:
    async def run() -> None:
        question = GOLDEN.known[0]
        async with (
            speaking(Script(segments=(PERFECT,))) as (vendor, client),
            chat(vendor, client, ask(question)) as response,
        ):
            whole = (await response.json())["choices"][0]["message"]["content"]
        async with speaking(Script(segments=(PERFECT,))) as (vendor, client):
            options = {"stream": True, "stream_options": {"include_usage": True}}
            async with chat(vendor, client, ask(question, **options)) as response:
                assert response.content_type == "text/event-stream"
                raw = await response.read()
        assert streamed_text(raw) == whole
        usage = json.loads(data_lines(raw)[-2])
        assert usage["choices"] == []
        assert usage["usage"]["completion_tokens"] > 0

    asyncio.run(run())


async def month(seed: int, concurrency: int) -> tuple[Truth, ...]:
    """Ask 480 questions, each at its own simulated instant, so many at a time."""
    script = published_story(START, START + 15 * DAY, faults={Fault.ERROR_500: 0.05, Fault.RESET: 0.02})
    clocks = {f"slot-{n}": Clock(START + n * DAY // 16) for n in range(480)}
    seams: dict[str, Any] = {
        "now_ns": lambda: clocks[current_request.get()].ns,
        "delay": lambda seconds: clocks[current_request.get()].delay(seconds),
    }
    async with speaking(script, seed, None, **seams) as (vendor, client):

        async def worker(first: int) -> None:
            for n in range(first, 480, concurrency):
                try:
                    async with chat(vendor, client, ask(GOLDEN.known[n % 240]), f"slot-{n}") as response:
                        await response.read()
                except aiohttp.ClientConnectionError:
                    continue

        await asyncio.gather(*(worker(first) for first in range(concurrency)))
        return vendor.truth


def test_equal_seeds_give_equal_truth_whatever_the_concurrency() -> None:
    one, eight, other = (asyncio.run(month(*arguments)) for arguments in ((7, 1), (7, 8), (8, 1)))
    assert len(one) == 480
    assert truth_as_jsonl(one) == truth_as_jsonl(eight)
    assert truth_as_jsonl(one) != truth_as_jsonl(other)
    assert {t.fault for t in one} == {None, Fault.ERROR_500, Fault.RESET}


def test_a_repeated_request_is_a_new_attempt_with_draws_of_its_own() -> None:
    async def run() -> tuple[Truth, ...]:
        script = Script(segments=(replace(PERFECT, other_accuracy=0.5),))
        async with speaking(script) as (vendor, client):
            for _ in range(40):
                async with chat(vendor, client, ask(GOLDEN.known[0])) as response:
                    await response.read()
            return vendor.truth

    first, second = asyncio.run(run()), asyncio.run(run())
    assert [t.attempt for t in first] == list(range(1, 41))
    assert {t.grade for t in first} >= {Grade.CORRECT, Grade.WRONG}
    assert first == second


def test_time_is_only_told_and_never_slept() -> None:
    async def run() -> None:
        clock = Clock()
        slow = replace(PERFECT, latency=Latency(first_byte_ms=60_000, generation_ms=600_000, sigma=0.5))
        async with speaking(Script(segments=(slow,)), clock=clock) as (vendor, client):
            for stream in (False, True):
                clock.waits.clear()
                async with asyncio.timeout(5), chat(vendor, client, ask(GOLDEN.known[0], stream=stream)) as response:
                    await response.read()
                truth = vendor.truth[-1]
                assert clock.waits[0] == truth.first_byte_ms / 1000
                assert sum(clock.waits) == pytest.approx(truth.total_ms / 1000)
                assert response.headers["openai-processing-ms"] == str(truth.total_ms)
                assert truth.total_ms > truth.first_byte_ms > 5_000

    asyncio.run(run())


def test_a_model_swapped_under_its_name_shows_in_the_fingerprint_and_the_truth_alone() -> None:
    async def run() -> None:
        clock = Clock()
        async with speaking(published_story(START, START + DAY, faults={}, refusal=(0, 0)), clock=clock) as (
            vendor,
            client,
        ):
            seen = []
            for at in (START + DAY - 1, START + DAY):
                clock.ns = at
                async with chat(vendor, client, ask(GOLDEN.known[0])) as response:
                    seen.append(await response.json())
        assert {body["model"] for body in seen} == {"acme-large"}
        assert seen[0]["system_fingerprint"] != seen[1]["system_fingerprint"]
        assert [t.revision for t in vendor.truth] == ["2023-03", "2023-06"]
        assert "2023-0" not in json.dumps(seen)

    asyncio.run(run())


@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_stands_in_its_own_field(stream: bool) -> None:
    async def run() -> None:
        async with speaking(Script(segments=(replace(PERFECT, refusal=1.0),))) as (vendor, client):
            async with chat(vendor, client, ask(GOLDEN.known[0], stream=stream)) as response:
                raw = await response.read()
            truth = vendor.truth[0]
        assert truth.refused
        assert truth.grade is None
        if stream:
            assert streamed_text(raw, "refusal") == truth.text
        else:
            message = json.loads(raw)["choices"][0]["message"]
            assert (message["content"], message["refusal"]) == (None, truth.text)

    asyncio.run(run())


# ── windows and faults ──────────────────────────────────────────────────────────────────────────────────────────────
async def meet(script: Script, *, stream: bool, seconds: float = 5.0) -> tuple[Any, bytes, Truth]:
    """Return the response, all raw bytes, and the truth of one call."""
    async with speaking(script) as (vendor, client):
        client._auto_decompress = False
        async with asyncio.timeout(seconds), chat(vendor, client, ask(GOLDEN.known[0], stream=stream)) as response:
            return response, await response.read(), vendor.truth[0]


STATUSES = {Fault.ERROR_500: 500, Fault.ERROR_503: 503, Fault.ERROR_529: 529, Fault.RATE_LIMITED: 429}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("fault", STATUSES)
def test_an_error_status_carries_an_error_body(fault: Fault, stream: bool) -> None:
    response, raw, truth = asyncio.run(meet(with_fault(fault, retry_after_s=33), stream=stream))
    assert response.status == STATUSES[fault]
    assert json.loads(raw)["error"]["message"]
    assert (response.headers.get("Retry-After") == "33") == (fault is Fault.RATE_LIMITED)
    assert (truth.fault, truth.grade) == (fault, None)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_hostile_answers_arrive_with_status_200(stream: bool) -> None:
    def body(fault: Fault) -> bytes:
        response, raw, _ = asyncio.run(meet(with_fault(fault), stream=stream))
        assert response.status == 200
        return raw

    assert body(Fault.EMPTY_BODY) == b""
    assert body(Fault.HTML_PAGE).startswith(b"<!DOCTYPE html>")
    assert b'"error"' in body(Fault.ERROR_BODY)
    truncated = body(Fault.TRUNCATED)
    assert truncated
    assert b"[DONE]" not in truncated
    if not stream:
        with pytest.raises(json.JSONDecodeError):
            json.loads(truncated)
    bomb = body(Fault.GZIP_BOMB)
    assert len(bomb) < 100_000
    assert len(gzip.decompress(bomb)) == 64 << 20


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("fault", [Fault.RESET, Fault.CUT, Fault.STALL, Fault.SILENCE])
def test_a_broken_connection_reaches_the_client_as_one(fault: Fault, stream: bool) -> None:
    with pytest.raises(aiohttp.ClientError):
        asyncio.run(meet(with_fault(fault), stream=stream))


def test_a_redirect_points_to_another_host() -> None:
    response, _, _ = asyncio.run(meet(with_fault(Fault.REDIRECT), stream=False))
    assert response.status == 307
    assert response.headers["Location"].startswith("https://elsewhere.invalid/")


@pytest.mark.parametrize("fault", [Fault.STALL, Fault.SILENCE])
def test_a_client_that_gives_up_on_a_stall_does_not_hold_the_vendor(fault: Fault) -> None:
    async def give_up() -> None:
        calm = replace(PERFECT, faults={fault: 1.0}, latency=Latency(first_byte_ms=1, generation_ms=1, sigma=0))
        async with (
            speaking(Script(segments=(calm,)), delay=asyncio.sleep) as (vendor, client),
            asyncio.timeout(0.2),
            chat(vendor, client, ask(GOLDEN.known[0], stream=True)) as response,
        ):
            await response.read()

    async def run() -> None:
        async with asyncio.timeout(4):
            with pytest.raises(TimeoutError):
                await give_up()
        assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    asyncio.run(run())


def test_a_content_filter_leaves_no_text() -> None:
    _, raw, truth = asyncio.run(meet(with_fault(Fault.CONTENT_FILTER), stream=False))
    choice = json.loads(raw)["choices"][0]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("content_filter", "")
    assert truth.grade is None


@pytest.mark.parametrize("fault", sorted(ANSWERED - {Fault.HUGE_INTEGER}))
def test_an_oddly_framed_stream_still_holds_the_answer(fault: Fault) -> None:
    _, raw, truth = asyncio.run(meet(with_fault(fault), stream=True))
    text = raw.decode().replace("\r\n", "\n").replace("\r", "\n")
    events = ["\n".join(data_lines(event.encode())) for event in text.split("\n\n") if event]
    assert events.pop() == "[DONE]"
    said = "".join(c["delta"].get("content", "") for event in events for c in json.loads(event)["choices"])
    assert said.endswith(truth.text)
    assert truth.grade is Grade.CORRECT
    assert (b"\r" in raw) == (fault in {Fault.SSE_CR, Fault.SSE_CRLF})


def test_hostile_text_and_a_huge_integer_are_really_on_the_wire() -> None:
    _, raw, _ = asyncio.run(meet(with_fault(Fault.HOSTILE_TEXT), stream=False))
    said = json.loads(raw)["choices"][0]["message"]["content"]
    assert all(mark in said for mark in ("\x1b[2J", "\u202e", "\x00", "<script>", "\n=HYPERLINK", "\ud800"))
    for stream in (False, True):
        _, raw, _ = asyncio.run(meet(with_fault(Fault.HUGE_INTEGER), stream=stream))
        assert re.search(rb'"prompt_tokens": \d{5000}', raw)


def test_every_fault_is_met_without_an_error_in_the_vendor(caplog: pytest.LogCaptureFixture) -> None:
    for fault in Fault:
        for stream in (False, True):
            try:
                asyncio.run(meet(with_fault(fault), stream=stream))
            except aiohttp.ClientError:
                assert fault in {Fault.RESET, Fault.CUT, Fault.STALL, Fault.SILENCE}
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


# ── the door ────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("body", "key", "status"),
    [
        pytest.param(b"{", "right", 400, id="broken JSON"),
        pytest.param(b"[" * 100_000, "right", 400, id="deep JSON"),
        pytest.param(b"[]", "right", 400, id="no object"),
        pytest.param(b'{"model": "acme-large", "messages": []}', "right", 400, id="no messages"),
        pytest.param(b'{"model": "other", "messages": [{}]}', "right", 404, id="unknown model"),
        pytest.param(b'{"model": "acme-large", "messages": [{}]}', "wrong", 401, id="wrong key"),
        pytest.param(b'{"model": "acme-large", "messages": [{"content": [1]}, 2]}', "right", 200, id="odd messages"),
    ],
)
def test_a_request_outside_the_dialect_is_answered_with_its_status(body: bytes, key: str, status: int) -> None:
    async def run() -> None:
        async with speaking(Script(segments=(PERFECT,)), api_key="right") as (vendor, client):
            url, headers = f"{vendor.base_url}/chat/completions", {"Authorization": f"Bearer {key}"}
            async with client.post(url, data=body, headers=headers) as response:
                answer = await response.json()
        assert response.status == status
        assert ("error" in answer) == (status != 200)
        assert len(vendor.truth) == (status == 200)

    asyncio.run(run())


def test_models_and_health_answer() -> None:
    async def run() -> None:
        async with speaking(Script(segments=(PERFECT,)), api_key="right") as (vendor, client):
            async with client.get(f"{vendor.origin}/health") as response:
                assert await response.json() == {"status": "ok"}
            async with client.get(f"{vendor.base_url}/models") as response:
                assert response.status == 401
            async with client.get(f"{vendor.base_url}/models", headers={"Authorization": "Bearer right"}) as response:
                assert [model["id"] for model in (await response.json())["data"]] == ["acme-large"]

    asyncio.run(run())


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "localhost", "::"])
def test_only_loopback_addresses_are_listened_on(host: str) -> None:
    with pytest.raises(ConfigError, match="loopback"):
        SimulatedVendor(Script(segments=(PERFECT,)), 1, GOLDEN, now_ns=lambda: 0, delay=asyncio.sleep, host=host)
