"""slaguard.yaml, the deployment: where to listen and write, how vendors are reached, what is asked how often.

No contract fact stands here, and no secret: a key is named by a `SecretRef`, and its value lives in a `Secret`, which
no model holds and nothing prints. The text is read by the strict notation (`cli.deployment`), so every scalar arrives
here as text. Every limit has a unit; what is absent is described.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, model_validator

from slaguard.config.scalars import (
    Address,
    Amount,
    BaseUrl,
    Every,
    Flag,
    HostName,
    Listen,
    Located,
    Name,
    Part,
    Party,
    Rate,
    Reference,
    Timeout,
    is_loopback,
    listed,
    refuse,
)  # fmt: skip
from slaguard.config.secret import MAX_SECRET, Secret, SecretRef, resolve
from slaguard.config.sidecar import Sidecar, SidecarUpstream
from slaguard.errors import ConfigError

__all__ = [
    "MAX_SECRET", "Budget", "Config", "Ledger", "Listen", "Part", "Price", "Probe", "Secret", "SecretRef", "Server", "Sidecar",
    "SidecarUpstream", "Vendor", "is_loopback", "resolve",
]  # fmt: skip


class Server(Part):
    """The API, /metrics and the web pages."""

    listen: Address = Listen("127.0.0.1", 7464)
    """Address and port; absent: this machine alone, 127.0.0.1:7464."""
    hosts: Annotated[tuple[HostName, ...], BeforeValidator(listed)] = ()
    """Further names under which it may be asked, such as a proxy's; absent: this machine's own, `listen` and IP addresses."""


class Ledger(Part):
    """Where records are kept."""

    path: Located
    """The ledger's directory; relative to the folder of this file."""
    seal_every: Every = 3_600_000
    """How long a row waits at most before it is sealed into a segment; absent: 1h."""


class Budget(Part):
    """The most that is spent on a probe, or on a vendor."""

    amount: Amount
    """The amount."""
    per: Literal["day", "month"]
    """The UTC day or month it is for."""
    call: Rate | None = None
    """What one call is taken to cost at most, where no price is known."""


class Vendor(Part):
    """How one vendor is reached."""

    adapter: Name
    """The dialect it speaks: the name of an installed provider, such as openai."""
    base_url: BaseUrl
    """Its address up to and with the version; https, or http on this machine."""
    key: Reference | None = None
    """Where the key stands: env:NAME or file:PATH; absent: requests carry none."""
    timeout: Timeout = 60_000
    """How long a call may take in all; absent: 60s."""
    allow_private: Flag = False
    """Whether its name may lead to an address of a private network; absent: no."""
    budget: Budget | None = None
    """The most that is spent on all of its probes together; absent: no limit but each probe's own."""
    send_request_id: Flag = False
    """Whether each request carries an id of ours, which a vendor finds in its logs even if no answer came; absent: no."""


class Price(Part):
    """What a model costs, for a million tokens."""

    input: Rate
    """A million tokens of the question."""
    output: Rate
    """A million tokens of the answer."""


class Probe(Part):
    """What is asked, and how often."""

    agreement: Name
    """The name of the Agreement it is for."""
    model: Name
    """The model that is asked."""
    every: Every
    """How often one question is asked."""
    golden_set: Name | None = None
    """The questions; absent: the one set that the Agreement names."""
    budget: Budget | None = None
    """The most that is spent; absent: no limit in money."""
    price: Price | None = None
    """What the model costs; absent: unknown."""

    @model_validator(mode="after")
    def _one_currency(self) -> Self:
        amounts = [m for m in (self.price and self.price.input, self.price and self.price.output) if m]
        amounts += [m for m in (self.budget and self.budget.amount, self.budget and self.budget.call) if m]
        currencies = sorted({m.currency for m in amounts})
        if len(currencies) > 1:
            raise refuse(f"money is never converted; write budget and price in one currency, not {' and '.join(currencies)}")
        return self


def _distinct(probes: tuple[Probe, ...]) -> tuple[Probe, ...]:
    twice = [pair for pair, n in Counter((p.agreement, p.model) for p in probes).items() if n > 1]
    if twice:
        raise refuse(f"{twice[0][0]} asks {twice[0][1]} twice; keep one of the two")
    return probes


class Config(Part):
    """The whole of slaguard.yaml."""

    server: Server = Server()
    """The API, /metrics and the web pages."""
    ledger: Ledger
    """Where records are kept."""
    agreements: Annotated[tuple[Located, ...], BeforeValidator(listed)] = ()
    """The files of the Agreements; relative to the folder of this file."""
    vendors: dict[Party, Vendor] = Field(default_factory=dict)
    """How each vendor is reached; the name is the Agreement's `vendor`, letter by letter."""
    probes: Annotated[tuple[Probe, ...], BeforeValidator(listed), AfterValidator(_distinct)] = ()
    """What is asked, and how often."""
    evaluate_every: Every = 60_000
    """How often the running agent judges at most; absent: 1m."""
    control: Address | None = None
    """A host and port of somebody else, tried when a vendor is not reached: is it us? Absent: it is the vendor."""
    sidecar: Sidecar | None = None
    """The proxy beside the application, for `slaguard sidecar`; every other verb leaves it alone."""
    _source: str = PrivateAttr(default="slaguard.yaml")

    def model_post_init(self, context: Any, /) -> None:
        """Remember the file, for messages."""
        if isinstance(context, Mapping) and "source" in context:
            self._source = str(context["source"])

    def vendor(self, name: str) -> Vendor:
        """Return how a vendor is reached.

        Raises:
            ConfigError: no vendor of this very name.

        """
        found = self.vendors.get(name)
        if found is None:
            there = ", ".join(map(repr, self.vendors)) or "none"
            msg = (
                f"{self._source}: vendors: the Agreement's vendor is {name!r}, and there is {there}\n"
                "    write the vendor exactly as the Agreement does"
            )
            raise ConfigError(msg)
        return found

    def probe(self, agreement: str, model: str | None = None) -> Probe:
        """Return the probe of an Agreement (and a model, where it has several).

        Raises:
            ConfigError: there is none, or which one is not said.

        """
        found = [p for p in self.probes if p.agreement == agreement and model in {None, p.model}]
        if len(found) == 1:
            return found[0]
        if found:
            models = ", ".join(p.model for p in found)
            msg = f"{self._source}: probes: {agreement} asks several models: {models}\n    say which one with --model"
        else:
            there = ", ".join(f"{p.agreement} ({p.model})" for p in self.probes) or "none"
            asked = f"{agreement} ({model})" if model else agreement
            msg = (
                f"{self._source}: probes: none is for {asked}; there is {there}\n"
                f"    add one: - {{agreement: {agreement}, model: ..., every: 5m}}"
            )
        raise ConfigError(msg)
