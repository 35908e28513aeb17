"""The one classifier: from raw facts to an outcome, and at whose door a failure lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from slaguard.terms import Attribution, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class RawFacts:
    """What is known of an attempt before it is classified."""

    status: int | None = None
    error_code: str | None = None
    body_empty: bool = False
    body_is_error: bool = False
    body_complete: bool = True
    refused: bool = False
    content_filtered: bool = False
    failure: str | None = None
    """``timeout client_deadline connection client_abort own_network own_probe harness``; None: the exchange ended."""


_FAILURES: Final[dict[str, tuple[Outcome, Attribution]]] = {
    "timeout": (Outcome.TIMEOUT, Attribution.VENDOR),
    "client_deadline": (Outcome.CLIENT_DEADLINE, Attribution.CLIENT),
    "connection": (Outcome.CONNECTION_ERROR, Attribution.VENDOR),
    "client_abort": (Outcome.CLIENT_ABORT, Attribution.CLIENT),
    "own_network": (Outcome.UNMEASURED, Attribution.OWN_NETWORK),
    "own_probe": (Outcome.UNMEASURED, Attribution.OWN_PROBE),
    "harness": (Outcome.UNMEASURED, Attribution.HARNESS),
}
_STATUSES: Final[dict[int, tuple[Outcome, Attribution]]] = {
    401: (Outcome.AUTH_ERROR, Attribution.CLIENT),
    403: (Outcome.AUTH_ERROR, Attribution.CLIENT),
    408: (Outcome.REQUEST_TIMEOUT, Attribution.VENDOR),
    429: (Outcome.RATE_LIMITED, Attribution.CLIENT_QUOTA),
    499: (Outcome.CLIENT_ABORT, Attribution.CLIENT),
    500: (Outcome.ERROR_500, Attribution.VENDOR),
    529: (Outcome.OVERLOADED, Attribution.VENDOR),
}
_OVERLOADED_CODES: Final = frozenset({"overloaded", "overloaded_error", "engine_overloaded"})
_FILTER_CODES: Final = frozenset({"content_filter", "content_policy_violation"})


def classify(facts: RawFacts) -> tuple[Outcome, Attribution]:
    """Return the outcome of an attempt and at whose door a failure lies, from raw facts alone.

    A failure on the way wins over the status; a status wins over the body; a 200 is judged by what it carried. Without
    a status the caller must know that there was an answer.
    """
    if facts.failure is not None:
        return _FAILURES[facts.failure]
    if facts.error_code in _OVERLOADED_CODES and facts.status != 200:
        return Outcome.OVERLOADED, Attribution.VENDOR
    if facts.error_code in _FILTER_CODES:
        return Outcome.CONTENT_FILTERED, Attribution.NONE
    if facts.status is not None and not 200 <= facts.status < 300:
        return _classify_status(facts.status)
    return _classify_body(facts)


def _classify_status(status: int) -> tuple[Outcome, Attribution]:
    if status in _STATUSES:
        return _STATUSES[status]
    if 300 <= status < 400:
        return Outcome.REDIRECT, Attribution.VENDOR
    if 400 <= status < 500:
        return Outcome.CLIENT_ERROR, Attribution.CLIENT
    if 500 <= status < 600:
        return Outcome.ERROR_5XX, Attribution.VENDOR
    return Outcome.CONNECTION_ERROR, Attribution.VENDOR


def _classify_body(facts: RawFacts) -> tuple[Outcome, Attribution]:
    if facts.body_is_error:
        return Outcome.ERROR_BODY, Attribution.VENDOR
    if not facts.body_complete:
        return Outcome.TRUNCATED, Attribution.VENDOR
    if facts.content_filtered:
        return Outcome.CONTENT_FILTERED, Attribution.NONE
    if facts.refused:
        return Outcome.REFUSED, Attribution.NONE
    if facts.body_empty:
        return Outcome.EMPTY, Attribution.VENDOR
    return Outcome.OK, Attribution.NONE
