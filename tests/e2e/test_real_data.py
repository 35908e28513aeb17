"""Real, published records through the shipped mappings and example Agreements: the known facts come out of the command line."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from slaguard.cli import run


def evaluate(repo: Path, example: str, records: Path, mapping: str, period: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the rows of `slaguard evaluate … --format json` by promise and scope."""
    printed = io.StringIO()
    arguments = ["evaluate", str(repo / "sla_specs" / "examples" / example), "--records", str(records), "--mapping", mapping]
    with contextlib.redirect_stdout(printed):
        code = run([*arguments, "--period", period, "--as-of", "2026-11-02T09:00:00Z", "--format", "json"])
    assert code == 0
    return {(o["name"], o["scope"]): o for o in json.loads(printed.getvalue())["objectives"]}


def counted(row: dict[str, Any]) -> tuple[int, int]:
    """Return (bad, n)."""
    return int(row["estimate"]["bad"]), row["estimate"]["n"]


@pytest.fixture(scope="module")
def primes(request: pytest.FixtureRequest) -> dict[tuple[str, str], dict[str, Any]]:
    """Accuracy on 500 questions whether a number is prime, four model versions, two parsers."""
    repo, data = request.getfixturevalue("repo"), request.getfixturevalue("shared_data")
    return evaluate(repo, "llmdrift-primes.yaml", data / "llmdrift" / "prime_primes_only.csv.gz", "llmdrift-prime", "2023-07")


@pytest.mark.parametrize("parser", ["strict", "lenient"])
def test_gpt_4_fell_from_97_6_to_2_4_percent_on_primes_whichever_parser(
    primes: dict[tuple[str, str], dict[str, Any]], parser: str
) -> None:
    march, june = primes[f"accuracy-{parser}", "gpt-4-0314"], primes[f"accuracy-{parser}", "gpt-4-0613"]
    assert (march["estimate"]["value"], june["estimate"]["value"]) == ("0.976", "0.024")
    assert (march["verdict"], june["verdict"]) == ("COMPLIANT", "BREACH")


def test_gpt_3_5_moves_with_the_parser_and_both_are_reported(primes: dict[tuple[str, str], dict[str, Any]]) -> None:
    figures = {k: v["estimate"]["value"] for k, v in primes.items() if "3.5" in k[1] and k[0].startswith("accuracy")}
    assert figures == {
        ("accuracy-strict", "gpt-3.5-turbo-0301"): "0.052",
        ("accuracy-lenient", "gpt-3.5-turbo-0301"): "0.124",
        ("accuracy-strict", "gpt-3.5-turbo-0613"): "0.842",
        ("accuracy-lenient", "gpt-3.5-turbo-0613"): "0.866",
    }


def test_the_parse_rate_is_a_promise_of_its_own(primes: dict[tuple[str, str], dict[str, Any]]) -> None:
    row = primes["parse-rate", "gpt-4-0613"]
    assert (row["estimate"]["value"], row["verdict"]) == ("0.912", "BREACH")


def test_leetcode_acceptance_turns_on_the_code_fence(repo: Path, shared_data: Path) -> None:
    rows = evaluate(
        repo, "llmdrift-leetcode.yaml", shared_data / "llmdrift" / "leetcode_easy.csv.gz", "llmdrift-leetcode", "2023-07"
    )
    assert [rows["accepted-raw", f"gpt-4-{v}"]["estimate"]["value"] for v in ("0314", "0613")] == ["0.52", "0.1"]
    assert [rows["accepted-fence-removed", f"gpt-4-{v}"]["estimate"]["value"] for v in ("0314", "0613")] == ["0.52", "0.7"]


def test_halueval_has_416_unsupported_answers_of_2254(repo: Path, shared_data: Path) -> None:
    rows = evaluate(repo, "halueval.yaml", shared_data / "halueval" / "general_odd_lines.jsonl.gz", "halueval", "2023")
    row = rows["hallucination", "all"]
    assert counted(row) == (416, 2254)
    assert row["design"] == "sample"
    assert row["grading"] == "human"
    assert Fraction(row["estimate"]["low"]) < Fraction(416, 2254) < Fraction(row["estimate"]["high"])


@pytest.fixture(scope="module")
def llmperf(request: pytest.FixtureRequest) -> dict[tuple[str, str], dict[str, Any]]:
    """Error rates and time to first token of eight endpoints."""
    repo, data = request.getfixturevalue("repo"), request.getfixturevalue("shared_data")
    look = "2023-12-01T00:00:00Z/2024-02-01T00:00:00Z"
    return evaluate(repo, "llmperf-70b.yaml", data / "llmperf" / "requests_70b.jsonl.gz", "llmperf", look)


def test_bedrocks_49_failures_are_all_the_harnesss_own(llmperf: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert counted(llmperf["errors-as-logged", "bedrock"]) == (49, 150)
    assert counted(llmperf["errors-less-harness", "bedrock"]) == (0, 101)
    assert llmperf["errors-less-harness", "bedrock"]["without_exclusions"]["verdict"] == "BREACH"


def test_limits_are_the_callers_quota_when_the_contract_says_so(llmperf: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert counted(llmperf["errors-as-logged", "perplexity"]) == (2, 150)
    assert counted(llmperf["errors-as-logged", "lepton"]) == (130, 150)
    assert counted(llmperf["errors-less-harness-and-limits", "lepton"]) == (0, 20)
    assert llmperf["errors-less-harness-and-limits", "lepton"]["verdict"] == "INSUFFICIENT"


def test_five_calls_of_replicate_were_never_logged_and_are_not_good_ones(
    llmperf: dict[tuple[str, str], dict[str, Any]],
) -> None:
    row = llmperf["errors-as-logged", "replicate"]
    assert (row["estimate"]["n"], row["unmeasured"]) == (145, 5)
    assert (row["verdict"], row["reason"]) == ("INCONCLUSIVE", "NOT_OBSERVABLE")


def test_the_time_to_first_token_equals_a_computation_by_pandas(
    llmperf: dict[tuple[str, str], dict[str, Any]], shared_data: Path
) -> None:
    with gzip.open(shared_data / "llmperf" / "requests_70b.jsonl.gz", "rt") as lines:
        table = pd.DataFrame([json.loads(line) for line in lines])
    good = table[table["error_code"].isna()]
    for provider, group in good.groupby("provider"):
        ranked = sorted(group["ttft_s"])
        p95 = ranked[math.ceil(Fraction(95, 100) * len(ranked)) - 1]  # the inverted distribution function
        row = llmperf["first-token-p95", str(provider)]
        if row["estimate"]["n"]:
            assert int(row["estimate"]["value"]) == math.ceil(round(p95 * 1e9) / 1e6), provider


# ── RefChecker: labels of claims, answers judged in two ways ────────────────────────────────────────────────────────
REDUCTIONS = {"contradicted": {"Contradiction"}, "not-entailed": {"Contradiction", "Neutral"}}
MODELS = {"gpt-4": "gpt4", "llama-2-70b": "llama2_70b_chat", "alpaca-7b": "alpaca_7B"}


def test_refchecker_answers_are_judged_by_their_claims_both_ways_as_pandas_counts_them(repo: Path, shared_data: Path) -> None:
    file = shared_data / "refchecker" / "noisy_context.jsonl.gz"
    rows = evaluate(repo, "refchecker.yaml", file, "refchecker", "2023")
    table = pd.read_json(file, lines=True, dtype=False)
    labels = table.explode("claude2_response_kg").dropna(subset="claude2_response_kg")
    labels["label"] = [claim["human_label"] for claim in labels["claude2_response_kg"]]
    for promise, bad in REDUCTIONS.items():
        answers = labels.assign(bad=labels["label"].isin(bad)).groupby(["model", "id"])["bad"].any().groupby("model")
        expected = {model: (int(answers.sum()[model]), int(answers.size()[model])) for model in MODELS.values()}
        assert {MODELS[scope]: counted(row) for (name, scope), row in rows.items() if name == promise} == expected
    assert {scope: rows["not-entailed", scope]["unknown"] for scope in MODELS} == {
        "gpt-4": 13, "llama-2-70b": 4, "alpaca-7b": 2,
    }  # fmt: skip


# ── Upptime: time between changes of state, never the share of rows ─────────────────────────────────────────────────
def test_upptime_outages_are_the_time_between_down_and_up_as_pandas_measures_it(repo: Path, shared_data: Path) -> None:
    file = shared_data / "upptime" / "dynamisai_status_events.csv"
    start, end = pd.Timestamp("2026-03-17T00:00Z"), pd.Timestamp("2026-04-26T00:00Z")
    rows = evaluate(repo, "upptime.yaml", file, "auto", f"{start.isoformat()}/{end.isoformat()}")
    events = pd.read_csv(file, parse_dates=["committed_at"])
    total = (end - start) / pd.Timedelta(minutes=1)
    for site in ("Dynamis Managed AI", "OpenAI API", "Anthropic API"):
        own = events[events["site"] == site].sort_values("committed_at", kind="stable")
        until = own["committed_at"].shift(-1)
        down = own["state"].eq("down") & until.notna()
        lengths = (until - own["committed_at"])[down & (until - own["committed_at"] >= pd.Timedelta(minutes=5))]
        inside = [
            (min(b, end) - max(a, start)) / pd.Timedelta(minutes=1)
            for a, b in zip(own["committed_at"][lengths.index], until[lengths.index], strict=True)
            if a < end and b > start
        ]
        row = rows["uptime", site.lower().replace(" ", "-")]
        assert float(row["estimate"]["bad"]) == pytest.approx(sum(inside), abs=1e-6)
        assert float(row["estimate"]["value"]) == pytest.approx(1 - sum(inside) / total, abs=1e-11)
        assert row["source"] == "incident"
    assert rows["uptime", "dynamis-managed-ai"]["verdict"] == "BREACH"


def test_a_site_whose_page_fell_silent_is_not_up(repo: Path, shared_data: Path) -> None:
    file = shared_data / "upptime" / "dynamisai_status_events.csv"
    rows = evaluate(repo, "upptime.yaml", file, "auto", "2026-04")
    assert (rows["uptime", "dynamis-ai-api"]["verdict"], rows["uptime", "dynamis-ai-api"]["reason"]) == (
        "INSUFFICIENT", "LOW_COVERAGE"
    )  # fmt: skip
