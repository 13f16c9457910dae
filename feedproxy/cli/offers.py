"""What `check` prints below a query: words that no paper has, and wider queries."""

from functools import partial

import click

from feedproxy.archive import Archive
from feedproxy.offers import offers
from feedproxy.offers.spelling import misspellings, read_vocabulary
from feedproxy.query.parameters import Query
from feedproxy.text import plural

_BUDGET = 2.0  # seconds for each of the two


def echo_offers(archive: Archive, query: Query) -> None:
    """Print a line for each word of `query` that no paper has, and for each wider query; nothing about no papers."""
    if not archive.state().newest_entry_at:
        return
    for word in misspellings(archive, query, _BUDGET, partial(read_vocabulary, archive)):
        advice = f"; did you mean {word.similar} ({plural(word.papers, 'paper')} in all)?" if word.similar else ""
        click.echo(f"no paper in the archive has “{word.word}”{advice}{f'  q={word.query.q}' if word.query else ''}")
    rows = [
        (f"{'ready-made' if row.is_interest else 'or'} {row.text}", plural(row.papers, "paper"), row.query.q)
        for row in offers(archive, query, _BUDGET)
    ]
    for text, papers, q in rows:
        click.echo(f"{text:{max(len(row[0]) for row in rows)}}  +{papers:{max(len(row[1]) for row in rows)}}  q={q}")
