"""The feeds' routes: a query in, its feed out, from memory if it is there."""

from dataclasses import replace
from functools import partial

from flask import Blueprint, Response, g, request
from werkzeug.datastructures import MIMEAccept

from feedproxy.config import Config
from feedproxy.errors import UpstreamError
from feedproxy.feeds import FORMATS, Feed, render
from feedproxy.query.named_feeds import NamedFeed, find
from feedproxy.query.parameters import Query, parse_query
from feedproxy.web import responses
from feedproxy.web.cache import Headers, Variants, build_variants
from feedproxy.web.context import Context, base_url, context, query_string
from feedproxy.web.sharing import SHARED
from feedproxy.web.variants import request_key

bp = Blueprint("feed", __name__)


@bp.get(f"/feed.<any({', '.join(FORMATS)}):name>")
def feed(name: str) -> Response:
    """Answer with the feed in one format."""
    return feed_response(parse_query(query_string()), name)


@bp.get("/feed")
def negotiated() -> Response:
    """Answer with the feed in the format the client likes best, else RSS."""
    return feed_response(parse_query(query_string()), preferred() or "rss")


@bp.get(f"/f/<called>.<any({', '.join(FORMATS)}):name>")
def named(called: str, name: str) -> Response:
    """Answer with a feed that has a name, in one format."""
    chosen = find(context().feeds, called)
    return feed_response(chosen.query_for(query_string()), name, chosen)


def accepted_types() -> MIMEAccept:
    """Return the media types of `Accept` without their parameters: `application/atom+xml;type=feed` is Atom."""
    return MIMEAccept([(kind.partition(";")[0].rstrip(), quality) for kind, quality in request.accept_mimetypes])


def preferred(over: str | None = None) -> str | None:
    """Return the format that `Accept` ranks highest, if it ranks above the media type `over`."""
    accept = accepted_types()
    ranks = {
        name: max(accept.quality(kind) for kind in (form.media_type, *form.accepted)) for name, form in FORMATS.items()
    }
    best = max(ranks, key=lambda name: ranks[name])
    floor = accept.quality(over) if over else 0
    return best if request.headers.get("Accept") and ranks[best] > floor else None


def feed_response(query: Query, name: str, named: NamedFeed | None = None) -> Response:
    """Answer with the feed of `query`, which may be that of `named`, as a document of the format `name`."""
    feed, served = Feed(query, base_url(), (), named=named), context()
    served.wait_for_papers()
    make = partial(_rendered, served, feed, name)
    made = served.answers.get(feed.address(name), make, request_key(request.environ))
    if served.metrics:
        served.metrics.feed_served()
    g.format = name
    return responses.to_response(made)


def _rendered(served: Context, feed: Feed, name: str) -> tuple[Variants, int]:
    """Return a feed, whose entries are searched for, and the revision of the archive it was made of."""
    if served.metrics:
        served.metrics.rendered()
    found = served.archive.search(feed.query)
    if found.state.newest_entry_at is None:  # it was emptied since anybody looked
        raise UpstreamError("there are no papers yet", 10)
    made = replace(feed, entries=found.entries, more=found.more)
    # A vote changes the body of a feed with counts, but no date in it, and so may an operator that of a feed with a
    # name; older entries change none that is newest.
    changed = max(filter(None, (made.updated, found.state.backdated_at)))
    last_modified = None if feed.query.counts or feed.named else changed
    headers = _headers(served.config)
    return build_variants(
        name, render(made, name), FORMATS[name].content_type, last_modified, headers
    ), found.state.revision


def _headers(config: Config) -> Headers:
    """Return what goes with every feed, 304 included."""
    cached = (
        f"public, max-age={config.max_age}, stale-while-revalidate={config.stale_while_revalidate}, "
        f"stale-if-error={config.stale_if_error}"
    )
    return ("Cache-Control", cached), ("X-Content-Type-Options", "nosniff"), *SHARED
