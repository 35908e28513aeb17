from dataclasses import replace

from hypothesis import given

from slaguard.ledger.identity import idempotency_key, identity
from slaguard.records import Adjudication, Coverage, Fact, Incident, ProbeMissed, ProbePlanned, Record, Score
from slaguard.terms import Grade, Source
from tests.ledger.world import any_record, call

SCORE = Score(observation="a", scorer="exact@1", grade=Grade.CORRECT)
GRADED = Adjudication(observation="a", grade=Grade.CORRECT, by="ann")


@given(record=any_record)
def test_a_key_is_32_bytes_and_the_same_each_time(record: Record) -> None:
    assert len(idempotency_key(record)) == 32
    assert idempotency_key(record) == idempotency_key(replace(record))


def test_records_of_two_kinds_never_share_a_key() -> None:
    records: list[Record] = [
        call("a"),
        Fact(id="a", type="ticket", when=1),
        Incident(id="a", start=1, end=None, severity="high", source="status page"),
        ProbePlanned(slot="a", agreement="x", golden_item="g", scheduled_at=1),
        ProbeMissed(slot="a", how="lost", reason="crash", scheduled_at=1),
    ]
    assert len({idempotency_key(r) for r in records}) == len(records)


def test_parts_of_an_identity_cannot_run_into_each_other() -> None:
    one = Score(observation="a\x1fb", scorer="c", grade=Grade.WRONG)
    other = Score(observation="a", scorer="b\x1fc", grade=Grade.WRONG)
    assert idempotency_key(one) != idempotency_key(other)


def test_a_call_is_its_id_whatever_else_it_says() -> None:
    assert identity(call("a")) == identity(call("a", status=500, vendor="other", recorded_at=9))


def test_one_scorer_grades_one_answer_once_whatever_the_grade() -> None:
    assert identity(SCORE) == identity(replace(SCORE, grade=Grade.WRONG, recorded_at=5))
    assert identity(SCORE) != identity(replace(SCORE, scorer="exact@2"))


def test_a_failed_grading_does_not_stand_in_the_way_of_a_grade() -> None:
    assert identity(replace(SCORE, grade=Grade.UNSCORED, reason="time-out")) != identity(SCORE)


def test_a_person_may_change_their_mind() -> None:
    assert identity(GRADED) != identity(replace(GRADED, grade=Grade.WRONG))
    assert identity(replace(GRADED, recorded_at=1)) != identity(replace(GRADED, recorded_at=2))
    assert identity(GRADED) != identity(replace(GRADED, by="bob"))


def test_the_end_of_an_outage_is_a_second_record() -> None:
    begun = Incident(id="i", start=1, end=None, severity="high", source="status page")
    assert identity(begun) != identity(replace(begun, end=9))
    assert identity(begun) == identity(replace(begun, severity="low"))


def test_coverage_is_its_interval_source_and_way() -> None:
    watched = Coverage(source=Source.TRAFFIC, start=1, end=2, via="import:x")
    others = [replace(watched, source=Source.PROBE), replace(watched, end=3), replace(watched, via="sidecar")]
    assert len({identity(c) for c in (watched, *others)}) == 4
