"""`feed`: one feed, without a server."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

import click

from feedproxy.cli.context import address_argument, configured, feed_at, make_refresher, refresh_if_possible
from feedproxy.config import Config
from feedproxy.errors import FeedproxyError
from feedproxy.feeds import FORMATS
from feedproxy.service import Service


@click.command()
@address_argument
@click.option("--format", "form", type=click.Choice(list(FORMATS)), help="Default: as FILE or ADDRESS ends, else rss.")
@click.option("-o", "--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write to FILE.")
@click.option("--no-refresh", is_flag=True, help="Fetch nothing: use the archive as it is.")
@configured
def feed(config: Config, address: str, form: str | None, output: Path | None, no_refresh: bool) -> None:
    """Write one feed, such as that of 'q=agents&min_upvotes=2' or of a feed's address, without a server."""
    feed, address_form = feed_at(config, address)
    form = form or (output and output.suffix[1:] in FORMATS and output.suffix[1:]) or address_form
    refresher = make_refresher(config)
    if not no_refresh:
        refresh_if_possible(refresher)
    body = Service(refresher.archive).render(feed, form).body
    if output and str(output) != "-":
        _write(output, body)
    else:
        click.echo(body, nl=False)


def _write(path: Path, body: bytes) -> None:
    """Write `body` to `path` unless it is there already; in one step, so that nobody ever reads half of it."""
    target = Path(os.path.realpath(path))  # unlike Path.resolve of Python 3.12, it accepts links in a circle
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        if target.exists() and not target.is_file():  # a pipe or a device
            target.write_bytes(body)
        elif not target.exists() or target.read_bytes() != body:
            beside.write_bytes(body)
            if target.exists():
                shutil.copymode(target, beside)
            beside.replace(target)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise FeedproxyError(f"cannot write {path}: {error.strerror}") from error
