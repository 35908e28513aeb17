"""Every rule over intervals from the store's counts, partials included, is the same as from the records one by one."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from slaguard.evaluation.evaluate import evaluate
from slaguard.evaluation.requirements import requirements
from slaguard.ledger.read import open_store
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import seal_all
from slaguard.records import Record
from tests.evaluation.test_interval_laws import RULES
from tests.evaluation.world import DAY, MINUTE, START, agreement, call, judge, objective, period, watched
from tests.ledger.world import Watch

SLOW = {"field": "total_time", "more_than": "2s", "counts": "on_its_own"}
EDGES: dict[str, dict[str, Any]] = {
    **RULES,
    "slow by itself": {**RULES["runs"], "slow": SLOW},
    "slow as failed, in half minutes": {
        **RULES["any region"], "bin": "30s", "outage_rounding": "up", "slow": {**SLOW, "counts": "as_failed"},
    },
    "seven minutes from the start": {**RULES["mean of regions"], "bin": "7m", "align": "period_start"},
    "regions and clients while they stay": {
        **RULES["all regions"], "presence": {"from": "first_request", "to": "last_request"},
        "resources": {"by": ["region", "client_id"], "down_when": "all"},
    },
}  # fmt: skip


def records(seed: int) -> list[Record]:
    rng = random.Random(seed)
    made: list[Record] = [watched()]
    for i in range(400):
        fields = {"region": rng.choice(["eu", "us", None]), "client_id": rng.choice(["a", "b"]), "n": i}
        took = rng.choice([None, 10**9, 2 * 10**9, 2 * 10**9 + 1, 5 * 10**9])
        at, outcome = rng.randrange(-5 * MINUTE, 45 * MINUTE), rng.choice(["ok", "error_500"])
        made.append(call(at, outcome, total_time_ns=took, **fields))
    return made


@pytest.mark.parametrize("rule", EDGES.values(), ids=EDGES)
def test_the_store_and_its_partials_say_what_the_records_say(rule: dict[str, Any], tmp_path: Path) -> None:
    bound = {} if rule["rule"] == "dual_threshold" else {"at_least": "90%"}
    contract, span, world = agreement(objective(rule, **bound)), period(40), records(7)
    half = len(world) // 2
    for part in (world[:half], world[half:]):
        with RowLog.open(tmp_path, clock=Watch(START)) as log:
            log.append(part)
            seal_all(log)
    wanted = judge(contract, span, world).objectives
    as_of = span.end + DAY
    for _ in range(2):  # the second time from partials
        with open_store(tmp_path) as store:
            evidence = store.answer(requirements(contract, span, (), as_of))
        assert evaluate(contract, span, evidence, as_of, spec_sha256="0" * 64).objectives == wanted
