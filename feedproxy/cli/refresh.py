"""`refresh` and `backfill`: fill the archive, once."""

import sys
import time
from datetime import date, timedelta

import click

from feedproxy.cli.commands import configured, echo_errors
from feedproxy.cli.context import make_refresher, refresh_once
from feedproxy.config import Config
from feedproxy.errors import FeedproxyError, ListingError, UpstreamError
from feedproxy.ingest.refresher import Outcome, Refresher
from feedproxy.ingest.schedule import hub_day, missing_days
from feedproxy.ingest.source import Hub, ListingRequest
from feedproxy.model import FIRST_LISTING
from feedproxy.text import plural

_WAITS = 3  # for one day, when the Hub limits the rate


@click.command()
@click.option("--force", is_flag=True, help="Fetch the last 30 days, whether they are due or not.")
@configured
def refresh(config: Config, force: bool) -> None:
    """Fetch whatever is due, once; for cron and the like."""
    refresher = make_refresher(config)
    if (outcome := refresh_once(refresher, force=force)) is not None:
        click.echo(f"{refresher.source.name}: {outcome}" if outcome.listings else "nothing is due")


def _day(_: click.Context, __: click.Parameter, text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a day; write it as 2025-01-31") from None


@click.command()
@click.option("--since", required=True, callback=_day, metavar="DAY", help="The first day, such as 2025-01-31.")
@click.option("--until", callback=_day, metavar="DAY", help="The last day; default: yesterday (UTC).")
@configured
def backfill(config: Config, since: date, until: date | None) -> None:
    """Fetch past days one by one, oldest first.

    Skips days that the archive has already: to resume an interrupted backfill, repeat it.
    """
    refresher = make_refresher(config)
    if not isinstance(refresher.source, Hub):
        raise click.UsageError("backfill asks the Hub by day; refresh reads all of a saved listing")
    yesterday = hub_day(refresher.clock()) - timedelta(days=1)
    since, until = max(since, FIRST_LISTING), min(until or yesterday, yesterday)
    if since > until:
        raise click.UsageError(f"there are no days from {since} to {until}; Daily Papers began on {FIRST_LISTING}")
    days = missing_days(refresher.archive.days(None), since, until)
    try:
        total, unread = _backfill_days(refresher, days)
    finally:  # whatever is complete by now
        refresher.archive.close_periods(refresher.clock(), None, only_history=True)
    echo_errors(total.problems)
    click.echo(f"{since} to {until}: {total}")
    if unread:
        raise FeedproxyError(f"not read: {', '.join(unread)}; repeat the command to try again")


def _backfill_days(refresher: Refresher, days: list[date]) -> tuple[Outcome, list[str]]:
    """Fetch and store these days behind a progress bar; return the outcome, and the days that cannot be read."""
    total, unread = Outcome(), list[str]()
    label = f"{plural(len(days), 'day')} to go"
    with click.progressbar(days, label=label, file=sys.stderr, item_show_func=lambda day: str(day or "")) as bar:
        for day in bar:
            try:
                total += _backfill_day(refresher, day)
            except ListingError as error:
                total += Outcome(problems=(str(error),))
                unread.append(str(day))
    return total, unread


def _backfill_day(refresher: Refresher, day: date, waits: int = _WAITS) -> Outcome:
    """Fetch and store one day; wait if the Hub asks for it."""
    try:
        return refresher.fetch_and_store([ListingRequest(day)])
    except UpstreamError as error:
        if error.retry_after is None or not waits:
            raise
        click.echo(f"\n{error}; going on in {error.retry_after} s", err=True)
        time.sleep(error.retry_after)
    return _backfill_day(refresher, day, waits - 1)
