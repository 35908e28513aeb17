"""Load an Agreement: read, parse, merge its profiles, type, lint, and give it its hash.

`load` is the one function of the pure floors that reads files (the document, and what it refers to). Everything wrong
is collected and told at once; what decides is never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from slaguard.errors import Place, Problem, SpecError
from slaguard.spec.amendments_check import amendments_check
from slaguard.spec.canonical import canonical, expand
from slaguard.spec.codes import hidden, ordered
from slaguard.spec.draft import typed
from slaguard.spec.expand import Expanded, expand_tree
from slaguard.spec.golden import Pinned, pin_golden_sets
from slaguard.spec.library import Library, Reference, Shelves
from slaguard.spec.lint import lint
from slaguard.spec.lint.idle import idle
from slaguard.spec.lint.secrets import secrets
from slaguard.spec.model import Agreement
from slaguard.spec.nodes import Map, Node, Scalar, Sequence, child_path, problem_at, show
from slaguard.spec.notation import Parsed, parse
from slaguard.spec.profile_file import profile_file
from slaguard.spec.profiles import Used
from slaguard.spec.reading import read_text, sha256_of
from slaguard.spec.readings_check import readings_check
from slaguard.spec.translate import Known

__all__ = ["Loaded", "Traced", "canonical", "examine", "expand", "load", "loads"]


@dataclass(frozen=True, slots=True)
class Traced:
    """Where a value of the normal form comes from: its place, and the profile and `use` line that brought it in."""

    place: Place
    profile: str | None = None
    used_at: Place | None = None
    needs_confirmation: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """An Agreement that may be used.

    `provenance` maps the path of every single value of the normal form (`objectives[0].outcomes.rate_limited`) to its
    origin; it is not hashed. `canonical` are the bytes that `spec_sha256` is the hash of.
    """

    agreement: Agreement
    warnings: tuple[Problem, ...]
    provenance: Mapping[str, Traced]
    used: tuple[Used, ...]
    canonical: bytes
    spec_sha256: str

    @property
    def profiles(self) -> tuple[str, ...]:
        """The profiles used, each once, in order."""
        return tuple(dict.fromkeys(used.label for used in self.used))

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        """Those of them that follow a text which nobody has compared with its source."""
        return tuple(dict.fromkeys(used.label for used in self.used if used.profile.needs_confirmation))


def load(path: Path | str) -> Loaded:
    """Return the Agreement of a file.

    Raises:
        SpecError: it was refused; all problems are in it.

    """
    file = Path(path)
    return loads(read_text(file), str(path), Shelves(file.parent))


def loads(text: str, source: str, library: Library) -> Loaded:
    """Return the Agreement of a text.

    Args:
        text: the whole document.
        source: the file's name, for messages.
        library: where `name@version` leads.

    Raises:
        SpecError: it was refused; all problems are in it.

    """
    loaded, problems = examine(parse(text, source), library)
    if loaded is None:
        raise SpecError(tuple(p for p in problems if p.is_error))
    return loaded


def examine(parsed: Parsed, library: Library) -> tuple[Loaded | None, tuple[Problem, ...]]:
    """Return the Agreement of a document (None if it is refused) and everything found, warnings included."""
    if parsed.root is None:
        return None, ordered(parsed.problems)
    foreign = _foreign(parsed.root)
    if foreign is not None:
        return None, ordered((*parsed.problems, foreign))
    expanded = expand_tree(parsed.root, library)
    pinned = pin_golden_sets(expanded.tree, library)
    known = Known(parsed.broken, expanded.holes, lambda: outcome_profiles(library), parsed.root.place_of("use"))
    result = typed(expanded, pinned.tree, known)
    problems = hidden(
        (
            *parsed.problems,
            *expanded.problems,
            *pinned.problems,
            *result.problems,
            *secrets(parsed.root),
            *lint(result.draft),
            *idle(parsed.root, expanded.tree),
            *_unpinned(parsed.root, pinned),
            *_unconfirmed(expanded),
            *(readings_check(result.agreement, pinned.tree) if result.agreement is not None else ()),
            *(amendments_check(result.agreement, pinned.tree) if result.agreement is not None else ()),
        )
    )
    if result.agreement is None or any(p.is_error for p in problems):
        return None, problems
    content = canonical(result.agreement)
    provenance = _trace(pinned.tree, "", {})
    return Loaded(result.agreement, problems, provenance, expanded.used, content, sha256_of(content)), problems


def _foreign(root: Map) -> Problem | None:
    kind = root.get("kind")
    if kind is None or (isinstance(kind, Scalar) and kind.text == "Agreement"):
        return None
    return problem_at(kind, "E-SPEC-SCHEMA", show(kind), "an Agreement says `kind: Agreement`")


def outcome_profiles(library: Library) -> str:
    """Return the profiles that say how outcomes count, one a line, with what they say."""
    lines = []
    for name in library.profiles():
        reference = Reference.parse(name) if name.startswith("outcomes/") else None
        parsed = library.profile(reference) if reference else None
        head = profile_file(parsed).head if parsed else None
        if head:
            lines.append(f"      {name}  {head.text}")
    return "\n".join(lines)


def _unpinned(root: Map, pinned: Pinned) -> Iterator[Problem]:
    signed = root.text("status") == "signed"
    for node, sha256 in pinned.unpinned:
        code = "E-SPEC-UNPINNED" if signed else "W-SPEC-UNPINNED"
        mend = f"pin the questions: golden_set: {{id: {show(node)}, sha256: {sha256}}}"
        yield problem_at(node, code, show(node), mend)


def _unconfirmed(expanded: Expanded) -> Iterator[Problem]:
    for used in expanded.used:
        if used.profile.needs_confirmation:
            mend = "compare it with the contract in force before you rely on it"
            text = f"{used.label} follows a text that nobody has compared with its source"
            yield Problem("W-SPEC-PRESET", used.place, used.path, text, mend)


def _trace(node: Node, path: str, found: dict[str, Traced]) -> dict[str, Traced]:
    if isinstance(node, Scalar):
        origin = node.origin
        found[path] = (
            Traced(node.place, origin.profile, origin.used_at, origin.needs_confirmation) if origin else Traced(node.place)
        )
    elif isinstance(node, Sequence):
        for i, item in enumerate(node.items):
            _trace(item, f"{path}[{i}]", found)
    else:
        for entry in node.entries.values():
            _trace(entry.value, child_path(path, entry.key), found)
    return found
