"""`slaguard probe` as somebody types it: against a vendor on loopback, in real time."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

import pytest

from slaguard.cli import run
from slaguard.ledger.read import open_store
from slaguard.providers.simulated import Latency, Script, Segment, SimulatedVendor, read_questions
from slaguard.terms import Outcome

KEY = "canary-key-4711"
CONFIG = """\
ledger: {{path: ledger}}
agreements: [acme.yaml]
vendors:
  {vendor}: {{adapter: {adapter}, base_url: "{base_url}", key: "env:ACME_API_KEY", timeout: 10s}}
probes:
  - {{agreement: acme-chat, model: acme-large, every: 5m{more}}}
"""
PRICE = ", price: {input: 2.50 EUR, output: 10.00 EUR}"


@contextmanager
def live_vendor(latency_ms: float = 0) -> Iterator[SimulatedVendor]:
    """Run a simulated vendor in a thread, in real time."""
    latency = Latency(first_byte_ms=latency_ms, generation_ms=0)
    script = Script(segments=(Segment(start_ns=0, revision="r1", fingerprint="fp_1", latency=latency),))
    questions = read_questions((files("sla_specs") / "golden" / "claims-qa@4.jsonl").read_text("utf-8").splitlines())
    vendor = SimulatedVendor(script, 1, questions, now_ns=time.time_ns, delay=asyncio.sleep, api_key=KEY)
    ready, end, loop = threading.Event(), asyncio.Event(), asyncio.new_event_loop()

    async def serve() -> None:
        async with vendor:
            ready.set()
            await end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield vendor
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def vendor() -> Iterator[SimulatedVendor]:
    with live_vendor() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, repo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "acme.yaml").write_text((repo / "sla_specs" / "examples" / "acme-chat.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACME_API_KEY", KEY)
    return tmp_path


def configure(folder: Path, base_url: str, *, vendor: str = "Acme AI", adapter: str = "openai", more: str = "") -> None:
    text = CONFIG.format(vendor=vendor, adapter=adapter, base_url=base_url, more=more)
    (folder / "slaguard.yaml").write_text(text)


def probe(*words: str) -> int:
    return run(["probe", "acme.yaml", "--config", "slaguard.yaml", *words])


Capture = pytest.CaptureFixture[str]


# ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_once_asks_every_question_and_writes_everything_down(vendor: SimulatedVendor, folder: Path, capsys: Capture) -> None:
    configure(folder, vendor.base_url)
    assert probe("--once", "--concurrency", "16") == 0
    said = capsys.readouterr().out
    assert "acme-chat 1 · acme-large at Acme AI · claims-qa@4" in said
    assert "asked      240 questions" in said
    assert "slaguard evaluate acme.yaml --ledger" in said
    with open_store(folder / "ledger") as store:
        observations, scores, planned = list(store.observations()), list(store.scores()), list(store.planned())
    assert len({o.golden_item for o in observations}) == len(planned) == len(scores) == 240
    assert {o.outcome for o in observations} == {Outcome.OK}
    now = time.time_ns()
    assert all(0 < now - (o.sent_at or 0) < 60 * 10**9 for o in observations)


def test_the_key_is_in_no_output_and_in_no_file(vendor: SimulatedVendor, folder: Path, capsys: Capture) -> None:
    configure(folder, vendor.base_url)
    assert probe("--once", "--slots", "5") == 0
    assert probe("--dry-run") == 0
    told = capsys.readouterr()
    assert KEY not in told.out + told.err
    assert "Authorization: ***" in told.out
    assert all(KEY.encode() not in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_run_can_be_read_by_a_machine(vendor: SimulatedVendor, folder: Path, capsys: Capture) -> None:
    configure(folder, vendor.base_url, more=PRICE)
    assert probe("--once", "--slots", "7", "--ledger", "elsewhere", "--format", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["asked"], told["outcomes"], told["shed"]) == ("slaguard/probe/v1", 7, {"ok": 7}, 0)
    assert sum(told["grades"].values()) == 7
    assert told["ledger"] == "elsewhere"
    assert told["cost"]["currency"] == "EUR"
    assert (folder / "elsewhere").is_dir()


def test_a_key_the_vendor_refuses_is_seen_and_the_answer_is_no(
    vendor: SimulatedVendor, folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_API_KEY", "another")
    configure(folder, vendor.base_url)
    assert probe("--once", "--slots", "3") == 1
    assert "3 auth_error: invalid_api_key" in capsys.readouterr().out


def test_a_vendor_that_is_not_there_is_an_outcome_and_the_doubt_is_told(folder: Path, capsys: Capture) -> None:
    configure(folder, "http://127.0.0.1:1/v1")
    assert probe("--once", "--slots", "3") == 1
    said = capsys.readouterr().out
    assert "3 connection_error: connection_refused" in said
    assert "name somebody else to try: control: HOST:PORT" in said


def test_a_control_target_that_is_not_reached_either_takes_the_blame_from_the_vendor(folder: Path, capsys: Capture) -> None:
    configure(folder, "http://127.0.0.1:1/v1")
    with (folder / "slaguard.yaml").open("a") as file:
        file.write("control: 127.0.0.1:2\n")
    assert probe("--once", "--slots", "3") == 1
    assert "3 unmeasured" in capsys.readouterr().out


def test_a_budget_is_kept_over_several_runs_of_a_day(vendor: SimulatedVendor, folder: Path, capsys: Capture) -> None:
    configure(folder, vendor.base_url, more=PRICE + ", budget: {amount: 0.02 EUR, per: day}")
    assert probe("--once", "--slots", "20", "--concurrency", "1") == 0
    assert probe("--once", "--slots", "60", "--concurrency", "4") in {0, 1}
    assert "because the budget does not allow them" in capsys.readouterr().out
    with open_store(folder / "ledger") as store:
        observations, missed = list(store.observations()), list(store.missed())
    tokens = [((o.input_tokens or 0) * 25 + (o.output_tokens or 0) * 100) for o in observations]
    assert sum(tokens) <= 0.02 * 10_000_000
    assert len(observations) + len(missed) == 80
    assert missed


def test_the_vendors_budget_limits_a_single_run_too_and_a_look_at_it_says_so(
    vendor: SimulatedVendor, folder: Path, capsys: Capture
) -> None:
    configure(folder, vendor.base_url, more=PRICE)
    settings = folder / "slaguard.yaml"
    settings.write_text(
        settings.read_text().replace("adapter: openai", "adapter: openai, budget: {amount: 0.02 EUR, per: day}")
    )
    assert probe("--dry-run") == 0
    assert re.search(r"budget +0\.02 EUR a day: enough for \d calls, with all other probes of Acme AI", capsys.readouterr().out)
    assert probe("--once", "--slots", "80") == 0
    assert "because the budget does not allow them" in capsys.readouterr().out
    with open_store(folder / "ledger") as store:
        tokens = [((o.input_tokens or 0) * 25 + (o.output_tokens or 0) * 100) for o in store.observations()]
    assert sum(tokens) <= 0.02 * 10_000_000


@pytest.mark.faults
def test_an_interrupt_ends_the_run_and_what_was_given_up_is_named(folder: Path) -> None:
    with live_vendor(latency_ms=150) as vendor:
        configure(folder, vendor.base_url)
        command = [sys.executable, "-m", "slaguard", "probe", "acme.yaml", "--config", "slaguard.yaml", "--once"]
        # A run in a shell's background ignores interrupts, and its children would inherit that.
        inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        signal.signal(signal.SIGINT, inherited)
        while len(vendor.truth) < 10:
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130, (out, err)
    assert b"Traceback" not in err
    with open_store(folder / "ledger") as store:
        planned = {p.slot for p in store.planned()}
        asked = {o.logical_request_id for o in store.observations()}
        lost = {m.slot for m in store.missed()}
    assert asked
    assert lost
    assert asked | lost == planned
    assert not asked & lost


# ── a dry run ───────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        pytest.fail("a dry run opened a socket")

    for name in ("socket", "socketpair", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(asyncio, "new_event_loop", refuse)


@pytest.mark.usefixtures("no_sockets")
def test_a_dry_run_shows_request_price_and_the_months_cost_and_sends_nothing(folder: Path, capsys: Capture) -> None:
    configure(folder, "https://api.acme.example/v1", more=PRICE + ", budget: {amount: 5.00 EUR, per: day}")
    assert probe("--dry-run") == 0
    said = capsys.readouterr().out
    assert "POST https://api.acme.example/v1/chat/completions" in said
    assert '"model":"acme-large"' in said
    assert "env:ACME_API_KEY (is there)" in said
    assert re.search(r"price +at most 0\.00\d{4} EUR a call", said)
    assert re.search(r"month +8,\d{3} calls in \d{4}-\d{2} \(one every 5m\), at most \d+\.\d\d EUR", said)
    assert re.search(r"budget +5\.00 EUR a day: enough for [\d,]+ calls", said)
    assert re.search(r"sent +nothing", said)
    assert not (folder / "ledger").exists()


@pytest.mark.usefixtures("no_sockets")
def test_a_dry_run_without_price_and_key_says_so_and_still_shows_the_request(
    folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ACME_API_KEY")
    configure(folder, "https://api.acme.example/v1", more=", budget: {amount: 5.00 EUR, per: day}")
    assert probe("--dry-run", "--slots", "3") == 0
    said = capsys.readouterr().out
    assert "env:ACME_API_KEY (is missing)" in said
    assert "unknown: no price for acme-large" in said
    assert "--once would ask 3 questions, cost unknown" in said
    assert "cannot be kept while the price is unknown" in said


@pytest.mark.usefixtures("no_sockets")
def test_a_dry_run_can_be_read_by_a_machine(folder: Path, capsys: Capture) -> None:
    configure(folder, "https://api.acme.example/v1", more=PRICE)
    assert probe("--dry-run", "--format", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "slaguard/probe-preview/v1"
    assert told["request"]["headers"]["Authorization"] == "***"
    assert told["request"]["body"]["max_tokens"] == 400
    assert (told["calls"]["now"], told["sent"], told["cost"]["currency"]) == (240, 0, "EUR")


# ── refusals ────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"vendor": "Acme"}, "the Agreement's vendor is 'Acme AI', and there is 'Acme'", id="wrong vendor"),
        pytest.param({"adapter": "openay"}, "no adapter 'openay' is installed; there is openai", id="unknown adapter"),
        pytest.param(
            {"more": ", budget: {amount: 5.00 EUR, per: day}"}, "cannot be kept: nothing says what a call", id="no price"
        ),
        pytest.param({"more": ", golden_set: claims-qa@9"}, "did you mean claims-qa@4?", id="unknown questions"),
        pytest.param({"base_url": "https://10.0.0.1/v1"}, "base_url is a private address (allow_private", id="private"),
        pytest.param({"base_url": "https://169.254.169.254/v1"}, "base_url is a cloud's metadata service", id="metadata"),
        pytest.param({"more": ", evere: 5m"}, "did you mean every?", id="unknown key"),
    ],
)
def test_what_cannot_run_is_refused_with_one_clear_error(
    folder: Path, capsys: Capture, change: dict[str, Any], said: str
) -> None:
    configure(folder, **({"base_url": "https://api.acme.example/v1"} | change))
    assert probe("--once") == 2
    told = capsys.readouterr()
    assert said in told.err
    assert told.out == ""
    assert not (folder / "ledger").exists()


def test_a_missing_secret_is_named_and_nothing_is_written(
    folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ACME_API_KEY")
    configure(folder, "https://api.acme.example/v1")
    assert probe("--once") == 2
    assert "env:ACME_API_KEY: the environment variable ACME_API_KEY is not set" in capsys.readouterr().err
    assert not (folder / "ledger").exists()


def test_it_must_be_said_whether_to_ask_or_to_look(folder: Path, capsys: Capture) -> None:
    configure(folder, "https://api.acme.example/v1")
    assert probe() == 2
    assert "say --once to ask now, or --dry-run" in capsys.readouterr().err


def test_looking_wins_over_asking(folder: Path, capsys: Capture) -> None:
    configure(folder, "https://api.acme.example/v1")
    assert probe("--once", "--dry-run") == 0
    assert "sent       nothing" in capsys.readouterr().out


def test_files_that_are_not_there_are_named(folder: Path, capsys: Capture) -> None:
    assert probe("--once") == 2
    assert "slaguard.yaml" in capsys.readouterr().err
    configure(folder, "https://api.acme.example/v1")
    (folder / "acme.yaml").unlink()
    assert probe("--once") in {1, 2}
    assert "acme.yaml" in capsys.readouterr().err


def test_an_agreement_without_questions_asks_which_ones(folder: Path, capsys: Capture) -> None:
    text = (folder / "acme.yaml").read_text()
    (folder / "acme.yaml").write_text(text[: text.index("  - name: accuracy")])
    configure(folder, "https://api.acme.example/v1")
    assert probe("--dry-run") == 2
    assert "say it in slaguard.yaml, with the probe: golden_set" in capsys.readouterr().err
    configure(folder, "https://api.acme.example/v1", more=", golden_set: claims-qa@4")
    assert probe("--dry-run") == 0
