"""The overview in words: what it says of promises, money, dates and of ourselves, whatever a vendor calls itself."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from html.parser import HTMLParser
from typing import Any

import pytest

from slaguard.evaluation.result import CreditsPart, DeadlinePart, ReadingPart
from slaguard.evaluation.snapshot import Snapshot, Standing, Telemetry, TrafficTelemetry, Which
from slaguard.records import MINUTE, NS
from slaguard.reports.words import NARROW
from slaguard.server.page import Page, page, render_board
from slaguard.server.rows import group
from slaguard.server.worth import at_stake, claimable
from slaguard.terms import Verdict
from tests.server.world import NOW, PROBE, at, known, snapshot, with_telemetry

LOADED = [one.loaded for one in known()]
HOSTILE = "<script>alert(1)</script>\u202e\x1b[31m\"'>&{{7*7}}<img src=//evil.example/x>" + "y" * 300


def content(shown: Snapshot | None = None, *, not_ready: str | None = None, now: int = NOW) -> Page:
    """Return the page's content."""
    return page(shown or snapshot(), LOADED, not_ready, now)


def figures(found: Page) -> dict[str, tuple[str, ...]]:
    """Return the four figures with what stands below them, spaces made plain."""
    return {one.label: tuple(plain(text) for text in (*one.figures, *one.below)) for one in found.lead}


def plain(text: str) -> str:
    """Return a text with plain spaces."""
    return text.replace("\u00a0", " ").replace(NARROW, " ")


def altered(standing: Standing, **changes: Any) -> Standing:
    """Return a Standing with another Evaluation."""
    return replace(standing, evaluation=standing.evaluation.model_copy(update=changes))


def only(*standings: Standing) -> Snapshot:
    """Return a Snapshot of these alone."""
    return replace(snapshot(), standings=standings)


ACME, _, CIRRUS, ACME_NOW, BOREALIS_NOW, _ = snapshot().standings


# ── the four figures ────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_four_figures_say_what_is_broken_worth_due_and_watched() -> None:
    assert figures(content()) == {
        "broken promises": ("2", "2 of 7 in closed periods", "0 of 7 so far"),
        "claimable now": ("1,800.00 EUR", "up to 450.00 USD at stake in open periods"),
        "next deadline": ("12 days", "Acme AI, Mon 30 Nov 2026"),
        "we watched": ("100 %", "of the time so far", "10 probes lost, 4 skipped for budget"),
    }


def test_where_all_periods_are_the_same_the_figure_names_it() -> None:
    found = content(only(ACME, ACME_NOW))
    assert figures(found)["broken promises"] == ("1", "1 of 3 in October 2026", "0 of 3 in November 2026 so far")
    assert [section.title for section in found.sections] == ["October 2026", "November 2026, so far"]


def test_nothing_broken_is_said_in_plain_words_and_undecided_is_not_called_kept() -> None:
    kept = tuple(o for o in ACME_NOW.evaluation.objectives if o.verdict is Verdict.COMPLIANT)
    good = altered(ACME_NOW, objectives=kept)
    assert figures(content(only(good)))["broken promises"] == ("0", "No promise is broken")
    told = figures(content(only(ACME_NOW)))["broken promises"]
    assert told == ("0", "No promise is shown to be broken; 1 of 3 are not decided")


def test_a_claim_that_came_too_late_is_no_longer_claimable() -> None:
    assert claimable([CIRRUS], NOW) == {}
    assert claimable([CIRRUS], at(10, 20)) == {"EUR": Decimal("270.00")}
    group = next(g for s in content().sections for g in s.groups if g.vendor == "Cirrus Speech")
    assert group.note == "the time to claim passed on Fri 30 Oct 2026"
    assert plain(group.rows[0].credit) == "270.00 EUR"
    assert group.rows[0].credit_note == "came too late"


def test_money_of_two_currencies_stands_side_by_side_and_is_never_added() -> None:
    dollars = altered(
        ACME,
        credits=CreditsPart(
            currency="USD",
            fee=Decimal(1),
            claimable=Decimal("9.50"),
            point=Decimal(0),
            upper=Decimal(0),
            cap_applied=False,
            lines=(),
        ),
    )
    assert claimable([ACME, dollars, ACME], NOW) == {"EUR": Decimal("3600.00"), "USD": Decimal("9.50")}
    told = figures(content(only(ACME, dollars)))["claimable now"]
    assert told == ("1,800.00 EUR", "9.50 USD", "nothing at stake in open periods")


def test_what_is_at_stake_is_of_open_periods_alone() -> None:
    assert at_stake(snapshot().standings) == {"USD": Decimal("450.00")}


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (at(11, 30, 23, 59), ("today", "Acme AI, Mon 30 Nov 2026")),
        (at(11, 29), ("1 day", "Acme AI, Mon 30 Nov 2026")),
        (at(12, 1), ("passed", "Acme AI, Mon 30 Nov 2026")),
    ],
)
def test_the_next_deadline_counts_days_by_the_contracts_clock(now: int, told: tuple[str, ...]) -> None:
    assert figures(content(only(ACME), now=now))["next deadline"] == told


def test_a_deadline_that_waits_for_a_document_says_which() -> None:
    unknown = DeadlinePart(type="notify", due=None, act_by=None, local=None, anchor="invoice_date", reason="record the invoice")
    found = content(only(altered(ACME, deadlines=(unknown,))))
    assert figures(found)["next deadline"] == ("not known yet", "Acme AI: record the invoice")
    assert found.sections[0].groups[0].note == "claim: record the invoice"


def test_without_a_claim_there_is_no_deadline() -> None:
    assert figures(content(only(BOREALIS_NOW)))["next deadline"] == ("none", "nothing has to be claimed")


# ── the rows ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_row_says_what_was_promised_measured_and_how_sure() -> None:
    [closed, current] = content().sections
    row = closed.groups[0].rows[0]
    assert [plain(t) for t in (row.name, row.promised, row.measured, row.sure, row.credit)] == [
        "Accuracy", "≥ 92 %", "81.0 %", "counted", "1,800.00 EUR",
    ]  # fmt: skip
    assert (row.verdict, row.state, row.credit_note) == ("BREACH", "final", "claimable")
    assert "answers correct" in row.why
    undecided = closed.groups[0].rows[2]
    assert undecided.verdict == "INSUFFICIENT"
    assert undecided.more.endswith("more graded answers would decide")
    assert {row.state for group in current.groups for row in group.rows} == {"may change"}


def test_what_is_at_stake_stands_in_the_row_that_decides_it() -> None:
    group = next(g for g in content().sections[1].groups if g.vendor == "Borealis")
    assert (plain(group.rows[0].credit), group.rows[0].credit_note) == ("up to 450.00 USD", "at stake")
    assert group.rows[1].credit == "–"


def test_a_row_says_which_source_decided_and_what_became_of_the_other() -> None:
    rows = {(g.vendor, r.name): plain(" · ".join(r.sources)) for g in content().sections[0].groups for r in g.rows}
    assert rows["Borealis", "Uptime"] == (
        "decided by traffic: 8,928 calls, 100 % of the time watched · probes, not used: none asked"
    )  # fmt: skip
    assert rows["Acme AI", "Uptime"] == "decided by probes: 8,904 of 8,904 asked · traffic, not used: none seen"
    assert rows["Acme AI", "Accuracy"] == "decided by probes: 8,904 of 8,904 asked"
    assert rows["Acme AI", "Hallucination"].startswith("figure from probes: "), "nothing was decided"


def test_broken_promises_come_first() -> None:
    closed = content().sections[0]
    assert [group.broken for group in closed.groups] == [True, True, False]
    assert closed.groups[1].rows[0].scope == "us"


def test_links_lead_to_the_claim_page_and_the_result() -> None:
    group = content().sections[0].groups[0]
    assert group.claim == "claims/acme-assistant/2026-10"
    assert group.evaluation == "api/v1/evaluations?agreement=acme-assistant&period=2026-10"
    assert group.claim_word == "claim page"


# ── how slaguard is ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_all_well_says_nothing_but_who_is_watched_and_since_when() -> None:
    assert content().troubles == ()
    assert content().status == "watching 3 vendors · last probe 40 seconds ago"


def test_without_probes_the_page_does_not_claim_to_watch() -> None:
    found = content(replace(snapshot(), telemetry=Telemetry()))
    assert found.status == "3 vendors · no probe runs here"
    assert figures(found)["we watched"][-1] == "no probe runs here"
    assert found.troubles == ()


def traffic(**changes: int) -> TrafficTelemetry:
    """Return the telemetry of a sidecar that is up."""
    return TrafficTelemetry(**{"vendor": "Borealis", "last_at": NOW - MINUTE, **changes})  # type: ignore[arg-type]


def test_the_head_says_until_when_traffic_was_seen() -> None:
    found = content(with_telemetry(traffic=(traffic(), traffic(last_at=NOW - 3 * MINUTE))))
    assert found.status == "watching 3 vendors · last probe 40 seconds ago · traffic seen until 08:59 UTC"
    assert found.troubles == ()
    alone = content(replace(snapshot(), telemetry=Telemetry(traffic=(traffic(last_at=at(11, 17, 10)),))), now=NOW)
    assert alone.status == "watching 3 vendors · no probe runs here · traffic seen until 2026-11-17 09:00 UTC"


def test_a_sidecar_that_is_gone_is_told_with_the_moment_it_was_last_seen() -> None:
    assert content(with_telemetry(traffic=(traffic(last_at=NOW - 10 * MINUTE),))).troubles == ()
    [line] = content(with_telemetry(traffic=(traffic(last_at=NOW - 11 * MINUTE),))).troubles
    assert line.startswith("Traffic of Borealis was last seen at 08:49 UTC: no sidecar accounts for it since.")


def test_what_another_host_publishes_may_be_as_old_as_its_last_segment() -> None:
    for minutes, lines in ((149, 0), (151, 1)):
        one = replace(traffic(last_at=NOW - minutes * MINUTE), copied=True)
        assert len(content(with_telemetry(traffic=(one,))).troubles) == lines


def test_calls_that_are_being_lost_are_told_for_a_while() -> None:
    [line] = content(with_telemetry(traffic=(traffic(lost_ns=7 * MINUTE, lost_at=NOW - 2 * MINUTE),))).troubles
    assert line == (
        "Calls to Borealis are being lost, the last before 08:58 UTC: 7 minutes of the last 24 hours count as not watched."
    )  # fmt: skip
    assert content(with_telemetry(traffic=(traffic(lost_ns=7 * MINUTE, lost_at=NOW - 60 * MINUTE),))).troubles == ()


def test_a_refused_configuration_is_told() -> None:
    [line] = content(with_telemetry(reload_successful=False)).troubles
    assert line.startswith("The new configuration was refused; the one before it, read 17 days ago, is in force.")


def test_a_probe_that_brings_nothing_is_told_with_how_long() -> None:
    late = replace(PROBE, last_at=NOW - 3_600 * NS)
    [line] = content(with_telemetry(probes=(late,))).troubles
    assert line.startswith("acme-assistant/acme-large brought no result for 1 hour; one is due every 5 minutes.")
    [line] = content(with_telemetry(probes=(late, replace(late, name="other/model")))).troubles
    assert "(and 1 other probe)" in line


def test_a_ledger_that_is_not_written_is_told() -> None:
    [line] = content(with_telemetry(last_append_at=NOW - 2 * 3_600 * NS)).troubles
    assert line == "Nothing was written to the ledger for 2 hours, though probes run."


def test_why_nothing_can_be_shown_is_told() -> None:
    nothing = replace(snapshot(), standings=())
    assert content(nothing, not_ready="no ledger yet").troubles == ("Not ready: no ledger yet.",)
    told = "What stands below was judged 20 seconds ago and cannot be judged again: the ledger is gone; bring it back."
    assert content(not_ready="the ledger is gone\n    bring it back").troubles == (told,)


# ── empty pages ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_without_an_agreement_the_page_says_how_to_begin() -> None:
    html = render_board(Snapshot(NOW, ()), [], None, NOW)
    assert "No Agreement is watched yet" in html
    assert "slaguard init" in html
    assert "<table" not in html


def test_before_the_first_result_the_page_says_what_it_waits_for() -> None:
    html = render_board(Snapshot(NOW, ()), LOADED, None, NOW)
    assert "Nothing has been judged yet" in html
    assert "acme-assistant, borealis-llm, cirrus-speech" in html


# ── the page as a whole ─────────────────────────────────────────────────────────────────────────────────────────────
class Reader(HTMLParser):
    """Collects tags, and where they lead."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ways: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ways += [value or "" for name, value in attrs if name in {"href", "src", "action", "data"}]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        assert not any(name == "style" or name.startswith("on") for name, _ in attrs)


def read(html: str) -> Reader:
    """Parse a page."""
    reader = Reader()
    reader.feed(html)
    return reader


def test_every_way_is_relative_so_that_a_path_prefix_changes_nothing() -> None:
    reader = read(render_board(snapshot(), LOADED, None, NOW))
    assert not {"script", "img", "iframe", "form", "link", "object"} & set(reader.tags)
    assert reader.ways
    assert not [way for way in reader.ways if way.startswith(("/", "http", "#")) or ":" in way]


def test_every_picture_has_a_text_and_ids_of_its_own() -> None:
    html = render_board(snapshot(), LOADED, None, NOW)
    assert html.count("<svg") == 14
    assert plain(html).count("; promised at ") == 14
    assert len(set(read(html).ids)) == len(read(html).ids) == 28


def hostile() -> Snapshot:
    """Return what stands, with every foreign text hostile."""
    standings = []
    for standing in snapshot().standings:
        evaluation = standing.evaluation
        who = evaluation.agreement.model_copy(update={"vendor": HOSTILE, "contract": HOSTILE})
        results = tuple(
            o.model_copy(update={"sentence": HOSTILE, "scope": HOSTILE, "clause": HOSTILE}) for o in evaluation.objectives
        )
        late = DeadlinePart(type="notify", due=None, act_by=None, local=None, anchor=HOSTILE, reason=HOSTILE)
        standings.append(altered(standing, agreement=who, objectives=results, deadlines=(late,)))
    probe = replace(PROBE, name=HOSTILE, last_at=at(11, 1))
    gone = TrafficTelemetry(vendor=HOSTILE, last_at=at(11, 1), lost_at=NOW)
    telemetry = replace(with_telemetry().telemetry, probes=(probe,), traffic=(gone,), reload_successful=False)
    return Snapshot(NOW, tuple(standings), telemetry)


def test_foreign_text_is_text() -> None:
    clean = read(render_board(snapshot(), LOADED, None, NOW))
    html = render_board(hostile(), LOADED, HOSTILE, NOW)
    dirty = read(html)
    assert set(dirty.tags) <= set(clean.tags) | {"p"}
    assert "evil.example" not in " ".join(dirty.ways)
    assert "&lt;script&gt;" in html
    assert not re.search(r"[\u202a-\u202e\x1b]", html)
    assert "49" not in re.sub(r"\d{3,}", "", html.partition("&lt;script")[2][:80])


def test_closed_standings_alone_are_shown_too() -> None:
    found = content(replace(snapshot(), standings=snapshot().of(Which.CLOSED)))
    assert len(found.sections) == 1
    assert figures(found)["we watched"][0].endswith("%")


# ── what is not in the table ────────────────────────────────────────────────────────────────────────────────────────
def test_an_earlier_period_that_can_still_be_claimed_stands_with_the_closed_ones_and_counts() -> None:
    earlier = replace(ACME, which=Which.EARLIER)
    both = content(replace(snapshot(), standings=(BOREALIS_NOW, CIRRUS, earlier)))
    closed = both.sections[0]
    assert [g.period for g in closed.groups if g.agreement == "acme-assistant"] == ["October 2026"]
    assert [g.claim_word for g in closed.groups if g.agreement == "acme-assistant"] == ["claim page"]
    assert figures(both)["next deadline"] == ("12 days", "Acme AI, Mon 30 Nov 2026")
    assert figures(both)["claimable now"][0] == "1,800.00 EUR"


def test_an_agreement_that_cannot_be_judged_is_named_and_not_waited_for() -> None:
    why = "acme-assistant 2026-10: no such thing\n    record one"
    found = content(replace(only(CIRRUS), failures={"acme-assistant": why}))
    assert found.troubles == ("acme-assistant cannot be judged: 2026-10: no such thing; record one.",)
    assert "acme-assistant" not in found.waiting


def test_what_whoever_looks_must_know_stands_above_the_figures() -> None:
    assert content(replace(snapshot(), notes=("The vendor is simulated.",))).troubles == ("The vendor is simulated.",)


def test_a_probe_that_asks_no_more_is_not_late_and_the_head_says_when_it_asked_last() -> None:
    shown = with_telemetry(probes=(replace(PROBE, every_ms=0, last_at=at(10, 31) + 12 * 3600 * NS),))
    found = content(shown)
    assert found.troubles == ()
    assert "the last probe was at 2026-10-31 11:00 UTC" in found.status


def test_calls_in_a_row_without_an_answer_are_told_from_the_third_on() -> None:
    for failing, told in ((2, ()), (3, ("The last 3 calls of acme-assistant/acme-large got no answer (503).",))):
        probe = replace(PROBE, failing=failing, failing_as="503")
        assert content(with_telemetry(probes=(probe,))).troubles == told


def test_an_open_period_without_a_record_or_a_probe_is_one_line_and_no_row_of_nothing() -> None:
    nothing = altered(
        ACME_NOW,
        objectives=tuple(
            r.model_copy(
                update={
                    "coverage": Fraction(0), "unknown": 0, "unmeasured": 0, "dropped": 0, "excluded": (),
                    "estimate": r.estimate.model_copy(update={"n": 0}),
                }
            )
            for r in ACME_NOW.evaluation.objectives
        ),
    )  # fmt: skip
    shown = replace(only(ACME, nothing), telemetry=Telemetry())
    found = content(shown)
    assert found.sections[1].groups == ()
    assert found.sections[1].blank == (
        "Acme AI (acme-assistant), November 2026: nothing that counts is recorded, and no probe asks.",
    )
    assert "nothing that counts is recorded, and no probe asks" in render_board(shown, LOADED, None, NOW)
    assert content(only(ACME, nothing)).sections[1].groups != (), "a probe asks: its rows fill"


# Readings


def test_a_promise_with_open_readings_shows_each_and_what_it_may_be_worth() -> None:
    standing = next(s for s in snapshot().standings if s.evaluation.breached and s.evaluation.credits is not None)
    one, owed = standing.evaluation.breached[0], standing.evaluation.credits
    shared: dict[str, Any] = {"set": {}, "basis": None, "reason": one.reason, "sentence": "", "estimate": one.estimate}
    parts = tuple(
        ReadingPart(id=name, verdict=verdict, credit=Decimal(amount), **shared)
        for name, verdict, amount in (("A", Verdict.BREACH, "999999.00"), ("B", Verdict.BREACH, "1.00"))
    )
    read = one.model_copy(update={"readings": parts, "reading": "B"})
    others = tuple(read if o is one else o for o in standing.evaluation.objectives)
    changed = replace(standing, evaluation=standing.evaluation.model_copy(update={"objectives": others, "credits": owed}))
    rows = group(changed, "", NOW, "r").rows
    told = [plain(" ".join(row.sources)) for row in rows if row.sources and "under A" in row.sources[0]]
    assert len(told) == 1
    assert "BREACH, would pay 999,999.00" in told[0]
    assert "the figures here are those under B" in told[0]
