"""The commands, for a terminal or cron.

Exit codes: 0, 1 for failure, 2 for usage.
"""

import click

from feedproxy import HOME, __version__
from feedproxy.cli.commands import Commands, LateCommands
from feedproxy.logs import start_log

_BEGINNING = f"""\
feedproxy serve --demo      try it: made-up papers, no network
feedproxy serve             serve the real papers; it prints the address to open
feedproxy feed 'q=agents'   write one feed, without a server
feedproxy --help            all commands; COMMAND --help: all options of one
docs: {HOME}#more"""
_MODULES = {
    "serve": "feedproxy.cli.serve",
    "refresh": "feedproxy.cli.refresh",
    "backfill": "feedproxy.cli.refresh",
    "feed": "feedproxy.cli.feed",
    "publish": "feedproxy.cli.publish",
    "check": "feedproxy.cli.check",
    "config": "feedproxy.cli.config",
    "archive": "feedproxy.cli.archive",
}


@click.group(
    cls=Commands,
    commands=LateCommands(_MODULES),
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="feedproxy")
@click.pass_context
def main(context: click.Context) -> None:
    """Hugging Face Daily Papers as feeds you can filter."""
    start_log()
    if context.invoked_subcommand is None:
        click.echo(_BEGINNING)
