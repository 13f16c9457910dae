"""Shared by the commands with an archive: addresses, opening the archive, refreshing it."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from feedproxy.archive import Archive
from feedproxy.archive.backend import OpenMode
from feedproxy.cli.commands import echo_errors
from feedproxy.config import Config, readable_address
from feedproxy.errors import FeedproxyError
from feedproxy.feeds import Feed
from feedproxy.feeds.feed_url import base_of, read_address
from feedproxy.ingest.refresher import Outcome, Refresher, Report, utc_now
from feedproxy.ingest.source import Hub, open_source
from feedproxy.query.named_feeds import read_feeds
from feedproxy.text import plural

_LOCAL = "http://localhost:8000"


def _percent_encoded(context: click.Context, parameter: click.Parameter, text: str) -> str:  # noqa: ARG001 (click's)
    """Percent-encode the bytes of an argument that are not text in this locale; they may still be UTF-8."""
    return re.sub("[\udc80-\udcff]", lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", text)


address_argument = click.argument("address", metavar="QUERY|ADDRESS", callback=_percent_encoded)


def feed_at(config: Config, address: str) -> tuple[Feed, str]:
    """Return the feed and format of a query or of an address at any server; raises QueryError.

    The feed carries the public address, if there is one, or else that of the server in `address`.
    """
    base = "" if config.public_url else readable_address(base_of(address))
    return read_address(address, base or (config.public_url or _LOCAL) + config.access_path, read_feeds(config.feeds))


def make_refresher(config: Config, opening: OpenMode = OpenMode.USE) -> Refresher:
    """Return the refresher of the archive; raises for a missing listing. The archive closes when the command ends.

    The clock is the object in click's context, if any. A command that only reads passes `OpenMode.EXISTING`, so that it
    makes no archive at a mistyped path.
    """
    context = click.get_current_context()
    archive = Archive(config.archive, opening=opening)
    refresher = Refresher(open_source(config), archive, context.obj or utc_now)
    refresher.source.next_due({}, refresher.clock())
    context.call_on_close(refresher.archive.close)
    return refresher


def open_mode(is_refreshing: bool) -> OpenMode:
    """Return how to open the archive for a command that may refresh it first."""
    return OpenMode.USE if is_refreshing else OpenMode.EXISTING


def refresh_once(refresher: Refresher, *, force: bool = False) -> Outcome | None:
    """Refresh once; show the progress of a long one, and print problems. Return None if another process refreshes."""
    is_empty = refresher.archive.state().newest_entry_at is None
    with _progress(refresher, is_empty=is_empty, force=force or is_empty) as report:
        outcome = refresher.refresh_once(force=force or is_empty, report=report)
    if outcome is None:
        click.echo("feedproxy: another process is refreshing this archive", err=True)
    else:
        echo_errors(outcome.problems)
    return outcome


@contextmanager
def _progress(refresher: Refresher, *, is_empty: bool, force: bool) -> Iterator[Report | None]:
    """Yield what shows the progress of a refresh from the Hub: on a terminal a bar, else a line every ten listings.

    Without a terminal only the first fill is shown: cron mails every line.
    """
    archive, source = refresher.archive, refresher.source
    number = sum(map(len, source.due(archive.days(), refresher.clock(), force=force))) if isinstance(source, Hub) else 0
    if is_empty and number:
        click.echo(f"the archive is empty: reading 30 days from {source.name}, about a minute", err=True)
    is_terminal = sys.stderr is not None and sys.stderr.isatty()  # there is none if it was closed
    if number and is_terminal:
        label = f"{plural(number, 'listing')} to read"
        with click.progressbar(length=number, label=label, width=0, file=sys.stderr) as bar:  # as wide as the terminal
            yield lambda read, _: bar.update(read - bar.pos)
    elif is_empty and number:
        yield lambda read, total: click.echo(f"{read} of {total} listings read", err=True) if read % 10 == 0 else None
    else:
        yield None


def refresh_if_possible(refresher: Refresher, *fatal: type[FeedproxyError]) -> None:
    """Refresh whatever is due; if that fails, use the archive as it is, unless it is empty or the error is `fatal`."""
    try:
        refresh_once(refresher)
    except FeedproxyError as error:
        if isinstance(error, fatal) or refresher.archive.state().newest_entry_at is None:
            raise
        click.echo(f"feedproxy: {error}; using the archive as it is", err=True)
