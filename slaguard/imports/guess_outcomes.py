"""How calls ended and how answers were graded, as far as columns and their words tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from slaguard.imports.guess_draft import Columns, Draft, normal
from slaguard.imports.guess_values import are_all, filled, is_http, yes_and_no
from slaguard.imports.guess_words import CORRECTS, ENDINGS, ERRORS, GOOD, OUTCOMES, PEOPLE, STATUSES, SUCCESSES, UNSUPPORTEDS
from slaguard.terms import Attribution, Grade, Outcome

MOST_WORDS: Final = 20
LONGEST_WORD: Final = 80
_ATTRIBUTION: Final[dict[Outcome, Attribution]] = {
    **dict.fromkeys((Outcome.OK, Outcome.REFUSED, Outcome.CONTENT_FILTERED), Attribution.NONE),
    **dict.fromkeys((Outcome.CLIENT_ERROR, Outcome.AUTH_ERROR), Attribution.CLIENT),
    **dict.fromkeys((Outcome.CLIENT_DEADLINE, Outcome.CLIENT_ABORT), Attribution.CLIENT),
    Outcome.RATE_LIMITED: Attribution.CLIENT_QUOTA,
    Outcome.UNMEASURED: Attribution.OWN_NETWORK,
}


def guess_status(found: Draft, table: Columns) -> None:
    """Find what says how a call ended: an outcome, a status, a word of success, or an error."""
    outcome = next((c for c in table.named(OUTCOMES) if are_all(Outcome, table.cells(c))), None)
    status = next((c for c in table.named(STATUSES) if is_http(table.cells(c))), None)
    words = next((c for c in table.named((*STATUSES, *SUCCESSES)) if c != status and filled(table.cells(c))), None)
    words = words or next((c for c in table.named(ENDINGS) if _speaks_of_endings(table.cells(c))), None)
    error = table.take(ERRORS)
    if outcome is not None:
        del table.free[outcome]
        found.outcomes = [_stated(outcome, word) for word in Outcome]
        found.assumed.append(
            f"column {outcome!r} states outcomes; a failure lies at the vendor's door unless its kind says otherwise"
        )
    elif status is not None:
        del table.free[status]
        found.fields["status"] = status
        if len(filled(table.cells(status))) < len(table.cells(status)):
            _no_status(found, status, error)
    elif words is not None:
        del table.free[words]
        _words(found, words, table.cells(words), error)
    elif error is not None:
        _errors(found, error, table.cells(error))
    if error is not None:
        found.fields["error_code"] = error


def _no_status(found: Draft, status: str, error: str | None) -> None:
    """Write rules for calls that got no answer at all: their status is empty, and only an error can say why."""
    empty = {status: {"empty": "true"}}
    if error is None:
        found.open["outcomes"] = f"what an empty {status} means: why there was no answer, and whose fault it was"
        found.outcomes = [{"when": empty, "outcome": "FILL_IN", "attribution": "FILL_IN"}, {"facts": {}}]
        return
    found.outcomes = [
        {"when": {**empty, error: {"matches": pattern}}, "facts": {"failure": failure}} for pattern, failure in _NO_ANSWER
    ]
    found.outcomes.append({"facts": {}})
    found.assumed.append(f"where {status!r} is empty, {error!r} says why there was no answer (time-out, connection)")


_NO_ANSWER: Final = (
    ("(?i)time[ _-]?d?[ _-]?out|deadline", "timeout"),
    ("(?i)connect|reset|refused|unreachable|dns|resolve|eof|broken pipe|tls|ssl", "connection"),
)


def _speaks_of_endings(cells: Sequence[str]) -> bool:
    return any(value.casefold() in GOOD or _known(value) for value in filled(cells))


def _words_of(cells: Sequence[str]) -> list[str]:
    """Return the words of a column that a rule can be written for."""
    return sorted({v for v in filled(cells) if v.isprintable() and len(v) <= LONGEST_WORD})[:MOST_WORDS]


def _stated(column: str, word: Outcome) -> dict[str, Any]:
    door = _ATTRIBUTION.get(word, Attribution.VENDOR)
    return {"when": {column: str(word)}, "outcome": str(word), "attribution": str(door)}


def _words(found: Draft, column: str, cells: Sequence[str], error: str | None) -> None:
    """Write rules for a status that is a word: what a word of failure means, only a person knows."""
    values = _words_of(cells)
    truth = yes_and_no(cells)
    good = truth[0] if truth else [v for v in values if v.casefold() in GOOD]
    if good:
        found.outcomes.append({"when": {column: good}, "outcome": "ok", "attribution": "none"})
    for value in values:
        if value in good:
            continue
        facts = _known(value)
        if facts is not None:
            found.outcomes.append({"when": {column: [value]}, "facts": facts})
            continue
        found.open["outcomes"] = f"what {column}: {value[:40]!r} means: whose fault, which kind" + (
            f" (column {error!r} may tell)" if error else ""
        )
        found.outcomes.append({"when": {column: [value]}, "outcome": "FILL_IN", "attribution": "FILL_IN"})


def _known(value: str) -> dict[str, str] | None:
    word = normal(value)
    if "timeout" in word or "timed_out" in word:
        return {"failure": "timeout"}
    if "rate_limit" in word or "too_many" in word:
        return {"status": "429"}
    return {"failure": "connection"} if "connection" in word else None


def _errors(found: Draft, column: str, cells: Sequence[str]) -> None:
    """Write rules for a log that names only its errors: an empty cell is an answered call."""
    found.outcomes.append({"when": {column: {"empty": "true"}}, "outcome": "ok", "attribution": "none"})
    found.assumed.append(f"no column holds a status: a row with an empty {column!r} is taken as answered")
    codes = _words_of(cells)
    if codes and is_http(codes):
        found.fields["status"] = column
        found.outcomes.append({"facts": {}})
        return
    for value in codes:
        facts = _known(value)
        if facts is None:
            found.open["outcomes"] = f"what {column}: {value[:40]!r} means: whose fault, which kind"
        result: dict[str, Any] = {"facts": facts} if facts else {"outcome": "FILL_IN", "attribution": "FILL_IN"}
        found.outcomes.append({"when": {column: [value]}, **result})


def guess_answers(found: Draft) -> None:
    """Say what a log without any word on failures means."""
    if found.outcomes or "status" in found.fields:
        return
    found.outcomes.append({"outcome": "ok", "attribution": "none"})
    if found.scores:
        found.assumed.append("no column says how a call ended: every row is taken as an answer")
        found.remarks["outcomes"] = "no column says how a call ended: every row is taken as an answer"
        return
    found.open["outcomes"] = "how each call ended: no column holds a status, an error or an outcome"
    found.outcomes = [{"outcome": "FILL_IN", "attribution": "FILL_IN"}]


# ── grades ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def guess_grades(found: Draft, table: Columns) -> None:
    """Find a column of grades, and who gave them."""
    for words, bad in ((UNSUPPORTEDS, "unsupported"), (CORRECTS, "wrong")):
        column = next((c for c in table.named(words) if _gradable(table.cells(c))), None)
        if column is not None:
            cells = table.cells(column)
            del table.free[column]
            _score(found, column, cells, bad, table.take(PEOPLE))
            return


def _gradable(cells: Sequence[str]) -> bool:
    return are_all(Grade, cells) or yes_and_no(cells) is not None


def _score(found: Draft, column: str, cells: Sequence[str], bad: str, person: str | None) -> None:
    if are_all(Grade, cells):
        grades = [{"when": {column: str(g)}, "grade": str(g)} for g in Grade]
    else:
        yes, no = yes_and_no(cells) or ([], [])
        good_words, bad_words = (no, yes) if bad == "unsupported" else (yes, no)
        pairs = (("correct", good_words or [_other(bad_words)]), (bad, bad_words or [_other(good_words)]))
        grades = [{"when": {column: words}, "grade": grade} for grade, words in pairs]
    grades.append({"when": {column: {"empty": "true"}}, "grade": "unscored", "reason": "no grade yet"})
    score: dict[str, Any] = {"grades": grades}
    if person is not None:
        score |= {"human": "true", "by": person}
    found.scores = [score]
    by_people = person is not None or bad == "unsupported"
    if not found.outcomes and "status" not in found.fields and not by_people:
        found.source = "probe"
    found.population = "unknown" if by_people else "complete"


def _other(words: Sequence[str]) -> str:
    """Return the opposite of the only word that a sample shows."""
    return next((_OPPOSITES[w] for w in words if w in _OPPOSITES), "(the other word)")


_PAIRS: Final = (
    ("1", "0"), ("1.0", "0.0"), ("true", "false"), ("True", "False"), ("TRUE", "FALSE"), ("yes", "no"), ("Yes", "No"),
    ("right", "wrong"), ("correct", "incorrect"), ("correct", "wrong"), ("pass", "fail"), ("passed", "failed"),
    ("y", "n"), ("Y", "N"),
)  # fmt: skip
_OPPOSITES: Final = {b: a for a, b in _PAIRS} | dict(_PAIRS)
