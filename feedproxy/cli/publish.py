"""`publish`: a folder of feeds for a static host, without a server."""

from collections.abc import Sequence
from pathlib import Path

import click

from feedproxy.cli.commands import configured, echo_errors
from feedproxy.cli.context import make_refresher, open_mode, refresh_if_possible
from feedproxy.config import Config, variable
from feedproxy.disk import replace_file
from feedproxy.errors import ArchiveError, PublishError
from feedproxy.publish import open_folder, refuse_older_archive, write
from feedproxy.query import interests
from feedproxy.query.named_feeds import NamedFeed, read_feeds
from feedproxy.web import create_app
from feedproxy.web.site import site_files

_FIRST_FILE = "feeds.toml"
_EXAMPLE = """
[[feed]]
name = "agents"
title = "Agents worth a look"
query = "q=agents&min_upvotes=2"
"""
_BEGINNING = """\
# The feeds that `feedproxy publish` makes: the best of each week, what many people liked, and the ready-made filters.
# Delete those you do not want and change the others: `name` is the address (f/NAME.rss), and `query` what stands behind
# the ? of a feed's address.

[[feed]]
name = "best-of-the-week"
title = "Daily Papers by week"
query = "digest=week&top=10"

[[feed]]
name = "popular"
title = "Popular papers"
query = "min_upvotes=50"

"""


@click.command()
@click.argument("path", metavar="DIR", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--url", "public_url", metavar="URL", help=f"The address that DIR is served at. Overrides {variable('public_url')}."
)
@click.option("--feeds", metavar="FILE", help=f"The feeds and their names. Overrides {variable('feeds')}.")
@click.option("--no-refresh", is_flag=True, help="Fetch nothing: use the archive as it is.")
@click.option("--init", "is_first", is_flag=True, help=f"Only write a first FILE (default: {_FIRST_FILE}).")
@configured
def publish(config: Config, path: Path | None, no_refresh: bool, is_first: bool) -> None:
    """Write all feeds with names to DIR, for a static host.

    Refreshes once before. DIR is for a web server that only serves files.
    """
    if is_first and path:
        raise click.UsageError(f"--init takes no DIR: it writes {_FIRST_FILE}, or another file with --feeds FILE")
    if is_first:
        _write_first(Path(config.feeds or _FIRST_FILE))
    elif path is None:
        raise click.UsageError("name the folder to write: feedproxy publish DIR --url URL --feeds FILE")
    else:
        feeds = read_feeds(config.feeds)  # once: it may be a pipe, or be edited meanwhile
        _demand_settings(config, feeds)
        _publish(config, feeds, path, is_refreshing=not no_refresh)


def _publish(config: Config, feeds: Sequence[NamedFeed], path: Path, *, is_refreshing: bool) -> None:
    refresher = make_refresher(config, open_mode(is_refreshing))
    refresher.archive.state()  # raises if there is none, before there is a folder
    with open_folder(path) as folder:
        refuse_older_archive(folder, refresher.archive.ends_at())
        if is_refreshing:
            refresh_if_possible(refresher, ArchiveError)  # or a site would stand still, and nobody be told
        app = create_app(
            config, source=refresher.source, archive=refresher.archive, clock=refresher.clock, named_feeds=feeds
        )
        changes = write(folder, site_files(app, refresher.archive.backoff().error))
    click.echo("\n".join(changes) or "nothing changed")


def _demand_settings(config: Config, feeds: Sequence[NamedFeed]) -> None:
    """Exit with a line for each setting that is missing."""
    problems = []
    if not config.public_url:
        problems.append(f"publish needs the address that DIR will be served at: --url URL or {variable('public_url')}")
    if config.access_key:
        problems.append(f"a static host asks for no access key: publish without {variable('access_key')}")
    if not feeds:
        problems.append(
            f"{config.feeds} names no feed"
            if config.feeds
            else f"publish needs a file that names the feeds: --feeds FILE or {variable('feeds')}"
        )
    echo_errors(problems)
    if not feeds:
        example = f"feedproxy publish --init writes such a file. One with a single feed is:\n{_EXAMPLE}"
        click.echo(example, nl=False, err=True)
    if problems:
        raise click.exceptions.Exit(2)


def _write_first(path: Path) -> None:
    if path.exists():
        raise PublishError(f"{path} exists already: edit it, or write another one with --init --feeds FILE")
    ready_made = interests.PATH.read_text("utf-8").partition("\n\n")[2]  # without the comment at its beginning
    replace_file(path, (_BEGINNING + ready_made).encode())
    click.echo(f"{path}: {len(read_feeds(str(path)))} feeds; now feedproxy publish DIR --url URL --feeds {path}")
