"""The routes of feeds: a query in, a document of its feed out, from memory if it is there."""

from functools import partial

from flask import Blueprint, Response, g, request
from werkzeug.datastructures import MIMEAccept

from feedproxy.feeds import FORMATS, Feed
from feedproxy.web import responses
from feedproxy.web.cache import ENCODED, NEGOTIATED, Variants, build_variants
from feedproxy.web.context import Context, context, requested_feed

bp = Blueprint("feed", __name__)


@bp.get(f"/feed.<any({', '.join(FORMATS)}):name>")
def feed(name: str) -> Response:
    """Answer with the feed in one format."""
    return feed_response(requested_feed(), name)


@bp.get("/feed")
def negotiated_feed() -> Response:
    """Answer with the feed in the format the client likes best, else RSS."""
    return feed_response(requested_feed(), preferred_format() or "rss", is_negotiated=True)


@bp.get(f"/f/<feed_name>.<any({', '.join(FORMATS)}):name>")
def named_feed(feed_name: str, name: str) -> Response:
    """Answer with one of the operator's feeds, in one format."""
    return feed_response(requested_feed(feed_name), name)


def accepted_types() -> MIMEAccept:
    """Return the media types of `Accept` without their parameters: `application/atom+xml;type=feed` is Atom."""
    return MIMEAccept([(kind.partition(";")[0].rstrip(), quality) for kind, quality in request.accept_mimetypes])


def preferred_format(over: str | None = None) -> str | None:
    """Return the format that `Accept` ranks highest; given the media type `over`, of feeds one that ranks above it."""
    accept = accepted_types()
    ranks = {
        name: max(accept.quality(kind) for kind in (form.media_type, *form.aliases))
        for name, form in FORMATS.items()
        if form.is_feed or not over
    }
    best = max(ranks, key=lambda name: ranks[name])
    floor = accept.quality(over) if over else 0
    return best if request.headers.get("Accept") and ranks[best] > floor else None


def feed_response(feed: Feed, form: str, *, is_negotiated: bool = False) -> Response:
    """Answer with the document of `feed` in the format `form`, which `Accept` may have decided."""
    address, ctx = feed.address(form), context()
    vary = NEGOTIATED if is_negotiated else ENCODED
    variants = ctx.answer(address, partial(_render, ctx, feed, form, vary), is_negotiated=is_negotiated)
    g.format = form
    return responses.to_response(variants)


def _render(ctx: Context, feed: Feed, form: str, vary: str) -> tuple[Variants, int]:
    """Return the variants of a document, and its revision of the archive."""
    config = ctx.config
    cache_control = (
        f"public, max-age={config.max_age}, stale-while-revalidate={config.stale_while_revalidate}, "
        f"stale-if-error={config.stale_if_error}"
    )
    headers = ("Cache-Control", cache_control), ("X-Content-Type-Options", "nosniff"), *responses.SHARED
    document = ctx.service.render(feed, form)
    if ctx.metrics:
        ctx.metrics.count_rendering()
    variants = build_variants(form, document.body, FORMATS[form].content_type, document.updated, headers, vary)
    return variants, document.revision
