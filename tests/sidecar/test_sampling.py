"""Sampling: who is drawn hangs on key and request alone."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.sidecar.sampling import Sampler, decimal_of, logical_id

TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("noted", "expected"),
    [
        ({}, None),
        ({b"content-type": b"application/json"}, None),
        ({b"x-request-id": b"b", b"x-client-request-id": b"a", b"idempotency-key": b"c", b"traceparent": TRACE}, "a"),
        ({b"x-request-id": b"b", b"idempotency-key": b"c"}, "b"),
        ({b"idempotency-key": b"stainless-python-retry-1", b"traceparent": TRACE}, "stainless-python-retry-1"),
        ({b"traceparent": TRACE}, None),
        ({b"traceparent": TRACE, b"x-stainless-retry-count": b"1"}, "0af7651916cd43dd8448eb211c80319c"),
        ({b"traceparent": b"nonsense", b"x-stainless-retry-count": b"1"}, None),
        ({b"x-request-id": b""}, None),
        ({b"x-request-id": b"\xff" * 9000}, "\xff" * 512),
    ],
)
def test_a_request_is_named_by_what_its_client_calls_it(noted: dict[bytes, bytes], expected: str | None) -> None:
    assert logical_id(noted) == expected


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (Fraction(0), "0"),
        (Fraction(1), "1"),
        (Fraction(1, 100), "0.01"),
        (Fraction(1, 10), "0.1"),
        (Fraction(3, 8), "0.375"),
        (Fraction(1, 10**6), "0.000001"),
        (Fraction(1, 3), "0.333333333333333333"),
    ],
)
def test_the_share_is_recorded_as_an_exact_decimal(share: Fraction, text: str) -> None:
    assert decimal_of(share) == text
    assert Sampler(b"k", share, "w").share == text


def test_none_is_drawn_of_a_share_of_nothing_and_all_of_everything() -> None:
    names = [f"r{i}" for i in range(2000)]
    assert not any(Sampler(b"k", Fraction(0), "w").draws(n, 1) for n in names)
    assert all(Sampler(b"k", Fraction(1), "w").draws(n, 1) for n in names)
    assert all(Sampler(b"k", Fraction(1), "w").draws(None, n) for n in range(2000))


def test_about_the_share_is_drawn_with_and_without_a_name() -> None:
    sampler = Sampler(b"k", Fraction(1, 20), "w")
    assert 380 < sum(sampler.draws(f"r{i}", 0) for i in range(10_000)) < 620
    assert 380 < sum(sampler.draws(None, i) for i in range(10_000)) < 620


@given(st.text(max_size=60), st.integers(0, 1000), st.integers(0, 1000), st.binary(min_size=1, max_size=200))
def test_all_attempts_of_a_request_are_drawn_or_none_and_more_with_a_larger_share(
    name: str, some: int, more: int, key: bytes
) -> None:
    small, large = (Sampler(key, Fraction(n, 1000), "w") for n in sorted((some, more)))
    assert small.draws(name, 1) == small.draws(name, 2)
    assert not small.draws(name, 1) or large.draws(name, 1)


def test_another_key_draws_others() -> None:
    one, other = (Sampler(key, Fraction(1, 2), "w") for key in (b"one", b"other"))
    assert len({(one.draws(f"r{i}", 0), other.draws(f"r{i}", 0)) for i in range(200)}) == 4


def test_a_request_without_a_name_is_drawn_by_the_id_of_its_record() -> None:
    sampler = Sampler(b"k", Fraction(1, 2), "sidecar.1")
    assert all(sampler.draws(None, n) == sampler.draws(f"sidecar.1/{n}", 0) for n in range(1, 300))
