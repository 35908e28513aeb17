"""The readings of a clause in plain words: what each changes, what allows it, and which are settled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from slaguard.spec.explain_words import counted, day, listing, name, plain, value
from slaguard.spec.model import Objective
from slaguard.spec.readings import Reading, Settled, lists


def readings(objective: Objective) -> Iterator[str]:
    """Yield in which ways an Objective can be read; nothing where it is read in one way."""
    found = lists(objective)
    for i, one in enumerate(found, start=1):
        which = f" ({i} of {len(found)} questions)" if len(found) > 1 else ""
        each = "; ".join(_reading(reading) for reading in one)
        yield f"{objective.name} can be read in {counted(len(one), 'way')}{which}: {each}."
    if found:
        yield (
            f"{objective.name} is called broken, or kept, only where every reading says so; what is claimed is the lowest "
            "amount among them."
        )
    yield from (f"{objective.name}: {_settled(one)}." for one in objective.settled)


def _reading(reading: Reading) -> str:
    changes = [f"{plain(path)} is {_flow(inner)}" for path, inner in reading.set.items()]
    changes += [f"there is no {plain(path)}" for path in reading.unset]
    basis = f" ({name(plain(reading.basis))})" if reading.basis else ""
    return f"under {reading.id}{basis} {listing(changes) or 'nothing is otherwise'}"


def _settled(settled: Settled) -> str:
    shown = f", as {name(plain(settled.evidence))} shows" if settled.evidence else ", and nothing is named that shows it"
    since = f" for periods that begin on {day(settled.since)} or later" if settled.since else ""
    return f"it is settled{since} that {settled.reading} is right{shown}"


def _flow(inner: Any) -> str:
    """Write a value on one line, as a document could write it."""
    if isinstance(inner, Mapping):
        return "{" + ", ".join(f"{plain(str(key))}: {_flow(one)}" for key, one in inner.items()) + "}"
    if isinstance(inner, list | tuple):
        return "[" + ", ".join(map(_flow, inner)) + "]"
    return value(str(inner))
