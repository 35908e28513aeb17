"""Decide one call: pure, from the script, the seed, the request and the simulated time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slaguard.providers.simulated import answers
from slaguard.providers.simulated.draws import Draws
from slaguard.providers.simulated.script import ANSWERED, Fault
from slaguard.terms import Grade

if TYPE_CHECKING:
    from slaguard.providers.simulated.questions import Question
    from slaguard.providers.simulated.script import Latency, Script, Segment


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as the vendor knows it: `attempt` counts equal requests from 1."""

    identity: str
    attempt: int
    at_ns: int
    question: Question | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What the vendor is about to do. `grade` is None where nothing gradable reaches the client."""

    segment: Segment
    fault: Fault | None
    text: str
    grade: Grade | None
    refused: bool
    hallucinated: bool
    first_byte_ms: int
    total_ms: int
    request_id: str


@dataclass(frozen=True, slots=True)
class _Words:
    text: str
    grade: Grade | None
    refused: bool = False
    hallucinated: bool = False


def decide(script: Script, seed: int, asked: Asked) -> Turn:
    """Return what happens to one request; equal arguments give an equal turn."""
    draws = Draws.of(seed, asked.identity, asked.attempt)
    segment = script.segment_at(asked.at_ns)
    fault = _fault(script, segment, draws, asked.at_ns)
    words = _words(segment, seed, draws, asked.question)
    if fault is not None and fault not in ANSWERED:
        words = _Words(text=words.text, grade=None)  # the text is kept: some faults send half of it
    first, total = _times(segment.latency, draws)
    return Turn(
        segment=segment,
        fault=fault,
        text=words.text,
        grade=words.grade,
        refused=words.refused,
        hallucinated=words.hallucinated,
        first_byte_ms=first,
        total_ms=total,
        request_id="req_" + draws.hexadecimal("request-id"),
    )


def _fault(script: Script, segment: Segment, draws: Draws, at_ns: int) -> Fault | None:
    """Draw the fault: windows first, in their order, then what the segment has all the time."""
    for number, window in enumerate(script.windows):
        if window.start_ns <= at_ns < window.end_ns and draws.share(f"window-{number}") < window.share:
            return window.fault
    left = draws.share("fault")
    for fault, share in segment.faults.items():
        if left < share:
            return fault
        left -= share
    return None


def _words(segment: Segment, seed: int, draws: Draws, question: Question | None) -> _Words:
    """Draw the words and what they are worth."""
    if draws.share("refusal") < segment.refusal:
        return _Words(text=answers.refusal(draws), grade=None, refused=True)
    if question is None:
        return _Words(text=answers.small_talk(), grade=None)
    # At temperature 0 a model mostly repeats itself: then the question, not the call, is what is drawn.
    own = draws.share("same-again") < segment.same_again
    chosen = Draws.of(seed, question.item, segment.revision) if own else draws
    invented = chosen.share("hallucination") < segment.hallucination
    if chosen.share("correct") < segment.accuracy.get(question.kind, segment.other_accuracy):
        text = answers.right_or_wrong(question.reference, chosen, correct=True, invented=invented)
        return _Words(text=text, grade=Grade.CORRECT, hallucinated=invented)
    if chosen.share("unparsed") < segment.unparsed:
        text = answers.without_answer(chosen, invented=invented)
        return _Words(text=text, grade=Grade.UNPARSED, hallucinated=invented)
    text = answers.right_or_wrong(question.reference, chosen, correct=False, invented=invented)
    return _Words(text=text, grade=Grade.WRONG, hallucinated=invented)


def _times(latency: Latency, draws: Draws) -> tuple[int, int]:
    """Return whole milliseconds to the first byte and to the last, log-normal; rounding hides libm's last digit."""
    first = round(latency.first_byte_ms * math.exp(latency.sigma * draws.normal("first-byte")))
    return first, first + round(latency.generation_ms * math.exp(latency.sigma * draws.normal("generation")))
