"""The route of /llms.txt: what this service is and how to ask it, for programs that read (https://llmstxt.org).

Made from the tables of formats, parameters and fields, so it says what is true of this server.
"""

from functools import lru_cache

from flask import Blueprint, Response, render_template

from feedproxy import HOME
from feedproxy.feeds import FORMATS, Feed
from feedproxy.feeds.markdown import link
from feedproxy.ingest.demo import with_made_up_names
from feedproxy.model import HAS
from feedproxy.query.grammar import FIELDS
from feedproxy.query.named_feeds import NamedFeed
from feedproxy.query.parameters import PARAMETERS, parse_query
from feedproxy.web import responses
from feedproxy.web.cache import Variants, build_variants
from feedproxy.web.context import base_url, context

bp = Blueprint("llms", __name__)
_HEADERS = (("Cache-Control", "public, max-age=3600"), ("X-Content-Type-Options", "nosniff"))
_EXAMPLES = {
    "q=agents": "the word, singular or plural, in title or abstract",
    "q=%22tool%20use%22": "the phrase",
    "q=diffus*": "words that begin so",
    "q=rl%20-survey": "the first word without the second",
    "q=(rag%20OR%20retrieval)%20title:agents": "either of two words, and another in the title",
    "q=author:%22yann%20lecun%22": "papers of one author",
    "q=org:nvidia%20has:code&min_upvotes=10": "papers of one lab with code, when they reach ten upvotes",
    "min_upvotes=50": "every paper that reaches fifty upvotes",
    "digest=week&top=5&q=agents": "one entry for each week, with its five best papers",
    "limit=5&content=none": "the titles of the five newest papers",
}


@bp.get("/llms.txt")
def llms() -> Response:
    """Answer with a text that stays the same as long as the server runs."""
    ctx = context()
    return responses.to_response(_variants(base_url(), ctx.service.named_feeds, ctx.config.is_demo))


@lru_cache(20)  # local names of this server, which a client may make up
def _variants(base: str, named_feeds: tuple[NamedFeed, ...], is_demo: bool) -> Variants:
    examples = {with_made_up_names(query) if is_demo else query: meaning for query, meaning in _EXAMPLES.items()}
    text = render_template(
        "llms.txt",
        base=base,
        is_demo=is_demo,
        parameters=PARAMETERS,
        fields=FIELDS,
        links=HAS,
        formats=FORMATS,
        feed=Feed(parse_query("q=agents&min_upvotes=2"), base),
        examples=[(Feed(parse_query(query), base), meaning) for query, meaning in examples.items()],
        named_feeds=[Feed(named_feed.query, base, named_feed) for named_feed in named_feeds],
        link=link,
        documentation=f"{HOME}#more",
    )
    return build_variants("other", f"{text}\n".encode(), "text/plain; charset=utf-8", None, _HEADERS)
