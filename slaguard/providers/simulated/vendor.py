"""The simulated vendor as a server on loopback.

Everything it decides comes from `behaviour.decide`; this module reads requests, counts their attempts, keeps the truth
log, and hands the rest to `faults.respond`. It reads no clock and never sleeps on its own: both are passed in.
"""

from __future__ import annotations

import ipaddress
import json
from collections import Counter
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Self

from aiohttp import web

from slaguard.errors import ConfigError
from slaguard.providers.simulated import wire
from slaguard.providers.simulated.behaviour import Asked, Turn, decide
from slaguard.providers.simulated.faults import respond
from slaguard.providers.simulated.respond import Call
from slaguard.providers.simulated.truth import Truth, truth_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from slaguard.providers.simulated.questions import Questions
    from slaguard.providers.simulated.script import Script

IDENTITY_HEADER: Final = "X-Client-Request-Id"
"""A caller that sends its own id here is told apart by it; others by the words of their prompt."""

current_request: ContextVar[str] = ContextVar("current_request")
"""While `now_ns` and `delay` run: the identity of the request they are asked for.

So an owner who answers several simulated instants at once can keep one clock for each request.
"""

_GRACE_S: Final = 0.5
_NS: Final = 1_000_000_000


class _RequestError(Exception):
    """A request that is not in the dialect: status, words, code."""

    def __init__(self, status: int, message: str, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class SimulatedVendor:
    """A vendor that answers on ``http://127.0.0.1:<port>/v1`` while the context is open.

    `now_ns` gives simulated time in ns UTC, `delay` waits (or only notes) seconds of it. The truth log and the attempt
    counts grow with every request, unless only the last `remembered` of them are kept.
    """

    def __init__(  # noqa: PLR0913 - what a server is made of
        self,
        script: Script,
        seed: int,
        questions: Questions,
        *,
        now_ns: Callable[[], int],
        delay: Callable[[float], Awaitable[None]],
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str | None = None,
        anywhere: bool = False,
        remembered: int | None = None,
    ) -> None:
        """Keep the plot and the seams; nothing listens yet.

        Raises:
            ConfigError: `host` is not a loopback address, and the owner has not said that it may be `anywhere`.
        """
        try:
            loopback = ipaddress.ip_address(host).is_loopback
        except ValueError:
            loopback = False
        if not loopback and not anywhere:
            msg = f"simulated vendor: {host} is not a loopback address; use 127.0.0.1 or ::1"
            raise ConfigError(msg)
        self._script, self._seed, self._questions = script, seed, questions
        self._now_ns, self._delay = now_ns, delay
        self._host, self._port, self._api_key = host, port, api_key
        self._remembered = remembered
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._truth: dict[str, Truth] = {}
        self._runner: web.AppRunner | None = None
        self._bound = 0

    async def __aenter__(self) -> Self:
        """Listen; with port 0 the system chooses one."""
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/health", self._health)
        # A client that gives up on a stalled answer must not leave the stall behind.
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=_GRACE_S)
        await runner.setup()
        await web.TCPSite(runner, self._host, self._port).start()
        self._runner, self._bound = runner, runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and end what is still being answered."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def origin(self) -> str:
        """Return ``http://host:port``; ``/health`` stands under it."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._bound}"

    @property
    def base_url(self) -> str:
        """Return what a client calls the base URL: up to and with ``/v1``."""
        return f"{self.origin}/v1"

    @property
    def truth(self) -> tuple[Truth, ...]:
        """Return the truth log so far, in order of arrival."""
        return tuple(self._truth.values())

    def truth_of(self, request_id: str) -> Truth | None:
        """Return the truth about the request whose ``x-request-id`` the client was given."""
        return self._truth.get(request_id)

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _models(self, request: web.Request) -> web.Response:
        try:
            self._admit(request)
        except _RequestError as refused:
            return _refuse(refused)
        first = self._script.segments[0].start_ns // _NS
        entry = {"id": self._script.model, "object": "model", "created": max(first, 0), "owned_by": "simulated"}
        return web.json_response({"object": "list", "data": [entry]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        try:
            self._admit(request)
            document = _read(await request.read(), self._script.model)
        except _RequestError as refused:
            return _refuse(refused)
        prompt = _prompt(document)
        asked = self._asked(request.headers.get(IDENTITY_HEADER, ""), prompt)
        turn = decide(self._script, self._seed, asked)
        self._truth[turn.request_id] = truth_of(asked, turn)
        if self._remembered is not None and len(self._truth) > self._remembered:
            del self._truth[next(iter(self._truth))]
        return await respond(self._call(request, document, asked, turn))

    def _admit(self, request: web.Request) -> None:
        """Check the key, if there is one to check."""
        if self._api_key is not None and request.headers.get("Authorization") != f"Bearer {self._api_key}":
            raise _RequestError(401, "Incorrect API key provided.", "invalid_api_key")

    def _asked(self, handle: str, prompt: str) -> Asked:
        """Give the request its identity, its attempt number and its time."""
        current_request.set(handle or prompt)
        if self._remembered is not None and len(self._attempts) >= self._remembered:
            self._attempts.clear()
        self._attempts[handle, prompt] += 1
        identity = json.dumps([handle, prompt])
        return Asked(identity, self._attempts[handle, prompt], self._now_ns(), self._questions.find(prompt))

    def _call(self, request: web.Request, document: dict[str, object], asked: Asked, turn: Turn) -> Call:
        options = document.get("stream_options")
        message = wire.Message(
            id="chatcmpl-" + turn.request_id.removeprefix("req_"),
            created=asked.at_ns // _NS,
            model=self._script.model,
            fingerprint=turn.segment.fingerprint,
            text=turn.text,
            prompt_tokens=wire.estimate_tokens(asked.identity),
            refused=turn.refused,
        )
        return Call(
            request=request,
            script=self._script,
            turn=turn,
            message=message,
            stream=document.get("stream") is True,
            with_usage=isinstance(options, dict) and options.get("include_usage") is True,
            delay=self._delay,
            at_ns=asked.at_ns,
        )


def _refuse(refused: _RequestError) -> web.Response:
    body = wire.error(str(refused), "invalid_request_error", refused.code)
    return web.json_response(body, status=refused.status)


def _read(body: bytes, model: str) -> dict[str, object]:
    """Return the request as an object that has messages and names the model we play."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _RequestError(400, "We could not parse the JSON body of your request.", "invalid_json") from error
    if not isinstance(document, dict) or not isinstance(document.get("messages"), list) or not document["messages"]:
        raise _RequestError(400, "'messages' must be a list that is not empty.", "invalid_messages")
    if document.get("model") != model:
        raise _RequestError(404, "The model does not exist or you do not have access to it.", "model_not_found")
    return document


def _prompt(document: dict[str, object]) -> str:
    """Return all the words of the conversation, one message after the other."""
    messages = document["messages"]
    contents = (m.get("content") for m in messages if isinstance(m, dict)) if isinstance(messages, list) else ()
    return "\n".join(c if isinstance(c, str) else json.dumps(c) for c in contents)
