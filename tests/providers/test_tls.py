"""Certificates that do not hold: each is an outcome with a word of its own, on real handshakes."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slaguard.cli.clock import SystemClock
from slaguard.providers.addresses import AddressPolicy
from slaguard.providers.base import Endpoint, Fault, Prompt, Reply
from slaguard.providers.openai import OpenAIChat
from slaguard.providers.transport import HttpTransport
from slaguard.records import classify
from slaguard.terms import Attribution, Outcome

CONFIG = """
[ca]
default_ca = here
[here]
database = {folder}/index.txt
new_certs_dir = {folder}
serial = {folder}/serial
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
"""


class Authority:
    """A certificate authority made by the openssl command for one test run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = shutil.which("openssl") or ""
        (folder / "index.txt").touch()
        (folder / "serial").write_text("01\n")
        (folder / "ca.cnf").write_text(CONFIG.format(folder=folder))
        self.run("req", "-x509", *NEW_KEY, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA", "-days", "2")

    def run(self, *words: str) -> None:
        subprocess.run([self.program, *words], cwd=self.folder, check=True, capture_output=True)

    def certificate(self, name: str, host: str, start: str, end: str) -> ssl.SSLContext:
        subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName={host}"]
        self.run("req", *NEW_KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", *subject)
        dates = ["-startdate", start, "-enddate", end]
        signing = ["-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-batch", "-notext"]
        self.run("ca", *signing, *dates, "-in", f"{name}.csr", "-out", f"{name}.pem")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.folder / "ca.pem")


NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
PAST, NOW, LATER = ("200101000000Z", "200201000000Z"), ("200101000000Z", "491231000000Z"), ("480101000000Z", "491231000000Z")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not installed, so no certificates can be made")
    return Authority(tmp_path_factory.mktemp("certificates"))


def reply(start: Callable[..., Any], server: ssl.SSLContext, trust: ssl.SSLContext | None) -> Reply:
    async def run() -> Reply:
        async with start(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", tls=server) as vendor:
            transport = HttpTransport(SystemClock(), AddressPolicy(loopback=True), timeout_ms=5000, trust=trust)
            async with transport:
                chat = OpenAIChat(Endpoint(base_url=vendor.base_url), transport)
                return await chat.complete(Prompt(model="m", messages=(("user", "?"),)))

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("name", "host", "dates", "word"),
    [
        pytest.param("expired", "IP:127.0.0.1", PAST, "tls_expired", id="expired"),
        pytest.param("early", "IP:127.0.0.1", LATER, "tls_not_yet_valid", id="not yet valid"),
        pytest.param("other", "DNS:other.example", NOW, "tls_wrong_host", id="wrong host"),
    ],
)
def test_a_certificate_that_does_not_hold_is_the_vendors_failure(
    raw_vendor: Callable[..., Any], authority: Authority, name: str, host: str, dates: tuple[str, str], word: str
) -> None:
    got = reply(raw_vendor, authority.certificate(name, host, *dates), authority.trust())
    assert (got.exchange.fault, got.facts.error_code, got.exchange.sent_ns) == (Fault.TLS, word, None)
    assert classify(got.facts) == (Outcome.CONNECTION_ERROR, Attribution.VENDOR)


def test_a_certificate_that_this_machine_does_not_trust_is_not_held_against_the_vendor(
    raw_vendor: Callable[..., Any], authority: Authority
) -> None:
    got = reply(raw_vendor, authority.certificate("unknown", "IP:127.0.0.1", *NOW), None)
    assert got.facts.error_code == "tls_untrusted"
    assert classify(got.facts) == (Outcome.UNMEASURED, Attribution.OWN_PROBE)


def test_the_certificate_that_was_shown_is_kept_by_its_hash(raw_vendor: Callable[..., Any], authority: Authority) -> None:
    got = reply(raw_vendor, authority.certificate("good", "IP:127.0.0.1", *NOW), authority.trust())
    shown = ssl.PEM_cert_to_DER_cert((authority.folder / "good.pem").read_text())
    assert got.exchange.certificate_sha256 == hashlib.sha256(shown).hexdigest()
    assert got.exchange.status == 200


def test_a_server_that_speaks_no_tls_is_a_failed_handshake(raw_vendor: Callable[..., Any], authority: Authority) -> None:
    async def run() -> Reply:
        async with raw_vendor(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as vendor:
            transport = HttpTransport(SystemClock(), AddressPolicy(loopback=True), timeout_ms=2000, trust=authority.trust())
            async with transport:
                chat = OpenAIChat(Endpoint(base_url=vendor.base_url.replace("http:", "https:")), transport)
                return await chat.complete(Prompt(model="m", messages=(("user", "?"),)))

    got = asyncio.run(run())
    assert classify(got.facts)[0] in {Outcome.CONNECTION_ERROR, Outcome.TIMEOUT}
