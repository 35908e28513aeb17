"""The command line: one module per verb, imported only when its verb is typed.

Exit codes: 0 fine, 1 the answer is no (an invalid document, `--fail-on breach`), 2 usage or unreadable input,
3 slaguard itself failed.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Final

from slaguard.cli.early import prepare

if sys.argv[1:2] == ["sidecar"]:  # what others wait for is prepared before anything that takes time is imported
    prepare()

import typer

import slaguard
from slaguard.errors import SlaguardError, SpecError

VERBS: Final[dict[str, str]] = {
    "init": "slaguard.cli.init",
    "validate": "slaguard.cli.validate",
    "explain": "slaguard.cli.explain",
    "import": "slaguard.cli.import_",
    "record": "slaguard.cli.record",
    "probe": "slaguard.cli.probe",
    "evaluate": "slaguard.cli.evaluate",
    "simulate": "slaguard.cli.simulate",
    "report": "slaguard.cli.report",
    "run": "slaguard.cli.run_",
    "serve": "slaguard.cli.serve",
    "sidecar": "slaguard.cli.sidecar",
    "generate": "slaguard.cli.generate",
    "ledger": "slaguard.cli.ledger",
    "demo": "slaguard.cli.demo",
}
"""Each verb and the module whose function of the same name (`import_` for `import`) is the command."""

SHOWN: Final = 10
HELP: Final = "slaguard — AI vendor SLA monitoring: from the contract to the claim."


def build(verbs: Sequence[str]) -> typer.Typer:
    """Return the application with these verbs."""
    app = typer.Typer(
        name="slaguard",
        help=HELP,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_version_option)
    for verb in verbs:
        module = importlib.import_module(VERBS[verb])
        app.command(verb)(getattr(module, "import_" if verb == "import" else verb))
    return app


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"slaguard {slaguard.__version__}")
        raise typer.Exit


def _version_option(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    del version  # its callback has answered


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    sys.exit(run(sys.argv[1:] if argv is None else list(argv)))


def run(argv: Sequence[str]) -> int:
    """Run one command and return its exit code; errors are printed to standard error, never as a traceback."""
    named = [a for a in argv[:1] if a in VERBS]
    quick = ["validate"] if argv[:1] == ["--version"] else list(VERBS)  # the version needs no verb, and typer needs one
    try:
        build(named or quick)(args=list(argv), prog_name="slaguard")
    except SystemExit as ended:  # how typer ends, usage errors (2) included
        return ended.code if isinstance(ended.code, int) else 0
    except SlaguardError as error:
        return _refused(error)
    except BrokenPipeError:
        # The reader of our output left (`| head`): nothing is wrong, and nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(f"{where}E-FILE  {error.strerror or error}\n    check the path and who may write there", err=True)
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if os.environ.get("SLAGUARD_TRACEBACK"):
            raise
        typer.echo(
            f"slaguard itself failed: {type(error).__name__}: {error}\n"
            "    this is a bug; run again with SLAGUARD_TRACEBACK=1 and report what it prints",
            err=True,
        )
        return 3
    return 0


def _refused(error: SlaguardError) -> int:
    """Print what was refused: a document is answered with no (1), anything else is unreadable input (2)."""
    if not isinstance(error, SpecError):
        typer.echo(str(error), err=True)
        return 2
    for problem in error.problems[:SHOWN]:
        typer.echo(problem.render(), err=True)
    if len(error.problems) > SHOWN:
        typer.echo(f"    (and {len(error.problems) - SHOWN} more)", err=True)
    return 2 if all(p.code == "E-SPEC-FILE" for p in error.problems) else 1
