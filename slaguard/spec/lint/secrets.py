"""E-SPEC-SECRET: an Agreement is shown to many; keys and endpoints belong into the deployment configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from slaguard.errors import Problem
from slaguard.spec.nodes import Map, is_token, problem_at, scalars

_ADDRESS = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,20}://|\bwww\.[\w-]+\.|\b\d{1,3}(\.\d{1,3}){3}:\d{2,5}\b", re.ASCII | re.IGNORECASE
)
_HEX = re.compile(r"\b(?=[0-9]*[a-f])[0-9a-f]{32,}\b", re.ASCII | re.IGNORECASE)
_HASHES: Final = ("sha256",)


def secrets(root: Map) -> Iterator[Problem]:
    """Yield every value of a document as written that looks like a secret or an endpoint; none of them is shown."""
    for scalar in scalars(root):
        if is_token(scalar.text) or (_HEX.search(scalar.text) and not scalar.path.endswith(_HASHES)):
            mend = "remove it, and withdraw it if it is real; slaguard.yaml names keys by reference: env:ACME_API_KEY"
            yield problem_at(scalar, "E-SPEC-SECRET", "looks like a secret (not shown)", mend)
        elif _ADDRESS.search(scalar.text):
            mend = "endpoints stand in slaguard.yaml, under vendors; name the document and the section instead"
            yield problem_at(scalar, "E-SPEC-SECRET", "looks like an address (not shown)", mend)
