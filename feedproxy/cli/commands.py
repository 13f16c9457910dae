"""Shared by all commands: errors in one line, settings as options, and commands that are imported when they run."""

import errno
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from typing import Any

import click

from feedproxy.config import DEMO, SETTINGS, Config, variable
from feedproxy.errors import FeedproxyError
from feedproxy.imports import import_without_gc
from feedproxy.logs import cleaned, keep_out
from feedproxy.text import did_you_mean


class LateCommands(Mapping[str, click.Command]):
    """Commands by name, each imported when it is needed, from a table of their modules."""

    def __init__(self, modules: Mapping[str, str]) -> None:
        self._modules = modules

    def __getitem__(self, name: str) -> click.Command:
        """Import the module of a command, and return the command."""
        command: click.Command = getattr(import_without_gc(self._modules[name]), name)
        return command

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._modules)

    def __len__(self) -> int:
        """Return the number of commands."""
        return len(self._modules)


class Group(click.Group):
    """Suggests the command that may be meant, in every version of click."""

    def resolve_command(
        self, context: click.Context, words: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command, its name and its own arguments."""
        if words[0][:1].isalnum() and words[0] not in self.commands:
            context.fail(f"No such command {words[0]!r}{did_you_mean(words[0], [*self.commands, '--help'])}")
        return super().resolve_command(context, words)


class Commands(Group):
    """Turns each FeedproxyError into one line and an exit code."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run as a program; escapes characters that the terminal cannot show."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # as standard error does by itself
        return super().main(*arguments, **options)

    def invoke(self, context: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(context)
        except FeedproxyError as error:
            echo_errors(error.problems)
            sys.exit(error.exit_code)
        except OSError as error:  # such as a full disk behind standard output
            if error.errno == errno.EPIPE:
                raise  # click ends quietly: the reader of our output has read enough
            click.echo(f"feedproxy: {error.strerror}", err=True)
            sys.exit(1)


def configured(command: Callable[..., Any]) -> Callable[..., Any]:
    """Pass its `Config` to a command, and add three options; an option with the name of a setting overrides it."""

    @click.option("--demo", is_flag=True, help="Use made-up papers; needs no network.")
    @click.option("--listing", metavar="URL|PATH", help=f"Overrides {variable('listing')}.")
    @click.option("--archive", metavar="FILE", help=f"Overrides {variable('archive')}.")
    @wraps(command)
    def configured(**options: Any) -> Any:
        rest = {name: value for name, value in options.items() if name not in SETTINGS}
        overrides = {name: value for name, value in options.items() if name in SETTINGS}
        if rest.pop("demo"):
            if overrides["listing"]:
                raise click.UsageError("--demo has its own listing: give one of --demo and --listing")
            overrides["listing"] = DEMO
        config = Config.load(os.environ, overrides)
        keep_out(config.secrets)
        echo_errors(config.unknown)
        return command(config=config, **rest)

    return configured


def echo_errors(problems: Iterable[str]) -> None:
    """Print each problem on a line of standard error."""
    for problem in problems:
        click.echo(f"feedproxy: {cleaned(problem)}", err=True)
