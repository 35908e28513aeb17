"""From a packed call to the fields of its Observation: pure, so that the same call always gives the same record.

How a call ended, in the words of `records.RawFacts`:

* the answer ended by its own framing: it is judged by its status and by what it says of itself;
* ``cut``, or a stream without its last word: truncated; a vendor that sent nothing in time: timeout;
* no connection, no answer, no HTTP: connection, or our own network, machine or configuration where it was that;
* ``raced``: our own network (the vendor may never have seen the request);
* a client that left, or that broke its own request: client_abort. An error status that had come stands all the same, and
  so does a stream that had said its last word;
* a stop that ended the call: our own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

from slaguard.records import RawFacts, classify
from slaguard.sidecar import scan
from slaguard.sidecar.answer import NOT_JSON, Said, error_of, is_plain, read_stream, read_whole
from slaguard.sidecar.scan import Seen
from slaguard.sidecar.wire import Packed, Plain
from slaguard.terms import ANSWERED, Attribution, Outcome, Source

VIA: Final = "sidecar"
_CENSUS: Final = "1"
"""Every call is recorded: what is sampled is bodies."""
_STREAM: Final = b"text/event-stream"
Redact = Callable[[str], str]
Row = dict[str, Any]
"""Fields of an Observation by name."""
_KNOWN_TEXTS: Final = 4096
_UNREACHED: Final = {
    "own_limit": ("own_probe", "own_limit"),
    "no_way_out": ("own_network", "no_way_out"),
    "denied": ("own_probe", "address_denied"),
    "connect_timeout": ("timeout", "connect_timeout"),
    "refused": ("connection", "connection_refused"),
}
_ENDED: Final = {
    "malformed": ("connection", "protocol"),
    "no_answer": ("connection", "no_answer"),
    "raced": ("own_network", "reused_connection_closed"),
    "silent": ("timeout", "silence"),
    "client_left": ("client_abort", None),
    "client_broke": ("client_abort", "request_broken"),
    "stopped": ("own_probe", "stopped"),
}
"""How a call ended without its answer: `RawFacts.failure`, and the error code where nothing better is known."""
_FROM_VENDOR: Final = frozenset({"complete", "cut"})
_NO_MATTER_WHAT: Final = frozenset({"silent", "client_broke", "unreached"})
"""Ends that say more than a status that had come."""
_NOT_MODIFIED: Final = 304
_OURS: Final = frozenset({"client_left", "stopped"})
"""Ends from our side of the vendor: what he had said by then stands."""
_REQUEST_IDS: Final = (b"x-request-id", b"request-id", b"apim-request-id", b"x-amzn-requestid", b"cf-ray")
_ANY_REQUEST_ID: Final = frozenset(_REQUEST_IDS)
_ATTEMPTS: Final = {b"%d" % tries: tries + 1 for tries in range(100)}
"""Which attempt it is, by the header in which clients say how often they tried again."""
_OUTSIDE: Final = ("logical_request_id", "request_id", "error_code")
"""Texts from outside that are new with each call."""
_IN_PATH: Final = (("/deployments/", "/"), ("/model/", "/"))
"""Where a model stands in a path (Azure, Bedrock), and what ends it."""
_MODELS: Final = "/models/"
_METHODS: Final = frozenset(
    {
        "generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents", "batchGenerateContent",
        "asyncBatchEmbedContent", "generateText", "generateMessage", "generateAnswer", "embedText", "predict", "rawPredict",
        "streamRawPredict", "serverStreamingPredict", "predictLongRunning", "directPredict", "computeTokens", "explain",
    }
)  # fmt: skip
"""What stands behind a model and a colon (Vertex and Gemini); anything else behind a colon is part of the name."""
_MOST_LAYERS: Final = 3
"""How often a text may be percent-encoded and still be read."""
_LONGEST_ID: Final = 256
"""Characters that the ledger keeps of a text."""
_LETTERS: Final = str.maketrans("0123456789", "ghijklmnop")


# ── how it went ─────────────────────────────────────────────────────────────────────────────────────────────────────
class Facts:
    """What was found in a call, before it is classified; `failure` and `code` as `RawFacts` has them."""

    __slots__ = ("body_empty", "code", "complete", "failure", "said", "status", "streams")

    def __init__(self, status: int | None, failure: str | None, code: str | None) -> None:
        """Begin with what is known of the call as a whole."""
        self.status = status
        self.failure = failure
        self.code = code
        self.said: Said | None = None
        self.complete = True
        self.body_empty = False
        self.streams = False


def find_facts(packed: Packed, answer: Seen, *, asked: bool) -> Facts:
    """Return what is known of how a call went.

    Args:
        packed: the call.
        answer: what is seen of its answer.
        asked: whether the request named a model, so that its answer is one of a model.

    """
    status, ended = packed.status, packed.ended
    if status is None or ended in _NO_MATTER_WHAT:
        return Facts(status, *_failure(packed))
    if status == _NOT_MODIFIED:
        # The client asked so that it gets this where it has the answer already: it has what it asked for.
        return Facts(None, None if ended in _FROM_VENDOR else _ENDED[ended][0], None)
    if not 200 <= status < 300:
        failure = _ENDED[ended][0] if status < 400 and ended not in _FROM_VENDOR else None
        return Facts(status, failure, error_of(answer))
    facts = Facts(status, None, None) if ended in _FROM_VENDOR else Facts(status, *_ENDED[ended])
    kind = packed.returned.get(b"content-type", b"").lower()
    facts.streams = kind.startswith(_STREAM)
    if answer.head or answer.broken is not None:
        facts.said = said = read_stream(answer, asked=asked) if facts.streams else _read(packed, answer, kind, asked=asked)
        if said is not None:
            if (said.done or said.error is not None) and ended in _OURS:
                facts.failure, facts.code, ended = None, None, "complete"
            facts.complete = not (said.cut_off or said.done is False)
    elif asked:
        facts.body_empty = packed.answer_size == 0 and packed.method != "HEAD"
    facts.complete = facts.complete and ended == "complete"
    return facts


def _failure(packed: Packed) -> tuple[str, str | None]:
    if packed.ended == "unreached":
        detail = packed.detail or "connection"
        return _UNREACHED.get(detail, ("connection", detail))
    # A vendor that cut what it never began is one that gave no answer.
    return _ENDED.get(packed.ended, ("connection", "no_answer"))


def _read(packed: Packed, answer: Seen, kind: bytes, *, asked: bool) -> Said | None:
    """Read an answer that is no stream, if all of it came."""
    if packed.ended != "complete":
        return None
    if b"json" in kind or (answer.value is not None and (asked or not kind)):
        return read_whole(answer)
    return Said(error=NOT_JSON) if asked and kind.startswith(b"text/html") else None


@lru_cache(maxsize=4096)
def _classified(
    status: int | None, code: str | None, failure: str | None, complete: bool, empty: bool, flags: tuple[bool, bool, bool]
) -> tuple[Outcome, Attribution]:
    """Return `records.classify` of these facts; `flags`: an error in a 200, refused, filtered."""
    return classify(
        RawFacts(
            status=status,
            error_code=code,
            body_empty=empty,
            body_is_error=flags[0],
            body_complete=complete,
            refused=flags[1],
            content_filtered=flags[2],
            failure=failure,
        )
    )


_NO_FLAGS: Final = (False, False, False)


def classified(facts: Facts) -> tuple[Outcome, Attribution]:
    """Return what the facts of a call amount to."""
    said = facts.said
    if said is None:
        return _classified(facts.status, facts.code, facts.failure, facts.complete, facts.body_empty, _NO_FLAGS)
    code = facts.code if said.error is None else said.error
    flags = said.error is not None, said.refused, said.filtered
    return _classified(facts.status, code, facts.failure, facts.complete, said.empty, flags)


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────
class Reader:
    """Turns packed calls into rows; every text that came from outside goes through `redact`, here and nowhere else."""

    def __init__(self, redact: Redact, key: bytes = b"") -> None:
        """Read with this redactor; ids that may not be written are replaced by their hash under `key`."""
        self._redact = redact
        self._key = key
        self._known = lru_cache(maxsize=_KNOWN_TEXTS)(self._fit_text)
        self._endpoint = lru_cache(maxsize=_KNOWN_TEXTS)(self._find_endpoint)

    def rows(self, calls: Sequence[Plain]) -> list[Row]:
        """Return the Observations of some calls, as their fields, fit to be written.

        Args:
            calls: the values of a `Packed` each.

        """
        rows = [self._row(plain) for plain in calls]
        self._fit(rows)
        return rows

    def _row(self, plain: Plain) -> Row:
        """Return one Observation; the texts named in `_OUTSIDE` are still as they came.

        All fields are there, so that all rows have the same. Values are taken apart at once: it is done for every call.
        """
        (
            writer, name, logical, vendor, service, region, method, target, wall, mono, sent, whole, held, first, end, status,
            ended, _, noted, returned, _, q_size, q_first, _, q_chunked, a_size, a_first, _, a_chunked, share, kept,
        ) = plain  # fmt: skip
        asked = _model_in_path(target)
        if asked is None:
            question = None if b"content-encoding" in noted else scan.quick(q_size, q_first, q_chunked)
            asked = _asked(Packed(*plain)) if question is None else scan.text_in(question, "model")
        offset = wall - mono
        own = f"{writer}/{name}"
        row = {
            "id": own,
            "outcome": Outcome.OK,
            "attribution": Attribution.NONE,
            "source": Source.TRAFFIC,
            "via": VIA,
            "vendor": vendor,
            # As for probes: a call that was never sent counts from its beginning.
            "sent_at": wall if sent is None else sent + offset,
            "scheduled_at": wall,
            "first_byte_at": None if first is None else first + offset,
            "ended_at": None if end is None else end + offset,
            "service": service,
            "model_requested": None if asked is None else self._known(asked),
            "model_returned": None,
            "region": region,
            "status": status,
            "error_code": None,
            "stream": None if asked is None else False,
            "stream_end": None,
            "input_tokens": None,
            "output_tokens": None,
            "logical_request_id": own if not logical else logical if len(logical) <= _LONGEST_ID else self._hashed(logical),
            "attempt": _ATTEMPTS.get(noted.get(b"x-stainless-retry-count")),
            "inclusion_probability": _CENSUS,
            "request_id": _request_id(returned),
            "fingerprint": None,
            "attributes": self._endpoint(method, target),
            "time_to_first_token_ns": None,
            "total_time_ns": None if end is None or sent is None else max(0, end - max(sent, whole or sent) - held),
        }
        plainly = status == 200 and ended == "complete" and b"content-encoding" not in returned
        answer = scan.quick(a_size, a_first, a_chunked) if plainly and b"json" in returned.get(b"content-type", b"") else None
        if answer is not None and is_plain(answer):
            row["input_tokens"], row["output_tokens"] = scan.counts_in(answer)
            named = scan.text_in(answer, "model") or _text_of(returned.get(b"openai-model"))
            self._take_names(row, named, scan.text_in(answer, "system_fingerprint"))
        else:
            self._take_any(row, Packed(*plain), asked=asked is not None)
        if share is not None or b"retry-after" in returned:
            row["attributes"] = self._attributes(row["attributes"], returned, share, kept)
        return row

    def _take_any(self, row: Row, packed: Packed, *, asked: bool) -> None:
        """Take what became of any other call."""
        answer = scan.seen(
            packed.answer_size, packed.answer_first, packed.answer_last, packed.answer_chunked,
            packed.returned.get(b"content-encoding", b""),
        )  # fmt: skip
        if answer.head:
            row["input_tokens"], row["output_tokens"] = scan.tokens(answer)
            streams = packed.returned.get(b"content-type", b"")[:17].lower() == _STREAM
            named = (scan.streamed_model if streams else scan.model)(answer) or _text_of(packed.returned.get(b"openai-model"))
            self._take_names(row, named, scan.fingerprint(answer))
        _judge(row, packed, answer, asked=asked)

    def _take_names(self, row: Row, model: str | None, fingerprint: str | None) -> None:
        if model is not None:
            row["model_returned"] = self._known(model)
        if fingerprint is not None:
            row["fingerprint"] = self._known(fingerprint)

    def _attributes(
        self, found: dict[str, str], returned: Mapping[bytes, bytes], share: str | None, kept: object
    ) -> dict[str, str]:
        retry = _text_of(returned.get(b"retry-after"))
        return {
            **found,
            **({} if retry is None else {"retry_after": self._known(retry)}),
            **({} if share is None else {"body_share": share}),
            **({"body": kept} if isinstance(kept, str) else {}),
        }

    # ── the one place where texts are made fit ──────────────────────────────────────────────────────────────────────
    def _fit(self, rows: Sequence[Row]) -> None:
        """Make the texts fit that are new with each call. Nearly always one look at all of them shows that they are."""
        together = "\n".join([text for row in rows for name in _OUTSIDE if (text := row[name]) is not None])
        if self._fit_text(together) == together:
            return
        if len(rows) > 1:
            half = len(rows) // 2
            self._fit(rows[:half])
            self._fit(rows[half:])
            return
        for row in rows:
            named = row["logical_request_id"]
            # Two requests whose ids may not be written are still two, and all attempts of one are still of one.
            row["logical_request_id"] = named if self._fit_text(named) == named else self._hashed(named)
            for name in ("request_id", "error_code"):
                row[name] = None if row[name] is None else self._fit_text(row[name])

    def _fit_text(self, text: str) -> str:
        """Return a text as it may be written; what percent-encoding hides is taken out too."""
        fit = self._redact(text)
        for _ in range(_MOST_LAYERS):
            if "%" not in text or (plain := unquote(text)) == text:
                break
            text = plain
            shown = self._redact(text)
            if shown != text:
                fit = shown
        return fit

    def _hashed(self, named: str) -> str:
        """Return what stands for an id: letters alone, in which nothing can be found again."""
        digest = hashlib.blake2b(named.encode("utf-8"), key=self._key, digest_size=16).hexdigest()
        return f"hashed-{digest.translate(_LETTERS)}"

    def _find_endpoint(self, method: str, target: str) -> dict[str, str]:
        """Return method and path, never the query, in which keys travel. Rows share what is returned: it is not changed."""
        path = target.partition("?")[0][: scan.MOST_NAME]
        plain = path
        for _ in range(_MOST_LAYERS):
            plain = unquote(plain)
        # Step by step too: a number behind a slash is part of a path to who looks at the whole of it.
        steps = "/".join(self._redact(step) for step in self._redact(plain).split("/"))
        return {"endpoint": f"{method} {path if steps == plain else steps}"}


def _question(packed: Packed) -> Seen:
    return scan.seen(
        packed.question_size, packed.question_first, packed.question_last, packed.question_chunked,
        packed.noted.get(b"content-encoding", b""),
    )  # fmt: skip


def _asked(packed: Packed) -> str | None:
    return scan.model(_question(packed))


def _judge(row: Row, packed: Packed, answer: Seen, *, asked: bool) -> None:
    """Take how a call went. Only an answered one has durations, as for probes."""
    facts = find_facts(packed, answer, asked=asked)
    said = facts.said
    row["outcome"], row["attribution"] = classified(facts)
    row["error_code"] = facts.code if said is None or said.error is None else said.error
    row["stream"] = True if facts.streams else _asked_for_stream(_question(packed), asked=asked)
    if said is not None:
        row["stream_end"] = "cut" if facts.streams and packed.ended == "cut" else said.stream_end
    if row["outcome"] not in ANSWERED:
        row["total_time_ns"] = None
    elif facts.streams and packed.sent_ns is not None and (first := _first_text(packed, said)) is not None:
        row["time_to_first_token_ns"] = max(0, first - max(packed.sent_ns, packed.asked_ns or packed.sent_ns))


def _first_text(packed: Packed, said: Said | None) -> int | None:
    """Return when the first text of a stream had come whole, by the monotonic clock."""
    if said is None or said.first_end is None or packed.returned.get(b"content-encoding", b"") not in scan.PLAIN:
        return None
    end: int | None = said.first_end
    if packed.answer_chunked:
        end = scan.raw_end(packed.answer_first, said.first_end)
    return None if end is None else next((at for size, at in packed.marks if size >= end), None)


@lru_cache(maxsize=_KNOWN_TEXTS)
def _model_in_path(target: str) -> str | None:
    path = target.partition("?")[0]
    for before, end in _IN_PATH:
        at = path.find(before)
        if at >= 0:
            found, stop, _ = path[at + len(before) :].partition(end)
            if found and stop and "/" not in found:
                return unquote(found)[: scan.MOST_NAME]
    found, stop, method = path.partition(_MODELS)[2].rpartition(":")
    return unquote(found)[: scan.MOST_NAME] if found and method in _METHODS and "/" not in found else None


def _text_of(raw: bytes | None) -> str | None:
    """Return a header field's value as text, no longer than is needed."""
    return None if raw is None else raw[: scan.MOST_NAME].decode("latin-1")


def _request_id(returned: Mapping[bytes, bytes]) -> str | None:
    """Return the id by which the vendor finds the call in its own logs."""
    if _ANY_REQUEST_ID.isdisjoint(returned):
        return None
    for header in _REQUEST_IDS:
        if header in returned:
            return _text_of(returned[header])
    return None


def _asked_for_stream(question: Seen, *, asked: bool) -> bool | None:
    if not question.head:
        return None
    says = scan.says_true(question, "stream")
    return False if says is None and asked else says
