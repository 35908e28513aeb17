"""Requests find their upstream by host, then by the longest prefix."""

from __future__ import annotations

import pytest

from slaguard.providers.addresses import AddressPolicy
from slaguard.sidecar.route import Routes, Upstream


def _upstream(vendor: str, prefix: str = "", host: str | None = None, base: str = "") -> Upstream:
    return Upstream(
        vendor=vendor,
        tls=True,
        address="a",
        port=443,
        authority="a",
        policy=AddressPolicy(),
        prefix=prefix,
        host=host,
        base=base,
    )


ROUTES = Routes(
    [_upstream("all"), _upstream("b", "/b"), _upstream("deep", "/b/c"), _upstream("named", host="n.localhost", base="/api")]
)


@pytest.mark.parametrize(
    ("host", "target", "vendor", "sent"),
    [
        ("localhost", b"/v1/x?q", "all", b"/v1/x?q"),
        ("localhost", b"/b/v1", "b", b"/v1"),
        ("localhost", b"/b", "b", b"/"),
        ("localhost", b"/b?q=1", "b", b"/?q=1"),
        ("localhost", b"/bc", "all", b"/bc"),
        ("localhost", b"/b/c/v1", "deep", b"/v1"),
        ("localhost", b"/b/cd", "b", b"/cd"),
        ("n.localhost", b"/b/v1", "named", b"/api/b/v1"),
    ],
)
def test_the_most_particular_upstream_wins_and_its_prefix_is_taken_off(
    host: str, target: bytes, vendor: str, sent: bytes
) -> None:
    found = ROUTES.find(host, target)
    assert found is not None
    assert (found[0].vendor, found[1]) == (vendor, sent)


def test_what_has_no_upstream_has_none() -> None:
    assert Routes([_upstream("b", "/b")]).find("localhost", b"/v1") is None
