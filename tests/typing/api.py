"""How a typed program uses slaguard. mypy reads it (``make lint``); nobody runs it.

Each line holds a promise of the public interface: a change that would break a user's type check breaks it here first.
"""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import assert_never, assert_type

from slaguard import (
    Evaluation,
    Evidence,
    Fact,
    Money,
    Reason,
    SlaguardError,
    SpecError,
    Verdict,
    evaluate,
    explain,
    load,
    requirements,
    resolve,
)
from slaguard.evaluation.demands import Demands


def one_period(
    path: Path, label: str, facts: tuple[Fact, ...], answer: Callable[[Demands], Evidence], as_of: int
) -> Evaluation:
    """Go from a contract to its verdicts."""
    loaded = load(path)
    period = resolve(loaded.agreement, label)
    evidence = answer(requirements(loaded.agreement, period, facts, as_of))
    return evaluate(loaded.agreement, period, evidence, as_of, spec_sha256=loaded.spec_sha256)


def words(path: Path) -> str:
    """Say a contract in plain English, or what is wrong with it."""
    try:
        return explain(load(path).agreement)
    except SpecError as error:
        return "\n".join(problem.render() for problem in error.problems)
    except SlaguardError as error:
        return str(error)


def settled(verdict: Verdict) -> bool:
    """Tell the four verdicts apart; there is no fifth, and none of them is a bool."""
    match verdict:
        case Verdict.BREACH | Verdict.COMPLIANT:
            return True
        case Verdict.INCONCLUSIVE | Verdict.INSUFFICIENT:
            return False
        case _:
            assert_never(verdict)


def owed(evaluation: Evaluation) -> dict[str, Reason]:
    """Name the broken promises and why."""
    return {result.name: result.reason for result in evaluation.breached}


def euros(amount: Decimal) -> Money:
    """Money is a Decimal with its currency."""
    money = Money(amount, "EUR")
    assert_type(money.amount, Decimal)
    assert_type(money.currency, str)
    return money
