"""The Hub's own JSON in, as its API answers it or as its page embeds it; entries out."""

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from functools import partial
from itertools import islice
from typing import Any

from feedproxy.errors import ListingError
from feedproxy.ingest.parse.fields import (
    AUTHORS,
    KEYWORDS,
    NAME,
    SUMMARY,
    TITLE,
    Entries,
    InvalidEntry,
    count,
    day_of,
    midnight,
    moment,
    text_of,
)
from feedproxy.model import Organization, Paper, is_arxiv_id
from feedproxy.text import one_line, paragraphs, safe_url

_PAGE = 2**21  # ten times the longest seen
_TARGET = re.compile(r"""data-target=(["'])DailyPapers\1""")
_PROPS = re.compile(r"""\sdata-props=(["'])(.*?)\1""", re.DOTALL)
_OUTER_TIME_ENDS = datetime(2025, 3, 11, tzinfo=UTC)  # when `publishedAt` changed its meaning


def read_json(text: str, day: date | None, _: datetime | None = None) -> tuple[date | None, Entries]:
    """Read what `/api/daily_papers` answers."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ListingError(f"the listing is broken JSON: {error}") from error
    if isinstance(value, dict) and isinstance(value.get("error"), str):
        raise ListingError(f"the Hub answered: {one_line(value['error'], 200)}")
    return _from_value(value, day)


def _from_value(value: object, day: date | None) -> tuple[date | None, Entries]:
    """Read what the API answers, or the page's value, where a search has its papers elsewhere."""
    entries = value
    if isinstance(value, dict):
        day = next(filter(None, map(day_of, map(text_of, (value.get("date"), value.get("dateString"))))), day)
        found = value.get("searchResults")  # the page of a day may have one, too, which is empty
        entries = found if isinstance(found, list) and found else value.get("dailyPapers", found)
    if not isinstance(entries, list):
        raise ListingError("this JSON is no listing: it holds no array of papers")
    return day, _api_entries(entries, day)


def _api_entries(entries: list[object], day: date | None) -> Entries:
    for entry in entries:
        paper = entry.get("paper") if isinstance(entry, dict) else None
        name = text_of(paper.get("id")) if isinstance(paper, dict) else ""
        yield name, partial(_api_paper, entry, paper, day)


def _api_paper(entry: Any, paper: Any, day: date | None) -> Paper:
    if not isinstance(paper, dict):
        raise InvalidEntry("holds no paper")
    if not is_arxiv_id(text_of(paper.get("id"))):
        raise InvalidEntry("its id is no arXiv identifier")
    title = one_line(text_of(paper.get("title")), TITLE)
    if not title:
        raise InvalidEntry("has no title")
    authors = tuple(_visible_authors(paper.get("authors")))
    keywords = dict.fromkeys(_texts(_items(paper.get("ai_keywords"))))
    return Paper(
        id=paper["id"],
        title=title,
        summary=paragraphs(text_of(paper.get("summary")), SUMMARY),
        submitted_at=_submitted_at(entry, paper, day),
        published_at=moment(paper.get("publishedAt")),
        authors=authors[:AUTHORS],
        author_count=len(authors),
        upvotes=count(paper.get("upvotes"), "upvotes"),
        comments=count(entry.get("numComments", 0), "numComments"),
        thumbnail=safe_url(text_of(entry.get("thumbnail"))),
        organization=_organization(paper.get("organization") or entry.get("organization")),
        github_repo=safe_url(text_of(paper.get("githubRepo"))),
        project_page=safe_url(text_of(paper.get("projectPage"))),
        ai_keywords=tuple(islice(keywords, KEYWORDS)),
    )


def _visible_authors(authors: object) -> Iterator[str]:
    """Yield the name of each author who is not hidden; two may have the same."""
    known = [author for author in _items(authors) if isinstance(author, dict)]
    return _texts(author.get("name") for author in known if author.get("hidden") is not True)


def _texts(values: Iterable[object]) -> Iterator[str]:
    """Yield every non-empty text among `values`, cleaned."""
    return filter(None, (one_line(text_of(value), NAME) for value in values))


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _organization(value: object) -> Organization | None:
    known = value if isinstance(value, dict) else {}
    name = one_line(text_of(known.get("name")), NAME)
    fullname = one_line(text_of(known.get("fullname")), NAME)
    return Organization(name or fullname, fullname or name) if name or fullname else None


def _submitted_at(entry: Mapping[str, object], paper: Mapping[str, object], day: date | None) -> datetime:
    """Return when the paper was listed; where no field tells, the first moment of the day.

    The outer `publishedAt` was that time until 2025-03-10. Since then it is arXiv's time minus
    4 or 5 hours, which gives it away: a paper cannot be listed before it is published.
    """
    if "submittedOnDailyAt" in paper:
        told = moment(paper["submittedOnDailyAt"])
        if not told:
            raise InvalidEntry("its submittedOnDailyAt is no usable time")
        return told
    told, published = moment(entry.get("publishedAt")), moment(paper.get("publishedAt"))
    if told and told < _OUTER_TIME_ENDS and not (published and told < published):
        return told
    if not day:
        raise InvalidEntry("nothing says when it was listed")
    return midnight(day)


def read_html(text: str, day: date | None, _: datetime | None = None) -> tuple[date | None, Entries]:
    """Read the page `/papers/date/…`, whose data says more than its text.

    The data is an attribute of one tag. To parse the whole page would take 400 MB for one of tags alone, and
    minutes for one of attributes.
    """
    if len(text) > _PAGE:
        raise ListingError(f"the page has more than {_PAGE} characters")
    target = _TARGET.search(text)
    props = _PROPS.search(text, text.rfind("<", 0, target.start()) + 1) if target else None
    try:
        value = json.loads(html.unescape(props[2])) if props else None
    except (ValueError, RecursionError) as error:
        raise ListingError(f"the page cannot be read: {error}") from error
    if value is None:
        raise ListingError("this HTML page is no listing: it has no DailyPapers data")
    return _from_value(value, day)
