"""The sidecar's series: those of the one catalogue, in both forms, made at most once a second."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from slaguard.records import NS
from slaguard.sidecar.call import Ended
from slaguard.sidecar.link import LinkState
from slaguard.sidecar.pump import PumpState
from slaguard.sidecar.series import OPENMETRICS, TEXT, Family, OwnState, Page, families, render, wants_openmetrics
from slaguard_exporters._catalogue import SIDECAR, Kind
from tests.cli.watched import Now
from tests.conftest import absent

NOW = 1_790_000_000 * NS
PUMP = PumpState(open_calls=2, clients=3, pooled=1, ended={Ended.COMPLETE: 40, Ended.CUT: 1}, refused={"400": 5})
LINK = LinkState(
    recorder_up=True, trouble=None, queued_bytes=512, seen=43, recorded=40, client_abort=1, shed={"queue": 1}, bodies=4,
    bodies_shed=1, last_ack_ns=NOW + 250_000_000, restarts=3, ledger_lost=1,
)  # fmt: skip
OWN = OwnState(
    version="0.1.0", ready=True, queue_limit=32 << 20, secret_kept=True, reload_successful=True, reload_success_at=NOW,
    restart_needed=False,
)  # fmt: skip


def shown(*, openmetrics: bool = False, link: LinkState = LINK) -> str:
    return render(families(PUMP, link, OWN), openmetrics=openmetrics).decode()


def parsed(parse: Callable[[str], Any], text: str) -> dict[tuple[str, str, str], tuple[str, float]]:
    """Return (name, label, value) → (type, value) of every sample."""
    found = {}
    for family in parse(text):
        for sample in family.samples:
            label, value = next(iter(sample.labels.items()), ("", ""))
            found[sample.name, label, value] = (family.type, sample.value)
    return found


def test_names_types_help_and_labels_are_those_of_the_catalogue() -> None:
    found = [(f"slaguard_{f.name}", f.kind, f.help, (f.label,) if f.label else ()) for f in families(PUMP, LINK, OWN)]
    assert found == [(m.name, m.kind.value, m.help, m.labels) for m in SIDECAR]


def test_every_number_is_shown() -> None:
    found = {key: value for key, (_, value) in parsed(parse_text, shown()).items()}
    assert found["slaguard_sidecar_calls_total", "ended", "complete"] == 40
    assert found["slaguard_sidecar_calls_total", "ended", "stopped"] == 0, "a way to end that was not seen yet is 0"
    assert found["slaguard_sidecar_refused_total", "code", "400"] == 5
    assert found["slaguard_capture_dropped_total", "reason", "queue"] == 1
    assert found["slaguard_sidecar_build_info", "version", "0.1.0"] == 1
    plain = {name.removeprefix("slaguard_"): value for (name, label, _), value in found.items() if not label}
    assert plain == {
        "sidecar_open_calls": 2, "sidecar_client_connections": 3, "sidecar_pooled_connections": 1,
        "sidecar_calls_seen_total": 43, "sidecar_calls_recorded_total": 40, "sidecar_client_aborts_total": 1,
        "sidecar_bodies_total": 4, "sidecar_bodies_dropped_total": 1, "sidecar_ready": 1, "sidecar_recorder_up": 1,
        "sidecar_recorder_restarts_total": 3, "sidecar_ledger_lost_total": 1,
        "sidecar_recorder_trouble": 0, "sidecar_queue_bytes": 512, "sidecar_queue_limit_bytes": 32 << 20,
        "sidecar_last_recorded_timestamp_seconds": 1_790_000_000.25, "sidecar_secret_kept": 1,
        "sidecar_config_last_reload_successful": 1, "sidecar_config_last_reload_success_timestamp_seconds": 1_790_000_000,
        "sidecar_restart_needed": 0,
    }  # fmt: skip


def test_what_is_not_known_has_no_series() -> None:
    text = shown(link=replace(LINK, last_ack_ns=None, shed={}, trouble="the disk is full", recorder_up=False))
    assert "last_recorded" not in text
    assert "capture_dropped" not in text
    assert "slaguard_sidecar_recorder_trouble 1\n" in text
    assert "slaguard_sidecar_recorder_up 0\n" in text
    assert "disk" not in text.replace("on disk", ""), "what is wrong is for the log"


def test_the_two_forms_hold_the_same() -> None:
    assert parsed(parse_text, shown()) == parsed(parse_openmetrics, shown(openmetrics=True))


def test_openmetrics_names_the_units() -> None:
    text = shown(openmetrics=True)
    units = [line.split()[2:] for line in text.splitlines() if line.startswith("# UNIT")]
    assert units == [[m.family, m.unit] for m in SIDECAR if m.unit]
    assert text.endswith("# EOF\n")
    assert "# TYPE slaguard_sidecar_calls counter\n" in text
    assert "# TYPE slaguard_sidecar_calls_total counter\n" in shown()


def test_a_label_is_escaped() -> None:
    text = render([Family("x_total", "X.", {'a"\\\n': "1"}, "code")], openmetrics=False).decode()
    [sample] = next(iter(parse_text(text))).samples
    assert sample.labels == {"code": 'a"\\\n'}


def test_promtool_finds_nothing() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        absent("promtool is not installed: make test-system says how")
        return
    found = subprocess.run([promtool, "check", "metrics"], input=shown().encode(), capture_output=True, check=False, timeout=60)
    assert (found.returncode, found.stdout, found.stderr) == (0, b"", b"")


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("application/openmetrics-text", True),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", True),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4", True),
        ("application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", False),
        ("application/openmetrics-text;version=1.0.0;q=0,*/*", False),
        ("application/openmetrics-text;version=1.0.0;q=0.000", False),
        (";;;,,,=;", False),
    ],
)
def test_openmetrics_is_given_to_who_takes_its_version(accept: str, wanted: bool) -> None:
    assert wants_openmetrics(accept) is wanted


def test_a_page_looks_at_most_once_a_second() -> None:
    clock, looks = Now(), []

    def look() -> list[Family]:
        looks.append(clock.wall_ns)
        return [Family("sidecar_open_calls", "Calls under way.", {"": str(len(looks))})]

    page = Page(look, clock)
    for _ in range(5):
        assert page.answer("")[0].endswith(b"open_calls 1\n")
    assert page.answer("")[1] == TEXT
    body, kind = page.answer("application/openmetrics-text")
    assert (body.splitlines()[-2:], kind) == ([b"slaguard_sidecar_open_calls 1", b"# EOF"], OPENMETRICS)
    clock.wall_ns += NS - 1
    assert page.answer("")[0].endswith(b"open_calls 1\n")
    clock.wall_ns += 1
    assert page.answer("")[0].endswith(b"open_calls 2\n")


def test_no_series_of_the_sidecar_is_a_histogram() -> None:
    assert {m.kind for m in SIDECAR} == {Kind.GAUGE, Kind.COUNTER}
