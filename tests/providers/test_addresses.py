"""Which addresses a vendor's name may lead to."""

from __future__ import annotations

import asyncio
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.providers.addresses import AddressDenied, AddressPolicy, CheckedResolver, _carried

PUBLIC = ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::1", "::ffff:8.8.8.8"]
NEVER = [
    "0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.254", "169.254.1.1", "169.254.169.254", "192.0.0.9", "192.0.0.192",
    "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "168.63.129.16", "100.100.100.200",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "fd00:ec2::254", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1", "64:ff9b:1::1",
    "2002:a9fe:a9fe::", "2002:7f00:1::", "2001:0:a9fe:a9fe::1", "2001:0:808:808:0:0:5601:5601",
    "127.1", "0x7f000001", "0177.0.0.1", "2130706433", "", "example.com",
]  # fmt: skip
PRIVATE = [
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "fd12::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert AddressPolicy().refusal(address) is None


@pytest.mark.parametrize("address", NEVER)
def test_addresses_that_lead_inside_are_refused_whatever_form_they_have(address: str) -> None:
    assert AddressPolicy(private=True).refusal(address) is not None


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_need_to_be_allowed(address: str) -> None:
    refusal = AddressPolicy().refusal(address)
    assert refusal is not None
    assert "allow_private" in refusal
    assert AddressPolicy(private=True).refusal(address) is None


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:8000/v1", "http://localhost/v1", "http://[::1]:1/v1"])
def test_a_vendor_on_this_machine_leads_nowhere_else(base_url: str) -> None:
    policy = AddressPolicy.of(base_url, private=True)
    assert policy.refusal("127.0.0.1") is None
    assert policy.refusal("::1") is None
    for address in (*PUBLIC, *PRIVATE, "169.254.169.254"):
        assert policy.refusal(address) is not None


@given(st.ip_addresses())
def test_nothing_that_is_not_global_is_allowed(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    # Of an address that carries another one, the other one counts; Python's own view of it changed between its releases.
    if AddressPolicy().refusal(str(address)) is None:
        assert all(carried.is_global for carried in _carried(address))


def test_a_name_that_leads_to_this_machine_is_denied_before_any_connection() -> None:
    async def run() -> None:
        resolver = CheckedResolver(AddressPolicy())
        with pytest.raises(AddressDenied, match="an address of this machine"):
            await resolver.resolve("localhost", 443)
        await resolver.close()

    asyncio.run(run())
