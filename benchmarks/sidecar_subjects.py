"""The vendors and the proxies between which is chosen: each is started, pinned to a core, and ended."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sidecar_works as works
from sidecar_proc import require_owner

HERE: Final = Path(__file__).parent
STARTING_S: Final = 30
QUEUE: Final = "512MiB"
"""Where a proxy is asked as fast as it can answer, its recorder shares its core and lags; nothing may be shed meanwhile."""

NGINX: Final = """\
daemon off;
worker_processes 1;
pid {home}/nginx.pid;
error_log {home}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {home}/body;
  proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi;
  scgi_temp_path {home}/scgi;
  {blocks}
}}
"""
PASS: Final = """\
upstream json {{ server 127.0.0.1:{json}; keepalive 64; keepalive_requests 1000000000; }}
  upstream events {{ server 127.0.0.1:{events}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port};
    keepalive_requests 1000000000;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_buffering off;
    proxy_request_buffering off;
    location / {{ proxy_pass http://json; }}
    location {prefix}/ {{ proxy_pass http://events/; }}
  }}
"""
CONFIG: Final = """\
ledger: {{path: ./ledger}}
vendors:
  Acme AI: {{adapter: openai, base_url: "http://127.0.0.1:{json}/v1", key: env:ACME_API_KEY}}
  Other AI: {{adapter: openai, base_url: "http://127.0.0.1:{events}/v1", key: env:ACME_API_KEY}}
sidecar:
  listen: 127.0.0.1:{port}
  admin: 127.0.0.1:{admin}
  bodies: 1%
  queue: {queue}
  upstreams:
    - {{vendor: Acme AI, url: "http://127.0.0.1:{json}"}}
    - {{vendor: Other AI, url: "http://127.0.0.1:{events}", prefix: {prefix}}}
"""


@dataclass(frozen=True, slots=True)
class Cores:
    """Where things run."""

    subject: int
    rest: int


@dataclass(frozen=True, slots=True)
class Vendors:
    """The ports of the two vendors and their processes."""

    json: int
    events: int
    roots: dict[str, int]

    def port(self, *, events: bool) -> int:
        """Return the one of a kind of work."""
        return self.events if events else self.json


@dataclass(frozen=True, slots=True)
class Subject:
    """A proxy that runs."""

    name: str
    port: int
    root: int
    admin: int | None = None


@dataclass(frozen=True, slots=True)
class Sealing:
    """So many rows that took so many processor seconds."""

    rows: int
    cpu: float


def free_port() -> int:
    """Return a port that nobody holds now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextmanager
def running(command: Sequence[str], core: int, port: int, home: Path) -> Iterator[int]:
    """Run a command on a core until the end; yields its process once it holds its port.

    Raises:
        SystemExit: it does not start. Nothing is skipped: a run without its baseline means nothing.

    """
    home.mkdir(parents=True, exist_ok=True)
    said = home / "said.log"
    with said.open("wb") as log:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command], stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=home
        )
    try:
        _wait(process, port, command, said)
        require_owner(port, process.pid, Path(command[0]).name)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, command: Sequence[str], said: Path) -> None:
    end = time.monotonic() + STARTING_S
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"{' '.join(map(str, command))} does not start:\n{said.read_text(errors='replace')[-2000:]}")


def nginx_program() -> str:
    """Return where nginx is.

    Raises:
        SystemExit: it is nowhere.

    """
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        raise SystemExit("nginx is not here, and nothing is measured without it: apt-get install nginx-light wrk")
    return program


def nginx(home: Path, blocks: str) -> list[str]:
    """Write nginx's configuration; returns its command."""
    home.mkdir(parents=True, exist_ok=True)
    config = home / "nginx.conf"
    config.write_text(NGINX.format(home=home, blocks=blocks))
    return [nginx_program(), "-p", str(home), "-c", str(config), "-e", str(home / "error.log")]


@contextmanager
def vendors(home: Path, cores: Cores) -> Iterator[Vendors]:
    """Run both vendors."""
    answers, events = free_port(), free_port()
    with ExitStack() as stack:
        one = stack.enter_context(running(nginx(home / "vendor", works.nginx(answers)), cores.rest, answers, home / "vendor"))
        command = [sys.executable, str(HERE / "sidecar_works.py"), str(events)]
        two = stack.enter_context(running(command, cores.rest, events, home / "events"))
        yield Vendors(answers, events, {"vendor of JSON": one, "vendor of events": two})


def _commands(name: str, home: Path, port: int, admin: int, to: Vendors) -> list[str]:
    """Return what starts a subject."""
    if name == "nginx":
        return nginx(home, PASS.format(json=to.json, events=to.events, port=port, prefix=works.PREFIX))
    if name == "sidecar":
        text = CONFIG.format(json=to.json, events=to.events, port=port, admin=admin, prefix=works.PREFIX, queue=QUEUE)
        (home / "slaguard.yaml").write_text(text)
        return [str(Path(sys.executable).with_name("slaguard")), "sidecar", "--config", str(home / "slaguard.yaml")]
    return [sys.executable, str(HERE / f"sidecar_{name}.py"), str(port), str(to.json), str(to.events), works.PREFIX]


@contextmanager
def subject(name: str, home: Path, cores: Cores, to: Vendors) -> Iterator[Subject]:
    """Run a proxy: ``nginx``, ``sidecar``, or the script ``sidecar_NAME.py``."""
    port, admin = free_port(), free_port()
    own = home / name
    own.mkdir(parents=True, exist_ok=True)
    with running(_commands(name, own, port, admin, to), cores.subject, port, own) as root:
        yield Subject(name, port, root, admin if name == "sidecar" else None)


def sealing(home: Path, cores: Cores) -> Sealing:
    """Seal what the sidecar has written and not sealed itself."""
    command = [sys.executable, str(HERE / "sidecar_seal.py"), str(home / "sidecar" / "ledger" / "sidecar")]
    said = subprocess.run(["taskset", "-c", str(cores.subject), *command], check=True, capture_output=True, text=True)
    return Sealing(**json.loads(said.stdout))
