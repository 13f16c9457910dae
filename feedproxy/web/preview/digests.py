"""A query of digests in; its digests as the page shows them, and the one that comes next, out. Knows no HTML."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import NamedTuple

from feedproxy.archive import Archive
from feedproxy.archive.state import SearchResult
from feedproxy.feeds.digest import digest_title
from feedproxy.feeds.entry import FEW_AUTHORS, byline, count_in_words
from feedproxy.feeds.tex import readable
from feedproxy.model import Digest, Paper
from feedproxy.query.interests import describe
from feedproxy.query.parameters import Query
from feedproxy.web.preview.highlight import Highlighter, Segments, compile_highlighter, highlight

_MAX_DIGESTS, _MAX_PAPERS = 10, 120  # on a page, so that it stays light


@dataclass(frozen=True, slots=True)
class PreviewPaper:
    """A paper of a digest as the page shows it: its texts in segments, and its upvotes in words."""

    paper: Paper
    title: Segments
    authors: Segments
    organization: Segments
    count: str


@dataclass(frozen=True, slots=True)
class PreviewDigest:
    """A digest as the page shows it: the title of its entry, its papers, and those that rose late."""

    digest: Digest
    title: str
    papers: tuple[PreviewPaper, ...]
    late: tuple[PreviewPaper, ...]


@dataclass(frozen=True, slots=True)
class DigestPreview:
    """The digest that comes next, the newest ones, and the others on this page of the feed, newest first.

    `is_due` says that the next one waits for listings. Nothing is closed yet if not `has_closed`.
    """

    next: PreviewDigest | None
    is_due: bool
    newest: tuple[PreviewDigest, ...]
    others: tuple[Digest, ...]
    has_closed: bool


def digest_preview(archive: Archive, query: Query, result: SearchResult[Digest]) -> DigestPreview:
    """Return what the page shows of `result`, which is the page of digests that `query` asks for."""
    papers = accumulate(len(digest.papers) + len(digest.late) for digest in result.entries)
    number = max(1, sum(total <= _MAX_PAPERS for total in list(papers)[:_MAX_DIGESTS]))
    # None of the future on a page of the past.
    coming = archive.next_digest(query) if query.page == 1 else None
    newest = _previews([*filter(None, [coming]), *result.entries[:number]], query)
    return DigestPreview(
        newest[0] if coming else None,
        coming is not None and result.state.has_refreshed_since(coming.entered_at),
        newest[1:] if coming else newest,
        result.entries[number:],
        bool(result.entries or archive.digests(Query(digest=query.digest, top=1, days=3660, limit=1)).entries),
    )


def count_digests(archive: Archive, query: Query, result: SearchResult[Digest]) -> int:
    """Return the number of digests on all pages up to that of `query`; on its first page if that has none."""
    if query.page > 1 and not result.entries:
        return len(archive.digests(replace(query, page=1)).entries)
    return (query.page - 1) * query.limit + len(result.entries)


def _previews(digests: Iterable[Digest], query: Query) -> tuple[PreviewDigest, ...]:
    topic, marks = describe(query), _Marks(*(compile_highlighter(query.q, field) for field in _Marks._fields))
    return tuple(
        PreviewDigest(
            digest,
            digest_title(digest, topic),
            tuple(_paper(paper, marks) for paper in digest.papers),
            tuple(_paper(paper, marks) for paper in digest.late),
        )
        for digest in digests
    )


class _Marks(NamedTuple):
    """What finds the words to mark in each field of a paper; the names are those of the filter."""

    title: Highlighter | None
    author: Highlighter | None
    org: Highlighter | None


def _paper(paper: Paper, marks: _Marks) -> PreviewPaper:
    return PreviewPaper(
        paper,
        highlight(readable(paper.title), marks.title),
        highlight(byline(paper, FEW_AUTHORS), marks.author),
        highlight(paper.organization.fullname if paper.organization else "", marks.org),
        count_in_words(paper),
    )
