"""The parts of an entry or of a digest in, their HTML out; every text is escaped here.

Functions rather than templates: HTML is half of what a feed costs, and Jinja takes twice the time.
"""

import html
from collections.abc import Iterable, Sequence
from typing import NamedTuple

NamedLinks = tuple[tuple[str, str], ...]  # address and name


class ListedPaper(NamedTuple):
    """A paper in the list of a digest, with as much as the parameter `content` says; `note` is its credit or count."""

    title: str
    address: str
    note: str = ""
    sentence: str = ""
    links: NamedLinks = ()


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
    lines = [*_picture(image), *_listed("ol", papers)]
    if late:
        lines += ["<h3>Since the last one</h3>", f"<p>{_escape(late_note)}</p>", *_listed("ul", late)]
    return "\n".join((*lines, ""))


def _picture(image: str | None) -> list[str]:
    return [f'<p><img src="{_escape(image)}" alt=""></p>'] if image else []


def _listed(tag: str, items: Iterable[str]) -> list[str]:
    return [f"<{tag}>", *[f"<li>{item}</li>" for item in items], f"</{tag}>"]


def _row(links: NamedLinks) -> str:
    return " · ".join([_link(address, name) for address, name in links])


def _link(address: str, text: str) -> str:
    return f'<a href="{_escape(address)}">{_escape(text)}</a>'


def _escape(text: str) -> str:
    """Return `text` as HTML, also between quotation marks."""
    return html.escape(text, quote=False).replace('"', "&#34;").replace("'", "&#39;")
