"""`import --suggest`: what can be known is written, what cannot is asked for by name."""

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.errors import RecordsError, SpecError
from slaguard.imports.find import FILL_IN, parse_mapping
from slaguard.imports.guess import draft
from slaguard.imports.rows import Row
from slaguard.imports.suggest import name_for, suggest, text_of
from tests.imports.world import take

WHOLE = "2026-10-01T00:00:00Z,200,812,gpt,abcdefgh\n2026-10-01T00:00:01Z,503,0,gpt,bcdefghi\n"


def suggestion(tmp: Path, text: str, name: str = "log.csv") -> str:
    path = tmp / name
    path.write_text(text)
    return suggest(str(path))


def blanks(text: str) -> list[tuple[str, str]]:
    with pytest.raises(SpecError) as refused:
        parse_mapping(text, "mapping.yaml")
    return [(p.path, p.mend) for p in refused.value.problems]


def test_only_the_vendor_is_left_to_fill_in_where_the_file_says_the_rest(tmp_path: Path) -> None:
    text = suggestion(tmp_path, "timestamp,status,latency_ms,model,request_id\n" + WHOLE)
    assert blanks(text) == [("fields.vendor.constant", "write what the comment beside it asks for")]


def test_a_completed_suggestion_reads_the_file_it_was_made_for(tmp_path: Path) -> None:
    log = "timestamp,status,latency_ms,model,request_id\n" + WHOLE
    mapping = parse_mapping(suggestion(tmp_path, log).replace(FILL_IN, "Acme AI"), "mapping.yaml")
    found = take(tmp_path, mapping, log)
    assert (len(found.observations), found.report.refused_rows) == (2, 0)
    assert found.observations[0].id == "log:abcdefgh"


def test_each_blank_is_named_with_what_belongs_there(tmp_path: Path) -> None:
    text = suggestion(tmp_path, "time;latency (s);state\n05.10.2026 12:00:01;1.5;fine\n05.10.2026 12:00:02;2.5;odd\n")
    found = dict(blanks(text))
    assert {"zone", "fields.vendor.constant", "outcomes[0].outcome", "outcomes[0].attribution"} <= set(found)
    assert "Europe/Berlin or UTC" in found["zone"]


def test_a_file_without_times_asks_for_the_batch(tmp_path: Path) -> None:
    found = dict(blanks(suggestion(tmp_path, "status,latency_ms\n200,5\n")))
    assert "START/END in which the calls were made" in found["time.batch.span"]


def test_columns_that_are_not_used_are_listed(tmp_path: Path) -> None:
    assert '#   "a prompt?"' in suggestion(tmp_path, "ts,status,a prompt?\n2026-10-01T00:00:00Z,200," + "x" * 100 + "\n")


def test_json_lines_get_a_mapping_with_dotted_columns(tmp_path: Path) -> None:
    text = suggestion(tmp_path, '{"ts": 1790000000, "http": {"status_code": 200}}\n', "log.jsonl")
    assert "status: http.status_code" in text
    assert "format: epoch_s" in text


@pytest.mark.parametrize(
    ("file", "name"), [("/x/My Log (2).csv.gz", "my-log-2"), ("-", "my-log"), ("日本.csv", "my-log"), ("a.b.csv", "a")]
)
def test_the_mapping_is_named_after_the_file(file: str, name: str) -> None:
    assert name_for(file) == name


def test_an_empty_file_has_no_suggestion(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match="there is no row in it"):
        suggestion(tmp_path, "")


NAMES = st.lists(
    st.one_of(
        st.text(max_size=12), st.sampled_from(["ts", "status", "latency", "correct", "error", "date", "by", "outcome", "model"])
    ),
    min_size=1,
    max_size=6,
    unique=True,
)
CELLS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["200", "503", "2026-10-01", "2026-10-01T00:00:00Z", "1", "0", "yes", "ok", "timeout", "NaN", "-", "0.5", "[No]"]
    ),
)


@given(NAMES, st.data())
def test_whatever_a_header_holds_the_suggestion_is_yaml_that_validates_or_names_what_is_left(
    names: list[str], data: Any
) -> None:
    rows = [Row(i, {n: data.draw(CELLS) for n in names}) for i in range(2, 4)]
    text = text_of(draft(names, rows), "log.csv")
    try:
        parse_mapping(text, "mapping.yaml")
    except SpecError as error:
        told = [(p.text, p.path) for p in error.problems]
        assert all(FILL_IN in what for what, _ in told), (told, text)


def test_a_completed_suggestion_of_many_shuffled_headers_reads_its_file(tmp_path: Path) -> None:
    columns = {
        "timestamp": "2026-10-01T00:00:00Z",
        "status": "200",
        "latency": "812",
        "model": "m",
        "tokens_in": "5",
        "note": "hi",
    }
    for seed in range(5):
        names = random.Random(seed).sample(list(columns), len(columns))
        log = ",".join(names) + "\n" + ",".join(columns[n] for n in names) + "\n"
        text = suggestion(tmp_path, log).replace(FILL_IN, "Acme AI")
        call = take(tmp_path, parse_mapping(text, "mapping.yaml"), log).one
        assert (call.total_time_ns, call.input_tokens, call.attributes) == (812_000_000, 5, {"note": "hi"})
