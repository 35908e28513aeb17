"""Load and single calls: wrk for many at once, a plain socket for the time to the first byte."""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final
from urllib.request import urlopen

from sidecar_works import Work

_LUA: Final = """\
wrk.method = "POST"
wrk.body = {body}
{fields}
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\n{{"requests":%d,"us":%d,"bytes":%d,"failed":%d,"p50_us":%d,"p99_us":%d}}\\n',
    summary.requests, summary.duration, summary.bytes, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""
_END: Final = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw: answers, seconds, and microseconds to the whole answer."""

    requests: int
    seconds: float
    p50_us: int
    p99_us: int


def script(work: Work, home: Path) -> Path:
    """Write wrk's script for a kind of work."""
    fields = "\n".join(f'wrk.headers["{name}"] = {json.dumps(value)}' for name, value in work.fields.items())
    path = home / f"{work.name}.lua"
    path.write_text(_LUA.format(body=json.dumps(work.question.decode()), fields=fields))
    return path


def wrk(port: int, work: Work, lua: Path, seconds: int, core: int) -> Load:
    """Ask as fast as is answered, on as many connections as there are; any call that fails ends the run."""
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{work.connections}", f"-d{seconds}s", "-s", str(lua)]
    try:
        said = subprocess.run(
            [*command, f"http://127.0.0.1:{port}{work.target}"],
            check=True,
            capture_output=True,
            text=True,
            timeout=seconds + 60,
        )
    except FileNotFoundError:
        raise SystemExit("taskset or wrk is not here: apt-get install util-linux wrk") from None
    except subprocess.CalledProcessError as error:
        raise SystemExit(
            f"wrk ended with {error.returncode}: nothing here means anything\n{error.stdout}{error.stderr}"
        ) from None
    found: dict[str, Any] = json.loads(said.stdout.splitlines()[-1])
    if found["failed"] or not found["requests"]:
        raise SystemExit(f"{found['failed']} of {found['requests']} calls failed: nothing here means anything\n{said.stdout}")
    return Load(found["requests"], found["us"] / 1e6, found["p50_us"], found["p99_us"])


class Caller:
    """One connection that asks again and again."""

    def __init__(self, port: int, target: str, work: Work) -> None:
        """Connect."""
        self._socket = socket.create_connection(("127.0.0.1", port), 30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        fields = "".join(f"{name}: {value}\r\n" for name, value in work.fields.items())
        head = f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{fields}Content-Length: {len(work.question)}\r\n\r\n"
        self._request = head.encode() + work.question

    def ask(self) -> tuple[float, bytes]:
        """Ask once; returns the seconds to the first byte of the answer's body, and the body without its framing."""
        start = perf_counter()
        self._socket.sendall(self._request)
        got = b""
        while True:
            got += self._receive()
            head, end, body = got.partition(_END)
            if end and body:
                break
        first = perf_counter() - start
        return first, self._body(head.lower(), body)

    def _body(self, head: bytes, body: bytes) -> bytes:
        if b"content-length:" in head:
            size = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            while len(body) < size:
                body += self._receive()
            return body
        while not body.endswith(b"0\r\n\r\n"):
            body += self._receive()
        return _unchunked(body)

    def _receive(self) -> bytes:
        got = self._socket.recv(65536)
        if not got:
            raise SystemExit("a connection was closed in mid-answer: nothing here means anything")
        return got

    def close(self) -> None:
        """Leave."""
        self._socket.close()


def _unchunked(body: bytes) -> bytes:
    found, at = b"", 0
    while True:
        line = body.index(b"\r\n", at)
        size = int(body[at:line], 16)
        if not size:
            return found
        found += body[line + 2 : line + 2 + size]
        at = line + 4 + size


# ── what a sidecar says of itself ───────────────────────────────────────────────────────────────────────────────────
def _said(admin: int) -> dict[str, float]:
    with urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=10) as answer:
        lines = [line.rpartition(" ") for line in answer.read().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def dropped(admin: int) -> int:
    """Return how many calls were not recorded."""
    return int(sum(n for name, n in _said(admin).items() if name.startswith("slaguard_capture_dropped_total")))


def recorded(admin: int) -> int:
    """Return how many calls are on disk."""
    return int(_said(admin)["slaguard_sidecar_calls_recorded_total"])


def waiting(admin: int) -> bool:
    """Tell whether calls are still to be written."""
    said = _said(admin)
    lost = sum(n for name, n in said.items() if name.startswith("slaguard_capture_dropped_total"))
    return said["slaguard_sidecar_calls_seen_total"] > said["slaguard_sidecar_calls_recorded_total"] + lost


# ── single calls ────────────────────────────────────────────────────────────────────────────────────────────────────
def same(ports: Mapping[str, int], direct: int, work: Work) -> None:
    """End the run unless every subject gives the body that the vendor gives."""
    own = Caller(direct, work.at_vendor, work)
    expected = own.ask()[1]
    own.close()
    for name, port in ports.items():
        caller = Caller(port, work.target, work)
        got = [caller.ask()[1] for _ in range(2)]
        caller.close()
        if got != [expected] * 2:
            raise SystemExit(f"{name} changed an answer of {work.name}: nothing here means anything")


def first_bytes(ports: Mapping[str, int], direct: int, work: Work, times: int) -> dict[str, float]:
    """Return the milliseconds that each adds to the median time to the first byte of the body, at one connection.

    Calls alternate: one straight to the vendor, one through each.
    """
    callers = {"": Caller(direct, work.at_vendor, work), **{n: Caller(p, work.target, work) for n, p in ports.items()}}
    took: dict[str, list[float]] = {name: [] for name in callers}
    for n in range(times + 20):
        for name, caller in callers.items():
            first, _ = caller.ask()
            if n >= 20:  # the first ones open connections
                took[name].append(first)
    for caller in callers.values():
        caller.close()
    straight = statistics.median(took.pop(""))
    return {"straight": straight * 1e3, **{name: (statistics.median(t) - straight) * 1e3 for name, t in took.items()}}
