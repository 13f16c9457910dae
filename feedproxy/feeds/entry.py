"""A paper's entry in, its parts out, the same for every format: byline, link, HTML and so on."""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from feedproxy.feeds.sentence import first_sentences
from feedproxy.feeds.tex import readable
from feedproxy.model import Entry, Links, Paper
from feedproxy.query.parameters import Query
from feedproxy.text import plural

MAX_AUTHORS = 20  # names for people to read
MAX_NAMES = 100  # names for programs to read
FEW_AUTHORS = 3  # names in a short text
_CACHE = 500  # entries, about ten days of them in two feeds; each takes 20 kB
_BEGINNING = 450  # characters of a text that may belong to its first sentences
_VIDEO = re.compile(r"\.(?:mp4|m4v|mov|qt|webm|mkv|avi|ogv)(?:[?#]|$)", re.IGNORECASE)
_NOUNS = {"upvotes": "upvote", "comments": "comment", "github_stars": "GitHub star"}


NamedLinks = tuple[tuple[str, str], ...]  # address and name


class ListedPaper(NamedTuple):
    """A paper in the list of a digest, with as much as the parameter `content` says; `note` is its credit or count."""

    title: str
    address: str
    note: str = ""
    sentence: str = ""
    links: NamedLinks = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """The parts of an entry, for every format; `html` and `links` are empty if there is to be no content.

    `id` is an address that equals `link` if `is_permalink`: some readers open it and ignore `link`. `paragraphs` and
    `links` are what `html` shows, as text. `counts` are what RSS and Atom show, and `extension` is what JSON Feed adds
    (None is left out). A digest lists `papers` and `late`. Times are aware UTC. `elements` are its XML by format, for
    the next feed that shows it.
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
    credit: str = ""
    categories: tuple[str, ...] = ()
    doi: str | None = None
    paragraphs: tuple[str, ...] = ()
    links: NamedLinks = ()
    papers: tuple[ListedPaper, ...] = ()
    late: tuple[ListedPaper, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    extension: Mapping[str, object] = field(default_factory=dict)
    elements: dict[str, object] = field(default_factory=dict, compare=False)


def entry_view(entry: Entry, query: Query) -> EntryView:
    """Return the view of an entry in the feed of `query`."""
    return _view(entry, query.link, query.content, has_counts=bool(query.counts))


# The same paper appears in many feeds, and this takes half of the time to render one.
@lru_cache(_CACHE)
def _view(entry: Entry, link_kind: str, content: str, *, has_counts: bool) -> EntryView:
    """Return the view of an entry for the parameters `link`, `content` and `counts`."""
    paper = entry.paper
    links, image = paper.links, paper.image
    counts = _counts(paper) if has_counts else {}
    link, votes = link_of(links, link_kind), _votes(entry, counts)
    paragraphs = _paragraphs(paper, votes, content)
    named_links = _named_links(links, paper) if content != "none" else ()
    is_pdf = link_kind == "pdf" and links.pdf != links.arxiv  # else both are the same search
    return EntryView(
        id=links.hub,
        is_permalink=link == links.hub,
        title=readable(paper.title),
        link=link,
        link_type="application/pdf" if is_pdf else "text/html",
        published=entry.entered_at,
        updated=entry.updated_at,
        summary=gist(paper, 2) if content == "brief" else readable(paper.summary),
        html=entry_html(image if content == "full" else None, paragraphs, named_links) if named_links else "",
        image=image,
        external_url=links.arxiv,
        discussion=links.discussion,
        authors=paper.authors[:MAX_NAMES],
        credit=credit(paper),
        categories=paper.ai_keywords,
        doi=links.doi,
        paragraphs=paragraphs,
        links=named_links,
        counts=counts,
        extension=_extension(paper, links) | counts,
    )


def _counts(paper: Paper) -> dict[str, int]:
    """Return the counts of a paper that are known, under their names."""
    stars = {} if paper.github_stars is None else {"github_stars": paper.github_stars}
    return count_of(paper) | {"comments": paper.comments} | stars


def _votes(entry: Entry, counts: Mapping[str, int]) -> str:
    """Return `counts` in words; if a feed shows none, the upvotes with which the paper entered, which never change."""
    if counts:
        return " · ".join(plural(number, _NOUNS[name]) for name, number in counts.items())
    return f"Entered with {plural(entry.upvotes_at_entry, 'upvote')}" if entry.upvotes_at_entry else ""


def _extension(paper: Paper, links: Links) -> dict[str, object]:
    """Return what JSON Feed has no name for."""
    return {
        "arxiv_id": paper.id if links.doi else None,
        "doi": links.doi,
        "code": paper.github_repo,
        "project": paper.project_page,
        "organization": paper.organization and paper.organization.fullname,
        "authors": paper.authors or None,
        "author_count": paper.author_count or None,
    }


def count_of(paper: Paper) -> dict[str, int]:
    """Return the upvotes under their name, or the comments if the upvotes are unknown."""
    return {"comments": paper.comments} if paper.upvotes is None else {"upvotes": paper.upvotes}


def count_in_words(paper: Paper) -> str:
    """Return that number in words, such as `2 upvotes`."""
    return ", ".join(plural(number, name.removesuffix("s")) for name, number in count_of(paper).items())


def link_of(links: Links, kind: str) -> str:
    """Return the address that an entry leads to if the parameter `link` is `kind`."""
    addresses = {"arxiv": links.arxiv, "pdf": links.pdf, "html": links.html, "alphaxiv": links.alphaxiv}
    return addresses.get(kind, links.hub)


def gist(paper: Paper, sentences: int = 1) -> str:
    """Return the first sentences of the Hub's own summary, marked as such, or of the abstract."""
    text = first_sentences(readable((paper.ai_summary or paper.summary)[:_BEGINNING]), sentences)
    return f"{text} (AI summary)" if paper.ai_summary else text


def byline(paper: Paper, limit: int = MAX_AUTHORS) -> str:
    """Return at most `limit` authors on one line, with the number of the others."""
    if not paper.authors:
        return plural(paper.author_count, "author") if paper.author_count else ""
    names = paper.authors[:limit]
    rest = paper.author_count - len(names)
    return ", ".join(names) + (f" and {rest} more" if rest > 0 else "")


def credit(paper: Paper, limit: int = MAX_AUTHORS) -> str:
    """Return at most `limit` authors and the organization on one line."""
    organization = paper.organization.fullname if paper.organization else ""
    return " · ".join(filter(None, (byline(paper, limit), organization)))


def each_once(links: Iterable[tuple[str, str | None]]) -> NamedLinks:
    """Return the address and the name of each link; a paper without an arXiv id has one address for several names."""
    names: dict[str, str] = {}
    for name, address in links:
        if address:
            names.setdefault(address, name)
    return tuple(names.items())


def _paragraphs(paper: Paper, votes: str, content: str) -> tuple[str, ...]:
    """Return the text of an entry for a value of the parameter `content`."""
    if content == "none":
        return ()
    if content == "brief":
        return tuple(filter(None, (credit(paper, FEW_AUTHORS), votes, gist(paper, 2))))
    summary = f"AI summary by Hugging Face: {readable(paper.ai_summary)}" if paper.ai_summary else ""
    return tuple(filter(None, (credit(paper), votes, summary, *readable(paper.summary).split("\n\n"))))


def _named_links(links: Links, paper: Paper) -> NamedLinks:
    """Return the address and the name of everything there is about a paper."""
    return each_once(
        (
            ("Hub", links.hub),
            ("arXiv", links.arxiv),
            ("PDF", links.pdf),
            ("Code", paper.github_repo),
            ("Project", paper.project_page),
            *((_kind(address), address) for address in paper.media),
            ("BibTeX", links.bibtex),
            ("Discussion", links.discussion),
        )
    )


def _kind(address: str) -> str:
    return "Video" if _VIDEO.search(address) else "Media"


# HTML: functions rather than templates, in which Jinja would take twice the time; every text is escaped here.


def entry_html(image: str | None, paragraphs: Iterable[str], links: NamedLinks) -> str:
    """Return the content of a paper's entry."""
    return "\n".join((*_picture(image), *[f"<p>{_escape(text)}</p>" for text in paragraphs], f"<p>{_row(links)}</p>"))


def paper_html(paper: ListedPaper, content: str) -> str:
    """Return a paper in the list of a digest for a value of the parameter `content`."""
    title, note = _link(paper.address, paper.title), _escape(paper.note)
    if content != "full":
        return f"{title} · {note}" if content == "brief" else title
    sentence = (_escape(paper.sentence),) if paper.sentence else ()
    return "<br>\n".join((title, note, *sentence, _row(paper.links)))


def digest_html(image: str | None, papers: Iterable[str], late: Sequence[str], late_note: str) -> str:
    """Return the content of a digest's entry, whose papers are HTML already."""
    lines = [*_picture(image), *_list("ol", papers)]
    if late:
        lines += ["<h3>Since the last one</h3>", f"<p>{_escape(late_note)}</p>", *_list("ul", late)]
    return "\n".join((*lines, ""))


def _picture(image: str | None) -> list[str]:
    return [f'<p><img src="{_escape(image)}" alt=""></p>'] if image else []


def _list(tag: str, items: Iterable[str]) -> list[str]:
    return [f"<{tag}>", *[f"<li>{item}</li>" for item in items], f"</{tag}>"]


def _row(links: NamedLinks) -> str:
    return " · ".join([_link(address, name) for address, name in links])


def _link(address: str, text: str) -> str:
    return f'<a href="{_escape(address)}">{_escape(text)}</a>'


def _escape(text: str) -> str:
    """Return `text` as HTML, also between quotation marks."""
    return html.escape(text, quote=False).replace('"', "&#34;").replace("'", "&#39;")
