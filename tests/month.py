"""Six weeks of made-up Daily Papers to look at: votes that rise, weekends without a listing.

What is listed on a day depends on the day alone, so that saved files and an archive written beside them agree.
"""

import random
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from math import exp
from pathlib import Path
from time import sleep
from typing import Any

import httpx

from feedproxy.archive import Archive
from feedproxy.ingest.parse import parse
from tests.factories import api, entry

LAST = date(2026, 3, 10)
DAYS = tuple(day for day in (LAST - timedelta(days=age) for age in reversed(range(45))) if day.weekday() < 5)
NOW = datetime.combine(LAST, time(12), UTC)

_MADE = ("Tiny", "Patient", "Open", "Sparse", "Modular", "Honest", "Streaming", "Frugal", "Latent", "Causal", "Careful")
_THINGS = ("Agents", "Retrieval", "Diffusion", "Tool Use", "Speech", "Reinforcement Learning", "Long Context", "RL")
_THINGS += ("Video Generation", "Robot Learning", "Code Models", "RAG")
_ENDS = ("without Labels", "at Scale", "in One Pass", "from Human Feedback", "on a Phone", "before Acting")
_ENDS += ("with Half the Data", "in the Wild", "under Uncertainty", "One Step at a Time")
_GIVEN = ("Ada", "Ben", "Cleo", "Dora", "Emil", "Fatima", "Goro", "Hanna", "Ivo", "Jun", "Kira", "Li")
_FAMILY = ("Example", "Placeholder", "Sample", "Specimen", "Mockup", "Draft", "Template", "Fiction")
_HOUSES = ("Example Lab", "Sample University", "Placeholder Research", "Institute of Drafts")
_SAID = (
    "This paper does not exist.",
    "We show that a simple recipe for {thing} goes further than a large one.",
    "On a made-up benchmark {other} helps {thing} on nine tasks of ten.",
    "A survey among nobody finds {thing} useful.",
    "We release nothing, because none of this exists.",
)


def listing(day: date, now: datetime = NOW) -> list[dict[str, Any]]:
    """Return the entries of `day` as the API lists them at `now`, with the votes they have by then."""
    return [_entry(day, number, now) for number in range(_size(day))]


def save(folder: Path) -> Path:
    """Write the listing of each day to a file in `folder` as it stands at NOW; return `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for day in DAYS:
        (folder / f"{day}.json").write_bytes(api(listing(day)))
    return folder


def keep(address: str) -> None:
    """Write an archive of what was seen: each evening that day's listing and two before it, at last all at NOW."""
    with closing(Archive(address)) as archive:
        for now, days in _looks():
            archive.store([parse(api(listing(day, now)), day=day) for day in days], now)


def wait_for_digests(client: httpx.Client) -> None:
    """Wait until the first refresh has closed what is over."""
    while not client.get("/feed.json?digest=month").json()["items"]:
        sleep(0.05)


def _looks() -> Iterator[tuple[datetime, tuple[date, ...]]]:
    for at in range(20, len(DAYS)):  # what was before was filled in
        before = DAYS[:20] if at == 20 else ()
        yield datetime.combine(DAYS[at - 1], time(22, 40), UTC), (*before, *DAYS[max(0, at - 3) : at])
    yield NOW, DAYS


def _size(day: date) -> int:
    return random.Random(day.toordinal()).choice((5, 8, 9, 11, 12, 14, 17, 21))  # noqa: S311


def _entry(day: date, number: int, now: datetime) -> dict[str, Any]:
    dice = random.Random(day.toordinal() * 100 + number)  # noqa: S311
    thing, other = dice.sample(_THINGS, 2)
    house = dice.choice(_HOUSES)
    final = round(exp(dice.gauss(2.2, 1.2)))
    return entry(
        (day.toordinal() % 1000) * 100 + number,
        day=day,
        title=_title(dice, thing, other),
        summary=" ".join(dice.sample(_SAID, 4)).format(thing=thing.lower(), other=other.lower()),
        authors=[{"name": f"{dice.choice(_GIVEN)} {dice.choice(_FAMILY)}"} for _ in range(dice.randint(1, 9))],
        organization={"name": house.replace(" ", "-").lower(), "fullname": house} if dice.random() < 0.5 else None,
        upvotes=_so_far(final, day, now),
        numComments=dice.randint(0, 4),
        thumbnail=f"https://cdn-thumbnails.huggingface.co/social-thumbnails/papers/{day}-{number}.png",
        ai_keywords=[thing.lower(), other.lower()],
    )


def _title(dice: random.Random, thing: str, other: str) -> str:
    made, end = dice.choice(_MADE), dice.choice(_ENDS)
    return dice.choice(
        (
            f"{made} {thing} {end}",
            f"{made}{thing.partition(' ')[0]}: {other} {end}",
            f"{thing} and {other}, Reconciled",
            f"{made} {thing} for {other}",
            f"A Survey of {made} {thing}",
            f"Rethinking {thing} for {other}",
        )
    )


def _so_far(final: int, day: date, now: datetime) -> int:
    """Return how many of its votes a paper listed on `day` has at `now`: most come on the first two days."""
    age = (now - datetime.combine(day, time(), UTC)) / timedelta(days=1)
    return round(final * (1 - exp(-1.2 * age)))
