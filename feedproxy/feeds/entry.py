"""An entry in; its byline, its link and its HTML out, the same for every format."""

from dataclasses import dataclass
from functools import cache, lru_cache

from jinja2 import Environment, PackageLoader, Template, select_autoescape

from feedproxy.feeds.tex import readable
from feedproxy.model import Entry, Links, Paper
from feedproxy.query.parameters import Query
from feedproxy.text import plural

MAX_AUTHORS = 20
_HTML_CACHE = 500  # papers, about three weeks of them


@dataclass(frozen=True, slots=True)
class EntryView:
    """The parts of an entry that all formats share; `html` is empty if the query wants no content."""

    id: str
    title: str
    summary: str
    discussion: str
    image: str | None
    link: str
    link_type: str
    authors: tuple[str, ...]
    byline: str
    credit: str
    html: str


def entry_view(entry: Entry, query: Query) -> EntryView:
    """Return the view of an entry in the feed of `query`."""
    paper = entry.paper
    links, image, summary = paper.links, paper.image, readable(paper.summary)
    is_pdf = query.link == "pdf" and links.pdf != links.arxiv  # else both are the same search
    return EntryView(
        id=links.hub,
        title=readable(paper.title),
        summary=summary,
        discussion=links.discussion,
        image=image,
        link=link_of(links, query),
        link_type="application/pdf" if is_pdf else "text/html",
        authors=first_authors(paper),
        byline=byline(paper),
        credit=credit(paper),
        html=_content(paper, links, image, summary) if query.content == "full" else "",
    )


def link_of(links: Links, query: Query) -> str:
    """Return the address that an entry leads to in a feed of `query`."""
    return {"hf": links.hub, "arxiv": links.arxiv, "pdf": links.pdf}[query.link]


def first_authors(paper: Paper) -> tuple[str, ...]:
    """Return the names to show: at most 20."""
    return paper.authors[:MAX_AUTHORS]


def byline(paper: Paper) -> str:
    """Return the authors on one line, with the number of the others."""
    if not paper.authors:
        return plural(paper.author_count, "author") if paper.author_count else ""
    rest = paper.author_count - len(first_authors(paper))
    return ", ".join(first_authors(paper)) + (f" and {rest} more" if rest > 0 else "")


def credit(paper: Paper) -> str:
    """Return the authors and the organization on one line."""
    organization = paper.organization.fullname if paper.organization else ""
    return " · ".join(filter(None, (byline(paper), organization)))


def _content(paper: Paper, links: Links, image: str | None, summary: str) -> str:
    names = {links.hub: "Hub"}  # a paper without an arXiv id has one address for several
    for name, address in (
        ("arXiv", links.arxiv),
        ("PDF", links.pdf),
        ("Code", paper.github_repo),
        ("Project", paper.project_page),
        ("Discussion", links.discussion),
    ):
        if address:
            names.setdefault(address, name)
    return _html(image, credit(paper), summary, tuple(names.items()))


# The same paper appears in many feeds, and this takes a third of the time to render one.
@lru_cache(_HTML_CACHE)
def _html(image: str | None, credit: str, summary: str, links: tuple[tuple[str, str], ...]) -> str:
    return _template().render(image=image, credit=credit, paragraphs=summary.split("\n\n"), links=links)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("feedproxy"), autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("entry.html")
