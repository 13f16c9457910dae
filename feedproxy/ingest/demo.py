"""The demo as a source: made-up papers of every weekday up to today, with votes that rise as they do at the Hub.

A day's papers depend on the day alone, and their votes on the time. Nobody and nothing in them exists, and they name no
image, so that no browser asks the Hub for one.
"""

import random
import re
import tomllib
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache
from math import exp
from pathlib import Path
from typing import Any

from feedproxy.ingest.http import Turn
from feedproxy.ingest.schedule import LIVE, ListingDays, ListingRequest
from feedproxy.model import Listing, Organization, Paper
from feedproxy.periods import Period, midnight

_SIZES = (23, 25, 26, 27, 28, 28, 29, 31, 33, 37)  # papers on a weekday
_HISTORY = timedelta(days=45)  # at least: the page looks at 30 listing days
_CLOSING = timedelta(hours=27)  # after the end of a month
_MOVING = timedelta(days=8)  # while a paper gets votes
_FILLING = 15 * 3600  # seconds after midnight until the last paper of a day is listed
_VOTES = 2.1, 1.25  # mean and spread of their logarithm: half of all papers get 8 or more, one in 45 more than 100
_ID = re.compile(r"[0-9]{2}(2[1-9]|3[0-2])\.[0-9]{5}")  # at arXiv a year has only 12 months
_NAMES = {"nvidia": "example", "yann%20lecun": "ada%20example"}  # for real ones
_PARTS = Path(__file__).with_suffix(".toml")


class MadeUpListings:
    """The listings of a Hub that does not exist; again and again those whose votes may have changed."""

    name = "the demo"
    has_all_days = False

    def keep_pace(self, turn: Turn) -> None:
        """Do nothing: papers may be made up at any pace."""

    def due(self, days: ListingDays, now: datetime, *, force: bool = False) -> list[list[ListingRequest]]:
        """Return the days that are not final, in one batch, if they were made up long enough ago."""
        if not force and self.next_due(days, now) > now:
            return []
        final = {day for day, read_at in _reads(days, now).items() if read_at >= midnight(day) + _MOVING}
        return [[ListingRequest(day) for day in _days(now) if force or day not in final]]

    def next_due(self, days: ListingDays, now: datetime) -> datetime:
        """Return when votes have changed."""
        reads = _reads(days, now)
        return max(reads.values()) + LIVE if reads else now

    def get(self, request: ListingRequest, now: datetime) -> Listing:
        """Return the papers of a day that are listed by `now`."""
        return Listing(papers(request.day, now), day=request.day) if request.day else Listing()


def papers(day: date, now: datetime) -> tuple[Paper, ...]:
    """Return the papers of `day` that are listed by `now` (aware UTC), with the votes that they have by then."""
    size = _dice(day).choice(_SIZES) if day.weekday() < 5 else 0
    times = [midnight(day) + timedelta(seconds=_FILLING * number // size) for number in range(size)]
    return tuple(_paper(day, number, listed_at, now) for number, listed_at in enumerate(times, 1) if listed_at <= now)


def is_made_up(paper_id: str) -> bool:
    """Say whether a paper is one of the demo's, by its id."""
    return bool(_ID.fullmatch(paper_id))


def with_made_up_names(text: str) -> str:
    """Return an example of ours, percent-encoded or not, with names of the demo instead of real ones."""
    for real, made_up in _NAMES.items():
        text = text.replace(real, made_up)
    return text


def _reads(days: ListingDays, now: datetime) -> dict[date, datetime]:
    """Return when each day was last read, without what a wrong clock has noted for the future."""
    return {day: entry.good_at for day, entry in days.items() if entry.good_at and entry.good_at <= now}


def _days(now: datetime) -> list[date]:
    """Return the days to begin with, up to today: so many that a week and a month before them are closed."""
    last_month = Period.of("month", (now - _CLOSING).date()).previous
    first = min(last_month.start, (now - _HISTORY).date())
    return [first + timedelta(days=number) for number in range((now.date() - first).days + 1)]


def _dice(day: date, number: int = 0) -> random.Random:
    return random.Random(day.toordinal() * 100 + number)  # noqa: S311 (no secret)


@cache
def _parts() -> dict[str, Any]:
    return tomllib.loads(_PARTS.read_text("utf-8"))


def _paper(day: date, number: int, listed_at: datetime, now: datetime) -> Paper:
    """Return paper `number` of `day`. The order in which it throws its dice must not change."""
    parts, dice = _parts(), _dice(day, number)
    subject, other = _subjects(dice)
    values = {
        "thing": dice.choice(parts["things"]),
        "subject": subject["name"],
        "other": other["name"],
        "quality": dice.choice(parts["qualities"]),
        "end": dice.choice(parts["ends"]),
        **{
            name: dice.randint(*ends)
            for name, ends in {"tasks": (4, 11), "points": (2, 9), "percent": (51, 89)}.items()
        },
    }
    in_text = values | {name: _in_text(values[name]) for name in ("subject", "other")}
    method, ai_summary = (dice.choice(parts[name]).format_map(in_text) for name in ("methods", "summaries"))
    results = [text.format_map(in_text) for text in dice.sample(parts["results"], 2)]
    authors = tuple(dict.fromkeys(_name(dice) for _ in range(dice.choice((1, 2, 3, 3, 4, 5, 6, 8, 11)))))
    house = dice.choice(parts["houses"])
    place = str(values["thing"]).lower()
    votes = exp(dice.gauss(*_VOTES))
    paper = Paper(
        id=f"{day:%y}{day.month + 20}.{day.day:02}{number:03}",  # see `_ID`
        title=dice.choice(parts["titles"]).format_map(values),
        summary=f"{' '.join([subject['about'], method, *results])}\n\n{parts['mark']}",
        submitted_at=listed_at,
        published_at=midnight(day) - timedelta(days=dice.randint(1, 4)),
        authors=authors,
        author_count=len(authors),
        upvotes=round(votes * (1 - exp(-1.2 * ((now - listed_at) / timedelta(days=1))))),
        comments=dice.choice((0, 0, 1, 1, 2, 3)) + round(votes / 40),
        organization=Organization(house.lower().replace(" ", "-"), house) if dice.random() < 0.6 else None,
        github_repo=f"https://code.example.org/{place}" if dice.random() < 0.5 else None,
        project_page=f"https://{place}.example.org/" if dice.random() < 0.25 else None,
        ai_keywords=tuple(dict.fromkeys((*subject["keywords"], other["keywords"][0]))),
        ai_summary=ai_summary + " (Made up.)",
    )
    return replace(paper, github_stars=round(votes * dice.uniform(0, 9))) if paper.github_repo else paper


def _subjects(dice: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a paper is about, and what else it mentions."""
    subjects = _parts()["subject"]
    (subject,) = dice.choices(subjects, [one["weight"] for one in subjects])
    return subject, dice.choice([one for one in subjects if one is not subject])


def _in_text(name: str) -> str:
    """Return a name without its capitals, but for abbreviations."""
    return re.sub(r"\b[A-Z][a-z]+\b", lambda word: word[0].lower(), name)


def _name(dice: random.Random) -> str:
    return f"{dice.choice(_parts()['given'])} {dice.choice(_parts()['family'])}"
