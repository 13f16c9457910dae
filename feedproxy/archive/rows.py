"""Rows of the archive in; papers and entries, or the name of an unreadable column, out.

A damaged file may return anything in any column: text instead of a number, bytes that are not text, JSON of another
shape. So we check each value before we use it. Executes nothing.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache, partial
from typing import Any

import sqlalchemy as sa

from feedproxy.archive import schema
from feedproxy.archive.state import State
from feedproxy.model import Entry, ListingDay, Organization, Paper, SavedFile
from feedproxy.text import one_line

log = logging.getLogger(__name__)
Columns = Mapping[str, Any] | sa.RowMapping
Fits = Callable[[Any], bool]
LARGEST = 2**31 - 1  # a count
_CACHE = 1_000  # papers, about five weeks of them
_IS_JSON = [isinstance(column.type, sa.JSON) for column in schema.PAPER]
_CONTROLS = bytes({*range(0x20)} - {*b"\t\n\r"})
_EMPTY = {"title": "", "summary": "", "author_count": 0, "comments": 0, "authors": [], "ai_keywords": [], "media": []}


def _read(decode: Callable[[Any], Any], raw: Any) -> Any:
    """Decode a stored value, or return it unchanged if that fails, so that the rest of the row stays readable."""
    try:
        return decode(raw)
    except (ValueError, TypeError, RecursionError):
        return raw


# No closures: psycopg warns of those, at every connection.
read_json, read_text = partial(_read, json.loads), partial(_read, bytes.decode)


class Unreadable(Exception):  # noqa: N818 (a reason, not a failure)
    """A row has a value that its column cannot hold; outside of this package it becomes an ArchiveError."""


def seconds(moment: datetime) -> int:
    """Return an aware time as the archive stores it."""
    return int(moment.timestamp())


def moment(seconds: int) -> datetime:
    """Return a stored time as aware UTC; raises Unreadable if it is not a time."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        raise Unreadable("a time cannot be read") from None


def moment_or_none(seconds: int | None) -> datetime | None:
    """Return a stored time, or None."""
    return None if seconds is None else moment(seconds)


def unreadable_column(table: sa.FromClause, row: Columns) -> str | None:
    """Return the first column of `table` with an invalid value in `row`, if any."""
    return next((name for name, fits in _FITS[table].items() if not fits(row[name])), None)


def readable_part(table: sa.FromClause, row: Columns) -> dict[str, Any]:
    """Return the readable columns of `row`."""
    return {name: row[name] for name, fits in _FITS[table].items() if fits(row[name])}


def name_of(table: sa.Table, row: Columns, column: str) -> str:
    """Return a name for a row of `table` with an unreadable `column`."""
    key = [row["id"]] if table is schema.papers else [row[part.name] for part in table.primary_key]
    return f"{table.name} {one_line(' '.join(map(str, key)), 80)} ({column})"


def demand_readable(table: sa.Table, row: sa.Row[Any]) -> sa.Row[Any]:
    """Return `row`, a whole row of `table`; raises Unreadable."""
    if name := unreadable_column(table, row._mapping):
        raise Unreadable(f"{table.name}.{name} cannot be read")
    return row


def state_of(row: sa.Row[Any]) -> State:
    """Return the state in its row."""
    times = map(moment_or_none, (row.refreshed_at, row.newest, row.backdated_at, row.closed_at))
    return State(row.revision, *times)


def days_of(rows: Iterable[sa.Row[Any]]) -> dict[date, ListingDay]:
    """Return the readable listing days in `rows`; a refresh overwrites the others."""
    return {
        row.day: ListingDay(
            row.day, moment_or_none(row.asked_at), moment_or_none(row.good_at), row.papers, row.validator
        )
        for row in rows
        if not unreadable_column(schema.listing_days, row._mapping)
    }


def files_of(rows: Iterable[sa.Row[Any]]) -> dict[str, SavedFile]:
    """Return the readable files in `rows` by their paths; the others are read again."""
    return {
        row.path: SavedFile(row.path, row.stamp, row.digest, row.day, tuple(row.papers))
        for row in rows
        if not unreadable_column(schema.files, row._mapping)
    }


def paper_of(row: Sequence[Any]) -> Paper:
    """Return the paper in a row that begins with the columns `schema.PAPER`; raises Unreadable."""
    for (name, fits), value in zip(_PAPER_FITS, row, strict=False):
        if not fits(value):
            raise Unreadable(f"its {name} cannot be read")
    values = dict(zip(Paper.__dataclass_fields__, row, strict=False))
    values["submitted_at"] = moment(values["submitted_at"])
    values["published_at"] = values["published_at"] and moment(values["published_at"])
    values |= {name: tuple(values[name]) for name in ("authors", "ai_keywords", "media")}
    values["organization"] = values["organization"] and Organization(**values["organization"])
    return Paper(**values)


@lru_cache(_CACHE)  # the same papers appear in many feeds
def _stored_paper(row: Sequence[Any]) -> Paper:
    """Return the paper in the columns `schema.PAPER`, with JSON as text; raises Unreadable."""
    return paper_of([read_json(value) if is_json else value for is_json, value in zip(_IS_JSON, row, strict=True)])


def mended_paper(row: Sequence[Any], listed_at: int) -> Paper:
    """Return the readable part of the paper in such a row."""
    empty = _EMPTY | {"submitted_at": listed_at}
    values = zip(_PAPER_FITS, row, strict=False)
    return paper_of([value if fits(value) else empty.get(name) for (name, fits), value in values])


def entries_of(rows: Sequence[sa.Row[Any]]) -> tuple[Entry, ...]:
    """Return the readable entries in `rows`, which `search.select_page` selects; logs the others once."""
    entries = []
    for row in rows:
        try:
            paper, entered_at, revised_at = _stored_paper(row[:-3]), moment(row.entered_at), moment(row.revised_at or 0)
            upvotes = row.upvotes_at_entry
            is_known = paper.upvotes is not None and _is_count(upvotes)  # else the ledger has comments for upvotes
            entries.append(Entry(paper, entered_at, max(entered_at, revised_at), upvotes if is_known else None))
        except Unreadable as reason:
            _log_left_out(row, reason)
    return tuple(entries)


def readable_paper(row: sa.Row[Any]) -> Paper | None:
    """Return the paper in `row`, or None if it cannot be read; logs it once."""
    try:
        return paper_of(row)
    except Unreadable as reason:
        _log_left_out(row, reason)
        return None


def _log_left_out(row: sa.Row[Any], reason: Unreadable) -> None:
    _log_once(f"paper {one_line(str(row.id), 50)} is left out of feeds: {reason} (feedproxy archive check)")


@lru_cache(1000)
def _log_once(line: str) -> None:
    log.error("%s", line)


# Checks of values -----------------------------------------------------------------------------------


def _is_up_to(largest: int, kind: type[float] = int) -> Fits:
    return lambda value: type(value) is kind and 0 <= value <= largest


def _is_xml(text: str) -> bool:
    """Say whether XML allows `text`, like every text from `feedproxy.text`."""
    try:
        encoded = text.encode()
    except UnicodeEncodeError:  # a surrogate
        return False
    has_controls = len(encoded.translate(None, _CONTROLS)) < len(encoded)
    return not has_controls and "\ufffe" not in text and "\uffff" not in text


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and _is_xml(value)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value) and _is_xml("".join(value))


def _is_organization(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"name", "fullname"} and all(map(_is_text, value.values()))


def _fits(column: sa.ColumnElement[Any]) -> Fits:
    kind = column.type
    if kind is schema.SECONDS:
        fits = _is_up_to(schema.LATEST)
    elif isinstance(kind, sa.Float):
        fits = _is_up_to(schema.LATEST, float)
    elif isinstance(kind, sa.Integer):
        fits = _is_up_to(2**63 - 1 if isinstance(kind, sa.BigInteger) else LARGEST)
    elif isinstance(kind, sa.Text):
        fits = _is_text
    elif isinstance(kind, sa.JSON):
        fits = _is_organization if kind.none_as_null else _are_texts
    else:
        fits = lambda value: type(value) is date  # noqa: E731
    is_nullable = isinstance(column, sa.Column) and column.nullable
    return (lambda value: value is None or fits(value)) if is_nullable else fits


_is_count = _is_up_to(LARGEST)
_FITS: dict[sa.FromClause, dict[str, Fits]] = {
    table: {column.name: _fits(column) for column in table.columns} for table in schema.metadata.sorted_tables
}
_PAPER_FITS = [(column.name, _fits(column)) for column in schema.PAPER]
_FITS[schema.WORDED] = {**_FITS[schema.papers], **dict(_PAPER_FITS), "has": _FITS[schema.wordings]["has"]}
