"""A wording in, its words for the search index out, by the rules of `query.terms`. Knows no database.

Cuts whatever PostgreSQL's index cannot hold, so that both databases find the same
(https://www.postgresql.org/docs/current/textsearch-limits.html; a megabyte of words is more than a listing may have).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import sqlalchemy as sa

from feedproxy.archive.compounds import search_words
from feedproxy.archive.rows import Columns, unreadable_column
from feedproxy.archive.schema import wordings
from feedproxy.feeds.tex import readable
from feedproxy.query.grammar import FIELDS, MAX_CHARACTERS
from feedproxy.query.terms import GAP

COLUMNS = (*FIELDS, "has")  # of a document
_LONGEST = MAX_CHARACTERS  # of a word; no filter can ask for more
_REPEATS = 255  # of one word in one field
_MOST = 16_383  # words of one field
_PIECE = 1000  # wordings

Document = tuple[int, Mapping[str, str]]  # the key of a wording, and its words by field


def document(wording: Columns) -> Document:
    """Return the index's document of a row of `wordings`."""
    organization, title = wording["organization"], wording["title"]
    texts = {
        "title": ("", title, *{readable(title)} - {title}),  # a title that somebody copied from a feed finds its paper
        "abstract": (wording["summary"],),
        "author": wording["authors"],
        "org": (organization["name"], organization["fullname"]) if organization else (),
        "has": (wording["has"],),
    }
    return wording["since"], {field: " ".join(_words(parts)) for field, parts in texts.items()}


def _words(texts: Sequence[str]) -> list[str]:
    words = [word for text in texts for word in (*search_words(text), GAP)][:-1]
    has_repeats = len(words) > _REPEATS and max(Counter(words).values()) > _REPEATS
    is_short = len(words) <= _MOST and max(map(len, words), default=0) <= _LONGEST
    return words if is_short and not has_repeats else list(_cut(words[:_MOST]))


def _cut(words: Iterable[str]) -> Iterator[str]:
    repeats: Counter[str] = Counter()
    for word in (word[:_LONGEST] for word in words):
        repeats[word] += 1
        yield word if repeats[word] <= _REPEATS else GAP


def documents(db: sa.Connection) -> Iterator[list[Document]]:
    """Yield the documents of all readable wordings, some at a time."""
    rows = db.execute(sa.select(wordings), execution_options={"yield_per": _PIECE}).mappings()
    for piece in rows.partitions():
        yield [document(row) for row in piece if not unreadable_column(wordings, row)]
