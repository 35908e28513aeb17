"""From the file slaguard.yaml to a `Config`: strict notation, every problem with its place, secrets from where they are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from slaguard.config import MAX_SECRET, Config, Secret, SecretRef, resolve
from slaguard.errors import ConfigError, Place, Problem, SpecError
from slaguard.files import FileRefused, read_regular
from slaguard.spec.nodes import Map, Scalar, Spot, locate, nearest, plain, show, shown
from slaguard.spec.notation import parse
from slaguard.spec.reading import read_text
from slaguard.spec.translate import choice, known_keys

SHOWN: Final = 10
CODE: Final = "E-CONFIG"
_FIRST: Final = "write at least `ledger: {path: ./ledger}` and the vendors and probes you have"
_NEVER_SHOWN: Final = frozenset({"key", "base_url", "url"})


def load_config(path: Path) -> Config:
    """Return the configuration of a file; relative paths in it start from its folder.

    Raises:
        ConfigError: everything that is wrong with it, each with file:line:column.

    """
    try:
        text = read_text(path)
    except SpecError as error:
        raise _refused(error.problems) from None
    return parse_config(text, path)


def parse_config(text: str, path: Path) -> Config:
    """Return the configuration that a text holds; `path` gives its name in messages and the folder it stands in.

    Raises:
        ConfigError: as `load_config`.

    """
    parsed = parse(text, str(path))
    if parsed.root is None:
        raise _refused(parsed.problems if text.strip() else [Problem(CODE, Place(str(path)), "", "the file is empty", _FIRST)])
    problems = list(parsed.problems)
    try:
        config = Config.model_validate(plain(parsed.root), context={"base": path.parent, "source": str(path)})
    except ValidationError as error:
        problems += _problems(error, parsed.root, parsed.broken)
        raise _refused(problems) from None
    if problems:
        raise _refused(problems)
    return config


def secret(ref: SecretRef, folder: Path) -> Secret:
    """Return the secret a reference leads to; a relative `file:` starts from `folder`.

    Raises:
        ConfigError: it is not there, or no key.

    """

    def read(name: str) -> bytes:
        try:
            return read_regular(folder / name, limit=MAX_SECRET, follow=True)
        except FileRefused as error:
            raise ConfigError(f"{ref}: {error.text}\n    {error.mend}") from None

    return resolve(ref, os.environ, read)


def _refused(problems: Iterable[Problem]) -> ConfigError:
    found = sorted(problems, key=lambda p: p.place)
    blocks = [Problem(CODE, p.place, p.path, p.text, p.mend).render() for p in found[:SHOWN]]
    if len(found) > SHOWN:
        blocks.append(f"    and {len(found) - SHOWN} more")
    return ConfigError("\n".join(blocks))


def _problems(error: ValidationError, root: Map, broken: frozenset[str]) -> Iterator[Problem]:
    details = error.errors(include_url=False, include_input=False)
    meant = {(*d["loc"][:-1], _meant(d)) for d in details if d["type"] == "extra_forbidden"}
    for detail in details:
        spot = locate(root, detail["loc"])
        # Told already: a key without a value, and a key that is there, misspelt.
        if spot.path not in broken and not (detail["type"] == "missing" and detail["loc"] in meant):
            yield _problem(detail, spot)


def _meant(detail: ErrorDetails) -> str | None:
    """Return the key that an unknown one is near to."""
    return nearest(str(detail["loc"][-1]), known_keys(Config, detail["loc"][:-1]))


def _problem(detail: ErrorDetails, spot: Spot) -> Problem:
    kind, location = detail["type"], detail["loc"]
    key = str(location[-1]) if location else ""
    place = spot.node.place if isinstance(spot.node, Scalar) else spot.key_place
    if kind == "extra_forbidden":
        meant = _meant(detail)
        there = ", ".join(known_keys(Config, location[:-1]))
        mend = f"did you mean {meant}?" if meant else f"there is no such key here; there are {there}"
        return Problem(CODE, spot.key_place, spot.path, "unknown key", mend)
    if kind == "missing":
        return Problem(CODE, spot.key_place, spot.path, "missing", f"write `{key}: ...` here")
    text = "not shown" if key in _NEVER_SHOWN else show(spot.node)
    return Problem(CODE, place, spot.path, text, _mend(detail, spot))


def _mend(detail: ErrorDetails, spot: Spot) -> str:
    match detail["type"]:
        case "config":
            return detail["msg"]
        case "literal_error":
            words = [w for w in str(detail.get("ctx", {}).get("expected", "")).split("'") if w.isalpha() and w != "or"]
            return choice(spot.node.text if isinstance(spot.node, Scalar) else "", words)
        case "model_type" | "model_attributes_type" | "dict_type":
            return "write a map of keys and values here"
        case "tuple_type":
            return "write a list here"
        case _:
            return shown(detail["msg"])
