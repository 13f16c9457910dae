"""A paper's entry in, its parts out, the same for every format: byline, link, HTML and so on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache

from jinja2 import Environment, PackageLoader, Template, select_autoescape

from feedproxy.feeds.tex import readable
from feedproxy.model import Entry, Links, Paper
from feedproxy.query.parameters import Query
from feedproxy.text import plural

MAX_AUTHORS = 20
_HTML_CACHE = 500  # papers, about three weeks of them


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """The parts of an entry, for every format; `html` is empty if there is to be no content.

    `id` is an address if `is_permalink`. `counts` are what RSS and Atom show, and `extension` is what JSON Feed adds.
    Times are aware UTC.
    """

    id: str
    is_permalink: bool
    title: str
    link: str
    link_type: str
    published: datetime
    updated: datetime
    summary: str
    html: str
    image: str | None
    external_url: str | None = None
    discussion: str = ""
    authors: tuple[str, ...] = ()
    byline: str = ""
    credit: str = ""
    categories: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    extension: Mapping[str, object] = field(default_factory=dict)


def entry_view(entry: Entry, query: Query) -> EntryView:
    """Return the view of an entry in the feed of `query`."""
    paper = entry.paper
    links, image, summary = paper.links, paper.image, readable(paper.summary)
    is_pdf = query.link == "pdf" and links.pdf != links.arxiv  # else both are the same search
    counts = count_of(paper) | {"comments": paper.comments} if query.counts else {}
    return EntryView(
        id=links.hub,
        is_permalink=True,
        title=readable(paper.title),
        link=link_of(links, query),
        link_type="application/pdf" if is_pdf else "text/html",
        published=entry.entered_at,
        updated=entry.updated_at,
        summary=summary,
        html=_content(paper, links, image, summary) if query.content == "full" else "",
        image=image,
        external_url=links.arxiv,
        discussion=links.discussion,
        authors=first_authors(paper),
        byline=byline(paper),
        credit=credit(paper),
        categories=paper.ai_keywords,
        counts=counts,
        extension=counts,
    )


def count_of(paper: Paper) -> dict[str, int]:
    """Return the upvotes under their name, or the comments if the upvotes are unknown."""
    return {"comments": paper.comments} if paper.upvotes is None else {"upvotes": paper.upvotes}


def count_in_words(paper: Paper) -> str:
    """Return that number in words, such as `2 upvotes`."""
    return ", ".join(plural(number, name.removesuffix("s")) for name, number in count_of(paper).items())


def link_of(links: Links, query: Query) -> str:
    """Return the address that an entry leads to in a feed of `query`."""
    return {"hf": links.hub, "arxiv": links.arxiv, "pdf": links.pdf}[query.link]


def first_authors(paper: Paper, limit: int = MAX_AUTHORS) -> tuple[str, ...]:
    """Return the names to show: at most `limit`."""
    return paper.authors[:limit]


def byline(paper: Paper, limit: int = MAX_AUTHORS) -> str:
    """Return at most `limit` authors on one line, with the number of the others."""
    if not paper.authors:
        return plural(paper.author_count, "author") if paper.author_count else ""
    names = first_authors(paper, limit)
    rest = paper.author_count - len(names)
    return ", ".join(names) + (f" and {rest} more" if rest > 0 else "")


def credit(paper: Paper, limit: int = MAX_AUTHORS) -> str:
    """Return at most `limit` authors and the organization on one line."""
    organization = paper.organization.fullname if paper.organization else ""
    return " · ".join(filter(None, (byline(paper, limit), organization)))


def each_once(links: Iterable[tuple[str, str | None]]) -> tuple[tuple[str, str], ...]:
    """Return the address and the name of each link; a paper without an arXiv id has one address for several names."""
    names: dict[str, str] = {}
    for name, address in links:
        if address:
            names.setdefault(address, name)
    return tuple(names.items())


def _content(paper: Paper, links: Links, image: str | None, summary: str) -> str:
    names = (
        ("Hub", links.hub),
        ("arXiv", links.arxiv),
        ("PDF", links.pdf),
        ("Code", paper.github_repo),
        ("Project", paper.project_page),
        ("Discussion", links.discussion),
    )
    return _html(image, credit(paper), summary, each_once(names))


# The same paper appears in many feeds, and this takes a third of the time to render one.
@lru_cache(_HTML_CACHE)
def _html(image: str | None, credit: str, summary: str, links: tuple[tuple[str, str], ...]) -> str:
    return template("entry.html").render(image=image, credit=credit, paragraphs=summary.split("\n\n"), links=links)


@cache
def template(name: str) -> Template:
    """Return one of our templates, which escapes what it is given."""
    environment = Environment(
        loader=PackageLoader("feedproxy"), autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(name)
