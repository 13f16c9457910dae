"""`check`: explain a query, count its papers, or show its mistake."""

import unicodedata

import click

from feedproxy.cli.context import address_argument, configured, feed_at, make_refresher, refresh_if_possible
from feedproxy.cli.offers import echo_offers
from feedproxy.config import Config
from feedproxy.errors import QueryError
from feedproxy.feeds.feed_url import relative, split
from feedproxy.ingest.hub import Hub
from feedproxy.query.parameters import query_pairs


@click.command()
@address_argument
@configured
def check(config: Config, address: str) -> None:
    """Explain a query or a feed's address and count its papers, or show its mistake."""
    try:
        feed, form = feed_at(config, address)
    except QueryError as error:
        if error.position is not None:
            _show_position(split(relative(address))[1], error.parameter, error.position)
        raise
    query, refresher = feed.query, make_refresher(config)
    if not isinstance(refresher.source, Hub):
        refresh_if_possible(refresher)
    newest = refresher.archive.state().newest_entry_at
    count = refresher.archive.count(query)
    where = f"in the {query.days} days to {newest:%Y-%m-%d}" if newest else "(the archive is empty: feedproxy refresh)"
    click.echo(query.describe or "every paper")
    click.echo(feed.address(form))
    click.echo(f"{count} {'paper matches' if count == 1 else 'papers match'} {where}")
    echo_offers(refresher.archive, query)


def _show_position(query_string: str, parameter: str, position: int) -> None:
    """Print the text of a parameter with a caret under the mistake."""
    text = next(value for name, value in query_pairs(query_string) if name == parameter)
    click.echo("".join(char if char.isprintable() else " " for char in text), err=True)
    columns = (
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text[:position]
    )
    click.echo(f"{' ' * sum(columns)}^", err=True)
