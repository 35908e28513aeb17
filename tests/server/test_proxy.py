"""Behind a reverse proxy with a path prefix every link still leads where it should: a proxy of our own, nginx and Caddy."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import pytest
from aiohttp import ClientSession, web

from tests.conftest import REPO
from tests.server.test_page import read
from tests.server.world import FakeBoard, Server, talk

PREFIX = "/contracts/sla/"


def fetch(address: str) -> tuple[int, str, str]:
    """Return a page's status, text and final address."""
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.status, answer.read().decode(), answer.url
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.url


def walk(address: str) -> dict[str, int]:
    """Follow every link of the overview and of the claim page's neighbours; return the status of each path."""
    status, html, where = fetch(address)
    assert status == 200, html
    found = {}
    for way in read(html).ways:
        target = urljoin(where, way)
        assert target.startswith(address), target
        found[target.removeprefix(address)] = fetch(target)[0]
    return found


def check(address: str) -> None:
    """Look at everything there is behind a proxy that serves slaguard at an address that ends with a slash."""
    found = walk(address)
    assert set(found.values()) == {200}
    assert {"metrics", "api/v1/openapi.json", "api/v1/breaches?format=csv", "claims/acme-assistant/2026-10"} <= set(found)
    request = urllib.request.Request(f"{address}no/such/page", headers={"Accept": "text/html"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    home = re.findall(r'<a href="([./]+)">', refused.value.read().decode())[0]
    assert urljoin(f"{address}no/such/page", home) == address


def test_behind_a_proxy_of_our_own_every_link_works() -> None:
    async def work(session: ClientSession, upstream: str) -> None:
        async def forward(request: web.Request) -> web.Response:
            if not request.raw_path.startswith(PREFIX):
                return web.Response(status=404)
            async with session.request(request.method, upstream + "/" + request.raw_path.removeprefix(PREFIX)) as answer:
                kept = {"Content-Type": answer.headers["Content-Type"]}
                return web.Response(body=await answer.read(), status=answer.status, headers=kept)

        application = web.Application()
        application.router.add_route("*", "/{path:.*}", forward)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        try:
            await asyncio.to_thread(walk, f"http://127.0.0.1:{port}{PREFIX}")
        finally:
            await runner.cleanup()

    talk(FakeBoard(), work)


# ── the examples of the documentation, in the real programs ─────────────────────────────────────────────────────────
def example(language: str, word: str) -> str:
    """Return the first example of docs/server.md in a language that has a word in it."""
    text = (REPO / "docs" / "server.md").read_text(encoding="utf-8")
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return next(block for block in blocks if word in block)


def free_port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        port: int = one.getsockname()[1]
        return port


@contextmanager
def program(command: list[str], port: int) -> Iterator[None]:
    """Run a program until its port answers, and end it."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        for _ in range(100):
            with socket.socket() as wire:
                if wire.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, process.stdout and process.stdout.read()
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=20)


NGINX = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  {servers}
}}
"""


def adapted(text: str, server: Server, port: int, folder: Path) -> str:
    """Point an example at a server of the test, on a port of the test, without certificates."""
    text = re.sub(r"\n *ssl_[^\n]*", "", text).replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    text = text.replace("127.0.0.1:7464", server.address.removeprefix("http://"))
    return text.replace("/etc/nginx/slaguard.users", str(folder / "users"))


def test_the_nginx_example_works_as_it_is_written(server: Server, tmp_path: Path) -> None:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("nginx is not installed")
    server.app.state.board = FakeBoard()
    port = free_port()
    servers = adapted(example("nginx", "location /sla/"), server, port, tmp_path)
    (tmp_path / "users").write_text("anna:{PLAIN}secret\n", encoding="utf-8")
    (tmp_path / "conf").write_text(NGINX.format(folder=tmp_path, servers=servers), encoding="utf-8")
    with program([nginx, "-p", str(tmp_path), "-e", str(tmp_path / "log"), "-c", str(tmp_path / "conf")], port):
        assert fetch(f"http://127.0.0.1:{port}/sla/")[0] == 401
        assert fetch(f"http://127.0.0.1:{port}/sla/-/reload")[0] == 403
        signed_in(f"http://127.0.0.1:{port}")
        check(f"http://127.0.0.1:{port}/sla/")
        urllib.request.install_opener(urllib.request.build_opener())


def test_the_caddy_example_works_as_it_is_written(server: Server, tmp_path: Path) -> None:
    caddy = shutil.which("caddy")
    if caddy is None:
        pytest.skip("Caddy is not installed")
    server.app.state.board = FakeBoard()
    port = free_port()
    hashed = subprocess.run(
        [caddy, "hash-password", "--plaintext", "secret"], capture_output=True, text=True, check=True
    ).stdout
    text = adapted(example("caddy", "handle_path /sla/*"), server, port, tmp_path)
    text = text.replace("contracts.example.org {", f"http://127.0.0.1:{port} {{").replace("HASH", hashed.strip())
    (tmp_path / "Caddyfile").write_text(f"{{\n admin off\n}}\n{text}", encoding="utf-8")
    with program([caddy, "run", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile"], port):
        assert fetch(f"http://127.0.0.1:{port}/sla/")[0] == 401
        signed_in(f"http://127.0.0.1:{port}")
        assert fetch(f"http://127.0.0.1:{port}/sla/-/reload")[0] == 403
        check(f"http://127.0.0.1:{port}/sla/")
        urllib.request.install_opener(urllib.request.build_opener())


def signed_in(address: str) -> None:
    """Let further requests carry a user's name and password."""
    users = urllib.request.HTTPPasswordMgrWithPriorAuth()
    users.add_password(None, address, "anna", "secret", is_authenticated=True)
    urllib.request.install_opener(urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(users)))
