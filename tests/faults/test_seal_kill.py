"""A writer is killed at any time while it seals: nothing that was acknowledged is lost, and nothing is there twice.

This is blind to power loss: the page cache outlives a process. It shows that what is half done is undone or finished.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import seal_all
from tests.ledger.sealing import everything, manifests, names
from tests.ledger.world import Watch

REPO = Path(__file__).resolve().parents[2]
CYCLES = 15

Ack = tuple[int, int, list[str]]


def killed_writer(writers: subprocess.Popen[str], seed: int, count: int, longer: float) -> list[Ack]:
    """Let a writer live for so many acknowledgements and a moment longer, kill it, and return all it was told."""
    assert writers.stdin is not None
    assert writers.stdout is not None
    writers.stdin.write(f"{seed}\n")
    writers.stdin.flush()
    pid = int(writers.stdout.readline())
    acks: list[Ack] = [json.loads(writers.stdout.readline()) for _ in range(count)]
    time.sleep(longer)
    os.kill(pid, signal.SIGKILL)
    while (ack := json.loads(writers.stdout.readline())) is not None:
        acks.append(ack)
    return acks


@pytest.mark.faults
def test_fifteen_writers_killed_while_they_seal_lose_nothing_they_had_acknowledged(tmp_path: Path) -> None:
    chance = random.Random(11)
    command = [sys.executable, "-m", "tests.faults.sealer", str(tmp_path)]
    acknowledged: dict[int, str] = {}
    found: list[bytes] = []
    with subprocess.Popen(command, cwd=REPO, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writers:
        for cycle in range(CYCLES):
            for first, last, said in killed_writer(writers, cycle, chance.randrange(50, 250), chance.uniform(0, 0.06)):
                acknowledged.update(zip(range(first, last + 1), said, strict=True))
            with RowLog.open(tmp_path, clock=Watch()) as log:
                next_seq = log.next_seq
            found = everything(tmp_path)
            assert len(found) == next_seq
            bodies = {seq: json.loads(header) for seq, header in enumerate(found)}
            assert {seq: bodies[seq]["id"] for seq in acknowledged} == acknowledged
            assert len({body["id"] for body in bodies.values() if "id" in body}) == next_seq - 1
            assert names(tmp_path) == [f"{m.ix:08d}.{kind}" for m in manifests(tmp_path) for kind in ("json", "parquet")]
    assert len(acknowledged) > CYCLES * 50, "the writers hardly wrote"
    assert len(manifests(tmp_path)) > CYCLES, "the writers hardly sealed"
    with RowLog.open(tmp_path, clock=Watch()) as log:
        seal_all(log)
    assert everything(tmp_path) == found
