"""The commands, for a terminal or cron.

Exit codes: 0, 1 for failure, 2 for usage.
"""

import click

from feedproxy import __version__
from feedproxy.cli.archive import archive
from feedproxy.cli.check import check
from feedproxy.cli.config import config
from feedproxy.cli.context import Commands
from feedproxy.cli.feed import feed
from feedproxy.cli.publish import publish
from feedproxy.cli.refresh import backfill, refresh
from feedproxy.cli.serve import serve
from feedproxy.logs import start_log


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="feedproxy")
def main() -> None:
    """Hugging Face Daily Papers as feeds you can filter."""
    start_log()


for command in (serve, refresh, backfill, feed, publish, check, config, archive):
    main.add_command(command)
