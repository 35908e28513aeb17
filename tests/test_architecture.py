"""The shape of the code, held by a machine: floors, ceilings, types, words, and what may not be in the checkout."""

import ast
import hashlib
import importlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

REPO = Path(__file__).resolve().parent.parent
PACKAGES = (REPO / "slaguard", REPO / "exporters" / "slaguard_exporters")
HOME = Path.home()  # of the person who runs this: read before the environment is cleaned

FILE_LINES = 500
FUNCTION_LINES = 60
BROAD_EXCEPTS = 5
PUBLIC_NAMES = 25
MONEY = re.compile(r"amount|money|\bfees?\b|credit|price|invoice|budget", re.IGNORECASE)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def checkout() -> tuple[Path, ...]:
    """Every file that is, or would be, committed."""
    git = shutil.which("git")
    if git is None or not (REPO / ".git").exists():
        pytest.skip("this is no git checkout, so nothing tells which files belong to it")
    command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True).stdout.split("\0")
    return tuple(path for path in sorted(REPO / name for name in names if name) if path.is_file())


@cache
def modules() -> dict[Path, ast.Module]:
    """The modules of both import packages, parsed."""
    paths = (path for package in PACKAGES for path in sorted(package.rglob("*.py")))
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def functions() -> Iterator[tuple[Path, Function]]:
    for path, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, Function):
                yield path, node


def place(path: Path, node: ast.AST | None = None) -> str:
    """Where something stands, as an editor opens it."""
    return f"{path.relative_to(REPO)}:{getattr(node, 'lineno', 1)}"


def pyproject() -> dict[str, object]:
    return tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))


# Imports


def test_every_package_imports_only_lower_floors() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    found = subprocess.run([linter, "--no-cache"], cwd=REPO, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def test_no_module_imports_itself_by_a_detour() -> None:
    graph = grimp.build_graph("slaguard", "slaguard_exporters", cache_dir=None)
    try:
        TopologicalSorter({name: graph.find_modules_directly_imported_by(name) for name in graph.modules}).prepare()
    except CycleError as error:
        pytest.fail("import cycle: " + " → ".join(reversed(error.args[1])))


@pytest.mark.parametrize("group", ["providers", "scorers", "imports", "exporters", "generators", "anchors"])
def test_every_entry_point_of_ours_loads(group: str) -> None:
    ours = importlib.metadata.distribution("slaguard").entry_points.select(group=f"slaguard.{group}")
    for door in ours:
        assert callable(door.load()), door


def test_the_installed_entry_points_are_those_of_pyproject() -> None:
    project = pyproject()["project"]
    assert isinstance(project, dict)
    installed = importlib.metadata.distribution("slaguard").entry_points
    for group, doors in project["entry-points"].items():
        assert {door.name: door.value for door in installed.select(group=group)} == doors, "make install"


# Ceilings


def test_no_python_file_is_long() -> None:
    lengths = {path: len(path.read_bytes().splitlines()) for path in checkout() if path.suffix == ".py"}
    long = [f"{place(path)} has {lines} lines" for path, lines in lengths.items() if lines > FILE_LINES]
    assert not long, "\n".join(long)


def test_no_function_is_long() -> None:
    lengths = ((path, node, (node.end_lineno or node.lineno) - node.lineno + 1) for path, node in functions())
    long = [f"{place(path, node)} {node.name}: {lines}" for path, node, lines in lengths if lines > FUNCTION_LINES]
    assert not long, "\n".join(long)


def test_broad_excepts_are_few() -> None:
    broad = [
        place(path, node)
        for path, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and is_broad(node.type)
    ]
    assert len(broad) <= BROAD_EXCEPTS, "\n".join(broad)


def is_broad(caught: ast.expr | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(is_broad(one) for one in caught.elts)
    return caught is None or (isinstance(caught, ast.Name) and caught.id in {"Exception", "BaseException"})


def test_the_public_names_are_few_and_all_there() -> None:
    slaguard = importlib.import_module("slaguard")
    names = slaguard.__all__
    assert len(names) <= PUBLIC_NAMES
    assert sorted(set(names)) == sorted(names)
    for name in names:
        assert getattr(slaguard, name) is not None, name
    assert [name for name in dir(slaguard) if not name.startswith("_")] == sorted(names)


# Types and words


def test_every_function_is_annotated() -> None:
    bare = [f"{place(path, node)} {node.name}" for path, node in functions() if not is_annotated(node)]
    assert not bare, "\n".join(bare)


def is_annotated(node: Function) -> bool:
    spec = node.args
    given = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, *filter(None, (spec.vararg, spec.kwarg))]
    first = given[0].arg if given else ""
    unannotated = [one.arg for one in given if one.annotation is None]
    return node.returns is not None and unannotated in ([], [first] if first in {"self", "cls", "mcs"} else [])


def test_everything_public_is_documented() -> None:
    bare = [
        f"{place(path, node)} {getattr(node, 'name', 'module')}"
        for path, tree in modules().items()
        for node in public(tree)
        if ast.get_docstring(node) is None
    ]
    assert not bare, "\n".join(bare)


def public(owner: ast.Module | ast.ClassDef | Function) -> Iterator[ast.Module | ast.ClassDef | Function]:
    """A module or class and what is public in it; a function's inside is its own affair."""
    yield owner
    if isinstance(owner, Function):
        return
    for node in owner.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_") and not is_overload(node):
            yield from public(node)


def is_overload(node: ast.ClassDef | Function) -> bool:
    return any(ast.unparse(one).endswith(("overload", ".setter")) for one in node.decorator_list)


def test_money_never_becomes_a_float() -> None:
    floats = [
        f"{place(path, node)} {ast.unparse(node)}"
        for path, tree in modules().items()
        if path.is_relative_to(REPO / "slaguard")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "float" and MONEY.search(ast.unparse(node))
    ]
    assert not floats, "\n".join(floats)


def test_every_verb_of_the_command_line_is_documented() -> None:
    pages = [REPO / "README.md", REPO / "docs" / "cli.md"]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages if page.exists())
    missing = [verb for verb in importlib.import_module("slaguard.cli").VERBS if f"slaguard {verb}" not in text]
    assert not missing, "in neither README.md nor docs/cli.md: " + ", ".join(missing)


def test_the_version_is_one() -> None:
    project = pyproject()["project"]
    assert isinstance(project, dict)
    assert "version" not in project, "the one place is slaguard/__init__.py"
    version = importlib.import_module("slaguard").__version__
    assert importlib.metadata.version("slaguard") == version, "the installed copy is older: make install"


def test_the_changelog_tells_what_can_change_a_verdict() -> None:
    lines = (REPO / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    assert "## [Unreleased]" in lines
    assert "### Verdict-affecting" in lines


# What may not be in the checkout


def foreign() -> re.Pattern[str]:
    """Paths of the machine this runs on, people's home folders, and where packages are fetched from."""
    here = {f"{folder}/" for folder in (REPO, HOME) if folder.name}
    if len(REPO.parts) > 2 and REPO.parent.name not in {"tmp", "src", "srv", "opt", "app"}:
        here.add(f"{REPO.parent}/")
    hosts = ["pypi" + r"\.org", "python" + r"hosted\.", "registry" + r"\.npmjs", "registry" + r"\.yarnpkg"]
    flags = ["--(?:extra-)?" + "index-url", r"https?://\S*(?:/simple/|/packages/[0-9a-f]{2}/)"]
    homes = [r"(?<![\w.~])/(?:home|Users)/\w", r"(?<![\w.~])/" + r"root/"]
    return re.compile("|".join([*map(re.escape, sorted(here)), *hosts, *flags, *homes]), re.MULTILINE)


def test_no_file_names_this_machine_or_a_package_registry() -> None:
    pattern = foreign()
    found = []
    for path in checkout():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        lines = (text.count("\n", 0, match.start()) + 1 for match in pattern.finditer(text))
        found += [f"{path.relative_to(REPO)}:{line}" for line in lines]
    assert not found, "\n".join(found)


def test_the_locks_pin_every_package_by_hash() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        for block in re.split(r"\n(?=\S)", (REPO / name).read_text(encoding="utf-8")):
            if not block.startswith("#"):
                pinned = r"[\w.-]+(\[\w+\])?==\S+( ; [^\\]+)? \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n?)+"
                assert re.fullmatch(pinned, block), block


def test_the_editor_lock_pins_every_package_by_hash_alone() -> None:
    text = (REPO / "tests" / "editor" / "package-lock.json").read_text(encoding="utf-8")
    assert "://" not in text
    assert text.count('"integrity": "sha512-') == text.count('"node_modules/')


def test_no_real_record_is_copied_into_the_checkout(shared_data: Path) -> None:
    sizes: dict[int, list[Path]] = {}
    for path in checkout():
        if path.name != "LICENSE" and path.stat().st_size > 0:
            sizes.setdefault(path.stat().st_size, []).append(path)
    copies = [
        str(mine.relative_to(REPO))
        for folder, _, names in os.walk(shared_data)
        for theirs in (Path(folder, name) for name in names)
        for mine in sizes.get(theirs.stat().st_size, ())
        if digest(mine) == digest(theirs)
    ]
    assert not copies, "\n".join(copies)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
