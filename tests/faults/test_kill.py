"""A writer is killed at any time: nothing that was acknowledged is lost.

This is blind to power loss: the page cache outlives a process. It shows that what is half done is undone.
"""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from slaguard.ledger.headers import leaf
from slaguard.ledger.read import open_store
from slaguard.ledger.rowlog import RowLog
from tests.ledger.world import Watch

REPO = Path(__file__).resolve().parents[2]
CYCLES = 30


Ack = tuple[int, int, list[str]]


def killed_writer(writers: subprocess.Popen[str], seed: int, life: float) -> list[Ack]:
    """Let a writer live for so long, kill it, and return what it had been told was on disk."""
    assert writers.stdin is not None
    assert writers.stdout is not None
    writers.stdin.write(f"{seed}\n")
    writers.stdin.flush()
    pid = int(writers.stdout.readline())
    time.sleep(life)
    os.kill(pid, signal.SIGKILL)
    acks: list[Ack] = []
    while (ack := json.loads(writers.stdout.readline())) is not None:
        acks.append(ack)
    return acks


def rows_of(directory: Path) -> dict[int, dict[str, Any]]:
    connection = sqlite3.connect(f"file:{directory / 'rows.db'}?mode=ro", uri=True)
    found: dict[int, dict[str, Any]] = {}
    for seq, header, kept in connection.execute("SELECT seq, hdr, leaf FROM rows ORDER BY seq"):
        assert seq == len(found), "a gap"
        assert leaf(header) == kept
        found[seq] = json.loads(header)
    connection.close()
    return found


def payloads_of(directory: Path) -> set[int]:
    connection = sqlite3.connect(f"file:{directory / 'payloads.db'}?mode=ro", uri=True)
    found = {seq for (seq,) in connection.execute("SELECT seq FROM payloads")}
    connection.close()
    return found


@pytest.mark.faults
def test_thirty_killed_writers_lose_nothing_they_had_acknowledged(tmp_path: Path) -> None:
    chance = random.Random(7)
    command = [sys.executable, "-m", "tests.faults.appender", str(tmp_path)]
    acknowledged: dict[int, str] = {}
    rows: dict[int, dict[str, Any]] = {}
    with subprocess.Popen(command, cwd=REPO, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writers:
        for cycle in range(CYCLES):
            for first, last, ids in killed_writer(writers, cycle, chance.uniform(0, 0.12)):
                acknowledged.update(zip(range(first, last + 1), ids, strict=True))
            with RowLog.open(tmp_path, clock=Watch()) as log:
                next_seq = log.next_seq
            rows = rows_of(tmp_path)
            assert len(rows) == next_seq
            assert {seq: rows[seq]["id"] for seq in acknowledged} == acknowledged
            assert payloads_of(tmp_path) == {seq for seq, row in rows.items() if "payload_commit" in row}
    assert len(acknowledged) > CYCLES * 10, "the writers hardly wrote"
    with open_store(tmp_path) as store:
        assert len(list(store.observations())) == len(rows) - 1
