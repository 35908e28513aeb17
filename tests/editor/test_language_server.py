"""What a person who writes an Agreement in an editor is told: the YAML language server, driven without an editor."""

import json
import queue
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

Message = dict[str, Any]
PATIENCE_S = 30
SETTINGS: dict[str, Message] = {
    "yaml": {
        "validate": True,
        "completion": True,
        "hover": True,
        "schemaStore": {"enable": False},  # it would fetch a catalogue from the network
        "kubernetesCRDStore": {"enable": False},
    },
}
AGREEMENT = """\
# yaml-language-server: $schema={schema}
apiVersion: slaguard/v1
kind: Agreement
name: acme-chat
version: 1
vendor: Acme AI
customer: Example Bank AG
contract: C-2031
effective: 2026-08-01
{here}
period: month
fee: 12000.00 EUR
use:
  - outcomes/server-faults@1
  - claim/written@1: {{days: 30}}
objectives:
  - name: uptime
    clause: Exhibit B 2.1
    use: uptime/mean-of-5-minutes@1
    at_least: 99.5%
    credits:
      below 99.5%: 10%
"""
HERE = 9
"""The zero-based line at which `here` is put in."""


class LanguageServer:
    """A language server on a pipe: JSON-RPC with Content-Length headers, as editors speak it."""

    def __init__(self, program: Path, root: Path) -> None:
        self.process = subprocess.Popen([program, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root)
        self.inbox: queue.Queue[Message] = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.last_id = 0
        self.ask("initialize", {"processId": None, "rootUri": root.as_uri(), "capabilities": {
            "workspace": {"configuration": True, "didChangeConfiguration": {"dynamicRegistration": True}},
            "textDocument": {
                "completion": {"completionItem": {"documentationFormat": ["markdown", "plaintext"]}},
                "publishDiagnostics": {"relatedInformation": True},
            },
        }})  # fmt: skip
        self.tell("initialized", {})

    def _read(self) -> None:
        assert self.process.stdout is not None
        while (header := self.process.stdout.readline()) != b"":
            if header.lower().startswith(b"content-length:"):
                size = int(header.split(b":")[1])
                self.process.stdout.readline()
                self.inbox.put(json.loads(self.process.stdout.read(size)))

    def _send(self, message: Message) -> None:
        assert self.process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def _next(self) -> Message:
        """Return the next message, having answered it where the server asks something of us."""
        message = self.inbox.get(timeout=PATIENCE_S)
        if "id" in message and "method" in message:
            asked = message.get("params", {}).get("items", []) if message["method"] == "workspace/configuration" else []
            self._send({"id": message["id"], "result": [SETTINGS.get(i.get("section", ""), {}) for i in asked] or None})
        return message

    def tell(self, method: str, params: Message) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    def ask(self, method: str, params: Message) -> Any:
        """Send a request and return its result."""
        self.last_id += 1
        self._send({"id": self.last_id, "method": method, "params": params})
        while True:
            message = self._next()
            if message.get("id") == self.last_id and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    def diagnostics(self, uri: str) -> list[Message]:
        """Return what the server reports of a document, once it reports something of it."""
        while True:
            message = self._next()
            if message.get("method") == "textDocument/publishDiagnostics" and message["params"]["uri"] == uri:
                found: list[Message] = message["params"]["diagnostics"]
                return found

    def open(self, path: Path) -> str:
        """Open a file as an editor does and return its URI."""
        document = {"uri": path.as_uri(), "languageId": "yaml", "version": 1, "text": path.read_text(encoding="utf-8")}
        self.tell("textDocument/didOpen", {"textDocument": document})
        return path.as_uri()

    def close(self) -> None:
        """End the server as an editor does when it closes."""
        self.ask("shutdown", {})
        self.tell("exit", {})
        self.process.wait(PATIENCE_S)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self.reader.join(PATIENCE_S)


@pytest.fixture(scope="module")
def server(yaml_language_server: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageServer]:
    started = LanguageServer(yaml_language_server, tmp_path_factory.mktemp("editor"))
    yield started
    started.close()


def agreement(repo: Path, folder: Path, here: str, text: str = AGREEMENT) -> Path:
    """Write an Agreement whose first line names our schema, as an editor's user would."""
    path = folder / "acme-chat.yaml"
    path.write_text(text.format(schema=(repo / "sla_specs" / "schema.json").as_uri(), here=here), encoding="utf-8")
    return path


def completions(server: LanguageServer, uri: str, line: int, column: int) -> dict[str, Message]:
    """Return what is offered at a place, by label."""
    at = {"textDocument": {"uri": uri}, "position": {"line": line, "character": column}}
    offered = server.ask("textDocument/completion", at)
    return {item["label"]: item for item in (offered["items"] if isinstance(offered, dict) else offered)}


def documentation(item: Message) -> str:
    """Return the words shown beside an offer."""
    said = item.get("documentation", "")
    return str(said["value"] if isinstance(said, dict) else said)


def test_a_good_agreement_is_not_complained_about(server: LanguageServer, repo: Path, tmp_path: Path) -> None:
    uri = server.open(agreement(repo, tmp_path, "time_zone: Europe/Berlin"))
    assert server.diagnostics(uri) == []


def test_a_key_nobody_knows_is_reported_on_its_line(server: LanguageServer, repo: Path, tmp_path: Path) -> None:
    uri = server.open(agreement(repo, tmp_path, "time_zone: Europe/Berlin\ntimezone: Europe/Berlin"))
    found = [d for d in server.diagnostics(uri) if "timezone" in d["message"]]
    assert [d["range"]["start"] for d in found] == [{"line": HERE + 1, "character": 0}]


def test_a_percentage_without_its_sign_is_reported_on_its_line(server: LanguageServer, repo: Path, tmp_path: Path) -> None:
    text = AGREEMENT.replace("at_least: 99.5%", "at_least: 99.5")
    uri = server.open(agreement(repo, tmp_path, "time_zone: Europe/Berlin", text))
    lines = {d["range"]["start"]["line"] for d in server.diagnostics(uri)}
    assert lines == {text[: text.index("at_least: 99.5")].count("\n")}


def test_a_key_is_completed_with_its_description(server: LanguageServer, repo: Path, tmp_path: Path) -> None:
    uri = server.open(agreement(repo, tmp_path, "time"))
    offered = completions(server, uri, HERE, len("time"))
    assert "time_zone" in offered
    assert "clock" in documentation(offered["time_zone"])


def test_the_keys_of_a_promise_are_completed_inside_it(server: LanguageServer, repo: Path, tmp_path: Path) -> None:
    text = AGREEMENT.replace("    credits:\n", "    cre\n")
    uri = server.open(agreement(repo, tmp_path, "time_zone: Europe/Berlin", text))
    line = text[: text.index("    cre\n")].count("\n")
    offered = completions(server, uri, line, len("    cre"))
    assert "credits" in offered
    assert "ladder" in documentation(offered["credits"])
