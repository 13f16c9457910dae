"""`check`: explain a query, count its papers, or show its mistake."""

import unicodedata

import click

from feedproxy.cli.context import address_argument, configured, feed_at, make_refresher, refresh_if_possible
from feedproxy.cli.offers import echo_offers
from feedproxy.config import Config
from feedproxy.errors import QueryError
from feedproxy.feeds.feed_url import read_filter
from feedproxy.ingest.hub import Hub
from feedproxy.logs import cleaned
from feedproxy.query.notices import notices
from feedproxy.text import visible


@click.command()
@address_argument
@configured
def check(config: Config, address: str) -> None:
    """Explain a query or a feed's address and count its papers, or show its mistake."""
    try:
        feed, form = feed_at(config, address)
    except QueryError as error:
        if places := [mistake.position for mistake in error.mistakes if mistake.position is not None]:
            _show_places(read_filter(address), places)
        raise
    query, refresher = feed.query, make_refresher(config)
    if not isinstance(refresher.source, Hub):
        refresh_if_possible(refresher)
    state = refresher.archive.state()
    newest = state.newest_entry_at
    count = refresher.archive.count(query)
    where = f"in the {query.days} days to {newest:%Y-%m-%d}" if newest else "(the archive is empty: feedproxy refresh)"
    click.echo(query.in_words)
    click.echo(feed.address(form))
    click.echo(f"{count} {'paper matches' if count == 1 else 'papers match'} {where}")
    if query.digest and (coming := refresher.archive.next_digest(query)):
        is_due = state.has_refreshed_since(coming.entered_at)
        verb = "waits for listings since" if is_due else "closes at"
        click.echo(f"the next digest, of {coming.period.title}, {verb} {coming.entered_at:%Y-%m-%d %H:%M} UTC")
    for notice in notices(read_filter(address)):
        click.echo(f"note: {cleaned(str(notice))}", err=True)
    echo_offers(refresher.archive, query)


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
