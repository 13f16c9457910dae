"""`feed`, `check` and `config`: one feed, one query, the settings, without a server."""

import os
import re
import shutil
import unicodedata
from contextlib import suppress
from pathlib import Path

import click

from feedproxy.cli.context import configured, make_refresher, refresh_once
from feedproxy.config import SETTINGS, Config, variable
from feedproxy.errors import FeedproxyError, QueryError
from feedproxy.feeds import FORMATS, Feed
from feedproxy.feeds.feed_url import read_address, relative, split
from feedproxy.ingest.refresher import Refresher
from feedproxy.ingest.source import Hub
from feedproxy.query.named_feeds import read_feeds
from feedproxy.query.parameters import query_pairs
from feedproxy.service import Service

_LOCAL = "http://localhost:8000"


def _decoded(context: click.Context, parameter: click.Parameter, text: str) -> str:  # noqa: ARG001 (click's)
    """Return an argument with those bytes percent-encoded that are no text in this locale; they may yet be UTF-8."""
    return re.sub("[\udc80-\udcff]", lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", text)


_address = click.argument("address", metavar="QUERY|ADDRESS", callback=_decoded)


@click.command()
@_address
@click.option("--format", "form", type=click.Choice(list(FORMATS)), help="Default: as FILE or ADDRESS ends, else rss.")
@click.option("-o", "--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write to FILE.")
@click.option("--no-refresh", is_flag=True, help="Ask nobody: use what the archive holds.")
@configured
def feed(config: Config, address: str, form: str | None, output: Path | None, no_refresh: bool) -> None:
    """Write one feed, such as that of 'q=agents&min_upvotes=2' or of the address of one, without a server."""
    asked, usual = _asked(config, address)
    form = form or (output and output.suffix[1:] in FORMATS and output.suffix[1:]) or usual
    refresher = make_refresher(config)
    if not no_refresh:
        _freshen(refresher)
    document = Service(refresher.archive).render(asked, form).body
    if output and str(output) != "-":
        _write(output, document)
    else:
        click.echo(document, nl=False)


def _asked(config: Config, address: str) -> tuple[Feed, str]:
    """Return the feed and the format that a query or an address means; the address is that of any server."""
    base = (config.public_url or _LOCAL) + config.access_path
    return read_address(relative(address), base, read_feeds(config.feeds))


def _freshen(refresher: Refresher) -> None:
    """Refresh what is due; where that fails, what the archive holds will do, if it holds anything."""
    try:
        refresh_once(refresher)
    except FeedproxyError as error:
        if refresher.archive.state().newest_entry_at is None:
            raise
        click.echo(f"feedproxy: {error}; using what the archive holds", err=True)


def _write(path: Path, document: bytes) -> None:
    """Write `document` to `path` unless it holds just that: a file at once, so that nobody ever sees half of it."""
    target = Path(os.path.realpath(path))  # unlike Path.resolve of Python 3.12, it takes links in a circle
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        if target.exists() and not target.is_file():  # a pipe or a device
            target.write_bytes(document)
        elif not target.exists() or target.read_bytes() != document:
            beside.write_bytes(document)
            if target.exists():
                shutil.copymode(target, beside)
            beside.replace(target)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise FeedproxyError(f"cannot write {path}: {error.strerror}") from error


@click.command()
@_address
@configured
def check(config: Config, address: str) -> None:
    """Say how a query or a feed's address is understood and how many papers it matches, or what is wrong with it."""
    try:
        asked, form = _asked(config, address)
    except QueryError as error:
        _show_place(split(relative(address))[1], error)
        raise
    query = asked.query
    refresher = make_refresher(config)
    if not isinstance(refresher.source, Hub):
        _freshen(refresher)
    newest = refresher.archive.state().newest_entry_at
    click.echo(f"{query.describe or 'every paper'}")
    click.echo(asked.address(form))
    count = refresher.archive.count(query)
    until = f"in the {query.days} days to {newest:%Y-%m-%d}" if newest else "(the archive is empty: feedproxy refresh)"
    click.echo(f"{count} {'paper matches' if count == 1 else 'papers match'} {until}")


def _show_place(query_string: str, error: QueryError) -> None:
    """Print the filter with a caret under the character that is wrong."""
    if error.position is None:
        return
    text = next(value for name, value in query_pairs(query_string) if name == error.parameter)
    click.echo("".join(char if char.isprintable() else " " for char in text), err=True)
    click.echo(f"{' ' * sum(map(_columns, text[: error.position]))}^", err=True)


def _columns(char: str) -> int:
    """Return how many columns of a terminal `char` takes."""
    return 0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1


@click.command()
@configured
def config(config: Config) -> None:
    """Print every setting, its value and where it came from; then the feeds that have names."""
    width = max(len(variable(name)) for name in SETTINGS)
    for name in SETTINGS:
        click.echo(f"{variable(name):{width}}  {config.display(name) or '-'}  ({config.origins[name]})")
    for named in read_feeds(config.feeds):
        click.echo(f"/f/{named.name}  {named.query or '-'}  {named.title}")
