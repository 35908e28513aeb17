"""Changes of the model that the records show."""

import pandas as pd

from slaguard.reports.changes import MOST_CHANGES, changes


def records(*rows: tuple[int, str | None, str | None], model: str = "large") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["sent_at", "model_returned", "fingerprint"])
    return frame.assign(model_requested=model).astype({"sent_at": "Int64"})


def test_another_fingerprint_under_the_same_name_is_a_change() -> None:
    (change,) = changes(records((1, "m", "a"), (2, "m", "a"), (3, "m", None), (4, "m", "b"), (5, "m", "b")))
    assert (change.at, change.field, change.before, change.after) == (4, "fingerprint", "a", "b")
    assert change.same_name
    assert change.words == "the fingerprint of the answers changed under the same model name"


def test_another_name_is_a_change_and_its_fingerprint_is_not_told_twice() -> None:
    (change,) = changes(records((1, "m-1", "a"), (2, "m-2", "b")))
    assert (change.at, change.field) == (2, "model_returned")
    assert change.brief == "m-1 → m-2"


def test_fingerprints_that_come_and_go_are_no_change() -> None:
    assert changes(records((1, "m", "a"), (2, "m", "b"), (3, "m", "a"), (4, "m", "b"))) == ()


def test_two_old_fingerprints_give_way_to_two_new_ones_once() -> None:
    rows = [(1, "m", "a"), (2, "m", "b"), (3, "m", "a"), (4, "m", "c"), (5, "m", "d"), (6, "m", "c")]
    (change,) = changes(records(*rows))
    assert (change.at, change.after) == (4, "c")


def test_a_fingerprint_of_its_own_for_every_answer_says_nothing() -> None:
    assert changes(records(*((i, "m", f"f{i}") for i in range(MOST_CHANGES + 2)))) == ()


def test_each_requested_model_is_looked_at_by_itself() -> None:
    small = records((1, "s", "x"), (9, "s", "x"), model="small")
    large = records((1, "l", "a"), (2, "l", "b"), model="large")
    (change,) = changes(pd.concat([small, large], ignore_index=True))
    assert (change.model, change.shared) == ("large", True)
    assert change.words == "the fingerprint of the answers of large changed under the same model name"


def test_without_names_fingerprints_or_times_there_is_no_change() -> None:
    assert changes(pd.DataFrame({"id": ["a", "b"]})) == ()
    assert changes(records((1, None, None))) == ()
    assert changes(records((pd.NA, "m", "a"), (pd.NA, "m", "b"))) == ()  # type: ignore[arg-type]
    assert changes(records()) == ()
