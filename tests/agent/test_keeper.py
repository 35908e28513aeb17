"""The keeper: two periods of every Agreement, judged when something changed and not otherwise."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from slaguard.agent.keeper import Keeper, _Counter, closed_period, earlier_periods, knowledge, open_period
from slaguard.errors import ConfigError, LedgerError
from slaguard.evaluation.result import ObjectiveResult
from slaguard.evaluation.snapshot import Standing, Which
from slaguard.ledger import judge
from slaguard.ledger.rowlog import RowLog
from slaguard.spec.load import Loaded, load
from slaguard.terms import Reason, Verdict
from tests.cli.watched import DAY, HOUR, Now, at, calls, contract, maintenance, october, write

NOON = at("2026-11-05T12:00:00Z")


def of(standings: tuple[Standing, ...], which: Which, agreement: str = "acme") -> Standing:
    (found,) = [s for s in standings if s.which is which and s.agreement.name == agreement]
    return found


def row(standing: Standing, name: str = "errors") -> ObjectiveResult:
    return next(o for o in standing.evaluation.objectives if o.name == name)


# ── two periods ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_open_period_and_the_last_closed_one_are_judged(tmp_path: Path) -> None:
    ledger = write(tmp_path / "ledger", [*october(), *calls("2026-10-31T23:00:00Z", 109)])
    standings = Keeper([contract(tmp_path)], ledger).judge(NOON)
    assert [(s.which, s.period.label) for s in standings] == [(Which.CURRENT, "2026-11"), (Which.CLOSED, "2026-10")]
    assert row(of(standings, Which.CLOSED)).verdict is Verdict.BREACH
    assert row(of(standings, Which.CURRENT)).reason is Reason.WITHIN_TO_DATE


def test_the_closed_period_stays_until_the_next_one_closes(tmp_path: Path) -> None:
    held = contract(tmp_path)
    keeper = Keeper([held], write(tmp_path / "ledger", october()))
    for now, labels in [
        ("2026-10-31T22:59:59Z", ["2026-10", "2026-09"]),
        ("2026-10-31T23:00:00Z", ["2026-11", "2026-10"]),
        ("2026-11-30T22:59:00Z", ["2026-11", "2026-10"]),
        ("2026-11-30T23:00:00Z", ["2026-12", "2026-11"]),
    ]:
        assert [s.period.label for s in keeper.judge(at(now))] == labels


def claimed_for_60_days(folder: Path) -> tuple[Path, Loaded]:
    path, _ = contract(folder)
    path.write_text(path.read_text().replace("days: 30", "days: 60"))
    return path, load(path)


def test_a_claim_that_is_still_open_is_shown_though_another_period_has_closed_since(tmp_path: Path) -> None:
    september = calls("2026-08-31T22:00:00Z", 720, range(10))
    keeper = Keeper([claimed_for_60_days(tmp_path)], write(tmp_path / "ledger", [*september, *october(())]))
    first = keeper.judge(NOON)
    assert [(s.which.value, s.period.label) for s in first] == [
        ("current", "2026-11"), ("closed", "2026-10"), ("earlier", "2026-09"),
    ]  # fmt: skip
    assert first[2].evaluation.credits is not None
    assert first[2].evaluation.credits.claimable > 0
    assert keeper.judge(NOON + HOUR)[2] is first[2], "judged again only when the ledger changed or a local day passed"
    midnight = at("2026-11-29T23:00:00Z")  # 60 days after the last day of September, Berlin's
    assert [s.period.label for s in keeper.judge(midnight - 1)] == ["2026-11", "2026-10", "2026-09"]
    assert [s.period.label for s in keeper.judge(midnight)] == ["2026-11", "2026-10"]
    assert keeper.indicator_events()[SERIES][0] == 0, "what was never current is not counted"


def test_an_earlier_period_whose_promises_were_kept_is_not_shown(tmp_path: Path) -> None:
    keeper = Keeper([claimed_for_60_days(tmp_path)], write(tmp_path / "ledger", calls("2026-08-31T22:00:00Z", 720)))
    assert [s.which for s in keeper.judge(NOON)] == [Which.CURRENT, Which.CLOSED]


def test_at_most_twelve_periods_before_the_last_closed_one_are_looked_at(tmp_path: Path) -> None:
    path, _ = contract(tmp_path, period="day")
    path.write_text(path.read_text().replace("days: 30", "days: 90"))
    loaded = load(path)
    closed = closed_period(loaded.agreement, NOON)
    assert closed is not None
    found = [p.label for p in earlier_periods(loaded.agreement, closed, NOON)]
    assert (len(found), found[0], found[-1]) == (12, "2026-11-03", "2026-10-23")


def test_before_it_is_in_force_an_agreement_has_no_period_and_at_first_none_that_closed(tmp_path: Path) -> None:
    keeper = Keeper([contract(tmp_path)], tmp_path / "none")
    assert keeper.judge(at("2026-07-31T21:59:59Z")) == ()
    assert [s.which for s in keeper.judge(at("2026-07-31T22:00:00Z"))] == [Which.CURRENT]
    assert [s.period.label for s in keeper.judge(at("2026-08-31T22:00:00Z"))] == ["2026-09", "2026-08"]


def test_after_its_end_an_agreement_keeps_its_last_closed_period(tmp_path: Path) -> None:
    _, loaded = contract(tmp_path, terms="fee: 1000.00 EUR\nexpires: 2026-10-10\n")
    assert open_period(loaded.agreement, at("2026-10-10T21:59:59Z")) is not None
    assert open_period(loaded.agreement, at("2026-10-10T22:00:00Z")) is None
    last = closed_period(loaded.agreement, NOON)
    assert last is not None
    assert (last.label, last.end) == ("2026-10", at("2026-10-10T22:00:00Z"))


@pytest.mark.parametrize(
    ("period", "now", "labels"),
    [
        ("day", "2026-10-25T22:59:59Z", ("2026-10-25", "2026-10-24")),  # 25 hours long in Berlin
        ("day", "2026-10-25T23:00:00Z", ("2026-10-26", "2026-10-25")),
        ("day", "2027-03-28T21:59:59Z", ("2027-03-28", "2027-03-27")),  # 23 hours long
        ("quarter", "2026-12-31T23:00:00Z", ("2027-Q1", "2026-Q4")),
        ("year", "2026-12-31T23:00:00Z", ("2027", "2026")),
    ],
)
def test_periods_change_on_the_contracts_clock(tmp_path: Path, period: str, now: str, labels: tuple[str, str]) -> None:
    _, loaded = contract(tmp_path, period=period, terms="", priced="")
    found = open_period(loaded.agreement, at(now)), closed_period(loaded.agreement, at(now))
    assert tuple(p.label for p in found if p is not None) == labels


def test_every_example_that_ships_can_be_kept(repo: Path, tmp_path: Path) -> None:
    paths = sorted((repo / "sla_specs" / "examples").glob("*.yaml"))
    held = [(path, load(path)) for path in paths]
    standings = Keeper(held, tmp_path / "none").judge(NOON)
    assert {s.agreement.name for s in standings} == {loaded.agreement.name for _, loaded in held}


# ── ledgers ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_ledger_that_is_not_there_yet_shows_that_nothing_is_known(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    keeper = Keeper([contract(tmp_path)], ledger)
    before = keeper.judge(NOON)
    assert {o.verdict for s in before for o in s.evaluation.objectives} == {Verdict.INSUFFICIENT}
    assert "there is no record at all" in [w.text for w in before[0].evaluation.warnings]
    assert not ledger.exists()
    write(ledger, october())
    assert row(of(keeper.judge(NOON), Which.CLOSED)).verdict is Verdict.BREACH


def test_a_ledger_without_a_record_shows_that_nothing_is_known(tmp_path: Path) -> None:
    with RowLog.open(tmp_path / "ledger", clock=Now()):
        pass
    standings = Keeper([contract(tmp_path)], tmp_path / "ledger").judge(NOON)
    assert {o.verdict for s in standings for o in s.evaluation.objectives} == {Verdict.INSUFFICIENT}


def test_a_damaged_ledger_is_an_error_and_what_was_judged_before_is_kept(tmp_path: Path) -> None:
    ledger = write(tmp_path / "ledger", october())
    keeper = Keeper([contract(tmp_path)], ledger)
    before = keeper.judge(NOON)
    whole = (ledger / "rows.db").read_bytes()
    (ledger / "rows.db").write_bytes(b"not a ledger" * 1000)
    with pytest.raises(LedgerError):
        keeper.judge(NOON)
    assert keeper.indicator_events()["acme", "errors", "all"][0] >= 0
    (ledger / "rows.db").write_bytes(whole)
    after = keeper.judge(NOON)
    assert [s.evaluation.to_json() for s in after] == [s.evaluation.to_json() for s in before]


def test_a_fact_that_another_writer_records_later_changes_the_closed_period(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    keeper = Keeper([contract(tmp_path)], ledger)
    window = maintenance("2026-09-30T22:00:00Z", "2026-10-01T02:00:00Z", recorded="2026-11-05T12:00:00Z")
    with RowLog.open(ledger, clock=Now()) as log:  # the agent holds the log all the while
        log.append(october())
        before = of(keeper.judge(NOON), Which.CLOSED)
        write(ledger / "record", [window])
        after = of(keeper.judge(NOON), Which.CLOSED)
    assert (row(before).verdict, row(after).verdict) == (Verdict.BREACH, Verdict.COMPLIANT)
    assert row(before).estimate.bad - row(after).estimate.bad == 4


# ── not more often than needed ──────────────────────────────────────────────────────────────────────────────────────
def test_nothing_is_judged_twice_while_nothing_changes(tmp_path: Path) -> None:
    keeper = Keeper([contract(tmp_path)], write(tmp_path / "ledger", october()))
    first = keeper.judge(NOON)
    again = keeper.judge(NOON + 59 * 10**9)
    assert all(a is b for a, b in zip(first, again, strict=True))


def test_the_open_period_moves_with_the_minute_and_the_closed_one_with_the_local_day(tmp_path: Path) -> None:
    keeper = Keeper([contract(tmp_path)], write(tmp_path / "ledger", october()))
    first = keeper.judge(NOON)
    later = keeper.judge(NOON + HOUR)
    assert later[0].evaluation.as_of == NOON + HOUR
    assert later[1] is first[1]
    midnight = at("2026-11-05T23:00:00Z")  # Berlin's
    assert of(keeper.judge(midnight - 1), Which.CLOSED) is first[1]
    next_day = of(keeper.judge(midnight), Which.CLOSED)
    days = [s.evaluation.deadlines[0].days_left for s in (first[1], next_day)]
    assert days == [25, 24]


def test_a_record_that_is_appended_is_seen_at_once(tmp_path: Path) -> None:
    keeper = Keeper([contract(tmp_path)], tmp_path / "ledger")
    seen = []
    with RowLog.open(tmp_path / "ledger", clock=Now()) as log:
        for i in range(5):
            log.append(calls(f"2026-11-0{i + 1}T00:00:00Z", 3))
            seen.append(row(keeper.judge(NOON)[0]).estimate.n)
    assert seen == [3, 6, 9, 12, 15]


def test_what_a_closed_result_depends_on_is_the_day_of_every_zone_it_has_a_deadline_in(tmp_path: Path) -> None:
    _, loaded = contract(tmp_path)
    closed, current = closed_period(loaded.agreement, NOON), open_period(loaded.agreement, NOON)
    assert closed is not None
    assert current is not None
    assert knowledge(loaded.agreement, closed, NOON) == "Europe/Berlin 2026-11-05"
    assert knowledge(loaded.agreement, current, NOON) != knowledge(loaded.agreement, current, NOON + 60 * 10**9)


# ── several Agreements ──────────────────────────────────────────────────────────────────────────────────────────────
def test_one_agreement_that_cannot_be_judged_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = write(tmp_path / "ledger", [*october(), *october((), vendor="Other")])
    keeper = Keeper([contract(tmp_path), contract(tmp_path, "other", vendor="Other")], ledger)
    before = keeper.judge(NOON)
    assert keeper.failures == {}

    def one_fails(store: object, agreement: object, *rest: object, **named: object) -> object:
        if getattr(agreement, "name", "") == "other":
            raise ConfigError("no such thing")
        return judge.judge(store, agreement, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("slaguard.agent.keeper.judge", one_fails)
    counted = keeper.indicator_events()
    assert [s.agreement.name for s in keeper.judge(NOON + DAY)] == ["acme", "acme"]
    assert "no such thing" in keeper.failures["other"]
    monkeypatch.undo()
    assert len(keeper.judge(NOON + DAY)) == len(before)
    assert keeper.failures == {}
    assert keeper.indicator_events()["other", "errors", "all"] == counted["other", "errors", "all"]


def test_an_agreement_that_is_replaced_is_judged_as_it_now_reads_and_the_others_are_kept(tmp_path: Path) -> None:
    ledger = write(tmp_path / "ledger", [*october(), *october((), vendor="Other")])
    other = contract(tmp_path, "other", vendor="Other")
    keeper = Keeper([contract(tmp_path), other], ledger)
    first = keeper.judge(NOON)
    path, _ = contract(tmp_path)
    path.write_text(path.read_text().replace("at_most: 1%", "at_most: 5%").replace("above 1%", "above 5%"))
    keeper.replace([(path, load(path)), other])
    second = keeper.judge(NOON)
    assert row(of(first, Which.CLOSED)).verdict is Verdict.BREACH
    assert row(of(second, Which.CLOSED)).verdict is Verdict.COMPLIANT
    assert of(second, Which.CLOSED, "other") is of(first, Which.CLOSED, "other")


# ── counters ────────────────────────────────────────────────────────────────────────────────────────────────────────
SERIES = ("acme", "errors", "all")


def test_counters_hold_the_period_that_is_current_and_add_the_next_one(tmp_path: Path) -> None:
    ledger = write(tmp_path / "ledger", [*october(), *calls("2026-10-31T23:00:00Z", 24, [3])])
    keeper = Keeper([contract(tmp_path)], ledger)
    keeper.judge(at("2026-10-31T22:30:00Z"))
    assert keeper.indicator_events()[SERIES] == (745, 10)
    keeper.judge(at("2026-11-05T12:00:00Z"))
    assert keeper.indicator_events()[SERIES] == (769, 11)


def test_a_period_that_was_never_current_is_not_counted(tmp_path: Path) -> None:
    keeper = Keeper([contract(tmp_path)], write(tmp_path / "ledger", october()))
    keeper.judge(NOON)
    assert keeper.indicator_events()[SERIES] == (0, 0)


def test_late_records_of_a_period_that_was_current_are_counted(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    keeper = Keeper([contract(tmp_path)], write(ledger, calls("2026-10-01T00:00:00Z", 100)))
    keeper.judge(at("2026-10-31T12:00:00Z"))
    write(ledger, calls("2026-10-06T00:00:00Z", 50, [7]))
    keeper.judge(NOON)
    assert keeper.indicator_events()[SERIES] == (150, 1)


def test_an_exclusion_takes_nothing_back_and_what_comes_after_it_counts(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    keeper = Keeper([contract(tmp_path)], write(ledger, calls("2026-11-02T00:00:00Z", 48, range(10))))
    keeper.judge(NOON)
    assert keeper.indicator_events()[SERIES] == (48, 10)
    write(ledger, [maintenance("2026-11-02T00:00:00Z", "2026-11-02T04:00:00Z", recorded="2026-11-05T13:00:00Z")])
    excluded = row(keeper.judge(NOON + HOUR)[0])
    assert excluded.estimate.bad == 6
    assert keeper.indicator_events()[SERIES] == (48, 10)
    write(ledger, calls("2026-11-05T13:00:00Z", 2, [0, 1]))
    keeper.judge(NOON + 4 * HOUR)
    assert keeper.indicator_events()[SERIES] == (50, 12)


def test_shares_of_intervals_are_added_up_exactly_and_rounded_down_once(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    third = HOUR // 36  # three calls in an interval of five minutes
    keeper = Keeper([contract(tmp_path)], ledger)
    bad = []
    for hour in range(4):
        write(ledger, calls(f"2026-11-02T0{hour}:00:00Z", 3, [0], every=third))
        keeper.judge(NOON)
        bad.append(keeper.indicator_events()["acme", "uptime", "all"][1])
    assert bad == [0, 0, 1, 1]


def test_counters_only_grow_and_bad_ones_are_never_more_than_all(tmp_path: Path) -> None:
    counter = _Counter()
    seen = [(0, 0)]
    for n, bad in [(10, 0), (10, 10), (10, 0), (10, 10), (5, 1), (12, 12), (0, 0), (3, 3)]:
        counter.add("2026-11", n, Fraction(bad))
        seen.append((counter.n, int(counter.bad)))
    assert seen == sorted(seen)
    assert all(bad <= n for n, bad in seen)
