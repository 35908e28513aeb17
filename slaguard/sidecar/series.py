"""The sidecar's few series, as text 0.0.4 or OpenMetrics 1.0: made when they are asked for, at most once a second.

Names, types and labels are those of the exporters' catalogue, which the product may not import; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from slaguard.records import NS, Clock
from slaguard.sidecar.call import Ended
from slaguard.sidecar.link import LinkState
from slaguard.sidecar.pump import PumpState

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_UNITS: Final = ("seconds", "bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnState:
    """What the process knows of itself. `reload_success_at` is nanoseconds UTC."""

    version: str
    ready: bool
    queue_limit: int
    secret_kept: bool
    reload_successful: bool
    reload_success_at: int
    restart_needed: bool


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family; a sample's key is its label's value, empty where there is no label."""

    name: str
    help: str
    samples: Mapping[str, str]
    label: str = ""

    @property
    def kind(self) -> str:
        """``counter`` or ``gauge``."""
        return "counter" if self.name.endswith("_total") else "gauge"


def families(pump: PumpState, link: LinkState, own: OwnState) -> Iterator[Family]:
    """Yield every family, in the order of the exposition; what is not known has no sample."""
    yield from _calls(pump)
    yield from _records(link)
    yield from _process(link, own)


def _calls(pump: PumpState) -> Iterator[Family]:
    ended = {how.value: pump.ended.get(how, 0) for how in Ended}
    yield Family("sidecar_calls_total", "Calls that are over, by how they ended.", _texts(ended), "ended")
    yield _one("sidecar_open_calls", "Calls under way.", pump.open_calls)
    yield _one("sidecar_client_connections", "Connections of the application.", pump.clients)
    yield _one("sidecar_pooled_connections", "Connections to vendors that wait for a next call.", pump.pooled)
    text = "Requests that the sidecar itself answered with an error, by its status."
    yield Family("sidecar_refused_total", text, _texts(pump.refused), "code")


def _records(link: LinkState) -> Iterator[Family]:
    yield _one("sidecar_calls_seen_total", "Calls that began and were to be recorded.", link.seen)
    yield _one("sidecar_calls_recorded_total", "Calls that were acknowledged as on disk at that time.", link.recorded)
    text = "Recorded calls whose client left before it had the whole answer."
    yield _one("sidecar_client_aborts_total", text, link.client_abort)
    text = "Calls that could not be recorded; the traffic itself went on."
    yield Family("capture_dropped_total", text, _texts(link.shed), "reason")
    yield _one("sidecar_bodies_total", "Calls whose question and answer are on disk, redacted.", link.bodies)
    text = "Calls that are on disk without the question and answer that were to be kept."
    yield _one("sidecar_bodies_dropped_total", text, link.bodies_shed)


def _process(link: LinkState, own: OwnState) -> Iterator[Family]:
    yield _one("sidecar_ready", "1 while calls are taken, 0 while those under way are being ended.", own.ready)
    yield _one("sidecar_recorder_up", "1 while the process that writes records runs.", link.recorder_up)
    text = "Times that the process that writes records was started anew."
    yield _one("sidecar_recorder_restarts_total", text, link.restarts)
    text = "Times that the ledger was removed or replaced while it was written: what was not sealed is gone."
    yield _one("sidecar_ledger_lost_total", text, link.ledger_lost)
    text = "1 while records cannot be written as they should; the log says why."
    yield _one("sidecar_recorder_trouble", text, link.trouble is not None)
    yield _one("sidecar_queue_bytes", "What waits to be written.", link.queued_bytes)
    text = "How much may wait before calls are dropped from the record."
    yield _one("sidecar_queue_limit_bytes", text, own.queue_limit)
    yield _at("sidecar_last_recorded_timestamp_seconds", "When a call was last written.", link.last_ack_ns)
    text = "1 if bodies are drawn by the secret in the ledger, 0 if by one that ends with the process."
    yield _one("sidecar_secret_kept", text, own.secret_kept)
    text = "1 if the configuration that was last read is in force."
    yield _one("sidecar_config_last_reload_successful", text, own.reload_successful)
    text = "When a configuration was last taken into force."
    yield _at("sidecar_config_last_reload_success_timestamp_seconds", text, own.reload_success_at)
    text = "1 while the configuration asks for something that only a restart brings."
    yield _one("sidecar_restart_needed", text, own.restart_needed)
    yield Family("sidecar_build_info", "1; which slaguard the sidecar is.", {own.version: "1"}, "version")


def _texts(counts: Mapping[str, int]) -> dict[str, str]:
    return {str(label): str(n) for label, n in sorted(counts.items())}


def _one(name: str, text: str, value: int) -> Family:
    return Family(name, text, {"": str(int(value))})


def _at(name: str, text: str, ns: int | None) -> Family:
    """Return an instant, as seconds; nothing where there was none yet."""
    return Family(name, text, {} if ns is None else {"": f"{ns // NS}.{ns % NS:09d}"})


# ── the text ────────────────────────────────────────────────────────────────────────────────────────────────────────
def render(found: Iterable[Family], *, openmetrics: bool) -> bytes:
    """Return the exposition, UTF-8; a family without a sample is not there."""
    lines: list[str] = []
    for family in found:
        if family.samples:
            lines.extend(_head(family, openmetrics=openmetrics))
            lines.extend(f"slaguard_{family.name}{_labels(family.label, key)} {text}" for key, text in family.samples.items())
    if openmetrics:
        lines.append("# EOF")
    return "".join(f"{line}\n" for line in lines).encode()


def _head(family: Family, *, openmetrics: bool) -> Iterator[str]:
    name = f"slaguard_{family.name.removesuffix('_total') if openmetrics else family.name}"
    yield f"# HELP {name} {family.help}"
    yield f"# TYPE {name} {family.kind}"
    unit = next((unit for unit in _UNITS if name.endswith(f"_{unit}")), "")
    if openmetrics and unit:
        yield f"# UNIT {name} {unit}"


def _labels(name: str, value: str) -> str:
    if not name:
        return ""
    escaped = value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return f'{{{name}="{escaped}"}}'


def wants_openmetrics(accept: str) -> bool:
    """Tell whether an Accept header takes OpenMetrics 1.0, which is then preferred."""
    for part in accept.lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        values = dict(p.partition("=")[::2] for p in parameters)
        never = values.get("q", "1").strip("0.") == ""
        if kind == "application/openmetrics-text" and values.get("version", "1.0.0") == "1.0.0" and not never:
            return True
    return False


@dataclass(slots=True)
class Page:
    """What a scrape gets; `look` is called at most once a second, whoever asks how often."""

    look: Callable[[], Iterable[Family]]
    clock: Clock
    _made_at: int | None = None
    _found: tuple[Family, ...] = ()
    _bodies: dict[bool, bytes] = field(default_factory=dict)

    def answer(self, accept: str) -> tuple[bytes, str]:
        """Return the body and its Content-Type in the form that an Accept header asks for."""
        now = self.clock.read().mono_ns
        if self._made_at is None or now - self._made_at >= NS:
            self._found, self._made_at = tuple(self.look()), now
            self._bodies.clear()
        openmetrics = wants_openmetrics(accept)
        if openmetrics not in self._bodies:
            self._bodies[openmetrics] = render(self._found, openmetrics=openmetrics)
        return self._bodies[openmetrics], OPENMETRICS if openmetrics else TEXT
