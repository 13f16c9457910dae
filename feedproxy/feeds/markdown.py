r"""A document in, its bytes as Markdown out, for notes and agents (CommonMark 0.31.2, RFC 7763).

Text from outside is never markup. `\` before a sign makes it plain, but older readers of Markdown take `\<b>` for a
tag, so `<` and `&` become `&lt;` and `&amp;` where they would begin a tag or an entity. Each text is one line of a
block of its own, so what needs a second line (tables, underlined headings) cannot arise.
"""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from feedproxy.feeds.digest import LATE
from feedproxy.feeds.entry import EntryView, ListedPaper
from feedproxy.feeds.feed import Document

# Besides CommonMark's own signs those of GitHub and Obsidian: `~~gone~~`, `$x$`, `#tag`, `==bright==`, `%%hidden%%`.
# Signs that cannot be markup where they stand keep their looks: snake_case, C#, ~30 %, p < 0.05. Each alternative
# begins with its sign, and none with a set of signs: so the search is four times as fast.
_MARKUP = (
    r"\\|`|\*|\[|\]|\$|_(?<![^\W_]_)|_(?![^\W_])|#(?<!\w#)|~(?<=\S~)|~(?=~)|=(?==)|%(?=%)"
    r"|<(?=[A-Za-z/!?])|&(?=#?\w+;)"
)
# GitHub makes links of bare addresses, and takes a backslash in one for a part of it.
_ADDRESS = r"https?://(?:[^\s<>&\\`]|&(?!#?\w+;))+(?<![?!.,:;*_~'\")\]])"
_SPECIAL, _SPECIAL_IN_LINK = re.compile(f"{_ADDRESS}|{_MARKUP}"), re.compile(_MARKUP)
_BLOCK = re.compile(r"^(\d{0,9})([.)](?= |$)|[-+:](?= |$)|-(?=--)|>)")  # what a line must not begin with
# Percent-encoded, so that programs that look for `](…)` find the whole address too.
_IN_ADDRESS = str.maketrans({sign: quote(sign) for sign in "()\\"})
_ENTITY = re.compile(r"&(?=#?\w+;)")
_LATE_TITLE = "### Since the last one"


def markdown(document: Document) -> bytes:
    """Return the title of the feed, what is in it and its address, then each entry under a heading of its own."""
    return ("\n\n".join(_blocks(document)) + "\n").encode()


def link(text: str, address: str) -> str:
    """Return a link in Markdown with `text` as it is."""
    return f"[{_text(text, _SPECIAL_IN_LINK)}]({_ENTITY.sub(_escape, address.translate(_IN_ADDRESS))})"


def _blocks(document: Document) -> Iterator[str]:
    feed = document.feed
    yield f"# {_text(feed.title)}"
    yield _paragraph(feed.description)
    yield f"<{feed.address('md')}>"
    for view in document.views:
        yield from _entry(view)
    if not document.entries:
        yield "There are no entries."
    names = {"next": "Older entries", "previous": "Newer entries"}
    if pages := document.neighbours("md"):
        yield _links((address, names[relation]) for relation, address in pages.items())


def _entry(view: EntryView) -> Iterator[str]:
    yield f"## {link(view.title, view.link)}"
    yield f"{view.published:%Y-%m-%d %H:%M} UTC"
    if view.papers:
        yield from _list(view.papers, [f"{rank}. " for rank in range(1, len(view.papers) + 1)])
    yield from map(_paragraph, view.paragraphs or filter(None, [view.credit]))
    if view.late:
        yield _LATE_TITLE
        yield _paragraph(LATE)
        yield from _list(view.late, ["- "] * len(view.late))
    if view.links:
        yield _links(view.links)


def _list(papers: Iterable[ListedPaper], markers: Iterable[str]) -> Iterator[str]:
    for paper, marker in zip(papers, markers, strict=True):
        lines = (_paragraph(paper.note), _paragraph(paper.sentence), _links(paper.links))
        text = "\n\n".join(filter(None, (link(paper.title, paper.address), *lines)))
        yield marker + text.replace("\n\n", "\n\n" + " " * len(marker))


def _escape(match: re.Match[str]) -> str:
    sign = match[0]
    return f"<{sign}>" if len(sign) > 1 else {"<": "&lt;", "&": "&amp;"}.get(sign, f"\\{sign}")


def _text(text: str, special: re.Pattern[str] = _SPECIAL) -> str:
    """Return `text` on one line, escaped for a place that is not the start of a line."""
    return special.sub(_escape, " ".join(text.split()))


def _paragraph(text: str) -> str:
    """Return `text` as a paragraph, which does not begin as a list or a quotation does."""
    return _BLOCK.sub(r"\1\\\2", _text(text), count=1)


def _links(links: Iterable[tuple[str, str]]) -> str:
    return " · ".join(link(name, address) for address, name in links)
