"""A paper in; its byline, its links and the HTML that a reader shows of it out."""

from functools import cache, lru_cache

from jinja2 import Environment, PackageLoader, Template, select_autoescape

from feedproxy.model import Paper, is_arxiv_id
from feedproxy.query.parameters import Query
from feedproxy.text import plural

MAX_AUTHORS = 20
_REMEMBERED = 500  # papers whose HTML is kept, about three weeks of them


def shown_authors(paper: Paper) -> tuple[str, ...]:
    """Return the names to show: at most 20."""
    return paper.authors[:MAX_AUTHORS]


def byline(paper: Paper) -> str:
    """Return the authors on one line, saying how many are not named."""
    rest = paper.author_count - len(shown_authors(paper))
    if rest and not paper.authors:
        return plural(rest, "author")
    return ", ".join(shown_authors(paper)) + (f" and {rest} more" if rest > 0 else "")


def credit(paper: Paper) -> str:
    """Return the authors and the organization on one line."""
    organization = paper.organization.fullname if paper.organization else ""
    return " · ".join(filter(None, (byline(paper), organization)))


@cache
def _content_template() -> Template:
    loader = PackageLoader("feedproxy")
    return Environment(
        loader=loader, autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True
    ).get_template("entry.html")


def content(paper: Paper) -> str:
    """Return what a reader shows of a paper, as HTML."""
    return _html(paper.image, credit(paper), paper.summary, paper.hub_url, _links(paper))


@lru_cache(_REMEMBERED)
def _html(image: str | None, credit: str, summary: str, hub_url: str, links: tuple[tuple[str, str], ...]) -> str:
    """Return the same of its parts; a paper is in many feeds, and this is a third of the time to render one."""
    values = {"image": image, "credit": credit, "paragraphs": summary.split("\n\n"), "hub_url": hub_url}
    return _content_template().render(values, links=links)


def _links(paper: Paper) -> tuple[tuple[str, str], ...]:
    """Return each address a paper leads to besides the Hub, and what it is called; without an id, some are one."""
    named = {paper.hub_url: "Hub"}
    for name, address in (
        ("arXiv", paper.arxiv_url),
        ("PDF", paper.pdf_url),
        ("Code", paper.github_repo),
        ("Project", paper.project_page),
        ("Discussion", paper.discussion_url),
    ):
        if address:
            named.setdefault(address, name)
    return tuple(named.items())[1:]


def link_of(paper: Paper, query: Query) -> str:
    """Return the address that the entry of `paper` leads to in a feed of `query`."""
    return {"hf": paper.hub_url, "arxiv": paper.arxiv_url, "pdf": paper.pdf_url}[query.link]


def link_type(paper: Paper, query: Query) -> str:
    """Return the media type of what lies there."""
    return "application/pdf" if query.link == "pdf" and is_arxiv_id(paper.id) else "text/html"
