"""The names that logs give to what we know under a canonical one; earlier words are preferred."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, tuple[str, ...]]] = {
    "vendor": ("vendor", "provider", "custom_llm_provider", "llm_provider"),
    "service": ("service", "service_name"),
    "model_requested": ("model_requested", "model", "request_model", "model_name", "deployment", "engine", "model_id"),
    "model_returned": ("model_returned", "response_model"),
    "region": ("region", "location"),
    "tier_served": ("tier_served", "service_tier"),
    "stream": ("stream", "streaming", "streamed", "is_stream"),
    "input_tokens": ("input_tokens", "prompt_tokens", "tokens_in", "number_input_tokens", "context_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens", "tokens_out", "number_output_tokens", "generated_tokens"),
    "logical_request_id": ("logical_request_id", "trace_id"),
    "attempt": ("attempt", "attempt_number", "retry", "retry_count"),
    "client_id": ("client_id",),
    "cluster": ("cluster", "conversation_id", "session_id", "thread_id"),
    "golden_item": ("golden_item", "question_id", "item_id", "item", "question"),
    "request_id": ("request_id", "x_request_id", "completion_id", "generation_id", "response_id"),
    "fingerprint": ("fingerprint", "system_fingerprint"),
    "inclusion_probability": ("inclusion_probability", "sampling_probability"),
}  # fmt: skip
STARTS: Final = (
    "sent_at", "timestamp", "ts", "start_time", "started_at", "starttime", "start", "request_timestamp", "requested_at",
    "time", "at", "when", "called_at", "sent", "datetime", "date_time", "created_at", "created", "event_time", "log_time",
    "received_at", "time_iso8601", "time_local", "date", "day",
)  # fmt: skip
ENDS: Final = ("ended_at", "end_time", "finished_at", "completed_at", "endtime", "end", "msec")
FIRSTS: Final = ("first_byte_at", "first_token_at", "completion_start_time")
TOTALS: Final = (
    "total_time", "latency", "duration", "response_time", "elapsed", "time_taken", "end_to_end_latency", "e2e_latency", "took",
    "request_duration", "total_latency", "request_time", "runtime",
)  # fmt: skip
TTFTS: Final = ("time_to_first_token", "ttft", "ttfb", "first_token_latency", "time_to_first_byte", "upstream_header_time")
STATUSES: Final = (
    "status", "status_code", "http_status", "http_code", "response_code", "http_status_code", "statuscode",
    "response_status", "code",
)  # fmt: skip
ERRORS: Final = (
    "error_code", "error_type", "error_class", "error", "exception", "error_msg", "error_message", "failure_reason",
)  # fmt: skip
SUCCESSES: Final = ("success", "succeeded", "ok", "is_success", "successful")
ENDINGS: Final = ("result", "outcome", "state", "response_status")
"""Columns that may say in words how a call ended, if they use such words."""
OUTCOMES: Final = ("outcome", "result_class")
CORRECTS: Final = (
    "correct", "is_correct", "grade", "passed", "pass", "accurate", "match", "exact_match", "score", "verdict", "result",
)  # fmt: skip
UNSUPPORTEDS: Final = ("hallucination", "hallucinated", "is_hallucination", "unsupported", "ungrounded")
PEOPLE: Final = ("by", "annotator", "labeler", "labelled_by", "labeled_by", "reviewer", "grader", "rater", "adjudicator")
IDS: Final = frozenset(
    {"request_id", "x_request_id", "uuid", "call_id", "completion_id", "generation_id", "observation_id", "span_id"}
)
GOOD: Final = frozenset({"ok", "success", "succeeded", "successful", "completed", "complete", "done", "passed"})
