"""Golden sets: the questions an Objective names, their hash, and the scorer their card gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import Field, ValidationError

from slaguard.errors import Problem, SpecError
from slaguard.spec.conditions import SetOf, Term
from slaguard.spec.library import Golden, Library, Reference
from slaguard.spec.nodes import Entry, Map, Node, Scalar, Sequence, nearest, plain, problem_at, show
from slaguard.spec.notation import Parsed
from slaguard.spec.scalars import Natural, Words
from slaguard.spec.translate import Known, problems_of


class GoldenClass(Term):
    """One kind of question."""

    items: Natural
    """How many of the questions are of it."""
    scorer: Words
    """The scorer that grades them, and its version."""
    text: Words
    """What is asked."""


class Prompt(Term):
    """How a question is put."""

    system: Words | None = None
    """What is said before the question."""
    user: Words
    """The question; `{input}` stands for the item's own text."""


class GoldenSet(Term):
    """The card of a golden set."""

    apiVersion: Literal["slaguard/v1"]  # noqa: N815 - the one key of the notation that is not snake_case
    """The notation's version."""
    kind: Literal["GoldenSet"]
    """Always GoldenSet."""
    name: Words
    """The first part of its reference, and of its file's name."""
    version: Words
    """The second part of its reference; a set that was used in a period never changes."""
    text: Words
    """What is asked, in a sentence."""
    owner: Words
    """Who keeps it."""
    source: Words
    """Where the questions come from."""
    items: Natural
    """How many questions there are."""
    sha256: Words
    """The SHA-256 of the file of questions."""
    scorer: Words | None = None
    """The scorer and version that grade every question; absent: each class names its own."""
    classes: dict[str, GoldenClass] = Field(default_factory=dict)
    """The kinds of questions."""
    prompt: Prompt
    """How a question is put."""
    request: dict[str, Any] = Field(default_factory=dict)
    """Request parameters sent with each question."""
    tags: SetOf[Words] = ()
    """Labels for reports."""

    @property
    def scorers(self) -> tuple[str, ...]:
        """Every scorer that grades some question, sorted."""
        return tuple(sorted({*(c.scorer for c in self.classes.values()), *((self.scorer,) if self.scorer else ())}))


def golden_set(golden: Golden, reference: Reference | None = None) -> tuple[GoldenSet | None, tuple[Problem, ...]]:
    """Return a golden set's card, and what is wrong with it or with its questions."""
    parsed: Parsed = golden.card
    if parsed.root is None:
        return None, parsed.problems
    try:
        card = GoldenSet.model_validate(plain(parsed.root))
    except ValidationError as error:
        return None, (*parsed.problems, *problems_of(error, GoldenSet, parsed.root, Known(parsed.broken)))
    return card, (*parsed.problems, *_mismatches(card, golden.sha256, parsed.root, reference))


def _mismatches(card: GoldenSet, sha256: str | None, root: Map, reference: Reference | None) -> Iterator[Problem]:
    name = f"{card.name}@{card.version}"
    if reference is not None and name != str(reference):
        yield problem_at(root, "E-SPEC-REF", name, f"the file is {reference}.yaml; its name and version say so too")
    node = root.get("sha256") or root
    if sha256 is None:
        yield problem_at(node, "E-SPEC-QUALITY", "the questions are missing", f"put {name}.jsonl beside the card")
    elif sha256 != card.sha256:
        mend = f"the file of questions has {sha256}; restore it, or publish the change as a new version"
        yield problem_at(node, "E-SPEC-QUALITY", show(node), mend)


@dataclass(frozen=True, slots=True)
class Pinned:
    """A tree whose Objectives carry the hash of their questions, and what was found on the way.

    `unpinned` holds the references that the source does not pin, and the hash to pin them to.
    """

    tree: Map
    problems: tuple[Problem, ...]
    unpinned: tuple[tuple[Scalar, str], ...]


def pin_golden_sets(tree: Map, library: Library) -> Pinned:
    """Look up the golden set of every Objective, and write its hash and scorer into the tree."""
    objectives = tree.get("objectives")
    if not isinstance(objectives, Sequence):
        return Pinned(tree, (), ())
    problems: list[Problem] = []
    unpinned: list[tuple[Scalar, str]] = []
    items: list[Node] = []
    for item in objectives.items:
        named = item.entries.get("golden_set") if isinstance(item, Map) else None
        items.append(_pinned(item, named, library, problems, unpinned) if isinstance(item, Map) and named else item)
    entry = replace(tree.entries["objectives"], value=replace(objectives, items=tuple(items)))
    return Pinned(tree.having(entry), tuple(problems), tuple(unpinned))


def _pinned(objective: Map, named: Entry, library: Library, problems: list[Problem], unpinned: list[tuple[Scalar, str]]) -> Map:
    node = named.value.get("id") if isinstance(named.value, Map) else named.value
    if not isinstance(node, Scalar):
        return objective
    reference = Reference.parse(node.text)
    golden = None
    if reference is not None:
        try:
            golden = library.golden(reference)
        except SpecError as error:
            problems += error.problems
            return objective
    if reference is None or golden is None:
        meant = nearest(node.text, library.goldens())
        mend = f"did you mean {meant}?" if meant else "put its card and questions beside the Agreement, or name one that ships"
        problems.append(problem_at(node, "E-SPEC-QUALITY", f"no golden set {show(node)}", mend))
        return objective
    card, found = golden_set(golden, reference)
    problems += found
    pin = named.value.get("sha256") if isinstance(named.value, Map) else None
    if pin is None and golden.sha256 is not None:
        unpinned.append((node, golden.sha256))
    elif pin is not None and plain(pin) != golden.sha256:
        mend = f"{reference} has {golden.sha256}; pin that, or bring back the questions that were agreed"
        problems.append(problem_at(pin, "E-SPEC-QUALITY", show(pin), mend))
    return _with_facts(objective, named, node, golden, card)


def _with_facts(objective: Map, named: Entry, node: Scalar, golden: Golden, card: GoldenSet | None) -> Map:
    if golden.sha256 is None or card is None:
        return objective
    pin = replace(node, text=golden.sha256)
    entries = {"id": Entry("id", node.place, node), "sha256": Entry("sha256", node.place, pin)}
    if isinstance(named.value, Map):
        entries = {**named.value.entries, **entries}
    written = [replace(named, value=Map(entries, named.value.place, node.path, node.origin))]
    if "scorer" not in objective.entries and len(card.scorers) == 1:
        written.append(Entry("scorer", node.place, replace(node, text=card.scorers[0])))
    return objective.having(*written)
