"""The commands: the same engine as `web`, from a terminal or a timetable.

Exit codes: 0, 1 for failure, 2 for usage.
"""

import logging
import os
import re
import socket
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NoReturn

import click

from feedproxy import __version__
from feedproxy.archive import Archive
from feedproxy.config import DEMO, SETTINGS, Config, variable
from feedproxy.errors import FeedproxyError, QueryError, UpstreamError
from feedproxy.feeds import FORMATS, Feed, render
from feedproxy.query import parse_query, query_pairs
from feedproxy.refresh import Refresher, backfill_days
from feedproxy.upstream import Ask, Hub, open_source

_EXAMPLE = "q=agents&min_upvotes=2"
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 (only where --bind says so)
_WAITS = 3  # how often a backfill waits out the Hub's rate limit before it gives up


class _Group(click.Group):
    """Turns what feedproxy expects to go wrong into its one line and exit code."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(context)
        except FeedproxyError as error:
            click.echo(f"feedproxy: {error}", err=True)
            sys.exit(error.exit_code)


def _option(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a command-line option that overrules the setting of that name."""
    return click.option(f"--{name}", metavar="URL|PATH", help=f"Overrules {variable(name)}.")


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="feedproxy")
def main() -> None:
    """Hugging Face Daily Papers as feeds you can filter."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO, stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)


# serve ------------------------------------------------------------------------------------------


@main.command()
@click.option("--bind", default="127.0.0.1:8000", show_default=True, metavar="HOST:PORT", help="Where to listen.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Worker processes.")
@click.option("--demo", is_flag=True, help="Serve a few made-up papers; needs no network.")
@_option("listing")
@_option("archive")
def serve(bind: str, workers: int, demo: bool, listing: str | None, archive: str | None) -> None:
    """Serve the feeds over HTTP until stopped."""
    if demo and listing:
        raise click.UsageError("--demo has its own listing: give one of --demo and --listing")
    host, port = _free_address(bind)
    config = _config(listing=DEMO if demo else listing, archive=archive)
    # Worker processes read their settings from the environment, as under any other WSGI server.
    os.environ |= {variable("listing"): config.listing, variable("archive"): config.archive}
    shown = config.public_url or f"http://{_reachable(host)}:{port}"
    click.echo(f"listing:   {'made-up papers (--demo)' if demo else config.listing}", err=True)
    click.echo(f"archive:   {config.archive}", err=True)
    click.echo(f"subscribe: {shown}/feed.rss?{_EXAMPLE}", err=True)
    click.echo(f"or choose: {shown}/", err=True)
    _gunicorn(bind, workers)


def _free_address(bind: str) -> tuple[str, int]:
    """Return the host and port of `bind` once it is clear that they can be listened at."""
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]*):([0-9]{1,5})", bind)
    if not found or int(found[2]) > 65_535:
        raise click.BadParameter(f"{bind!r} is not HOST:PORT", param_hint="--bind")
    host, port = found[1].strip("[]") or _EVERYWHERE[0], int(found[2])
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        _fail(f"cannot listen at {bind}: {error.strerror}")
    return host, port


def _reachable(host: str) -> str:
    """Return the host name under which this machine reaches a server that listens at `host`."""
    if host in (*_EVERYWHERE, "127.0.0.1", "::1"):
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _gunicorn(bind: str, workers: int) -> None:
    from gunicorn.app.base import BaseApplication

    from feedproxy.web import create_app

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            settings = {"bind": bind, "workers": workers, "threads": 4, "proc_name": "feedproxy", "loglevel": "warning"}
            for name, value in settings.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            app = create_app()
            app.extensions["feedproxy"].refresher.freshen()
            return app

    Server().run()


# refresh, backfill ------------------------------------------------------------------------------


@main.command()
@click.option("--force", is_flag=True, help="Ask for the last 30 days whether due or not.")
@_option("listing")
@_option("archive")
def refresh(force: bool, listing: str | None, archive: str | None) -> None:
    """Get what is due, once, for a timetable such as cron's."""
    refresher = _refresher(_config(listing=listing, archive=archive))
    _report(refresher, force=force)


def _report(refresher: Refresher, *, force: bool = False) -> None:
    outcome = refresher.round(force=force)
    for problem in outcome.problems:
        click.echo(f"feedproxy: {problem}", err=True)
    click.echo(f"{refresher.source.name}: {outcome}" if outcome.listings else "nothing is due", err=True)


def _day(_: click.Context, __: click.Parameter, text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise click.BadParameter(f"{text!r} is no day; write it as 2025-01-31") from None


@main.command()
@click.option("--since", required=True, callback=_day, metavar="DAY", help="The first day, such as 2025-01-31.")
@click.option("--until", callback=_day, metavar="DAY", help="The last day; default: yesterday (UTC).")
@_option("listing")
@_option("archive")
def backfill(since: date, until: date | None, listing: str | None, archive: str | None) -> None:
    """Fill in a stretch of the past, a day at a time, newest first.

    Days that are there already are left out, so an interrupted backfill is resumed by repeating it.
    """
    config = _config(listing=listing, archive=archive)
    refresher = _refresher(config)
    if not isinstance(refresher.source, Hub):
        raise click.UsageError("a saved listing is read whole by refresh; backfill asks the Hub by day")
    yesterday = refresher.clock().date() - timedelta(days=1)
    until = min(until or yesterday, yesterday)
    if since > until:
        raise click.UsageError(f"--since {since} is later than the last day to fill in, {until}")
    days = backfill_days(since, until, refresher.archive)
    problems: list[str] = []
    with click.progressbar(days, label=f"{len(days)} days to go", file=sys.stderr, item_show_func=_shown_day) as bar:
        for day in bar:
            problems += _backfill_day(refresher, day)
    for problem in problems:
        click.echo(f"feedproxy: {problem}", err=True)
    click.echo(f"{since} to {until}: {len(days)} days asked for", err=True)


def _shown_day(day: date | None) -> str:
    return str(day or "")


def _backfill_day(refresher: Refresher, day: date) -> list[str]:
    """Get and store one day, waiting out the rate limit; a day that cannot be read is a problem told later."""
    for _ in range(_WAITS):
        try:
            return list(refresher.get([Ask(day)]).problems)
        except UpstreamError as error:
            if not error.retry_after:
                raise
            time.sleep(error.retry_after)
    return list(refresher.get([Ask(day)]).problems)


# feed, check, config ----------------------------------------------------------------------------


@main.command()
@click.argument("query_string")
@click.option("--format", "name", type=click.Choice(list(FORMATS)), default="rss", show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file, at once.")
@click.option("--no-refresh", is_flag=True, help="Ask nobody: use what the archive holds.")
@_option("listing")
@_option("archive")
def feed(
    query_string: str, name: str, output: Path | None, no_refresh: bool, listing: str | None, archive: str | None
) -> None:
    """Write one feed, such as that of 'q=agents&min_upvotes=2', without a server."""
    query = parse_query(query_string)
    config = _config(listing=listing, archive=archive)
    refresher = _refresher(config)
    if not no_refresh:
        _freshen(refresher)
    found = refresher.archive.search(query)
    base = config.public_url or "http://localhost:8000"
    document = render(Feed(query, base, found.entries, found.more), name)
    if output:
        _replace(output, document)
    else:
        sys.stdout.buffer.write(document)


def _freshen(refresher: Refresher) -> None:
    """Refresh what is due; where that fails, what the archive holds will do, if it holds anything."""
    try:
        _report(refresher)
    except FeedproxyError as error:
        if refresher.archive.state().newest is None:
            raise
        click.echo(f"feedproxy: {error}; using what the archive holds", err=True)


def _replace(path: Path, document: bytes) -> None:
    """Write `document` to `path` so that nobody ever sees half of it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(document)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        _fail(f"cannot write {path}: {error.strerror}")


@main.command()
@click.argument("query_string")
@_option("listing")
@_option("archive")
def check(query_string: str, listing: str | None, archive: str | None) -> None:
    """Say how a query is understood and how many papers it matches, or what is wrong with it."""
    try:
        query = parse_query(query_string)
    except QueryError as error:
        _show_place(query_string, error)
        raise
    config = _config(listing=listing, archive=archive)
    store = Archive(config.archive)
    click.echo(str(query) or "(every paper)")
    held = "" if store.state().newest else " (the archive is empty: feedproxy refresh fills it)"
    click.echo(f"{store.count(query)} papers match{held}")


def _show_place(query_string: str, error: QueryError) -> None:
    """Print the filter with a caret under the character that is wrong."""
    if error.position is None:
        return
    text = next(value for name, value in query_pairs(query_string) if name == error.parameter)
    click.echo(text, err=True)
    click.echo(f"{' ' * error.position}^", err=True)


@main.command()
@_option("listing")
@_option("archive")
def config(listing: str | None, archive: str | None) -> None:
    """Print every setting, its value and where it came from."""
    chosen = _config(listing=listing, archive=archive)
    width = max(len(variable(name)) for name in SETTINGS)
    for name in SETTINGS:
        click.echo(f"{variable(name):{width}}  {chosen.shown(name) or '-'}  ({chosen.origins[name]})")


def _config(**options: str | None) -> Config:
    chosen = Config.load(os.environ, options)
    for line in chosen.unknown:
        click.echo(f"feedproxy: {line}", err=True)
    return chosen


def _refresher(config: Config) -> Refresher:
    return Refresher(open_source(config), Archive(config.archive))


def _fail(message: str) -> NoReturn:
    raise click.ClickException(message)
