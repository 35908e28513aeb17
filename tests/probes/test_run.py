"""A run of probes: planned before sent, recorded whatever came back, never more than the budget allows."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from slaguard.config import Probe
from slaguard.errors import LedgerError
from slaguard.ledger.read import open_store
from slaguard.ledger.rowlog import RowLog
from slaguard.probes.spending import Account, Allowance, Cost, Purse
from slaguard.providers.base import Prompt, Reply
from slaguard.providers.simulated import Fault, Script, Segment, Window
from slaguard.records import NS_PER_MS, Observation, ProbeMissed, ProbePlanned, Record, Score
from slaguard.terms import Attribution, Grade, Outcome, Source

START = 1_790_812_800_000_000_000
Rig = Callable[..., Any]
GOOD = Segment(start_ns=START, revision="r1", fingerprint="fp_1", other_accuracy=1.0)


def failing(fault: Fault) -> Script:
    return Script(segments=(replace(GOOD, faults={fault: 1.0}),))


# ── what is recorded ────────────────────────────────────────────────────────────────────────────────────────────────
def test_every_slot_is_planned_asked_and_scored_as_the_vendor_knows_it_happened(rig: Rig, tmp_path: Path) -> None:
    segment = replace(GOOD, other_accuracy=0.8, faults={Fault.ERROR_500: 0.05, Fault.RATE_LIMITED: 0.05})

    async def ask() -> tuple[Any, dict[str, Any]]:
        async with rig(300, Script(segments=(segment,))) as setting:
            with RowLog.open(tmp_path / "ledger", clock=setting.clock) as log:
                tally = await setting.prober(log.append).run(setting.slots)
            return tally, {truth.request_id: truth for truth in setting.vendor.truth}

    tally, truths = asyncio.run(ask())
    with open_store(tmp_path / "ledger") as store:
        observations, scores = list(store.observations()), {s.observation: s for s in store.scores()}
        planned, missed = list(store.planned()), list(store.missed())
    assert (tally.asked, len(observations), len(planned), missed) == (300, 300, 300, [])
    assert {p.slot for p in planned} == {o.logical_request_id for o in observations}
    faults = {None: Outcome.OK, Fault.ERROR_500: Outcome.ERROR_500, Fault.RATE_LIMITED: Outcome.RATE_LIMITED}
    for one in observations:
        truth = truths[one.request_id or ""]
        assert (one.outcome, one.golden_item) == (faults[truth.fault], truth.item)
        assert (scores[one.id].grade if one.id in scores else None) == truth.grade
    assert set(tally.outcomes) == set(faults.values())
    assert tally.grades == Counter(s.grade for s in scores.values())


def test_an_observation_carries_the_call_s_times_handles_and_origin(rig: Rig, kept: Any) -> None:
    async def ask() -> Any:
        async with rig(1) as setting:
            await setting.prober(kept.append).run(setting.slots)
            return setting.slots[0], setting.vendor.truth[0]

    slot, truth = asyncio.run(ask())
    (one,) = kept.of(Observation)
    assert (one.id, one.logical_request_id, one.attempt) == (f"probe:{slot.id}", slot.id, 1)
    assert (one.source, one.via, one.inclusion_probability) == (Source.PROBE, "agent", "1")
    assert (one.vendor, one.model_requested, one.model_returned) == ("Acme AI", "acme-large", "acme-large")
    assert (one.scheduled_at, one.sent_at) == (slot.scheduled_at, slot.scheduled_at)
    assert one.ended_at == one.sent_at + truth.total_ms * NS_PER_MS
    assert (one.total_time_ns, one.time_to_first_token_ns) == (truth.total_ms * NS_PER_MS, None)
    assert (one.request_id, one.fingerprint, one.status) == (truth.request_id, "fp_1", 200)
    assert one.attributes["golden_set"] == "claims-qa@4"
    assert one.attributes["class"] == truth.kind
    assert one.attributes["sent_request_id"] == slot.request_id
    assert one.attributes["peer"] == "127.0.0.1"
    assert one.attributes["date"].endswith("GMT")
    assert kept.payloads[one.id].decode() == truth.text


def test_a_stream_has_the_time_of_its_first_token(rig: Rig, kept: Any, golden_set: Any) -> None:
    streamed = replace(golden_set, parameters={**golden_set.parameters, "stream": True})

    async def ask() -> Any:
        async with rig(1, golden=streamed) as setting:
            await setting.prober(kept.append).run(setting.slots)
            return setting.vendor.truth[0]

    truth = asyncio.run(ask())
    (one,) = kept.of(Observation)
    assert (one.stream, one.stream_end, one.outcome) == (True, "done", Outcome.OK)
    assert truth.first_byte_ms * NS_PER_MS <= one.time_to_first_token_ns <= one.total_time_ns
    assert one.input_tokens is not None


FAULTS = {
    Fault.ERROR_500: (Outcome.ERROR_500, Attribution.VENDOR),
    Fault.ERROR_503: (Outcome.ERROR_5XX, Attribution.VENDOR),
    Fault.ERROR_529: (Outcome.OVERLOADED, Attribution.VENDOR),
    Fault.RATE_LIMITED: (Outcome.RATE_LIMITED, Attribution.CLIENT_QUOTA),
    Fault.RESET: (Outcome.CONNECTION_ERROR, Attribution.VENDOR),
    Fault.EMPTY_BODY: (Outcome.EMPTY, Attribution.VENDOR),
    Fault.HTML_PAGE: (Outcome.ERROR_BODY, Attribution.VENDOR),
    Fault.ERROR_BODY: (Outcome.ERROR_BODY, Attribution.VENDOR),
    Fault.TRUNCATED: (Outcome.TRUNCATED, Attribution.VENDOR),
    Fault.CUT: (Outcome.TRUNCATED, Attribution.VENDOR),
    Fault.REDIRECT: (Outcome.REDIRECT, Attribution.VENDOR),
    Fault.STALL: (Outcome.TIMEOUT, Attribution.VENDOR),
    Fault.SILENCE: (Outcome.TIMEOUT, Attribution.VENDOR),
    Fault.CONTENT_FILTER: (Outcome.CONTENT_FILTERED, Attribution.NONE),
    Fault.GZIP_BOMB: (Outcome.ERROR_BODY, Attribution.VENDOR),
    Fault.HOSTILE_TEXT: (Outcome.OK, Attribution.NONE),
    Fault.HUGE_INTEGER: (Outcome.OK, Attribution.NONE),
    Fault.SSE_CRLF: (Outcome.OK, Attribution.NONE),
    Fault.SSE_CR: (Outcome.OK, Attribution.NONE),
    Fault.SSE_MULTILINE: (Outcome.OK, Attribution.NONE),
    Fault.SPLIT_UTF8: (Outcome.OK, Attribution.NONE),
}


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("fault", list(Fault))
def test_every_way_to_go_wrong_has_its_outcome(
    rig: Rig, tmp_path: Path, golden_set: Any, fault: Fault, is_stream: bool
) -> None:
    golden = replace(golden_set, parameters={**golden_set.parameters, "stream": True}) if is_stream else golden_set

    async def ask() -> None:
        async with rig(2, failing(fault), golden) as setting:
            with RowLog.open(tmp_path / "ledger", clock=setting.clock) as log:
                await setting.prober(log.append).run(setting.slots)

    asyncio.run(ask())
    with open_store(tmp_path / "ledger") as store:
        observations, scores = list(store.observations()), list(store.scores())
    assert [(o.outcome, o.attribution) for o in observations] == [FAULTS[fault]] * 2
    graded = [Grade.CORRECT] * 2 if FAULTS[fault][0] is Outcome.OK else []
    if fault is Fault.CONTENT_FILTER:
        graded = [Grade.UNPARSED] * 2  # an answer it is, and it says nothing
    assert [s.grade for s in scores] == graded
    if FAULTS[fault][0] is Outcome.TIMEOUT:
        assert {o.ended_at - (o.scheduled_at or 0) for o in observations if o.ended_at} == {60_000 * NS_PER_MS}
        assert {o.total_time_ns for o in observations} == {None}


def test_an_outage_is_seen_where_it_was_and_nowhere_else(rig: Rig, kept: Any) -> None:
    window = Window(start_ns=START + 20 * 300 * 10**9, end_ns=START + 40 * 300 * 10**9, fault=Fault.SILENCE)

    async def ask() -> None:
        async with rig(60, Script(segments=(GOOD,), windows=(window,))) as setting:
            await setting.prober(kept.append, concurrency=16).run(setting.slots)

    asyncio.run(ask())
    for one in kept.of(Observation):
        down = window.start_ns <= one.scheduled_at < window.end_ns
        assert one.outcome is (Outcome.TIMEOUT if down else Outcome.OK)


def test_the_same_seed_gives_the_same_records_whatever_is_under_way_at_once(rig: Rig) -> None:
    async def ask(concurrency: int) -> set[str]:
        records: list[Record] = []
        async with rig(120) as setting:
            prober = setting.prober(lambda batch, _: records.extend(batch), concurrency=concurrency, ahead=concurrency * 2)
            await prober.run(setting.slots)
        return {repr(record) for record in records}

    assert asyncio.run(ask(1)) == asyncio.run(ask(16))


# ── the order of things ─────────────────────────────────────────────────────────────────────────────────────────────
def test_nothing_is_sent_before_its_plan_is_acknowledged(rig: Rig) -> None:
    acknowledged: set[str] = set()
    too_early: list[str] = []

    def append(records: Sequence[Record], _: Sequence[bytes | None]) -> None:
        acknowledged.update(r.slot for r in records if isinstance(r, ProbePlanned))

    async def ask() -> int:
        async with rig(200) as setting:
            prober = setting.prober(append, ahead=16)
            by_request = {slot.request_id: slot.id for slot in setting.slots}
            provider = prober.provider

            class Watching:
                request = provider.request

                async def complete(self, prompt: Prompt) -> Reply:
                    if by_request[prompt.request_id or ""] not in acknowledged:
                        too_early.append(prompt.request_id or "")
                    reply: Reply = await provider.complete(prompt)
                    return reply

            return int((await replace(prober, provider=Watching()).run(setting.slots)).asked)

    assert asyncio.run(ask()) == 200
    assert too_early == []


def test_no_more_calls_are_under_way_than_allowed(rig: Rig, kept: Any) -> None:
    under_way = most = 0

    async def ask() -> None:
        async with rig(100) as setting:
            prober = setting.prober(kept.append, concurrency=5)
            provider = prober.provider

            class Counting:
                request = provider.request

                async def complete(self, prompt: Prompt) -> Reply:
                    nonlocal under_way, most
                    under_way += 1
                    most = max(most, under_way)
                    reply: Reply = await provider.complete(prompt)
                    under_way -= 1
                    return reply

            await replace(prober, provider=Counting()).run(setting.slots)

    asyncio.run(ask())
    assert 2 <= most <= 5


def test_a_ledger_that_fails_ends_the_run_and_nothing_more_is_sent(rig: Rig) -> None:
    batches = 0

    def append(records: Sequence[Record], _: Sequence[bytes | None]) -> None:
        nonlocal batches
        batches += 1
        if batches > 2:
            raise LedgerError("E-DISK-FULL  no space left\n    make room")

    async def ask() -> int:
        async with rig(300) as setting:
            with pytest.raises(LedgerError, match="E-DISK-FULL"):
                await setting.prober(append, ahead=8).run(setting.slots)
            return len(setting.vendor.truth)

    assert asyncio.run(ask()) < 40


def test_a_run_that_is_ended_writes_what_it_has_and_names_what_it_gave_up(rig: Rig, tmp_path: Path) -> None:
    async def ask() -> None:
        async with rig(400) as setting:
            with RowLog.open(tmp_path / "ledger", clock=setting.clock) as log:
                seen: list[object] = []
                prober = setting.prober(log.append, on_result=seen.append, ahead=32)
                task = asyncio.create_task(prober.run(setting.slots))
                while len(seen) < 20:
                    await asyncio.sleep(0.001)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

    asyncio.run(ask())
    with open_store(tmp_path / "ledger") as store:
        planned = {p.slot for p in store.planned()}
        asked = {o.logical_request_id for o in store.observations()}
        missed = {m.slot: (m.how, m.reason) for m in store.missed()}
        assert store.conflicts == 0
    assert 20 <= len(asked) < 400
    assert asked | missed.keys() == planned
    assert set(missed.values()) == {("lost", "own_down")}


# ── whose fault it is ───────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("reached", "expected"),
    [
        pytest.param(True, (Outcome.CONNECTION_ERROR, Attribution.VENDOR), id="others are reached"),
        pytest.param(False, (Outcome.UNMEASURED, Attribution.OWN_NETWORK), id="nobody is reached"),
        pytest.param(None, (Outcome.CONNECTION_ERROR, Attribution.VENDOR), id="nobody else is asked"),
    ],
)
def test_a_vendor_that_is_not_reached_is_at_fault_only_if_others_are(
    rig: Rig, kept: Any, reached: bool | None, expected: tuple[Outcome, Attribution]
) -> None:
    async def control() -> bool:
        assert reached is not None
        return reached

    async def ask() -> None:
        async with rig(3, failing(Fault.RESET)) as setting:
            prober = setting.prober(kept.append, control=None if reached is None else control)
            await prober.run(setting.slots)

    asyncio.run(ask())
    assert [(o.outcome, o.attribution) for o in kept.of(Observation)] == [expected] * 3


def test_a_failure_in_mid_answer_asks_no_control_target(rig: Rig, kept: Any) -> None:
    async def control() -> bool:
        pytest.fail("the vendor had answered")

    async def ask() -> None:
        for fault in (Fault.CUT, Fault.ERROR_500):
            async with rig(1, failing(fault)) as setting:
                await setting.prober(kept.append, control=control).run(setting.slots)

    asyncio.run(ask())
    assert {o.attribution for o in kept.of(Observation)} == {Attribution.VENDOR}


# ── money ───────────────────────────────────────────────────────────────────────────────────────────────────────────
PRICED = {
    "agreement": "acme-chat",
    "model": "acme-large",
    "every": "5m",
    "price": {"input": "2.50 EUR", "output": "10.00 EUR"},
    "budget": {"amount": "0.10 EUR", "per": "day"},
}


def test_no_more_is_spent_than_the_budget_and_what_is_not_asked_is_written_down(rig: Rig, kept: Any) -> None:
    config = Probe.model_validate(PRICED)

    async def ask() -> tuple[Any, int]:
        async with rig(400) as setting:
            prober = setting.prober(kept.append)
            assert config.budget is not None
            purse = Purse(Cost.of(config), Allowance(config.budget.amount.amount, Account(lambda: 0)))
            return await replace(prober, purse=purse).run(setting.slots), len(setting.vendor.truth)

    tally, sent = asyncio.run(ask())
    spent = sum(
        (o.input_tokens * Decimal("2.50") + o.output_tokens * Decimal("10.00")) / 1_000_000 for o in kept.of(Observation)
    )
    assert tally.spent == spent <= Decimal("0.10")
    assert spent > Decimal("0.09"), "what a call did not cost is there for the next one"
    assert sent == tally.asked == len(kept.of(Observation)) == len(kept.of(ProbePlanned))
    assert tally.shed == len(kept.of(ProbeMissed)) == 400 - sent > 0
    assert {(m.how, m.reason) for m in kept.of(ProbeMissed)} == {("shed", "budget")}


# ── what is written of an answer ────────────────────────────────────────────────────────────────────────────────────
def test_secrets_and_personal_data_in_an_answer_never_reach_the_ledger(rig: Rig, tmp_path: Path) -> None:
    hostile = "canary-key bob@example.com DE89 3704 0044 0532 0130 00\nAnswer: Yes"

    async def ask() -> None:
        async with rig(3) as setting:
            with RowLog.open(tmp_path / "ledger", clock=setting.clock) as log:
                prober = setting.prober(log.append, redact=type(setting.prober(print).redact)(("canary-key",)))
                provider = prober.provider

                class Leaking:
                    request = provider.request

                    async def complete(self, prompt: Prompt) -> Reply:
                        reply: Reply = await provider.complete(prompt)
                        return replace(reply, text=hostile, model_returned="canary-key", request_id="bob@example.com")

                await replace(prober, provider=Leaking()).run(setting.slots)

    asyncio.run(ask())
    written = b"".join(path.read_bytes() for path in (tmp_path / "ledger").iterdir() if path.is_file())
    for canary in (b"canary-key", b"bob@", b"3704"):
        assert canary not in written
    assert written.count(b"[redacted e-mail]") == 3 * 2
    with open_store(tmp_path / "ledger") as store:
        assert {s.grade for s in store.scores()} <= {Grade.CORRECT, Grade.WRONG, Grade.UNPARSED}
        assert {o.model_returned for o in store.observations()} == {"[redacted secret]"}


def test_a_very_long_answer_is_graded_whole_and_kept_in_part(rig: Rig, kept: Any) -> None:
    async def ask() -> None:
        async with rig(1) as setting:
            prober = setting.prober(kept.append)
            provider = prober.provider
            reference = setting.golden.items[setting.slots[0].item].reference

            class Talkative:
                request = provider.request

                async def complete(self, prompt: Prompt) -> Reply:
                    reply: Reply = await provider.complete(prompt)
                    return replace(reply, text="so " * 500_000 + f"\nAnswer: {reference}")

            await replace(prober, provider=Talkative()).run(setting.slots)

    asyncio.run(ask())
    (score,) = kept.of(Score)
    assert score.grade is Grade.CORRECT
    assert [len(p) for p in kept.payloads.values()] == [256 * 1024]


@pytest.mark.slow
def test_a_month_of_probes_takes_less_than_20_seconds_row_log_included(rig: Rig, tmp_path: Path) -> None:
    async def ask() -> tuple[float, int]:
        async with rig(9000) as setting:
            with RowLog.open(tmp_path / "ledger", clock=setting.clock) as log:
                begun = time.process_time()
                tally = await setting.prober(log.append, concurrency=16, ahead=256).run(setting.slots)
                return time.process_time() - begun, tally.asked

    seconds, asked = asyncio.run(ask())
    assert asked == 9000
    assert seconds < 20
