"""The secret that plans are drawn from: it keeps a vendor from knowing when it will be asked what."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path
from typing import Final

from slaguard.ledger.secret import kept_secret

NAME: Final = "agent.secret"


def agent_secret(ledger: Path, entropy: Callable[[int], bytes]) -> bytes:
    """Return the 32 bytes in `ledger`/agent.secret; made there, for the owner alone, where there are none.

    The caller holds the ledger's lock, so nobody else makes one meanwhile.

    Raises:
        ConfigError: the file is no secret, or others may read it.
        OSError: it cannot be written.

    """
    return kept_secret(ledger / NAME, entropy, "plans")


def period_seed(secret: bytes, agreement: str, model: str, label: str) -> bytes:
    """Return the seed of one probe's plan in one period: HMAC-SHA256 over ``agreement/model/label``."""
    return hmac.new(secret, f"{agreement}/{model}/{label}".encode(), hashlib.sha256).digest()


def slot_tag(secret: bytes) -> str:
    """Return the eight hexadecimal digits in the names of all slots that are drawn from a secret; they do not tell it.

    Two hosts may ask the same model for the same Agreement: read side by side, what they found must not look like one.
    """
    return hmac.new(secret, b"slot name", hashlib.sha256).hexdigest()[:8]
