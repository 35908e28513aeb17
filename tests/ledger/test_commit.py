import threading
import time
from dataclasses import dataclass, field

import pytest

from slaguard.errors import LedgerError
from slaguard.ledger.commit import GroupCommit, Grouping


@dataclass(frozen=True)
class Ask:
    name: str
    size: int = 1


@dataclass
class Disk:
    """Takes groups; the first one waits until it is let go, so that others queue up behind it."""

    groups: list[list[str]] = field(default_factory=list)
    busy: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    failing: bool = False

    def write(self, asked: list[Ask]) -> list[str]:
        self.groups.append([a.name for a in asked])
        self.busy.set()
        assert self.go.wait(10)
        if self.failing:
            raise LedgerError("E-DISK-FULL  no room\n    make some")
        return [a.name.upper() for a in asked]


def behind_a_slow_commit(disk: Disk, grouping: Grouping, asked: list[Ask]) -> dict[str, str | LedgerError]:
    """Submit one request, then, while it is being committed, the others in order; return what each caller got."""
    commits: GroupCommit[Ask, str] = GroupCommit(disk.write, grouping)
    got: dict[str, str | LedgerError] = {}

    def submit(ask: Ask) -> None:
        try:
            got[ask.name] = commits.submit(ask)
        except LedgerError as error:
            got[ask.name] = error

    threads = [threading.Thread(target=submit, args=(ask,)) for ask in (Ask("first"), *asked)]
    threads[0].start()
    assert disk.busy.wait(10)
    for count, thread in enumerate(threads[1:], start=1):
        thread.start()
        while len(commits._queue) < count:
            time.sleep(0.001)
    disk.go.set()
    for thread in threads:
        thread.join(10)
    return got


def test_what_queues_up_during_a_commit_shares_the_next_one() -> None:
    disk = Disk()
    got = behind_a_slow_commit(disk, Grouping(rows=200, linger_ms=0), [Ask(n) for n in "abc"])
    assert disk.groups == [["first"], ["a", "b", "c"]]
    assert got == {"first": "FIRST", "a": "A", "b": "B", "c": "C"}


def test_a_group_takes_no_more_rows_than_its_limit_but_one_large_request_goes_alone() -> None:
    disk = Disk()
    asked = [Ask("a", 2), Ask("b", 2), Ask("c", 9), Ask("d", 1)]
    behind_a_slow_commit(disk, Grouping(rows=4, linger_ms=0), asked)
    assert disk.groups == [["first"], ["a", "b"], ["c"], ["d"]]


def test_when_a_commit_fails_every_caller_of_its_group_is_told() -> None:
    disk = Disk(failing=True)
    got = behind_a_slow_commit(disk, Grouping(linger_ms=0), [Ask("a"), Ask("b")])
    assert all(isinstance(answer, LedgerError) and "E-DISK-FULL" in str(answer) for answer in got.values())
    assert got["a"] is not got["b"]


def test_a_commit_that_is_cut_off_leaves_nobody_waiting() -> None:
    def cut_off(asked: list[Ask]) -> list[str]:
        raise KeyboardInterrupt

    commits: GroupCommit[Ask, str] = GroupCommit(cut_off, Grouping())
    with pytest.raises(KeyboardInterrupt):
        commits.submit(Ask("a"))
    with pytest.raises(KeyboardInterrupt):
        commits.submit(Ask("b"))


def test_a_lone_writer_does_not_linger() -> None:
    commits: GroupCommit[Ask, str] = GroupCommit(lambda asked: [a.name for a in asked], Grouping(linger_ms=2000))
    start = time.monotonic()
    for n in range(20):
        commits.submit(Ask(str(n)))
    assert time.monotonic() - start < 2


def test_a_leader_lingers_no_longer_than_it_may_for_those_who_came_last_time() -> None:
    disk = Disk()
    disk.go.set()
    commits: GroupCommit[Ask, str] = GroupCommit(disk.write, Grouping(linger_ms=50))
    commits._expected = 3
    start = time.monotonic()
    commits.submit(Ask("a"))
    first = time.monotonic() - start
    start = time.monotonic()
    commits.submit(Ask("b"))
    assert first > 0.04
    assert time.monotonic() - start < 0.04
