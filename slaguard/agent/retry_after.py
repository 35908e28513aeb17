"""How long a vendor that limits our rate asks us to wait (RFC 9110 §10.2.3), within reason."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from slaguard.providers.base import Reply
from slaguard.records import NS

MOST_NS: Final = 3600 * NS
_STATUS: Final = 429
_SECONDS: Final = re.compile(r"[0-9]+\Z", re.ASCII)
_DIGITS: Final = 9


def held_until(reply: Reply, now: int) -> int:
    """Return until when nothing is to be asked (UTC nanoseconds), at most an hour ahead; 0 where nothing was said.

    A 429 itself is an Observation like any other; only the slots after it are shed.
    """
    text = reply.exchange.headers.get("retry-after", "").strip()
    if reply.facts.status != _STATUS or not text:
        return 0
    return min(_moment(text, now), now + MOST_NS)


def _moment(text: str, now: int) -> int:
    if _SECONDS.match(text):
        return now + (int(text) * NS if len(text.lstrip("0")) <= _DIGITS else MOST_NS)
    try:
        when = parsedate_to_datetime(text[:64])
        return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()) * NS
    except (ValueError, OverflowError, OSError):
        return 0  # the vendor's text is no time; nothing is known
