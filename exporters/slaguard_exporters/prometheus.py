"""The Prometheus exporter: a Snapshot as text 0.0.4 or OpenMetrics 1.0, rendered once and sent as often as it is asked for.

    exposed = PrometheusExporter().export(snapshot)
    body, content_type, content_encoding = exposed.answer(accept, accept_encoding)

What is exposed stands in `_catalogue`; docs/metrics.md explains it.
"""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from prometheus_client import exposition
from prometheus_client.openmetrics import exposition as openmetrics

from slaguard.evaluation.snapshot import Snapshot
from slaguard_exporters._bounds import Limits
from slaguard_exporters._families import families, without_results
from slaguard_exporters._render import ClientFamilies, Renderer
from slaguard_exporters._series import ExportError, Family

MAX_VALUES: Final = 100
"""Different values of one label of one family."""
MAX_SERIES: Final = 10_000
"""Series of one exposition."""
DOTS: Final = "dots"
"""The one escaping that renames metrics which need none."""
Form = tuple[bool, bool]
"""Whether it is OpenMetrics, and whether names are escaped for dots."""


class Exposed:
    """What a scrape of one Snapshot gets: each form is rendered when it is first asked for, and kept."""

    def __init__(self, families: Sequence[Family], renderer: Renderer) -> None:
        """Take the families of one Snapshot; nothing is rendered yet."""
        self._families = families
        self._renderer = renderer
        self._lock = threading.Lock()
        self._bodies: dict[tuple[Form, bool], bytes] = {}
        self._instead: Exposed | None = None

    def answer(self, accept: str, accept_encoding: str) -> tuple[bytes, str, str | None]:
        """Return the exposition in the form a scrape asks for.

        Args:
            accept: the request's Accept; empty means text 0.0.4.
            accept_encoding: the request's Accept-Encoding.

        Returns:
            The body, its Content-Type, and its Content-Encoding (``gzip`` or None).

        """
        if self._instead is not None:
            return self._instead.answer(accept, accept_encoding)
        form, content_type = negotiate(accept)
        zipped = accepts_gzip(accept_encoding)
        return self._body(form, zipped=zipped), content_type, "gzip" if zipped else None

    def give_way(self, instead: Exposed) -> None:
        """Answer with another exposition from now on: this one has gone stale and must not look alive."""
        self._instead = instead

    def _body(self, form: Form, *, zipped: bool) -> bytes:
        found = self._bodies.get((form, zipped))
        if found is not None:
            return found
        with self._lock:
            if (form, False) not in self._bodies:
                self._bodies[form, False] = self._render(form)
            if zipped and (form, True) not in self._bodies:
                self._bodies[form, True] = gzip.compress(self._bodies[form, False], compresslevel=1, mtime=0)
            return self._bodies[form, zipped]

    def _render(self, form: Form) -> bytes:
        is_openmetrics, dots = form
        if not dots:
            return self._renderer.render(self._families, openmetrics=is_openmetrics)
        generate = openmetrics.generate_latest if is_openmetrics else exposition.generate_latest
        return bytes(generate(ClientFamilies(self._families), escaping=DOTS))


class PrometheusExporter:
    """Makes an exposition of every Snapshot; one for the life of a process, so that it can tell a failure on the old one."""

    def __init__(self, *, max_values: int = MAX_VALUES, max_series: int = MAX_SERIES) -> None:
        """Set the limits.

        Args:
            max_values: different values of one label of one family.
            max_series: series of one exposition.

        """
        self._limits = Limits(max_values, max_series)
        self._renderer = Renderer()
        self._last: Exposed | None = None

    def export(self, snapshot: Snapshot) -> Exposed:
        """Return what to answer scrapes with until the next Snapshot.

        Raises:
            ExportError: a label or the number of series is over its limit. The exposition before it answers from then on
                with what stands in the error's `instead`: no results, and `slaguard_export_failed` 1.

        """
        try:
            found = families(snapshot)
            self._limits.check(found)
        except ExportError as error:
            error.instead = Exposed(without_results(snapshot.telemetry), self._renderer)
            if self._last is not None:
                self._last.give_way(error.instead)
            raise
        self._last = Exposed(found, self._renderer)
        return self._last


def negotiate(accept: str) -> tuple[Form, str]:
    """Return the form an Accept header asks for and its Content-Type, as prometheus_client chooses them.

    A version that is no version, over which prometheus_client stumbles, gets the plain text.
    """
    try:
        encoder, content_type = exposition.choose_encoder(accept)
    except TypeError:
        encoder, content_type = exposition.choose_encoder("")
    chosen: Callable[..., Any] = getattr(encoder, "func", encoder)
    escaping = getattr(encoder, "keywords", {}).get("escaping")
    return (chosen is openmetrics.generate_latest, escaping == DOTS), content_type


def accepts_gzip(accept_encoding: str) -> bool:
    """Tell whether a response may be zipped; ``gzip;q=0`` says no."""
    for part in accept_encoding.split(","):
        name, _, weight = part.partition(";")
        if name.strip().lower() == "gzip":
            key, _, value = weight.strip().partition("=")
            return not (key.strip() == "q" and value.strip().rstrip("0") in {"", "0.", "."})
    return False
