"""A parser of Markdown reads back every text as it was, whatever it holds, and finds no markup but ours."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from feedproxy.feeds import FORMATS, Document, Feed
from feedproxy.feeds.entry import credit
from feedproxy.feeds.feed import SOURCE
from feedproxy.feeds.tex import readable
from feedproxy.model import Digest, Organization, Paper
from feedproxy.query.named_feeds import NamedFeed
from feedproxy.query.parameters import parse_query
from feedproxy.text import one_line, paragraphs
from tests import factories
from tests.test_feeds import BASE, DIGESTS

# The specification alone; and with all that GitHub and others add to it, bare addresses as links included.
PARSERS = {"commonmark": MarkdownIt("commonmark"), "all": MarkdownIt("gfm-like", {"html": True})}
HOSTILE = (
    "a\n# b",
    "a\n\n# b\n\n- c",
    "<script>alert(1)</script>",
    "</p><!-- x --> <?php ?> <![CDATA[ ]]>",
    "<javascript:alert(1)> [x](javascript:alert(1)) ![x](https://tracker.example.org/)",
    "[x]: javascript:alert(1)",
    "[x][1] and [1]: /x",
    "](https://evil.example.org/) [",
    "# b #",
    "- b",
    "+ b",
    "> b",
    "1. b",
    "1) b",
    "---",
    "- - -",
    "===",
    "***",
    "~~~ sh",
    "``` sh",
    "`` ` `code` ``",
    "*a* **b** _c_ __d__ snake_case _",
    "~a~ ~~b~~ ~30% to ~40%",
    "a | b",
    "| --- |",
    ": b",
    "&lt;b&gt; &amp;amp; &#60; &#x3C; &copy; R&D",
    "a \\ b \\* c\\",
    "p < 0.05 and q<0.1 <3",
    "$x$ and $32,000 and \\$",
    "C# and #tag and ## two",
    "==a== %%b%%",
    "https://example.org/~user/a_b_c?x=1&y=<2> https://example.org/*a* (https://example.org/a_(b)).",
    "https://example.org/&copy;a\\*b*`c",
)
TEXT = st.text(st.sampled_from("ab1 \n\\`*_{}[]()<>#+-.!|~=%$&;:/?\"'@^,é\u00a0"), max_size=30)


def markdown(*papers: Paper, query: str = "", name: NamedFeed | None = None) -> str:
    """Return the feed of `papers` as Markdown."""
    feed = Feed(parse_query(query), BASE, name)
    return FORMATS["md"].render(Document(feed, factories.entered(papers))).decode()


def digest(*made: Digest, query: str = "digest=week") -> str:
    """Return the feed of digests as Markdown."""
    return FORMATS["md"].render(Document(Feed(parse_query(query), BASE), made)).decode()


def blocks(text: str, parser: str = "commonmark") -> list[tuple[str, str]]:
    """Return tag and text of every heading and paragraph."""
    tokens = PARSERS[parser].parse(text)
    return [
        (before.tag, "".join(child.content for child in token.children or ()))
        for before, token in pairwise(tokens)
        if token.type == "inline"
    ]


def links(text: str, parser: str = "commonmark") -> list[tuple[str, str]]:
    """Return text and address of every link."""
    return [
        (child.content, str(before.attrs["href"]))
        for inline in PARSERS[parser].parse(text)
        for before, child in pairwise(inline.children or ())
        if before.type == "link_open"
    ]


def types(text: str, parser: str) -> Counter[str]:
    """Return how often each type of token occurs, at any depth."""
    tokens: list[Token] = PARSERS[parser].parse(text)
    return Counter(part.type for token in tokens for part in (token, *(token.children or ())))


def plain(text: str) -> str:
    return " ".join(text.split())


def test_entry() -> None:
    """An entry is its title as a link, its date, authors and organization, the abstract and links."""
    paper = factories.paper(1, organization=Organization("lab", "The Lab"), summary="One.\n\nTwo.")
    assert markdown(paper, query="q=agents").splitlines()[::2] == [
        "# Daily Papers: agents",
        f"Papers from {SOURCE} (agents)",
        f"<{BASE}/feed.md?q=agents>",
        f"## [{paper.title}]({paper.links.hub})",
        "2026-03-10 12:00 UTC",
        f"{', '.join(paper.authors)} · The Lab",
        "One.",
        "Two.",
        f"[Hub]({paper.links.hub}) · [arXiv]({paper.links.arxiv}) · [PDF]({paper.links.pdf}) · "
        f"[BibTeX]({paper.links.bibtex}) · [Discussion]({paper.links.discussion})",
    ]


def test_content_none() -> None:
    """Without content an entry has neither abstract nor links."""
    paper = factories.paper(1)
    lines = markdown(paper, query="content=none").splitlines()[6::2]
    assert [f"## [{paper.title}]({paper.links.hub})", "2026-03-10 12:00 UTC", credit(paper)] == lines


def test_counts() -> None:
    """With `counts` an entry says how many votes and comments it has."""
    assert "1 upvote · 3 comments" in markdown(factories.paper(1, upvotes=1, comments=3), query="counts=1").splitlines()


def test_digest() -> None:
    """A digest is a numbered list; what came late is a list of its own."""
    text = digest(*DIGESTS)
    found = types(text, "commonmark")
    assert sum(len(made.papers) + len(made.late) for made in DIGESTS) == found["list_item_open"]
    assert sum(bool(made.late) for made in DIGESTS) == found["bullet_list_open"]
    assert len(DIGESTS) == found["ordered_list_open"], "each is one list, counted through"
    titles = [readable(paper.title) for made in DIGESTS for paper in (*made.papers, *made.late)]
    assert titles == [name for name, _ in links(text) if name in titles]


def test_pages() -> None:
    """The last line leads to the pages beside this one."""
    document = Document(Feed(parse_query("page=2"), BASE), factories.entered([factories.paper(1)]), has_more=True)
    last = FORMATS["md"].render(document).decode().splitlines()[-1]
    assert f"[Older entries]({BASE}/feed.md?page=3) · [Newer entries]({BASE}/feed.md)" == last


def test_empty() -> None:
    """Nothing found is a complete document that says so."""
    assert "There are no entries.\n" == markdown(query="q=agents").rpartition("\n\n")[2]


def test_text_stays_readable() -> None:
    """Signs that cannot be markup where they stand are not escaped."""
    text = "A state-of-the-art score of ~30 % (p < 0.05), 2.5 points for snake_case in C#; R&D, and so on!"
    assert text in markdown(factories.paper(1, summary=text)).splitlines()


def test_addresses() -> None:
    """Addresses with parentheses and entities in them lead where they should, also for who reads up to a `)`."""
    text = markdown(factories.paper(1, github_repo="https://code.example.org/a_(b)*c*?x=1&copy;=2"))
    assert ("Code", "https://code.example.org/a_%28b%29*c*?x=1&copy;=2") in links(text)
    assert "[Code](https://code.example.org/a_%28b%29*c*?x=1&amp;copy;=2)" in text


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text(text: str, parser: str) -> None:
    """A text that looks like markup is read back as it is, wherever it stands."""
    check_paper(text, parser)
    check_digest(text, parser)


@pytest.mark.parametrize("parser", PARSERS)
@given(text=TEXT)
@example(text="-")
def test_any_text(parser: str, text: str) -> None:
    """Any text is read back as it is, wherever it stands."""
    check_paper(text, parser)
    check_digest(text, parser)


def check_paper(text: str, parser: str) -> None:
    """Hold a paper, and a feed with a name, whose every text is `text`, against what `parser` reads."""
    title, abstract = one_line(text, 500) or "x", paragraphs(text, 500)
    paper = factories.paper(1, title=text.strip() or "x", summary=abstract, authors=(title,), organization=None)
    made = markdown(paper, name=NamedFeed("x", title, parse_query("")))
    assert blocks(made, parser) == [
        ("h1", title),
        ("p", f"Papers from {SOURCE} (all of them)"),
        ("p", f"{BASE}/f/x.md"),
        ("h2", plain(readable(text.strip() or "x"))),
        ("p", "2026-03-10 12:00 UTC"),
        ("p", title),
        *(("p", plain(readable(part))) for part in readable(abstract).split("\n\n") if part),
        ("p", "Hub · arXiv · PDF · BibTeX · Discussion"),
    ]
    check_markup(made, parser, Counter(p=5 + len([part for part in readable(abstract).split("\n\n") if part])))


def check_digest(text: str, parser: str) -> None:
    """Hold a digest of a paper whose every text is `text` against what `parser` reads."""
    title = one_line(text, 500) or "x"
    paper = factories.paper(1, title=title, summary=title, ai_summary=title, authors=(title,), organization=None)
    (one, *_) = factories.digests()
    made = digest(replace(one, papers=(paper,) * 11, late=()))
    rows = [words for tag, words in blocks(made, parser) if tag == "p"][3:]
    assert [plain(readable(title))] * 11 == rows[::4]
    assert 11 == sum(plain(title) in row for row in rows[1::4])
    check_markup(made, parser, Counter(p=48 - 1))


def check_markup(text: str, parser: str, expected: Counter[str]) -> None:
    """Hold what `parser` finds in `text` against our own markup; what it links by itself is a web or mail address."""
    found = types(text, parser)
    ours = {"inline", "text", "link_open", "link_close", "paragraph_open", "paragraph_close", "heading_open"}
    ours |= {"heading_close", "ordered_list_open", "ordered_list_close", "list_item_open", "list_item_close"}
    assert found.keys() <= ours
    assert expected["p"] == found["paragraph_open"]
    schemes = {address.partition(":")[0] for _, address in links(text, parser)}
    assert schemes <= ({"https"} if parser == "commonmark" else {"https", "http", "mailto", "ftp"})
