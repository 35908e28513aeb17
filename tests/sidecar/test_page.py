"""docs/sidecar.md says what the code does: its words, lists, limits and commands are compared with it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from slaguard.sidecar.call import Ended
from slaguard.sidecar.exchange import Limits
from slaguard.sidecar.head import HOP_BY_HOP
from tests.exporters.real_prometheus import free_port

REPO = Path(__file__).resolve().parents[2]
PAGE = (REPO / "docs" / "sidecar.md").read_text("utf-8")
CODE = {path.name: path.read_text("utf-8") for path in (REPO / "slaguard" / "sidecar").glob("*.py")}
COMMAND = (REPO / "slaguard" / "cli" / "sidecar.py").read_text("utf-8")


def section(title: str) -> str:
    """Return what stands under a heading."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None, title
    return found[1]


def rows(title: str) -> list[list[str]]:
    """Return the cells of a section's table, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


# ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_every_refusal_on_the_page_is_said_in_these_words() -> None:
    for row in rows("What it refuses"):
        for sentence in re.findall(r"`([^`]+)`", row[-1]):
            assert any(f'"{sentence}"' in text for text in CODE.values()), sentence


def test_every_refusal_of_a_request_is_on_the_page() -> None:
    said = re.findall(r'[Rr]efused?\(\s*(\d{3}), "([^"]+)"', CODE["head.py"] + CODE["client.py"])
    assert len(said) > 8
    page = section("What it refuses")
    known = {"CONNECT is not carried", "Host is a name or an address, with a port or without"}  # told with their like
    for status, sentence in said:
        assert status == "502" or sentence in page or sentence in known, sentence


def test_the_fields_that_are_taken_out_are_those_of_the_page() -> None:
    (row,) = [row for row in rows("What it changes") if row[0].startswith("hop by hop")]
    assert {name.lower() for name in re.findall(r"`([^`]+)`", row[1])} == {name.decode() for name in HOP_BY_HOP}


def test_every_event_of_the_log_is_on_the_page_and_no_other() -> None:
    written = "".join((CODE["sidecar.py"], CODE["link.py"], COMMAND))
    said = set(re.findall(r'log\.(?:info|warning|error)\(\s*"(\w+)"', written))
    said |= {"recorder_up", "recorder_down", "stopped", "ended_at_once"} & set(re.findall(r'"(\w+)"', written))
    told = {event for row in rows("What it says") for event in re.findall(r"`(\w+)`", row[0])}
    assert told == said


def test_every_way_a_call_ends_is_on_the_page() -> None:
    table = "".join(row[0] for row in rows("How a call is recorded"))
    assert {end.value for end in Ended} <= set(re.findall(r"`(\w+)`", table))


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def seconds(text: str) -> int:
    found = re.search(r"(\d+) (s|min)\b", text)
    assert found is not None, text
    return int(found[1]) * (60 if found[2] == "min" else 1)


def test_the_time_limits_are_those_of_the_pump() -> None:
    told = {row[0]: seconds(row[1]) for row in rows("Time limits")}
    limits = Limits()
    assert told["a request's head"] == limits.head_s
    assert told["the client owes a body and sends nothing"] == limits.question_s
    assert told["the client reads nothing of its answer"] == limits.stall_s
    assert told["a client's connection between two calls"] == limits.idle_s
    assert told["a vendor's connection between two calls"] == limits.pool_s
    assert f"{limits.clients:,} connections" in PAGE


def test_links_lead_to_files_and_headings_that_are_there() -> None:
    for target, anchor in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", PAGE):
        path = REPO / "docs" / target if target else REPO / "docs" / "sidecar.md"
        assert path.exists(), target
        assert not anchor or anchor in headings(path), f"{target}#{anchor}"
    for page in ("docs/alerts.md", "docs/cli.md", "docs/metrics.md", "README.md", "exporters/kubernetes/README.md"):
        for anchor in re.findall(r"sidecar\.md#([\w-]+)", (REPO / page).read_text("utf-8")):
            assert anchor in headings(REPO / "docs" / "sidecar.md"), f"{page}: {anchor}"


def headings(path: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


# ── the first run ───────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def shell(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A shell in an empty folder, in a process group of its own, which ends with the test."""
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parent.parent)
    here = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(REPO)}
    with subprocess.Popen(
        ["sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path, env=here,
        start_new_session=True,
    ) as started:  # fmt: skip
        try:
            yield started
        finally:
            os.killpg(started.pid, signal.SIGKILL)


def test_the_four_commands_of_the_first_run_show_a_call(shell: subprocess.Popen[str]) -> None:
    commands = re.findall(r"^\$ (.+)$", section("First run, on a laptop"), re.MULTILINE)
    assert len(commands) == 4
    vendor, calls, admin = free_port(), free_port(), free_port()
    text = "\n".join(commands).replace("8080", str(vendor)).replace("7465", str(calls))
    text = text.replace("{upstreams:", f'{{listen: "127.0.0.1:{calls}", admin: "127.0.0.1:{admin}", upstreams:')
    *start, ask = text.splitlines()
    assert shell.stdin is not None
    assert shell.stdout is not None
    shell.stdin.write("\n".join(start) + "\n")
    shell.stdin.flush()
    metrics = f"http://127.0.0.1:{admin}/metrics"
    shown = until(metrics, "slaguard_sidecar_ready 1")
    shell.stdin.write(f"sleep 1\n{ask} > answer.json; echo asked\n")
    shell.stdin.flush()
    shown = until(metrics, "slaguard_sidecar_calls_recorded_total 1")
    assert 'slaguard_sidecar_calls_total{ended="complete"} 1' in shown
    (compared,) = re.findall(r"^```sh\n(.+?)^```", section("First run, on a laptop"), re.MULTILINE | re.DOTALL)
    assert len(compared.splitlines()) == 3
    shell.stdin.write(compared.replace("8080", str(vendor)).replace("7465", str(calls)))
    shell.stdin.flush()
    while (line := shell.stdout.readline()) != "the same\n":
        assert line, "the shell has ended"
        assert "differ" not in line


def until(url: str, line: str) -> str:
    """Return a page as soon as it has this line."""
    deadline, shown = time.monotonic() + 40, ""
    while f"{line}\n" not in shown and time.monotonic() < deadline:
        time.sleep(0.2)
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                shown = answer.read().decode()
        except OSError:
            continue
    assert f"{line}\n" in shown, shown
    return shown
