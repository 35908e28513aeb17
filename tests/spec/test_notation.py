"""The strict notation: what a text becomes, where everything stands, and what is refused before it can hurt."""

from time import process_time

import pytest
import yaml

from slaguard.errors import Place
from slaguard.spec import notation
from slaguard.spec.nodes import Map, Scalar, Sequence, locate, plain, scalars
from slaguard.spec.notation import MAX_BYTES, MAX_DEPTH, Parsed, parse
from tests.spec.documents import ACME, FULL, SHORT


def told(text: str) -> list[tuple[str, int, int]]:
    return [(p.code, p.place.line, p.place.column) for p in parse(text, "f.yaml").problems]


def root(text: str) -> Map:
    found = parse(text, "f.yaml")
    assert found.root is not None, found.problems
    return found.root


def test_every_scalar_is_the_text_that_stands_there() -> None:
    text = "a: no\nb: 012\nc: 12:30:45\nd: 1e3\ne: 2026-08-01\nf: .nan\ng: 0x10\nh: 1_000\ni: yes\n429: 'null'\n"
    assert plain(root(text)) == {
        "a": "no", "b": "012", "c": "12:30:45", "d": "1e3", "e": "2026-08-01", "f": ".nan", "g": "0x10", "h": "1_000",
        "i": "yes", "429": "null",
    }  # fmt: skip


def test_a_value_knows_its_place_its_path_and_whether_it_was_quoted() -> None:
    document = root('a:\n  - b: {c: "x"}\n    below 99.5%: y\n')
    spot = locate(document, ("a", 0, "b", "c"))
    assert spot.node == Scalar("x", Place("f.yaml", 2, 12), "a[0].b.c", quoted=True)
    assert spot.key_place == Place("f.yaml", 2, 9)
    assert locate(document, ("a", 0, "below 99.5%")).path == 'a[0]["below 99.5%"]'


def test_a_location_is_followed_through_what_stands_in_no_document() -> None:
    document = root("objectives:\n  - indicator: {rule: ratio, of: failures}\n    eligible: {n: {more_than: 5}}\n")
    assert locate(document, ("objectives", 0, "indicator", "ratio", "of")).path == "objectives[0].indicator.of"
    assert (
        locate(document, ("objectives", 0, "eligible", "n", "limits", "more_than")).path == "objectives[0].eligible.n.more_than"
    )
    assert locate(document, ("objectives", 0, "decision")).path == "objectives[0].decision"


def test_a_bomb_of_aliases_is_refused_in_no_time() -> None:
    levels = [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9) if i else 'x'}]" for i in range(10)]
    started = process_time()
    found = parse("\n".join(levels), "f.yaml")
    assert process_time() - started < 0.05
    assert found.root is None
    assert {p.code for p in found.problems} == {"E-SPEC-ALIAS"}


@pytest.mark.parametrize("opening", ["[", "{", "{a: ", "- ", "? ", "[{a: "])
@pytest.mark.parametrize("times", [500, 20_000])
def test_depth_is_refused_without_recursion(opening: str, times: int) -> None:
    started = process_time()
    found = parse(opening * times, "f.yaml")
    assert process_time() - started < 1.0
    assert found.root is None
    assert found.problems[-1].code == "E-SPEC-DEPTH"


def test_what_is_just_deep_enough_is_read() -> None:
    levels = MAX_DEPTH - 1
    assert told("a: " + "[" * levels + "x" + "]" * levels) == []
    assert told("a: " + "[" * (levels + 1) + "x" + "]" * (levels + 1)) == [("E-SPEC-DEPTH", 1, 4 + levels)]


def test_a_text_larger_than_the_limit_is_not_read() -> None:
    assert told("a: " + "x" * MAX_BYTES) == [("E-SPEC-FILE", 1, 1)]
    assert told("a: " + "x" * (MAX_BYTES - 3)) == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        pytest.param("a: b\x00", (1, 5), id="NUL"),
        pytest.param("a: b\n\tc: d", (2, 1), id="tab as indent"),
        pytest.param("a:\tb", (1, 3), id="tab after a colon"),
        pytest.param("a: \ud800", (1, 4), id="lone surrogate"),
        pytest.param("a: b\r\nc: \x1b[31m", (2, 4), id="escape sequence after CRLF"),
        pytest.param("a: \ufeffb", (1, 4), id="byte order mark inside"),
        pytest.param('a: "\\0"', (1, 4), id="escaped NUL"),
        pytest.param('a: "\\x1b"', (1, 4), id="escaped ESC"),
    ],
)
def test_what_no_reader_should_meet_is_refused_at_its_place(text: str, where: tuple[int, int]) -> None:
    assert told(text) == [("E-SPEC-SYNTAX", *where)]


@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
@pytest.mark.parametrize(
    "text",
    ['a: "\\ud800"', 'a: "\\U00110000"', 'a: "\\UFFFFFFFF"', "%YAML 9.9\n---\na: b", "%YAML " + "9" * 6000 + ".1\n---\na: b",
     "a: [b", "a: 'b", ": b", "a: b: c", "a: b\n c: d", "@a: b", "a: `b", "a: %b", "!", "&", "*", "---", "...", "%"],
)  # fmt: skip
def test_text_that_is_no_yaml_is_refused_without_a_traceback(text: str, loader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notation, "_LOADER", getattr(yaml, loader, yaml.SafeLoader))
    found = parse(text, "f.yaml")
    assert found.root is None
    assert all(p.code in {"E-SPEC-SYNTAX", "E-SPEC-SCHEMA", "E-SPEC-ALIAS", "E-SPEC-TAG"} for p in found.problems)
    assert found.problems


def test_a_byte_order_mark_and_crlf_are_accepted() -> None:
    assert plain(root("\ufeffa: b\r\nc:\r\n  - d\r\n")) == {"a": "b", "c": ["d"]}


def test_one_run_tells_all_that_is_wrong_with_the_text() -> None:
    text = "a: !t 1\na: 2\nb:\nc: {d: 1, d: 2}\n"
    assert told(text) == [("E-SPEC-TAG", 1, 4), ("E-SPEC-DUP", 2, 1), ("E-SPEC-SCHEMA", 3, 1), ("E-SPEC-DUP", 4, 11)]


def test_of_a_key_written_twice_the_first_is_kept() -> None:
    assert plain(parse("a: 1\na: 2\n", "f").root or Map({}, Place("f"), "")) == {"a": "1"}


def test_a_key_without_a_value_is_told_once_and_left_out() -> None:
    found = parse("a:\nb: ~\nc: null\nd: 'null'\ne: [, x]\n".replace("[, x]", "[~, x]"), "f.yaml")
    assert [(p.path, p.text) for p in found.problems] == [(n, "no value") for n in ("a", "b", "c", "e[0]")]
    assert found.broken == {"a", "b", "c", "e[0]"}
    assert plain(found.root or Map({}, Place("f"), "")) == {"d": "null", "e": ["x"]}


def test_merge_keys_are_only_a_key_that_nobody_knows() -> None:
    assert plain(root("<<: {a: b}\n")) == {"<<": {"a": "b"}}


def test_endless_problems_end() -> None:
    assert len(parse("\n".join(["a: 1"] * 5000), "f.yaml").problems) == notation.MAX_PROBLEMS


GOOD = [SHORT, FULL, ACME.read_text(encoding="utf-8")]
ODD = [
    "a: |\n  x\n   y\n",
    "a: >-\n  x\n  y\n",
    "a: {b: [c, {d: e}], f: 'g h'}\n",
    "'a': \"b\\n\"\n",
    "ä: ö\nz: 😀 x\n",
    "- a\n",
    "? a\n: b\n",
]
BAD = ["a: 1\na: 2\n", "a: &x 1\nb: *x\n", "a:\n", "a: !t b\n", "a: b\n---\nc: d\n", "[" * 30, "a: \x85b\n"]


@pytest.mark.parametrize("text", [*GOOD, *ODD, *BAD])
def test_both_parsers_of_pyyaml_give_the_same_tree_at_the_same_places(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(loader: type) -> Parsed:
        monkeypatch.setattr(notation, "_LOADER", loader)
        return parse(text, "f.yaml")

    if not yaml.__with_libyaml__:
        pytest.skip("PyYAML was built without libyaml here")
    assert read(yaml.CSafeLoader) == read(yaml.SafeLoader)


def test_the_values_of_a_tree_come_in_order() -> None:
    assert [s.text for s in scalars(root("a: [1, {b: 2}]\nc: 3\n"))] == ["1", "2", "3"]
    assert isinstance(root("a: []\n").get("a"), Sequence)
