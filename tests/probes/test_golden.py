"""Golden sets: found, checked against their hash, every wrong line named, and put as the card says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slaguard.errors import ProbeError, SpecError
from slaguard.probes.golden import load_golden
from slaguard.probes.numbers import json_value

CARD = """\
apiVersion: slaguard/v1
kind: GoldenSet
name: own-qa
version: 2
text: Questions of our own.
owner: us
source: our desk
items: {items}
sha256: {sha256}
classes:
  prime: {{items: 1, scorer: exact@1, text: a prime number}}
prompt:
  user: "{prompt}"
request: {request}
"""
ROW = {"id": "p-1", "input": "Is 7 prime?", "reference": "Yes", "class": "prime"}
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a card and its questions, each a dictionary or a raw line."""

    def do(
        rows: list[Any], *, sha256: str | None = None, prompt: str = "Q: {input}", request: str = "{}", items: int | None = None
    ) -> Path:
        lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
        content = b"".join(line + b"\n" for line in lines)
        digest = sha256 or hashlib.sha256(content).hexdigest()
        card = CARD.format(items=len(rows) if items is None else items, sha256=digest, prompt=prompt, request=request)
        (tmp_path / "own-qa@2.yaml").write_text(card)
        (tmp_path / "own-qa@2.jsonl").write_bytes(content)
        return tmp_path

    return do


def refused(folder: Path) -> list[tuple[int, str]]:
    with pytest.raises(SpecError) as error:
        load_golden("own-qa@2", folder)
    return [(p.place.line, f"{p.text}: {p.mend}") for p in error.value.problems]


def test_the_set_that_ships_has_questions_in_four_classes_each_with_its_scorer() -> None:
    golden = load_golden("claims-qa@4")
    assert golden.id == "claims-qa@4"
    assert len(golden.items) >= 200
    assert {golden.scorer_of(item) for item in golden.items.values()} == {"exact@1", "numeric@1"}
    assert {item.kind for item in golden.items.values()} == {"prime", "composite", "date", "unit"}


def test_a_question_is_put_as_the_card_says() -> None:
    golden = load_golden("claims-qa@4")
    item = golden.items["prime-001"]
    prompt = golden.prompt(item, "acme-large", "r-1")
    assert prompt.model == "acme-large"
    assert prompt.messages[0][0] == "system"
    assert prompt.messages[1] == ("user", item.input)
    assert prompt.parameters == {"temperature": 0, "max_tokens": 400}
    assert prompt.request_id == "r-1"


def test_a_set_beside_the_agreement_is_found(write: Write) -> None:
    golden = load_golden("own-qa@2", write([ROW], request="{temperature: 0.5, stream: true, stop: [END]}"))
    assert golden.prompt(golden.items["p-1"], "m").messages == (("user", "Q: Is 7 prime?"),)
    assert golden.parameters == {"temperature": 0.5, "stream": True, "stop": ["END"]}


def test_a_set_that_changed_by_a_byte_is_refused(write: Write) -> None:
    found = refused(write([ROW], sha256="0" * 64))
    assert "restore it, or publish the change as a new version" in found[0][1]


@pytest.mark.parametrize("name", ["claims-qa@5", "claim-qa@4", "nonsense", "../../etc/passwd@1"])
def test_an_unknown_set_is_refused_with_the_ones_there_are(name: str) -> None:
    with pytest.raises(ProbeError, match="claims-qa@4"):
        load_golden(name)


@pytest.mark.parametrize(
    ("second", "said"),
    [
        pytest.param({**ROW, "input": "Is 9 prime?"}, "the id p-1 is there twice (first in line 1)", id="same id"),
        pytest.param({**ROW, "id": "p-2"}, "twice, with the same answer (first in line 1)", id="same question"),
        pytest.param({**ROW, "id": "p-2", "reference": "No"}, "twice, with another answer (first in line 1)", id="conflict"),
        pytest.param({**ROW, "id": "p-2", "input": " Is 7  prime?"}, "twice, with the same answer", id="same but for spaces"),
        pytest.param(b"{", "write one JSON object a line", id="no JSON"),
        pytest.param(b"[]", "write one JSON object a line", id="a list"),
        pytest.param(b"[" * 100_000, "write one JSON object a line", id="deeply nested"),
        pytest.param(b"\xff\xfe{}", "save the file as UTF-8", id="not UTF-8"),
        pytest.param(b'{"id": "a", "id": "b"}', "a key is there twice", id="key twice"),
        pytest.param({**ROW, "id": "p-2", "answer": "x"}, "there is no key 'answer'", id="unknown key"),
        pytest.param({"id": "p-2", "input": "?"}, "write `reference` as a text", id="no reference"),
        pytest.param({**ROW, "id": "p-2", "input": " "}, "write `input` as a text", id="empty question"),
        pytest.param({**ROW, "id": 7}, "write `id` as a text", id="a number as id"),
        pytest.param({**ROW, "id": "../x"}, "an id has letters", id="a path as id"),
        pytest.param({**ROW, "id": "p-2", "input": "?", "tags": "x"}, "write `tags` as a list", id="tags"),
        pytest.param({**ROW, "id": "p-2", "input": "?", "tolerance": 1}, "write `tolerance` as a text", id="tolerance"),
        pytest.param({**ROW, "id": "p-2", "input": "?", "class": "date"}, "has a scorer for prime alone", id="unknown class"),
        pytest.param({"id": "p-2", "input": "?", "reference": "!"}, "class none", id="no class"),
    ],
)
def test_a_wrong_line_is_named_with_its_number(write: Write, second: Any, said: str) -> None:
    found = refused(write([ROW, second]))
    assert any(line == 2 and said in text for line, text in found), found


def test_everything_wrong_is_told_at_once(write: Write) -> None:
    found = refused(write([ROW, b"x", b"y", {**ROW, "id": "p-2"}]))
    assert [line for line, _ in found][:3] == [2, 3, 4]


def test_a_card_that_miscounts_or_has_no_place_for_the_question_or_sets_the_model_is_refused(write: Write) -> None:
    assert "the card says 3" in refused(write([ROW], items=3))[0][1]
    assert "write `{input}`" in refused(write([ROW], prompt="Is it prime?"))[0][1]
    assert "request.model" in refused(write([ROW], request="{model: gpt}"))[0][1]


def test_request_parameters_become_what_json_has() -> None:
    given = {"a": "0", "b": "-0.25", "c": "true", "d": "null", "e": "00", "f": "1e5", "g": ["1", {"h": "false"}], "i": "text"}
    assert json_value(given) == {
        "a": 0, "b": -0.25, "c": True, "d": None, "e": "00", "f": "1e5", "g": [1, {"h": False}], "i": "text",
    }  # fmt: skip
