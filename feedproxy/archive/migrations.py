"""An archive of an older schema in; the same archive in this version's schema out, with equal feeds.

A function for each number, which makes an archive of that schema out of one of the schema before. Once it is
released it stays as it is, with its own SQL: what `schema` says is true of the newest schema only.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from itertools import groupby
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from feedproxy.archive.search import GAP, document


def migrate(db: sa.Connection, schema: int) -> None:
    """Bring an archive of an older `schema` to the newest, within the caller's transaction."""
    for number in sorted(MIGRATIONS):
        if number > schema:
            MIGRATIONS[number](db)


# 2: the words of every wording --------------------------------------------------------------------

_FIELDS = ("title", "abstract", "author", "org")
_TEXTS = """CREATE TABLE texts (
    since INTEGER NOT NULL, paper INTEGER NOT NULL, digest TEXT NOT NULL,
    title TEXT NOT NULL, abstract TEXT NOT NULL, author TEXT NOT NULL, org TEXT NOT NULL,
    PRIMARY KEY (since), UNIQUE (paper, digest), FOREIGN KEY(paper) REFERENCES papers (listed_at))"""
_SEARCH = (
    "CREATE VIRTUAL TABLE search USING fts5(title, abstract, author, org, "
    "content='texts', content_rowid='since', tokenize='ascii', prefix='1 2 3')"
)
_CURRENT = "SELECT since, digest, title, summary, authors, organization FROM old_texts JOIN papers ON listed_at = paper"
_LACKING = "SELECT since FROM old_texts WHERE since NOT IN (SELECT since FROM texts)"
_INDEXED = """SELECT doc, col, term FROM temp.words
    WHERE doc IN (SELECT since FROM old_texts WHERE since NOT IN (SELECT since FROM texts)) ORDER BY doc, col, offset"""
_INSERT = "INSERT INTO texts SELECT since, paper, digest, ?, ?, ?, ? FROM old_texts WHERE since = ?"


def _keep_words(db: sa.Connection) -> None:
    """Keep what the search index knows of each wording beside it, so that the index can be made again.

    The words of the wording a paper has now follow from the paper. Those of older ones are read out of the index,
    which was SQLite's and kept no text (https://www.sqlite.org/fts5.html#the_fts5vocab_virtual_table_module).
    """
    for statement in ("ALTER TABLE texts RENAME TO old_texts", _TEXTS):
        db.exec_driver_sql(statement)
    _insert(db, _current(db))
    db.exec_driver_sql("CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, search, instance)")
    _insert(db, _older(db))
    _insert(db, [(GAP, "", "", "", since) for (since,) in db.exec_driver_sql(_LACKING)])  # the index has lost them
    for statement in ("DROP TABLE temp.words", "DROP TABLE search", "DROP TABLE old_texts", _SEARCH):
        db.exec_driver_sql(statement)
    db.exec_driver_sql("INSERT INTO search (search) VALUES ('rebuild')")


def _insert(db: sa.Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    cursor: Any = db.connection.cursor()  # the driver's own takes rows as they come
    cursor.executemany(_INSERT, rows)


def _current(db: sa.Connection) -> Iterator[tuple[Any, ...]]:
    """Yield the words of each wording that is its paper's present one, where that can be read."""
    for since, digest, title, summary, authors, organization in db.exec_driver_sql(_CURRENT):
        try:
            names = tuple(json.loads(organization).values()) if organization else ()
            words = document(title, summary, tuple(json.loads(authors)), names).values()
        except (ValueError, TypeError, AttributeError, RecursionError):
            continue
        if digest == sha256("\n".join(words).encode()).hexdigest():
            yield (*words, since)


def _older(db: sa.Connection) -> Iterator[tuple[Any, ...]]:
    """Yield the words of each wording that is not there yet, as the index has them."""
    for since, rows in groupby(db.exec_driver_sql(_INDEXED), itemgetter(0)):
        words = {field: [term for *_, term in of_field] for field, of_field in groupby(rows, itemgetter(1))}
        yield (*(_text(field, words.get(field, [])) for field in _FIELDS), since)


def _text(field: str, terms: list[str]) -> str:
    """Return `terms` as `document` writes them, the spaces of names without a word in them included."""
    names = " ".join(terms).split(GAP)
    text = f" {GAP} ".join(name.strip() for name in names)
    return text.lstrip() if field == "title" else text


# 3: whose turn it is to ask ------------------------------------------------------------------------


def _keep_turns(db: sa.Connection) -> None:
    """Add the table of turns, in either database."""
    db.exec_driver_sql("CREATE TABLE turns (next_at FLOAT NOT NULL)")
    db.exec_driver_sql("INSERT INTO turns VALUES (0)")


MIGRATIONS: dict[int, Callable[[sa.Connection], None]] = {2: _keep_words, 3: _keep_turns}
