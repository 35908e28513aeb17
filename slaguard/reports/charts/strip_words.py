"""The period at a glance in words: the legend of the strip, and what is read to those who do not see it."""

from __future__ import annotations

from slaguard.evaluation.result import EventPart
from slaguard.reports.changes import Change
from slaguard.reports.moments import Calendar, length
from slaguard.reports.subjects import Subject, gaps
from slaguard.reports.words import counted


def strip_marks(found: tuple[Subject, ...], changes: tuple[Change, ...], *, to_come: bool) -> tuple[tuple[str, str], ...]:
    """Return the legend, as (sample, words): what the strip shows and nothing else."""
    tiles = [s for s in found if not s.by_intervals]
    told = {what for s in tiles for what in _told(s)}
    empty = any(n == 0 for s in tiles for n in s.tally.n.tolist())
    unwatched = bool(gaps(found)) or (len(tiles) == len(found) and any(s.tally.unmeasured.any() for s in tiles))
    step = found[0].tally.steps.word
    offered = (
        (any(s.events("down") for s in found), "down", "down: the taller, the more was lost"),
        (False in told, "below", f"a {step} that missed the promise"),
        (any(s.events("excluded") for s in found), "excluded", "excluded by the contract"),
        (unwatched, "unwatched", "not watched"),
        (True in told or any(s.by_intervals and s.result.estimate.n for s in found), "kept", "kept"),
        (None in told, "open", f"a sample too small to tell by {step}"),
        (empty or to_come, "none", "still to come" if to_come else "nothing that counts"),
        (bool(changes), "change", "the model changed"),
    )
    return tuple((sample, text) for shown, sample, text in offered if shown)


def strip_words(found: tuple[Subject, ...], changes: tuple[Change, ...], calendar: Calendar) -> str:
    """Return the description of the strip."""
    sentences = [_interval_words(s, calendar) if s.by_intervals else _tile_words(s) for s in found]
    missed = gaps(found)
    if missed:
        longest = max(missed, key=lambda gap: gap[1] - gap[0])
        where = f"{length(longest[1] - longest[0])}, {calendar.span(*longest)}"
        sentences.append(f"Our own watching had {counted(len(missed), 'gap')}; the longest was {where}.")
    sentences += [f"{calendar.moment(change.at)}: {change.words}." for change in changes]
    return " ".join(sentences)


def _interval_words(subject: Subject, calendar: Calendar) -> str:
    down, excluded = subject.events("down"), subject.events("excluded")
    words = f"{subject.name}: {counted(len(down), 'stretch').replace('stretchs', 'stretches')} with losses"
    if down:
        worst = max(down, key=lambda event: (subject.lost(event), -event.start))
        words += f", the worst {calendar.span(worst.start, worst.end)}"
    return f"{words}; {_excluded_words(excluded, calendar)}."


def _excluded_words(excluded: tuple[EventPart, ...], calendar: Calendar) -> str:
    if not excluded:
        return "nothing excluded"
    listed = ", ".join(calendar.span(event.start, event.end) for event in excluded[:3])
    return f"excluded {listed}" + (f" and {len(excluded) - 3} more" if len(excluded) > 3 else "")


def _tile_words(subject: Subject) -> str:
    told = _told(subject)
    missed, unclear = told.count(False), told.count(None)
    open_words = f"; {unclear} had a sample too small to tell" if unclear else ""
    return f"{subject.name}: {missed} of {counted(len(told), subject.tally.steps.word)} missed the promise{open_words}."


def _told(subject: Subject) -> list[bool | None]:
    numbers = zip(subject.tally.n.tolist(), subject.tally.bad.tolist(), strict=True)
    return [subject.tells(bad, n) for n, bad in numbers if n]
