import hashlib
import json
from collections.abc import Callable

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from slaguard.ledger.headers import leaf
from slaguard.ledger.manifest import Manifest, root

KNOWN = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "9530e0020062ccb666d7d28ac813ae47d456c5f0c7525a53443f3684801a6890",
    2: "86b0ce4d65f629d556f9ab48a3c773ed9f0df42f2b93c72ae86f894fa011dccb",
    3: "98247d38eed882c06ecbb72a68c6744f1f4cf061801f9c795f80780fcc442277",
    5: "bb9f279340e54034c7aa2ef302f2861c2f6c1bd5b82e87335546e5869328952d",
}
"""The roots over the leaves m0, m1 … (evidence.md §4)."""

FILLED = Manifest(
    origin="slaguard/0011",
    ix=42,
    first_seq=100,
    last_seq=104,
    records_root=KNOWN[5],
    parquet_bytes=2**40,
    parquet_sha256="ab" * 32,
    kinds={"observation": 3, "score": 2},
    again=1,
    sent=(-5, 2**63 - 1),
    batch=None,
    known=1_790_000_000_000_000_000,
    t_min_ns=None,
    t_max_ns=None,
    sealed_wall_ns=1_790_000_000_000_000_001,
    software="slaguard 0.1.0",
)


@pytest.mark.parametrize(("size", "expected"), KNOWN.items())
def test_the_root_is_that_of_the_known_answers(size: int, expected: str) -> None:
    assert root(leaf(f"m{i}".encode()) for i in range(size)) == expected


def root_as_defined(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1, word for word."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + root_as_defined(leaves[:split]) + root_as_defined(leaves[split:])).digest()


@given(st.integers(1, 300))
def test_the_root_is_that_of_the_definition_for_any_number_of_leaves(size: int) -> None:
    leaves = [leaf(str(i).encode()) for i in range(size)]
    assert root(leaves) == root_as_defined(leaves).hex()


def test_a_manifest_is_one_canonical_line_and_reads_back_as_it_was() -> None:
    content = FILLED.content()
    assert content == rfc8785.dumps(json.loads(content))
    assert b"\n" not in content
    assert Manifest.parse(content) == FILLED
    assert (FILLED.count, FILLED.file, FILLED.published) == (5, "00000042.parquet", "00000042.json")


@pytest.mark.parametrize(
    "damage",
    [
        lambda c: c.replace(b'"count":5', b'"count":6'),
        lambda c: c.replace(b'"observation":3', b'"observation":4'),
        lambda c: c.replace(b'"ix":42', b'"ix": 42'),
        lambda c: c.replace(b'"schema_v":2', b'"schema_v":3'),
        lambda c: c.replace(b'"v":1', b'"v":2'),
        lambda c: c.replace(b'"kinds":{', b'"kinds":[').replace(b'"score":2}', b'"score":2]'),
        lambda c: c[:-1],
        lambda _: b"[]",
        lambda _: b"[" * 100_000,
        lambda _: b"\xff",
        lambda _: b"",
    ],
)
def test_what_is_no_manifest_is_refused(damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Manifest.parse(damage(FILLED.content()))
