"""The commands: the same engine as `web`, from a terminal or a timetable.

Exit codes: 0, 1 for failure, 2 for usage.
"""

import errno
import logging
import os
import re
import socket
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import click

from feedproxy import __version__
from feedproxy.archive import Archive
from feedproxy.config import DEMO, SETTINGS, Config, variable
from feedproxy.errors import FeedproxyError, ListingError, QueryError, UpstreamError
from feedproxy.feeds import FORMATS, Feed, render
from feedproxy.query import parse_query, query_pairs
from feedproxy.refresh import Outcome, Refresher, backfill_days
from feedproxy.upstream import Ask, Hub, open_source

_EXAMPLE = "q=agents&min_upvotes=2"
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 (only where --bind says so)
_WAITS = 3  # how often a backfill waits out the Hub's rate limit for one day
_PATIENCE = 60.0  # seconds until a server without papers says so on the terminal


class _Group(click.Group):
    """Turns what feedproxy expects to go wrong into its one line and exit code."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(context)
        except FeedproxyError as error:
            click.echo(f"feedproxy: {error}", err=True)
            sys.exit(error.exit_code)
        except OSError as error:  # such as a full disk behind standard output
            if error.errno == errno.EPIPE:
                raise  # click ends quietly: whoever read has read enough
            click.echo(f"feedproxy: {error.strerror}", err=True)
            sys.exit(1)


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
    config = _config(listing=DEMO if demo else listing, archive=archive)
    with closing(Archive(config.archive)) as store:
        store.state()  # what is wrong with it is told now, not by each worker
    host, socket_number, port = _listening(bind)
    config = replace(config, hosts=(*config.hosts, _in_address(host).casefold()))
    shown = config.public_url or f"http://{_reachable(host)}:{port}"
    click.echo(f"listing:   {'made-up papers (--demo)' if demo else config.listing}", err=True)
    click.echo(f"archive:   {config.shown('archive')}", err=True)
    click.echo(f"subscribe: {shown}/feed.rss?{_EXAMPLE}", err=True)
    click.echo(f"or choose: {shown}/", err=True)
    _gunicorn(config, socket_number, workers)


def _listening(bind: str) -> tuple[str, int, int]:
    """Return the host in `bind`, the descriptor of a socket that listens there, and its port."""
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*):([0-9]{1,5})", bind)
    if not found or int(found[2]) > 65_535:
        raise click.BadParameter(f"{bind!r} is not HOST:PORT", param_hint="--bind")
    host, port = found[1].strip("[]") or _EVERYWHERE[0], int(found[2])
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as opened:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind((host, port))
            opened.listen(2048)
            port = opened.getsockname()[1]
            return host, opened.detach(), port
    except OSError as error:
        raise FeedproxyError(f"cannot listen at {bind}: {error.strerror}") from error


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _reachable(host: str) -> str:
    """Return the host name under which this machine reaches a server that listens at `host`."""
    return "localhost" if host in (*_EVERYWHERE, "127.0.0.1", "::1") else _in_address(host)


def _gunicorn(config: Config, socket_number: int, workers: int) -> None:
    from gunicorn.app.base import BaseApplication

    from feedproxy.web import create_app

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            settings = {"bind": f"fd://{socket_number}", "workers": workers, "threads": 4, "loglevel": "warning"}
            for name, value in settings.items():
                self.cfg.set(name, value)
            self.cfg.set("post_worker_init", _started)

        def load(self) -> Any:
            return create_app(config)

    Server().run()


def _started(worker: Any) -> None:
    """Refresh before the first reader asks; the first worker says so where that leads nowhere."""
    refresher = worker.wsgi.extensions["feedproxy"].refresher
    refresher.freshen()
    if worker.age == 1:
        threading.Thread(target=_tell_if_hopeless, args=(refresher,), daemon=True).start()


def _tell_if_hopeless(refresher: Refresher) -> None:
    try:
        refresher.wait_until_filled(_PATIENCE)
    except FeedproxyError as error:
        hint = "; to try feedproxy without a network: feedproxy serve --demo"
        click.echo(f"feedproxy: {error}{hint * isinstance(refresher.source, Hub)}", err=True)


# refresh, backfill ------------------------------------------------------------------------------


@main.command()
@click.option("--force", is_flag=True, help="Ask for the last 30 days whether due or not.")
@_option("listing")
@_option("archive")
def refresh(force: bool, listing: str | None, archive: str | None) -> None:
    """Get what is due, once, for a timetable such as cron's."""
    refresher = _refresher(_config(listing=listing, archive=archive))
    outcome = _round(refresher, force=force)
    click.echo(f"{refresher.source.name}: {outcome}" if outcome.listings else "nothing is due")


def _round(refresher: Refresher, *, force: bool = False) -> Outcome:
    """Refresh once, telling what will take long and what went wrong."""
    if isinstance(refresher.source, Hub) and refresher.archive.state().newest is None:
        click.echo(f"the archive is empty: reading 30 days from {refresher.source.name}, about a minute", err=True)
    outcome = refresher.round(force=force)
    _tell(outcome.problems)
    return outcome


def _tell(problems: Iterable[str]) -> None:
    for problem in problems:
        click.echo(f"feedproxy: {problem}", err=True)


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
    refresher = _refresher(_config(listing=listing, archive=archive))
    if not isinstance(refresher.source, Hub):
        raise click.UsageError("a saved listing is read whole by refresh; backfill asks the Hub by day")
    yesterday = refresher.clock().date() - timedelta(days=1)
    until = min(until or yesterday, yesterday)
    if since > until:
        raise click.UsageError(f"--since {since} is later than the last day to fill in, {until}")
    days = backfill_days(since, until, refresher.archive)
    problems: list[str] = []
    unread: list[str] = []
    with click.progressbar(days, label=f"{len(days)} days to go", file=sys.stderr, item_show_func=_shown_day) as bar:
        for day in bar:
            try:
                problems += _backfill_day(refresher, day)
            except ListingError as error:
                problems.append(str(error))
                unread.append(str(day))
    _tell(problems)
    click.echo(f"{since} to {until}: {len(days)} days asked for")
    if unread:
        raise FeedproxyError(f"not read: {', '.join(unread)}; repeat the command to try again")


def _shown_day(day: date | None) -> str:
    return str(day or "")


def _backfill_day(refresher: Refresher, day: date, waits: int = _WAITS) -> list[str]:
    """Get and store one day, waiting out the rate limit; return what was wrong with it."""
    try:
        return list(refresher.get([Ask(day)]).problems)
    except UpstreamError as error:
        if error.retry_after is None or not waits:
            raise
        click.echo(f"\n{error}; going on in {error.retry_after} s", err=True)
        time.sleep(error.retry_after)
    return _backfill_day(refresher, day, waits - 1)


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
        click.echo(document, nl=False)


def _freshen(refresher: Refresher) -> None:
    """Refresh what is due; where that fails, what the archive holds will do, if it holds anything."""
    try:
        _round(refresher)
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
        with suppress(OSError):
            beside.unlink()
        raise FeedproxyError(f"cannot write {path}: {error.strerror}") from error


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
    store = _archive(_config(listing=listing, archive=archive))
    count, empty = store.count(query), store.state().newest is None
    click.echo(str(query) or "(every paper)")
    held = " (the archive is empty: feedproxy refresh fills it)" if empty else ""
    click.echo(f"{count} {'paper matches' if count == 1 else 'papers match'}{held}")


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
    _tell(chosen.unknown)
    return chosen


def _refresher(config: Config) -> Refresher:
    return Refresher(open_source(config), _archive(config))


def _archive(config: Config) -> Archive:
    """Return the archive, which is closed when the command ends."""
    opened = Archive(config.archive)
    click.get_current_context().call_on_close(opened.close)
    return opened
