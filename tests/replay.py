"""Refreshes of the real archive, each told to the naive digests too, and the comparison of both."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from feedproxy.archive import Archive
from feedproxy.errors import FeedproxyError, ListingError
from feedproxy.ingest.files import SavedListings
from feedproxy.ingest.http import Turn
from feedproxy.ingest.hub import Hub
from feedproxy.ingest.parse import parse
from feedproxy.ingest.refresher import Refresher
from feedproxy.ingest.schedule import due_days, missing_days, next_due
from feedproxy.ingest.source import ListingDays, ListingRequest
from feedproxy.model import Digest, Listing
from feedproxy.query.parameters import Query
from tests.conftest import Clock, documents
from tests.naive_digests import NaiveDigests, Row, row

Shown = tuple[str, datetime, tuple[Row, ...], tuple[Row, ...]]  # a digest: period, date, papers, papers that rose late
Batches = list[list[ListingRequest]]


class Taped:
    """What was read from a source since the last look, in batches as they are stored, and the days that failed."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self.batches: Batches = []
        self.listings: dict[ListingRequest, Listing] = {}
        self.failed: list[date] = []

    def due(self, days: ListingDays, now: datetime, *, force: bool = False) -> Batches:
        self.batches = super().due(days, now, force=force)  # type: ignore[misc]
        return self.batches

    def get(self, request: ListingRequest, now: datetime) -> Listing:
        try:
            listing: Listing = super().get(request, now)  # type: ignore[misc]
        except ListingError:
            if request.day:
                self.failed.append(request.day)
            raise
        self.listings[request] = listing
        return listing

    def tell(self, naive: NaiveDigests, now: datetime) -> None:
        """Tell what was read, and forget it."""
        for batch in self.batches or [[request] for request in self.listings]:
            if read := [self.listings[request] for request in batch if request in self.listings]:
                naive.read(read, now)
        naive.failed.update(self.failed)
        self.batches, self.listings, self.failed = [], {}, []


class Listed:
    """A source that answers from a function, by the Hub's timetable, but reads no empty day again once it is over."""

    name, has_all_days = "made up", False

    def __init__(self, listing: Callable[[date, datetime], Listing]) -> None:
        self._listing = listing
        self._over: set[date] = set()

    def keep_pace(self, turn: Turn) -> None:
        """Ask nobody."""

    def due(self, days: ListingDays, now: datetime, *, force: bool = False) -> Batches:
        batches = [[day for day in batch if day not in self._over] for batch in due_days(days, now, force=force)]
        return [[ListingRequest(day) for day in batch] for batch in batches if batch]

    def next_due(self, days: ListingDays, now: datetime) -> datetime:
        return next_due(days, now)

    def get(self, request: ListingRequest, now: datetime) -> Listing:
        assert request.day
        listing = self._listing(request.day, now)
        if now.date() - request.day > timedelta(days=10) and not listing.papers:
            self._over.add(request.day)
        return listing


class TapedListed(Taped, Listed):
    """`Listed`, taped."""


class TapedHub(Taped, Hub):
    """The Hub, taped."""


class TapedFiles(Taped, SavedListings):
    """Saved listings, taped."""


def captured(paths: Iterable[Path]) -> tuple[list[datetime], Callable[[date, datetime], Listing]]:
    """Return when these listings were captured, and what a day's listing was at a time: empty before the first."""
    bodies: dict[date, list[tuple[datetime, bytes]]] = {}
    for path in sorted(paths):
        day, _, taken = path.stem.partition("__captured_")
        when = datetime.strptime(taken, "%Y-%m-%dT%H%MZ").replace(tzinfo=UTC)
        bodies.setdefault(date.fromisoformat(day), []).append((when, path.read_bytes()))

    def listing(day: date, now: datetime) -> Listing:
        *_, last = None, *(body for when, body in bodies.get(day, ()) if when <= now)
        return replace(parse(last, day=day), day=day) if last else Listing(day=day)

    return sorted(when for own in bodies.values() for when, _ in own), listing


@dataclass
class Replay:
    """The real archive and the naive digests, refreshed together, and what was compared of each query before."""

    archive: Archive
    clock: Clock
    source: Taped
    queries: Sequence[Query] = ()
    naive: NaiveDigests = field(default_factory=NaiveDigests)
    before: dict[tuple[Query, str], tuple[object, ...]] = field(default_factory=dict)
    jitter: float = 0.0

    def __post_init__(self) -> None:
        self.refresher = Refresher(self.source, self.archive, self.clock, lambda: self.jitter)  # type: ignore[arg-type]

    def refresh(self, *, force: bool = False) -> bool:
        """Refresh once; return whether it was good."""
        try:
            outcome = self.refresher.refresh_once(force=force)
        except FeedproxyError:
            self.source.tell(self.naive, self.clock())
            return False
        self.source.tell(self.naive, self.clock())
        assert outcome is not None, "somebody else refreshes"
        if outcome.listings or self.refresher.source.has_all_days:  # who reads nothing closes nothing
            self.naive.close(self.clock())
        return True

    def backfill(self, since: date, until: date) -> None:
        """Fill in the missing days as far as they can be read, oldest first, and refresh."""
        for day in missing_days(self.archive.days(None), since, until):
            with suppress(FeedproxyError):
                self.refresher.fetch_and_store([ListingRequest(day)])
            self.source.tell(self.naive, self.clock())
        self.clock.tick(minutes=15)
        self.refresh()

    def until(self, end: datetime, pause: timedelta = timedelta(minutes=15), *, check: bool = False) -> None:
        """Refresh every now and then until `end`, each time a moment after `pause`."""
        while self.clock() + pause <= end:
            self.clock.now += pause
            self.refresh()
            if check:
                self.check()

    def check(self) -> None:
        """Assert that every query has the digests that the naive program says, and that none changed since before."""
        for query in self.queries:
            real = self.archive.digests(query).entries
            wrong = differences(shown(self.naive, query), list(map(shown_digest, real)))
            assert not wrong, "\n".join([str(query), *wrong])
            for digest in real:
                seen = self.before.setdefault((query, digest.period.code), shown_digest(digest))
                assert seen == shown_digest(digest), f"{query}: {digest.period.title} has changed"

    def bytes(self) -> list[bytes]:
        """Return the feed of each query in every format."""
        return documents(self.archive, *self.queries)


def shown(naive: NaiveDigests, query: Query) -> list[Shown]:
    """Return what the naive program shows, as far as `limit` goes."""
    return [digest.shown for digest in naive.digests(query)][: query.limit]


def shown_digest(digest: Digest) -> Shown:
    """Return what a real digest shows, in the form of a naive one."""
    return (digest.period.code, digest.entered_at, tuple(map(row, digest.papers)), tuple(map(row, digest.late)))


def differences(expected: list[Shown], real: list[Shown]) -> list[str]:
    """Return a line for each digest that is in one list alone, with the first part that differs."""
    ours, theirs = {one[0]: one for one in expected}, {one[0]: one for one in real}
    lines = [f"{code}: missing" for code in ours.keys() - theirs.keys()]
    lines += [f"{code}: too many" for code in theirs.keys() - ours.keys()]
    for code in ours.keys() & theirs.keys():
        if ours[code][1] != theirs[code][1]:
            lines.append(f"{code}: date {ours[code][1]} expected, {theirs[code][1]}")
        for name, place in (("papers", 2), ("late", 3)):
            one, other = ours[code][place], theirs[code][place]
            if one != other:
                ids = [[paper[:2] for paper in papers] for papers in (one, other)]
                parts = (
                    [pair for pair in zip(one, other, strict=False) if pair[0] != pair[1]] if ids[0] == ids[1] else []
                )
                lines.append(f"{code}: {name} {ids[0]} expected, {ids[1]} {parts[:1]}")
    return sorted(lines) or ["in another order"] * (expected != real)
