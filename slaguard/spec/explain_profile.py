"""A Profile in plain English: what it says, whose words it follows, what it asks for, and every term it brings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from slaguard.spec.explain import Explanation, Line, Section, render
from slaguard.spec.explain_table import TermRow
from slaguard.spec.explain_words import day, listing, plain, value
from slaguard.spec.profile_file import Parameter, Profile


def explain_profile(profile: Profile) -> str:
    """Return a Profile in plain English, with a final newline."""
    return render(profile_explanation(profile))


def profile_explanation(profile: Profile) -> Explanation:
    """Return a Profile explained, as sections and statements, with every term it brings."""
    return Explanation(
        f"{profile.name}@{profile.version}",
        (
            Section("What it says", (Line(plain(profile.text)), *_unseen(profile))),
            Section("Whose words it follows", tuple(_sources(profile))),
            Section("What you give it", tuple(_parameters(profile))),
        ),
        tuple(TermRow(path, written, "") for path, written in _terms(profile.terms, "")),
        terms_title="Every term it brings",
    )


def one_line(profile: Profile) -> str:
    """Return a Profile in one line of a list: its reference, and the first sentence of what it says."""
    return f"{profile.name}@{profile.version}  {plain(profile.text).split('. ')[0].rstrip('.')}"


def _unseen(profile: Profile) -> Iterator[Line]:
    """Say of a profile by which calls without an answer leave the count what that means for a promise on it."""
    outcomes = profile.terms.get("outcomes")
    if isinstance(outcomes, Mapping) and outcomes.get("connection_error", outcomes.get("unanswered")) == "drop":
        yield Line("A vendor that cannot be reached is not counted: its outage lowers no uptime and raises no share of errors.")


def _sources(profile: Profile) -> Iterator[Line]:
    dated = f" of {day(profile.source_date)}" if profile.source_date else ""
    yield Line(f"{plain(profile.source)}{dated}.")
    if profile.source_url:
        yield Line(f"It stands at {plain(profile.source_url)}.")
    if profile.verified_on:
        yield Line(f"A person compared it with the live text on {day(profile.verified_on)}.")
    if profile.needs_confirmation:
        yield Line("Nobody has compared it with its source yet: do that before you rely on it.")
    if profile.supersedes:
        yield Line(f"It takes the place of {plain(profile.supersedes)}.")
    if profile.tags:
        yield Line(f"Labels for reports: {listing(map(plain, profile.tags))}.")


def _parameters(profile: Profile) -> Iterator[Line]:
    if not profile.parameters:
        yield Line(f"Nothing: write `use: {profile.name}@{profile.version}`.")
    for name, parameter in profile.parameters.items():
        yield Line(f"{plain(name)} ({_kind(parameter)}): {plain(parameter.text)}; {_need(parameter)}.")


def _kind(parameter: Parameter) -> str:
    return listing(map(value, parameter.choices), "or") if parameter.choices else parameter.type


def _need(parameter: Parameter) -> str:
    if parameter.value is not None:
        return f"{value(parameter.value)} unless you say otherwise"
    return "you must give it" if parameter.required else "left out unless you give it"


def _terms(node: Any, path: str) -> Iterator[tuple[str, str]]:
    """Walk to every term; a parameter stands as its name in angle brackets."""
    if isinstance(node, Mapping) and set(node) == {"param"}:
        yield path, f"<{plain(str(node['param']))}>"
    elif isinstance(node, Mapping):
        for key, child in node.items():
            yield from _terms(child, f"{path}.{plain(str(key))}" if path else plain(str(key)))
    elif isinstance(node, list | tuple) and any(isinstance(item, Mapping) for item in node):
        for i, child in enumerate(node):
            yield from _terms(child, f"{path}[{i}]")
    elif isinstance(node, list | tuple):
        yield path, f"[{', '.join(plain(str(item)) for item in node)}]"
    else:
        yield path, plain(str(node))
