"""Bytes of a listing, in each form and in every state of disrepair: papers, or one plain error."""

import copy
import dataclasses
import gzip
import html
import json
import re
import string
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedproxy.errors import ListingError
from feedproxy.ingest.parse import parse
from feedproxy.ingest.parse.hub_json import decode
from feedproxy.model import Listing, Organization, Paper
from tests.factories import DAY, api, capture, entries, entry, page, paper_id

LATEST = datetime(2026, 3, 11, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 10, tzinfo=UTC)
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2
TEXT = ("A Made-Up Paper", "It is about nothing at all.", "  • 3 authors", "Mar 8, 2026")


def only(data: bytes, **options: Any) -> Paper:
    """Return the one paper in `data`."""
    listing = parse(data, **options)
    assert () == listing.skipped
    (paper,) = listing.papers
    return paper


def of(raw: dict[str, Any], **options: Any) -> Paper:
    """Return the paper that the API's entry `made` is read as."""
    return only(api([raw]), **options)


def failure(data: bytes) -> str:
    """Return the one line with which `data` is refused."""
    with pytest.raises(ListingError) as raised:
        parse(data, day=DAY, latest=LATEST)
    (line,) = str(raised.value).splitlines()
    return line


# Forms ------------------------------------------------------------------------------------------


def test_page_and_api_agree():
    """The page and the API of one day give the same papers."""
    listed = entries(7)

    assert parse(api(listed), day=DAY) == parse(page(listed))


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (api(entries(3)), 3),
        (b"\xef\xbb\xbf \r\n" + api(entries(3)), 3),
        (json.dumps({"dailyPapers": entries(2)}).encode(), 2),
        (page(entries(2)), 2),
        (b"\n<!-- saved -->\n" + page(entries(2)), 2),
        (page(entries(2)).split(b"<body>")[1], 2),
        (capture(TEXT), 1),
        (capture(TEXT).replace(b"\n", b"\r\n"), 1),
        (api([]), 0),
        (page([]), 0),
    ],
)
def test_form_from_bytes(data: bytes, count: int):
    """The form of a listing shows in its bytes."""
    assert count == len(parse(data, day=DAY).papers)


def test_search_page():
    """On a search page the papers found count, not the others it holds."""
    listed = parse(page(entries(5), searchResults=entries(2, first=8)))

    assert [paper_id(8), paper_id(9)] == [paper.id for paper in listed.papers]


def test_day_page_with_an_empty_search():
    """The page of a day may hold a search that found nothing; its papers are those of the day."""
    assert 5 == len(parse(page(entries(5), searchResults=[])).papers)
    assert () == parse(json.dumps({"searchResults": []}).encode()).papers


# Fields of the Hub ------------------------------------------------------------------------------


def test_every_field():
    """Every field of an entry arrives in its paper."""
    raw = entry(
        upvotes=12,
        numComments=3,
        organization={"_id": "1", "name": "example-org", "fullname": "Example Org", "avatar": "x"},
        githubRepo="https://example.org/code",
        projectPage="https://example.org/project/",
        ai_keywords=["agents", "tool use", "agents"],
        ai_summary=" A made-up\npaper. ",
        githubStars=240,
        mediaUrls=["https://cdn-uploads.huggingface.co/made-up/1.mp4"],
    )

    assert Paper(
        id="9913.00001",
        title="Paper 1 on Retrieval",
        summary="We made up paper 1, which is about retrieval and nothing else.",
        submitted_at=MIDNIGHT,
        published_at=datetime(2026, 3, 9, tzinfo=UTC),
        authors=("Ada Example 1", "Ben Placeholder"),
        author_count=2,
        upvotes=12,
        comments=3,
        thumbnail="https://cdn-thumbnails.huggingface.co/made-up/1.png",
        organization=Organization("example-org", "Example Org"),
        github_repo="https://example.org/code",
        project_page="https://example.org/project/",
        ai_keywords=("agents", "tool use"),
        ai_summary="A made-up paper.",
        github_stars=240,
        media=("https://cdn-uploads.huggingface.co/made-up/1.mp4",),
    ) == of(raw)


def test_least_fields():
    """An identifier, a title, upvotes and a time are enough for a paper."""
    raw = {
        "paper": {"id": "9913.00001", "title": "Bare", "upvotes": 0, "submittedOnDailyAt": "2026-03-10T00:00:00.000Z"}
    }

    assert Paper(id="9913.00001", title="Bare", summary="", submitted_at=MIDNIGHT, upvotes=0) == of(raw)


def test_unknown_keys():
    """Keys nobody knows change nothing."""
    raw = entry()
    strange = {**raw, "paper": {**raw["paper"], "new": [1, {}]}, "newer": {"upvotes": 9}}

    assert of(raw) == of(strange)


def test_inner_title():
    """The title inside the paper counts, on one line; the outer one does not."""
    raw = entry(title="Inner\n   title ") | {"title": "Outer title"}

    assert "Inner title" == of(raw).title


def test_summary_paragraphs():
    """An abstract keeps its paragraphs and loses its line ends."""
    assert "One two.\n\nThree." == of(entry(summary="One\ntwo. \r\n \r\n\tThree.")).summary


def test_hidden_authors():
    """Hidden authors are left out, also of their number; namesakes are two."""
    names = [("Ada", False), ("Ghost", True), ("Bo", False), ("Ada", None), ("  ", False)]
    raw = entry(authors=[{"name": name, "hidden": hidden} for name, hidden in names] + ["no author", {}])
    paper = of(raw)

    assert (("Ada", "Bo", "Ada"), 3) == (paper.authors, paper.author_count)


def test_upvotes_inside_only():
    """Upvotes are inside the paper; a number of that name outside does not count."""
    raw = entry(upvotes=None) | {"upvotes": 7}

    assert "its upvotes is not a count" == parse(api([raw])).skipped[0].reason


def test_comments_outside_only():
    """The number of comments is outside the paper; one inside does not count."""
    raw = entry(numComments=None)
    raw["paper"]["numComments"] = 7

    assert 0 == of(raw).comments


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" https://example.org/a ", "https://example.org/a"),
        ("https://example.org/a/", "https://example.org/a/"),
        ("\r\nhttps://exam\nple.org/a\n\t/b", "https://example.org/a/b"),
        ("http://example.org/ü", "http://example.org/%C3%BC"),
        ("javascript:alert(1)", None),
        ("//example.org/a", None),
        ("https://exa mple.org", None),
        ("https://[::1", None),
        ("https://example.org/\ud800", None),
        ("", None),
        (7, None),
        (["https://example.org"], None),
    ],
)
@pytest.mark.parametrize("field", ["thumbnail", "githubRepo", "projectPage"])
def test_addresses(field: str, text: object, address: str | None):
    """Addresses are absolute, without the spaces around them; anything else is left out and costs no paper."""
    name = {"githubRepo": "github_repo", "projectPage": "project_page"}.get(field, field)

    assert address == getattr(of(entry(**{field: text})), name)


_UPLOADS = "https://cdn-uploads.huggingface.co/made-up"


@pytest.mark.parametrize(
    ("addresses", "media"),
    [
        ([f" {_UPLOADS}/1.mp4\n", f"{_UPLOADS}/2.qt", f"{_UPLOADS}/1.mp4"], (f"{_UPLOADS}/1.mp4", f"{_UPLOADS}/2.qt")),
        ([f"{_UPLOADS}/{name}" for name in ("1.png", "2.JPEG", "3.gif?x=1", "4.webp#a", "5.avif")], ()),
        (["https://example.org/1.mp4", "http://cdn-uploads.huggingface.co/1.mp4", "javascript:alert(1)//.mp4"], ()),
        ([f"{_UPLOADS}/{number}.mp4" for number in range(99)], tuple(f"{_UPLOADS}/{n}.mp4" for n in range(10))),
        (f"{_UPLOADS}/1.mp4", ()),
        ([None, 3, [f"{_UPLOADS}/1.mp4"]], ()),
    ],
    ids=["videos", "images", "elsewhere", "many", "text", "no texts"],
)
@pytest.mark.parametrize("inside", [True, False])
def test_media(addresses: object, media: tuple[str, ...], inside: bool):
    """Media are what the Hub keeps that is no image, in the paper or beside it; anything else costs no paper."""
    raw = entry(mediaUrls=addresses if inside else None)
    assert media == of(raw if inside else raw | {"mediaUrls": addresses}).media


@pytest.mark.parametrize(
    ("organization", "expected"),
    [
        ({"name": "ex", "fullname": "Ex"}, Organization("ex", "Ex")),
        ({"name": "ex"}, Organization("ex", "ex")),
        ({"fullname": "Ex"}, Organization("Ex", "Ex")),
        ({"_id": "1"}, None),
        ("Ex", None),
        ([], None),
    ],
)
@pytest.mark.parametrize("inside", [True, False])
def test_organization(organization: object, expected: Organization | None, inside: bool):
    """An organization may stand in the paper or beside it."""
    raw = entry()
    (raw["paper"] if inside else raw)["organization"] = organization

    assert expected == of(raw).organization


# When it was listed -----------------------------------------------------------------------------

ASKED = date(2025, 3, 12)


@pytest.mark.parametrize(
    ("fields", "day", "expected"),
    [
        # submittedOnDailyAt says it, to the second and in any zone.
        ({"submittedOnDailyAt": "2025-03-17T07:08:09.876Z"}, ASKED, "2025-03-17T07:08:09+00:00"),
        ({"submittedOnDailyAt": "2025-03-17T01:00:00+02:00"}, None, "2025-03-16T23:00:00+00:00"),
        ({"submittedOnDailyAt": "2025-03-17T07:08:09"}, None, "2025-03-17T07:08:09+00:00"),
        ({"submittedOnDailyAt": "2026-05-14T00:00:00.000Z", "publishedAt": "2025-01-01T00:00:00Z"}, None, "2026-05-14"),
        # Without it, the outer publishedAt, as long as it meant that.
        ({"publishedAt": "2024-05-27T09:10:11.000Z"}, ASKED, "2024-05-27T09:10:11+00:00"),
        ({"publishedAt": "2025-03-10T23:59:59.000Z"}, ASKED, "2025-03-10T23:59:59+00:00"),
        # After that the day that was asked for.
        ({"publishedAt": "2025-03-11T00:00:00.000Z"}, ASKED, "2025-03-12"),
        ({"publishedAt": "2026-03-09T20:00:00.000Z"}, ASKED, "2025-03-12"),
        ({"publishedAt": None}, ASKED, "2025-03-12"),
        ({"publishedAt": "yesterday"}, ASKED, "2025-03-12"),
        # An outer time before arXiv's own is of the new kind, whatever its date.
        ({"publishedAt": "2025-03-06T19:00:00Z", "inner": "2025-03-07T00:00:00Z"}, ASKED, "2025-03-12"),
    ],
)
def test_listing_time(fields: dict[str, Any], day: date | None, expected: str):
    """A paper's listing time comes from the field that means it, or is the day that was asked for."""
    raw = entry(day=None, publishedAt=fields.get("publishedAt"))
    raw["paper"]["publishedAt"] = fields.get("inner", "2024-01-01T00:00:00.000Z")
    if "submittedOnDailyAt" in fields:
        raw["paper"]["submittedOnDailyAt"] = fields["submittedOnDailyAt"]

    assert datetime.fromisoformat(expected).replace(tzinfo=UTC) == of(raw, day=day).submitted_at


def test_nobody_knows_when():
    """A paper of which nothing says when it was listed is left out."""
    listing = parse(api([entry(day=None)]))

    assert "nothing says when it was listed" == listing.skipped[0].reason


def test_page_date_overrules():
    """The date the page names is the day, whichever was asked for."""
    listing = parse(page([entry(day=None)], DAY), day=ASKED)

    assert (DAY, MIDNIGHT) == (listing.day, listing.papers[0].submitted_at)


@pytest.mark.parametrize(
    ("fields", "day"),
    [
        ({"dateString": "2026-08-07", "periodType": "day"}, date(2026, 8, 7)),
        ({"dateString": "2026-W32", "periodType": "week"}, ASKED),
        ({"dateString": "2026-08", "periodType": "month"}, ASKED),
        ({"dateString": 20260807}, ASKED),
        ({"date": "2026-08-07T00:00:00.000Z", "dateString": "2026-08-08"}, date(2026, 8, 7)),
    ],
)
def test_page_date_string(fields: dict[str, Any], day: date):
    """Newer pages name their day in `dateString`, which may be a week or a month instead."""
    assert day == parse(page([], **{"date": None} | fields), day=ASKED).day


@pytest.mark.parametrize("named", [None, "soon", 20260310, "1970-01-01T00:00:00Z"])
def test_page_without_date(named: object):
    """A page that names no usable date is of the day that was asked for."""
    assert ASKED == parse(page([], date=named), day=ASKED).day


@pytest.mark.parametrize(
    ("wanted", "day"),
    [(None, DAY), (ASKED, ASKED)],
)
def test_day_of_api(wanted: date | None, day: date):
    """An answer of the API is of the day that was asked for, or else of its newest paper."""
    listed = [*entries(2), entry(3, day=DAY - timedelta(days=5)), entry(4, day=date(2099, 1, 1))]

    assert day == parse(api(listed), day=wanted, latest=LATEST).day


# The text capture -------------------------------------------------------------------------------


def test_text_paper():
    """A paper copied as text has its title, abstract, authors' number, date and comments; never upvotes."""
    data = capture(("Tool-Use & Other   Ünsinn", "One.\n\nTwo.", "  • 1,234 authors", "Mar 8, 2026 1,002"))

    assert Paper(
        id="tool-use-other-unsinn",
        title="Tool-Use & Other Ünsinn",
        summary="One.\n\nTwo.",
        submitted_at=MIDNIGHT,
        published_at=datetime(2026, 3, 8, tzinfo=UTC),
        author_count=1234,
        upvotes=None,
        comments=1002,
    ) == only(data)


@pytest.mark.parametrize(
    ("header", "newest", "day"),
    [
        ("Daily Papers\n\nMar 10\n", "Mar 8, 2026", date(2026, 3, 10)),
        ("Daily Papers\n\n  Mar 8 \n", "Mar 8, 2026", date(2026, 3, 8)),
        ("Daily Papers\n\nJan 2\n", "Dec 30, 2025", date(2026, 1, 2)),
        ("Mar 1\nby us\nMar 7\n", "Mar 8, 2026", date(2027, 3, 7)),
        ("Feb 29\n", "Mar 1, 2025", date(2028, 2, 29)),
        ("Feb 29\n", "Mar 1, 2096", date(2104, 2, 29)),
        ("Feb 30\n", "Mar 8, 2026", date(2026, 3, 8)),
        ("Abc 10\n", "Mar 8, 2026", date(2026, 3, 8)),
        ("Dec 30\n", "Dec 31, 9999", date(9999, 12, 31)),
        ("Daily Papers\n", "Mar 8, 2026", date(2026, 3, 8)),
        ("", "Mar 8, 2026", date(2026, 3, 8)),
    ],
)
def test_text_day(header: str, newest: str, day: date):
    """The header's day has the first year that is not before the newest paper; without one, that paper's date."""
    listing = parse(capture((*TEXT[:3], newest), ("Older", "x", "• 1 author", "Jan 5, 2017"), header=header))

    assert (day, [day] * 2) == (listing.day, [paper.submitted_at.date() for paper in listing.papers])
    assert ["A Made-Up Paper", "Older"] == [paper.title for paper in listing.papers]


def test_text_asked_day():
    """A text without a day in its header is of the day that was asked for."""
    assert ASKED == parse(capture(TEXT, header=""), day=ASKED).day


@pytest.mark.parametrize(
    ("byline", "organization", "count"),
    [
        ("example-org Example Org", Organization("example-org", "Example Org"), 0),
        ("example", Organization("example", "example"), 0),
        ("• 1 author", None, 1),
        ("\t• 12 authors ", None, 12),
        ("\x01", None, 0),
    ],
)
def test_text_byline(byline: str, organization: Organization | None, count: int):
    """A byline is a number of authors, or an organization's account and name."""
    paper = only(capture((*TEXT[:2], byline, TEXT[3])))

    assert (organization, count) == (paper.organization, paper.author_count)


def test_text_future():
    """A paper of a date that has not come neither counts nor moves the day of the others."""
    listing = parse(capture(TEXT, ("Tomorrow's Paper", "x", "• 1 author", "Mar 8, 2099")), latest=LATEST)

    assert (DAY, ["A Made-Up Paper"]) == (listing.day, [paper.title for paper in listing.papers])
    assert "published in the future (2099-03-08)" == listing.skipped[0].reason


# Bad entries ------------------------------------------------------------------------------------


def changed(**fields: Any) -> dict[str, Any]:
    """Return entry 7 with `fields` in its paper, None included; `...` takes one away."""
    raw = entry(7)
    raw["paper"] |= fields
    raw["paper"] = {name: value for name, value in raw["paper"].items() if value is not ...}
    return raw


BAD_ID, BAD_COUNT = "its id is not an arXiv identifier", "its upvotes is not a count"
NO_TIME = "its submittedOnDailyAt is not a usable time"


@pytest.mark.parametrize(
    ("bad", "name", "reason"),
    [
        (None, "an entry without a name", "has no paper"),
        ("entry", "an entry without a name", "has no paper"),
        ([], "an entry without a name", "has no paper"),
        ({}, "an entry without a name", "has no paper"),
        ({"paper": None}, "an entry without a name", "has no paper"),
        ({"paper": ["x"]}, "an entry without a name", "has no paper"),
        (changed(id=...), "an entry without a name", BAD_ID),
        (changed(id=9913.00007), "an entry without a name", BAD_ID),
        (changed(id="../../etc/passwd"), "../../etc/passwd", BAD_ID),
        (changed(id="9913.00007v2"), "9913.00007v2", BAD_ID),
        (changed(id="9913.00007\n"), "9913.00007", BAD_ID),
        (changed(id="٩٩١٣.٠٠٠٠٧"), "٩٩١٣.٠٠٠٠٧", BAD_ID),
        (changed(id="<b>&\ud800" + "x" * 100), "<b>&" + "x" * 75 + "…", BAD_ID),
        (changed(title=...), paper_id(7), "has no title"),
        (changed(title=" \n\x00"), paper_id(7), "has no title"),
        (changed(title=["x"]), paper_id(7), "has no title"),
        (changed(upvotes=...), paper_id(7), BAD_COUNT),
        (changed(upvotes=None), paper_id(7), BAD_COUNT),
        (changed(upvotes=-1), paper_id(7), BAD_COUNT),
        (changed(upvotes="5"), paper_id(7), BAD_COUNT),
        (changed(upvotes=True), paper_id(7), BAD_COUNT),
        (changed(upvotes=5.0), paper_id(7), BAD_COUNT),
        (changed(upvotes=1e30), paper_id(7), BAD_COUNT),
        (changed(upvotes=float("nan")), paper_id(7), BAD_COUNT),
        (changed(upvotes=2**31), paper_id(7), BAD_COUNT),
        (entry(7, numComments=-1), paper_id(7), "its numComments is not a count"),
        (changed(submittedOnDailyAt=None), paper_id(7), NO_TIME),
        (changed(submittedOnDailyAt=1741564800), paper_id(7), NO_TIME),
        (changed(submittedOnDailyAt="2026-02-30T00:00:00Z"), paper_id(7), NO_TIME),
        (changed(submittedOnDailyAt="1970-01-01T00:00:00Z"), paper_id(7), NO_TIME),
        (changed(submittedOnDailyAt="9999-12-31T23:59:59-23:59"), paper_id(7), NO_TIME),
        (changed(submittedOnDailyAt="2099-01-01T00:00:00Z"), paper_id(7), "listed in the future (2099-01-01)"),
    ],
)
@pytest.mark.parametrize("form", [api, page])
def test_bad_entry(form: Any, bad: object, name: str, reason: str):
    """A bad entry is left out, counted and named, and costs no good one."""
    listing = parse(form([entry(1), bad, entry(2)]), day=DAY, latest=LATEST)

    assert [paper_id(1), paper_id(2)] == [paper.id for paper in listing.papers]
    assert [(name, reason)] == [(skip.name, skip.reason) for skip in listing.skipped]
    assert (2, 1) == (len(listing.papers), len(listing.skipped))


@pytest.mark.parametrize(
    ("bad", "name", "reason"),
    [
        (("?!", "x", "• 1 author", "Mar 8, 2026"), "?!", "its title has no letter or digit"),
        (("Alone", "", "• 1 author", "Mar 8, 2026"), "Alone", "has no abstract"),
        (("Bad", "x", "• 1 author", "Mar 32, 2026"), "Bad", "“Mar 32, 2026” is not a date"),
        (("Bad", "x", "• 1 author", "Abc 3, 2026 4"), "Bad", "“Abc 3, 2026” is not a date"),
        (("Bad", "x", "• 1 author", "Mar 3, 0000"), "Bad", "“Mar 3, 0000” is not a date"),
        (("Bad", "x", "• 1 author", ""), "Bad", "has no date"),
        (("Bad", "x", "• 1 author", "Mar 8, 2026 ,"), "Bad", "“,” is not a number of comments"),
        (("Bad", "x", "• 1 author", "Mar 8, 2026 1.2k"), "Bad", "“1.2k” is not a number of comments"),
        (("", "", "• 1 author", "Mar 8, 2026"), "an entry without a name", "has no abstract"),
    ],
)
@pytest.mark.parametrize("last", [False, True])
def test_bad_text_entry(bad: tuple[str, str, str, str], name: str, reason: str, last: bool):
    """A bad paper in a text is left out, counted and named, and costs no good one."""
    good = ("Another Paper", "It is about less.", "example Example", "Mar 7, 2026 4")
    listing = parse(capture(TEXT, *((good, bad) if last else (bad, good))), latest=LATEST)

    assert ["A Made-Up Paper", "Another Paper"] == [paper.title for paper in listing.papers]
    assert [(name, reason)] == [(skip.name, skip.reason) for skip in listing.skipped]


def test_text_titles_with_the_same_words():
    """Two titles of a text that differ in punctuation alone would be one paper: the second is skipped."""
    papers = [(title, "x", "• 1 author", "Mar 8, 2026") for title in ("C++ Agents", "C Agents!", "C++  Agents")]
    listing = parse(capture(*papers))

    assert ["C++ Agents"] * 2 == [paper.title for paper in listing.papers]
    (skip,) = listing.skipped
    assert ("C Agents!", True) == (skip.name, skip.reason.startswith("its title has the same words as “C++ Agents”"))
    unusable = ("C++ Agents", "x", "• 1 author", "Foo 8, 2026")
    assert ["C Agents!"] == [paper.title for paper in parse(capture(unusable, papers[1])).papers]


@pytest.mark.parametrize(
    "fields",
    [
        {"summary": None},
        {"summary": {"x": 1}},
        {"authors": "Ada"},
        {"authors": {"name": "Ada"}},
        {"authors": [None, 3, {"name": None}, {"name": ["Ada"]}]},
        {"ai_keywords": "agents"},
        {"ai_keywords": [None, {}, 3]},
        {"ai_summary": ["A summary."]},
        {"publishedAt": "never"},
        {"publishedAt": 3},
        {"organization": 3},
        {"githubRepo": {}},
        {"githubStars": "many"},
        {"githubStars": -1},
        {"mediaUrls": {"1": "x"}},
    ],
)
def test_bad_optional_field(fields: dict[str, Any]):
    """A field a paper can do without costs no paper, whatever is in it."""
    assert [paper_id(7)] == [paper.id for paper in parse(api([changed(**fields)])).papers]


def test_unsafe_text():
    """What XML forbids is dropped from text, also half a surrogate pair; markup and emoji stay."""
    hostile = "A\x00 <b>\ud800&amp;\udc00 \U0001f600\ufffe ]]>\x1b\x85"
    paper = of(
        entry(title=hostile, summary=hostile, authors=[{"name": hostile}], ai_keywords=[hostile], ai_summary=hostile)
    )

    clean = "A <b>&amp; \U0001f600 ]]>"
    assert (clean, clean, clean) == (paper.title, paper.summary, paper.ai_summary)
    assert ((clean,), (clean,)) == (paper.authors, paper.ai_keywords)


def test_enormous():
    """Enormous text is cut, and enormous lists are kept."""
    names = [{"name": f"Author {number}"} for number in range(10_000)]
    paper = of(entry(title="x" * 100_000, summary="y" * 100_000, authors=names, ai_summary="z" * 100_000))

    assert (500, 10_000, 5_000) == (len(paper.title), len(paper.summary), len(paper.ai_summary or ""))
    assert 10_000 == paper.author_count
    assert paper.title.endswith("x…")


@pytest.mark.parametrize("value", [None, "", " \n\t", "\x00", 3, True, {"text": "A summary."}])
def test_no_ai_summary(value: object):
    """What is no text, or a text of nothing but spaces, is no AI summary; on the page as in the API."""
    listed = [changed(ai_summary=value)]

    assert [None, None] == [only(data).ai_summary for data in (api(listed), page(listed))]


def test_ai_summary_on_the_page():
    """The page has the AI summary where the API has it."""
    assert "A made-up paper." == only(page([entry(ai_summary="A made-up paper.")])).ai_summary


# Bounds -----------------------------------------------------------------------------------------


def test_too_many_papers():
    """A listing has 2,000 papers at most; a skip counts those beyond."""
    listing = parse(api(entries(2345)))

    assert 2000 == len(listing.papers)
    assert ["345 more"] == [skip.name for skip in listing.skipped]


def test_too_many_skips():
    """Of the unusable entries 2,000 are named and the rest counted; they cost no good one."""
    listing = parse(api([*({"paper": {"id": f"bad {number}"}} for number in range(2100)), entry(1)]))

    assert ([paper_id(1)], 2001) == ([paper.id for paper in listing.papers], len(listing.skipped))
    assert ("bad 1999", "100 more") == (listing.skipped[1999].name, listing.skipped[2000].name)


def test_too_many_entries():
    """Entries beyond the ten thousandth are not looked at, only counted."""
    listing = parse(b"[{}" + b",{}" * 50_000 + b"]")

    assert ((), "48,001 more") == (listing.papers, listing.skipped[-1].name)


@pytest.mark.parametrize(
    "grown",
    [{"summary": "\ufdfa" * 3000}, {"ai_summary": "\ufdfa" * 3000}, {"authors": [{"name": "\ufdfa" * 150}] * 20}],
)
def test_paper_with_too_much_text(grown: dict[str, Any]):
    """A paper whose text grows beyond 64 kB where it is normalised is left out; 2,000 authors fit."""
    many = [{"name": f"Author {number}"} for number in range(2000)]
    listing = parse(api([entry(1, **grown), entry(2, authors=many)]))

    assert [paper_id(2)] == [paper.id for paper in listing.papers]
    assert ["has more than 65,536 bytes of text"] == [skip.reason for skip in listing.skipped]


def test_listing_with_too_much_text():
    """A listing has about 4 MB of normalised text at most; the papers beyond are left out and counted."""
    listing = parse(api(entries(300, summary="\ufdfa" * 900)))

    assert len(listing.papers) + int(listing.skipped[-1].name.split()[0]) == 300
    assert 2**22 <= listing.size < 2**22 + 2**16


# Bytes that are no listing ----------------------------------------------------------------------

NO_ARRAY = "this JSON is not a listing: it has no array of papers"
NO_TEXT = "this text is not a listing: no paper in it ends in “·” and a date"
NO_PAGE = "this HTML page is not a listing: it has no DailyPapers data"
HOLDER = b"<div data-target='DailyPapers' data-props='%s'></div>"


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", "the listing is empty"),
        (b" \r\n\xef\xbb\xbf\n", "the listing is empty"),
        (gzip.compress(api(entries(2))), "the listing is compressed (gzip): unpack it first"),
        (b"{}", NO_ARRAY),
        (b'{"dailyPapers": {"0": {}}}', NO_ARRAY),
        (b'{"error": {"code": 3}}', NO_ARRAY),
        (b'{"error": "Invalid\\n date \\ud800"}', "the Hub answered: Invalid date"),
        (b"null", NO_TEXT),
        (b'"text"', NO_TEXT),
        (b"7", NO_TEXT),
        ("Nothing · here\n·\nMar 8\n".encode(), NO_TEXT),
        ("x\ny\n• 1 author\n·\nMar 99, 2026".encode(), NO_TEXT),
        ("·\nMar 8, 2026".encode(), NO_TEXT),
        (b"\x00\x00\x00", NO_TEXT),
        (b"%PDF-1.7 \x00", NO_TEXT),
        (api(entries(1)).decode().encode("utf-16"), "the listing is not UTF-8 (byte 0)"),
        ("[{'é'".encode("latin-1"), "the listing is not UTF-8 (byte 3)"),
        (b"\x89PNG\r\n\x1a\n", "the listing is not UTF-8 (byte 0)"),
        (b"<html><p>Not found</p></html>", NO_PAGE),
        (b"<frameset><frame></frameset>", NO_PAGE),
        (b"<\x00", NO_PAGE),
        (b"<!doctype html>", NO_PAGE),
        (b"<div>" * 20_000, NO_PAGE),
        (b"<div data-target='DailyPapers'></div>", NO_PAGE),
        (HOLDER % b"null", NO_PAGE),
        (HOLDER % b"", "the page cannot be read: Expecting value: line 1 column 1 (char 0)"),
        (HOLDER % b"{}", NO_ARRAY),
        (HOLDER % b'"x"', NO_ARRAY),
    ],
)
def test_no_listing(data: bytes, line: str):
    """Bytes that are no listing are refused with one line that says why."""
    assert line == failure(data)


def test_page_too_long():
    """A page that is absurdly long is refused."""
    assert "the page has more than 2097152 characters" == failure(b"<!doctype html>" + b"<p " * 2**20)


@pytest.mark.parametrize(
    "data",
    [
        api(entries(2))[:-100],
        api(entries(1)).decode().encode("utf-16-le"),
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b"[" + b"9" * 10_000 + b"]",
        b"[]\x00",
        b'[{"paper": {"id": "\x00"}}]',
    ],
)
def test_broken_json(data: bytes):
    """JSON that cannot be read is called that, on the page too."""
    assert failure(data).startswith("the listing is broken JSON: ")
    if b"\x00" not in data:
        assert failure(HOLDER % html.escape(data.decode()).encode()).startswith("the page cannot be read: ")


# Anything at all --------------------------------------------------------------------------------

HOSTILE: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**31, 10**40, 1e308, 0.5, "", "5", " ", "\ud800", "\x00\x1b", "\ufffe", "x" * 2000),
    *("9913.00001", "2099-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "2026-13-01", "http://[", "//", "<b>"),
    *([], {}, [[]], {"name": {}}, [None], {"paper": {}}),
)
MADE = entries(
    3,
    organization={"name": "ex", "fullname": "Ex"},
    ai_keywords=["x"],
    githubRepo="https://example.org",
    ai_summary="z",
    githubStars=3,
    mediaUrls=["https://cdn-uploads.huggingface.co/1.mp4"],
)
LINES = capture(TEXT, ("Second", "y\n\nz", "example Example", "Mar 7, 2026 1,002")).decode().splitlines()
HOSTILE_LINES = ("", "·", "Mar 8, 2026 ,", "Feb 29", "Feb 29, 2025", "• ,,, authors", "Jan 9, ٢٠٢٦ ٣", "\x00", "[", "<")


def strings(value: object) -> Iterator[str]:
    """Yield every text anywhere in `value`."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from strings(inner)


def survives(data: bytes, day: date | None = None, latest: datetime | None = LATEST) -> None:
    """Assert that `data` is a listing of safe text or one plain error."""
    listing, refusal = Listing(), ""
    try:
        listing = parse(data, day=day, latest=latest)
    except ListingError as error:
        refusal = str(error)
    assert [] == [text for text in (refusal, *strings(dataclasses.asdict(listing))) if FORBIDDEN.search(text)]
    for paper in listing.papers:
        assert paper.id
        assert paper.title
        assert 0 <= paper.effective_upvotes < 10**9 * 5
        assert latest is None or paper.submitted_at <= latest


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return every place in a JSON value, as the container and the key in it."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]


@st.composite
def disfigured(draw: st.DrawFn) -> list[Any]:
    """Return entries of which some values are taken away or replaced by hostile ones."""
    listed: list[Any] = copy.deepcopy(MADE)
    for _ in range(draw(st.integers(1, 4))):
        where = places(listed)
        if not where:
            break
        container, key = draw(st.sampled_from(where))
        if draw(st.booleans()):
            container[key] = copy.deepcopy(draw(st.sampled_from(HOSTILE)))
        else:
            del container[key]
    return listed


@st.composite
def mutilated(draw: st.DrawFn) -> bytes:
    """Return a listing cut, spliced with another form, or with bytes of it overwritten."""
    forms = (api(MADE), page(MADE), "\n".join(LINES).encode())
    data = bytearray(draw(st.sampled_from(forms)))
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(("cut", "flip", "splice", "drop"))):
            case "cut":
                del data[at:]
            case "flip":
                data[at : at + 1] = draw(st.binary(min_size=1, max_size=3))
            case "splice":
                data[at:at] = draw(st.sampled_from(forms))[draw(st.integers(0, 400)) :][:400]
            case "drop":
                del data[at : at + draw(st.integers(1, 60))]
    return bytes(data)


@given(disfigured(), st.sampled_from((None, DAY)), st.sampled_from((None, LATEST)))
def test_disfigured(listed: list[Any], day: date | None, latest: datetime | None):
    """Whatever values an answer or a page holds, it gives papers or one plain error."""
    survives(api(listed), day, latest)
    survives(page(listed), day, latest)


@given(mutilated())
def test_mutilated(data: bytes):
    """However a listing is cut, spliced or overwritten, it gives papers or one plain error."""
    survives(data)


@given(st.lists(st.sampled_from((*LINES, *HOSTILE_LINES)), max_size=30), st.sampled_from((None, LATEST)))
def test_shuffled_text(lines: list[str], latest: datetime | None):
    """Whatever lines a text has, in whatever order, it gives papers or one plain error."""
    survives("\n".join(lines).encode(), latest=latest)


@given(st.text(string.printable + "·•\x00\u2028٣", max_size=200) | st.binary(max_size=200))
def test_anything(text: str | bytes):
    """Any bytes at all give papers or one plain error."""
    survives(text if isinstance(text, bytes) else text.encode())


# Real captures ----------------------------------------------------------------------------------


def day_of(path: Path) -> date:
    """Return the day in the name of a capture."""
    listed = re.search(r"\d{4}-\d\d-\d\d", path.name)
    assert listed
    return date.fromisoformat(listed[0])


def test_real_api(captures: Path):
    """Every real answer is read whole; its papers were listed on the day asked for, before 2025-03-11 or the eve."""
    paths = [*(captures / "api").iterdir(), *(captures / "series").iterdir()]

    media = set[str]()
    for path in paths:
        listing = parse(path.read_bytes(), day=day_of(path))
        media |= {address for paper in listing.papers for address in paper.media}
        assert (path.name, (), len(json.loads(path.read_bytes()))) == (path.name, listing.skipped, len(listing.papers))
        eve = timedelta(days=day_of(path) < date(2025, 3, 11))
        assert all(day_of(path) - eve <= paper.submitted_at.date() <= day_of(path) for paper in listing.papers)
    assert 20 == len(paths)
    assert {"mp4", "qt"} == {address.rpartition(".")[2] for address in media}


def test_real_page(captures: Path):
    """A real page is read whole, as the API's answer with the same entries is."""
    (path,) = (captures / "page").iterdir()
    listing = parse(path.read_bytes())
    props = json.loads(html.unescape(re.search('data-props="({[^"]*dailyPapers[^"]*)"', path.read_text())[1]))

    assert (date(2024, 8, 1), (), 13) == (listing.day, listing.skipped, len(listing.papers))
    assert 533 == max(paper.author_count for paper in listing.papers)
    assert listing == parse(api(props["dailyPapers"]), day=date(2024, 8, 1))


def test_real_text(captures: Path):
    """The real text holds 47 papers, all listed on 2026-01-09, 11 of them with comments, none with upvotes."""
    (path,) = (captures / "text").iterdir()
    listing: Listing = parse(path.read_bytes())

    assert ((), 47, 47) == (listing.skipped, len(listing.papers), len({paper.id for paper in listing.papers}))
    assert {datetime(2026, 1, 9, tzinfo=UTC)} == {paper.submitted_at for paper in listing.papers}
    assert 11 == sum(paper.comments > 0 for paper in listing.papers)
    assert {None} == {paper.upvotes for paper in listing.papers}
    assert (2017, 2025) == tuple(pick(paper.published_at.year for paper in listing.papers) for pick in (min, max))
    assert 2 == sum(paper.organization is not None for paper in listing.papers)


_plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


@given(st.recursive(_plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_decoded_value_by_value(value: object):
    """A document is decoded value by value, so that polls are answered meanwhile, to what it is as a whole."""
    text = json.dumps(value)
    assert json.loads(text) == decode(text)


def test_endless_field():
    """A field of megabytes is cut before it is cleaned, which would take a second."""
    listing = parse(api([entry(1, summary=" " * 2**22 + "word"), entry(2, summary="word " * 2**20)]))
    assert [0, 10_000] == [len(paper.summary) for paper in listing.papers]
