"""The sidecar as a process: it passes calls on, shows how it is, and goes on whatever happens to what is written down."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from slaguard.terms import Outcome, Source
from tests.conftest import absent
from tests.sidecar.process import ANSWER, WAIT_S, a_vendor, ask, configure, running
from tests.sidecar.recorders import observations, tallies


def test_calls_pass_are_recorded_and_are_counted(tmp_path: Path) -> None:
    with a_vendor() as vendor, running(configure(tmp_path, vendor.url)) as sidecar:
        for _ in range(3):
            assert sidecar.call("/v1/chat/completions?key=x") == (200, ANSWER, "acme")
        assert vendor.asked == ["/v1/chat/completions?key=x"] * 3
        sidecar.until(lambda: sidecar.metric("sidecar_calls_recorded_total") == 3)
        assert sidecar.metric('sidecar_calls_total{ended="complete"}') == 3
        assert sidecar.metric("sidecar_calls_seen_total") == 3
        assert sidecar.metric("sidecar_open_calls") == 0
        assert sidecar.metric("sidecar_recorder_up") == sidecar.metric("sidecar_secret_kept") == 1
        assert (sidecar.metric("sidecar_last_recorded_timestamp_seconds") or 0) > time.time() - 60
        assert sidecar.end() == 0, sidecar.said()
        [stopped] = sidecar.told("stopped")
        assert (stopped["recorded"], stopped["all_written"], stopped["calls_ended_early"]) == (3, True, 0)
    assert stat.S_IMODE((tmp_path / "ledger" / "sidecar" / "sidecar.secret").stat().st_mode) == 0o600


def test_it_says_where_it_is_on_standard_output_and_in_the_log(tmp_path: Path) -> None:
    with a_vendor() as vendor, running(configure(tmp_path, vendor.url)) as sidecar:
        [told] = sidecar.told("listening")
        assert (told["url"], told["admin"]) == (f"http://{sidecar.calls}", f"http://{sidecar.admin}")
        assert not sidecar.events("open_to_others")


def test_it_is_ready_and_answers_while_the_vendor_is_down(tmp_path: Path) -> None:
    with a_vendor() as vendor:
        url = vendor.url
    with running(configure(tmp_path, url)) as sidecar:
        assert sidecar.call()[0] == 502
        assert sidecar.get("/-/ready") == (200, '{"status": "ready"}\n')
        assert sidecar.get("/-/healthy") == (200, '{"status": "healthy"}\n')
        sidecar.until(lambda: sidecar.metric('sidecar_calls_total{ended="unreached"}') == 1)
        assert sidecar.end() == 0


def test_a_ledger_that_cannot_be_made_stops_no_call_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with a_vendor() as vendor, running(configure(tmp_path, vendor.url, ledger="file/ledger", grace="2s")) as sidecar:
        for _ in range(5):
            assert sidecar.call() == (200, ANSWER, "acme")
        assert sidecar.get("/-/ready")[0] == 200
        [told] = sidecar.told("secret_not_kept")
        assert "bodies are drawn by one that ends with this process" in told["instead"]
        assert sidecar.metric("sidecar_secret_kept") == 0
        sidecar.until(lambda: sidecar.metric("sidecar_recorder_trouble") == 1)
        sidecar.told("recording_trouble")
        assert sidecar.metric("sidecar_calls_recorded_total") == 0
        began = time.monotonic()
        assert sidecar.end() == 0
        assert time.monotonic() - began < 2 + 5, "within the grace, and what a busy machine takes"
        [stopped] = sidecar.told("stopped")
        assert (stopped["all_written"], stopped["recorded"]) == (False, 0)


def test_a_recorder_that_is_killed_stops_no_call(tmp_path: Path) -> None:
    with a_vendor() as vendor, running(configure(tmp_path, vendor.url)) as sidecar:
        sidecar.call()
        sidecar.until(lambda: sidecar.metric("sidecar_calls_recorded_total") == 1)
        children = Path(f"/proc/{sidecar.process.pid}/task/{sidecar.process.pid}/children")
        if not children.exists():
            pytest.skip("this system does not tell which processes another one has started")
        [child] = [int(pid) for path in children.parent.parent.glob("*/children") for pid in path.read_text().split()]
        subprocess.run(["kill", "-9", str(child)], check=True)
        for _ in range(5):
            assert sidecar.call()[0] == 200
        sidecar.until(lambda: sidecar.metric("sidecar_calls_recorded_total") == 6)
        assert sidecar.metric("sidecar_recorder_up") == sidecar.metric("sidecar_recorder_restarts_total") == 1
        [told] = sidecar.told("recorder_restarted")
        assert (told["times"], told["in_all"]) == (1, 1)
        assert sidecar.end() == 0


def test_a_ledger_that_is_removed_is_told_of_and_stays_in_the_metrics(tmp_path: Path) -> None:
    with a_vendor() as vendor, running(configure(tmp_path, vendor.url)) as sidecar:
        sidecar.call()
        sidecar.until(lambda: sidecar.metric("sidecar_calls_recorded_total") == 1)
        assert sidecar.metric("sidecar_ledger_lost_total") == 0
        shutil.rmtree(tmp_path / "ledger")
        sidecar.call()
        sidecar.until(lambda: sidecar.metric("sidecar_calls_recorded_total") == 2)
        [told] = sidecar.told("ledger_lost")
        assert (told["level"], told["in_all"]) == ("error", 1)
        sidecar.until(lambda: sidecar.metric("sidecar_recorder_trouble") == 0)
        assert sidecar.metric("sidecar_ledger_lost_total") == 1
        assert sidecar.end() == 0


# ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_stream_under_way_is_finished_before_the_end(tmp_path: Path) -> None:
    with a_vendor() as vendor, running(configure(tmp_path, vendor.url)) as sidecar:
        connection = http.client.HTTPConnection(sidecar.calls, timeout=WAIT_S)
        connection.request("POST", "/slow", body=b"{}")
        answer = connection.getresponse()
        first = answer.read1()
        sidecar.process.send_signal(signal.SIGTERM)
        sidecar.until(lambda: sidecar.get("/-/ready")[0] == 503)
        assert sidecar.get("/-/healthy")[0] == 200
        assert sidecar.metric("sidecar_ready") == 0
        assert first + answer.read() == b"".join(b"data: %d\n\n" % i for i in range(10))
        connection.close()
        assert sidecar.process.wait(WAIT_S) == 0
        [stopped] = sidecar.told("stopped")
        assert (stopped["calls_ended_early"], stopped["all_written"], stopped["recorded"]) == (0, True, 1)


def test_a_call_that_lasts_longer_than_the_grace_is_ended_and_the_process_with_it(tmp_path: Path) -> None:
    with (
        a_vendor() as vendor,
        running(configure(tmp_path, vendor.url, grace="400ms")) as sidecar,
        sidecar.slow_call(vendor) as found,
    ):
        began = time.monotonic()
        assert sidecar.end() == 0
        assert time.monotonic() - began < 3
        [stopped] = sidecar.told("stopped")
        assert (stopped["level"], stopped["calls_ended_early"], found) == ("warning", 1, [])


def test_what_is_there_at_the_signal_is_published_while_a_stream_goes_on(tmp_path: Path) -> None:
    with a_vendor() as vendor:
        config = configure(tmp_path, vendor.url, more="  publish: ./published\n")
        with running(config) as sidecar:
            sidecar.call()
            sidecar.until(lambda: sidecar.metric("sidecar_calls_recorded_total") == 1)
            with (
                contextlib.closing(http.client.HTTPConnection(sidecar.calls, timeout=WAIT_S)) as connection,
                contextlib.closing(http.client.HTTPConnection(sidecar.calls, timeout=WAIT_S)) as half,
            ):
                half.putrequest("POST", "/v1/chat/completions")
                half.putheader("Content-Length", "2")
                half.endheaders()  # a call that ends when we say so
                connection.request("POST", "/slow", body=b"{}")
                connection.getresponse().read1()
                sidecar.process.send_signal(signal.SIGTERM)
                sidecar.until(lambda: list(tmp_path.glob("published/sidecar/segments/*.json")))
                half.send(b"{}")
                assert half.getresponse().read() == ANSWER
            assert sidecar.process.wait(WAIT_S) == 0
            [stopped] = sidecar.told("stopped")
            assert (stopped["all_written"], stopped["published"]) == (True, True)


def test_what_cannot_be_published_makes_the_last_line_a_warning(tmp_path: Path) -> None:
    (tmp_path / "published").write_text("no folder")
    with a_vendor() as vendor:
        config = configure(tmp_path, vendor.url, grace="4s", more="  publish: ./published\n")
        with running(config) as sidecar:
            sidecar.call()
            sidecar.until(lambda: sidecar.metric("sidecar_calls_recorded_total") == 1)
            assert sidecar.end() == 0
            [stopped] = sidecar.told("stopped")
            assert (stopped["level"], stopped["all_written"], stopped["published"]) == ("warning", True, False)


def test_the_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with a_vendor() as vendor, running(configure(tmp_path, vendor.url)) as sidecar, sidecar.slow_call(vendor):
        sidecar.process.send_signal(signal.SIGINT)
        sidecar.told("stopping")
        began = time.monotonic()
        assert sidecar.end(signal.SIGINT) == 130
        assert time.monotonic() - began < 2
        sidecar.told("ended_at_once")


# ── a scrape ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_promtool_finds_nothing_in_a_live_scrape(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        absent("promtool is not installed: make test-system says how")
        return
    with a_vendor() as vendor, running(configure(tmp_path, vendor.url)) as sidecar:
        sidecar.call()
        ask(sidecar.calls, "POST", "/x", headers={"Transfer-Encoding": "gzip"})
        sidecar.until(lambda: sidecar.metric("sidecar_calls_recorded_total") == 1)
        assert sidecar.metric('sidecar_refused_total{code="400"}') == 1
        body = sidecar.get("/metrics")[1].encode()
    found = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, check=False, timeout=60)
    assert (found.returncode, found.stdout, found.stderr) == (0, b"", b"")


def test_what_is_recorded_can_be_read_from_the_ledger(tmp_path: Path) -> None:
    with a_vendor() as vendor, running(configure(tmp_path, vendor.url), "--name", "pod-7") as sidecar:
        assert sidecar.call()[0] == 200
        sidecar.until(lambda: sidecar.metric("sidecar_calls_recorded_total") == 1)
        assert sidecar.end() == 0
    folder = tmp_path / "ledger" / "pod-7"
    assert (folder / "sidecar.secret").is_file()
    [one] = observations(folder)
    assert (one.vendor, one.via, one.source, one.outcome) == ("Acme AI", "sidecar", Source.TRAFFIC, Outcome.OK)
    assert (one.status, one.model_returned, one.attributes["endpoint"]) == (200, "acme-large", "POST /v1/chat/completions")
    assert {(tally.vendor, tally.shed) for tally in tallies(folder)} == {("Acme AI", 0)}
    assert sum(tally.seen for tally in tallies(folder)) == 1


def test_nothing_that_was_asked_or_answered_is_in_the_log(tmp_path: Path) -> None:
    with a_vendor() as vendor, running(configure(tmp_path, vendor.url)) as sidecar:
        ask(sidecar.calls, "POST", "/v1?q=canary", body=b"canary", headers={"Authorization": "Bearer canary-0123456789"})
        sidecar.until(lambda: sidecar.metric("sidecar_calls_recorded_total") == 1)
        assert sidecar.end() == 0
        assert "canary" not in sidecar.said()
