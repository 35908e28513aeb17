import hashlib
import itertools
import json
from typing import Any

import numpy as np
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from slaguard.records import (
    MAX_ATTRIBUTES,
    MAX_TEXT,
    MINUTE,
    NULL,
    RECORD_TYPES,
    Coverage,
    Evidence,
    Fact,
    Observation,
    RawFacts,
    Record,
    Score,
    Span,
    Table,
    TrafficTally,
    classify,
    escape,
    from_header,
    header,
    merge_spans,
    unescape,
)  # fmt: skip
from slaguard.terms import Attribution, Grade, Outcome, Source
from tests.ledger.world import any_record, call, hostile_text


# ── the one classifier ──────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("facts", "outcome", "attribution"),
    [
        (RawFacts(status=200), Outcome.OK, Attribution.NONE),
        (RawFacts(status=204), Outcome.OK, Attribution.NONE),
        (RawFacts(), Outcome.OK, Attribution.NONE),
        (RawFacts(status=200, body_empty=True), Outcome.EMPTY, Attribution.VENDOR),
        (RawFacts(status=200, body_is_error=True, body_empty=True), Outcome.ERROR_BODY, Attribution.VENDOR),
        (RawFacts(status=200, body_complete=False), Outcome.TRUNCATED, Attribution.VENDOR),
        (RawFacts(status=200, refused=True), Outcome.REFUSED, Attribution.NONE),
        (RawFacts(status=200, content_filtered=True, refused=True), Outcome.CONTENT_FILTERED, Attribution.NONE),
        (RawFacts(status=400, error_code="content_filter"), Outcome.CONTENT_FILTERED, Attribution.NONE),
        (RawFacts(status=302), Outcome.REDIRECT, Attribution.VENDOR),
        (RawFacts(status=400), Outcome.CLIENT_ERROR, Attribution.CLIENT),
        (RawFacts(status=401), Outcome.AUTH_ERROR, Attribution.CLIENT),
        (RawFacts(status=403), Outcome.AUTH_ERROR, Attribution.CLIENT),
        (RawFacts(status=408), Outcome.REQUEST_TIMEOUT, Attribution.VENDOR),
        (RawFacts(status=429), Outcome.RATE_LIMITED, Attribution.CLIENT_QUOTA),
        (RawFacts(status=499), Outcome.CLIENT_ABORT, Attribution.CLIENT),
        (RawFacts(status=500), Outcome.ERROR_500, Attribution.VENDOR),
        (RawFacts(status=503), Outcome.ERROR_5XX, Attribution.VENDOR),
        (RawFacts(status=503, error_code="overloaded_error"), Outcome.OVERLOADED, Attribution.VENDOR),
        (RawFacts(status=529), Outcome.OVERLOADED, Attribution.VENDOR),
        (RawFacts(status=700), Outcome.CONNECTION_ERROR, Attribution.VENDOR),
        (RawFacts(status=200, failure="timeout"), Outcome.TIMEOUT, Attribution.VENDOR),
        (RawFacts(failure="client_deadline"), Outcome.CLIENT_DEADLINE, Attribution.CLIENT),
        (RawFacts(failure="connection"), Outcome.CONNECTION_ERROR, Attribution.VENDOR),
        (RawFacts(failure="client_abort"), Outcome.CLIENT_ABORT, Attribution.CLIENT),
        (RawFacts(status=500, failure="own_network"), Outcome.UNMEASURED, Attribution.OWN_NETWORK),
        (RawFacts(failure="own_probe"), Outcome.UNMEASURED, Attribution.OWN_PROBE),
        (RawFacts(failure="harness"), Outcome.UNMEASURED, Attribution.HARNESS),
    ],
    ids=repr,
)
def test_raw_facts_amount_to_one_outcome_at_one_door(facts: RawFacts, outcome: Outcome, attribution: Attribution) -> None:
    assert classify(facts) == (outcome, attribution)


def test_every_outcome_can_come_about() -> None:
    statuses = [classify(RawFacts(status=s))[0] for s in (*range(100, 600), 529)]
    failures = ("timeout", "client_deadline", "connection", "client_abort", "own_network")
    bodies: list[dict[str, Any]] = [
        {"body_empty": True},
        {"body_is_error": True},
        {"body_complete": False},
        {"refused": True},
        {"content_filtered": True},
    ]
    others = [classify(RawFacts(failure=f))[0] for f in failures] + [classify(RawFacts(status=200, **b))[0] for b in bodies]
    assert {*statuses, *others} == set(Outcome)


@given(status=st.none() | st.integers(-999, 9999), code=st.none() | hostile_text, flags=st.tuples(*[st.booleans()] * 5))
def test_no_answer_of_a_vendor_is_without_an_outcome(status: int | None, code: str | None, flags: tuple[bool, ...]) -> None:
    names = ("body_empty", "body_is_error", "body_complete", "refused", "content_filtered")
    body: dict[str, Any] = dict(zip(names, flags, strict=True))
    outcome, _ = classify(RawFacts(status=status, error_code=code, **body))
    assert outcome is not Outcome.UNMEASURED


# ── header bytes ────────────────────────────────────────────────────────────────────────────────────────────────────
@given(text=st.text(max_size=60))
def test_text_that_fits_comes_back_as_it_was(text: str) -> None:
    escaped = escape(text)
    assert all(0x20 <= ord(c) <= 0x7E for c in escaped)
    if len(escaped) < MAX_TEXT - 2:
        assert unescape(escaped) == text


@given(text=hostile_text.map(lambda t: t * 50))
def test_long_text_is_cut_but_never_inside_an_escape(text: str) -> None:
    escaped = escape(text)
    assert len(escaped) <= MAX_TEXT
    assert escape(unescape(escaped)).startswith(escaped[: MAX_TEXT - 12])


@given(record=any_record)
def test_a_header_is_canonical_printable_and_without_floats(record: Record) -> None:
    content = header(record)
    body = json.loads(content, parse_float=pytest.fail)
    assert rfc8785.dumps(body) == content
    assert all(0x20 <= byte <= 0x7E for byte in content)
    assert (body["kind"], body["v"]) == (record.kind, 1)
    assert None not in body.values()


plain_text = st.text(st.characters(codec="ascii", min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
instant = st.integers(-(2**62), 2**62)


@given(
    record=st.builds(
        Observation,
        id=plain_text,
        outcome=st.sampled_from(list(Outcome)),
        attribution=st.sampled_from(list(Attribution)),
        source=st.sampled_from(list(Source)),
        via=plain_text,
        vendor=st.text(max_size=20),
        sent_at=st.none() | instant,
        status=st.none() | st.integers(-(2**53) + 1, 2**53 - 1),
        stream=st.none() | st.booleans(),
        attributes=st.dictionaries(plain_text, plain_text, max_size=5),
        total_time_ns=st.none() | instant,
    )
)
def test_an_observation_comes_back_from_its_header(record: Observation) -> None:
    assert from_header(json.loads(header(record))) == record


def test_times_are_text_and_small_numbers_are_numbers() -> None:
    body = json.loads(header(call("a", sent_at=7, status=200, input_tokens=2**53, stream=False)))
    assert (body["sent_at"], body["status"], body["input_tokens"], body["stream"]) == ("7", 200, str(2**53), False)


def test_no_more_attributes_are_kept_than_the_bound() -> None:
    attributes = {f"k{i:03}": "v" for i in range(100)}
    assert list(json.loads(header(call("a", attributes=attributes)))["attributes"]) == sorted(attributes)[:MAX_ATTRIBUTES]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "rumour"}, "kind 'rumour'"),
        ({"v": 2}, "version 2"),
        ({"mood": "x"}, "no field 'mood'"),
        ({"outcome": "fine"}, "fine"),
        ({"sent_at": "yesterday"}, "yesterday"),
        ({"id": None}, "incomplete"),
    ],
    ids=repr,
)
def test_a_header_of_another_kind_version_or_vocabulary_is_refused(change: dict[str, Any], words: str) -> None:
    body = json.loads(header(call("a"))) | change
    if change == {"id": None}:
        del body["id"]
    with pytest.raises(ValueError, match=words):
        from_header(body)


def test_every_kind_of_record_has_a_name_of_its_own() -> None:
    assert {name: kind.kind for name, kind in RECORD_TYPES.items()} == {name: name for name in RECORD_TYPES}
    assert len(RECORD_TYPES) == 9


# ── tallies of traffic ──────────────────────────────────────────────────────────────────────────────────────────────
TALLY: dict[str, Any] = {
    "vendor": "acme", "via": "sidecar", "writer": "sidecar-1", "start": 5 * MINUTE, "end": 6 * MINUTE,
    "seen": 10, "recorded": 7, "sampled_out": 2, "shed": 1, "client_abort": 7, "bodies": 4, "bodies_shed": 3,
}  # fmt: skip


def test_a_tally_whose_numbers_add_up_comes_back_from_its_header() -> None:
    tally = TrafficTally(**TALLY)
    assert from_header(json.loads(header(tally))) == tally
    body = json.loads(header(tally))
    assert (body["kind"], body["start"], body["seen"]) == ("traffic_tally", str(5 * MINUTE), 10)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seen": 11}, "seen 11 is not recorded 7"),
        ({"shed": 0}, "seen 10 is not"),
        ({"shed": -2, "sampled_out": 5}, "-2 is no number of calls"),
        ({"bodies": -1}, "-1 is no number of calls"),
        ({"client_abort": 8}, "client_abort 8"),
        ({"bodies": 5}, "of the 7 recorded"),
        ({"end": 5 * MINUTE}, "no part of one minute"),
        ({"end": 6 * MINUTE + 1}, "no part of one minute"),
        ({"start": 5 * MINUTE - 1}, "no part of one minute"),
    ],
    ids=repr,
)
def test_a_tally_whose_numbers_do_not_add_up_is_refused(change: dict[str, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TrafficTally(**(TALLY | change))
    body = json.loads(header(TrafficTally(**TALLY))) | {k: str(v) if k in {"start", "end"} else v for k, v in change.items()}
    with pytest.raises(ValueError, match=said):
        from_header(body)


# ── evidence ────────────────────────────────────────────────────────────────────────────────────────────────────────
def column(*values: int) -> Any:
    return np.array(values, dtype=np.int64)


def test_a_table_is_sorted_by_all_its_keys_and_holds_no_empty_rows() -> None:
    table = Table.of(("a", "b"), (column(2, 1, 1, 0), column(0, 5, NULL, 0)), column(4, 3, 2, 0))
    assert [c.tolist() for c in (*table.columns, table.n)] == [[1, 1, 2], [NULL, 5, 0], [2, 3, 4]]
    assert table.column("b").tolist() == [NULL, 5, 0]


def test_the_bytes_of_a_table_are_its_keys_then_its_columns_little_endian() -> None:
    table = Table.of(("a",), (column(1, -1),), column(2, 3))
    expected = b'{"keys":["a"],"rows":2}\n' + b"".join(i.to_bytes(8, "little", signed=True) for i in (-1, 1, 3, 2))
    assert table.content() == expected
    assert Table.of((), (), column(5)).content() == b'{"keys":[],"rows":1}\n' + (5).to_bytes(8, "little")
    assert Table.of((), (), column(0)).content() == b'{"keys":[],"rows":0}\n'


EMPTY: dict[Source, tuple[Span, ...]] = {Source.PROBE: (), Source.TRAFFIC: ()}


def test_evidence_is_hashed_over_what_it_says_not_over_words_about_a_file() -> None:
    table = Table.of(("a",), (column(1),), column(2))
    fact = Fact(id="f", type="ticket", when=1)
    evidence = Evidence({"x": table}, EMPTY, (fact,))
    same = Evidence({"x": table}, dict(reversed(EMPTY.items())), (fact,), notes=("3 rows were refused",))
    assert same.sha256() == evidence.sha256()
    others = [
        Evidence({"y": table}, EMPTY, (fact,)),
        Evidence({"x": Table.of(("a",), (column(1),), column(3))}, EMPTY, (fact,)),
        Evidence({"x": table}, {**EMPTY, Source.PROBE: ((1, 2),)}, (fact,)),
        Evidence({"x": table}, EMPTY, ()),
    ]
    assert len({e.sha256() for e in (evidence, *others)}) == 5


def test_the_hash_of_evidence_stays_what_it_was() -> None:
    table = Table.of(("outcome",), (column(0, 1),), column(10, 2))
    evidence = Evidence({"d": table}, {Source.PROBE: ((1, 2),), Source.TRAFFIC: ()})
    expected = hashlib.sha256(b"d\n" + table.content() + b"\n" + b'{"probe":[["1","2"]],"traffic":[]}').hexdigest()
    assert evidence.sha256() == expected


@given(spans=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30))))
def test_merged_spans_cover_the_same_instants_without_overlap_or_touch(spans: list[Span]) -> None:
    merged = merge_spans(spans)
    covered = {i for start, end in spans for i in range(start, end)}
    assert {i for start, end in merged for i in range(start, end)} == covered
    assert all(a[1] < b[0] for a, b in itertools.pairwise(merged))
    assert all(start < end for start, end in merged)


def test_two_records_of_one_kind_are_equal_by_what_they_say() -> None:
    assert Score(observation="a", scorer="s@1", grade=Grade.WRONG) == Score(observation="a", scorer="s@1", grade=Grade.WRONG)
    assert Coverage(source=Source.PROBE, start=1, end=2, via="x") != Coverage(source=Source.PROBE, start=1, end=3, via="x")
