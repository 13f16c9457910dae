"""The commands: the same engine as `web`, from a terminal or a timetable.

Exit codes: 0, 1 for failure, 2 for usage.
"""

import errno
import os
import shutil
import sys
import time
import unicodedata
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import click

from feedproxy import __version__
from feedproxy.addresses import read_address, relative, split
from feedproxy.archive import Archive
from feedproxy.config import DEMO, SETTINGS, Config, variable
from feedproxy.errors import FeedproxyError, ListingError, QueryError, UpstreamError
from feedproxy.feeds import FORMATS, Feed, render
from feedproxy.logs import start_log
from feedproxy.named import read_feeds
from feedproxy.query import parse_query, query_pairs
from feedproxy.refresh import Outcome, Refresher, backfill_days
from feedproxy.server import SERVERS, Start, in_address, listen, own_folder, reachable, runner
from feedproxy.upstream import Ask, Hub, open_source

_EXAMPLE = "q=agents&min_upvotes=2"
_LOCAL = "http://localhost:8000"
_BEGINNING = date(2023, 5, 4)  # the first Daily Papers
_WAITS = 3  # how often a backfill waits out the Hub's rate limit for one day


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


def _configured(command: Callable[..., Any]) -> Callable[..., Any]:
    """Hand a command its `Config`, and give it the two options that overrule settings."""

    @click.option("--listing", metavar="URL|PATH", help=f"Overrules {variable('listing')}.")
    @click.option("--archive", metavar="FILE", help=f"Overrules {variable('archive')}.")
    @wraps(command)
    def configured(listing: str | None, archive: str | None, **rest: Any) -> Any:
        if rest.get("demo") and listing:
            raise click.UsageError("--demo has its own listing: give one of --demo and --listing")
        listing = DEMO if rest.get("demo") else listing
        config = Config.load(os.environ, {"listing": listing, "archive": archive})
        _tell(config.unknown)
        return command(config=config, **rest)

    return configured


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="feedproxy")
def main() -> None:
    """Hugging Face Daily Papers as feeds you can filter."""
    start_log()


# serve ------------------------------------------------------------------------------------------


@main.command()
@click.option("--bind", default="127.0.0.1:8000", show_default=True, metavar="HOST:PORT", help="Where to listen.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Worker processes.")
@click.option("--server", default="gunicorn", show_default=True, type=click.Choice(list(SERVERS)), help="What serves.")
@click.option("--demo", is_flag=True, help="Serve a few made-up papers; needs no network.")
@click.option("--log-json", is_flag=True, help="Log one JSON object a line.")
@_configured
def serve(config: Config, bind: str, workers: int, server: str, demo: bool, log_json: bool) -> None:
    """Serve the feeds over HTTP until stopped."""
    start_log(as_json=log_json)
    run = runner(server)
    read_feeds(config.feeds)
    archive = _refresher(config).archive
    archive.state()  # what is wrong with feeds, listing and archive is told now, not by each worker
    archive.close()  # workers are forked, and SQLite's connections must not be
    try:
        host, opened = listen(bind, workers_listen=SERVERS[server].workers_listen)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--bind") from None
    config = replace(config, hosts=(*config.hosts, in_address(host).casefold()))
    greeting = _greeting(config, f"http://{reachable(host)}:{opened.getsockname()[1]}", demo=demo)
    with own_folder() as folder:
        if config.metrics:  # where worker processes put together what they count
            os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(folder))
        run(Start(config, workers, greeting, folder, log_json), opened)


def _greeting(config: Config, address: str, *, demo: bool) -> str:
    shown = config.public_url or address
    if config.access_key:  # which stays out of what becomes a log
        shown += f"/k/${variable('access_key')}"
    return (
        f"listing:   {'made-up papers (--demo)' if demo else config.listing}\n"
        f"archive:   {config.shown('archive')}\n"
        f"subscribe: {shown}/feed.rss?{_EXAMPLE}\n"
        f"or choose: {shown}/"
    )


# refresh, backfill ------------------------------------------------------------------------------


@main.command()
@click.option("--force", is_flag=True, help="Ask for the last 30 days whether due or not.")
@_configured
def refresh(config: Config, force: bool) -> None:
    """Get what is due, once, for a timetable such as cron's."""
    refresher = _refresher(config)
    outcome = _round(refresher, force=force)
    click.echo(f"{refresher.source.name}: {outcome}" if outcome.listings else "nothing is due")


def _round(refresher: Refresher, *, force: bool = False) -> Outcome:
    """Refresh once, telling what will take long and what went wrong."""
    empty = refresher.archive.state().newest is None
    if empty and isinstance(refresher.source, Hub):
        click.echo(f"the archive is empty: reading 30 days from {refresher.source.name}, about a minute", err=True)
    outcome = refresher.round(force=force or empty)
    if outcome is None:
        click.echo("feedproxy: another process is refreshing this archive", err=True)
        return Outcome()
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
@_configured
def backfill(config: Config, since: date, until: date | None) -> None:
    """Fill in a stretch of the past, a day at a time, newest first.

    Days that are there already are left out, so an interrupted backfill is resumed by repeating it.
    """
    refresher = _refresher(config)
    if not isinstance(refresher.source, Hub):
        raise click.UsageError("a saved listing is read whole by refresh; backfill asks the Hub by day")
    yesterday = refresher.clock().date() - timedelta(days=1)
    until = min(until or yesterday, yesterday)
    if since > until:
        raise click.UsageError(f"--since {since} is later than the last day to fill in, {until}")
    days = backfill_days(max(since, _BEGINNING), until, refresher.archive)
    total = Outcome()
    unread: list[str] = []
    with click.progressbar(days, label=f"{len(days)} days to go", file=sys.stderr, item_show_func=_shown_day) as bar:
        for day in bar:
            try:
                total += _backfill_day(refresher, day)
            except ListingError as error:
                total += Outcome(problems=(str(error),))
                unread.append(str(day))
    _tell(total.problems)
    click.echo(f"{since} to {until}: {total}")
    if unread:
        raise FeedproxyError(f"not read: {', '.join(unread)}; repeat the command to try again")


def _shown_day(day: date | None) -> str:
    return str(day or "")


def _backfill_day(refresher: Refresher, day: date, waits: int = _WAITS) -> Outcome:
    """Get and store one day, waiting out the rate limit."""
    try:
        return refresher.get([Ask(day)])
    except UpstreamError as error:
        if error.retry_after is None or not waits:
            raise
        click.echo(f"\n{error}; going on in {error.retry_after} s", err=True)
        time.sleep(error.retry_after)
    return _backfill_day(refresher, day, waits - 1)


# feed, check, config ----------------------------------------------------------------------------


@main.command()
@click.argument("query_string")
@click.option("--format", "name", type=click.Choice(list(FORMATS)), help="Default: as FILE ends, else rss.")
@click.option("-o", "--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write to FILE.")
@click.option("--no-refresh", is_flag=True, help="Ask nobody: use what the archive holds.")
@_configured
def feed(config: Config, query_string: str, name: str | None, output: Path | None, no_refresh: bool) -> None:
    """Write one feed, such as that of 'q=agents&min_upvotes=2', without a server."""
    query = parse_query(query_string)
    name = name or (output and output.suffix[1:] in FORMATS and output.suffix[1:]) or "rss"
    refresher = _refresher(config)
    if not no_refresh:
        _freshen(refresher)
    if refresher.archive.state().newest is None:
        raise UpstreamError("there are no papers yet: the archive is empty")
    found = refresher.archive.search(query)
    document = render(Feed(query, _base(config), found.entries, found.more), name)
    if output and str(output) != "-":
        _write(output, document)
    else:
        click.echo(document, nl=False)


def _base(config: Config) -> str:
    """Return the address feeds carry that nobody was asked for at."""
    return (config.public_url or _LOCAL) + config.access_path


def _freshen(refresher: Refresher) -> None:
    """Refresh what is due; where that fails, what the archive holds will do, if it holds anything."""
    try:
        _round(refresher)
    except FeedproxyError as error:
        if refresher.archive.state().newest is None:
            raise
        click.echo(f"feedproxy: {error}; using what the archive holds", err=True)


def _write(path: Path, document: bytes) -> None:
    """Write `document` to `path` unless it holds just that: a file at once, so that nobody ever sees half of it."""
    target = path.resolve()
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


@main.command()
@click.argument("address", metavar="QUERY|ADDRESS")
@_configured
def check(config: Config, address: str) -> None:
    """Say how a query or a feed's address is understood and how many papers it matches, or what is wrong with it."""
    text = relative(address)
    try:
        asked, form = read_address(text, _base(config), read_feeds(config.feeds))
    except QueryError as error:
        _show_place(split(text)[1], error)
        raise
    query = asked.query
    refresher = _refresher(config)
    if not isinstance(refresher.source, Hub):
        _freshen(refresher)
    newest = refresher.archive.state().newest
    click.echo(f"{query.in_words or 'every paper'}")
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


@main.command()
@_configured
def config(config: Config) -> None:
    """Print every setting, its value and where it came from; then the feeds that have names."""
    width = max(len(variable(name)) for name in SETTINGS)
    for name in SETTINGS:
        click.echo(f"{variable(name):{width}}  {config.shown(name) or '-'}  ({config.origins[name]})")
    for named in read_feeds(config.feeds):
        click.echo(f"/f/{named.name}  {named.query or '-'}  {named.title}")


def _refresher(config: Config) -> Refresher:
    """Return what refreshes the archive, which the command's end closes; raises for a listing that is not there."""
    refresher = Refresher(open_source(config), Archive(config.archive))
    refresher.source.next_due({}, refresher.clock())
    click.get_current_context().call_on_close(refresher.archive.close)
    return refresher
