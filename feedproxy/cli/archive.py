"""`archive`: copy, check, back up and restore what is kept."""

import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click

from feedproxy.archive import admin, files, open_database
from feedproxy.archive.admin import Finding, findings, repair, shortened
from feedproxy.archive.backend import OpenMode
from feedproxy.archive.sqlite import SQLite
from feedproxy.cli.context import configured
from feedproxy.config import SETTINGS, Config
from feedproxy.errors import ArchiveError

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def archive() -> None:
    """Copy, check, back up and restore the archive."""


@archive.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
def copy(source: str, target: str) -> None:
    """Copy the archive FROM to TO, each of them a file or the URL of a database.

    TO must be empty. All is copied in one step: interrupted, it leaves nothing, and the same command begins again.
    """
    one, other = _address(source), _address(target)
    if one == other:
        raise click.UsageError("FROM and TO are the same archive")
    with (
        closing(open_database(one, opening=OpenMode.EXISTING)) as here,
        closing(open_database(other, opening=OpenMode.COPY)) as there,
    ):
        rows, left_out = admin.copy(here, there, _show_progress)
    if left_out:
        click.echo(f"feedproxy: left out, as they cannot be read: {shortened(left_out)}", err=True)
    click.echo(f"{there.label}: {rows} rows, as in {here.label}")


def _address(text: str) -> str:
    try:
        return str(SETTINGS["archive"].read(text)).removeprefix("sqlite:///")
    except ValueError as error:
        raise click.UsageError(f"an archive {error}") from None


def _show_progress(stage: str, done: int, length: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{stage}: {100 * done // length} %\x1b[K", nl=False, err=True)


@archive.command()
@click.option("--repair", "repairing", is_flag=True, help="Where anything is wrong, make again what can be.")
@configured
def check(config: Config, repairing: bool) -> None:
    """Say what is right and what is wrong with the archive; it may be in use meanwhile."""
    with closing(open_database(config.archive, opening=OpenMode.EXISTING)) as database:
        wrong = [finding for finding in findings(database) if not _print_finding(finding)]
        if repairing and wrong:
            kept = repair(database, datetime.now(UTC))
            click.echo("the search index was made again, and what else could be")
            if kept:
                click.echo(f"not all of it could be read; as it was, it is kept as {kept}")
            wrong = [finding for finding in findings(database) if not _print_finding(finding)]
    if wrong:
        raise ArchiveError(f"{database.label} is not in order")


def _print_finding(finding: Finding) -> bool:
    click.echo(f"NOT OK  {finding.about}: {finding.wrong}" if finding.wrong else f"ok      {finding.about}")
    return not finding.wrong


@archive.command()
@click.argument("file", type=_FILE)
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@configured
def backup(config: Config, file: Path, force: bool) -> None:
    """Write the archive as it is at this moment to FILE, while it is in use or not.

    FILE appears when it is whole. One that is there already is replaced only with --force: it may be the last good one.
    """
    with closing(_file_of(config, OpenMode.EXISTING)) as database:
        files.backup(database, file, replacing=force)
    click.echo(f"{file}: {file.stat().st_size} bytes")


@archive.command()
@click.argument("file", type=_FILE)
@click.confirmation_option(prompt="This replaces all that the archive holds. Go on?")
@configured
def restore(config: Config, file: Path) -> None:
    """Put the backup FILE in the place of what the archive holds, while it is in use or not."""
    with closing(_file_of(config, OpenMode.USE)) as database:
        files.restore(database, file)
    click.echo(f"{database.label}: as in {file}")


def _file_of(config: Config, opening: OpenMode) -> SQLite:
    database = open_database(config.archive, opening=opening)
    if not isinstance(database, SQLite):
        raise ArchiveError(f"{database.label} is no file: back it up by pg_dump, or feedproxy archive copy to a file")
    return database
