"""`serve`: the feeds over HTTP, until you stop it."""

import os
from dataclasses import replace
from tempfile import TemporaryDirectory

import click

from feedproxy.cli.commands import configured
from feedproxy.cli.context import make_refresher
from feedproxy.config import Config, variable
from feedproxy.logs import start_log
from feedproxy.query.named_feeds import read_feeds
from feedproxy.server import address_in_network, in_address, listen, reachable, run

_EXAMPLE = "q=agents&min_upvotes=2"


@click.command()
@click.option("--bind", default="127.0.0.1:8000", show_default=True, metavar="HOST:PORT", help="Where to listen.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Worker processes.")
@click.option("--log-json", is_flag=True, help="Log one JSON object a line.")
@configured
def serve(config: Config, bind: str, workers: int, log_json: bool) -> None:
    """Serve the feeds over HTTP until you stop it."""
    start_log(as_json=log_json)
    read_feeds(config.feeds)
    archive = make_refresher(config).archive
    archive.state()  # reports problems with feeds, listing and archive once, not in each worker
    archive.close()  # SQLite's connections must not survive a fork
    try:
        host, listening = listen(bind)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--bind") from None
    config = replace(config, hosts=(*config.hosts, in_address(host).casefold()))
    greeting = _greeting(config, host, listening.getsockname()[1])
    with TemporaryDirectory(prefix="feedproxy-") as folder:
        if config.metrics:  # where workers add up their counters
            os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", folder)
        run(config, listening, workers=workers, greeting=greeting, log_json=log_json)


def _greeting(config: Config, host: str, port: int) -> str:
    key = f"/k/${variable('access_key')}" if config.access_key else ""  # the terminal may become a log
    base = (config.public_url or f"http://{reachable(host)}:{port}") + key
    network = "" if config.public_url else address_in_network(host)
    return (
        f"listing:   {'made-up papers (--demo)' if config.is_demo else config.listing}\n"
        f"archive:   {config.display('archive')}\n"
        f"subscribe: {base}/feed.rss?{_EXAMPLE}\n"
        f"or choose: {base}/" + (f"\non phones: http://{network}:{port}{key}/" if network else "")
    )
