"""JSON lines: one object a line, or a list of objects; nested objects become dotted columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from slaguard.errors import RecordsError
from slaguard.imports.rows import LONGEST, BadRow, Buffered, Row, Rows, read_lines
from slaguard.imports.values import shown

DEEPEST: Final = 8
"""Levels of nested JSON objects that become dotted column names; deeper ones stay one cell of JSON."""
HEAD: Final = 100
"""Rows whose keys are taken as the columns of the file."""


def open_json(file: str, data: Buffered) -> Rows:
    """Return the rows of JSON lines; the columns are those of the first rows.

    Raises:
        RecordsError: the file is empty, or none of its first rows can be read.

    """
    rows = Rows(file, (), _json_rows(file, data), has_header=False)
    names: dict[str, None] = {}
    for row in rows.sample(HEAD):
        names |= dict.fromkeys(row.cells)
    if not names:
        bad = next((row for row in rows if isinstance(row, BadRow)), None)
        raise RecordsError(f"{file}:row {bad.number}: {bad.what}; {bad.mend}" if bad else f"{file}: there is no row in it")
    rows.columns = tuple(names)
    return rows


def _json_rows(file: str, data: Buffered) -> Iterator[Row | BadRow]:
    for number, line in enumerate(read_lines(file, data), start=1):
        if line.strip() in {b"", b"\xef\xbb\xbf"}:
            continue
        if len(line) > LONGEST:
            yield BadRow(number, f"the line is longer than {LONGEST} bytes", "split it, or leave the answer's text out")
            continue
        yield from _json_line(number, line)


def _json_line(number: int, line: bytes) -> Iterator[Row | BadRow]:
    try:
        value = _parse_json(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError as error:
        yield BadRow(number, f"byte 0x{line[error.start]:02X} is not UTF-8", "save the file as UTF-8")
    except RecursionError:
        yield BadRow(number, "the JSON is nested too deeply", "write flat objects, one a line")
    except ValueError as error:
        yield BadRow(number, f"not a JSON object: {error}", "write one JSON object a line (jq -c . FILE)")
    else:
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield Row(number, _flat(item))
            else:
                yield BadRow(number, "not a JSON object", "write one JSON object a line (jq -c '.[]' FILE)")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        msg = f"the key {shown(next(n for n in names if names.count(n) > 1))} stands twice in one object"
        raise ValueError(msg)
    return found


def _parse_json(text: str) -> Any:
    """Parse one line; numbers stay the text they are, so that none is rounded or too long to convert."""
    return json.loads(text, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_no_duplicates)


def _flat(value: dict[str, Any]) -> dict[str, str]:
    if any(isinstance(item, dict) for item in value.values()):
        return dict(_flattened(value, "", DEEPEST))
    return {name: _cell(item) for name, item in value.items()}


def _flattened(value: dict[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, str]]:
    for name, item in value.items():
        if isinstance(item, dict) and item and depth:
            yield from _flattened(item, f"{prefix}{name}.", depth - 1)
        else:
            yield prefix + name, _cell(item)


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
