"""slaguard.yaml, the deployment: where to listen and write, how vendors are reached, what is asked how often.

No contract fact stands here, and no secret: a key is named by a `SecretRef`, and its value lives in a `Secret`, which
no model holds and nothing prints. The text is read by the strict notation (`cli.deployment`), so every scalar arrives
here as text. Every limit has a unit; what is absent is described.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NoReturn, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from slaguard.errors import ConfigError
from slaguard.terms import Money, format_duration, parse_duration, parse_money

MAX_SECRET: Final = 4096
_ENV_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z", re.ASCII)
_RATE: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?) ([A-Z]{3})\Z", re.ASCII)
_NAME: Final = re.compile(r"(?!.*%)[!-~](?:[ -~]{0,98}[!-~])?\Z", re.ASCII)
_HOST: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\Z", re.ASCII)
_FLAGS: Final = {"true": True, "false": False}


# ── secrets ─────────────────────────────────────────────────────────────────────────────────────────────────────────
class Secret:
    """The value of a key: nothing shows it but `reveal`, and it cannot be copied into a file by accident."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Keep the value."""
        self._value = value

    def reveal(self) -> str:
        """Return the value, for the one request that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied."""
        msg = "a secret is not written anywhere"
        raise TypeError(msg)


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret stands: ``env:NAME`` or ``file:PATH`` (relative to the configuration's folder)."""

    kind: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a reference; the message of a refusal never repeats what was written, which may be the key itself.

        Raises:
            ValueError: it is none.

        """
        kind, colon, name = text.partition(":")
        if colon and kind == "env" and _ENV_NAME.match(name):
            return cls(kind, name)
        if colon and kind == "file" and name.strip() and name.isprintable():
            return cls(kind, name)
        msg = (
            "write where the key stands, never the key: env:NAME (an environment variable) or file:PATH"
            " (if the key itself stood here, replace it: it has been in a file)"
        )
        raise ValueError(msg)

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


def resolve(ref: SecretRef, environment: Mapping[str, str], read: Callable[[str], bytes]) -> Secret:
    """Return the secret that a reference leads to.

    Args:
        ref: the reference.
        environment: the variables of this process.
        read: returns a file's bytes; the caller says what a relative path is relative to.

    Raises:
        ConfigError: it is missing, empty, or no single line of printable ASCII.

    """
    if ref.kind == "env":
        value = environment.get(ref.name)
        if value is None:
            msg = f"{ref}: the environment variable {ref.name} is not set\n    set it for this process: export {ref.name}=..."
            raise ConfigError(msg)
    else:
        value = read(ref.name).decode("utf-8", "replace")
    value = value.strip("\r\n\t ")
    if not value:
        msg = f"{ref}: the key there is empty\n    put the key there, on one line"
        raise ConfigError(msg)
    if len(value) > MAX_SECRET or not (value.isascii() and value.isprintable()):
        msg = f"{ref}: what stands there is no key: more than one line, not ASCII, or too long\n    put the key alone there"
        raise ConfigError(msg)
    return Secret(value)


# ── scalars ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _refuse(mend: str) -> PydanticCustomError:
    return PydanticCustomError("config", "{mend}", {"mend": mend})


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise _refuse("write a single value here, not a map or a list")


def _scalar(parse: Callable[[str], Any]) -> BeforeValidator:
    """Read a scalar's text with `parse`, whose ValueError says how to write it."""

    def validate(value: Any) -> Any:
        try:
            return parse(_text(value))
        except ValueError as error:
            raise _refuse(str(error)) from None

    return BeforeValidator(validate)


def _flag(text: str) -> bool:
    if text in _FLAGS:
        return _FLAGS[text]
    msg = "write true or false"
    raise ValueError(msg)


def _name(text: str) -> str:
    if _NAME.match(text):
        return text
    msg = "write a name of at most 100 printable ASCII characters, without %"
    raise ValueError(msg)


def _party(text: str) -> str:
    if text.strip() and text.isprintable() and len(text) <= 200:
        return text
    msg = "write the vendor as the Agreement does"
    raise ValueError(msg)


def _host(text: str) -> str:
    if _HOST.match(text.lower()):
        return text.lower()
    msg = "write a name as a browser has it, without scheme, port or path: sla.example.org"
    raise ValueError(msg)


def _rate(text: str) -> Money:
    found = _RATE.match(text)
    if found:
        return Money(Decimal(found[1]), found[2])
    msg = "write a price as digits, a point and a three-letter currency: 2.50 EUR"
    raise ValueError(msg)


def _every(text: str) -> int:
    ms = parse_duration(text)
    if ms >= 1000:
        return ms
    msg = "ask at most once a second: 5m is usual"
    raise ValueError(msg)


def _timeout(text: str) -> int:
    ms = parse_duration(text)
    if 0 < ms <= 3_600_000:
        return ms
    msg = "write a time-out above 0 and of at most 1h: 60s"
    raise ValueError(msg)


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine by its very name: localhost, 127.0.0.0/8, ::1."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _base_url(text: str) -> str:
    """Accept an https address (http for loopback) without credentials, query or fragment; never repeat it."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if host is None or parts.scheme not in {"http", "https"} or not (text.isascii() and text.isprintable()) or " " in text:
        msg = "write the address up to and with the version: https://api.vendor.example/v1"
    elif parts.username is not None or parts.password is not None:
        msg = "leave user and password out of the address; name the key with `key: env:NAME`"
    elif parts.query or parts.fragment or "?" in text or "#" in text:
        msg = "leave out everything from `?` or `#` on; a key belongs into `key: env:NAME`"
    elif parts.scheme == "http" and not is_loopback(host):
        msg = "use https; http is for an address of this machine alone (localhost, 127.0.0.1, [::1])"
    else:
        return text.rstrip("/")
    raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Listen:
    """An address and a port to listen on."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``127.0.0.1:7464`` or ``[::1]:7464``.

        Raises:
            ValueError: it is no such pair.

        """
        host, colon, port = text.rpartition(":")
        bare = host.removeprefix("[").removesuffix("]")
        in_brackets = host.startswith("[") and host.endswith("]")
        good_host = bare and bare.isascii() and bare.isprintable() and not re.search(r"[\s/@\[\]]", bare)
        if colon and good_host and (":" in bare) == in_brackets and re.fullmatch(r"[0-9]{1,5}", port) and int(port) < 1 << 16:
            return cls(bare, int(port))
        msg = "write an address, a colon and a port: 127.0.0.1:7464"
        raise ValueError(msg)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _path(value: Any, info: ValidationInfo) -> Path:
    """Read a path, relative to the folder of the configuration."""
    text = _text(value)
    if not text.strip() or not text.isprintable():
        raise _refuse("write a path")
    base: Path = (info.context or {}).get("base", Path())
    return base / text


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


Name = Annotated[str, _scalar(_name)]
HostName = Annotated[str, _scalar(_host)]
Party = Annotated[str, _scalar(_party)]
Flag = Annotated[bool, _scalar(_flag)]
Every = Annotated[int, _scalar(_every), PlainSerializer(format_duration)]
Timeout = Annotated[int, _scalar(_timeout), PlainSerializer(format_duration)]
Amount = Annotated[Money, _scalar(parse_money), PlainSerializer(str)]
Rate = Annotated[Money, _scalar(_rate), PlainSerializer(lambda m: f"{m.amount} {m.currency}")]
Located = Annotated[Path, BeforeValidator(_path)]
BaseUrl = Annotated[str, _scalar(_base_url)]
Reference = Annotated[SecretRef, _scalar(SecretRef.parse), PlainSerializer(str)]
Address = Annotated[Listen, _scalar(Listen.parse), PlainSerializer(str)]


# ── the document ────────────────────────────────────────────────────────────────────────────────────────────────────
class Part(BaseModel):
    """A part of the configuration: immutable, every key known, and no input repeated in an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, arbitrary_types_allowed=True, hide_input_in_errors=True
    )


class Server(Part):
    """The API, /metrics and the web pages."""

    listen: Address = Listen("127.0.0.1", 7464)
    """Address and port; absent: this machine alone, 127.0.0.1:7464."""
    hosts: Annotated[tuple[HostName, ...], BeforeValidator(_listed)] = ()
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
            raise _refuse(f"money is never converted; write budget and price in one currency, not {' and '.join(currencies)}")
        return self


def _distinct(probes: tuple[Probe, ...]) -> tuple[Probe, ...]:
    twice = [pair for pair, n in Counter((p.agreement, p.model) for p in probes).items() if n > 1]
    if twice:
        raise _refuse(f"{twice[0][0]} asks {twice[0][1]} twice; keep one of the two")
    return probes


class Config(Part):
    """The whole of slaguard.yaml."""

    server: Server = Server()
    """The API, /metrics and the web pages."""
    ledger: Ledger
    """Where records are kept."""
    agreements: Annotated[tuple[Located, ...], BeforeValidator(_listed)] = ()
    """The files of the Agreements; relative to the folder of this file."""
    vendors: dict[Party, Vendor] = Field(default_factory=dict)
    """How each vendor is reached; the name is the Agreement's `vendor`, letter by letter."""
    probes: Annotated[tuple[Probe, ...], BeforeValidator(_listed), AfterValidator(_distinct)] = ()
    """What is asked, and how often."""
    evaluate_every: Every = 60_000
    """How often the running agent judges at most; absent: 1m."""
    control: Address | None = None
    """A host and port of somebody else, tried when a vendor is not reached: is it us? Absent: it is the vendor."""
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
