"""An entry in; its byline, its link and the HTML that a reader shows of it out, alike for every format."""

from dataclasses import dataclass
from functools import cache, lru_cache

from jinja2 import Environment, PackageLoader, Template, select_autoescape

from feedproxy.model import Entry, Paper, is_arxiv_id
from feedproxy.query.parameters import Query
from feedproxy.text import plural

MAX_AUTHORS = 20
_HTML_CACHE = 500  # papers, about three weeks of them


@dataclass(frozen=True, slots=True)
class EntryView:
    """What every format shows of an entry; `html` is empty where the query wants no content."""

    id: str
    discussion: str
    image: str | None
    link: str
    link_type: str
    authors: tuple[str, ...]
    byline: str
    credit: str
    html: str


def entry_view(entry: Entry, query: Query) -> EntryView:
    """Return what the feed of `query` shows of an entry."""
    paper = entry.paper
    is_pdf = query.link == "pdf" and is_arxiv_id(paper.id)
    return EntryView(
        id=paper.hub_url,
        discussion=paper.discussion_url,
        image=paper.image,
        link=link_of(paper, query),
        link_type="application/pdf" if is_pdf else "text/html",
        authors=first_authors(paper),
        byline=byline(paper),
        credit=credit(paper),
        html=content(paper) if query.content == "full" else "",
    )


def link_of(paper: Paper, query: Query) -> str:
    """Return the address that the entry of `paper` leads to in a feed of `query`."""
    return {"hf": paper.hub_url, "arxiv": paper.arxiv_url, "pdf": paper.pdf_url}[query.link]


def first_authors(paper: Paper) -> tuple[str, ...]:
    """Return the names to show: at most 20."""
    return paper.authors[:MAX_AUTHORS]


def byline(paper: Paper) -> str:
    """Return the authors on one line, saying how many are not named."""
    if not paper.authors:
        return plural(paper.author_count, "author") if paper.author_count else ""
    rest = paper.author_count - len(first_authors(paper))
    return ", ".join(first_authors(paper)) + (f" and {rest} more" if rest > 0 else "")


def credit(paper: Paper) -> str:
    """Return the authors and the organization on one line."""
    organization = paper.organization.fullname if paper.organization else ""
    return " · ".join(filter(None, (byline(paper), organization)))


def content(paper: Paper) -> str:
    """Return the HTML that a reader shows of a paper."""
    links = {paper.hub_url: "Hub"}  # a paper without an id has the same address for some of them
    for name, address in (
        ("arXiv", paper.arxiv_url),
        ("PDF", paper.pdf_url),
        ("Code", paper.github_repo),
        ("Project", paper.project_page),
        ("Discussion", paper.discussion_url),
    ):
        if address:
            links.setdefault(address, name)
    return _html(paper.image, credit(paper), paper.summary, tuple(links.items()))


# By value: the same paper appears in many feeds, and this is a third of the time to render one.
@lru_cache(_HTML_CACHE)
def _html(image: str | None, credit: str, summary: str, links: tuple[tuple[str, str], ...]) -> str:
    return _template().render(image=image, credit=credit, paragraphs=summary.split("\n\n"), links=links)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("feedproxy"), autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("entry.html")
