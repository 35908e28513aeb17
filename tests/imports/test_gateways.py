"""Logs of gateways and proxies that `auto` knows by their fields: LiteLLM and nginx, with their traps."""

import json
from pathlib import Path
from typing import Any

import pytest

from slaguard.ledger.table import parse_time
from slaguard.records import NS
from slaguard.terms import Attribution, Outcome
from tests.imports.world import Read, take

START = 1_790_812_800
PAYLOAD: dict[str, Any] = {
    "id": "chatcmpl-1",
    "trace_id": "t-1",
    "call_type": "acompletion",
    "status": "success",
    "startTime": START + 0.25,
    "endTime": START + 2.75,
    "completionStartTime": START + 0.75,
    "response_time": 0.5,
    "model": "gpt-4o",
    "model_group": "chat",
    "custom_llm_provider": "openai",
    "prompt_tokens": 12,
    "completion_tokens": 34,
    "cache_hit": None,
    "stream": True,
    "error_str": None,
    "error_information": {"error_code": "", "error_class": "", "llm_provider": ""},
    "response": {"id": "r-1", "model": "gpt-4o-2024-08-06"},
    "messages": [{"role": "user", "content": "hello"}],
}


def failed(error_class: str, code: str, text: str, provider: str = "openai", **more: Any) -> dict[str, Any]:
    information = {"error_code": code, "error_class": error_class, "llm_provider": provider}
    times = {"completionStartTime": START + 2.75}  # LiteLLM writes the end here when nothing came
    return {
        **PAYLOAD,
        **times,
        "status": "failure",
        "error_str": text,
        "error_information": information,
        "response": None,
        **more,
    }


def litellm(tmp_path: Path, *payloads: dict[str, Any]) -> Read:
    text = "".join(json.dumps({**p, "id": f"call-{i}"}) + "\n" for i, p in enumerate(payloads))
    found = take(tmp_path, "auto", text, name="log.jsonl", vendor="OpenAI")
    assert found.report.mapping == "litellm"
    return found


def test_a_litellm_payload_is_a_call_with_its_clock_tokens_and_attempts(tmp_path: Path) -> None:
    call = litellm(tmp_path, PAYLOAD).one
    assert (call.sent_at, call.ended_at) == (START * NS + NS // 4, START * NS + 11 * NS // 4)
    assert (call.time_to_first_token_ns, call.total_time_ns) == (NS // 2, 5 * NS // 2)
    assert (call.vendor, call.model_requested, call.model_returned) == ("OpenAI", "chat", "gpt-4o-2024-08-06")
    assert (call.input_tokens, call.output_tokens, call.stream, call.logical_request_id) == (12, 34, True, "t-1")
    assert (call.outcome, call.request_id) == (Outcome.OK, "r-1")


def test_an_answer_from_the_gateways_cache_is_no_call_to_the_vendor(tmp_path: Path) -> None:
    found = litellm(tmp_path, PAYLOAD, {**PAYLOAD, "cache_hit": True}, {**PAYLOAD, "cache_hit": "True"})
    assert (len(found.observations), found.report.skipped) == (1, {"answered from the gateway's cache": 2})


@pytest.mark.parametrize(
    ("payload", "outcome", "attribution"),
    [
        (
            failed("RateLimitError", "429", "litellm.RateLimitError: OpenAIException - slow down"),
            Outcome.RATE_LIMITED,
            Attribution.CLIENT_QUOTA,
        ),
        (
            failed("InternalServerError", "500", "litellm.InternalServerError: OpenAIException"),
            Outcome.ERROR_500,
            Attribution.VENDOR,
        ),
        (
            failed("ServiceUnavailableError", "503", "AnthropicException - overloaded", "anthropic"),
            Outcome.ERROR_5XX,
            Attribution.VENDOR,
        ),
        (failed("Timeout", "408", "litellm.Timeout: OpenAIException"), Outcome.TIMEOUT, Attribution.VENDOR),
        (
            failed("APIConnectionError", "", "litellm.APIConnectionError: OpenAIException"),
            Outcome.CONNECTION_ERROR,
            Attribution.VENDOR,
        ),
        (failed("ContentPolicyViolationError", "400", "OpenAIException"), Outcome.CONTENT_FILTERED, Attribution.NONE),
        (
            failed("RateLimitError", "429", "No deployments available for selected model", ""),
            Outcome.UNMEASURED,
            Attribution.OWN_NETWORK,
        ),
        (failed("ProxyException", "429", "Budget has been exceeded", ""), Outcome.UNMEASURED, Attribution.OWN_NETWORK),
        (
            failed("RateLimitError", "429", "RateLimitError: OpenAIException - slow", ""),
            Outcome.RATE_LIMITED,
            Attribution.CLIENT_QUOTA,
        ),
        (failed("SomethingNew", "", "OpenAIException - who knows"), Outcome.UNMEASURED, Attribution.OWN_NETWORK),
    ],
)
def test_a_litellm_error_lies_at_the_vendors_door_only_if_it_names_a_provider(
    payload: dict[str, Any], outcome: Outcome, attribution: Attribution, tmp_path: Path
) -> None:
    call = litellm(tmp_path, payload).one
    assert (call.outcome, call.attribution) == (outcome, attribution)


def test_a_failed_litellm_call_has_no_time_to_first_token(tmp_path: Path) -> None:
    assert litellm(tmp_path, failed("Timeout", "408", "OpenAIException")).one.time_to_first_token_ns is None


def test_a_completion_start_that_is_no_clock_time_is_not_taken_for_one(tmp_path: Path) -> None:
    found = litellm(tmp_path, {**PAYLOAD, "completionStartTime": START - 5})
    assert found.one.time_to_first_token_ns is None


# ── nginx ───────────────────────────────────────────────────────────────────────────────────────────────────────────
FULL = (
    "time_iso8601,status,request_time,upstream_status,upstream_response_time,upstream_header_time,upstream_addr,"
    "request_id,host\n"
)


def nginx(tmp_path: Path, *lines: str, head: str = FULL) -> Read:
    found = take(tmp_path, "auto", head + "".join(line + "\n" for line in lines), vendor="Acme AI")
    assert found.report.mapping in {"nginx", "nginx-msec"}
    return found


def test_an_nginx_line_is_written_when_the_call_has_ended(tmp_path: Path) -> None:
    call = nginx(tmp_path, "2026-10-01T02:00:10+02:00,200,2.500,200,2.000,0.400,10.0.0.1:443,r1,api").one
    assert (call.ended_at, call.sent_at) == (parse_time("2026-10-01T00:00:10Z"), parse_time("2026-10-01T00:00:08Z"))
    assert (call.total_time_ns, call.time_to_first_token_ns) == (2 * NS, 4 * NS // 10)
    assert (call.vendor, call.attributes["upstream"], call.logical_request_id) == ("Acme AI", "10.0.0.1:443", "r1")


@pytest.mark.parametrize("separator", [", ", " : ", ","])
def test_each_upstream_attempt_is_a_call_of_its_own(separator: str, tmp_path: Path) -> None:
    cells = [
        separator.join(pair) for pair in (("502", "200"), ("0.500", "2.000"), ("-", "0.400"), ("10.0.0.1:443", "10.0.0.2:443"))
    ]
    line = ",".join(["2026-10-01T00:00:10Z", "200", "2.5", *(f'"{c}"' for c in cells), "r1", "api"])
    first, second = nginx(tmp_path, line).observations
    assert [(c.outcome, c.attempt, c.attributes["upstream"]) for c in (first, second)] == [
        (Outcome.ERROR_5XX, 1, "10.0.0.1:443"),
        (Outcome.OK, 2, "10.0.0.2:443"),
    ]
    assert (first.sent_at, second.sent_at) == (parse_time("2026-10-01T00:00:07.5Z"), parse_time("2026-10-01T00:00:08Z"))
    assert (first.time_to_first_token_ns, second.time_to_first_token_ns) == (None, 4 * NS // 10)


@pytest.mark.parametrize(
    ("status", "upstream", "outcome", "attribution"),
    [
        ("499", "-", Outcome.CLIENT_ABORT, Attribution.CLIENT),
        ("499", "200", Outcome.CLIENT_ABORT, Attribution.CLIENT),
        ("504", "504", Outcome.ERROR_5XX, Attribution.VENDOR),
        ("429", "-", Outcome.UNMEASURED, Attribution.OWN_NETWORK),
        ("502", "-", Outcome.UNMEASURED, Attribution.OWN_NETWORK),
        ("200", "200", Outcome.OK, Attribution.NONE),
    ],
)
def test_what_the_proxy_answered_by_itself_is_no_fault_of_the_vendor(
    status: str, upstream: str, outcome: Outcome, attribution: Attribution, tmp_path: Path
) -> None:
    call = nginx(tmp_path, f"2026-10-01T00:00:10Z,{status},0.010,{upstream},-,-,-,r1,api").one
    assert (call.outcome, call.attribution) == (outcome, attribution)


def test_an_nginx_log_of_the_plain_variables_is_read_too(tmp_path: Path) -> None:
    call = nginx(tmp_path, "1790812810.500,503,0.5", head="msec,status,request_time\n").one
    assert (call.outcome, call.sent_at) == (Outcome.ERROR_5XX, 1_790_812_810 * NS)


def test_an_nginx_log_in_json_lines_is_read_too(tmp_path: Path) -> None:
    line = (
        json.dumps({"time_iso8601": "2026-10-01T00:00:10+00:00", "status": "200", "request_time": "0.5", "uri": "/v1/chat"})
        + "\n"
    )
    found = take(tmp_path, "auto", line, name="access.json")
    assert (found.report.mapping, found.one.attributes) == ("nginx", {"uri": "/v1/chat"})
