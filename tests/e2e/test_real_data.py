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
