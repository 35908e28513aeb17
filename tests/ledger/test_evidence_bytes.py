"""The same records give the same Evidence bytes however they come, and those of two other implementations."""

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slaguard.evaluation.demands import KEYS, Condition, Counts, Demands, Mark
from slaguard.ledger.read import read
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.store import ColumnStore
from slaguard.records import (
    NS,
    Adjudication,
    Coverage,
    Evidence,
    Fact,
    Incident,
    Observation,
    ProbeMissed,
    ProbePlanned,
    Record,
    Score,
)  # fmt: skip
from slaguard.terms import Attribution, BoundWord, Grade, Outcome, Source
from tests.ledger.oracle import in_python, in_sqlite
from tests.ledger.world import START, Watch

instants = st.integers(-3, 12).map(lambda s: START + s * NS) | st.integers(-NS, NS).map(lambda ns: START + ns)
maybe_instant = st.none() | instants
IDS = [f"c{i}" for i in range(12)]
SLOTS = [f"s{i}" for i in range(4)]
SCORERS = ["exact@1", "judge@2"]
milliseconds = st.none() | st.sampled_from([-1_500_000, -1, 0, 1, 999_999, 1_000_000, 1_000_001, 2_500_000_000])


def observation(name: str) -> st.SearchStrategy[Observation]:
    return st.builds(
        Observation,
        id=st.just(name),
        outcome=st.sampled_from([Outcome.OK, Outcome.OK, Outcome.ERROR_500, Outcome.UNMEASURED]),
        attribution=st.sampled_from(list(Attribution)),
        source=st.sampled_from(list(Source)),
        via=st.just("import:test"),
        vendor=st.sampled_from(["acme", "acme", "other", "a'c\"me\u00fc%\x00"]),
        sent_at=maybe_instant,
        batch_start=maybe_instant,
        batch_end=maybe_instant,
        ended_at=maybe_instant,
        recorded_at=maybe_instant,
        status=st.sampled_from([None, 200, 500, 0, -1]),
        error_code=st.sampled_from([None, "x", "200", ""]),
        stream=st.sampled_from([None, True, False]),
        model_requested=st.sampled_from([None, "m1", "m2"]),
        input_tokens=st.sampled_from([None, 0, 7, 2**53 + 1, 2**63 - 1]),
        output_tokens=st.sampled_from([None, 0, 3]),
        first_byte_at=maybe_instant,
        client_id=st.sampled_from([None, "c1", "c2"]),
        inclusion_probability=st.sampled_from([None, "1", "0.1", "1.0"]),
        logical_request_id=st.sampled_from([None, *SLOTS]),
        attributes=st.dictionaries(
            st.sampled_from(["nodes", "team", "cached_input_tokens"]),
            st.sampled_from(["4", "-4", "007", "x", "", "4.0", "--4"]),
        ),
        time_to_first_token_ns=milliseconds,
        total_time_ns=milliseconds,
    )


@st.composite
def worlds(draw: st.DrawFn) -> list[Record]:
    """A few records of every type; no two contradict each other, no two grades of one answer are of one moment."""
    records: list[Record] = [draw(observation(name)) for name in draw(st.lists(st.sampled_from(IDS), unique=True))]
    graded = draw(st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(SCORERS), st.sampled_from(list(Grade))), max_size=8))
    for i, (name, scorer, grade) in enumerate(dict.fromkeys(graded)):
        if draw(st.booleans()):
            records.append(Adjudication(observation=name, grade=grade, by="ann", recorded_at=START + i))
        else:
            ungraded = grade is Grade.UNSCORED
            known = any(isinstance(r, Score) and (r.observation, r.scorer) == (name, scorer) for r in records)
            records += [] if known else [Score(observation=name, scorer=scorer, grade=grade, recorded_at=START + i)]
            assert ungraded or grade
    for slot in draw(st.lists(st.sampled_from(SLOTS), unique=True)):
        due, known_at = draw(instants), draw(maybe_instant)
        item = draw(st.sampled_from(["g1", "g2"]))
        planned = ProbePlanned(slot=slot, agreement="x", golden_item=item, scheduled_at=due, recorded_at=known_at)
        missed = ProbeMissed(slot=slot, how="lost", reason="crash", scheduled_at=due, recorded_at=draw(maybe_instant))
        records += draw(st.sampled_from([[planned], [missed], [planned, missed]]))
    for i in range(draw(st.integers(0, 3))):
        start, end = draw(instants), draw(instants)
        source = draw(st.sampled_from(list(Source)))
        records.append(Coverage(source=source, start=start, end=end, via=f"import:{i}", recorded_at=draw(maybe_instant)))
        records.append(Fact(id=f"f{i}", type="ticket", when=start, by="ü\x00", recorded_at=draw(maybe_instant)))
        records.append(
            Incident(id=f"i{i}", start=start, end=None, severity="high", source="x", recorded_at=draw(maybe_instant))
        )
    return records


values = {
    "vendor": ["acme", "other", "a'c\"me\u00fc%\x00"],
    "status": ["200", "0200", "-1", "500", "x", "9" * 30],
    "error_code": ["200", "x", ""],
    "stream": ["true", "false", "True"],
    "outcome": ["ok", "unmeasured", "fine"],
    "attribution": ["own_probe", "vendor"],
    "model_requested": ["m1", "m3"],
    "golden_item": ["g1"],
    "sent_at": [str(START), str(START + NS)],
    "attributes.nodes": ["4", "x", "007"],
    "attributes.team": ["4", ""],
    "input_tokens": ["7", str(2**53 + 1), str(2**63 - 1), str(2**63)],
    "time_to_first_token": ["0", "1", "2"],
}
limits = {
    "status": [0, 200],
    "error_code": [200],
    "input_tokens": [7, 2**53 - 1],
    "attributes.nodes": [-4, 4, 7],
    "time_to_first_token": [0, 1],
    "total_time": [1, 2],
}
conditions = st.one_of(
    st.sampled_from(sorted(values)).flatmap(
        lambda f: st.lists(st.sampled_from(values[f]), max_size=2, unique=True).map(lambda v: Condition(f, tuple(v)))
    ),
    st.sampled_from(sorted(limits)).flatmap(
        lambda f: st.tuples(st.sampled_from(limits[f]), st.sampled_from(list(BoundWord))).map(
            lambda p: Condition(f, word=p[1], limit=p[0])
        )
    ),
)
windows = st.none() | st.lists(st.tuples(instants, instants), max_size=3).map(tuple)
marks = st.builds(Mark, conditions=st.lists(conditions, max_size=2).map(tuple), windows=windows)
demands = st.builds(
    Counts,
    source=st.sampled_from(list(Source)),
    span=st.sampled_from([(START - 2 * NS, START + 10 * NS), (START, START + NS), (START, START)]),
    as_of=st.sampled_from([START - NS, START + 2, START + 5 * NS, START * 2]),
    where=st.lists(conditions, max_size=2).map(tuple),
    marks=st.lists(marks, max_size=3).map(tuple),
    keys=st.lists(st.sampled_from(KEYS), unique=True).map(tuple),
    bin_ns=st.sampled_from([1, NS, 7 * NS]),
    grader=st.sampled_from([None, "human", "*", *SCORERS, "nobody@1"]),
    by=st.sampled_from([("client_id",), ("model_requested", "attributes.team", "vendor")]),
    per=st.sampled_from([("vendor",), ("attributes.nodes", "client_id")]),
    like=st.sampled_from([("attributes.team",), ("region",)]),
    each=st.booleans(),
)


def answer(batches: Sequence[Sequence[Record]], asked: Demands, threads: int) -> Evidence:
    with ColumnStore(threads=threads) as store:
        for batch in batches:
            store.add(batch)
        return store.answer(asked)


@settings(max_examples=settings().max_examples // 2)
@given(records=worlds(), counts=st.lists(demands, min_size=1, max_size=4), seed=st.integers(0, 99))
def test_order_repeats_and_threads_leave_the_bytes_alone_and_two_other_implementations_agree(
    records: list[Record], counts: list[Counts], seed: int
) -> None:
    asked = Demands(tuple(counts), (START, START + 5 * NS), counts[0].as_of)
    evidence = answer([records], asked, threads=1)
    for one in counts:
        expected = in_python(records, one).content()
        assert evidence.tables[one.sha256()].content() == expected
        assert in_sqlite(records, one).content() == expected
    shuffled = records * 2
    random.Random(seed).shuffle(shuffled)
    cut = len(shuffled) // 3
    other = answer([shuffled[:cut], shuffled[cut : 2 * cut], shuffled[2 * cut :]], asked, threads=2)
    assert other.sha256() == evidence.sha256()
    assert all(other.tables[h].content() == t.content() for h, t in evidence.tables.items())


def recorded(record: Record) -> Record:
    """Write down when a record was known, as the ledger would otherwise take its own time for it."""
    if record.recorded_at is not None:
        return record
    known: list[Any] = [getattr(record, name, None) for name in ("ended_at", "sent_at", "batch_end")]
    return replace(record, recorded_at=next((t for t in known if t is not None), 0))


@settings(max_examples=settings().max_examples // 6)
@given(records=worlds(), counts=st.lists(demands, min_size=1, max_size=3))
def test_a_row_log_gives_the_bytes_that_its_records_give(
    records: list[Record], counts: list[Counts], tmp_path_factory: pytest.TempPathFactory
) -> None:
    asked = Demands(tuple(counts), (START, START + 5 * NS), counts[0].as_of)
    known = [recorded(r) for r in records]
    directory: Path = tmp_path_factory.mktemp("ledger")
    with RowLog.open(directory, clock=Watch()) as log:
        log.append(known)
        log.append(known[::2])
    evidence = read(directory, asked)
    direct = answer([known], asked, threads=1)
    assert evidence.sha256() == direct.sha256()
    assert evidence.facts == direct.facts
    plain = answer([records], asked, threads=1)
    assert {h: t.content() for h, t in evidence.tables.items()} == {h: t.content() for h, t in plain.tables.items()}
