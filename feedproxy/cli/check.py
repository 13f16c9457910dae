"""`check`: explain a query, count its papers, or show its mistake."""

import unicodedata
from datetime import timedelta

import click

from feedproxy.cli.commands import configured
from feedproxy.cli.context import address_argument, feed_at, make_refresher, open_mode, refresh_if_possible
from feedproxy.cli.offers import echo_offers
from feedproxy.config import Config, is_address
from feedproxy.errors import QueryError
from feedproxy.feeds.feed_url import read_filter
from feedproxy.ingest.hub import Hub
from feedproxy.ingest.refresher import Refresher
from feedproxy.ingest.status import read_so_far
from feedproxy.logs import cleaned
from feedproxy.query.notices import notices
from feedproxy.query.parameters import Query
from feedproxy.text import visible


@click.command()
@address_argument
@configured
def check(config: Config, address: str) -> None:
    """Explain a query or an address and count its papers."""
    try:
        feed, form = feed_at(config, address)
    except QueryError as error:
        if places := [mistake.position for mistake in error.mistakes if mistake.position is not None]:
            _show_places(read_filter(address), places)
        raise
    click.echo(feed.query.in_words)
    click.echo(feed.address(form))
    is_refreshing = not is_address(config.listing)
    refresher = make_refresher(config, open_mode(is_refreshing))
    if is_refreshing:
        refresh_if_possible(refresher)
    _echo_numbers(refresher, feed.query)
    for notice in notices(read_filter(address)):
        click.echo(f"note: {cleaned(str(notice))}", err=True)


def _echo_numbers(refresher: Refresher, query: Query) -> None:
    """Print what the archive holds for `query`."""
    archive = refresher.archive
    count = archive.count(query)
    click.echo(f"{count} {'paper matches' if count == 1 else 'papers match'} {_where(refresher, query)}")
    if query.digest and (coming := archive.next_digest(query)):
        is_due = archive.state().has_refreshed_since(coming.entered_at)
        verb = "waits for listings since" if is_due else "closes at"
        click.echo(f"the next digest, of {coming.period.title}, {verb} {coming.entered_at:%Y-%m-%d %H:%M} UTC")
    echo_offers(archive, query)


def _where(refresher: Refresher, query: Query) -> str:
    """Return the days that a count is of: those of the query, or since the first that was read."""
    state, days = refresher.archive.state(), refresher.archive.days(None)
    if state.newest_entry_at is None:
        return "(the archive is empty: feedproxy refresh)"
    if not state.closed_at and isinstance(refresher.source, Hub):
        return f"so far ({read_so_far(days, refresher.clock())})"
    newest, read = state.newest_entry_at.date(), [day for day, entry in days.items() if entry.good_at]
    begin = newest - timedelta(days=query.days)
    return f"in the {query.days} days to {newest}" if min(read, default=begin) <= begin else f"since {min(read)}"


def _show_places(text: str, places: list[int]) -> None:
    """Print a filter, and under it a line for each place with a caret there."""
    click.echo(visible(text), err=True)
    for place in places:
        before = visible(text[:place])
        columns = (
            0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
            for char in before
        )
        click.echo(f"{' ' * sum(columns)}^", err=True)
