"""Archives of so many made-up papers, written through `Archive.store` and kept for the next run.

They come about as real ones do: the past is filled in, then a refresh every evening looks at that day and two before.
The smaller ones hold the newest papers of the largest. They are made anew when the code that makes them has changed.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from feedproxy.archive import Archive
from feedproxy.model import Listing
from tests.prose import dressed
from tests.simulation import Life, World

ROOT = Path(__file__).parents[2]
LAST = date(2025, 6, 30)
_SEED, _DAYS = 1, 5000  # so many days hold more than 100,000 papers
_LIVE = LAST - timedelta(days=150)  # from here on days were refreshed; a feed of 90 days looks no further back
_LOOKS = (29, 2, 0)  # how many days after its own a listing is read
_BATCH = 200  # days filled in at once
_EVENING = time(23, 30, tzinfo=UTC)
_MAKERS = (
    *(f"feedproxy/archive/{name}.py" for name in ("closing", "dating", "index", "schema", "sqlite", "writer")),
    *("feedproxy/query/terms.py", "tests/simulation.py", "tests/prose.py", "tests/bench/archives.py"),
)

Days = Mapping[date, Sequence[Life]]
Refresh = tuple[datetime, list[Listing]]


def kept(count: int) -> Path:
    """Return the archive of the newest `count` papers, not to be written to; made first where it is missing."""
    path = _folder() / f"{count}-{_digest()}.sqlite"
    if not path.exists():
        print(f"making an archive of {count:,} papers, which is kept: {path}", file=sys.stderr)
        unfinished = path.with_suffix(f".{os.getpid()}")
        make(unfinished, count)
        unfinished.replace(path)
    return path


def copied(count: int, folder: Path) -> Path:
    """Return a copy in `folder` of the archive of `count` papers, to do with as one likes."""
    return Path(shutil.copy(kept(count), folder / f"{count}.sqlite"))


def make(path: Path, count: int) -> None:
    """Write an archive of `count` papers to `path`."""
    with closing(Archive(str(path))) as archive:
        for now, listings in refreshes(newest(count)):
            archive.store(listings, now)
            archive.close_periods(now, None, has_all_days=True)


def newest(count: int, span: int = _DAYS) -> Days:
    """Return the lives of the newest `count` papers of `span` days by the day they are listed on."""
    world = World(_SEED, LAST - timedelta(days=span - 1), span)
    seen = {
        day: [life for life in lives if life.comes_at <= evening(LAST)]
        for day, lives in world.lives.items()
        if day <= LAST
    }
    chosen = frozenset(sorted({life.paper.id for lives in seen.values() for life in lives})[-count:])
    found = {day: [_dressed(life) for life in lives if life.paper.id in chosen] for day, lives in seen.items()}
    return {day: lives for day, lives in found.items() if lives}


def _dressed(life: Life) -> Life:
    return replace(life, paper=dressed(life.paper))


def refreshes(days: Days) -> Iterator[Refresh]:
    """Yield when what was read: the first day, what was filled in then, and every evening after it."""
    first = max(_LIVE, min(days))
    yield evening(first), _listings(days, [first], evening(first))
    past = sorted(day for day in days if day < first)
    for at in reversed(range(0, len(past), _BATCH)):
        yield evening(first), _listings(days, past[at : at + _BATCH], evening(first))
    for day in (first + timedelta(days=age) for age in range(1, (LAST - first).days + 1)):
        yield evening(day), _listings(days, [day - timedelta(days=age) for age in _LOOKS], evening(day))


def _listings(days: Days, asked: Sequence[date], now: datetime) -> list[Listing]:
    return [listing(days[day], day, now) for day in asked if day in days]


def listing(lives: Sequence[Life], day: date, now: datetime) -> Listing:
    """Return the listing of `day` as it stands at `now`."""
    return Listing(tuple(life.seen(now) for life in lives if life.comes_at <= now), day=day)


def evening(day: date) -> datetime:
    """Return when `day` is refreshed."""
    return datetime.combine(day, _EVENING)


def _folder() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "feedproxy-bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _digest() -> str:
    """Return the hash of the code that archives come of."""
    found = hashlib.sha256()
    for name in _MAKERS:
        found.update((ROOT / name).read_bytes())
    return found.hexdigest()[:12]
