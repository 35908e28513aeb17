"""`slaguard explain`: an Agreement or a Profile in plain English, and what profiles ship."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from slaguard.errors import ConfigError, SpecError
from slaguard.spec.explain import Explanation, explanation, render
from slaguard.spec.explain_profile import one_line, profile_explanation
from slaguard.spec.library import Reference, Shelves
from slaguard.spec.load import Loaded, examine
from slaguard.spec.nodes import nearest, problem_at, show, shown
from slaguard.spec.notation import Parsed, parse
from slaguard.spec.profile_check import check_profile
from slaguard.spec.profile_file import Profile
from slaguard.spec.reading import read_text

Form = Literal["text", "json"]


def explain(
    document: Annotated[
        str | None, typer.Argument(metavar="AGREEMENT|PROFILE", help="A file, or a profile's name@version.", show_default=False)
    ] = None,
    *,
    profiles: Annotated[bool, typer.Option("--profiles", help="List the profiles that ship, one line each.")] = False,
    format: Annotated[Form, typer.Option(help="text for people, json for machines.")] = "text",  # noqa: A002
) -> None:
    """Say in plain English what an Agreement or a Profile means: what counts, what you get, what you must do by when.

    Example: slaguard explain sla_specs/examples/acme-chat.yaml
    """
    if profiles == (document is not None):
        raise ConfigError("explain needs one thing\n    name an Agreement or a profile, or ask for --profiles")
    if document is None:
        _print_profiles(format)
        return
    explained, about = _explained(document)
    typer.echo(json.dumps(_as_json(explained, about), indent=2) if format == "json" else render(explained).rstrip("\n"))


def _print_profiles(form: Form) -> None:
    shelf = Shelves()
    shipped = [head for label in shelf.profiles() if (head := _profile(shelf, label)) is not None]
    if form == "text":
        typer.echo("\n".join(map(one_line, shipped)))
        return
    rows = [{"name": p.name, "version": p.version, "text": p.text, "needs_confirmation": p.needs_confirmation} for p in shipped]
    typer.echo(json.dumps({"schema": "slaguard/profiles/v1", "profiles": rows}, indent=2))


def _profile(shelf: Shelves, label: str) -> Profile | None:
    reference = Reference.parse(label)
    parsed = shelf.profile(reference) if reference else None
    return None if parsed is None else _head(parsed)


def _head(parsed: Parsed) -> Profile:
    file, problems = check_profile(parsed)
    errors = tuple(p for p in problems if p.is_error)
    if file.head is None or errors:
        raise SpecError(errors)
    return file.head


def _explained(document: str) -> tuple[Explanation, dict[str, Any]]:
    """Return what a document means, and which one it is."""
    path = Path(document)
    parsed = parse(read_text(path), document) if path.exists() else _named(document)
    if parsed.root is not None and parsed.root.text("kind") == "Profile":
        head = _head(parsed)
        return profile_explanation(head), {"profile": {"name": head.name, "version": head.version}}
    if parsed.root is not None and parsed.root.text("kind") not in {None, "Agreement"}:
        kind = parsed.root.get("kind") or parsed.root
        raise SpecError((problem_at(kind, "E-SPEC-SCHEMA", show(kind), "explain reads Agreements and Profiles"),))
    loaded, problems = examine(parsed, Shelves(path.parent))
    if loaded is None:
        raise SpecError(tuple(p for p in problems if p.is_error))
    return explanation(loaded.agreement, loaded.provenance, loaded.warnings), {"agreement": _identity(loaded)}


def _named(document: str) -> Parsed:
    """Return the document of a profile, beside the reader or shipped."""
    shelf = Shelves(Path())
    reference = Reference.parse(document)
    parsed = shelf.profile(reference) if reference else None
    if parsed is None:
        meant = nearest(document, shelf.profiles())
        hint = f"did you mean {meant}? " if meant else ""
        listed = f"{hint}slaguard explain --profiles lists what ships"
        raise ConfigError(f"{shown(document)}: no such file, and no profile of that name\n    {listed}")
    return parsed


def _identity(loaded: Loaded) -> dict[str, Any]:
    agreement = loaded.agreement
    return {"name": agreement.name, "version": agreement.version, "sha256": loaded.spec_sha256}


def _as_json(explained: Explanation, about: dict[str, Any]) -> dict[str, Any]:
    return {"schema": "slaguard/explanation/v1", **about, **asdict(explained)}
