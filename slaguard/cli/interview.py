"""Asking for answers: from flags where they are given, at a terminal where there is one, else naming what is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import typer

from slaguard.errors import ConfigError
from slaguard.spec.nodes import shown

Check = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Question:
    """One question: the flag that answers it, the words that ask it, an example, and what an answer must be.

    `default` is what Enter means, and what is taken where nobody can be asked; an optional question without a default
    has no answer then.
    """

    flag: str
    ask: str
    example: str
    check: Check
    default: str | None = None
    optional: bool = False


@dataclass(slots=True)
class Interview:
    """Collects answers; what is missing or wrong among the flags is told all at once by `finish`."""

    given: Mapping[str, str | None]
    at_terminal: bool
    missing: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def answer(self, question: Question) -> str:
        """Return the answer; empty where there is none, or none that will do (see `finish`)."""
        flag = self.given.get(question.flag)
        if flag is not None:
            return self._checked(question, flag)
        if self.at_terminal:
            return _asked(question)
        if question.default is None and not question.optional:
            self.missing.append(question.flag)
        return question.default or ""

    def finish(self) -> None:
        """Tell what is wrong, once every question was put.

        Raises:
            ConfigError: flags are missing, or say what their field does not take.

        """
        if self.missing:
            flags = ", ".join(dict.fromkeys(self.missing))
            self.wrong.append(f"init needs {flags}\n    give them as flags, or run it in a terminal to be asked")
        if self.wrong:
            raise ConfigError("\n".join(self.wrong))

    def _checked(self, question: Question, text: str) -> str:
        try:
            return question.check(text)
        except ValueError as error:
            self.wrong.append(f"{question.flag} {shown(text)}\n    {error}")
            return ""


def _asked(question: Question) -> str:
    """Ask until the answer is one; Enter alone takes the default, or means none where the question is optional."""

    def check(text: str) -> str:
        if not text.strip() and question.optional:
            return ""
        try:
            return question.check(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    default = question.default or ("" if question.optional else None)
    none = "; Enter for none" if question.optional else ""
    asked = f"{question.ask} (such as {question.example}{none})" if question.default is None else question.ask
    answer: str = typer.prompt(asked, default=default, value_proc=check, show_default=bool(default))
    return answer
