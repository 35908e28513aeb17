"""What every test stands on: a clean environment, no network beyond loopback, and the few things shared by many tests.

The guards last for the whole session, so that servers started for a module are under them too.
"""

import ipaddress
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

REPO = Path(__file__).resolve().parent.parent
IN_CI = os.environ.get("CI") == "true"
KEPT = ("PATH", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
KEPT_PREFIXES = ("PYTEST_", "COV_", "COVERAGE_", "HYPOTHESIS_", "OPENBLAS_", "OMP_", "PYTHON")
NEVER_RESOLVED = (".invalid", ".test", ".example", ".example.com", ".example.net", ".example.org")

os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(tempfile.gettempdir()) / "slaguard-hypothesis"))
# The same examples every time: a red test is about the change, not about luck. `make test-slow` searches further.
hypothesis.settings.register_profile("slaguard", derandomize=True, deadline=None, database=None, max_examples=60)
hypothesis.settings.register_profile("search", deadline=None, database=None, max_examples=1000, print_blob=True)
hypothesis.settings.load_profile("slaguard")

REAL_LOOKUP = socket.getaddrinfo
REAL_METHODS = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex", "sendto")}


class BeyondLoopbackError(RuntimeError):
    """A test tried to leave the machine. Not an OSError: code that expects a failing network must not swallow it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let ``make golden`` rewrite the golden files."""
    parser.addoption("--rewrite-golden", action="store_true", help="write the golden files instead of comparing")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Rewriting runs only the tests that have a golden file."""
    if config.getoption("--rewrite-golden"):
        items[:] = [item for item in items if "golden" in getattr(item, "fixturenames", ())]


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name not in KEPT and not name.startswith(KEPT_PREFIXES):
                patch.delenv(name)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("LANG", "C.UTF-8")
        patch.setenv("NO_COLOR", "1")
        patch.setenv("TERM", "dumb")
        patch.setenv("COLUMNS", "120")
        # An odd zone, spelt so that it needs no database: whoever reads the machine's local time is off by 5:45.
        patch.setenv("TZ", "NPT-5:45")
        time.tzset()
        yield
    time.tzset()


def is_loopback(host: object) -> bool:
    """Tell whether an address or name stays on this machine."""
    text = host.decode() if isinstance(host, bytes) else str(host)
    if text == "localhost":
        return True
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def guarded(real: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a socket method whose last argument is an address."""

    def guard(self: socket.socket, *args: Any) -> Any:
        address = args[-1]
        if self.family in {socket.AF_INET, socket.AF_INET6} and not is_loopback(address[0]):
            message = f"a test may speak to loopback only, not to {address[0]}"
            raise BeyondLoopbackError(message)
        return real(self, *args)

    return guard


def guarded_lookup(real: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap getaddrinfo: addresses and localhost pass, reserved names fail as they do anywhere, all else is refused."""

    def guard(host: Any, *args: Any, **options: Any) -> Any:
        if host is None or is_loopback(host):
            return real(host, *args, **options)
        text = host.decode() if isinstance(host, bytes) else str(host)
        if text.rstrip(".").endswith(NEVER_RESOLVED):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        message = f"a test may look up localhost only, not {text}"
        raise BeyondLoopbackError(message)

    return guard


@pytest.fixture(scope="session", autouse=True)
def loopback_only() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, real in REAL_METHODS.items():
            patch.setattr(socket.socket, name, guarded(real))
        patch.setattr(socket, "getaddrinfo", guarded_lookup(REAL_LOOKUP))
        yield


@pytest.fixture(autouse=True)
def further_where_marked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("network") is not None:
        for name, real in REAL_METHODS.items():
            monkeypatch.setattr(socket.socket, name, real)
        monkeypatch.setattr(socket, "getaddrinfo", REAL_LOOKUP)


@pytest.fixture(scope="session", autouse=IN_CI)
def nothing_left_behind() -> Iterator[None]:
    """In CI, where nobody else edits the checkout: the tests leave it as they found it."""
    before = git_status()
    yield
    after = git_status()
    assert after == before, f"the tests left files in the checkout:\n{after}"


def git_status() -> str:
    """Say what git sees changed; nothing where this is no checkout."""
    git = shutil.which("git")
    if git is None:
        return ""
    return subprocess.run([git, "status", "--porcelain"], cwd=REPO, capture_output=True, text=True, check=False).stdout


@pytest.fixture(scope="session")
def repo() -> Path:
    """The root of the checkout."""
    return REPO


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real records of real services, which lie beside the checkout and are not ours to ship."""
    path = REPO.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip("the real records are not here: ../shared/data, beside the checkout")
    return path


def absent(sentence: str) -> None:
    """Skip a test whose program is missing; in CI, where make installed it, fail."""
    if IN_CI:
        pytest.fail(sentence)
    pytest.skip(sentence)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium to look at pages with."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if (found := shutil.which(name)) is not None:
            return found
    absent("Chromium is not installed: make test-system says how")
    return ""


@pytest.fixture(scope="session")
def yaml_language_server() -> Path:
    """The YAML language server that editors use, run by Node.js; start it with --stdio."""
    server = REPO / "tests" / "editor" / "node_modules" / ".bin" / "yaml-language-server"
    if shutil.which("node") is None or not server.exists():
        absent("the YAML language server is not installed: make test-system says how")
    return server


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compare a text with its golden file; ``make golden`` rewrites the file and shows the difference."""
    rewrite = request.config.getoption("--rewrite-golden")

    def check(path: Path, text: str) -> None:
        if rewrite:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path.name} is not there yet: make golden writes it"
        assert text == path.read_text(encoding="utf-8")

    return check
