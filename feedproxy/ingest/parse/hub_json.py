"""The Hub's JSON in, from its API or its page; entries out."""

import html
import json.scanner
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from functools import partial
from itertools import islice
from typing import Any

from feedproxy.errors import ListingError
from feedproxy.ingest.parse import fields
from feedproxy.ingest.parse.fields import Entries, InvalidEntry, as_count, as_text, leading_day, read_count, read_time
from feedproxy.model import Organization, Paper, is_arxiv_id, is_hub_file
from feedproxy.periods import midnight
from feedproxy.rest import rest
from feedproxy.text import one_line, paragraphs, safe_url

_MAX_PAGE = 2**21  # characters; ten times the longest so far
_TARGET = re.compile(r"""data-target=(["'])DailyPapers\1""")
_PROPS = re.compile(r"""\sdata-props=(["'])(.*?)\1""", re.DOTALL)
_IMAGE = re.compile(r"\.(?:png|jpe?g|gif|webp|avif|svg|bmp|tiff?|heic|heif|jxl|ico)(?:[?#]|$)", re.IGNORECASE)
_OUTER_TIME_ENDS = datetime(2025, 3, 11, tzinfo=UTC)  # when the outer `publishedAt` changed its meaning


def _rest_after(value: dict[str, Any]) -> dict[str, Any]:
    rest()
    return value


# C would decode a document in one go, for a second if it has 16 MB, and let no poll be answered meanwhile. Python
# decodes it value by value, which takes three to six times as long.
_decoder = json.JSONDecoder(object_hook=_rest_after)
_decoder.scan_once = json.scanner.py_make_scanner(_decoder)  # type: ignore[attr-defined]
decode = _decoder.decode


def read_json(text: str, day: date | None, _: datetime | None) -> tuple[date | None, Entries]:
    """Read an answer of `/api/daily_papers`."""
    try:
        value = decode(text)
    except (ValueError, RecursionError) as error:
        raise ListingError(f"the listing is broken JSON: {error}") from error
    if isinstance(value, dict) and isinstance(value.get("error"), str):
        raise ListingError(f"the Hub answered: {one_line(value['error'], 200)}")
    return _read_value(value, day)


def read_html(text: str, day: date | None, _: datetime | None) -> tuple[date | None, Entries]:
    """Read the page `/papers/date/…`, from the JSON in an attribute of one tag.

    A real HTML parser would take 400 MB for a hostile page of nothing but tags, and minutes for one of attributes.
    """
    if len(text) > _MAX_PAGE:
        raise ListingError(f"the page has more than {_MAX_PAGE} characters")
    target = _TARGET.search(text)
    props = _PROPS.search(text, text.rfind("<", 0, target.start()) + 1) if target else None
    try:
        value = decode(html.unescape(props[2])) if props else None
    except (ValueError, RecursionError) as error:
        raise ListingError(f"the page cannot be read: {error}") from error
    if value is None:
        raise ListingError("this HTML page is not a listing: it has no DailyPapers data")
    return _read_value(value, day)


def _read_value(value: object, day: date | None) -> tuple[date | None, Entries]:
    """Read the API's array, or the page's object; a search page has its papers under another key."""
    entries = value
    if isinstance(value, dict):
        days = (leading_day(as_text(value.get(key))) for key in ("date", "dateString"))
        day = next(filter(None, days), day)
        results = value.get("searchResults")  # on the page of a day this is empty
        entries = results if isinstance(results, list) and results else value.get("dailyPapers", results)
    if not isinstance(entries, list):
        raise ListingError("this JSON is not a listing: it has no array of papers")
    return day, _entries(entries, day)


def _entries(entries: list[object], day: date | None) -> Entries:
    for entry in entries:
        paper = entry.get("paper") if isinstance(entry, dict) else None
        name = as_text(paper.get("id")) if isinstance(paper, dict) else ""
        yield name, partial(_paper, entry, paper, day)


def _paper(entry: Any, paper: Any, day: date | None) -> Paper:
    if not isinstance(paper, dict):
        raise InvalidEntry("has no paper")
    if not is_arxiv_id(as_text(paper.get("id"))):
        raise InvalidEntry("its id is not an arXiv identifier")
    title = one_line(as_text(paper.get("title")), fields.MAX_TITLE)
    if not title:
        raise InvalidEntry("has no title")
    authors = [author for author in _items(paper.get("authors")) if isinstance(author, dict)]
    names = tuple(_names(author.get("name") for author in authors if author.get("hidden") is not True))
    keywords = dict.fromkeys(_names(_items(paper.get("ai_keywords"))))
    return Paper(
        id=paper["id"],
        title=title,
        summary=paragraphs(as_text(paper.get("summary")), fields.MAX_SUMMARY),
        submitted_at=_submitted_at(entry, paper, day),
        published_at=read_time(paper.get("publishedAt")),
        authors=names[: fields.MAX_AUTHORS],
        author_count=len(names),
        upvotes=read_count(paper.get("upvotes"), "upvotes"),
        comments=read_count(entry.get("numComments", 0), "numComments"),
        thumbnail=safe_url(as_text(entry.get("thumbnail"))),
        organization=_organization(paper.get("organization") or entry.get("organization")),
        github_repo=safe_url(as_text(paper.get("githubRepo"))),
        project_page=safe_url(as_text(paper.get("projectPage"))),
        ai_keywords=tuple(islice(keywords, fields.MAX_KEYWORDS)),
        ai_summary=one_line(as_text(paper.get("ai_summary")), fields.MAX_AI_SUMMARY) or None,
        github_stars=as_count(paper.get("githubStars")),
        media=tuple(islice(_media(entry.get("mediaUrls") or paper.get("mediaUrls")), fields.MAX_MEDIA)),
    )


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _names(values: Iterable[object]) -> Iterator[str]:
    """Yield every non-empty text among `values`, on one line; authors may share a name."""
    return filter(None, (one_line(as_text(value), fields.MAX_NAME) for value in values))


def _media(values: object) -> Iterator[str]:
    """Yield each address among `values` of a file on the Hub's servers that is no image."""
    addresses = (safe_url(as_text(value)) for value in _items(values))
    files = (address for address in addresses if address and is_hub_file(address) and not _IMAGE.search(address))
    return iter(dict.fromkeys(files))


def _organization(value: object) -> Organization | None:
    keys = value if isinstance(value, dict) else {}
    name, fullname = (one_line(as_text(keys.get(key)), fields.MAX_NAME) for key in ("name", "fullname"))
    return Organization(name or fullname, fullname or name) if name or fullname else None


def _submitted_at(entry: Mapping[str, object], paper: Mapping[str, object], day: date | None) -> datetime:
    """Return the listing time; without a usable field, the beginning of the day.

    Until 2025-03-10 the outer `publishedAt` was that time. Since then it is arXiv's time minus 4 or 5 hours, and we can
    tell: no listing time is before the publication.
    """
    if "submittedOnDailyAt" in paper:
        submitted = read_time(paper["submittedOnDailyAt"])
        if not submitted:
            raise InvalidEntry("its submittedOnDailyAt is not a usable time")
        return submitted
    outer, published = read_time(entry.get("publishedAt")), read_time(paper.get("publishedAt"))
    if outer and outer < _OUTER_TIME_ENDS and not (published and outer < published):
        return outer
    if not day:
        raise InvalidEntry("nothing says when it was listed")
    return midnight(day)
