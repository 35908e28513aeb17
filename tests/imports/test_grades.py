"""Grades that a log holds: rules, named parsers, people."""

from pathlib import Path
from typing import Any

import pytest

from slaguard.imports.parsers import PARSERS, bracketed_yes_no, grade, last_yes_no
from slaguard.terms import Grade
from tests.imports.world import mapping, take

ANSWERED = [
    {"when": {"answer": {"empty": "true"}}, "outcome": "empty", "attribution": "vendor"},
    {"outcome": "ok", "attribution": "none"},
]
HEAD = "at,answer,right,label,who\n"


def graded(tmp_path: Path, scores: list[dict[str, Any]], *lines: str) -> Any:
    how = mapping({"status": None, "total_time": None}, outcomes=ANSWERED, scores=scores)
    return take(tmp_path, how, HEAD + "".join(f"2026-10-01T00:00:0{i}Z,{line}\n" for i, line in enumerate(lines)))


@pytest.mark.parametrize(
    ("text", "strict", "lenient"),
    [
        ("[Yes]", "yes", "yes"),
        ("so it is prime. [no]", "no", "no"),
        ("[No] at first, but then [Yes]", "yes", "yes"),
        ("Yes, it is.", None, "yes"),
        ("[Yes] - no, wait: no", "yes", "no"),
        ("nobody knows yesterday", None, None),
        ("[ YES ]", "yes", "yes"),
        ("", None, None),
    ],
)
def test_the_strict_parser_wants_brackets_and_the_lenient_one_takes_the_last_word(
    text: str, strict: str | None, lenient: str | None
) -> None:
    assert (bracketed_yes_no(text), last_yes_no(text)) == (strict, lenient)


def test_an_answer_is_right_wrong_or_cannot_be_read() -> None:
    read = PARSERS["bracketed_yes_no@1"]
    assert [grade(read, a, "yes") for a in ("[Yes]", "[No]", "Yes")] == [Grade.CORRECT, Grade.WRONG, Grade.UNPARSED]
    with pytest.raises(ValueError, match="neither yes nor no"):
        grade(read, "[Yes]", "perhaps")


def test_two_parsers_of_one_log_are_two_scorers(tmp_path: Path) -> None:
    parsers = [{"parser": {"use": use, "answer": "answer", "reference": "right"}} for use in PARSERS]
    found = graded(tmp_path, parsers, "Yes it is,yes,,", "[No],yes,,")
    assert [(s.scorer, s.grade) for s in found.scores] == [
        ("import:calls/bracketed_yes_no@1", Grade.UNPARSED), ("import:calls/last_yes_no@1", Grade.CORRECT),
        ("import:calls/bracketed_yes_no@1", Grade.WRONG), ("import:calls/last_yes_no@1", Grade.WRONG),
    ]  # fmt: skip
    assert {s.observation for s in found.scores} == {c.id for c in found.observations}


def test_rules_give_grades_and_the_scorer_is_the_mapping_and_its_version(tmp_path: Path) -> None:
    rules = [{"when": {"label": "ok"}, "grade": "correct"}, {"when": {"label": "bad"}, "grade": "unsupported"}]
    found = graded(tmp_path, [{"grades": rules}], "a,,ok,", "b,,bad,", "c,,new,")
    assert [(s.scorer, s.grade, s.reason) for s in found.scores] == [
        ("import:calls@1", Grade.CORRECT, None), ("import:calls@1", Grade.UNSUPPORTED, None),
        ("import:calls@1", Grade.UNSCORED, "no grade rule fits"),
    ]  # fmt: skip
    assert any(w.startswith("1 × answers without a grade") for w in found.report.warnings)


def test_named_graders_are_told_apart(tmp_path: Path) -> None:
    scores = [{"name": n, "grades": [{"grade": "correct"}]} for n in ("raw", "cleaned")]
    assert [s.scorer for s in graded(tmp_path, scores, "a,,,").scores] == ["import:calls/raw@1", "import:calls/cleaned@1"]


def test_a_call_that_brought_no_answer_has_no_grade(tmp_path: Path) -> None:
    found = graded(tmp_path, [{"grades": [{"grade": "wrong"}]}], ",,,", "a,,,")
    assert (len(found.observations), len(found.scores)) == (2, 1)


def test_what_people_say_is_an_adjudication_and_what_they_have_not_said_is_none(tmp_path: Path) -> None:
    rules = [{"when": {"label": "yes"}, "grade": "unsupported"}, {"when": {"label": "no"}, "grade": "correct"}]
    found = graded(tmp_path, [{"human": "true", "by": "who", "grades": rules}], "a,,yes,ann", "b,,no,bob", "c,,,")
    assert [(a.by, a.grade) for a in found.adjudications] == [("ann", Grade.UNSUPPORTED), ("bob", Grade.CORRECT)]
    assert found.scores == []
    assert len(found.observations) == 3


def test_a_grade_by_nobody_is_refused(tmp_path: Path) -> None:
    rules = [{"when": {"label": "yes"}, "grade": "wrong"}]
    found = graded(tmp_path, [{"human": "true", "by": "who", "grades": rules}], "a,,yes,ann", "b,,yes,")
    assert "a grade without the person who gave it" in found.report.refused[0].text
