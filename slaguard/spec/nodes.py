"""A document as a tree: every scalar is text, and every value and key knows where it stands and where it came from."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from slaguard.errors import Place, Problem

SHOWN: Final = 60
"""As much of a value as a message shows."""
_PLAIN_KEY = re.compile(r"[\w-]+\Z")
_TOKEN = re.compile(
    r"\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bxox[abprs]-[A-Za-z0-9-]{10,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[\w-]{30,}|\bhf_[A-Za-z0-9]{20,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"
    r"|-----BEGIN |\b[Bb]earer\s+[\w.~+/-]{8,}"
)
_LONG = re.compile(r"(?<![\w+/=-])(?=[\w+/=-]*\d)(?=[\w+/=-]*[A-Z])(?=[\w+/=-]*[a-z])[\w+/=-]{32,}(?![\w+/=-])", re.ASCII)
_CREDENTIALS = re.compile(r"(?<=://)[^\s/@]+@")


@dataclass(frozen=True, slots=True)
class Origin:
    """The profile a value came from, and the `use` line that brought it in."""

    profile: str
    used_at: Place
    needs_confirmation: bool


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value, as text; `path` is its path in the file it stands in."""

    text: str
    place: Place
    path: str
    quoted: bool = False
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    place: Place
    path: str
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a map, where the key stands, and its value."""

    key: str
    place: Place
    value: Node


@dataclass(frozen=True, slots=True)
class Map:
    """A map, in the order written."""

    entries: Mapping[str, Entry]
    place: Place
    path: str
    origin: Origin | None = None

    def get(self, key: str) -> Node | None:
        """Return the value of a key, or None."""
        entry = self.entries.get(key)
        return entry.value if entry else None

    def text(self, key: str) -> str | None:
        """Return the value of a key if it is a single value."""
        value = self.get(key)
        return value.text if isinstance(value, Scalar) else None

    def place_of(self, key: str) -> Place:
        """Return where a key stands; the map's own place if it has no such key."""
        entry = self.entries.get(key)
        return entry.place if entry else self.place

    def only(self, keys: Iterable[str]) -> Map:
        """Return the map with these keys alone."""
        wanted = set(keys)
        return replace(self, entries={k: e for k, e in self.entries.items() if k in wanted})

    def without(self, *keys: str) -> Map:
        """Return the map without these keys."""
        return replace(self, entries={k: e for k, e in self.entries.items() if k not in keys})

    def having(self, *entries: Entry) -> Map:
        """Return the map with these entries put in, in place of any of the same key."""
        return replace(self, entries={**self.entries, **{e.key: e for e in entries}})


Node = Scalar | Sequence | Map


def child_path(path: str, key: str) -> str:
    """Return the path of a key: ``objectives[0].credits["below 99.5%"]``."""
    if not _PLAIN_KEY.match(key):
        return f'{path}["{shown(key)}"]'
    return f"{path}.{key}" if path else key


def plain(node: Node) -> Any:
    """Return the tree as dicts, lists and text."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(entry.value) for key, entry in node.entries.items()}


def scalars(node: Node) -> Iterator[Scalar]:
    """Yield every single value of the tree, in order."""
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from scalars(item)
    else:
        for entry in node.entries.values():
            yield from scalars(entry.value)


def map_items(node: Node | None) -> Iterator[Map]:
    """Yield the maps of a list; nothing where there is no list."""
    if isinstance(node, Sequence):
        yield from (item for item in node.items if isinstance(item, Map))


# ── locating ────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Spot:
    """What stands at a location of the model: the deepest node found, where its key stands, and what was not found."""

    node: Node
    key_place: Place
    missing: tuple[str | int, ...] = ()

    @property
    def path(self) -> str:
        """The path, in its own file, of the node or of the key that is missing in it."""
        path = self.node.path
        for key in self.missing:
            path = f"{path}[{key}]" if isinstance(key, int) else child_path(path, key)
        return path


def locate(root: Node, location: Iterable[str | int]) -> Spot:
    """Follow a location; parts that stand in no document (the tag of a union, a shorthand written out) are passed over."""
    node, key_place, missing = root, root.place, []
    for part in location:
        found = _step(node, part)
        if found is None:
            missing.append(part)
        else:
            key_place, node = found
            missing = []
    return Spot(node, key_place, tuple(missing[-1:]))


def _step(node: Node, part: str | int) -> tuple[Place, Node] | None:
    if isinstance(node, Map) and isinstance(part, str) and part in node.entries:
        entry = node.entries[part]
        return entry.place, entry.value
    if isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
        return node.items[part].place, node.items[part]
    if isinstance(node, Map) and isinstance(part, int) and part < len(node.entries):  # a ladder: its steps are entries
        entry = tuple(node.entries.values())[part]
        return entry.place, entry.value
    return None


def problem_at(node: Node, code: str, text: str, mend: str, place: Place | None = None) -> Problem:
    """Return a Problem at a node; one that a profile brought in names the `use` line too."""
    if node.origin:
        text = f"{text} (from {node.origin.profile}, used at {node.origin.used_at})"
    return Problem(code, place or node.place, node.path, text, mend)


# ── showing ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def shown(text: str) -> str:
    """Return a value as a message may show it: one line, cut, nothing a terminal would obey, no secret."""
    if is_token(text):
        return "(not shown: it looks like a secret)"
    cut = text[:SHOWN]
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)
    return f"{safe}..." if len(text) > SHOWN else safe


def show(node: Node) -> str:
    """Return a node as a message may show it."""
    if isinstance(node, Scalar):
        return shown(node.text) or "(empty)"
    return "a list" if isinstance(node, Sequence) else "a map"


def is_token(text: str) -> bool:
    """Tell whether a value looks like a key, a token or a password in its usual written forms."""
    return bool(_TOKEN.search(text) or _LONG.search(text))


def without_tokens(text: str) -> str:
    """Return a message's words with everything that looks like a key, a token or a password taken out."""
    return _CREDENTIALS.sub("(not shown)@", _LONG.sub("(not shown)", _TOKEN.sub("(not shown)", text)))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is nearest to one that is not known, if any is near."""
    close = difflib.get_close_matches(word[:SHOWN], list(known), n=1, cutoff=0.6)
    return close[0] if close else None
