"""Puts the application together: requests in, answers out.

Decides nothing about papers: a request becomes a `Query`, and the other rooms do the rest.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request

from feedproxy import HOME, __version__
from feedproxy.archive import Archive
from feedproxy.config import Config
from feedproxy.errors import ConfigError, DeadlineError
from feedproxy.ingest.loop import RefreshLoop
from feedproxy.ingest.refresher import Refresher, utc_now
from feedproxy.ingest.source import Source, open_source
from feedproxy.logs import keep_out
from feedproxy.query.named_feeds import NamedFeed, read_feeds
from feedproxy.service import Service
from feedproxy.web import feeds, health, llms, opml, page, static
from feedproxy.web.cache import ResponseCache
from feedproxy.web.context import EXTENSION, Context
from feedproxy.web.fast_path import Admission, CacheMiddleware
from feedproxy.web.prefix import with_prefix
from feedproxy.web.responses import answer_preflights, handle_error, share

if TYPE_CHECKING:
    from feedproxy.metrics import Metrics

__all__ = ["create_app"]

log = logging.getLogger(__name__)
_SWITCH = 0.001  # seconds until a busy thread lets another answer from memory; Python's default is 0.005


def create_app(
    config: Config | None = None,
    *,
    source: Source | None = None,
    archive: Archive | None = None,
    clock: Callable[[], datetime] = utc_now,
    named_feeds: Iterable[NamedFeed] | None = None,
) -> Flask:
    """Return the WSGI application; without `config` the environment configures it, without `named_feeds` their file.

    Opens nothing yet, so a server may fork afterwards. Raises ConfigError.
    """
    sys.setswitchinterval(_SWITCH)
    try:
        if not config:
            config = Config.load(os.environ)
            for line in config.unknown:
                log.warning("%s", line)
        named_feeds = read_feeds(config.feeds) if named_feeds is None else named_feeds
    except ConfigError as error:
        for problem in error.problems:
            log.error("%s", problem)
        raise
    archive = archive or Archive(config.archive)
    metrics = _metrics() if config.metrics else None
    observe = metrics.observe if metrics else None
    loop = RefreshLoop(Refresher(source or open_source(config), archive, clock, observe=observe))
    cache = ResponseCache(config.cache_bytes, archive.cached_state)
    app = Flask("feedproxy", static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False  # or it redirects to the host that the request claims
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.jinja_env.globals |= {"home": HOME, "version": __version__}
    app.extensions[EXTENSION] = Context(config, Service(archive, named_feeds), loop, cache, metrics)
    for part in (feeds, health, llms, opml, page, static):
        app.register_blueprint(part.bp)
    answer_preflights(app)
    app.after_request(share)
    app.register_error_handler(Exception, handle_error)
    if metrics:
        _count(app, metrics)
    is_route = app.url_map.bind("").test
    admission = with_prefix(Admission(app.wsgi_app, metrics), config, metrics, is_route)
    front = CacheMiddleware(admission, cache, metrics, is_proxied=config.trusted_proxies > 0)
    app.wsgi_app = front  # type: ignore[method-assign]
    keep_out(config.secrets, keys=bool(config.access_key))
    return app


def _metrics() -> "Metrics":
    if shared := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):  # must be there before the import
        Path(shared).mkdir(parents=True, exist_ok=True)
    from feedproxy.metrics import Metrics

    return Metrics()


def _count(app: Flask, metrics: "Metrics") -> None:
    """Count the answers of Flask; `CacheMiddleware` counts its own."""

    def count(response: Response) -> Response:
        metrics.count_answer(g.get("format", (request.view_args or {}).get("name", "")), response.status_code)
        return response

    def count_expensive(error: DeadlineError) -> Response:
        metrics.count_refusal("expensive")
        return handle_error(error)

    app.after_request(count)
    app.register_error_handler(DeadlineError, count_expensive)
