"""slaguard.yaml: what is accepted, what is refused and where, and that no secret is ever shown."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slaguard.cli.deployment import load_config, parse_config, secret
from slaguard.config import Config, Listen, Secret, SecretRef, Sidecar, SidecarUpstream, resolve
from slaguard.errors import ConfigError
from slaguard.terms import parse_money

FIRST_CONTACT = """\
server: {listen: 127.0.0.1:7464}
ledger: {path: ./ledger}
agreements: [sla_specs/examples/acme-chat.yaml]
vendors:
  Acme AI: {adapter: openai, base_url: "https://api.acme.example/v1", key: "env:ACME_API_KEY"}
probes:
  - {agreement: acme-chat, model: acme-large, every: 5m, budget: {amount: 5.00 EUR, per: day}}
"""
WHERE = Path("/etc/acme/slaguard.yaml")


def read(text: str) -> Config:
    return parse_config(text, WHERE)


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as error:
        read(text)
    return str(error.value)


def test_the_first_configuration_means_what_it_says() -> None:
    config = read(FIRST_CONTACT)
    assert config.server.listen == Listen("127.0.0.1", 7464)
    assert config.ledger.path == Path("/etc/acme/ledger")
    assert config.agreements == (Path("/etc/acme/sla_specs/examples/acme-chat.yaml"),)
    vendor = config.vendor("Acme AI")
    assert (vendor.adapter, vendor.base_url, str(vendor.key)) == ("openai", "https://api.acme.example/v1", "env:ACME_API_KEY")
    assert (vendor.timeout, vendor.allow_private, vendor.send_request_id) == (60_000, False, False)
    probe = config.probe("acme-chat")
    assert (probe.model, probe.every, probe.price) == ("acme-large", 300_000, None)
    assert probe.budget is not None
    assert (probe.budget.amount, probe.budget.per) == (parse_money("5.00 EUR"), "day")


def test_the_least_there_can_be_is_a_ledger() -> None:
    config = read("ledger: {path: /var/lib/slaguard}")
    assert (config.ledger.path, config.vendors, config.probes) == (Path("/var/lib/slaguard"), {}, ())
    assert str(config.server.listen) == "127.0.0.1:7464"


def test_the_configuration_in_the_documentation_is_accepted(repo: Path) -> None:
    page = (repo / "docs" / "probes.md").read_text(encoding="utf-8")
    config = read(page.split("```yaml\n")[1].split("```")[0])
    assert set(config.model_dump(exclude_none=True)) == set(Config.model_fields) - {"sidecar"}  # docs/cli.md has it
    for part in (config.vendors["Acme AI"], config.probes[0]):
        assert part.model_dump(exclude_none=True).keys() == type(part).model_fields.keys()


def test_it_is_written_back_as_it_was_read() -> None:
    config = read(FIRST_CONTACT)
    again = Config.model_validate(json.loads(config.model_dump_json(exclude_none=True).replace("false", '"false"')))
    assert again.model_dump() == config.model_dump()


@pytest.mark.parametrize(
    ("before", "after", "place", "said"),
    [
        pytest.param("ledger:", "ledgr:", "2:1", "did you mean ledger?", id="unknown key"),
        pytest.param("adapter:", "adaptor:", "5:13", "did you mean adapter?", id="unknown key of a vendor"),
        pytest.param(
            "every: 5m", "every: 5m, colour: red", "7:58", "there is no such key here; there are agreement", id="no near key"
        ),
        pytest.param("every: 5m", "every: 5", "7:54", "a whole number and a unit", id="no unit"),
        pytest.param("every: 5m", "every: 5ms", "7:54", "at most once a second", id="too often"),
        pytest.param("per: day", "per: dya", "7:90", "did you mean day? write one of day, month", id="not in the list"),
        pytest.param("5.00 EUR", "5.00", "7:75", "write money as digits", id="no currency"),
        pytest.param("127.0.0.1:7464", "7464", "1:18", "an address, a colon and a port", id="no address"),
        pytest.param("127.0.0.1:7464", "127.0.0.1:99999", "1:18", "an address, a colon and a port", id="no port"),
        pytest.param("[sla_specs/examples/acme-chat.yaml]", "{a: b}", "3:17", "single value", id="a map for a path"),
        pytest.param(
            "adapter: openai", "adapter: openai, timeout: 0s", "5:39", "above 0 and of at most 1h", id="no time at all"
        ),
        pytest.param("adapter: openai", "adapter: openai, allow_private: yes", "5:45", "true or false", id="no flag"),
        pytest.param("per: day}", "per: day, call: 0.02 USD}", "7:5", "in one currency, not EUR and USD", id="two currencies"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_how_to_mend_it(before: str, after: str, place: str, said: str) -> None:
    told = refused(FIRST_CONTACT.replace(before, after))
    assert said in told
    assert f"{WHERE}:{place}: E-CONFIG" in told, told
    assert told.count("E-CONFIG") == 1, told


def test_everything_wrong_is_told_at_once() -> None:
    told = refused(FIRST_CONTACT.replace("5m", "5").replace("ledger:", "ledgr:").replace("per: day", "per: dya"))
    assert told.count("E-CONFIG") == 3


def test_the_same_probe_twice_is_refused() -> None:
    line = "  - {agreement: acme-chat, model: acme-large, every: 5m}\n"
    assert "acme-chat asks acme-large twice" in refused(FIRST_CONTACT + line)


@pytest.mark.parametrize(
    "text", ["", "\n", "# nothing\n", "- a list\n", "a: &x 1\nb: *x\n", "a: 1\na: 2\n", "\tx: y", "x: !!int 1"]
)
def test_a_text_that_is_no_configuration_is_refused(text: str) -> None:
    assert "E-CONFIG" in refused(text)


# ── addresses ───────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "address",
    [
        "https://api.acme.example/v1",
        "https://api.acme.example:8443/v1/",
        "http://127.0.0.1:8000/v1",
        "http://localhost/v1",
        "http://[::1]:8000/v1",
    ],
)
def test_an_address_is_https_or_on_this_machine(address: str) -> None:
    assert read(with_address(address)).vendor("Acme AI").base_url == address.rstrip("/")


def with_address(address: str) -> str:
    return FIRST_CONTACT.replace("https://api.acme.example/v1", address)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://api.acme.example/v1", "use https"),
        ("http://127.0.0.1.evil.example/v1", "use https"),
        ("http://10.0.0.1/v1", "use https"),
        ("https://canary:pw@api.acme.example/v1", "leave user and password out"),
        ("https://api.acme.example/v1?key=canary", "leave out everything from `?`"),
        ("https://api.acme.example/v1#canary", "leave out everything from `?`"),
        ("ftp://api.acme.example/canary", "write the address"),
        ("api.acme.example/canary", "write the address"),
        ("https:///canary", "write the address"),
        ("https://[::1/canary", "write the address"),
        ("https://api.acme.example:x/canary", "write the address"),
        ("https://api.acme.example/ canary", "write the address"),
    ],
)
def test_any_other_address_is_refused_without_repeating_it(address: str, said: str) -> None:
    told = refused(with_address(address))
    assert said in told
    assert "canary" not in told


# ── secrets ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "key", ["sk-canary-0123456789abcdef", "canary", "env:", "env:canary-key", "file:", "vault:canary", "canary:env:X"]
)
def test_a_key_in_the_file_is_refused_without_repeating_it(key: str) -> None:
    told = refused(FIRST_CONTACT.replace("env:ACME_API_KEY", key))
    assert "write where the key stands, never the key" in told
    assert "canary" not in told


def test_the_value_of_a_secret_is_shown_by_nothing_but_reveal() -> None:
    value = Secret("canary")
    shown = [repr(value), str(value), f"{value}", f"{value:>10}", f"{[value]}", "%s" % value]  # noqa: UP031
    assert all("canary" not in text for text in shown)
    assert value.reveal() == "canary"
    for copied in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError):
            copied(value)
    assert not hasattr(value, "__dict__")


def test_a_configuration_holds_the_reference_and_never_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_API_KEY", "canary")
    config = read(FIRST_CONTACT)
    assert config.vendors["Acme AI"].key == SecretRef("env", "ACME_API_KEY")
    assert "canary" not in config.model_dump_json() + repr(config) + str(config.model_dump())


def test_a_secret_comes_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_API_KEY", " canary\n")
    (tmp_path / "key").write_text("canary\n")
    (tmp_path / "link").symlink_to("key")
    for reference in ("env:ACME_API_KEY", "file:key", f"file:{tmp_path / 'key'}", "file:link"):
        assert secret(SecretRef.parse(reference), tmp_path).reveal() == "canary"


@pytest.mark.parametrize(
    ("reference", "content", "said"),
    [
        ("env:NOT_THERE", None, "the environment variable NOT_THERE is not set"),
        ("file:key", None, "there is no such file"),
        ("file:key", b"", "the key there is empty"),
        ("file:key", b"canary\nkey", "more than one line"),
        ("file:key", "canäry".encode(), "not ASCII"),
        ("file:key", b"\x00canary", "no key"),
        ("file:key", b"canary" * 1000, "larger than"),
    ],
)
def test_a_secret_that_is_missing_or_no_key_is_told_by_its_reference(
    tmp_path: Path, reference: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(ConfigError) as error:
        secret(SecretRef.parse(reference), tmp_path)
    assert str(error.value).startswith(f"{reference}: ")
    assert said in str(error.value)
    assert "canary" not in str(error.value)


@given(st.text(max_size=40))
def test_no_text_in_the_environment_becomes_a_key_that_breaks_a_header(text: str) -> None:
    try:
        value = resolve(SecretRef("env", "X"), {"X": text}, lambda _: b"")
    except ConfigError:
        return
    assert value.reveal().isascii()
    assert value.reveal().isprintable()
    assert value.reveal() == text.strip("\r\n\t ")


def test_a_vendor_may_be_called_as_people_call_it() -> None:
    config = read(FIRST_CONTACT.replace("Acme AI:", "Müller & Søn – 100 % AI:"))
    assert config.vendor("Müller & Søn – 100 % AI").adapter == "openai"


# ── look-ups ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_vendor_is_found_letter_by_letter() -> None:
    config = read(FIRST_CONTACT)
    for name in ("acme ai", "Acme", "Acme AI "):
        with pytest.raises(ConfigError, match="there is 'Acme AI'"):
            config.vendor(name)
    with pytest.raises(ConfigError, match=r"/etc/acme/slaguard\.yaml: vendors"):
        config.vendor("X")


def test_a_probe_is_found_by_its_agreement_and_where_there_are_several_by_its_model() -> None:
    config = read(FIRST_CONTACT + "  - {agreement: acme-chat, model: acme-small, every: 5m}\n")
    assert config.probe("acme-chat", "acme-small").model == "acme-small"
    with pytest.raises(ConfigError, match="asks several models: acme-large, acme-small\n    say which one with --model"):
        config.probe("acme-chat")
    with pytest.raises(ConfigError, match="none is for other"):
        config.probe("other")
    with pytest.raises(ConfigError, match="none is for acme-chat"):
        config.probe("acme-chat", "acme-huge")


# ── the sidecar ─────────────────────────────────────────────────────────────────────────────────────────────────────
SIDECAR = """\
ledger: {path: ./ledger}
sidecar:
  bodies: 1%
  upstreams:
    - {vendor: Acme AI, url: "https://api.acme.example"}
    - {vendor: Other AI, url: "https://api.other.example", prefix: /other, service: chat}
"""


def read_sidecar(text: str = SIDECAR) -> Sidecar:
    section = read(text).sidecar
    assert section is not None
    return section


def test_the_least_of_a_sidecar_is_a_ledger_and_an_upstream() -> None:
    section = read_sidecar("ledger: {path: l}\nsidecar: {upstreams: {vendor: Acme AI, url: https://api.acme.example/}}")
    assert (str(section.listen), str(section.admin), section.name) == ("127.0.0.1:7465", "127.0.0.1:7466", "sidecar")
    assert (section.bodies, section.largest_body, section.queue) == (Fraction(1, 100), 1 << 20, 32 << 20)
    assert (section.grace, section.publish) == (30_000, None)
    [upstream] = section.upstreams
    assert (upstream.vendor, upstream.url, upstream.prefix, upstream.host) == (
        "Acme AI",
        "https://api.acme.example",
        None,
        None,
    )
    assert (upstream.connect, upstream.silence, upstream.allow_private) == (10_000, 900_000, False)


def test_a_configuration_without_a_sidecar_has_none() -> None:
    assert read(FIRST_CONTACT).sidecar is None


def test_the_whole_section_in_the_documentation_is_accepted(repo: Path) -> None:
    page = (repo / "docs" / "cli.md").read_text(encoding="utf-8").partition("## `sidecar`")[2]
    section = read_sidecar(page.split("```yaml\n")[1].split("```")[0])
    assert section.model_dump(exclude_none=True).keys() == Sidecar.model_fields.keys()
    assert section.upstreams[0].model_dump(exclude_none=True).keys() == SidecarUpstream.model_fields.keys()
    for key, field in Sidecar.model_fields.items():
        if not field.is_required() and key != "publish":
            assert getattr(section, key) == field.default, f"the page shows what holds where {key} is absent"


def test_a_sidecar_is_written_back_as_it_was_read() -> None:
    config = read(SIDECAR + "  queue: 1536KiB\n  largest_body: 100KiB\n")
    text = config.model_dump_json(exclude_none=True).replace("false", '"false"')
    assert Config.model_validate(json.loads(text)).model_dump() == config.model_dump()


def test_a_queue_that_is_too_small_is_told_where_it_is_written() -> None:
    told = refused(SIDECAR.replace("bodies: 1%", "queue: 1MiB"))
    line = SIDECAR.partition("bodies: 1%")[0].count("\n") + 1
    assert f":{line}:" in told
    assert "sidecar.queue: " in told


@pytest.mark.parametrize("share", ["0%", "0.25%", "100%"])
def test_a_share_is_exact(share: str) -> None:
    assert read_sidecar(SIDECAR.replace("1%", share)).bodies == Fraction(share[:-1]) / 100


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        pytest.param("bodies: 1%", "bodies: 0.01", "a percentage needs its sign", id="no sign"),
        pytest.param("bodies: 1%", "bodies: 101%", "a share from 0% to 100%", id="more than all"),
        pytest.param("bodies: 1%", "queue: 32MB", "a whole number above 0 and KiB or MiB", id="no binary unit"),
        pytest.param("bodies: 1%", "queue: 0MiB", "a whole number above 0", id="no queue"),
        pytest.param("bodies: 1%", "queue: 2000000MiB", "at most 1024MiB", id="all memory"),
        pytest.param("bodies: 1%", "largest_body: 65MiB", "at most 64MiB", id="a body larger than can be kept"),
        pytest.param("bodies: 1%", "queue: 512KiB", "at least 1MiB", id="a small queue"),
        pytest.param("bodies: 1%", "largest_body: 16MiB", "four times largest_body", id="a queue that no body fits"),
        pytest.param("bodies: 1%", "grace: 0s", "above 0", id="no grace"),
        pytest.param("bodies: 1%", "name: ../x", "write a name of at most 100 letters", id="a path for a name"),
        pytest.param("bodies: 1%", "name: record", "not for a sidecar", id="another writer's folder"),
        pytest.param("bodies: 1%", "admin: 127.0.0.1:7465", "listen and admin are both 127.0.0.1:7465", id="one port for two"),
        pytest.param("bodies: 1%", "listen: '7465'", "an address, a colon and a port", id="no address"),
        pytest.param("bodies: 1%", "upstream: x", "did you mean upstreams?", id="unknown key"),
        pytest.param("prefix: /other", "prefxi: /other", "did you mean prefix?", id="unknown key of an upstream"),
        pytest.param("prefix: /other", "prefix: other", "with a / before and none after it", id="no slash before"),
        pytest.param("prefix: /other", "prefix: /other/", "with a / before and none after it", id="a slash after"),
        pytest.param("prefix: /other", "prefix: /", "with a / before and none after it", id="a slash alone"),
        pytest.param("prefix: /other", "prefix: /a/../b", "with a / before and none after it", id="a way up"),
        pytest.param("prefix: /other", "prefix: '/a b'", "with a / before and none after it", id="a space"),
        pytest.param("prefix: /other, ", "", "Acme AI and Other AI both answer to prefix (none)", id="two for one"),
        pytest.param("service: chat", "host: 'a:1'", "without scheme, port or path", id="a host with its port"),
        pytest.param("vendor: Other AI, ", "", "missing", id="nobody"),
        pytest.param("https://api.other", "http://api.other", "use https", id="not encrypted"),
        pytest.param("https://api.other.example", "http://127.0.0.1:7466", "is this sidecar itself", id="itself"),
        pytest.param("https://api.other.example", "http://[::1]:7465/x", "is this sidecar itself", id="itself by another name"),
    ],
)
def test_what_is_wrong_with_a_sidecar_is_told_once_and_how_to_mend_it(before: str, after: str, said: str) -> None:
    told = refused(SIDECAR.replace(before, after))
    assert said in told
    assert told.count("E-CONFIG") == 1, told


def test_two_upstreams_for_one_host_and_prefix_are_refused_and_for_two_hosts_are_not() -> None:
    text = SIDECAR.replace("prefix: /other", "host: B.internal").replace("Acme AI,", "Acme AI, host: a.internal,")
    assert [u.host for u in read_sidecar(text).upstreams] == ["a.internal", "b.internal"]
    assert "both answer to prefix (none) of host a.internal" in refused(text.replace("B.", "A."))


def test_an_empty_list_of_upstreams_is_refused() -> None:
    assert "name at least one vendor" in refused("ledger: {path: l}\nsidecar: {upstreams: []}")
    assert "sidecar.upstreams: missing" in refused("ledger: {path: l}\nsidecar: {bodies: 1%}")


@pytest.mark.parametrize(
    "url", ["https://canary:pw@api.other.example", "https://api.other.example?key=canary", "https://api.other.example/%canary",
            "https://api.other.example/a//canary", "https://can|ary", "https://api.other.example:0", "canary", "ftp://canary",
            "https://api.other.example/canary/.."],
)  # fmt: skip
def test_the_address_of_an_upstream_is_plain_and_never_repeated(url: str) -> None:
    told = refused(SIDECAR.replace("https://api.other.example", url))
    assert told.count("E-CONFIG") == 1
    assert "canary" not in told
    assert "not shown" in told


# ── hostile text ────────────────────────────────────────────────────────────────────────────────────────────────────
def told(text: str) -> str:
    """Return the code of the refusal; nothing where the text is read."""
    try:
        read(text)
    except ConfigError as error:
        return str(error).split()[1]
    return ""


MUTATIONS: list[Callable[[str, int], str]] = [
    lambda text, i: text[:i] + text[i + 1 :],
    lambda text, i: text[:i] + "\x00" + text[i:],
    lambda text, i: text[:i] + "{" + text[i:],
    lambda text, i: text[:i] + "\n" + text[i:],
    lambda text, i: text[:i] + "é\u202e" + text[i:],
    lambda text, i: text[:i],
]


@given(st.integers(0, len(FIRST_CONTACT)), st.sampled_from(MUTATIONS))
def test_a_damaged_configuration_is_read_or_refused_and_nothing_else(at: int, damage: Callable[[str, int], str]) -> None:
    assert told(damage(FIRST_CONTACT, at)) in {"", "E-CONFIG"}


@given(
    st.recursive(
        st.text(max_size=6),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(Config.model_fields)), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_tree_is_read_or_refused_and_nothing_else(tree: Any) -> None:
    assert told(json.dumps(tree)) in {"", "E-CONFIG"}


def test_a_file_that_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.yaml"):
        with pytest.raises(ConfigError, match="E-CONFIG"):
            load_config(path)
