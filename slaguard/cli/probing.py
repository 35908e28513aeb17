"""From what the user typed to a probe that can run: Agreement, configuration, vendor, questions, scorers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from slaguard.agent.purses import Call, Purses, calls_in
from slaguard.agent.settings import ProbeSettings, Settings
from slaguard.cli.board import deploy
from slaguard.cli.deployment import load_config, secret
from slaguard.config import Config, Probe, Secret, Vendor
from slaguard.errors import ConfigError, ProbeError
from slaguard.ledger.judge import opened
from slaguard.probes.golden import GoldenSet, load_golden
from slaguard.probes.observe import Subject
from slaguard.probes.spending import Purse
from slaguard.providers.addresses import AddressPolicy
from slaguard.providers.base import Endpoint, Provider
from slaguard.providers.find import find_adapter
from slaguard.providers.transport import HttpTransport
from slaguard.records import Clock, Span
from slaguard.scorers.base import Scorer
from slaguard.scorers.find import find_scorers
from slaguard.spec.load import Loaded, load
from slaguard.spec.model import Agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A probe with everything it needs but a connection; nothing has been opened."""

    loaded: Loaded
    config: Config
    vendor: Vendor
    probe: Probe
    subject: Subject
    scorers: Mapping[str, Scorer]
    folder: Path

    @property
    def agreement(self) -> Agreement:
        """The Agreement."""
        return self.loaded.agreement

    @property
    def golden(self) -> GoldenSet:
        """The questions."""
        return self.subject.golden

    def secret(self) -> Secret | None:
        """Return the vendor's key, if it takes one.

        Raises:
            ConfigError: it is not where the configuration says.

        """
        return secret(self.vendor.key, self.folder) if self.vendor.key is not None else None

    def transport(self, clock: Clock) -> HttpTransport:
        """Return the way to the vendor, not yet entered."""
        return transports(clock)(self.vendor.base_url, self.vendor)

    def purse(self, provider: Provider, ledger: Path, clock: Clock) -> Purse:
        """Return what may be spent: of the probe's budget and of its vendor's, less what the ledger says is gone.

        Raises:
            ProbeError: there is a budget, and nothing says what a call costs.
            ConfigError: the vendor's budget is in another currency than the price.
            LedgerError: the ledger cannot be read.

        """

        def calls(vendor: str, span: Span) -> list[Call]:
            with opened(ledger) as store:
                return calls_in(store, vendor, span, clock.read().wall_ns)

        mine = ProbeSettings(
            loaded=self.loaded, probe=self.probe, vendor=self.vendor, key=None, subject=self.subject, scorers=self.scorers
        )
        return Purses(clock, calls).fill([mine], [provider])[0]

    def provider(self, key: Secret | None, transport: HttpTransport) -> Provider:
        """Return the adapter that speaks to the vendor."""
        endpoint = Endpoint(base_url=self.vendor.base_url, key=key, send_request_id=self.vendor.send_request_id)
        return find_adapter(self.vendor.adapter)(endpoint, transport)


def prepare(agreement: Path, config: Path, model: str | None) -> Prepared:
    """Return the probe of an Agreement as the configuration has it.

    Raises:
        SpecError: the Agreement or its questions are refused.
        ConfigError: slaguard.yaml is refused, or has no such vendor, probe or adapter.
        ProbeError: no questions, or a scorer that is not installed.

    """
    settings = load_config(config)
    loaded = load(agreement)
    vendor = _vendor(settings, loaded.agreement.vendor, config)
    probe = settings.probe(loaded.agreement.name, model)
    subject, scorers = _subject(loaded.agreement, agreement, probe)
    return Prepared(
        loaded=loaded,
        config=settings,
        vendor=vendor,
        probe=probe,
        subject=subject,
        scorers=scorers,
        folder=config.parent,
    )


def prepare_all(config: Path) -> Settings:
    """Return the whole configuration, ready to run: every Agreement, every probe with its questions, scorers and key.

    Raises:
        SpecError: an Agreement or a set of questions is refused.
        ConfigError: slaguard.yaml is refused; a probe is for no Agreement of it; a vendor, adapter or key is missing.
        ProbeError: no questions, or a scorer that is not installed.

    """
    deployed = deploy(config)
    by_name = {loaded.agreement.name: (path, loaded) for path, loaded in deployed.agreements}
    found = []
    for probe in deployed.config.probes:
        if probe.agreement not in by_name:
            msg = (
                f"{config}: probes: {probe.agreement} ({probe.model}) is for no Agreement of `agreements`;"
                f" there is {', '.join(by_name)}\n    name its file under agreements, or the probe's Agreement as the file does"
            )
            raise ConfigError(msg)
        path, loaded = by_name[probe.agreement]
        vendor = _vendor(deployed.config, loaded.agreement.vendor, config)
        subject, scorers = _subject(loaded.agreement, path, probe)
        key = secret(vendor.key, config.parent) if vendor.key is not None else None
        found.append(ProbeSettings(loaded=loaded, probe=probe, vendor=vendor, key=key, subject=subject, scorers=scorers))
    return Settings(config=deployed.config, agreements=deployed.agreements, probes=tuple(found))


def transports(clock: Clock) -> Callable[[str, Vendor], HttpTransport]:
    """Return what makes the way to an address, under a vendor's limits."""

    def way(base_url: str, vendor: Vendor) -> HttpTransport:
        policy = AddressPolicy.of(base_url, private=vendor.allow_private)
        return HttpTransport(clock, policy, timeout_ms=vendor.timeout)

    return way


def _vendor(settings: Config, name: str, config: Path) -> Vendor:
    """Return how a vendor is reached.

    An address that is written as such and may not be connected to is refused; a name is checked when it is looked up.
    """
    vendor = settings.vendor(name)
    find_adapter(vendor.adapter)
    refusal = AddressPolicy.of(vendor.base_url, private=vendor.allow_private).refusal_of_url(vendor.base_url)
    if refusal is not None:
        raise ConfigError(f"{config}: vendors: {name}: base_url is {refusal}\n    name the vendor's own address")
    return vendor


def _subject(agreement: Agreement, path: Path, probe: Probe) -> tuple[Subject, Mapping[str, Scorer]]:
    """Return what is asked, with which questions, and who grades the answers."""
    golden = _graded_as_agreed(load_golden(_golden_name(agreement, probe), path.parent), agreement)
    subject = Subject(agreement=agreement.name, vendor=agreement.vendor, model=probe.model, golden=golden)
    return subject, find_scorers(golden.scorer_of(item) for item in golden.items.values())


def _golden_name(agreement: Agreement, probe: Probe) -> str:
    if probe.golden_set is not None:
        return probe.golden_set
    named = sorted({o.golden_set.id for o in agreement.objectives if o.golden_set is not None})
    if len(named) == 1:
        return named[0]
    there = f"names several: {', '.join(named)}" if named else "names none"
    msg = (
        f"{agreement.name}: which questions are asked? The Agreement {there}\n"
        "    say it in slaguard.yaml, with the probe: golden_set: claims-qa@4"
    )
    raise ProbeError(msg)


def _graded_as_agreed(golden: GoldenSet, agreement: Agreement) -> GoldenSet:
    """Let the scorer that an Objective names for these questions grade them, in place of the card's."""
    named = {o.scorer for o in agreement.objectives if o.golden_set is not None and o.golden_set.id == golden.id and o.scorer}
    other = sorted(named - set(golden.scorers.values()))
    if not other:
        return golden
    if len(named) > 1:
        there = ", ".join(sorted(named))
        msg = f"{agreement.name}: several scorers are named for {golden.id}: {there}\n    agree on one of them"
        raise ProbeError(msg)
    return replace(golden, scorers=dict.fromkeys((None, *golden.scorers), other[0]))
