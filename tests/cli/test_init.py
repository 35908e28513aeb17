"""`slaguard init`: a first Agreement from flags, or from answers at a terminal."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from slaguard.cli import run
from slaguard.spec.load import load

CONTRACT = (
    "--vendor", "Acme AI", "--customer", "Example Bank AG", "--contract", "C-2031", "--effective", "2026-08-01",
    "--time-zone", "Europe/Berlin", "--period", "month",
)  # fmt: skip
UPTIME = ("--uptime", "99.5%", "--uptime-credits", "below 99.5%: 10%, below 99.0%: 25%", "--uptime-clause", "Exhibit B 2.1")
MONEY = ("--fee", "12000.00 EUR", "--claim-days", "30")


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder the user stands in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_flags_alone_write_an_agreement_that_loads(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", *CONTRACT, *UPTIME, *MONEY]) == 0
    said = capsys.readouterr().out
    assert "wrote acme-ai.yaml: 1 promise in " in said
    assert "slaguard explain acme-ai.yaml" in said
    loaded = load(desk / "acme-ai.yaml")
    assert loaded.agreement.vendor == "Acme AI"
    assert str(loaded.agreement.objectives[0].target) == "99.5%"
    assert loaded.agreement.objectives[0].clause.where == "Exhibit B 2.1"
    assert loaded.agreement.claim is not None


def test_two_promises_fit_on_one_screen(desk: Path) -> None:
    accuracy = ("--accuracy", "92%", "--golden-set", "claims-qa@4", "--accuracy-credits", "below 92%: 5%, below 88%: 15%")
    window = ("--maintenance", "Exhibit B 2.4", "--maintenance-notice", "72h", "--maintenance-cap", "4h")
    assert run(["init", *CONTRACT, *UPTIME, *MONEY, *accuracy, *window, "--combine", "greater_of", "--out", "one.yaml"]) == 0
    assert (desk / "one.yaml").read_text("utf-8").count("\n") <= 40
    assert [o.name for o in load(desk / "one.yaml").agreement.objectives] == ["uptime", "accuracy"]


def test_every_kind_of_promise_can_be_given_by_flags(desk: Path) -> None:
    promises = [
        "--uptime", "99.5%", "--uptime-rule", "uptime/bad-minutes-in-a-row@1", "--error-rate", "1%",
        "--latency", "95%", "--latency-within", "2s", "--latency-of", "time_to_first_token",
        "--accuracy", "92%", "--golden-set", "claims-qa@4", "--hallucination", "2%",
    ]  # fmt: skip
    assert run(["init", *CONTRACT, *promises, "--name", "all-of-it", "--outcomes", "outcomes/only-500@1"]) == 0
    loaded = load(desk / "all-of-it.yaml")
    assert [o.name for o in loaded.agreement.objectives] == ["uptime", "error-rate", "latency", "accuracy", "hallucination"]
    assert loaded.profiles[:2] == ("outcomes/only-500@1", "uptime/bad-minutes-in-a-row@1")


def test_all_missing_flags_are_named_in_one_error(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "--vendor", "Acme AI", "--latency", "95%", "--latency-credits", "below 95%: 5%"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        "init needs --customer, --contract, --effective, --time-zone, --period, --latency-within, --latency-of, --fee, "
        "--claim-days\n    give them as flags, or run it in a terminal to be asked\n"
    )
    assert list(desk.iterdir()) == []


def test_a_promise_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", *CONTRACT]) == 2
    assert "init needs one of --uptime, --error-rate, --latency, --accuracy, --hallucination\n" in capsys.readouterr().err


def test_two_priced_promises_need_a_word_on_how_they_pay_together(capsys: pytest.CaptureFixture[str]) -> None:
    second = ("--error-rate", "1%", "--error-rate-credits", "above 1%: 5%")
    assert run(["init", *CONTRACT, *UPTIME, *MONEY, *second]) == 2
    assert "init needs --combine\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--uptime", "99.5"), "--uptime 99.5\n    a percentage needs its sign: 99.5%"),
        (("--effective", "2026-02-30"), "--effective 2026-02-30\n    2026-02-30 is not a day of the calendar"),
        (("--time-zone", "Berlin"), "--time-zone Berlin\n"),
        (("--period", "fortnight"), "--period fortnight\n    write one of day, week, month, quarter, year"),
        (("--fee", "12,000 EUR"), "--fee 12,000 EUR\n    write money as digits"),
        (("--golden-set", "no-such-set@1"), "--golden-set no-such-set@1\n    no golden set no-such-set@1"),
        (("--outcomes", "outcomes/none@1"), "--outcomes outcomes/none@1\n    write one of outcomes/only-500@1, "),
        (("--uptime-credits", "below 99.9%: 10%"), "99.9%: the first step starts at the target: below 99.5%"),
        (("--uptime-credits", "below 99.5%: 10%, below 99.7%: 20%"), "write the steps in order, away from the target"),
        (("--uptime-credits", "below 99.5%: 10%, below 99.0%: 5%"), "a worse figure does not earn less"),
        (("--uptime-credits", "99.5%: 10%"), "write steps as below 99.5%: 10%"),
        (("--vendor", "Acme\x1b[2J"), "Acme\\x1b[2J"),
    ],
)
def test_a_wrong_flag_is_told_in_the_words_of_the_notation(
    desk: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, str], told: str
) -> None:
    accuracy = ("--accuracy", "92%", "--golden-set", "claims-qa@4")
    assert run(["init", *CONTRACT, *UPTIME, *MONEY, *accuracy, *flags]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert "Traceback" not in said
    assert list(desk.iterdir()) == []


def test_all_wrong_flags_are_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", *CONTRACT, *UPTIME, *MONEY, "--fee", "12000", "--time-zone", "Berlin", "--claim-days", "soon"]) == 2
    said = capsys.readouterr().err
    assert all(flag in said for flag in ("--fee 12000", "--time-zone Berlin", "--claim-days soon"))


def test_a_file_that_is_there_is_not_written_over(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = desk / "acme-ai.yaml"
    mine.write_text("my own\n", encoding="utf-8")
    assert run(["init", *CONTRACT, *UPTIME, *MONEY]) == 2
    assert "acme-ai.yaml is there already" in capsys.readouterr().err
    assert mine.read_text("utf-8") == "my own\n"
    assert run(["init", *CONTRACT, *UPTIME, *MONEY, "--force"]) == 0
    assert load(mine).agreement.name == "acme-ai"


def test_a_folder_that_is_missing_is_told_plainly(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", *CONTRACT, *UPTIME, *MONEY, "--out", "nowhere/acme.yaml"]) == 2
    assert capsys.readouterr().err.startswith("nowhere/acme.yaml: No such file or directory\n")


def test_a_dash_prints_the_agreement_and_nothing_else(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", *CONTRACT, *UPTIME, *MONEY, "--out", "-"]) == 0
    text = capsys.readouterr().out
    (desk / "piped.yaml").write_text(text, encoding="utf-8")
    assert load(desk / "piped.yaml").agreement.name == "acme-ai"


def test_help_shows_an_example_that_works(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "--help"]) == 0
    assert "Example: slaguard init --vendor" in " ".join(capsys.readouterr().out.split())


# ── at a terminal ───────────────────────────────────────────────────────────────────────────────────────────────────
ENTER = ""
ANSWERS = (
    "Acme AI", "Example Bank AG", "C-2031", "1 August 2026", "2026-08-01", "Europe/Berlin", "month", ENTER, ENTER,
    "99.5", "99.5%", ENTER, "Exhibit B 2.1", "below 99.9%: 10%", "below 99.5%: 10%, below 99.0%: 25%",
    ENTER, ENTER, ENTER, ENTER, "12000.00 EUR", "30", ENTER,
)  # fmt: skip
"""What a person types: Enter for what there is none of; a day, a target and a ladder wrong at first."""


def at_terminal(desk: Path, repo: Path, flags: tuple[str, ...], lines: tuple[str, ...]) -> tuple[int, str]:
    """Run init at a pseudo-terminal and return its exit code and all that stood on the screen."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(repo), *sys.path])}
    command = [sys.executable, "-m", "slaguard", "init", *flags]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=desk, env=environment) as process:
        os.close(theirs)
        os.write(ours, "".join(f"{line}\n" for line in lines).encode())
        screen = b""
        while (part := _read(ours)) != b"":
            screen += part
        code = process.wait(30)
    os.close(ours)
    return code, screen.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux ends a terminal so, once nobody holds its other side
        return b""


def test_at_a_terminal_each_answer_is_checked_as_it_is_given(desk: Path, repo: Path) -> None:
    code, screen = at_terminal(desk, repo, (), ANSWERS)
    assert code == 0, screen
    assert "write a day as year-month-day: 2026-08-01" in screen
    assert "a percentage needs its sign: 99.5%" in screen
    assert "Share of failed requests promised, at most (such as 1%; Enter for none)" in screen
    assert "the first step starts at the target: below 99.5%" in screen
    loaded = load(desk / "acme-ai.yaml")
    assert loaded.agreement.effective.isoformat() == "2026-08-01"
    assert [str(step.edge) for step in loaded.agreement.objectives[0].credits] == ["99.5%", "99%"]


def test_what_a_flag_says_is_not_asked_again(desk: Path, repo: Path) -> None:
    code, screen = at_terminal(desk, repo, (*CONTRACT, *UPTIME, *MONEY), (ENTER,) * 8)
    assert code == 0, screen
    assert "Vendor" not in screen
    assert load(desk / "acme-ai.yaml").agreement.vendor == "Acme AI"
