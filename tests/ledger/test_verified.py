import shutil
import tempfile
from pathlib import Path

import pytest

from slaguard.errors import LedgerError
from slaguard.evaluation.demands import Demands
from slaguard.ledger import attached
from slaguard.ledger.partials import NAME
from slaguard.ledger.read import facts, open_store, read
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import seal_all
from slaguard.ledger.store import ColumnStore
from slaguard.ledger.whole import check
from slaguard.records import NS, Fact, Record
from slaguard.terms import OUTCOME_CODE, Outcome
from tests.ledger.test_read import CALLS, LATER, SPAN
from tests.ledger.test_writers import OK, only_segments, outcomes, write
from tests.ledger.world import START, Watch, call

ERROR = OUTCOME_CODE[Outcome.ERROR_500]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    outcome = [Outcome.OK, Outcome.OK, Outcome.ERROR_500]
    return write(tmp_path / "ledger", *(call(f"c{i}", outcome=outcome[i % 3], sent_at=START + i) for i in range(300)))


# ── a file's bytes ──────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("partials", [True, False])
def test_a_flipped_bit_in_a_segment_is_never_another_number_and_leaves_no_partial(ledger: Path, partials: bool) -> None:
    path = ledger / "segments" / "00000000.parquet"
    good = path.read_bytes()
    for at in range(4, len(good), len(good) // 12):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with (
            pytest.raises(LedgerError, match=r"00000000\.parquet: E-LOG-CORRUPT 0"),
            open_store(ledger, partials=partials) as store,
        ):
            store.answer(Demands((CALLS,), SPAN, LATER))
    path.write_bytes(good)
    assert outcomes(ledger) == {OK: 200, ERROR: 100}
    assert check(ledger).whole


def test_a_file_is_hashed_once_for_each_of_its_states(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[Path] = []
    real = attached.file_sha256

    def counting(path: Path) -> str:
        hashed.append(path)
        return real(path)

    monkeypatch.setattr(attached, "file_sha256", counting)
    for _ in range(3):
        (ledger / NAME).exists()
        with open_store(ledger) as store:
            assert len(list(store.observations())) == 300
    assert len(hashed) == 1
    path = ledger / "segments" / "00000000.parquet"
    path.write_bytes(path.read_bytes())
    with open_store(ledger) as store:
        assert len(list(store.observations())) == 300
    assert len(hashed) == 2


# ── published manifests ─────────────────────────────────────────────────────────────────────────────────────────────
def test_a_published_manifest_that_is_not_true_of_its_segment_is_named_where_no_row_log_vouches_for_it(ledger: Path) -> None:
    only_segments(ledger)
    path = ledger / "segments" / "00000000.json"
    good = path.read_bytes()
    assert outcomes(ledger) == {OK: 200, ERROR: 100}
    for at in range(good.index(b'"again"'), len(good), 3):
        other = good[at] ^ 1
        if not (chr(good[at]).isdigit() and chr(other).isdigit()):
            continue
        path.write_bytes(good[:at] + bytes([other]) + good[at + 1 :])
        try:
            assert outcomes(ledger) == {OK: 200, ERROR: 100}, "a digit that decides nothing"
        except LedgerError as error:
            assert "E-LOG-" in str(error)  # noqa: PT017 - either is right


def test_segments_without_any_manifest_are_named_and_are_no_vanished_writer(ledger: Path) -> None:
    host = ledger / "host-b"
    write(host, call("b"), name=7)
    only_segments(host)
    (host / "segments" / "00000000.json").unlink()
    with pytest.raises(LedgerError, match=r"host-b/segments/00000000\.parquet: E-LOG-MISSING  the manifest of this segment"):
        outcomes(ledger)
    with pytest.raises(LedgerError, match=r"00000000\.parquet: E-LOG-MISSING"):
        check(ledger)


def test_a_segment_newer_than_the_last_manifest_is_an_error_only_where_nobody_will_mend_it(tmp_path: Path) -> None:
    for i in range(2):
        write(tmp_path, call(f"a{i}"))
    (tmp_path / "segments" / "00000001.json").unlink()
    assert outcomes(tmp_path) == {OK: 2}
    assert {(f.code, f.is_error) for f in check(tmp_path).findings} == {("W-SEAL", False)}
    only_segments(tmp_path)
    with pytest.raises(LedgerError, match=r"00000001\.parquet: E-LOG-MISSING  the manifest"):
        outcomes(tmp_path)
    assert not check(tmp_path).whole


def test_a_copy_whose_manifest_came_before_its_segment_says_which_folder_it_is_and_how_to_copy(ledger: Path) -> None:
    write(ledger / "host-b", call("b"), name=7)
    only_segments(ledger / "host-b")
    (ledger / "host-b" / "segments" / "00000000.parquet").unlink()
    with pytest.raises(LedgerError, match=r"the copy in .*/host-b is not complete: .* manifests last \(rsync --exclude"):
        outcomes(ledger)


# ── which of several writers counts ─────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("sealed", [(True, True), (True, False), (False, True), (False, False)])
def test_a_writer_that_learns_later_takes_nothing_away_whatever_its_name(tmp_path: Path, sealed: tuple[bool, bool]) -> None:
    def records(known: int, outcome: Outcome) -> list[Record]:
        found: list[Record] = [call(f"c{i}", outcome=outcome, recorded_at=known) for i in range(5)]
        return [*found, Fact(id="f", type="ticket", when=START, recorded_at=known, start=known)]

    home = write(tmp_path / "ledger", *records(START + NS, Outcome.ERROR_500), name=9, seal=sealed[0])
    write(home / "import", *records(START + 40 * NS, Outcome.OK), name=1, seal=sealed[1])
    for as_of in (START + 2 * NS, START + 50 * NS):
        (table,) = read(home, Demands((CALLS,), SPAN, as_of)).tables.values()
        assert dict(zip(table.column("outcome").tolist(), table.n.tolist(), strict=True)) == {ERROR: 5}
        assert [f.start for f in facts(home, as_of)[0]] == [START + NS]
    with open_store(home) as store:
        assert (store.repeated, store.conflicts) == (6, 6)


def test_of_records_known_at_one_moment_the_name_of_the_log_decides(tmp_path: Path) -> None:
    home = write(tmp_path / "ledger", call("a", outcome=Outcome.ERROR_500, recorded_at=START), name=9)
    write(home / "w", call("a", recorded_at=START), name=1)
    assert outcomes(home) == {OK: 1}


# ── the temporary directory ─────────────────────────────────────────────────────────────────────────────────────────
def test_a_temporary_directory_that_is_missing_is_said_in_words(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(ledger / "gone"))
    for use in (lambda: open_store(ledger), lambda: check(ledger), ColumnStore):
        with pytest.raises(LedgerError, match=r"(?s)gone/.*: E-LEDGER-READ  temporary files cannot be written.*TMPDIR"):
            use()


def test_a_temporary_directory_that_goes_while_a_store_must_spill_is_said_in_words(tmp_path: Path) -> None:
    with ColumnStore(memory_limit="20MB", threads=1) as store:
        shutil.rmtree(store._directory.name)
        Path(store._directory.name).write_text("no folder")
        with pytest.raises(LedgerError, match=r"(?s)E-(DISK-FULL|LEDGER-READ).*TMPDIR"):
            store.add(call(f"c{i}", region="r" * 200 + str(i), request_id=f"{i * 7919:0200d}") for i in range(300_000))
        Path(store._directory.name).unlink()


# ── payloads ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_emptied_payload_store_is_named_as_such(tmp_path: Path) -> None:
    with RowLog.open(tmp_path, clock=Watch()) as log:
        log.append([call("a")], [b"answer"])
        seal_all(log)
    (tmp_path / "payloads.db").write_bytes(b"")
    (finding,) = check(tmp_path).findings
    assert (finding.code, finding.what) == ("E-PAYLOAD", "it holds no payloads' table: it was emptied, or is another program's")
