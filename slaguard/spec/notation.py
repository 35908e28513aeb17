"""The strict notation: YAML text to a tree in which every scalar is text.

YAML's own types, anchors, aliases, tags, merge keys and further documents are not part of it (`contracts.md` §1,
`evidence.md` §11): only the parser's events are used, nothing is ever constructed, and the tree is built without
recursion. A text is read to its end wherever that is possible, so that one run reports all that is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from slaguard.errors import Place, Problem
from slaguard.spec.nodes import Entry, Map, Node, Scalar, Sequence, child_path, shown

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 20
MAX_PROBLEMS: Final = 100
_UNPRINTABLE = re.compile("[^\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_ESCAPED = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_NOTHING: Final = frozenset({"", "~", "null", "Null", "NULL"})
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The parser: libyaml's where PyYAML was built with it (18 times faster), else the one in Python; events are the same."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document: its tree (None if there is none to speak of), and what is wrong with its text.

    `broken` holds the paths of keys that were written without a value: they have been reported already.
    """

    root: Map | None
    problems: tuple[Problem, ...]
    broken: frozenset[str] = frozenset()


def parse(text: str, source: str) -> Parsed:
    """Return the tree of one document.

    Args:
        text: the whole document.
        source: the file's name, for messages.

    """
    text = text.removeprefix("\ufeff")
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return _refused("E-SPEC-FILE", Place(source), "larger than 256 KiB", "an Agreement is a few screens of text; split it")
    found = _UNPRINTABLE.search(text)
    if found:
        place = _place_of(text, found.start(), source)
        if found[0] == "\t":  # parsers disagree on where a tab may stand
            return _refused("E-SPEC-SYNTAX", place, "a tab", "use spaces, to indent and between a key and its value")
        mend = "remove the character; text is UTF-8 without control characters"
        return _refused("E-SPEC-SYNTAX", place, f"character U+{ord(found[0]):04X}", mend)
    builder = _Builder(source)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if not builder.take(event):
                break
    except yaml.YAMLError as error:
        builder.problems.append(_syntax(error, source))
        builder.root = None
    except (ValueError, OverflowError):  # an escape or a directive with a number that is no character or version
        mend = "an escape in double quotes or a directive holds a number that means nothing; write the text plainly"
        builder.problems.append(Problem("E-SPEC-SYNTAX", Place(source), "", "not readable as YAML", mend))
        builder.root = None
    return builder.result()


def _refused(code: str, place: Place, text: str, mend: str) -> Parsed:
    return Parsed(None, (Problem(code, place, "", text, mend),))


def _place_of(text: str, index: int, source: str) -> Place:
    ends = [m.end() for m in _LINE_END.finditer(text, 0, index)]
    return Place(source, len(ends) + 1, index - (ends[-1] if ends else 0) + 1)


def _syntax(error: yaml.YAMLError, source: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    place = Place(source, mark.line + 1, mark.column + 1) if mark else Place(source)
    said = str(getattr(error, "problem", None) or "not readable as YAML")
    mend = "write `key: value` with a space after the colon, indent with spaces, put a value with `: ` or ` #` in quotes"
    return Problem("E-SPEC-SYNTAX", place, "", shown(said), mend)


@dataclass(slots=True)
class _Frame:
    """A map or list that is still open."""

    is_map: bool
    place: Place
    path: str
    entries: dict[str, Entry] = field(default_factory=dict)
    items: list[Node] = field(default_factory=list)
    count: int = 0
    key: str | None = None
    key_place: Place | None = None

    @property
    def child(self) -> str:
        """The path of the value that comes next."""
        if self.is_map:
            return child_path(self.path, self.key or "")
        return f"{self.path}[{self.count}]"

    def close(self) -> Node:
        if self.is_map:
            return Map(self.entries, self.place, self.path)
        return Sequence(tuple(self.items), self.place, self.path)


class _Builder:
    """Builds the tree from events, keeping what is wrong."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self.broken: set[str] = set()
        self.stack: list[_Frame] = []
        self.documents = 0

    def take(self, event: Any) -> bool:
        """Take one event; False ends the reading."""
        step = _STEPS.get(type(event))
        return step is None or (step(self, event) and len(self.problems) < MAX_PROBLEMS)

    def result(self) -> Parsed:
        """Return what was read."""
        if self.root is None and not self.problems:
            self._report(
                "E-SPEC-SYNTAX", Place(self.source), "the file is empty", "write a document that begins with apiVersion"
            )
        if isinstance(self.root, Scalar | Sequence):
            text, mend = "a document is a map of keys and values", "begin with `apiVersion: slaguard/v1` and `kind: Agreement`"
            self._report("E-SPEC-SCHEMA", self.root.place, text, mend)
        usable = isinstance(self.root, Map) and all(p.code not in _FATAL for p in self.problems)
        root = self.root if isinstance(self.root, Map) and usable else None
        return Parsed(root, tuple(self.problems), frozenset(self.broken))

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return Place(self.source, mark.line + 1, mark.column + 1)

    def _report(self, code: str, place: Place, text: str, mend: str, path: str | None = None) -> None:
        path = path if path is not None else self.stack[-1].child if self.stack else ""
        self.problems.append(Problem(code, place, path, text, mend))

    def _marks(self, event: Any) -> None:
        if event.anchor is not None:
            self._report("E-SPEC-ALIAS", self._place(event), f"anchor &{shown(event.anchor)}", "write the value out")
        if event.tag is not None:
            self._report(
                "E-SPEC-TAG", self._place(event), f"tag {shown(event.tag)}", "leave the tag out; every field knows its type"
            )

    def alias(self, event: Any) -> bool:
        mend = "write the value out, or put what is reused into a profile"
        self._report("E-SPEC-ALIAS", self._place(event), f"alias *{shown(event.anchor)}", mend)
        self._add(Scalar("", self._place(event), self.stack[-1].child if self.stack else ""))
        return True

    def close(self, event: Any) -> bool:
        del event
        self._add(self.stack.pop().close())
        return True

    def document(self, event: Any) -> bool:
        self.documents += 1
        if self.documents > 1:
            self._report("E-SPEC-SYNTAX", self._place(event), "a second document", "keep one document a file", "")
            return False
        if event.tags:
            self._report("E-SPEC-TAG", self._place(event), "a %TAG directive", "leave it out; there are no tags")
        return True

    def open(self, event: Any) -> bool:
        self._marks(event)
        place = self._place(event)
        if len(self.stack) >= MAX_DEPTH:
            self._report(
                "E-SPEC-DEPTH",
                place,
                f"nested more than {MAX_DEPTH} deep",
                "an Agreement is flat; nothing in it is nested so deeply",
                "",
            )
            return False
        path = self.stack[-1].child if self.stack else ""
        self.stack.append(_Frame(isinstance(event, yaml.MappingStartEvent), place, path))
        return True

    def scalar(self, event: Any) -> bool:
        self._marks(event)
        place, text = self._place(event), event.value
        frame = self.stack[-1] if self.stack else None
        if event.style == '"' and _ESCAPED.search(text):
            self._report("E-SPEC-SYNTAX", place, "an escaped control character", "write text without control characters")
        if frame and frame.is_map and frame.key is None:
            frame.key, frame.key_place = text, place
            if text in _NOTHING:
                self._report("E-SPEC-SCHEMA", place, "a key without a name", "write `key: value`")
        elif frame and not event.style and text in _NOTHING:
            self._nothing(frame, place)
        else:
            self._add(Scalar(text, place, frame.child if frame else "", event.style in {"'", '"'}))
        return True

    def _nothing(self, frame: _Frame, place: Place) -> None:
        self._report("E-SPEC-SCHEMA", frame.key_place or place, "no value", "write a value, or leave the key out")
        self.broken.add(frame.child)
        frame.key = frame.key_place = None
        frame.count += 1

    def _add(self, node: Node) -> None:
        if not self.stack:
            self.root = node
            return
        frame = self.stack[-1]
        if not frame.is_map:
            frame.items.append(node)
        elif frame.key is None:  # a map or list where a key belongs
            self._report("E-SPEC-SCHEMA", node.place, "a key that is a map or a list", "a key is a single word", frame.path)
            frame.key, frame.key_place = "", node.place
            return
        elif frame.key in frame.entries:
            first = frame.entries[frame.key].place
            text, mend = f"the key is written twice (first in line {first.line})", "keep one of the two"
            self._report("E-SPEC-DUP", frame.key_place or node.place, text, mend)
        else:
            frame.entries[frame.key] = Entry(frame.key, frame.key_place or node.place, node)
        frame.key = frame.key_place = None
        frame.count += 1


_STEPS: Final[dict[type, Callable[[_Builder, Any], bool]]] = {
    yaml.ScalarEvent: _Builder.scalar,
    yaml.AliasEvent: _Builder.alias,
    yaml.MappingStartEvent: _Builder.open,
    yaml.SequenceStartEvent: _Builder.open,
    yaml.MappingEndEvent: _Builder.close,
    yaml.SequenceEndEvent: _Builder.close,
    yaml.DocumentStartEvent: _Builder.document,
}
_FATAL: Final = frozenset({"E-SPEC-SYNTAX", "E-SPEC-DEPTH", "E-SPEC-ALIAS"})
"""With these the tree is not what the author meant, and nothing more is said about it."""
