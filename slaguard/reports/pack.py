"""The claim pack: a folder with the page, the tables, the dates and everything a reader needs to check them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from slaguard.files import atomic_write, is_safe_name
from slaguard.reports.calendar import deadlines_ics
from slaguard.reports.checking import WHAT
from slaguard.reports.claim import render_claim
from slaguard.reports.inputs import ClaimInputs
from slaguard.reports.table import facts_jsonl, records_csv
from slaguard.reports.tally import ReportRefused
from slaguard.reports.workbook import claim_xlsx

PAGE = "claim.html"
MANIFEST = "manifest.txt"
OWN = frozenset({PAGE, MANIFEST, *WHAT})


def pack_files(inputs: ClaimInputs) -> dict[str, bytes]:
    """Return every file of the pack by its path in the folder, the manifest last: the same inputs, the same bytes.

    Raises:
        ReportRefused: the report would not be true, or a further file has a name it may not have.

    """
    _check_names(inputs.extra_files)
    files = {
        "agreement.yaml": inputs.agreement_text.encode(),
        "records.csv": records_csv(inputs),
        "facts.jsonl": facts_jsonl(inputs.facts),
        "evaluation.json": inputs.evaluation.to_json().encode(),
        "claim.xlsx": claim_xlsx(inputs),
    }
    dates = deadlines_ics(inputs)
    if dates is not None:
        files["deadlines.ics"] = dates
    files |= dict(sorted(inputs.extra_files.items()))
    files = {PAGE: render_claim(inputs, files).encode(), **files}
    return {**files, MANIFEST: manifest(files)}


def manifest(files: Mapping[str, bytes]) -> bytes:
    """Return the list of hashes, as `sha256sum --check` reads it."""
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items())]
    return "".join(lines).encode()


def write_claim_pack(inputs: ClaimInputs, out_dir: Path) -> tuple[Path, ...]:
    """Write the pack into a folder, which is made if it is not there, and return its files, the page first.

    Everything is computed before the first file is written, so a report that is refused leaves nothing behind.

    Args:
        inputs: the Evaluation and what it was made from.
        out_dir: the folder; files of the same names in it are replaced.

    Raises:
        ReportRefused: the report would not be true, or a file would lie outside the folder.
        OSError: the folder cannot be made or written.

    """
    files = pack_files(inputs)
    out_dir.mkdir(parents=True, exist_ok=True)
    root = out_dir.resolve()
    places = {name: (root / name) for name in files}
    for name, path in places.items():
        if not path.parent.resolve().is_relative_to(root):
            told = f"report: E-REPORT-NAME  {name} would lie outside {out_dir}"
            raise ReportRefused(f"{told}\n    remove the link that leads out of it")
    for name, content in files.items():
        places[name].parent.mkdir(parents=True, exist_ok=True)
        atomic_write(places[name], content)
    return tuple(out_dir / name for name in files)


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        if not _is_safe(name) or name in OWN:
            told = f"report: E-REPORT-NAME  a file of the pack cannot be called {name[:80]!r}"
            raise ReportRefused(f"{told}\n    use letters, digits and . _ @ + - in names, and no name of the pack's own")


def _is_safe(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and "/".join(parts) == name and len(parts) <= 4 and all(map(is_safe_name, parts))
