"""Every rule answered from segments and partials has the result of the same rule from the records themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slaguard.evaluation.evaluate import evaluate
from slaguard.evaluation.requirements import requirements
from slaguard.ledger.read import open_store
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import seal_all
from tests.evaluation.test_filters import BACKOFF, ENTITLED, REPEATS, traffic
from tests.evaluation.test_speed import MEAN, P50, SHARE
from tests.evaluation.world import DAY, RATIO, RUNS, START, agreement, answer, objective, period
from tests.evaluation.world import MEAN as INTERVALS
from tests.ledger.world import Watch

FAST = {"tokens": "output_tokens", "over": "request", "more_than": "9"}
WITHIN = {"field": "total_time", "within": {"at_most": "2s"}, "failed": "miss", "min_requests": "0"}
RULES: dict[str, dict[str, Any]] = {
    "mean of intervals": objective(INTERVALS, at_least="90%"),
    "runs": objective(RUNS, at_least="90%"),
    "runs with back-off": objective({**RUNS, "backoff": BACKOFF}, at_least="90%"),
    "ratio": objective(RATIO, at_most="20%"),
    "ratio, repeats": objective({**RATIO, "repeats": REPEATS}, at_most="20%"),
    "ratio, entitlement": objective(RATIO, at_most="20%", eligible={"entitlement": {**ENTITLED, "tokens": "900"}}),
    "percentile": objective(
        {"rule": "percentile", "field": "total_time", "p": "90%", "failed": "exceed", "min_requests": "0"}, at_most="2s"
    ),
    "within": objective(
        {
            "rule": "request_attainment",
            "field": "total_time",
            "within": {"at_most": "2s"},
            "failed": "miss",
            "min_requests": "0",
        },
        at_least="90%",
    ),
    "median speed": objective({**P50, "speed": FAST}, at_least="90%"),
    "share by speed": objective({**SHARE, "speed": FAST}, at_least="9%"),
    "mean speed": objective({**MEAN, "of": {"speed": {"tokens": "output_tokens", "over": "request"}}}, at_least="9"),
    "mean time": objective({**MEAN, "of": {"field": "total_time"}, "weights": "requests"}, at_most="9s"),
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_from_partials_has_the_result_of_the_rule_from_records(tmp_path: Path, name: str) -> None:
    contract, span, as_of = agreement(RULES[name]), period(20), START + 3 * DAY
    records = traffic(len(name))
    demands = requirements(contract, span, (), as_of)
    expected = evaluate(contract, span, answer(demands, records), as_of, spec_sha256="0" * 64)
    with RowLog.open(tmp_path / "ledger", clock=Watch()) as log:
        for first in range(0, len(records), 40):
            log.append(records[first : first + 40])
            if first < 100:
                seal_all(log)
    for partials in (False, True, True):
        with open_store(tmp_path / "ledger", partials=partials, threads=1) as store:
            found = evaluate(contract, span, store.answer(demands), as_of, spec_sha256="0" * 64)
        assert found.objectives == expected.objectives
