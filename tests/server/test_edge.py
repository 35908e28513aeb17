"""Which names are this server's: loopback, addresses, and those that the configuration adds."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from slaguard.config import Server
from slaguard.server.edge import known

OWN = frozenset({"sla.example.org"})


@given(st.ip_addresses(), st.integers(0, 65535) | st.none())
def test_every_address_is_a_name_of_ours(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int | None) -> None:
    name = f"[{address}]" if address.version == 6 else str(address)
    assert known(name if port is None else f"{name}:{port}", OWN)


@given(st.from_regex(r"[a-z0-9-]{1,20}(\.[a-z0-9-]{1,20}){0,3}\.(com|example|org)", fullmatch=True))
def test_no_other_name_is(name: str) -> None:
    assert known(name, OWN) is (name == "sla.example.org")


@given(st.text(max_size=40))
def test_any_text_is_told_apart_without_failing(text: str) -> None:
    assert known(text, OWN) in {True, False}


@pytest.mark.parametrize(
    ("host", "own"), [("SLA.example.org.", True), ("sla.example.org:443", True), ("sla.example.org@x", False)]
)
def test_case_port_and_last_point_do_not_matter(host: str, own: bool) -> None:
    assert known(host, OWN) is own


def test_the_configuration_names_further_hosts() -> None:
    server = Server.model_validate({"hosts": ["SLA.Example.org", "slaguard"]})
    assert server.hosts == ("sla.example.org", "slaguard")
    assert Server.model_validate({"hosts": "slaguard"}).hosts == ("slaguard",)
    assert Server().hosts == ()


@pytest.mark.parametrize("host", ["https://x.example", "x.example:80", "x/y", "", "a b", "x..y", "*", "ü.example", "x" * 300])
def test_what_is_no_name_is_refused_with_how_to_write_one(host: str) -> None:
    with pytest.raises(ValidationError, match=r"without scheme, port or path: sla\.example\.org"):
        Server.model_validate({"hosts": [host]})
