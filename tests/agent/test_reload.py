"""Another configuration under way: taken as a whole or not at all, and no slot planned twice or forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.agent.simulation import JumpingClock, simulate
from tests.agent.world import HOUR, MINUTE, OCTOBER, World, script, world


def lived(folder: Path, change: Any, **settings: str) -> tuple[World, str | None]:
    """Run two hours, change something and reload, run two more."""
    clock = JumpingClock(OCTOBER)

    async def live() -> tuple[World, str | None]:
        async with world(folder, script(), clock=clock, settings={"every": "30m"} | settings) as found:
            async with found.agent() as agent:
                await clock.sleep_until(OCTOBER + 110 * MINUTE)
                change(found)
                answer = await agent.reload()
                await clock.sleep_until(OCTOBER + 4 * HOUR)
            found.books().balance(OCTOBER + 4 * HOUR)
            return found, answer

    return simulate(clock, live())


def test_a_configuration_that_says_the_same_disturbs_nobody(tmp_path: Path) -> None:
    found, answer = lived(tmp_path, lambda _: None)
    assert answer is None
    books = found.books()
    assert (len(books.observations), books.missed) == (8, [])
    assert found.snapshots[-1].telemetry.reload_successful


BROKEN: dict[str, Any] = {
    "a broken file": lambda w: (w.folder / "slaguard.yaml").write_text("ledger: {path: ledger}\nnonsense: 1\n"),
    "a broken Agreement": lambda w: (w.folder / "acme.yaml").write_text("kind: Agreement\n"),
    "no Agreement": lambda w: (w.folder / "acme.yaml").unlink(),
    "a missing key": lambda w: w.configure(every="30m", vendor=", key: env:SLAGUARD_NO_SUCH_KEY"),
    "a budget that nothing can keep": lambda w: w.configure(every="30m", probe=", budget: {amount: 1.00 EUR, per: day}"),
    "a denied address": lambda w: w.configure(every="30m", base_url="https://169.254.169.254/v1"),
    "money of two kinds": lambda w: w.configure(
        every="30m", vendor=", budget: {amount: 1.00 USD, per: day}", probe=', price: {input: "1 EUR", output: "1 EUR"}'
    ),
    "an unknown question set": lambda w: w.configure(every="30m", probe=", golden_set: nothing@1"),
    "a probe for nobody": lambda w: w.configure(every="30m", more="  - {agreement: other, model: m, every: 5m}"),
}


def test_whatever_is_refused_changes_nothing(tmp_path: Path) -> None:
    """One agent meets them all, one after the other."""
    clock = JumpingClock(OCTOBER)
    answers: dict[str, str | None] = {}

    async def live() -> World:
        async with world(tmp_path, script(), clock=clock, settings={"every": "30m"}) as found:
            agreement = (found.folder / "acme.yaml").read_text()
            async with found.agent() as agent:
                for n, (name, change) in enumerate(BROKEN.items(), 1):
                    await clock.sleep_until(OCTOBER + n * 25 * MINUTE)
                    found.configure(every="30m")
                    (found.folder / "acme.yaml").write_text(agreement)
                    change(found)
                    answers[name] = await agent.reload()
                    assert not found.snapshots[-1].telemetry.reload_successful
                await clock.sleep_until(OCTOBER + 4 * HOUR)
            return found

    found = simulate(clock, live())
    assert len(found.events("reload_refused")) == len(answers) == len(BROKEN)
    assert [name for name, answer in answers.items() if not answer] == []
    assert [name for name, answer in answers.items() if "\n    " not in str(answer)] == [], "it says how to mend it"
    assert len(set(answers.values())) == len(BROKEN), "each for its own reason"
    books = found.books()
    books.balance(OCTOBER + 4 * HOUR)
    assert (len(books.observations), books.missed) == (8, [])


def test_another_spacing_begins_after_what_is_planned(tmp_path: Path) -> None:
    found, answer = lived(tmp_path, lambda w: w.configure(every="2m"), every="10m")
    assert answer is None
    books = found.books()
    assert books.missed == []
    late = [p.scheduled_at for p in books.planned if OCTOBER + 2 * HOUR <= p.scheduled_at < OCTOBER + 4 * HOUR]
    early = [p.scheduled_at for p in books.planned if p.scheduled_at < OCTOBER + 110 * MINUTE]
    assert (len(early), len(late)) == (11, 60)


def test_a_wider_spacing_asks_what_was_planned_first(tmp_path: Path) -> None:
    found, answer = lived(tmp_path, lambda w: w.configure(every="1h"), every="2m")
    assert answer is None
    books = found.books()
    assert books.missed == []
    assert len([p for p in books.planned if p.scheduled_at < OCTOBER + 2 * HOUR]) == 60
    assert len([p for p in books.planned if OCTOBER + 2 * HOUR <= p.scheduled_at < OCTOBER + 4 * HOUR]) == 2


def test_a_probe_that_is_taken_out_gives_up_by_name_what_it_planned(tmp_path: Path) -> None:
    def without(found: World) -> None:
        text = (found.folder / "slaguard.yaml").read_text()
        (found.folder / "slaguard.yaml").write_text(text.partition("probes:")[0])

    found, answer = lived(tmp_path, without, every="2m")
    assert answer is None
    books = found.books()
    assert books.reasons == {("shed", "stop_rule"): 5}
    assert {p.slot for p in books.planned} == {o.logical_request_id for o in books.observations} | {
        m.slot for m in books.missed
    }
    assert found.snapshots[-1].telemetry.probes == ()


def test_a_probe_that_joins_has_no_past(tmp_path: Path) -> None:
    more = "  - {agreement: acme-chat, model: acme-small, every: 2m}"
    pace = {"every": "10m", "evaluate_every": "1h"}
    found, answer = lived(tmp_path, lambda w: w.configure(more=more, **pace), **pace)
    assert answer is None
    books = found.books()
    assert books.missed == []
    joined = [p.scheduled_at for p in books.planned if "/acme-small/" in p.slot and p.scheduled_at <= OCTOBER + 4 * HOUR]
    assert min(joined) > OCTOBER + 110 * MINUTE
    assert 64 <= len(joined) <= 66
    names = [p.name for p in found.snapshots[-1].telemetry.probes]
    assert names == ["acme-chat/acme-large", "acme-chat/acme-small"]
    large, small = (p.requests for p in found.snapshots[-1].telemetry.probes)
    assert large >= 18, "counts outlive a reload"
    assert small >= 30


def test_another_address_to_listen_at_needs_a_restart_and_the_rest_is_taken(tmp_path: Path) -> None:
    more = "server: {listen: 127.0.0.1:7999}"
    found, answer = lived(tmp_path, lambda w: w.configure(every="2m", more=more))
    assert answer is None
    assert len(found.events("restart_needed")) == 1
    assert len(found.books().observations) > 60


def test_other_names_to_be_asked_under_need_a_restart_and_the_log_says_so(tmp_path: Path) -> None:
    found, answer = lived(tmp_path, lambda w: w.configure(more="server: {hosts: [sla.example.com]}"))
    assert answer is None
    assert "sla.example.com" in str(found.events("restart_needed"))


def test_two_reloads_at_once_and_a_stop_right_after_lose_nothing(tmp_path: Path) -> None:
    clock = JumpingClock(OCTOBER)

    async def live() -> World:
        async with world(tmp_path, script(), clock=clock, settings={"every": "2m"}) as found:
            async with found.agent() as agent:
                await clock.sleep_until(OCTOBER + 30 * MINUTE)
                for every in ("1m", "3m", "1m"):
                    found.configure(every=every)
                    await agent.reload()
            await found.live(OCTOBER + 2 * HOUR)
            return found

    books = simulate(clock, live()).books()
    books.balance(OCTOBER + 2 * HOUR)
    assert books.missed == []
