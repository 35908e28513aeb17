"""The plot of the simulated vendor, without the wire: scripts, draws, questions and words."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slaguard.errors import ConfigError
from slaguard.providers.simulated import (
    Fault,
    Latency,
    Question,
    Questions,
    Script,
    Segment,
    Window,
    published_story,
    read_questions,
    read_script,
    script_as_dict,
)
from slaguard.providers.simulated.answers import without_answer, wrong_reference
from slaguard.providers.simulated.behaviour import Asked, decide
from slaguard.providers.simulated.draws import Draws
from slaguard.terms import Grade

GOLDEN = read_questions((files("sla_specs") / "golden" / "claims-qa@4.jsonl").read_text("utf-8").splitlines())
START = 1_790_812_800_000_000_000  # 2026-10-01T00:00:00Z
DAY = 86_400_000_000_000
PERFECT = Segment(start_ns=START, revision="r1", fingerprint="fp_1", other_accuracy=1.0)


def test_the_middle_latency_is_the_median_of_the_script() -> None:
    script = Script(segments=(replace(PERFECT, latency=Latency(first_byte_ms=400, generation_ms=1000, sigma=0.6)),))
    turns = [decide(script, 3, Asked(str(n), 1, START, None)) for n in range(2001)]
    firsts = sorted(turn.first_byte_ms for turn in turns)
    # the median of 2,001 draws: standard error 0.6 * sqrt(pi / 2 / 2001) of the logarithm, 0.017
    assert 400 * 0.93 < firsts[1000] < 400 * 1.07
    assert firsts[10] < 200
    assert firsts[-10] > 800


@pytest.mark.parametrize(("at", "expected"), [(START, 0.97), (START + DAY, 0.825)], ids=["before", "after"])
def test_the_story_answers_as_well_as_its_parameters_say(at: int, expected: float) -> None:
    script = published_story(START, START + DAY, faults={}, refusal=(0, 0))
    asked = [Asked(f"{n}", 1, at, GOLDEN.known[n % 240]) for n in range(4800)]
    right = sum(decide(script, 5, a).grade is Grade.CORRECT for a in asked) / len(asked)
    assert abs(right - expected) < 4 * (expected * (1 - expected) / len(asked)) ** 0.5


def test_the_story_falls_on_primes_and_holds_elsewhere() -> None:
    script = published_story(START, START + DAY, faults={}, refusal=(0, 0))
    by_kind: dict[str, list[bool]] = {}
    for n in range(4800):
        question = GOLDEN.known[n % 240]
        turn = decide(script, 6, Asked(str(n), 1, START + DAY, question))
        by_kind.setdefault(question.kind, []).append(turn.grade is Grade.CORRECT)
    shares = {kind: sum(hits) / len(hits) for kind, hits in by_kind.items()}
    assert abs(shares.pop("prime") - 0.51) < 0.06
    assert all(abs(share - 0.93) < 0.03 for share in shares.values())


def test_a_consistent_model_gives_a_question_the_same_answer_every_time() -> None:
    script = Script(segments=(replace(PERFECT, other_accuracy=0.5, same_again=1.0),))
    for question in GOLDEN.known[::24]:
        turns = {decide(script, 1, Asked(str(n), 1, START, question)).text for n in range(20)}
        assert len(turns) == 1
    grades = {decide(script, 1, Asked("x", 1, START, question)).grade for question in GOLDEN.known}
    assert grades >= {Grade.CORRECT, Grade.WRONG}


def test_an_invented_statement_is_flagged_in_the_truth_and_not_in_the_answer() -> None:
    script = Script(segments=(replace(PERFECT, hallucination=0.3),))
    turns = [decide(script, 2, Asked(str(n), 1, START, GOLDEN.known[n % 240])) for n in range(2000)]
    flagged = [turn for turn in turns if turn.hallucinated]
    assert abs(len(flagged) / 2000 - 0.3) < 0.04
    assert all(turn.text.count("\n") == 2 for turn in flagged)
    assert all(turn.text.count("\n") == 1 for turn in turns if not turn.hallucinated)


def test_an_unknown_question_gets_small_talk_and_no_grade() -> None:
    turn = decide(Script(segments=(PERFECT,)), 1, Asked("x", 1, START, GOLDEN.find("What is the weather?")))
    assert turn.grade is None
    assert "Answer:" not in turn.text


def test_an_outage_covers_its_window_half_open() -> None:
    script = Script(segments=(PERFECT,), windows=(Window(start_ns=START + 10, end_ns=START + 20, fault=Fault.ERROR_503),))
    faults = [decide(script, 1, Asked("x", 1, START + n, GOLDEN.known[0])).fault for n in (9, 10, 19, 20)]
    assert faults == [None, Fault.ERROR_503, Fault.ERROR_503, None]


def test_a_burst_hits_its_share_of_the_calls() -> None:
    burst = Window(start_ns=START, end_ns=START + DAY, fault=Fault.ERROR_529, share=0.4)
    script = Script(segments=(PERFECT,), windows=(burst,))
    hit = sum(decide(script, 1, Asked(str(n), 1, START, GOLDEN.known[0])).fault is not None for n in range(2000))
    assert abs(hit / 2000 - 0.4) < 0.045


def test_a_script_survives_the_way_through_json() -> None:
    outage = Window(start_ns=START, end_ns=START + 5, fault=Fault.RESET)
    script = published_story(START, START + DAY, windows=(outage,))
    assert read_script(json.loads(json.dumps(script_as_dict(script)))) == script


SEGMENT = {"start_ns": START, "revision": "r", "fingerprint": "f"}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param([], "script", id="no object"),
        pytest.param({"segments": []}, "at least one", id="no segments"),
        pytest.param({"segments": [SEGMENT, SEGMENT]}, "order", id="two at once"),
        pytest.param({"segments": [SEGMENT | {"speed": 1}]}, "speed", id="unknown key"),
        pytest.param({"segments": [SEGMENT | {"refusal": 1.2}]}, "refusal: 1.2", id="share above 1"),
        pytest.param({"segments": [SEGMENT | {"refusal": "NaN"}]}, "refusal", id="not a number"),
        pytest.param({"segments": [SEGMENT | {"accuracy": {"prime": -1}}]}, "accuracy.prime", id="negative share"),
        pytest.param({"segments": [SEGMENT | {"faults": {"tired": 0.1}}]}, "faults", id="unknown fault"),
        pytest.param({"segments": [SEGMENT | {"faults": {"reset": 0.7, "cut": 0.7}}]}, "together", id="too many faults"),
        pytest.param({"segments": [SEGMENT | {"latency": {"sigma": 9}}]}, "latency", id="sigma"),
        pytest.param(
            {"segments": [SEGMENT], "windows": [{"start_ns": 5, "end_ns": 5, "fault": "reset"}]}, "after", id="window"
        ),
    ],
)
def test_a_bad_script_is_refused_in_one_message(document: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_script(document)


def test_a_line_that_is_no_item_is_named() -> None:
    with pytest.raises(ConfigError, match="line 3"):
        read_questions(['{"id": "a", "input": "b", "reference": "c", "class": "d"}', "", '{"id": "a"}'])


def test_the_longest_known_question_in_a_prompt_is_the_one_asked() -> None:
    short, long = Question("s", "Is 7 prime?", "Yes", "k"), Question("l", "Is 7 prime? Say so.", "Yes", "k")
    questions = Questions((short, long))
    assert questions.find("Hello.\nIs 7 prime? Say so.\nThank you.") is long
    assert questions.find("Is 7 prime?") is short
    assert [GOLDEN.find(f"Be brief.\n{q.input}") for q in GOLDEN.known] == list(GOLDEN.known)


@given(
    reference=st.one_of(
        st.sampled_from(["Yes", "no"]),
        st.dates().map(date.isoformat),
        st.decimals(-(10**9), 10**9, places=2).map("{:f}".format),
        st.integers(-(10**20), 10**20).map(str),
        st.text(max_size=5),
    ),
    seed=st.integers(0, 50),
)
@settings(max_examples=200, deadline=None)
def test_a_wrong_answer_is_of_the_same_shape_and_clearly_wrong(reference: str, seed: int) -> None:
    wrong = wrong_reference(reference, Draws.of(seed))
    assert wrong != reference
    if re.fullmatch(r"-?\d+(\.\d+)?", reference, re.ASCII):
        assert re.fullmatch(r"-?\d+(\.\d+)?", wrong, re.ASCII)
        assert abs(Decimal(wrong) - Decimal(reference)) >= abs(Decimal(reference)) / 10
    elif re.fullmatch(r"\d{4}-\d\d-\d\d", reference, re.ASCII):
        assert abs((date.fromisoformat(wrong) - date.fromisoformat(reference)).days) in {1, 2, 7}


def test_an_answer_without_an_answer_gives_a_parser_nothing() -> None:
    for n in range(60):
        text = without_answer(Draws.of(n), invented=n % 2 == 0).lower()
        assert not re.search(r"\d|answer:|\byes\b|\bno\b", text)


def test_draws_are_fixed_for_all_versions() -> None:
    draws = Draws.of(1, "x", 2)
    # SHA-256 of (SHA-256 of '[1, "x", 2]') and 'label', by another program
    assert draws.hexadecimal("label") == "507beadad829007889f963b8"
    assert draws.below("label", 1000) == 314
