"""`config`: print the settings."""

import click

from feedproxy.cli.commands import configured
from feedproxy.config import SETTINGS, Config, variable
from feedproxy.query.named_feeds import read_feeds


@click.command()
@configured
def config(config: Config) -> None:
    """Print every setting and its origin, then the named feeds."""
    width = max(len(variable(name)) for name in SETTINGS)
    for name in SETTINGS:
        click.echo(f"{variable(name):{width}}  {config.display(name) or '-'}  ({config.origins[name]})")
    for feed in read_feeds(config.feeds):
        click.echo(f"/f/{feed.name}  {feed.query or '-'}  {feed.title}")
