"""The JSON Schema of an Agreement as people write it: what an editor completes, explains and underlines.

It is made from the models: their normal form, with everything optional that a profile may supply, and with the
shorthands of the notation beside the long forms. `python -m slaguard.spec.schema` prints it; a test holds
`sla_specs/schema.json` to it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, Final

from slaguard.spec.model import Agreement
from slaguard.spec.translate import INHERITED
from slaguard.terms import OUTCOME_GROUPS

Fragment = dict[str, Any]
TITLE: Final = "slaguard Agreement"
_REFERENCE: Final = r"^[a-z0-9][a-z0-9-]*(/[a-z0-9][a-z0-9-]*)*@[0-9][0-9.-]*$"
_REQUIRED: Final[dict[str, list[str]]] = {
    "Agreement": ["apiVersion", "kind", "name", "version", "customer", "contract", "effective", "objectives"],
    "Objective": ["name"],
    "Clause": ["where"],
    "Contract": ["id"],
    "Service": ["id"],
    "Exclusion": ["id"],
    "GoldenSetRef": ["id"],
}
"""What no profile can supply, and what a list is merged by."""
_TEXT: Final[Fragment] = {"type": ["string", "number"]}
_PERCENT: Final[Fragment] = {"type": "string", "pattern": r"^\d+(\.\d+)?%$"}
_MONEY: Final[Fragment] = {"type": "string", "pattern": r"^\d+(\.\d+)? [A-Z]{3}$"}
_DURATION: Final[Fragment] = {"type": "string", "pattern": r"^\d+(ms|s|m|h|d|w)$"}
_SHORT: Final[dict[tuple[str, str], Fragment]] = {
    ("Objective", "clause"): _TEXT,
    ("Objective", "golden_set"): {"type": "string", "pattern": _REFERENCE},
    ("Agreement", "contract"): _TEXT,
    ("Agreement", "fee"): _MONEY,
    ("Agreement", "combine"): {"enum": ["greater_of", "sum_to_cap", "customer_elects"]},
    ("Exclusion", "cap"): _DURATION,
}
"""Short forms that stand beside the long one."""


def schema() -> Fragment:
    """Return the JSON Schema (2020-12) of the source form of an Agreement."""
    made = Agreement.model_json_schema()
    definitions: dict[str, Fragment] = {
        name: _defined(name, found) for name, found in made.pop("$defs").items() if name != "Step"
    }
    root = _defined("Agreement", made)
    objective = definitions["Objective"]["properties"]
    for name in INHERITED:
        about = f"{objective[name]['description']} Here: for every Objective that does not say it itself."
        root["properties"][name] = {**objective[name], "description": about}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": TITLE,
        **{key: value for key, value in root.items() if key != "title"},
        "$defs": {"Use": _use(), **definitions},
    }


def _defined(name: str, found: Fragment) -> Fragment:
    """Return one model as a document may write it."""
    if "properties" not in found:  # a closed list of words
        return {key: value for key, value in found.items() if key != "title"}
    properties = {key: _property(name, key, value) for key, value in found["properties"].items()}
    written = {"type": "object", "description": found["description"], "properties": properties, "additionalProperties": False}
    if name in _REQUIRED:
        written["required"] = _REQUIRED[name]
    special = _SPECIAL.get(name)
    return special(written) if special else written


def _property(owner: str, key: str, found: Fragment) -> Fragment:
    kept = {k: v for k, v in found.items() if k not in {"title", "default", "discriminator", "minLength"}}
    forms = kept.pop("anyOf", None) or kept.pop("oneOf", None)
    if forms is None:
        described = kept.pop("description", None)
        forms = [kept]
        kept = {"description": described}
    forms = [_leaf(form) for form in forms if form != {"type": "null"}]
    if (owner, key) in _SHORT:
        forms.insert(0, _SHORT[owner, key])
    return {**kept, **(forms[0] if len(forms) == 1 else {"anyOf": forms})}


def _leaf(form: Fragment) -> Fragment:
    """Return one form of a value without the words that only repeat what the field says."""
    kept = {k: v for k, v in form.items() if k not in {"title", "description", "minLength"}}
    for inner in ("items", "additionalProperties"):
        if isinstance(kept.get(inner), dict):
            kept[inner] = _leaf(kept[inner])
    return kept


# ── what only the source form has ───────────────────────────────────────────────────────────────────────────────────
def _use() -> Fragment:
    one: Fragment = {"type": "string", "pattern": _REFERENCE}
    given: Fragment = {
        "type": "object",
        "patternProperties": {_REFERENCE: {"type": "object", "description": "The profile's parameters."}},
        "additionalProperties": False,
    }
    entry: Fragment = {"anyOf": [one, given]}
    return {
        "description": "Profiles whose terms are taken over, as name@version, with their parameters if they have any.",
        "anyOf": [one, given, {"type": "array", "items": entry}],
    }


def _used(written: Fragment) -> Fragment:
    described = {"$ref": "#/$defs/Use", "description": "Profiles whose terms are taken over, as name@version."}
    return {**written, "properties": {**written["properties"], "use": described}}


def _objective(written: Fragment) -> Fragment:
    extra: Fragment = {
        "credits": {
            "type": "object",
            "description": written["properties"]["credits"]["description"],
            "patternProperties": {r"^(below|above) \d+(\.\d+)?(%|ms|s|m|h)$": _PERCENT},
            "additionalProperties": False,
        },
    }
    return _used({**written, "properties": {**written["properties"], **extra}})


def _outcomes(written: Fragment) -> Fragment:
    properties = dict(written["properties"])
    for word, members in OUTCOME_GROUPS.items():
        properties[word] = {"description": f"Both {' and '.join(members)}.", "$ref": "#/$defs/Count"}
    after = {
        "type": "object",
        "properties": {
            "after": {"description": properties["timeout_after"]["description"], **_DURATION},
            "as": {"description": properties["timeout"]["description"], "$ref": "#/$defs/Count"},
        },
        "required": ["after", "as"],
        "additionalProperties": False,
    }
    timeout = properties["timeout"]
    properties["timeout"] = {"description": timeout["description"], "anyOf": [{"$ref": "#/$defs/Count"}, after]}
    return {**written, "properties": properties}


def _predicate(written: Fragment) -> Fragment:
    scalar: Fragment = {"type": ["string", "number", "boolean"]}
    many: Fragment = {"type": "array", "items": scalar, "minItems": 1}
    return {"description": written["description"], "anyOf": [scalar, many, {"$ref": "#/$defs/Limits"}]}


def _limits(written: Fragment) -> Fragment:
    return {**written, "minProperties": 1, "maxProperties": 1}


_SPECIAL: Final[dict[str, Callable[[Fragment], Fragment]]] = {
    "Agreement": _used,
    "Objective": _objective,
    "Outcomes": _outcomes,
    "PredicateForm": _predicate,
    "Limits": _limits,
}


def text() -> str:
    """Return the schema as the file `sla_specs/schema.json` holds it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
