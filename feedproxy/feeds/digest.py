"""A digest in, the parts of its entry out: its id and title, and its list of papers as HTML, as text and as JSON."""

import uuid
from collections.abc import Iterable
from functools import lru_cache

from feedproxy.feeds.entry import EntryView, count_of, credit, each_once, link_of, template
from feedproxy.feeds.feed import HUB, Feed
from feedproxy.feeds.sentence import cut, first_sentence
from feedproxy.feeds.tex import readable
from feedproxy.model import Digest, Paper
from feedproxy.periods import Period
from feedproxy.query.parameters import Query
from feedproxy.text import plural

_AUTHORS = 3
_MAX_SUMMARY = 500  # characters, as much as a preview shows
_MAX_TITLE = 120  # characters, in the summary
_CACHE = 1_000  # papers, about two years of weekly digests
_IDENTITY = ("q", "min_upvotes", "min_comments", "or_upvotes", "digest", "top")


def digest_view(digest: Digest, feed: Feed) -> EntryView:
    """Return the view of a digest in its feed."""
    first, query = digest.papers[0], feed.query
    return EntryView(
        id=_id(digest.period, query),
        is_permalink=False,
        title=_title(digest, feed),
        link=digest.period.hub_page or feed.at_page(1).address(),
        link_type="text/html",
        published=digest.entered_at,
        updated=digest.updated_at,
        summary=_summary(digest.papers),
        html=_html(digest, query),
        image=first.image,
        extension=_extension(digest, query),
    )


def _id(period: Period, query: Query) -> str:
    """Return a URN, the same on every server and wherever the links lead."""
    conditions = Query(**{name: getattr(query, name) for name in _IDENTITY})
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{HUB}?{conditions}#{period.code}").urn


def _title(digest: Digest, feed: Feed) -> str:
    count = len(digest.papers)
    best = f"{count} best" if count > 1 else "Best"
    words = feed.name.title if feed.name else feed.conditions
    return ": ".join(filter(None, (f"{best} of {digest.period.title}", words)))


def _summary(papers: Iterable[Paper]) -> str:
    """Return titles and counts as plain text, on one line: as many as there is room for."""
    parts = (
        f"{rank}. {cut(readable(paper.title), _MAX_TITLE)} ({_count(paper)})" for rank, paper in enumerate(papers, 1)
    )
    return cut(" · ".join(parts), _MAX_SUMMARY)


def _count(paper: Paper) -> str:
    ((name, number),) = count_of(paper).items()
    return plural(number, name.removesuffix("s"))


def _html(digest: Digest, query: Query) -> str:
    is_full = query.content == "full"
    papers, late = (
        [_paper(paper, link_of(paper.links, query), is_full) for paper in papers]
        for papers in (digest.papers, digest.late)
    )
    image = digest.papers[0].image if is_full else None
    return template("digest.html").render(image=image, papers=papers, late=late, origin=_origin(digest))


def _origin(digest: Digest) -> str:
    """Return the names of the periods that the late papers are from, such as `week 31, 2026`."""
    periods = sorted({Period.of(digest.period.kind, paper.submitted_at.date()) for paper in digest.late})
    return " to ".join(dict.fromkeys(period.title for period in (*periods[:1], *periods[-1:])))


# The same paper appears in many digests, and in the same one for many filters.
@lru_cache(_CACHE)
def _paper(paper: Paper, address: str, is_full: bool) -> str:
    """Return one paper of the list as HTML; a title and its link if not `is_full`."""
    if not is_full:
        return template("digest_paper.html").render(title=readable(paper.title), address=address)
    links = paper.links
    names = (("Hub", links.hub), ("arXiv", links.arxiv), ("PDF", links.pdf), ("Code", paper.github_repo))
    return template("digest_paper.html").render(
        title=readable(paper.title),
        address=address,
        credit=" · ".join(filter(None, (credit(paper, _AUTHORS), _count(paper)))),
        sentence=_sentence(paper),
        links=each_once(names),
    )


def _sentence(paper: Paper) -> str:
    """Return the Hub's own summary, marked as such, or the abstract; the first sentence of it."""
    if paper.ai_summary:
        return f"{first_sentence(readable(paper.ai_summary))} (AI summary)"
    return first_sentence(readable(paper.summary))


def _extension(digest: Digest, query: Query) -> dict[str, object]:
    papers, late = (
        [
            {"id": paper.id, "title": readable(paper.title), "url": link_of(paper.links, query)} | count_of(paper)
            for paper in papers
        ]
        for papers in (digest.papers, digest.late)
    )
    period = digest.period
    since_last = {"since_last": late} if late else {}
    return {"digest": period.kind, "period": period.code, "papers": papers} | since_last
