"""The feeds' routes: a query in, its feed out, from memory if it is there."""

from functools import partial

from flask import Blueprint, Response, g, request
from werkzeug.datastructures import MIMEAccept

from feedproxy.config import Config
from feedproxy.feeds import FORMATS, Feed
from feedproxy.web import responses
from feedproxy.web.cache import Headers, Variants, build_variants, request_key
from feedproxy.web.context import Context, base_url, context, query_string
from feedproxy.web.responses import SHARED

bp = Blueprint("feed", __name__)


@bp.get(f"/feed.<any({', '.join(FORMATS)}):name>")
def feed(name: str) -> Response:
    """Answer with the feed in one format."""
    return feed_response(context().service.feed(query_string(), base_url()), name)


@bp.get("/feed")
def negotiated() -> Response:
    """Answer with the feed in the format the client likes best, else RSS."""
    return feed_response(context().service.feed(query_string(), base_url()), preferred() or "rss")


@bp.get(f"/f/<called>.<any({', '.join(FORMATS)}):name>")
def named(called: str, name: str) -> Response:
    """Answer with a feed that has a name, in one format."""
    return feed_response(context().service.feed(query_string(), base_url(), called), name)


def accepted_types() -> MIMEAccept:
    """Return the media types of `Accept` without their parameters: `application/atom+xml;type=feed` is Atom."""
    return MIMEAccept([(kind.partition(";")[0].rstrip(), quality) for kind, quality in request.accept_mimetypes])


def preferred(over: str | None = None) -> str | None:
    """Return the format that `Accept` ranks highest, if it ranks above the media type `over`."""
    accept = accepted_types()
    ranks = {
        name: max(accept.quality(kind) for kind in (form.media_type, *form.aliases)) for name, form in FORMATS.items()
    }
    best = max(ranks, key=lambda name: ranks[name])
    floor = accept.quality(over) if over else 0
    return best if request.headers.get("Accept") and ranks[best] > floor else None


def feed_response(feed: Feed, form: str) -> Response:
    """Answer with the document of `feed` in the format `form`, from memory if it is there."""
    served = context()
    served.wait_for_papers()
    make = partial(_rendered, served, feed, form)
    variants = served.cache.get(feed.address(form), make, request_key(request.environ))
    if served.metrics:
        served.metrics.feed_served()
    g.format = form
    return responses.to_response(variants)


def _rendered(served: Context, feed: Feed, form: str) -> tuple[Variants, int]:
    """Return the variants of a document, and the revision of the archive it was made from."""
    if served.metrics:
        served.metrics.rendered()
    document = served.service.render(feed, form)
    headers = _headers(served.config)
    variants = build_variants(form, document.body, FORMATS[form].content_type, document.updated, headers)
    return variants, document.revision


def _headers(config: Config) -> Headers:
    """Return what goes with every feed, 304 included."""
    cached = (
        f"public, max-age={config.max_age}, stale-while-revalidate={config.stale_while_revalidate}, "
        f"stale-if-error={config.stale_if_error}"
    )
    return ("Cache-Control", cached), ("X-Content-Type-Options", "nosniff"), *SHARED
