"""Six weeks of the demo's papers that stand still: saved files, and an archive that has watched their votes.

Unlike the demo's they name thumbnails, which the tests' browser answers itself.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from time import sleep
from typing import Any

import httpx

from feedproxy.archive import Archive
from feedproxy.config import Config
from feedproxy.ingest.demo import papers
from feedproxy.ingest.parse import parse
from feedproxy.model import Paper
from tests.conftest import serving
from tests.factories import api, entry

LAST = date(2026, 3, 10)
DAYS = tuple(day for day in (LAST - timedelta(days=age) for age in reversed(range(45))) if day.weekday() < 5)
NOW = datetime.combine(LAST, time(12), UTC)


def listing(day: date, now: datetime = NOW) -> list[dict[str, Any]]:
    """Return the entries of `day` as the API lists them at `now`, with the votes they have by then."""
    return [_entry(paper) for paper in papers(day, now)]


def write(folder: Path) -> dict[str, str]:
    """Write listings and an archive of them to `folder`, and return the settings that serve them."""
    listings, archive = folder / "listings", folder / "archive.sqlite"
    listings.mkdir(parents=True, exist_ok=True)
    for day in DAYS:
        (listings / f"{day}.json").write_bytes(api(listing(day)))
    _keep(str(archive))
    return {"listing": str(listings), "archive": str(archive)}


def _keep(address: str) -> None:
    """Write an archive of what was seen: each evening that day's listing and two before it, at last all at NOW."""
    with closing(Archive(address)) as archive:
        for now, days in _looks():
            archive.store([parse(api(listing(day, now)), day=day) for day in days], now)


@contextmanager
def running(config: Config) -> Iterator[httpx.Client]:
    """Serve them as they stand at NOW, once the first refresh has closed what is over."""
    with serving(config, lambda: NOW) as client:
        while not client.get("/feed.json?digest=month").json()["items"]:
            sleep(0.05)
        yield client


def _looks() -> Iterator[tuple[datetime, tuple[date, ...]]]:
    for at in range(20, len(DAYS)):  # what was before was filled in
        before = DAYS[:20] if at == 20 else ()
        yield datetime.combine(DAYS[at - 1], time(22, 40), UTC), (*before, *DAYS[max(0, at - 3) : at])
    yield NOW, DAYS


def _entry(paper: Paper) -> dict[str, Any]:
    house = paper.organization
    return entry(
        id=paper.id,
        title=paper.title,
        summary=paper.summary,
        authors=[{"name": name} for name in paper.authors],
        organization=house and {"name": house.name, "fullname": house.fullname},
        upvotes=paper.upvotes,
        submittedOnDailyAt=paper.submitted_at.isoformat(),
        publishedAt=paper.published_at and paper.published_at.isoformat(),
        numComments=paper.comments,
        thumbnail=f"https://cdn-thumbnails.huggingface.co/social-thumbnails/papers/{paper.id}.png",
        githubRepo=paper.github_repo,
        githubStars=paper.github_stars,
        projectPage=paper.project_page,
        ai_keywords=list(paper.ai_keywords),
        ai_summary=paper.ai_summary,
    )
