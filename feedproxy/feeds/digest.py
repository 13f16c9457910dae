"""A digest in, the parts of its entry out: its id and title, and its list of papers as HTML, as text and as JSON."""

import uuid
from functools import lru_cache
from typing import NamedTuple

from feedproxy import HUB
from feedproxy.feeds.entry import (
    FEW_AUTHORS,
    EntryView,
    ListedPaper,
    count_in_words,
    count_of,
    credit,
    digest_html,
    each_once,
    gist,
    link_of,
    paper_html,
)
from feedproxy.feeds.sentence import cut
from feedproxy.feeds.tex import readable
from feedproxy.model import Digest, Paper
from feedproxy.periods import Period
from feedproxy.query.parameters import Query

LATE = "Older papers that are not in the last digest, but now have at least as many upvotes as its last paper had."
_MAX_SUMMARY = 500  # characters, as much as a preview shows
_MAX_TITLE = 120  # characters, in the summary
_CACHE = 1_000  # papers, about two years of weekly digests
_IDENTITY = ("q", "min_upvotes", "min_comments", "or_upvotes", "digest", "top")


class _Item(NamedTuple):
    """One paper of a digest: its parts, and in a list of HTML, in one of plain text, and in one of JSON."""

    paper: ListedPaper
    html: str
    text: str
    members: dict[str, object]


def digest_view(digest: Digest, query: Query, topic: str, page: str) -> EntryView:
    """Return the view of a digest in the feed of `query`, which has the `topic` and the web page `page`."""
    period, image = digest.period, digest.papers[0].image
    papers, late = (
        [_item(paper, query.link, query.content) for paper in papers] for papers in (digest.papers, digest.late)
    )
    extension: dict[str, object] = {"digest": period.kind, "period": period.code}
    extension["papers"] = [item.members for item in papers]
    if late:
        extension["since_last"] = [item.members for item in late]
    return EntryView(
        id=_id(period, query),
        is_permalink=False,
        title=digest_title(digest, topic),
        link=period.hub_page or page,
        link_type="text/html",
        published=digest.entered_at,
        updated=digest.updated_at,
        summary=cut(" · ".join(f"{rank}. {item.text}" for rank, item in enumerate(papers, 1)), _MAX_SUMMARY),
        html=digest_html(
            image if query.content == "full" else None,
            [item.html for item in papers],
            [item.html for item in late],
            LATE,
        ),
        image=image,
        papers=tuple(item.paper for item in papers),
        late=tuple(item.paper for item in late),
        extension=extension,
    )


def _id(period: Period, query: Query) -> str:
    """Return a URN, the same on every server and wherever the links lead."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{HUB}?{_conditions(query)}#{period.code}").urn


@lru_cache(1)  # the query of all digests in a feed
def _conditions(query: Query) -> str:
    return str(Query(**{name: getattr(query, name) for name in _IDENTITY}))


def digest_title(digest: Digest, topic: str) -> str:
    """Return the title of the entry, such as `10 best of week 32, 2026: agents`."""
    count = len(digest.papers)
    best = f"{count} best" if count > 1 else "Best"
    return ": ".join(filter(None, (f"{best} of {digest.period.title}", topic)))


# The same paper appears in digests of a day, a week and a month, and for many filters.
@lru_cache(_CACHE)
def _item(paper: Paper, link: str, content: str) -> _Item:
    """Return a paper for the parameters `link` and `content`."""
    title, links, count = readable(paper.title), paper.links, count_in_words(paper)
    address = link_of(links, link)
    names = (("Hub", links.hub), ("arXiv", links.arxiv), ("PDF", links.pdf), ("Code", paper.github_repo))
    row = ListedPaper(title, address, count if content == "brief" else "")
    if content == "full":
        byline = " · ".join(filter(None, (credit(paper, FEW_AUTHORS), count)))
        row = ListedPaper(title, address, byline, gist(paper), each_once(names))
    members = {"id": paper.id, "title": title, "url": address, **count_of(paper)}
    return _Item(row, paper_html(row, content), f"{cut(title, _MAX_TITLE)} ({count})", members)
