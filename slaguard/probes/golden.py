"""Load a golden set: its card, its questions, and how each is put and graded.

The questions are read once, as bytes whose SHA-256 is what the card (and, pinned, the Agreement) says: a set that
changed by one byte is another set. Every line that is wrong is named with its number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from slaguard.errors import Place, ProbeError, Problem, SpecError
from slaguard.probes.numbers import json_value
from slaguard.providers.base import Prompt
from slaguard.spec.golden import GoldenSet as Card
from slaguard.spec.golden import golden_set
from slaguard.spec.library import Golden, Library, Reference, Shelves, shipped_file
from slaguard.spec.nodes import nearest
from slaguard.spec.reading import MAX_GOLDEN_BYTES, read_bytes, sha256_of

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}\Z", re.ASCII)
_KEYS: Final = frozenset({"id", "input", "reference", "class", "tags", "tolerance"})
_NEEDED: Final = ("id", "input", "reference")
_OURS: Final = frozenset({"model", "messages", "n"})
_SLOT: Final = "{input}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenItem:
    """One question with its right answer; `kind` is its class."""

    id: str
    input: str
    reference: str
    kind: str | None = None
    tags: tuple[str, ...] = ()
    tolerance: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenSet:
    """The agreed questions, ready to be asked. `scorers` gives the scorer of each class; None is every item's."""

    name: str
    version: str
    sha256: str
    items: Mapping[str, GoldenItem]
    scorers: Mapping[str | None, str]
    system: str | None
    user: str
    parameters: Mapping[str, Any]

    @property
    def id(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    def scorer_of(self, item: GoldenItem) -> str:
        """Return the `name@version` of the scorer that grades an item."""
        return self.scorers[item.kind if item.kind in self.scorers else None]

    def prompt(self, item: GoldenItem, model: str, request_id: str | None = None) -> Prompt:
        """Return the question as it is put to a model."""
        system = (("system", self.system),) if self.system is not None else ()
        messages = (*system, ("user", self.user.replace(_SLOT, item.input)))
        return Prompt(model=model, messages=messages, parameters=self.parameters, request_id=request_id)


def load_golden(name: str, beside: Path | None = None) -> GoldenSet:
    """Return a golden set by its `name@version`.

    Args:
        name: the reference.
        beside: the folder of the Agreement, looked in before what ships; None: what ships alone.

    Raises:
        SpecError: the card or a line of the questions is not acceptable; every problem is in it.
        ProbeError: there is no such set.

    """
    shelves = Shelves(beside)
    reference = Reference.parse(name)
    found = shelves.golden(reference) if reference is not None else None
    if reference is None or found is None:
        raise _unknown(name, shelves)
    card, problems = golden_set(found, reference)
    if card is None or any(p.is_error for p in problems):
        raise SpecError(tuple(p for p in problems if p.is_error))
    content, place = _questions(found, reference, beside)
    if sha256_of(content) != card.sha256:
        problem = Problem("E-SPEC-QUALITY", place, "", "changed while it was read", "load it again")
        raise SpecError((problem,))
    return assemble(card, content, place)


def _unknown(name: str, library: Library) -> ProbeError:
    meant = nearest(name, library.goldens())
    there = ", ".join(library.goldens()) or "none"
    mend = f"did you mean {meant}?" if meant else f"there is {there}"
    return ProbeError(f"golden set {name[:80]!r}: there is no such set\n    {mend}")


def _questions(found: Golden, reference: Reference, beside: Path | None) -> tuple[bytes, Place]:
    own = beside / f"{reference}.jsonl" if beside is not None else None
    if own is not None and own.with_name(f"{reference}.yaml").is_file():
        return read_bytes(own, MAX_GOLDEN_BYTES, Place(str(own))), Place(str(own))
    card = found.card.root.place.file if found.card.root else f"{reference}.yaml"
    return shipped_file(f"golden/{reference}.jsonl").read_bytes(), Place(card.removesuffix(".yaml") + ".jsonl")


def assemble(card: Card, content: bytes, place: Place) -> GoldenSet:
    """Return the set that a card and the bytes of its questions make.

    Raises:
        SpecError: every line that is no item, doubles or contradicts another, or that no scorer grades.

    """
    problems: list[Problem] = []
    items = _items(content, place, problems)
    scorers: dict[str | None, str] = {kind: c.scorer for kind, c in card.classes.items()}
    if card.scorer is not None:
        scorers = dict.fromkeys((None, *scorers), card.scorer)
    problems += _against_card(card, items, scorers, place)
    if problems:
        raise SpecError(tuple(problems))
    return GoldenSet(
        name=card.name,
        version=card.version,
        sha256=card.sha256,
        items={item.id: item for _, item in items},
        scorers=scorers,
        system=card.prompt.system,
        user=card.prompt.user,
        parameters={name: json_value(value) for name, value in card.request.items()},
    )


def _against_card(
    card: Card, items: list[tuple[int, GoldenItem]], scorers: Mapping[str | None, str], place: Place
) -> Iterator[Problem]:
    name = f"{card.name}@{card.version}"
    if len(items) != card.items:
        yield _problem(place, 1, f"{len(items)} questions", f"the card says {card.items}; make both say the same")
    for line, item in items:
        if item.kind not in scorers and None not in scorers:
            known = ", ".join(str(k) for k in scorers) or "none"
            yield _problem(place, line, f"class {_shown(item.kind)}", f"the card of {name} has a scorer for {known} alone")
    if _SLOT not in card.prompt.user:
        yield _problem(place, 1, "the prompt has no place for the question", "write `{input}` into prompt.user of the card")
    if taken := sorted(_OURS & set(card.request)):
        yield _problem(place, 1, f"request.{taken[0]}", "leave it out of the card: the run itself sets it")


# ── lines ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _items(content: bytes, place: Place, problems: list[Problem]) -> list[tuple[int, GoldenItem]]:
    found: list[tuple[int, GoldenItem]] = []
    by_id: dict[str, int] = {}
    by_input: dict[str, tuple[int, str]] = {}
    for line, raw in enumerate(content.split(b"\n"), start=1):
        if not raw.strip():
            continue
        try:
            item = _item(raw)
        except ValueError as error:
            problems.append(_problem(place, line, "no item", str(error)))
            continue
        if item.id in by_id:
            text = f"the id {item.id} is there twice (first in line {by_id[item.id]})"
            problems.append(_problem(place, line, text, "give each question an id of its own"))
        first = by_input.setdefault(" ".join(item.input.split()), (line, item.reference))
        if first[0] != line:
            same = "with the same answer" if first[1] == item.reference else "with another answer"
            text = f"this question is there twice, {same} (first in line {first[0]})"
            problems.append(_problem(place, line, text, "keep one of the two"))
        by_id.setdefault(item.id, line)
        found.append((line, item))
    return found


def _item(raw: bytes) -> GoldenItem:
    """Return the item of one line.

    Raises:
        ValueError: saying how to mend it.

    """
    row = _object(raw)
    unknown = sorted(set(row) - _KEYS)
    if unknown:
        msg = f"there is no key {_shown(unknown[0])}; there are {', '.join(sorted(_KEYS))}"
        raise ValueError(msg)
    for key in (*_NEEDED, *(k for k in ("class", "tolerance") if k in row)):
        if not isinstance(row.get(key), str) or not row[key].strip():
            msg = f"write `{key}` as a text that is not empty"
            raise ValueError(msg)
    if not _ID.match(row["id"]):
        msg = "an id has letters, digits, '.', '_', ':' and '-', at most 64"
        raise ValueError(msg)
    tags = row.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(t, str) for t in tags):
        msg = "write `tags` as a list of texts"
        raise ValueError(msg)
    return GoldenItem(
        id=row["id"],
        input=row["input"],
        reference=row["reference"],
        kind=row.get("class"),
        tags=tuple(tags),
        tolerance=row.get("tolerance"),
    )


def _object(raw: bytes) -> dict[str, Any]:
    mend = "write one JSON object a line, with id, input and reference"
    try:
        row = json.loads(raw.decode("utf-8"), object_pairs_hook=_without_doubles)
    except UnicodeDecodeError:
        msg = "save the file as UTF-8"
        raise ValueError(msg) from None
    except RecursionError:
        raise ValueError(mend) from None
    except json.JSONDecodeError as error:
        msg = f"{mend} ({error.msg}, column {error.colno})"
        raise ValueError(msg) from None
    if not isinstance(row, dict):
        raise ValueError(mend)  # noqa: TRY004 - the document is wrong, not the caller
    return row


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        msg = "a key is there twice; keep one of the two"
        raise ValueError(msg)
    return row


def _problem(place: Place, line: int, text: str, mend: str) -> Problem:
    return Problem("E-SPEC-QUALITY", Place(place.file, line, 1), "", text, mend)


def _shown(text: str | None) -> str:
    return "none" if text is None else repr(text[:60])
