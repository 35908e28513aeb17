"""Timestamps and durations of logs."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.imports.times import Zoned
from slaguard.imports.values import bounded, duration_ns, flag, number, plain, whole
from slaguard.ledger.table import parse_time
from slaguard.records import NS, escape

NOON = parse_time("2026-10-05T12:00:00Z")
MOMENTS = st.datetimes(datetime(1991, 1, 1), datetime(2199, 1, 1)).map(lambda d: d.replace(tzinfo=UTC))  # noqa: DTZ001


def ns_of(moment: datetime) -> int:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since // timedelta(microseconds=1)) * 1000


@pytest.mark.parametrize(
    ("form", "zone", "text"),
    [
        ("iso8601", None, "2026-10-05T12:00:00Z"),
        ("iso8601", None, "2026-10-05 14:00:00+02:00"),
        ("iso8601", None, "20261005T120000Z"),
        ("iso8601", None, "2026-10-05T12:00:00.000000000Z"),
        ("iso8601", None, "2026-10-05 12:00:00 UTC"),
        ("iso8601", None, "2026-10-05T07:00-05"),
        ("iso8601", "Europe/Berlin", "2026-10-05T14:00:00"),
        ("iso8601", "Europe/Berlin", "2026-10-05T12:00:00Z"),
        ("iso8601", "UTC", "2026-10-05T12:00"),
        ("epoch_s", None, "1791201600"),
        ("epoch_s", None, "1791201600.0"),
        ("epoch_s", None, "1.7912016e9"),
        ("epoch_ms", None, "1791201600000"),
        ("epoch_us", None, "1791201600000000"),
        ("epoch_ns", None, "1791201600000000000"),
        ("%d/%b/%Y:%H:%M:%S %z", None, "05/Oct/2026:14:00:00 +0200"),
        ("%m/%d/%Y, %H:%M:%S", "America/New_York", "10/05/2026, 08:00:00"),
    ],
)
def test_a_moment_is_the_same_however_it_is_written(form: str, zone: str | None, text: str) -> None:
    assert Zoned(form, zone)(text) == NOON


def test_digits_down_to_the_nanosecond_are_kept_and_further_ones_cut() -> None:
    assert Zoned("iso8601", None)("2026-10-05T12:00:00.123456789123Z") == NOON + 123_456_789
    assert Zoned("epoch_s", None)("1791201600.123456789") == NOON + 123_456_789


def test_a_leap_second_is_read_as_the_moment_before() -> None:
    assert Zoned("iso8601", None)("2016-12-31T23:59:60Z") == parse_time("2016-12-31T23:59:59.999Z")


@pytest.mark.parametrize(
    ("form", "zone", "text", "told"),
    [
        ("iso8601", None, "2026-10-05T12:00:00", "names no zone; write zone: in the mapping"),
        ("%m/%d/%Y %H:%M", None, "10/05/2026 12:00", "names no zone"),
        ("iso8601", "UTC", "10/05/2026 12:00", "name its format"),
        ("iso8601", "UTC", "2026-10-05", "is a day, not a time"),
        ("iso8601", "UTC", "2026-02-30T00:00:00Z", "no time of the calendar"),
        ("iso8601", None, "2026-10-05T12:00:00+99:00", "name its format"),
        ("iso8601", "Europe/Berlin", "2026-03-29T02:30:00", "never happened in Europe/Berlin"),
        ("epoch_s", None, "1791201600000", "is it epoch_ms?"),
        ("epoch_ms", None, "1791201600", "is it epoch_s?"),
        ("epoch_s", None, "9" * 5000, "digits"),
        ("epoch_s", None, "NaN", "is not a measurement"),
        ("%Y-%m-%d", "UTC", "05.10.2026", "does not have the format"),
        ("iso8601", None, "1789-07-14T00:00:00Z", "before 1990"),
    ],
)
def test_a_time_that_cannot_be_placed_is_refused_with_what_to_write(form: str, zone: str | None, text: str, told: str) -> None:
    with pytest.raises(ValueError, match="'") as refused:
        Zoned(form, zone)(text)
    assert told in str(refused.value)


def test_a_local_time_that_happened_twice_is_the_first_and_is_counted() -> None:
    berlin = Zoned("iso8601", "Europe/Berlin")
    assert berlin("2026-10-25T02:30:00") == parse_time("2026-10-25T00:30:00Z")
    assert berlin.ambiguous == 1


@pytest.mark.parametrize(("form", "text"), [("date", "2026-10-25"), ("iso8601", "2026-10-25"), ("%d.%m.%Y", "25.10.2026")])
def test_a_day_is_as_long_as_it_was_there(form: str, text: str) -> None:
    start, end = Zoned(form, "Europe/Berlin").day(text)
    assert start == parse_time("2026-10-24T22:00:00Z")
    assert (end - start) // NS == 25 * 3600


@given(MOMENTS, st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]))
def test_every_moment_with_its_offset_comes_back(moment: datetime, zone: str) -> None:
    local = moment.astimezone(ZoneInfo(zone))
    # Offsets of whole minutes: a zone's oldest ones have seconds, which ISO 8601 cannot write.
    assert Zoned("iso8601", None)(local.isoformat()) == ns_of(moment)


@given(MOMENTS)
def test_every_epoch_comes_back_exactly(moment: datetime) -> None:
    ns = ns_of(moment)
    for form, unit in (("epoch_s", NS), ("epoch_ms", 10**6), ("epoch_us", 1000), ("epoch_ns", 1)):
        assert Zoned(form, None)(str(Decimal(ns) / unit)) == ns


# ── numbers ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("text", "unit", "ns"),
    [
        ("0.25", "s", 250_000_000),
        ("812", "ms", 812_000_000),
        ("4.2e-05", "s", 42_000),
        ("1", "min", 60 * NS),
        ("0", "ns", 0),
        (".5", "us", 500),
    ],
)
def test_durations_are_read_exactly_in_their_unit(text: str, unit: str, ns: int) -> None:
    assert duration_ns(text, unit) == ns


def test_a_duration_is_rounded_up_so_that_it_never_slips_under_a_limit() -> None:
    assert duration_ns("2.0000000001", "s") == 2 * NS + 1


@given(st.decimals(0, 10**6, places=12))
def test_a_duration_is_never_shorter_than_written_and_less_than_a_nanosecond_longer(value: Decimal) -> None:
    ns = duration_ns(f"{value:f}", "s")
    assert 0 <= ns - value * NS < 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("-1", "is negative; if it stands for no value, list it under missing:"),
        ("inf", "is not a measurement"),
        ("nan", "is not a measurement"),
        ("1,5", "write the decimal point as '.'"),
        ("fast", "is not a number"),
        ("1" * 5000, "5000 digits"),
        ("1e99", "longer than a month; is the unit right?"),
        ("9" * 12, "longer than a month"),
        ("١٢", "is not a number"),
    ],
)
def test_what_is_no_duration_is_refused_with_what_to_write(text: str, told: str) -> None:
    with pytest.raises(ValueError, match="'") as refused:
        duration_ns(text, "s")
    assert told in str(refused.value)


def test_a_message_shows_hostile_text_harmlessly_and_shortly() -> None:
    with pytest.raises(ValueError, match="not a number") as refused:
        number("\x1b[31m\u202e" + "x" * 10_000)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 120


@pytest.mark.parametrize(("text", "value"), [("429", 429), ("429.0", 429), ("0", 0)])
def test_whole_numbers_may_be_written_as_tables_with_gaps_write_them(text: str, value: int) -> None:
    assert whole(text) == value


@pytest.mark.parametrize("text", ["-1", "1.5", "1e16", "x"])
def test_other_numbers_are_not_whole(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        whole(text)


def test_truth_has_several_spellings_and_no_guesses() -> None:
    assert [flag(t) for t in ("true", "True", "1", "yes", "false", "0", "NO")] == [True] * 4 + [False] * 3
    with pytest.raises(ValueError, match="neither true nor false"):
        flag("maybe")


@given(st.decimals(-(10**9), 10**9, places=6))
def test_a_number_has_one_spelling(value: Decimal) -> None:
    spellings = {f"{value:f}", str(value), f"{value.normalize():e}", f"{value.normalize():f}"}
    assert len({plain(s) for s in spellings}) == 1


@given(st.text(max_size=600))
def test_text_is_cut_to_what_a_header_holds(text: str) -> None:
    once = bounded(text)
    assert len(escape(once)) <= 256 + 9
    assert escape(once)[:247] == escape(text)[:247]
