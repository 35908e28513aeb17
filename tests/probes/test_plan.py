"""Which question is asked when: the draw stream's vectors, and the slots made of it."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.errors import ProbeError
from slaguard.probes.draws import Draws, derive_seed
from slaguard.probes.plan import ProbePlan, once

SECRET, ROOT, SPEC, BEACON = bytes(range(32)), b"\x11" * 32, b"\x22" * 32, b"\x33" * 32
PERIOD = "2027-03-01T00:00:00Z/2027-04-01T00:00:00Z"
SEED = bytes.fromhex("3bd8cf624076a00bcd48ab68ea79997a440511479584e8f5e5c2dc12a18a89c1")
MINUTE = 60_000_000_000
OCTOBER = (1_790_805_600 * 10**9, 1_793_487_600 * 10**9)  # Europe/Berlin: 745 hours, the clock goes back


# ── the stream ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_seed_is_the_published_one_with_and_without_a_beacon() -> None:
    assert derive_seed(SECRET, ROOT, SPEC, PERIOD, BEACON) == SEED
    bare = derive_seed(SECRET, ROOT, SPEC, PERIOD)
    assert bare.hex() == "b808df51d393ba3d710e5b8cccd8c0e6740624d03566c579bb2fdc6d839dc7f7"


def test_the_draws_are_the_published_ones() -> None:
    items = Draws(SEED, "items")
    assert [items.uniform(1000) for _ in range(8)] == [832, 686, 335, 430, 869, 36, 657, 979]
    assert Draws(SEED, "items").permutation(10) == [9, 0, 3, 8, 1, 5, 6, 7, 4, 2]
    times = Draws(SEED, "times")
    assert [times.uniform(6 * 10**10) for _ in range(3)] == [28907297745, 49441682302, 40684371639]


def test_words_that_would_make_a_draw_uneven_are_passed_over() -> None:
    items = Draws(SEED, "items")
    drawn = [items.uniform(2**63 + 1) for _ in range(3)]
    assert drawn == [2661856871016328832, 6608775203027022869, 9143714178395639036]


@given(st.integers(1, 200), st.binary(min_size=32, max_size=32))
def test_a_permutation_holds_everything_once(n: int, seed: bytes) -> None:
    assert sorted(Draws(seed, "items").permutation(n)) == list(range(n))


@pytest.mark.parametrize("n", [0, -1, 2**64 + 1])
def test_a_draw_without_a_range_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match="whole number"):
        Draws(SEED, "items").uniform(n)


# ── slots ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def plan(**more: object) -> ProbePlan:
    settings: dict[str, object] = {
        "agreement": "acme-chat",
        "model": "acme-large",
        "start": OCTOBER[0],
        "end": OCTOBER[1],
        "every_ms": 300_000,
        "seed": SEED,
        "items": tuple(f"q{i}" for i in range(240)),
    }
    return ProbePlan(**(settings | more))  # type: ignore[arg-type]


def test_every_stratum_of_a_period_has_one_slot() -> None:
    slots = plan().slots()
    assert len(slots) == 8940
    for k, slot in enumerate(slots):
        assert 0 <= slot.scheduled_at - (OCTOBER[0] + k * 5 * MINUTE) < 5 * MINUTE
    assert len({slot.id for slot in slots}) == 8940


def test_the_moments_are_spread_over_the_stratum_so_that_no_clock_tells_a_probe() -> None:
    offsets = [slot.scheduled_at % (5 * MINUTE) // MINUTE for slot in plan().slots()]
    for minute, count in Counter(offsets).items():
        assert 1600 < count < 1980, minute  # 1,788 expected, five standard deviations either side


def test_every_question_comes_once_before_any_comes_again_in_an_order_of_its_own() -> None:
    items = [slot.item for slot in plan().slots()]
    passes = [items[i : i + 240] for i in range(0, len(items), 240)]
    assert all(len(set(one)) == len(one) for one in passes)
    assert passes[0] != passes[1] != passes[2]


def test_the_same_seed_gives_the_same_plan_and_another_seed_another() -> None:
    assert plan().slots() == plan().slots()
    assert plan().slots() != plan(seed=b"\x01" * 32).slots()


def test_the_name_of_a_slot_is_that_of_its_stratum_whatever_is_drawn() -> None:
    slots, others = plan().slots(), plan(seed=b"\x01" * 32).slots()
    assert [slot.id for slot in slots] == [slot.id for slot in others]
    assert slots[0].id == "acme-chat/acme-large/2026-09-30T22:00:00Z"
    assert slots[1].id == "acme-chat/acme-large/2026-09-30T22:05:00Z"


def test_the_slots_of_two_hosts_are_told_apart_by_their_tags() -> None:
    first = plan(tag="0011aabb").slots()[0]
    assert first.id == "acme-chat/acme-large/2026-09-30T22:00:00Z-0011aabb"
    assert first == replace(plan().slots()[0], id=first.id), "nothing else is different"


def test_a_last_stratum_that_is_shorter_keeps_its_slot_inside() -> None:
    slots = plan(end=OCTOBER[0] + 6 * MINUTE + 1, every_ms=300_000).slots()
    assert len(slots) == 2
    assert OCTOBER[0] + 5 * MINUTE <= slots[1].scheduled_at < OCTOBER[0] + 6 * MINUTE + 1


def test_the_id_that_goes_out_says_nothing_of_the_slot() -> None:
    slots = plan().slots()[:100]
    ids = {slot.request_id for slot in slots}
    assert len(ids) == 100
    assert all(len(one) == 32 and "acme" not in one for one in ids)


@pytest.mark.parametrize("wrong", [{"items": ()}, {"end": OCTOBER[0]}, {"every_ms": 0}])
def test_a_plan_of_nothing_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ProbeError, match="a plan needs questions"):
        plan(**wrong).slots()


# ── now ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_once_asks_every_question_once_now() -> None:
    items = tuple(f"q{i}" for i in range(240))
    slots = once("acme-chat", "acme-large", items, now_ns=OCTOBER[0] + 5, seed=SEED)
    assert sorted(slot.item for slot in slots) == sorted(items)
    assert {slot.scheduled_at for slot in slots} == {OCTOBER[0] + 5}
    assert slots[0].id == "acme-chat/acme-large/once/2026-09-30T22:00:00.000000005Z-c4f279b6/0"


def test_two_hosts_that_ask_in_the_same_instant_have_slots_of_their_own() -> None:
    one, other = (once("acme-chat", "m", ("q",), now_ns=OCTOBER[0], seed=bytes([n]) * 32)[0].id for n in (1, 2))
    assert one != other
    assert one.startswith("acme-chat/m/once/2026-09-30T22:00:00Z-")
    assert one.endswith("/0")


def test_once_asks_as_many_as_are_wanted_pass_after_pass() -> None:
    slots = once("a", "m", ("x", "y"), now_ns=0, seed=SEED, count=5)
    assert [Counter(slot.item for slot in slots)["x"] + Counter(slot.item for slot in slots)["y"], len(slots)] == [5, 5]
    assert {slots[0].item, slots[1].item} == {"x", "y"} == {slots[2].item, slots[3].item}


@pytest.mark.parametrize(("items", "count"), [((), None), (("x",), 0)])
def test_once_without_anything_to_ask_is_refused(items: tuple[str, ...], count: int | None) -> None:
    with pytest.raises(ProbeError, match="nothing to ask"):
        once("a", "m", items, now_ns=0, seed=SEED, count=count)


# ── beginning in the middle ─────────────────────────────────────────────────────────────────────────────────────────
@given(st.integers(0, 2000), st.sampled_from([7, 1000, 2**63 + 1, 2**63 + 12345, 2**64]), st.integers(0, 5))
def test_numbers_that_are_passed_over_are_those_that_would_have_been_drawn(count: int, n: int, before: int) -> None:
    drawn, passed = Draws(SEED, "times"), Draws(SEED, "times")
    for _ in range(before + count):
        drawn.uniform(n)
    for _ in range(before):
        passed.uniform(n)
    passed.skip(count, n)
    assert [drawn.uniform(10**9) for _ in range(9)] == [passed.uniform(10**9) for _ in range(9)]


@given(st.integers(0, 300), st.sampled_from([1, 2, 3, 17, 240]))
def test_orders_that_are_passed_over_are_those_that_would_have_been_drawn(count: int, n: int) -> None:
    drawn, passed = Draws(SEED, "items"), Draws(SEED, "items")
    for _ in range(count):
        drawn.permutation(n)
    passed.skip_permutations(count, n)
    assert drawn.permutation(n) == passed.permutation(n)


def test_a_word_that_may_not_count_is_drawn_and_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, passed = Draws(SEED, "items"), Draws(SEED, "items")
    monkeypatch.setattr("slaguard.probes.draws._U64", 1 << 63)  # now every second word "may not count"
    passed.skip_permutations(5, 3)
    for _ in range(5):
        drawn.permutation(3)
    assert drawn.uniform(1000) == passed.uniform(1000)


@given(st.integers(-10, 100_000), st.sampled_from([1000, 7000, 300_000]), st.integers(1, 90_000_000))
def test_the_slots_after_a_moment_are_the_last_ones_of_all(after_s: int, every_ms: int, length_ms: int) -> None:
    short = plan(end=OCTOBER[0] + min(length_ms, every_ms * 300) * 10**6, every_ms=every_ms)
    after = OCTOBER[0] + after_s * 10**9
    whole, part = short.slots(), tuple(short.iterate(after))
    assert part == (whole[-len(part) :] if part else ())
    assert len(part) == short.strata(after, short.end)
    assert len(whole) == short.strata(OCTOBER[0] - 1, short.end)


def test_a_question_a_second_is_found_at_the_end_of_a_month_at_once() -> None:
    dense = plan(every_ms=1000)
    begun = time.process_time()
    found = next(dense.iterate(OCTOBER[1] - 10**10))
    assert OCTOBER[1] - 10**10 < found.scheduled_at < OCTOBER[1] - 8 * 10**9
    assert time.process_time() - begun < 10
