import itertools
import os
import shutil
from pathlib import Path

import pytest

from slaguard.errors import LedgerError
from slaguard.evaluation.demands import Demands
from slaguard.ledger.publish import Step, publish, steps
from slaguard.ledger.read import open_store, read
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import seal_all
from slaguard.ledger.whole import check
from tests.ledger.sealing import calls, names, sealed_ledger
from tests.ledger.test_read import CALLS, LATER, SPAN
from tests.ledger.world import Watch


@pytest.fixture
def log(tmp_path: Path) -> RowLog:
    """A writer of 30 calls, 20 of them in two segments."""
    return sealed_ledger(tmp_path / "writer")


def files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted((folder / "segments").iterdir())}


def test_what_is_sealed_is_copied_byte_for_byte_and_can_be_read_alone(log: RowLog, tmp_path: Path) -> None:
    copy = tmp_path / "shared" / "pod-a" / "sidecar"
    assert publish(log.directory, copy) == 2
    assert files(copy) == files(log.directory)
    with open_store(copy) as store:
        assert len(list(store.observations())) == 20
    assert check(copy).whole


def test_publishing_again_copies_only_what_is_new_and_touches_nothing_else(log: RowLog, tmp_path: Path) -> None:
    publish(log.directory, tmp_path / "copy")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "copy" / "segments").iterdir()}
    assert publish(log.directory, tmp_path / "copy") == 0
    assert seal_all(log) == 1
    assert publish(log.directory, tmp_path / "copy") == 1
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert files(tmp_path / "copy") == files(log.directory)


def test_a_writer_without_segments_publishes_nothing(tmp_path: Path) -> None:
    with RowLog.open(tmp_path / "writer", clock=Watch()):
        assert publish(tmp_path / "writer", tmp_path / "copy") == 0
    assert not (tmp_path / "copy").exists()


def test_each_parquet_file_comes_before_its_manifest_and_segments_in_order(log: RowLog, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    seen = [(step, [name for name in names(copy) if not name.startswith(".")]) for step in steps(log.directory, copy)]
    first, second = ["00000000.json", "00000000.parquet"], ["00000001.json", "00000001.parquet"]
    assert seen == [
        (Step.COPIED, []),
        (Step.NAMED, first[1:]),
        (Step.PUBLISHED, first),
        (Step.COPIED, first),
        (Step.NAMED, [*first, second[1]]),
        (Step.PUBLISHED, [*first, *second]),
    ]


@pytest.mark.parametrize("done", range(7))
def test_killed_after_any_step_the_next_call_goes_on(log: RowLog, tmp_path: Path, done: int) -> None:
    copy = tmp_path / "copy"
    list(itertools.islice(steps(log.directory, copy), done))
    assert publish(log.directory, copy) == 2 - done // 3
    assert files(copy) == files(log.directory)


def test_a_copy_that_was_cut_under_its_temporary_name_is_made_anew(log: RowLog, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    (copy / "segments").mkdir(parents=True)
    (copy / "segments" / ".00000000.parquet.part").write_bytes(b"PAR1 and no more")
    assert publish(log.directory, copy) == 2
    assert files(copy) == files(log.directory)


def test_a_manifest_that_is_missing_in_the_middle_is_put_back(log: RowLog, tmp_path: Path) -> None:
    publish(log.directory, tmp_path / "copy")
    (tmp_path / "copy" / "segments" / "00000000.json").unlink()
    assert publish(log.directory, tmp_path / "copy") == 1
    assert files(tmp_path / "copy") == files(log.directory)


# ── nothing is written over ─────────────────────────────────────────────────────────────────────────────────────────
def refusal(folder: Path, destination: Path) -> str:
    with pytest.raises(LedgerError) as raised:
        publish(folder, destination)
    assert str(raised.value).count("\n    ") == 1
    return str(raised.value)


def test_another_file_of_the_same_name_is_left_as_it_is(log: RowLog, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    (copy / "segments").mkdir(parents=True)
    path = copy / "segments" / "00000000.parquet"
    path.write_bytes(b"somebody else's")
    assert refusal(log.directory, copy).startswith(f"{path}: E-PUBLISH  it is not {log.directory}")
    assert path.read_bytes() == b"somebody else's"
    assert names(copy) == ["00000000.parquet"]


def test_the_copy_of_another_writer_is_no_place_to_publish(log: RowLog, tmp_path: Path) -> None:
    with RowLog.open(tmp_path / "other", clock=Watch()) as other:
        other.append(calls(0, 3))
        seal_all(other)
    publish(tmp_path / "other", tmp_path / "copy")
    before = files(tmp_path / "copy")
    assert "E-PUBLISH  it is the manifest of another log" in refusal(log.directory, tmp_path / "copy")
    assert files(tmp_path / "copy") == before


def test_a_copy_that_knows_more_than_the_writer_is_not_added_to(log: RowLog, tmp_path: Path) -> None:
    publish(log.directory, tmp_path / "copy")
    for name in ("00000001.json", "00000001.parquet"):
        (log.directory / "segments" / name).unlink()
    assert "E-PUBLISH  it is the manifest of another log" in refusal(log.directory, tmp_path / "copy")


def test_a_writers_own_folder_is_no_place_to_publish(log: RowLog) -> None:
    assert "E-PUBLISH  a writer works in this folder" in refusal(log.directory, log.directory)


def test_a_segment_that_is_not_what_was_sealed_is_not_published(log: RowLog, tmp_path: Path) -> None:
    path = log.directory / "segments" / "00000001.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert f"{path}: E-LOG-CORRUPT 11" in refusal(log.directory, tmp_path / "copy")
    assert names(tmp_path / "copy") == ["00000000.json", "00000000.parquet"]
    path.unlink()
    assert f"{path}: E-LOG-MISSING" in refusal(log.directory, tmp_path / "copy")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_destination_that_cannot_be_written_is_named(log: RowLog, tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0o500)
    assert "E-LEDGER-WRITE  segments cannot be published" in refusal(log.directory, tmp_path / "shut" / "copy")


def test_a_destination_that_is_a_file_is_named(log: RowLog, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "E-LEDGER-WRITE  segments cannot be published" in refusal(log.directory, tmp_path / "file")


def test_a_published_writer_beside_its_own_folder_counts_once(log: RowLog, tmp_path: Path) -> None:
    publish(log.directory, tmp_path / "published")
    (one,) = read(log.directory, Demands((CALLS,), SPAN, LATER)).tables.values()
    (both,) = read(tmp_path, Demands((CALLS,), SPAN, LATER)).tables.values()
    assert one.content() == both.content()
    shutil.rmtree(tmp_path / "published")


def test_a_reader_between_the_two_names_of_a_segment_reads_those_before_it(log: RowLog, tmp_path: Path) -> None:
    copy = tmp_path / "copies" / "pod"
    publish(log.directory, copy)
    whole = len(list(copy.glob("segments/*.json")))
    assert whole > 1
    for at, step in enumerate(steps(log.directory, tmp_path / "again" / "pod")):
        if step is Step.NAMED and at >= 3:  # before the first one there is no ledger
            with open_store(tmp_path / "again") as store:
                assert store.conflicts == 0
        assert at < 3 * whole
    with open_store(tmp_path / "again") as ours, open_store(tmp_path / "copies") as theirs:
        assert list(ours.observations()) == list(theirs.observations())
