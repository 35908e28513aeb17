"""The mappings that ship, on the real records they were written for: published facts, counted one by one."""

import gzip
import json
from collections import Counter
from decimal import ROUND_CEILING, Decimal
from pathlib import Path

import pandas as pd
import pytest

from slaguard.imports.load import read
from slaguard.spec.load import load
from slaguard.terms import Attribution, Grade, Outcome, Source
from tests.imports.world import Read

MODELS = ("gpt-4-0314", "gpt-4-0613", "gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613")


def imported(shared_data: Path, name: str, mapping: str) -> Read:
    records = read([str(shared_data / name)], mapping)
    return Read(list(records), records.report)


@pytest.fixture(scope="module")
def primes(shared_data: Path) -> Read:
    return imported(shared_data, "llmdrift/prime_primes_only.csv.gz", "llmdrift-prime")


@pytest.fixture(scope="module")
def leetcode(shared_data: Path) -> Read:
    return imported(shared_data, "llmdrift/leetcode_easy.csv.gz", "llmdrift-leetcode")


@pytest.fixture(scope="module")
def llmperf(shared_data: Path) -> Read:
    return imported(shared_data, "llmperf/requests_70b.jsonl.gz", "llmperf")


@pytest.fixture(scope="module")
def halueval(shared_data: Path) -> Read:
    return imported(shared_data, "halueval/general_odd_lines.jsonl.gz", "halueval")


def grades(found: Read, scorer: str) -> dict[str, Counter[Grade]]:
    """Count the grades of one scorer by model."""
    model = {c.id: c.model_requested or "" for c in found.observations}
    counts: dict[str, Counter[Grade]] = {m: Counter() for m in MODELS}
    for score in found.scores:
        if score.scorer == scorer:
            counts[model[score.observation]][score.grade] += 1
    return counts


@pytest.mark.parametrize(
    ("name", "mapping", "rows", "observations"),
    [
        ("llmdrift/prime_primes_only.csv.gz", "llmdrift-prime", 2000, 2000),
        ("llmdrift/leetcode_easy.csv.gz", "llmdrift-leetcode", 200, 200),
        ("llmperf/requests_70b.jsonl.gz", "llmperf", 1195, 1200),
        ("halueval/general_odd_lines.jsonl.gz", "halueval", 2254, 2254),
    ],
)
def test_every_row_is_read_and_auto_knows_the_file(
    name: str, mapping: str, rows: int, observations: int, shared_data: Path
) -> None:
    for how in (mapping, "auto"):
        report = imported(shared_data, name, how).report
        assert (report.mapping, report.rows, report.observations) == (mapping, rows, observations)
        assert (report.refused_rows, report.repeated) == (0, 0)


# ── llmdrift ────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("parser", ["bracketed_yes_no@1", "last_yes_no@1"])
def test_gpt_4_fell_from_97_6_to_2_4_per_cent_on_primes_with_either_parser(parser: str, primes: Read) -> None:
    counts = grades(primes, f"import:llmdrift-prime/{parser}")
    assert [counts[m][Grade.CORRECT] for m in MODELS[:2]] == [488, 12]
    assert all(counts[m].total() == 500 for m in MODELS)


def test_gpt_3_5_moves_with_the_parser(primes: Read) -> None:
    strict = grades(primes, "import:llmdrift-prime/bracketed_yes_no@1")
    lenient = grades(primes, "import:llmdrift-prime/last_yes_no@1")
    assert [strict[m][Grade.CORRECT] for m in MODELS[2:]] == [26, 421]
    assert [lenient[m][Grade.CORRECT] for m in MODELS[2:]] == [62, 433]


def test_answers_that_a_parser_cannot_read_are_a_fact_of_their_own(primes: Read) -> None:
    strict = grades(primes, "import:llmdrift-prime/bracketed_yes_no@1")
    lenient = grades(primes, "import:llmdrift-prime/last_yes_no@1")
    assert [strict[m][Grade.UNPARSED] for m in MODELS] == [3, 44, 16, 68]
    assert [lenient[m][Grade.UNPARSED] for m in MODELS] == [3, 0, 0, 25]


def test_the_timestamps_of_llmdrift_are_not_taken_for_a_clock(primes: Read) -> None:
    assert {c.sent_at for c in primes.observations} == {None}
    assert len({(c.batch_start, c.batch_end) for c in primes.observations}) == 1


def test_accepted_programs_fell_as_answered_and_rose_without_the_fence(leetcode: Read) -> None:
    raw = grades(leetcode, "import:llmdrift-leetcode/raw@1")
    clean = grades(leetcode, "import:llmdrift-leetcode/fence-removed@1")
    assert [raw[m][Grade.CORRECT] for m in MODELS] == [26, 5, 11, 1]
    assert [clean[m][Grade.CORRECT] for m in MODELS] == [26, 35, 23, 24]
    assert all(counts[m].total() == 50 for counts in (raw, clean) for m in MODELS)


# ── llmperf ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_each_providers_calls_ended_as_published(llmperf: Read) -> None:
    ended: dict[str, Counter[tuple[Outcome, Attribution]]] = {}
    for call in llmperf.observations:
        ended.setdefault(call.attributes["provider"], Counter())[call.outcome, call.attribution] += 1
    fine = (Outcome.OK, Attribution.NONE)
    limited = (Outcome.RATE_LIMITED, Attribution.CLIENT_QUOTA)
    assert ended == {
        "anyscale": {fine: 150},
        "bedrock": {fine: 101, (Outcome.TRUNCATED, Attribution.HARNESS): 49},
        "fireworks": {fine: 150},
        "groq": {fine: 150},
        "lepton": {fine: 20, limited: 130},
        "perplexity": {fine: 148, limited: 2},
        "replicate": {fine: 145, (Outcome.UNMEASURED, Attribution.HARNESS): 5},
        "together": {fine: 150},
    }


def test_five_calls_of_replicate_were_never_logged_and_this_is_said(llmperf: Read) -> None:
    assert llmperf.report.unlogged == {"replicate, llama-2-70b-chat, 1703639184": 5}
    assert any("5 calls were made and never logged" in note for note in llmperf.report.notes())


def rounded_up(seconds: str) -> int:
    return int((Decimal(seconds) * 1000).to_integral_value(rounding=ROUND_CEILING))


def test_times_to_first_token_equal_those_that_pandas_computes(shared_data: Path, llmperf: Read) -> None:
    with gzip.open(shared_data / "llmperf/requests_70b.jsonl.gz", "rt") as lines:
        frame = pd.DataFrame([json.loads(line, parse_float=str) for line in lines])
    frame["ms"] = frame[frame["error_code"].isna()]["ttft_s"].map(rounded_up)
    theirs = frame.dropna(subset=["ms"]).groupby("provider")["ms"]
    calls = [c for c in llmperf.observations if c.outcome is Outcome.OK]
    ours = pd.DataFrame(
        {"provider": c.attributes["provider"], "ms": -(-(c.time_to_first_token_ns or 0) // 10**6)} for c in calls
    ).groupby("provider")["ms"]
    for share in (0.5, 0.95, 0.99):
        expected = theirs.quantile(share, interpolation="higher")
        assert ours.quantile(share, interpolation="higher").to_dict() == expected.to_dict()
    assert ours.sum().to_dict() == theirs.sum().to_dict()
    assert ours.count().to_dict() == theirs.count().to_dict()


def test_no_latency_is_taken_from_a_failed_call_that_carries_zero(llmperf: Read) -> None:
    failed = [c for c in llmperf.observations if c.outcome is Outcome.RATE_LIMITED]
    assert {(c.time_to_first_token_ns, c.total_time_ns) for c in failed} == {(None, None)}
    assert "132 × failed calls with a time_to_first_token of 0: taken as not measured" in llmperf.report.warnings


def test_a_run_is_a_batch_that_ended_when_the_log_says(llmperf: Read) -> None:
    groq = next(c for c in llmperf.observations if c.attributes["provider"] == "groq")
    assert (groq.sent_at, groq.batch_end) == (None, 1_704_851_704 * 10**9)


# ── halueval ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_416_of_2254_answers_were_labelled_hallucinations_by_people(halueval: Read) -> None:
    counts = Counter(a.grade for a in halueval.adjudications)
    assert counts == {Grade.UNSUPPORTED: 416, Grade.CORRECT: 1838}
    assert {a.by for a in halueval.adjudications} == {"HaluEval annotators"}


def test_a_chosen_sample_is_no_census(halueval: Read) -> None:
    assert {c.inclusion_probability for c in halueval.observations} == {None}


def test_the_row_with_a_blank_identifier_counts(halueval: Read) -> None:
    assert len({c.id for c in halueval.observations}) == 2254


# ── examples ────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", ["llmdrift-primes", "llmdrift-leetcode", "llmperf-70b", "halueval"])
def test_the_example_agreements_are_valid(name: str, repo: Path) -> None:
    assert load(repo / "sla_specs" / "examples" / f"{name}.yaml").agreement.name == name


@pytest.mark.parametrize(
    ("name", "mapping"),
    [("llmdrift-primes", "primes"), ("llmdrift-leetcode", "leetcode"), ("llmperf-70b", "llmperf"), ("halueval", "halueval")],
)
def test_an_example_names_vendor_services_and_scorers_that_its_records_have(
    name: str, mapping: str, repo: Path, request: pytest.FixtureRequest
) -> None:
    found: Read = request.getfixturevalue(mapping)
    agreement = load(repo / "sla_specs" / "examples" / f"{name}.yaml").agreement
    assert {c.vendor for c in found.observations} == {agreement.vendor}
    assert {o.scorer for o in agreement.objectives} - {None} == {s.scorer for s in found.scores}
    models = {m for s in agreement.services for m in s.models or ()}
    assert models <= {c.model_requested for c in found.observations}
    assert {c.source for c in found.observations} == {Source.PROBE}
