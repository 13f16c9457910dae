"""`archive`: copy, check, back up and restore the archive."""

import sys
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from feedproxy.archive import admin, files, open_database
from feedproxy.archive.admin import Finding, findings, repair
from feedproxy.archive.backend import OpenMode
from feedproxy.archive.sqlite import SQLite
from feedproxy.cli.commands import Group, configured
from feedproxy.config import SETTINGS, Config
from feedproxy.errors import ArchiveError
from feedproxy.ingest.demo import is_made_up
from feedproxy.text import first_ten

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(cls=Group)
def archive() -> None:
    """Copy, check, back up and restore the archive."""


@archive.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
def copy(source: str, target: str) -> None:
    """Copy an archive to another file or database.

    FROM and TO are files or addresses of databases, and TO must be empty. The copy is one transaction: if it is
    interrupted, nothing is left; repeat the command.
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
        click.echo(f"feedproxy: left out, as they cannot be read: {first_ten(left_out)}", err=True)
    click.echo(f"{there.label}: {rows} rows, as in {here.label}")


def _address(text: str) -> str:
    try:
        return str(SETTINGS["archive"].read(text)).removeprefix("sqlite:///")
    except ValueError as error:
        raise click.UsageError(f"an archive {error}") from None


def _show_progress(stage: str, rows: int, length: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{stage}: {100 * rows // length} %\x1b[K", nl=False, err=True)


@archive.command()
@click.option("--repair", "is_repairing", is_flag=True, help="If anything is wrong, rebuild as much as possible.")
@configured
def check(config: Config, is_repairing: bool) -> None:
    """Check the archive, even while it is in use."""
    with closing(open_database(config.archive, opening=OpenMode.EXISTING)) as database:
        wrong = [finding for finding in findings(database) if not _print_finding(finding)]
        if is_repairing and wrong:
            damaged_copy = repair(database, datetime.now(UTC))
            click.echo("rebuilt the search index and everything else that can be rebuilt")
            if damaged_copy:
                click.echo(f"some of it could not be read; the damaged archive is kept as {damaged_copy}")
            wrong = [finding for finding in findings(database) if not _print_finding(finding)]
        if wrong:
            raise ArchiveError(f"{database.label} is not in order")
        click.echo(f"{database.label} is in order: {admin.contents(database)}")


def _print_finding(finding: Finding) -> bool:
    click.echo(f"NOT OK  {finding.about}: {finding.wrong}" if finding.wrong else f"ok      {finding.about}")
    return not finding.wrong


@archive.command()
@click.argument("file", type=_FILE)
@click.option("--force", is_flag=True, help="Replace an existing FILE.")
@configured
def backup(config: Config, file: Path, force: bool) -> None:
    """Write the archive as it is now to FILE, even while it is in use.

    FILE appears when it is complete. Replaces an existing FILE, perhaps the last good one, only with --force.
    """
    with closing(_file_of(config, OpenMode.EXISTING)) as database:
        files.backup(database, file, replace=force)
        click.echo(f"{file}: {file.stat().st_size} bytes from {database.label}, {admin.contents(database)}")


@archive.command()
@click.argument("file", type=_FILE)
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@configured
def restore(config: Config, file: Path, is_sure: bool) -> None:
    """Replace the archive with the backup FILE.

    Works even while the archive is in use. Asks first.
    """
    with closing(_file_of(config, OpenMode.USE)) as database:
        if not is_sure:
            click.confirm(f"This replaces everything in {database.label}. Go on?", abort=True)
        files.restore(database, file, partial(_refuse_to_mix, config))
        click.echo(f"{database.label}: {admin.contents(database)}, as in {file}")


def _refuse_to_mix(config: Config, backup: SQLite) -> None:
    """Raise ArchiveError rather than mix the demo's papers with real ones."""
    try:
        ids = admin.paper_ids(backup)
    except ArchiveError:
        return  # a damaged backup may be all there is
    are_made_up = all(map(is_made_up, ids))
    if ids and are_made_up != config.is_demo:
        papers, option = ("the demo's made-up papers", "with") if are_made_up else ("papers not of the demo", "without")
        raise ArchiveError(f"{backup.label} holds {papers}: restore it {option} --demo")


def _file_of(config: Config, opening: OpenMode) -> SQLite:
    database = open_database(config.archive, opening=opening)
    if not isinstance(database, SQLite):
        raise ArchiveError(
            f"{database.label} is not a file: back it up with pg_dump, or feedproxy archive copy to a file"
        )
    return database
