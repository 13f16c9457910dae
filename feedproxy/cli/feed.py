"""`feed`: one feed, without a server."""

from pathlib import Path

import click

from feedproxy.cli.commands import configured
from feedproxy.cli.context import address_argument, feed_at, make_refresher, open_mode, refresh_if_possible
from feedproxy.config import Config, variable
from feedproxy.disk import replace_file
from feedproxy.feeds import FORMATS
from feedproxy.service import Service


@click.command()
@address_argument
@click.option("--format", "form", type=click.Choice(list(FORMATS)), help="Default: as FILE or ADDRESS ends, else rss.")
@click.option("-o", "--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write to FILE.")
@click.option(
    "--url", "public_url", metavar="URL", help=f"The address that the feed carries. Overrides {variable('public_url')}."
)
@click.option("--no-refresh", is_flag=True, help="Fetch nothing: use the archive as it is.")
@configured
def feed(config: Config, address: str, form: str | None, output: Path | None, no_refresh: bool) -> None:
    """Write one feed, without a server.

    Takes a query, such as 'q=agents&min_upvotes=2', or the address of a feed.
    """
    feed, address_form = feed_at(config, address)
    form = form or (output and output.suffix[1:] in FORMATS and output.suffix[1:]) or address_form
    refresher = make_refresher(config, open_mode(not no_refresh))
    if not no_refresh:
        refresh_if_possible(refresher)
    body = Service(refresher.archive).render(feed, form).body
    if output and str(output) != "-":
        replace_file(output, body)
    else:
        click.echo(body, nl=False)
