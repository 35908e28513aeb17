"""The simulated vendor as a process of its own, spoken to over loopback, on the real clock."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from slaguard.errors import ConfigError
from slaguard.providers.simulated.plot import MOST_OUTAGES, Plot
from slaguard.providers.simulated.script import Fault

COMMAND = (sys.executable, "-u", "-m", "slaguard.providers.simulated")
SECOND = 1_000_000_000
START = 1_790_812_800 * SECOND


@contextmanager
def running(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the process on a free port; give it and its base URL, and end it afterwards."""
    command = [*COMMAND, "--listen", "127.0.0.1:0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+/v1", line)
            assert found, line + (process.stderr.read() if process.stderr else "")
            yield process, found[0]
        finally:
            process.kill()


def ask(base_url: str, question: str = "Is 7919 a prime number?", model: str = "acme-large") -> dict[str, Any]:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": question}]}).encode()
    request = urllib.request.Request(f"{base_url}/chat/completions", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        read: dict[str, Any] = json.loads(answer.read())
        return read


def refused(*options: str) -> str:
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return done.stderr


def test_it_answers_in_the_dialect_and_ends_with_0_when_it_is_told_to() -> None:
    with running("--story", "steady", "--model", "acme-small") as (process, base_url):
        answer = ask(base_url, model="acme-small")
        assert answer["object"] == "chat.completion"
        assert answer["choices"][0]["message"]["content"]
        with urllib.request.urlopen(base_url.removesuffix("/v1") + "/health", timeout=5) as health:
            assert health.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_an_outage_comes_and_goes_on_the_real_clock() -> None:
    with running("--outage-after", "1ms", "--outage-lasts", "3s", "--outage-every", "1h") as (_, base_url):
        with pytest.raises(urllib.error.HTTPError) as failed:
            ask(base_url)
        assert failed.value.code == 503
        failed.value.close()
        time.sleep(3.2)
        assert ask(base_url)["choices"]


def test_another_model_answers_under_the_same_name_after_the_swap() -> None:
    with running("--swap-after", "2s", "--outage-after", "1h") as (_, base_url):
        before = ask(base_url)
        time.sleep(2.2)
        after = ask(base_url)
        assert before["model"] == after["model"] == "acme-large"
        assert before["system_fingerprint"] != after["system_fingerprint"]


def test_it_says_when_something_will_happen() -> None:
    with running("--outage-after", "4m", "--swap-after", "10m") as (process, _):
        assert process.stdout is not None
        told = process.stdout.readline()
    assert re.fullmatch(r"the first outage begins at \d\d:\d\d:\d\d UTC, the answers get worse at \d\d:\d\d:\d\d UTC\n", told)


def test_the_help_shows_every_option_with_an_example() -> None:
    done = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, timeout=30, check=True)
    for option in ("--listen", "--model", "--seed", "--story", "--swap-after", "--outage-after", "Example:"):
        assert option in done.stdout


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--listen", "here"), "write an address, a colon and a port"),
        (("--swap-after", "soon"), "--swap-after soon:"),
        (("--outage-lasts", "3h"), "outages shorter than the time from one to the next"),
        (("--story", "sad"), "--story"),
    ],
)
def test_wrong_options_are_one_message(options: tuple[str, ...], told: str) -> None:
    assert told in refused(*options)


def test_a_port_that_is_taken_is_one_message() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert f"--listen {address}: " in refused("--listen", address)


def test_it_listens_beyond_this_machine_only_when_told_and_says_so() -> None:
    command = [*COMMAND, "--listen", "0.0.0.0:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "listening beyond this machine" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


# ── the plot ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_plot_is_told_from_the_start_on() -> None:
    script = Plot(swap_after=600_000, outage_after=60_000, outage_lasts=1_000, outage_every=10_000).script(START)
    assert [s.start_ns - START for s in script.segments] == [0, 600 * SECOND]
    assert len(script.windows) == MOST_OUTAGES
    first, second = script.windows[:2]
    assert (first.start_ns - START, first.end_ns - START) == (60 * SECOND, 61 * SECOND)
    assert second.start_ns - first.start_ns == 10 * SECOND
    assert first.fault is Fault.ERROR_503


def test_nothing_ever_happens_to_a_steady_vendor() -> None:
    script = Plot(story="steady", model="m").script(START)
    assert (len(script.segments), script.windows, script.model) == (1, (), "m")
    assert not script.segments[0].faults


@pytest.mark.parametrize(
    "plot",
    [
        Plot(swap_after=0),
        Plot(outage_after=0),
        Plot(outage_lasts=0),
        Plot(outage_lasts=7_200_000),
    ],
)
def test_a_plot_that_makes_no_sense_is_refused(plot: Plot) -> None:
    with pytest.raises(ConfigError, match="the story"):
        plot.script(START)
