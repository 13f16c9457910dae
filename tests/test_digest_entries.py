"""A digest becomes one entry that says which papers were best, in every format and for every reader."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from feedproxy.feeds import FORMATS, Document, Feed
from feedproxy.feeds.entry import EntryView
from feedproxy.feeds.tex import readable
from feedproxy.model import Digest, Organization, Paper
from feedproxy.periods import Period
from feedproxy.query.named_feeds import NamedFeed
from feedproxy.query.parameters import parse_query
from tests import factories
from tests.test_feeds import BASE, DIGESTS, NS, READ, papers

WEEK = Period.of("week", date(2026, 8, 7))
NAMED = NamedFeed("best", "What <we> read & like", parse_query("q=agents&digest=week"))
HOSTILE = "</li></ol><script>alert(1)</script> ]]> & \"'"


def digest(*papers: Paper, period: Period = WEEK, late: tuple[Paper, ...] = ()) -> Digest:
    """Return the digest of `papers`, by default of one, three minutes after the period may be closed."""
    return Digest(period, period.closes_at + timedelta(minutes=3), papers or (factories.paper(1),), late)


def view(made: Digest, query: str = "digest=week", name: NamedFeed | None = None, base: str = BASE) -> EntryView:
    (found,) = Document(Feed(parse_query(query), base, name), (made,)).views
    return found


def render(form: str, *digests: Digest, query: str = "digest=week") -> bytes:
    return FORMATS[form].render(Document(Feed(parse_query(query), BASE), digests))


def item(made: Digest, query: str = "digest=week") -> dict[str, Any]:
    """Return the digest in JSON Feed."""
    (found,) = json.loads(render("json", made, query=query))["items"]
    return found


def lists(html: str) -> list[list[list[str]]]:
    """Return the lines of each paper in the lists of `html`."""
    shown = etree.fromstring(html, etree.HTMLParser())
    return [
        ["".join(row.itertext()).split("\n") for row in found.iterfind("li")] for found in shown.xpath("//ol | //ul")
    ]


# The feed and the entry -------------------------------------------------------------------------

TITLES = {
    "digest=day": "Daily Papers, 10 best of each day",
    "digest=week&q=agents": "Daily Papers, 10 best of each week: agents",
    "digest=month&top=3&min_upvotes=2": "Daily Papers, 3 best of each month: at least 2 upvotes",
    "digest=week&top=1": "Daily Papers, best of each week",
}


@pytest.mark.parametrize(("query", "title"), TITLES.items(), ids=TITLES)
def test_title_of_the_feed(query: str, title: str) -> None:
    """The feed's title says how many papers of each day, week or month, and which."""
    assert title == Feed(parse_query(query), BASE).title


@pytest.mark.parametrize(
    ("query", "description"),
    [
        (
            "digest=week&q=agents",
            "The 10 papers of each week with the most upvotes, from Hugging Face Daily Papers (agents)",
        ),
        (
            "digest=day&top=1",
            "The paper of each day with the most upvotes, from Hugging Face Daily Papers",
        ),
    ],
)
def test_description_of_the_feed(query: str, description: str) -> None:
    """The feed's description says it in a sentence."""
    assert description == Feed(parse_query(query), BASE).description


@pytest.mark.parametrize(
    ("count", "kind", "query", "title"),
    [
        (10, "week", "q=agents", "10 best of week 32, 2026: agents"),
        (3, "week", "", "3 best of week 32, 2026"),
        (1, "week", "", "Best of week 32, 2026"),
        (2, "day", "min_upvotes=2", "2 best of Friday, 7 August 2026: at least 2 upvotes"),
        (10, "month", "q=agents", "10 best of August 2026: agents"),
    ],
)
def test_title(count: int, kind: str, query: str, title: str) -> None:
    """An entry's title says how many papers it has, of which time, and the conditions in words."""
    made = digest(*map(factories.paper, range(count)), period=Period.of(kind, date(2026, 8, 7)))
    assert title == view(made, f"digest={kind}&{query}").title


def test_title_in_a_named_feed() -> None:
    """In a feed with a name the operator's title stands for the conditions."""
    assert "Best of week 32, 2026: What <we> read & like" == view(digest(), str(NAMED.query), NAMED).title


@pytest.mark.parametrize(
    ("kind", "day", "link"),
    [
        ("day", date(2026, 8, 7), "https://huggingface.co/papers/date/2026-08-07"),
        ("week", date(2026, 8, 7), "https://huggingface.co/papers/week/2026-W32"),
        ("month", date(2026, 8, 7), "https://huggingface.co/papers/month/2026-08"),
        ("week", date(2026, 12, 31), f"{BASE}/?q=agents&digest=week"),
    ],
)
def test_link(kind: str, day: date, link: str) -> None:
    """An entry leads to the Hub's page of its time; for a week 53, which has none there, to ours with the query."""
    made, query = digest(period=Period.of(kind, day)), f"q=agents&digest={kind}&page=2"
    (rss,) = etree.fromstring(render("rss", made, query=query)).xpath("//item/link/text()")
    (atom,) = etree.fromstring(render("atom", made, query=query)).xpath("//a:entry/a:link", namespaces=NS)
    assert link == rss == item(made, query)["url"]
    assert {"href": link, "rel": "alternate", "type": "text/html"} == dict(atom.attrib)


def test_id_is_a_urn() -> None:
    """The id is no address, the same in every format, and RSS says that it is no permalink."""
    (guid,) = etree.fromstring(render("rss", digest())).xpath("//item/guid")
    atom = etree.fromstring(render("atom", digest())).findtext("a:entry/a:id", None, NS)
    assert guid.text == atom == item(digest())["id"]
    assert guid.text.startswith("urn:uuid:")
    assert {"isPermaLink": "false"} == guid.attrib


def test_id_stays() -> None:
    """Where links lead, how much a feed shows and which server shows it make no other id."""
    wanted = view(digest(), "q=agents&digest=week").id
    for query in ("limit=3", "days=30", "page=2", "link=pdf", "content=none", "top=10", "min_upvotes=0"):
        assert wanted == view(digest(), f"q=Agents&digest=week&{query}").id, query
    assert wanted == view(digest(), "q=agents&digest=week", NAMED, "https://other.example.org").id
    assert wanted == view(digest(factories.paper(2)), "q=agents&digest=week").id


def test_ids_differ() -> None:
    """Every period, kind, number and condition has an id of its own."""
    queries = ("digest=week", "digest=week&top=9", "digest=week&q=agents", "digest=week&min_upvotes=2")
    ids = {view(digest(period=period), query).id for query in queries for period in (WEEK, WEEK.next)}
    ids |= {view(digest(period=Period.of("day", WEEK.start)), "digest=day").id}
    ids |= {view(digest(), "digest=week&min_comments=2").id, view(digest(), "digest=week&q=agents&or_upvotes=2").id}
    assert 11 == len(ids)


def test_dates() -> None:
    """An entry was published and last changed when it entered."""
    made, entered = digest(), "2026-08-10T06:03:00+00:00"
    rss, atom = (etree.fromstring(render(form, made)) for form in ("rss", "atom"))
    assert "Mon, 10 Aug 2026 06:03:00 +0000" == rss.findtext("channel/item/pubDate") == rss.findtext("*/lastBuildDate")
    for name in ("published", "updated"):
        assert entered == atom.findtext(f"a:entry/a:{name}", None, NS)
    assert [entered] * 2 == [item(made)[f"date_{name}"] for name in ("published", "modified")]


def test_no_author_and_no_discussion() -> None:
    """A digest has no author, discussion, topics or counts, which are those of papers; its feed has an author."""
    made = digest(factories.paper(1, ai_keywords=("agents",)))
    rss, atom = (etree.fromstring(render(form, made)) for form in ("rss", "atom"))
    assert ["Hugging Face Daily Papers"] == rss.xpath("channel/dc:creator/text()", namespaces=NS)
    assert [] == rss.xpath("//item/dc:creator | //item/comments | //item/category | //slash:*", namespaces=NS)
    assert [] == atom.xpath("//a:entry/a:author | //a:link[@rel='replies'] | //a:category", namespaces=NS)
    assert not {"authors", "tags", "external_url"} & set(item(made))


def test_thumbnail() -> None:
    """The thumbnail is the first paper's, or none."""
    made = digest(factories.paper(1), factories.paper(2))
    image = made.papers[0].image
    for form in ("rss", "atom"):
        tree = etree.fromstring(render(form, made))
        assert [image] == tree.xpath("//media:thumbnail/@url", namespaces=NS)
    assert image == item(made)["image"]
    assert f'<img src="{image}" alt="">' in view(made).html
    without = digest(factories.paper(1, thumbnail=None), factories.paper(2))
    assert "image" not in item(without)
    assert "<img" not in view(without).html


# The list ---------------------------------------------------------------------------------------


def test_paper_in_the_list() -> None:
    """A paper in the list has its title, three authors, organization, upvotes, a sentence, and links."""
    paper = factories.paper(
        1,
        title="A 2times faster agent",
        summary="Agents act 2times as fast. They do.",
        authors=tuple("ABCDEFGHIJKL"),
        organization=Organization("lab", "The Lab"),
        upvotes=163,
        github_repo="https://code.example.org/",
        project_page="https://project.example.org/",
    )
    html = view(digest(paper)).html
    assert [
        [
            [
                "A 2× faster agent",
                "A, B, C and 9 more · The Lab · 163 upvotes",
                "Agents act 2× as fast.",
                "Hub · arXiv · PDF · Code",
            ]
        ]
    ] == lists(html)
    links = etree.fromstring(html, etree.HTMLParser()).xpath("//li/a/@href")
    assert [paper.links.hub, paper.links.hub, paper.links.arxiv, paper.links.pdf, paper.github_repo] == links


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ({"upvotes": 1, "authors": ("Ada",)}, ["Ada · 1 upvote", "We made this up.", "Hub · arXiv · PDF"]),
        ({"upvotes": None, "comments": 3}, ["3 comments", "We made this up.", "Hub · arXiv · PDF"]),
        (
            {"ai_summary": "Made up. Twice."},
            ["0 upvotes", "Made up. (AI summary)", "Hub · arXiv · PDF"],
        ),
        ({"summary": ""}, ["0 upvotes", "Hub · arXiv · PDF"]),
        ({"id": "from-a-text", "author_count": 7}, ["7 authors · 0 upvotes", "We made this up.", "Hub · arXiv"]),
    ],
)
def test_lines_of_a_paper(fields: dict[str, Any], lines: list[str]) -> None:
    """A paper without upvotes shows comments; an AI summary is marked as such; what is missing leaves no line."""
    values = {"summary": "We made this up. Twice.", "authors": (), "author_count": 0, "upvotes": 0} | fields
    assert [[["Paper", *lines]]] == lists(view(digest(factories.paper(1, title="Paper", **values))).html)


@pytest.mark.parametrize("link", ["hf", "arxiv", "pdf", "html", "alphaxiv"])
def test_titles_lead_where_links_do(link: str) -> None:
    """A title in the list, and in JSON the address of the paper, lead where `link` says."""
    links = factories.paper(1).links
    wanted = getattr(links, "hub" if link == "hf" else link)
    found = item(digest(), f"digest=week&link={link}")
    assert f'<li><a href="{wanted}">' in found["content_html"]
    assert wanted == found["_feedproxy"]["papers"][0]["url"]


def test_late_papers() -> None:
    """Papers that rose late have a list of their own, which says why they are in it."""
    late = tuple(
        factories.paper(number, submitted_at=datetime(2026, 7, 27 + number, tzinfo=UTC)) for number in range(5)
    )
    html = view(digest(late=late)).html
    assert [1, 5] == list(map(len, lists(html)))
    assert "<h3>Since the last one</h3>\n<p>Older papers that are not in the last digest, but now have" in html
    assert [paper.title for paper in late] == [row[0] for row in lists(html)[1]]


def test_without_late_papers() -> None:
    """Without late papers nothing is said of them."""
    assert "Since" not in view(digest()).html
    assert "since_last" not in item(digest())["_feedproxy"]


def test_content_none() -> None:
    """Without content the lists have only the titles with their links."""
    html = view(digest(late=(factories.paper(2),)), "digest=week&content=none").html
    assert [[["Paper 1 on Retrieval"]], [["Paper 2 on Diffusion"]]] == lists(html)
    assert "<img" not in html


def test_content_brief() -> None:
    """A brief digest has the titles with their links and upvotes; its summary is that of every digest."""
    made = digest(factories.paper(1, upvotes=9), late=(factories.paper(2, upvotes=None, comments=1),))
    shown = view(made, "digest=week&content=brief")
    assert [[["Paper 1 on Retrieval · 9 upvotes"]], [["Paper 2 on Diffusion · 1 comment"]]] == lists(shown.html)
    assert "<img" not in shown.html
    assert view(made).summary == shown.summary


@pytest.mark.parametrize("form", READ)
def test_hostile_texts(form: str) -> None:
    """Markup in a title, a name, a summary or the operator's title is shown as text."""
    paper = factories.paper(
        1, title=HOSTILE, authors=(HOSTILE,), organization=Organization("x", HOSTILE), summary=HOSTILE
    )
    made = digest(paper, replace(paper, ai_summary=HOSTILE), late=(paper,))
    named = NamedFeed("x", HOSTILE, parse_query("digest=week"))
    body = FORMATS[form].render(Document(Feed(named.query, BASE, named), (made,)))
    assert [f"2 best of week 32, 2026: {HOSTILE}"] == [title for _, title, _ in READ[form](body)]
    html = view(made).html
    assert b"<script" not in (body if form != "json" else html.encode())
    assert [f"{HOSTILE} (AI summary)"] == [row[2] for row in lists(html)[0][1:]]
    assert {HOSTILE} == {row[0] for rows in lists(html) for row in rows}


# As text, as JSON -------------------------------------------------------------------------------


def test_summary() -> None:
    """The summary is the list as plain text, on one line."""
    made = digest(factories.paper(1, title="A & B", upvotes=163), factories.paper(2, upvotes=None, comments=1))
    summary = "1. A & B (163 upvotes) · 2. Paper 2 on Diffusion (1 comment)"
    assert summary == view(made).summary == item(made)["summary"]
    rss, atom = (etree.fromstring(render(form, made)) for form in ("rss", "atom"))
    assert summary.replace("&", "&amp;") == rss.findtext("channel/item/description")
    assert summary.replace("&", "&amp;") == atom.findtext("a:entry/a:summary", None, NS)


def test_summary_is_short() -> None:
    """A summary of many papers ends where there is no more room."""
    many = (factories.paper(number, title="Agents " * 70) for number in range(50))
    summary = view(digest(*many), "digest=week&top=50").summary
    assert summary.startswith(f"1. {'Agents ' * 16}Agents… (1 upvote) · 2. Agents ")
    assert len(summary) <= 500
    assert summary.endswith("…")


def test_json() -> None:
    """JSON Feed tells programs the period and the papers in order, with the upvotes of the closing."""
    one, two = factories.paper(1, upvotes=3), factories.paper(2, upvotes=None, comments=2)
    papers = [
        {"id": one.id, "title": one.title, "url": one.links.hub, "upvotes": 3},
        {"id": two.id, "title": two.title, "url": two.links.hub, "comments": 2},
    ]
    assert {
        "digest": "week",
        "period": "2026-W32",
        "papers": papers,
        "since_last": papers[:1],
    } == item(digest(one, two, late=(one,)))["_feedproxy"]


# Any papers -------------------------------------------------------------------------------------


@given(
    found=st.lists(papers(), min_size=1, max_size=4),
    late=st.lists(papers(), max_size=2),
    query=st.sampled_from(("digest=week", "digest=week&link=pdf", "digest=week&content=none")),
)
@settings(max_examples=25)
def test_any_papers(found: list[Paper], late: list[Paper], query: str) -> None:
    """Any papers make a well-formed entry that reads back alike in every format."""
    made = digest(*found, late=tuple(late))
    entry = view(made, query)
    for form, read in READ.items():
        assert [(entry.id, entry.title, made.entered_at)] == read(render(form, made, query=query)), form
    rows = [row[0].split() for row in lists(entry.html)[0]]
    assert [readable(paper.title).split() for paper in found] == rows


@pytest.mark.parametrize("form", FORMATS)
def test_equal_digests_equal_bytes(form: str) -> None:
    """Equal digests make equal bytes."""
    assert render(form, *DIGESTS) == render(form, *factories.digests())
