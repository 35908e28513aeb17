"""slaguard — AI vendor SLA monitoring: reads the contract, watches the vendor, decides, and writes the claim.

The public names, loaded when first used:

    agreement = load("agreement.yaml")
    period = resolve(agreement.agreement, "2026-10")
    demands = requirements(agreement.agreement, period, facts, as_of)
    evaluation = evaluate(agreement.agreement, period, evidence, as_of, spec_sha256=agreement.spec_sha256)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Agreement": "slaguard.spec.model",
    "Evaluation": "slaguard.evaluation.result",
    "Evidence": "slaguard.records",
    "Observation": "slaguard.records",
    "Score": "slaguard.records",
    "Adjudication": "slaguard.records",
    "Incident": "slaguard.records",
    "Fact": "slaguard.records",
    "Outcome": "slaguard.terms",
    "Grade": "slaguard.terms",
    "Money": "slaguard.terms",
    "Reason": "slaguard.terms",
    "Verdict": "slaguard.terms",
    "SlaguardError": "slaguard.errors",
    "SpecError": "slaguard.errors",
    "load": "slaguard.spec.load",
    "resolve": "slaguard.spec.resolve",
    "requirements": "slaguard.evaluation.requirements",
    "evaluate": "slaguard.evaluation.evaluate",
    "explain": "slaguard.spec.explain",
}

__all__ = [
    "Adjudication", "Agreement", "Evaluation", "Evidence", "Fact", "Grade", "Incident", "Money", "Observation", "Outcome",
    "Reason", "Score", "SlaguardError", "SpecError", "Verdict", "evaluate", "explain", "load", "requirements", "resolve",
]  # fmt: skip

if TYPE_CHECKING:
    from slaguard.errors import SlaguardError, SpecError
    from slaguard.evaluation.evaluate import evaluate
    from slaguard.evaluation.requirements import requirements
    from slaguard.evaluation.result import Evaluation
    from slaguard.records import Adjudication, Evidence, Fact, Incident, Observation, Score
    from slaguard.spec.explain import explain
    from slaguard.spec.load import load
    from slaguard.spec.model import Agreement
    from slaguard.spec.resolve import resolve
    from slaguard.terms import Grade, Money, Outcome, Reason, Verdict


def __getattr__(name: str) -> Any:
    """Load a public name from its home when it is first used."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    msg = f"module 'slaguard' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
