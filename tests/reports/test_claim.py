"""The claim page: what it says, what it never says, and that nothing in it can do anything."""

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from html.parser import HTMLParser
from typing import Any

import pytest

from slaguard.evaluation.result import DeadlinePart, Evaluation, ReadingPart, WarningPart
from slaguard.reports import ClaimInputs, Note, ReportRefused
from slaguard.reports.claim import render_claim
from slaguard.terms import Reason, Verdict
from tests.reports.conftest import NAMES
from tests.reports.parts import agreement, chat_objectives, credit, credit_line, ns
from tests.reports.sample import mock_month

Claims = Callable[[str], ClaimInputs]
FILES = {"agreement.yaml": b"a", "records.csv": b"r"}


class Page(HTMLParser):
    """What a reader gets: the words, the elements, and their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._texts: list[str] = []
        self._skipped = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._skipped += tag == "style"
        if tag in {"p", "td", "th", "h1", "h2", "h3", "li", "span", "div", "b", "small", "text", "title", "desc"}:
            self._texts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._skipped -= tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._skipped:
            self._texts.append(data)

    @property
    def words(self) -> str:
        return " ".join("".join(self._texts).replace("\u202f", " ").replace("\u00a0", " ").split())


def render(claim: ClaimInputs) -> Page:
    return Page(render_claim(claim, FILES))


def amended(claim: ClaimInputs, **parts: Any) -> ClaimInputs:
    return replace(claim, evaluation=claim.evaluation.model_copy(update=parts))


# ── nothing in it can do anything ───────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", NAMES)
def test_the_page_allows_its_one_style_sheet_and_nothing_else(claims: Claims, name: str) -> None:
    html = render_claim(claims(name), FILES)
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', html)
    assert policy.replace("&#39;", "'").startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    tags = {tag for tag, _ in Page(html).elements}
    assert not tags & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "form",
        "input",
        "a",
        "base",
        "video",
        "audio",
        "use",
    }


@pytest.mark.parametrize("name", NAMES)
def test_no_element_has_a_style_a_handler_or_an_address(claims: Claims, name: str) -> None:
    for tag, attributes in render(claims(name)).elements:
        for key, value in attributes.items():
            assert key not in {"style", "href", "src", "srcset", "action", "xlink:href"}, tag
            assert not key.startswith("on"), tag
            assert "://" not in (value or "")


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_unique_and_every_reference_leads_somewhere(claims: Claims, name: str) -> None:
    html = render_claim(claims(name), FILES)
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)", html)) <= set(ids)


HOSTILE = 'Acme <script>alert("x")</script> \u202eIA\u202c \x1b[2J\x00 =HYPERLINK("http://x") ' + "W" * 300


def hostile_claim() -> ClaimInputs:
    terms = agreement(*chat_objectives(), vendor=HOSTILE, customer=HOSTILE, contract=HOSTILE)
    claim = mock_month(terms=terms)
    frame = claim.records.assign(
        model_requested=HOSTILE,
        model_returned=claim.records["model_returned"].where(claim.records["model_returned"].isna(), HOSTILE),
        fingerprint=claim.records["fingerprint"].map(lambda print_: print_ and print_ + HOSTILE, na_action="ignore"),
    )
    results = [
        result.model_copy(update={"clause": HOSTILE, "clause_words": HOSTILE, "sentence": HOSTILE})
        for result in claim.evaluation.objectives
    ]
    classes = {item: kind + HOSTILE for item, kind in claim.golden_classes.items()}
    notes = (Note(HOSTILE, "hallucination"), Note(HOSTILE))
    claim = replace(claim, records=frame, golden_classes=classes, notes=notes, version=HOSTILE)
    return amended(claim, objectives=tuple(results))


def test_hostile_text_is_harmless_text() -> None:
    html = render_claim(hostile_claim(), {"<b>.csv": b""})
    page = Page(html)
    assert "<script" not in html
    assert not any(tag == "b" and attributes for tag, attributes in page.elements)
    assert 'Acme <script>alert("x")</script> IA [2J =HYPERLINK' in page.words
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f]", html)


# ── what it says ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_head_says_who_owes_what_and_by_when(claims: Claims) -> None:
    words = render(claims("mock_month")).words
    assert "Acme AI owes Example Bank AG 1,800.00 EUR Credit claim under contract C-2031 for October 2026" in words
    assert "we claim 1,800.00 EUR 15 % of 12,000.00 EUR" in words
    assert "claim by Mon 30 Nov 2026 24:00 Berlin time, in writing · 28 days left" in words
    assert "Accuracy Exhibit C, section 1, page 21 at least 92 % 83.5 % all 8,892 answers BREACH 1,800.00 EUR" in words


def test_the_sections_come_in_the_order_a_reader_asks(claims: Claims) -> None:
    html = render_claim(claims("mock_month"), FILES)
    titles = [re.sub("<.*?>", "", title).replace("\u202f", " ") for title in re.findall("<h2>(.*?)</h2>", html)]
    assert titles == [
        "The month at a glance", "Accuracy: 83.5 % where at least 92 % was promised", "How the credit is computed", "By when",
        "What was left out, and why", "What we could not see", "Not breached, and not shown", "How to check this",
    ]  # fmt: skip


def test_the_count_of_a_broken_promise_adds_up(claims: Claims) -> None:
    words = render(claims("mock_month")).words
    assert (
        "questions asked in the period 8,940 left the count: 21 × server error (5xx) and 9 × internal error (500) − 30 "
        "not measured, through our own fault − 18 answers that count 8,892 answered correctly 7,428" in words
    )
    assert 8940 - 30 - 18 == 8892
    assert "Accuracy: 7,428 / 8,892 83.5 % promised at least 92 %" in words


def test_the_clause_is_quoted_or_said_not_to_be(claims: Claims) -> None:
    assert "“Provider shall answer correctly at least ninety-two percent (92%)" in render(claims("mock_month")).words
    assert "Exhibit B 4; the agreement does not quote its words" in render(claims("latency_breach")).words


def test_what_changed_is_told_with_its_effect(claims: Claims) -> None:
    words = render(claims("mock_month")).words
    assert "What changed on 13 October The model name in every answer stayed the same. From 14:05 on the answers" in words
    assert "Before, 96.9 % of 3,601 answers were correct; from then on, 74.4 % of 5,291." in words
    assert "The largest fall is in “prime”: 97.7 %, then 51.8 %." in words


def test_a_note_stands_beside_its_promise(claims: Claims) -> None:
    words = render(claims("mock_month")).words
    assert words.count("The human labels in this demonstration are simulated.") == 2
    assert "Hallucination: The human labels in this demonstration are simulated." in words


def test_what_is_not_shown_is_never_called_kept(claims: Claims) -> None:
    words = render(claims("mock_month")).words
    part = words[words.index("Hallucination: 1.6 %, at most 2 % promised INSUFFICIENT") :][:400]
    assert "There is not enough evidence to call it kept or broken: 190 answers, 300 needed." in part
    assert re.search(r"At the present rate [\d,]+ more graded answers would decide\.", part)
    assert "This is no finding that the promise was kept." in part
    assert "Kept." not in part.partition("How to check")[0]


def test_what_was_left_out_is_told_with_the_result_otherwise(claims: Claims) -> None:
    words = render(claims("mock_month")).words
    assert "maintenance, counts as up 6 Oct, 02:00–03:00 Exhibit B 2.4 uptime 12 intervals, 60 minutes accepted" in words
    assert (
        "Uptime, with nothing left out: 99.66 % (30 of 8,922 intervals against the promise), the verdict is the same." in words
    )
    assert "Uptime: 18 of 8,940 intervals were not watched (22 Oct, 03:00–04:30)." in words


def test_an_exclusion_in_dispute_is_shown_both_ways(claims: Claims) -> None:
    words = render(claims("contested")).words
    assert "in dispute: not applied" in words
    assert "with what is in dispute left out too: 99.62 % (34 of 8,940 intervals against the promise)" in words
    assert "the verdict would be COMPLIANT" in words
    assert "the verdict would be BREACH" in words
    assert "Nothing to claim from Acme AI for October 2026 on this evidence" in words


def test_the_check_names_files_hashes_and_the_command(claims: Claims) -> None:
    html = render_claim(claims("mock_month"), FILES)
    assert hashlib.sha256(b"r").hexdigest() in html
    assert "slaguard evaluate agreement.yaml \\\n  --records records.csv --mapping auto \\\n  --facts facts.jsonl \\\n" in html
    assert "  --period 2026-10 \\\n  --as-of 2026-11-02T09:00:00Z" in html
    words = Page(html).words
    for limit in (
        "self-attested",
        "do not prove by themselves who sent it",
        "not legal advice",
        "Uptime: measured by our own probes",
    ):
        assert limit in words
    assert "slaguard 0.1.0 · method 1 · acme-chat 1" in words


def test_a_latency_breach_shows_limit_percentile_and_distribution(claims: Claims) -> None:
    words = render(claims("latency_breach")).words
    assert "First token: 2.27 s where at most 2 s was promised" in words
    assert "First token: 95 % of the requests took at most 2.27 s" in words
    assert "requests by how long they took, in steps of 80 ms" in words


def test_each_scope_has_its_own_line_and_only_the_broken_one_a_section(claims: Claims) -> None:
    words = render(claims("scopes")).words
    assert "Errors (eu): 1.7 % where at most 1 % was promised" in words
    assert "Errors (us): 0.42 %, at most 1 % promised COMPLIANT" in words


def test_uptime_broken_by_an_outage_lists_where_it_was_lost(claims: Claims) -> None:
    claim = claims("contested")
    (result,) = claim.evaluation.objectives
    broken = result.model_copy(update={"verdict": Verdict.BREACH, "reason": Reason.COUNT_EXCEEDED})
    line = credit_line("uptime", "below 99.5%", "0.10", "1200.00", "10% of 12,000.00 EUR")
    words = render(amended(claim, objectives=(broken,), credits=credit(line, claimable="1200.00"))).words
    assert "Uptime: 99.49 % where at least 99.5 % was promised" in words
    assert "intervals of 5 minutes that count 8,940" in words
    assert "Where it was lost when how long intervals lost" in words
    assert "8 Oct, 13:00–15:05 2 hours 5 minutes 25" in words
    assert "together 46" in words


# ── what it never says ──────────────────────────────────────────────────────────────────────────────────────────────
ASKING = re.compile(r"owes|we claim [\d,]+\.|claim by|How the credit is computed|\d EUR")


@pytest.mark.parametrize("name", ["nothing_month", "open_month", "look", "contested"])
def test_a_report_that_may_not_ask_for_money_names_no_amount(claims: Claims, name: str) -> None:
    assert not ASKING.search(render(claims(name)).words)


def test_an_open_period_says_that_everything_may_change(claims: Claims) -> None:
    words = render(claims("open_month")).words
    assert "Acme AI in October 2026: so far, and not decided yet" in words
    assert "The period is not over. Every figure here is provisional, and nothing is claimed yet." in words
    assert "the month ends Sat 31 Oct 2026 24:00 Berlin time · 11 days left" in words
    assert words.count("so far") >= 4


def test_a_broken_promise_in_an_open_period_still_asks_for_nothing(claims: Claims) -> None:
    claim = claims("open_month")
    first, *rest = claim.evaluation.objectives
    broken = first.model_copy(update={"verdict": Verdict.BREACH, "provisional": False})
    words = render(amended(claim, objectives=(broken, *rest))).words
    assert "where at least 92 % was promised" in words
    assert not ASKING.search(words)


def test_a_look_says_that_it_is_one(claims: Claims) -> None:
    words = render(claims("look")).words
    assert "Acme AI, 1 October 2026 to 31 October 2026: a look, not a claim" in words
    assert "This span is not a period of the contract." in words


def test_a_month_without_a_breach_is_an_honest_report(claims: Claims) -> None:
    words = render(claims("nothing_month")).words
    assert "Nothing to claim from Acme AI for October 2026" in words
    assert "promises kept 2 of 2 all of them" in words
    assert "Nothing that we know of: the whole month was watched" in words
    assert "By when" not in words


def late(claim: ClaimInputs, **claim_terms: Any) -> ClaimInputs:
    assert claim.agreement.claim is not None
    terms = claim.agreement.model_copy(update={"claim": claim.agreement.claim.model_copy(update=claim_terms)})
    return replace(amended(claim, as_of=ns("2026-12-01T00:00:00+01:00")), agreement=terms)


def test_a_claim_that_is_late_and_lost_does_not_ask(claims: Claims) -> None:
    words = render(late(claims("mock_month"))).words
    assert "Acme AI broke 1 promise; the time to claim 1,800.00 EUR has passed" in words
    assert "had to be claimed by Mon 30 Nov 2026 24:00 Berlin time, in writing · past" in words
    assert "we claim" not in words.replace("we claim what", "")
    assert "owes" not in words


def test_a_claim_that_is_late_but_not_lost_is_still_made(claims: Claims) -> None:
    words = render(late(claims("mock_month"), forfeits=False)).words
    assert "Acme AI owes Example Bank AG 1,800.00 EUR" in words
    assert "A claim that comes late is not lost for that." in words


def test_a_breach_without_a_credit_says_that_none_is_due(claims: Claims) -> None:
    words = render(amended(claims("mock_month"), credits=None)).words
    assert "Acme AI broke 1 promise in October 2026; no credit is due" in words
    assert "we claim nothing the contract pays no credit for this" in words


def test_a_credit_that_a_rule_left_out_says_which_rule(claims: Claims) -> None:
    sentence = "15% of 12,000.00 EUR, a credit is paid only when it is more than 2,000.00 EUR"
    line = credit_line("accuracy", "below 92%", "0.15", "0.00", sentence, counts=False)
    owed = credit(line.model_copy(update={"alone": Decimal("1800.00")}), claimable="0.00")
    words = render(amended(claims("mock_month"), credits=owed)).words
    assert "we claim nothing 15 % of 12,000.00 EUR, a credit is paid only when it is more than 2,000.00 EUR" in words
    assert "15 % 1,800.00 EUR 0.00 EUR is due 0.00 EUR" in words
    assert "owes" not in words


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        ((), "claim by no date the agreement names no time limit"),
        (
            (
                DeadlinePart(
                    type="notify", due=None, act_by=None, local=None, anchor="invoice_date", reason="record the invoice"
                ),
            ),
            "claim by not known yet record the invoice",
        ),
    ],
)
def test_a_date_that_is_not_known_is_not_guessed(claims: Claims, found: tuple[DeadlinePart, ...], shown: str) -> None:
    assert shown in render(amended(claims("mock_month"), deadlines=found)).words


# ── figures and money ───────────────────────────────────────────────────────────────────────────────────────────────
def figure_amended(evaluation: Evaluation, value: Fraction) -> Evaluation:
    first, *rest = evaluation.objectives
    estimate = first.estimate.model_copy(update={"value": value, "low": value, "high": value})
    return evaluation.model_copy(update={"objectives": (first.model_copy(update={"estimate": estimate}), *rest)})


def test_a_figure_just_below_its_target_is_not_printed_as_the_target(claims: Claims) -> None:
    claim = claims("mock_month")
    words = render(replace(claim, evaluation=figure_amended(claim.evaluation, Fraction(919_996, 1_000_000)))).words
    assert "at least 92 % 91.9996 %" in words


def test_several_credits_a_cap_and_what_is_not_certain_are_shown_line_by_line(claims: Claims) -> None:
    lines = (
        credit_line("accuracy", "below 92%", "0.15", "1200.00", "15% of 12,000.00 EUR, cut to 1,200.00 EUR by the cap"),
        credit_line("uptime", None, None, "0.00", "no credit at this figure"),
    )
    cut = (lines[0].model_copy(update={"alone": Decimal("1800.00")}), lines[1])
    owed = credit(*cut, claimable="1200.00", point="1500.00", upper="1800.00").model_copy(update={"cap_applied": True})
    words = render(amended(claims("mock_month"), credits=owed)).words
    assert "what of the fee alone amount the fee of the period 12,000.00 EUR" in words
    assert "cut to 1,200.00 EUR by the cap 15 % 1,800.00 EUR 1,200.00 EUR we claim 1,200.00 EUR" in words
    assert "1 credit, as far as the cap allows" in words
    assert "At the measured figure it would be 1,500.00 EUR; we claim what is certain." in words
    assert "At the far end of what is not known it would be 1,800.00 EUR." in words


def test_a_credit_that_does_not_add_up_is_refused(claims: Claims) -> None:
    line = credit_line("accuracy", "below 92%", "0.15", "1800.00", "15% of 12,000.00 EUR")
    with pytest.raises(ReportRefused, match="the credit: 1800 is not 1900"):
        render(amended(claims("mock_month"), credits=credit(line, claimable="1900.00")))


def test_the_same_inputs_give_the_same_bytes(claims: Claims) -> None:
    assert render_claim(claims("mock_month"), FILES) == render_claim(claims("mock_month"), FILES)


# Readings, unconfirmed terms, earlier periods


def reading(name: str, credit: str, verdict: Verdict, claim: ClaimInputs) -> ReadingPart:
    one = claim.evaluation.objectives[0]
    return ReadingPart(
        id=name, set={}, basis="the clause can be read so", verdict=verdict, reason=one.reason, sentence="",
        estimate=one.estimate, credit=Decimal(credit),
    )  # fmt: skip


def test_a_claim_under_open_readings_tells_each_of_them_and_what_it_pays() -> None:
    claim = mock_month()
    parts = (reading("A", "1800.00", Verdict.BREACH, claim), reading("B", "0.00", Verdict.COMPLIANT, claim))
    told = {"readings": parts, "reading": "B", "verdict": Verdict.INCONCLUSIVE, "reason": Reason.READING_DEPENDENT}
    first = claim.evaluation.objectives[0].model_copy(update=told | {"sentence": "breach under A; not under B"})
    owed = credit(claimable="0.00").model_copy(update={"upper": Decimal("1800.00")})
    shown = render(amended(claim, objectives=(first, *claim.evaluation.objectives[1:]), credits=owed)).words
    assert "breach under A; not under B" in shown
    assert "Under A (the clause can be read so)" in shown
    assert "would pay 1,800.00 EUR alone" in shown
    assert "COMPLIANT, would pay nothing" in shown
    assert "The figures here are those under B" in shown
    assert "Credit claim" not in shown


def test_terms_that_nobody_compared_with_their_source_are_told_before_any_figure() -> None:
    claim = mock_month()
    text = "vendors/acme@1 follows a text that nobody has compared with its source; compare it before you rely on this"
    warning = WarningPart(code="W-SPEC-PRESET", path="use", text=text)
    shown = render(amended(claim, warnings=(warning, *claim.evaluation.warnings))).words
    assert shown.index("Not confirmed: Vendors/acme@1" if "Not confirmed: V" in shown else "Not confirmed: vendors/acme@1") < (
        shown.index("promised measured")
    )
    assert "Not confirmed" not in render(claim).words


def test_a_command_that_does_not_see_earlier_periods_is_not_said_to_give_all_the_figures() -> None:
    claim = mock_month()
    looks = claim.evaluation.inputs.model_copy(update={"history_sha256": "0" * 64})
    shown = render(amended(claim, inputs=looks)).words
    assert "repeats the evaluation of this period by itself" in shown
    assert "amounts and rights that look back at earlier periods need the records of those" in shown
    assert "very bytes" not in shown
    assert "repeats the evaluation and gives the same figures" in render(claim).words
