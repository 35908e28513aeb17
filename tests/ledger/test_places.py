import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.ledger.identity import idempotency_key, observation_key
from slaguard.ledger.places import hashed, numbered, placing
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import seal_all
from slaguard.ledger.whole import check
from slaguard.records import Fact, Record
from tests.ledger.sealing import again_as_sealed, again_by_hand, everything
from tests.ledger.world import Watch, call

name = st.one_of(
    st.builds("{}/{}".format, st.sampled_from(["a", "b", "a/1", ""]), st.integers(0, 12)),
    st.sampled_from(["a/", "a/01", "a/1x", "a/-1", "1", "/", "a/" + "9" * 18, "a/" + "9" * 19]),
)


@given(one=name, other=name)
def test_two_names_have_the_same_place_exactly_where_they_are_equal(one: str, other: str) -> None:
    places = [numbered("observation", n) or observation_key(n) for n in (one, other)]
    assert (places[0] == places[1]) == (one == other)
    assert [len(place) for place in places] == [32, 32]


def test_numbers_of_one_run_lie_in_their_order_side_by_side() -> None:
    found = [numbered("observation", f"sidecar-1/{i}") or b"" for i in (0, 9, 10, 255, 256, 10**18 - 1)]
    assert found == sorted(found)
    assert len({place[:24] for place in found}) == 1


@pytest.mark.parametrize("kind", ["fact", "score", "probe_planned"])
def test_other_records_lie_where_their_hash_says(kind: str) -> None:
    assert numbered(kind, "sidecar-1/7") is None


def test_logs_of_earlier_versions_keep_hashes() -> None:
    assert [placing(version) for version in (1, 2, 3)] == [hashed, hashed, numbered]


RECORDS: list[Record] = [call("run/1"), call("run/2"), Fact(id="run/1", type="notice", when=1), call("x")]


@pytest.mark.parametrize("version", [2, 3])
def test_a_log_of_each_version_knows_repeats_and_contradictions_also_when_sealed(tmp_path: Path, version: int) -> None:
    RowLog.open(tmp_path, clock=Watch()).close()
    with sqlite3.connect(tmp_path / "rows.db") as rows:
        rows.execute(f"PRAGMA user_version={version}")
    rows.close()
    for part in range(3):
        with RowLog.open(tmp_path, clock=Watch()) as log:
            assert log.append(RECORDS).repeated == (0 if part == 0 else len(RECORDS))
            assert log.append([call("run/1", status=500 + part)]).conflicts[0].first_seq == 1
            seal_all(log)
    with sqlite3.connect(tmp_path / "rows.db") as rows:
        assert rows.execute("PRAGMA user_version").fetchone() == (version,)
        hashes = {idempotency_key(record) for record in RECORDS}
        kept = {key for (key,) in rows.execute("SELECT key FROM idem")}
    rows.close()
    assert len(hashes & kept) == (4 if version == 2 else 2)
    assert again_as_sealed(tmp_path) == again_by_hand(everything(tmp_path)) == [5, 6, 7]
    assert check(tmp_path).whole
