"""The route of the page: the query of a form in, the page with a preview of its feed out."""

import re
from collections.abc import Iterable, Mapping
from functools import partial
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, request

from feedproxy.archive.backend import READ_SECONDS, time_limit
from feedproxy.errors import FeedproxyError, QueryError, UpstreamError
from feedproxy.feeds import FORMATS, Document, Feed
from feedproxy.feeds.digest import LATE
from feedproxy.feeds.entry import link_of
from feedproxy.feeds.feed_url import SHOW
from feedproxy.host import is_local
from feedproxy.ingest.demo import with_made_up_names
from feedproxy.ingest.status import Progress
from feedproxy.model import HAS
from feedproxy.offers.choices import Choice
from feedproxy.query.grammar import FIELDS
from feedproxy.query.interests import interests
from feedproxy.query.parameters import DAYS, PARAMETERS, Query, is_ignored, query_pairs
from feedproxy.text import whole_number
from feedproxy.web import responses
from feedproxy.web.advice import Advice, advice_on_error, advice_on_filter
from feedproxy.web.cache import Variants
from feedproxy.web.context import NO_SLASH, base_url, context, query_string
from feedproxy.web.feeds import feed_response, preferred_format
from feedproxy.web.preview import Preview, preview

bp = Blueprint("page", __name__)

EXAMPLES = (
    ("agents", "q=agents"),
    ('"tool use"', "q=%22tool%20use%22"),
    ("rl -survey", "q=rl%20-survey"),
    ("org:nvidia", "q=org:nvidia"),
    ("50 upvotes and more", "min_upvotes=50"),
    ("robot*, or 100 upvotes", "q=robot*&or_upvotes=100"),
)
# The values that an option takes, as people say them; the first is the default.
_VALUES = {
    "digest": (
        ("", "All papers"),
        ("day", "Daily best"),
        ("week", "Weekly best"),
        ("month", "Monthly best"),
    ),
    "link": (
        ("hf", "Hugging Face"),
        ("arxiv", "arXiv abstract"),
        ("html", "arXiv HTML"),
        ("pdf", "PDF"),
        ("alphaxiv", "alphaXiv"),
    ),
    "content": (("full", "Full abstract"), ("brief", "A sentence or two"), ("none", "Only the title")),
    "counts": (("0", "Leave them out"), ("1", "Show them, as they change")),
}
# What the page sets without its options.
_VISIBLE = ("q", "min_upvotes", "digest", "top", "page")
_FIRST, _ALL = 10, 200  # entries that the page shows, at first and at most
_NEVER = -1  # the revision of a page that no cache may answer with again
_CHIPS = 10  # ready-made filters that stand there with a short name
_SHORT_NAME = re.compile(r".*\((.+)\)|(.+?)(?: generation)?(?: (?:and|with) .*)?")
# Readers whose address takes that of a feed at its end.
_READERS = (
    ("Feedly", "https://feedly.com/i/subscription/feed/"),
    ("Inoreader", "https://www.inoreader.com/?add_feed="),
    ("NewsBlur", "https://www.newsblur.com/?url="),
    ("Feedbin", "https://feedbin.com/?subscribe="),
    ("The Old Reader", "https://theoldreader.com/feeds/subscribe?url="),
)


@bp.get("/")
def page() -> Response:
    """Answer with the page for people; with the feed for a client that prefers one."""
    form = preferred_format(over="text/html")
    if NO_SLASH in request.environ and not form:
        return responses.redirect(f"{request.root_path.rpartition('/')[2]}/", query_string())
    ctx = context()
    try:
        text, show = _without_empty(query_string())
        feed = ctx.service.feed(text, base_url())
        if form:
            return feed_response(feed, form, is_negotiated=True)
        key, make = ("page", feed.base, text, show), partial(_render, feed, text, show)
        return responses.to_response(ctx.answer(key, make, is_negotiated=True))
    except (QueryError, UpstreamError) as error:
        if form:
            raise
        return _error_response(error)


def _without_empty(text: str) -> tuple[str, int]:
    """Return a query string without the empty fields of a form and ignored parameters, and how many entries to show."""
    pairs = [(name, value) for name, value in query_pairs(text) if not is_ignored(name)]
    shows = [value for name, value in pairs if name == SHOW]
    others = [(name, value) for name, value in pairs if name != SHOW and (value or name not in PARAMETERS)]
    return urlencode(others), whole_number(shows[0], _FIRST, _ALL) or _FIRST if shows else _FIRST


def _render(feed: Feed, text: str, show: int) -> tuple[Variants, int]:
    """Return the page, and its entries' revision of the archive; the rest of the page may be newer."""
    with time_limit(READ_SECONDS):
        page_preview = preview(context().service, feed.query, show)
        choices = context().service.choices.get()
    progress = context().loop.progress()
    document = Document(feed, page_preview.result.entries, page_preview.result.more)
    typed = dict(query_pairs(text))
    values = _values(document, typed, advice_on_filter(typed), preview=page_preview, choices=choices, progress=progress)
    robots = not (text or show != _FIRST or context().config.access_key)
    # A day without papers is progress, but not a new revision.
    revision = _NEVER if progress else page_preview.result.state.revision
    return responses.page("page.html", robots=robots, **values), revision


def _error_response(error: FeedproxyError) -> Response:
    """Answer with the page without results, the error at its field, and the form as it was filled in."""
    typed = {name: text for name, text in request.args.items() if text and name != SHOW}
    progress = None if isinstance(error, QueryError) else context().loop.progress()
    document = Document(Feed(Query(), base_url()))
    values = _values(document, typed, advice_on_error(error, typed), progress=progress)
    response = responses.html("page.html", error.status, **values)
    response.headers.extend(responses.retry_after(error))
    response.vary.add("Accept")
    return response


def _values(
    document: Document,
    typed: Mapping[str, str],
    advice: Advice,
    *,
    preview: Preview | None = None,
    choices: Iterable[Choice] | None = None,
    progress: Progress | None = None,
) -> dict[str, object]:
    is_demo = context().config.is_demo
    feed = document.feed
    others = {name: text for name, text in typed.items() if name in PARAMETERS and name not in advice.problems}
    return {
        "document": document,
        "feed": feed,
        "first": feed.at_page(1),
        "preview": preview,
        "progress": progress,
        "failure": context().loop.failure() if progress else None,
        "advice": advice,
        "typed": typed,
        "has_options": any(name in PARAMETERS and name not in _VISIBLE for name in typed),
        "formats": FORMATS,
        "values": _VALUES,
        "parameters": PARAMETERS,
        "days": DAYS.get(typed.get("digest", ""), DAYS[""]),
        "fields": FIELDS,
        "late_note": LATE,
        "links": HAS,
        "examples": [tuple(map(with_made_up_names, example)) for example in EXAMPLES] if is_demo else EXAMPLES,
        "choices": [(choice, _refinable(choice, others, feed.query)) for choice in choices or map(Choice, interests())],
        "number_of_chips": _CHIPS,
        "short_name": _short_name,
        "readers": () if is_local(urlsplit(feed.base).hostname or "") else _READERS,
        "named_feeds": context().service.named_feeds,
        "link_of": link_of,
        "is_demo": is_demo,
    }


def _refinable(choice: Choice, typed: Mapping[str, str], query: Query) -> str:
    """Return page 1 of a ready-made filter as a query string, in brackets so that words may follow, for the form.

    If `query` has that filter already, return it without.
    """
    others = {name: text for name, text in typed.items() if name not in ("q", "page")}
    words = {} if choice.feed.query.q == query.q else {"q": f"({choice.feed.query.q})"}
    return urlencode(words | others)


def _short_name(title: str) -> str:
    """Return the abbreviation in the title of a ready-made filter, or its first part: RL, Robotics, Video."""
    match = _SHORT_NAME.fullmatch(title)
    return next(filter(None, match.groups())) if match else title
