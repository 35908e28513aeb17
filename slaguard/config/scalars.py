"""The values in slaguard.yaml: each is read from its text, and what is wrong with it is said with how to write it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationInfo
from pydantic_core import PydanticCustomError

from slaguard.config.secret import SecretRef
from slaguard.terms import Money, format_duration, format_percent, parse_duration, parse_money, parse_percent

_RATE: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?) ([A-Z]{3})\Z", re.ASCII)
_NAME: Final = re.compile(r"(?!.*%)[!-~](?:[ -~]{0,98}[!-~])?\Z", re.ASCII)
_HOST: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\Z", re.ASCII)
_SIZE: Final = re.compile(r"(\d{1,7})(KiB|MiB)\Z", re.ASCII)
_UNIT_BYTES: Final = {"KiB": 1 << 10, "MiB": 1 << 20}
_FLAGS: Final = {"true": True, "false": False}


class Part(BaseModel):
    """A part of the configuration: immutable, every key known, and no input repeated in an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, arbitrary_types_allowed=True, hide_input_in_errors=True
    )


def refuse(mend: str) -> PydanticCustomError:
    """Return the error of a value, which says how it is written."""
    return PydanticCustomError("config", "{mend}", {"mend": mend})


def text_of(value: Any) -> str:
    """Return the text of a scalar.

    Raises:
        PydanticCustomError: it is a map or a list.

    """
    if isinstance(value, str):
        return value
    raise refuse("write a single value here, not a map or a list")


def scalar(parse: Callable[[str], Any]) -> BeforeValidator:
    """Read a scalar's text with `parse`, whose ValueError says how to write it."""

    def validate(value: Any) -> Any:
        try:
            return parse(text_of(value))
        except ValueError as error:
            raise refuse(str(error)) from None

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


def _share(text: str) -> Fraction:
    share = parse_percent(text)
    if share <= 1:
        return share
    msg = "write a share from 0% to 100%: 1%"
    raise ValueError(msg)


def _size(text: str) -> int:
    found = _SIZE.match(text)
    if found and int(found[1]):
        return int(found[1]) * _UNIT_BYTES[found[2]]
    msg = "write a size as a whole number above 0 and KiB or MiB: 32MiB"
    raise ValueError(msg)


def _shown_size(size: int) -> str:
    return f"{size >> 20}MiB" if size % (1 << 20) == 0 else f"{size >> 10}KiB"


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


def is_host(text: str) -> bool:
    """Tell whether a text is a host name, or an address, in lower case."""
    try:
        return bool(_HOST.match(text)) or bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _base_url(text: str) -> str:
    return http_address(text, "write the address up to and with the version: https://api.vendor.example/v1")


def http_address(text: str, example: str) -> str:
    """Accept an https address (http for loopback) without credentials, query or fragment, and take off the last ``/``.

    Args:
        text: what stands there; no message repeats it, as a key may be in it.
        example: what is said where it is no address at all.

    Raises:
        ValueError: what to write instead.

    """
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if host is None or parts.scheme not in {"http", "https"} or not (text.isascii() and text.isprintable()) or " " in text:
        msg = example
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
    text = text_of(value)
    if not text.strip() or not text.isprintable():
        raise refuse("write a path")
    base: Path = (info.context or {}).get("base", Path())
    return base / text


def listed(value: Any) -> Any:
    """Return a list, also of the one value that stands where a list may stand."""
    return value if isinstance(value, list | tuple) else [value]


Name = Annotated[str, scalar(_name)]
HostName = Annotated[str, scalar(_host)]
Party = Annotated[str, scalar(_party)]
Flag = Annotated[bool, scalar(_flag)]
Every = Annotated[int, scalar(_every), PlainSerializer(format_duration)]
Timeout = Annotated[int, scalar(_timeout), PlainSerializer(format_duration)]
Share = Annotated[Fraction, scalar(_share), PlainSerializer(format_percent)]
Size = Annotated[int, scalar(_size), PlainSerializer(_shown_size)]
Amount = Annotated[Money, scalar(parse_money), PlainSerializer(str)]
Rate = Annotated[Money, scalar(_rate), PlainSerializer(lambda m: f"{m.amount} {m.currency}")]
Located = Annotated[Path, BeforeValidator(_path)]
BaseUrl = Annotated[str, scalar(_base_url)]
Reference = Annotated[SecretRef, scalar(SecretRef.parse), PlainSerializer(str)]
Address = Annotated[Listen, scalar(Listen.parse), PlainSerializer(str)]
