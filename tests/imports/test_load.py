"""The doors of the room: a store, a ledger, Evidence."""

from pathlib import Path

import pytest

from slaguard.evaluation.demands import Condition, Counts, Demands
from slaguard.imports.load import evidence, load_records, read
from slaguard.imports.reader import Options
from slaguard.ledger.read import read as read_ledger
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.store import ColumnStore
from slaguard.ledger.table import parse_time
from slaguard.records import Fact, Instant
from slaguard.terms import Source
from tests.imports.world import HEAD, mapping

START, END = parse_time("2026-10-01T00:00:00Z"), parse_time("2026-11-01T00:00:00Z")
AS_OF = END + 10**15
LOG = HEAD + "".join(
    f"2026-10-{i % 28 + 1:02d}T00:{i % 60:02d}:00Z,{(200, 200, 503, 429)[i % 4]},{i * 7}\n" for i in range(500)
)
DEMANDS = Demands(
    counts=(
        Counts(
            source=Source.TRAFFIC, span=(START, END), as_of=AS_OF, where=(Condition("vendor", ("Acme AI",)),), marks=(),
            keys=("bin", "clock", "outcome", "known", "total_time"), bin_ns=300 * 10**9,
        ),
    ),
    span=(START, END),
    as_of=AS_OF,
)  # fmt: skip


class Stopped:
    """A clock that stands still after the period."""

    def read(self) -> Instant:
        return Instant(AS_OF - 1, 0, "boot")

    async def sleep_until(self, wall_ns: int) -> None:
        raise NotImplementedError


@pytest.fixture
def log(tmp_path: Path) -> str:
    path = tmp_path / "log.csv"
    path.write_text(LOG)
    return str(path)


def test_files_and_a_ledger_of_the_same_records_give_the_same_evidence(log: str, tmp_path: Path) -> None:
    how = mapping(covers="2026-10-01T00:00:00Z/2026-11-01T00:00:00Z")
    from_files = evidence([log], how, DEMANDS)
    with RowLog.open(tmp_path / "ledger", clock=Stopped()) as ledger:
        ledger.append(read([log], how, Options(recorded=False)))
    from_ledger = read_ledger(tmp_path / "ledger", DEMANDS)
    assert from_files.sha256() == from_ledger.sha256()
    assert from_files.tables[DEMANDS.counts[0].sha256()].n.sum() == 500
    assert from_files.coverage[Source.TRAFFIC] == ((START, END),)


def test_facts_given_beside_the_files_stand_in_the_evidence(log: str) -> None:
    fact = Fact(id="F-1", type="invoice", when=START)
    assert evidence([log], mapping(), DEMANDS, facts=[fact]).facts == (fact,)


def test_options_are_taken_as_a_user_types_them(log: str) -> None:
    with ColumnStore() as store:
        report = load_records([log], "auto", store, covers="2026-10-01T00:00:00Z/2026-11-01T00:00:00Z", vendor="Acme AI")
        found = store.answer(DEMANDS)
    assert report.observations == 500
    assert found.tables[DEMANDS.counts[0].sha256()].n.sum() == 500
