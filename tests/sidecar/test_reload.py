"""The configuration is read again while calls go on: what is good is taken over, what is not changes nothing."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.sidecar.process import ANSWER, a_vendor, configure, running


def test_another_upstream_is_taken_over_for_the_calls_that_follow(tmp_path: Path) -> None:
    with a_vendor("old") as old, a_vendor("new") as new, running(configure(tmp_path, old.url)) as sidecar:
        assert sidecar.call()[2] == "old"
        first = sidecar.metric("sidecar_config_last_reload_success_timestamp_seconds")
        configure(tmp_path, new.url)
        assert sidecar.get("/-/reload", "POST") == (200, '{"status": "reloaded"}\n')
        assert sidecar.call()[2] == "new"
        assert sidecar.metric("sidecar_config_last_reload_successful") == 1
        sidecar.until(lambda: sidecar.metric("sidecar_config_last_reload_success_timestamp_seconds") != first)
        assert sidecar.metric("sidecar_restart_needed") == 0
        configure(tmp_path, old.url)
        sidecar.process.send_signal(signal.SIGHUP)
        sidecar.told("reloaded", 2)
        assert sidecar.call()[2] == "old"
        assert sidecar.end() == 0


BROKEN = [
    "",
    "ledger: {path: ledger}\n",
    "sidecar: {",
    "ledger: {path: l}\nsidecar: {upstreams: [{vendor: A, url: x}]}\n",
    None,
]


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_configuration_changes_nothing(tmp_path: Path, text: str | None) -> None:
    with a_vendor() as vendor:
        config = configure(tmp_path, vendor.url)
        with running(config) as sidecar:
            config.unlink() if text is None else config.write_text(text)
            status, told = sidecar.get("/-/reload", "POST")
            assert (status, '"code": "reload_failed"' in told) == (500, True)
            [refused] = sidecar.told("reload_refused")
            assert "slaguard.yaml" in refused["reason"]
            assert sidecar.call() == (200, ANSWER, "acme")
            sidecar.until(lambda: sidecar.metric("sidecar_config_last_reload_successful") == 0)
            assert sidecar.get("/-/ready")[0] == 200
            configure(tmp_path, vendor.url)
            assert sidecar.get("/-/reload", "POST")[0] == 200
            sidecar.until(lambda: sidecar.metric("sidecar_config_last_reload_successful") == 1)
            assert sidecar.end() == 0


def test_what_only_a_restart_brings_is_told_and_the_rest_is_taken_over(tmp_path: Path) -> None:
    with a_vendor("old") as old, a_vendor("new") as new, running(configure(tmp_path, old.url)) as sidecar:
        configure(tmp_path, new.url, ledger="elsewhere", listen=1, more="  name: other\n  queue: 64MiB\n")
        assert sidecar.get("/-/reload", "POST")[0] == 200
        told = {event["what"]: (event["in_force"], event["configured"]) for event in sidecar.told("restart_needed", 4)}
        assert told.keys() == {"ledger.path", "sidecar.listen", "sidecar.name", "sidecar.queue"}
        assert told["sidecar.listen"] == ("127.0.0.1:0", "127.0.0.1:1")
        assert sidecar.call()[2] == "new"
        sidecar.until(lambda: sidecar.metric("sidecar_restart_needed") == 1)
        assert sidecar.metric("sidecar_queue_limit_bytes") == 32 << 20, "what is in force"
        assert sidecar.end() == 0
    assert not (tmp_path / "elsewhere").exists()


def test_a_call_under_way_ends_as_it_began(tmp_path: Path) -> None:
    with a_vendor("old") as old, a_vendor("new") as new, running(configure(tmp_path, old.url)) as sidecar:
        with sidecar.slow_call(old) as found:
            configure(tmp_path, new.url)
            assert sidecar.get("/-/reload", "POST")[0] == 200
        assert found == [b"".join(b"data: %d\n\n" % i for i in range(10))]
        assert (old.asked, new.asked) == (["/slow"], [])
        assert sidecar.end() == 0


FOREIGN = [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"}]


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_page_of_somebody_else_cannot_have_it_read_again(tmp_path: Path, headers: dict[str, str]) -> None:
    with a_vendor() as vendor, running(configure(tmp_path, vendor.url)) as sidecar:
        assert sidecar.get("/-/reload", "POST", **headers)[0] in {403, 421}
        assert sidecar.get("/-/reload", "GET")[0] == 405
        assert not sidecar.events("reloaded")


def test_a_vendor_that_stands_nowhere_else_is_told_at_the_start(tmp_path: Path) -> None:
    more = 'vendors:\n  Acme: {adapter: openai, base_url: "https://api.acme.example/v1"}\n'
    with a_vendor() as vendor, running(configure(tmp_path, vendor.url, more=more)) as sidecar:
        [told] = sidecar.told("vendor_not_configured")
        assert told["vendor"] == "Acme AI"
