"""How levels of terms become one: by key, nearest wins, and what only means something whole stays whole."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from slaguard.errors import Place
from slaguard.spec.merge import clashes, merged_maps
from slaguard.spec.nodes import Map, plain
from slaguard.spec.notation import parse


def tree(content: dict[str, Any]) -> Map:
    return parse(yaml.safe_dump(content), "f.yaml").root or Map({}, Place("f.yaml"), "")


def both(near: dict[str, Any], far: dict[str, Any]) -> dict[str, Any]:
    found = plain(merged_maps(tree(near), tree(far)))
    assert isinstance(found, dict)
    return found


MAINTENANCE = {"id": "maintenance", "notice": "72h", "effect": "count_as_up"}
CASES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("maps merge by key", {"a": {"x": "1"}}, {"a": {"x": "2", "y": "3"}, "b": "4"}, {"a": {"x": "1", "y": "3"}, "b": "4"}),
    ("lists replace", {"source": ["probe"]}, {"source": ["traffic", "probe"]}, {"source": ["probe"]}),
    (
        "a list of things with an id merges by it",
        {"exclusions": [{"id": "maintenance", "notice": "24h"}, {"id": "own"}]},
        {"exclusions": [MAINTENANCE, {"id": "beta"}]},
        {"exclusions": [{**MAINTENANCE, "notice": "24h"}, {"id": "own"}, {"id": "beta"}]},
    ),
    ("an empty list clears", {"exclusions": []}, {"exclusions": [MAINTENANCE]}, {"exclusions": []}),
    (
        "a bound is one leaf",
        {"error_rate": {"at_least": "5%"}},
        {"error_rate": {"more_than": "5%"}},
        {"error_rate": {"at_least": "5%"}},
    ),
    (
        "a promise's bound is one leaf",
        {"at_most": "1%"},
        {"at_least": "99%", "source": "probe"},
        {"at_most": "1%", "source": "probe"},
    ),
    (
        "a ladder replaces as a whole",
        {"credits": {"below 99%": "5%"}},
        {"credits": {"below 99.5%": "5%"}},
        {"credits": {"below 99%": "5%"}},
    ),
    (
        "another rule replaces the indicator",
        {"indicator": {"rule": "ratio", "of": "failures"}},
        {"indicator": {"rule": "percentile", "p": "95%"}},
        {"indicator": {"rule": "ratio", "of": "failures"}},
    ),
    (
        "the same rule merges",
        {"indicator": {"bin": "1m"}},
        {"indicator": {"rule": "mean_of_intervals", "bin": "5m", "empty_bin": "up"}},
        {"indicator": {"bin": "1m", "rule": "mean_of_intervals", "empty_bin": "up"}},
    ),
    (
        "a condition on a field is one leaf",
        {"eligible": {"status": {"at_least": "200"}}},
        {"eligible": {"status": ["200"], "stream": "true"}},
        {"eligible": {"status": {"at_least": "200"}, "stream": "true"}},
    ),
]


@pytest.mark.parametrize(("near", "far", "expected"), [pytest.param(*c[1:], id=c[0]) for c in CASES])
def test_the_nearest_wins(near: dict[str, Any], far: dict[str, Any], expected: dict[str, Any]) -> None:
    assert both(near, far) == expected


@pytest.mark.parametrize(
    ("first", "second", "leaves"),
    [
        pytest.param({"a": {"x": "1"}}, {"a": {"y": "1"}}, [], id="other leaves"),
        pytest.param({"a": {"x": "1"}}, {"a": {"x": "1"}}, ["a.x"], id="the same leaf, even with the same value"),
        pytest.param({"at_least": "99%"}, {"at_most": "1%"}, ["at_most"], id="two words of a bound"),
        pytest.param({"e": [{"id": "a", "n": "1"}]}, {"e": [{"id": "b", "n": "1"}]}, [], id="other ids"),
        pytest.param({"e": [{"id": "a", "n": "1"}]}, {"e": [{"id": "a", "n": "2"}]}, ["e[0].n"], id="the same id"),
        pytest.param({"credits": {"below 9%": "1%"}}, {"credits": {"below 8%": "1%"}}, ["credits"], id="two ladders"),
    ],
)
def test_profiles_of_one_level_clash_on_a_leaf_that_both_set(
    first: dict[str, Any], second: dict[str, Any], leaves: list[str]
) -> None:
    assert [leaf.path for _, leaf in clashes(tree(first), tree(second))] == leaves


WORDS = st.sampled_from(["a", "b", "c"])
TREES = st.dictionaries(
    WORDS, st.recursive(WORDS, lambda inner: st.dictionaries(WORDS, inner, min_size=1, max_size=3)), min_size=1
)


@given(TREES, TREES, TREES)
def test_it_does_not_matter_which_two_levels_are_merged_first(a: dict[str, Any], b: dict[str, Any], c: dict[str, Any]) -> None:
    left = merged_maps(merged_maps(tree(a), tree(b)), tree(c))
    right = merged_maps(tree(a), merged_maps(tree(b), tree(c)))
    assert plain(left) == plain(right)


@given(TREES)
def test_a_level_merged_with_itself_is_itself(a: dict[str, Any]) -> None:
    assert both(a, a) == a
