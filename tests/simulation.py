"""A made-up stretch of Daily Papers that behaves like the real one: how many papers, when they come, how votes move.

Volume, filling, votes and lateness follow what was measured of the real listing; every word is made up.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from feedproxy.model import Listing, Organization, Paper
from tests.factories import entry

TOPICS = (
    *("agent", "retrieval", "diffusion", "video", "robot", "speech", "policy", "safety", "vision", "code"),
    *("math", "audio", "graph", "memory", "planning", "protein", "weather", "music", "quantum", "survey"),
)
MIDNIGHTS = date(2026, 5, 14)  # from here on listing times are midnight
_MOST = 78


@dataclass(frozen=True, slots=True)
class Life:
    """A paper and what becomes of it: when it comes, where its votes begin and end, what is added later."""

    paper: Paper
    comes_at: datetime
    begins: int
    ends: int
    days: float
    comments: int
    named_at: datetime | None
    reworded_at: datetime | None
    extra: str

    def votes(self, now: datetime) -> int:
        age = (now - self.comes_at) / timedelta(days=1)
        votes = self.begins + (self.ends - self.begins) * (1 - math.exp(-age / self.days))
        falls = votes > 1 and (int(self.paper.id[-5:]) * 7919 + now.toordinal() * 24 + now.hour) % 100 == 0
        return round(votes) - falls

    def seen(self, now: datetime) -> Paper:
        """Return the paper as it is listed at `now`."""
        age = (now - self.comes_at) / timedelta(days=1)
        named = self.named_at is not None and now >= self.named_at
        reworded = self.reworded_at is not None and now >= self.reworded_at
        return replace(
            self.paper,
            upvotes=self.votes(now),
            comments=round(self.comments * (1 - math.exp(-age))),
            organization=self.paper.organization or (Organization("example-lab", "Example Lab") if named else None),
            summary=f"{self.paper.summary} Now on {self.extra} too." if reworded else self.paper.summary,
        )


class World:
    """What is listed on which day from `first` on, the same for the same seed."""

    def __init__(self, seed: int, first: date, days: int) -> None:
        self.dice = random.Random(seed)  # noqa: S311
        self.lives: dict[date, list[Life]] = {}
        self._number = 0
        for day in (first + timedelta(days=age) for age in range(days)):
            self.lives.setdefault(day, [])
            if day.weekday() < 5 and self.dice.random() > 0.03:  # else a holiday
                self._fill(day)

    def _fill(self, day: date) -> None:
        number = min(_MOST, max(1, round(27 * math.exp(self.dice.gauss(0, 0.465)))))
        for _ in range(number):
            life = self._life(day)
            self.lives[day].append(life)
            if self.dice.random() < 0.005:  # the same paper comes back
                again = replace(life, paper=replace(life.paper, submitted_at=_midnight(day + timedelta(days=6))))
                self.lives.setdefault(day + timedelta(days=6), []).append(again)

    def _life(self, day: date) -> Life:
        self._number += 1
        dice, begin = self.dice, _midnight(day)
        late = dice.random() < (0.15 if day.weekday() == 4 else 0.03)
        comes = begin + timedelta(hours=dice.uniform(24, 34) if late else min(23.9, dice.expovariate(1 / 5)))
        topics = sorted({min(19, int(dice.expovariate(1 / 5))) for _ in range(2)})
        ends = round(math.exp(dice.gauss(math.log(9), 1.25)))
        begins = round(ends * (1 if dice.random() < 0.45 else dice.uniform(0.05, 1)))
        words = " and ".join(TOPICS[topic] for topic in topics)
        paper = Paper(
            id=f"99{self._number // 100_000:02d}.{self._number % 100_000:05d}",
            title=f"Paper {self._number} on {words}",
            summary=f"We made up paper {self._number}, which is about {words}.",
            submitted_at=comes.replace(microsecond=0) if day < MIDNIGHTS and not late else begin,
            authors=(f"Ada Example {self._number}",),
            author_count=1,
        )
        return Life(
            paper, comes, begins, ends, dice.uniform(0.5, 4), int(dice.expovariate(1 / 2)),
            comes + timedelta(days=dice.uniform(0, 3)) if dice.random() < 0.3 else None,
            comes + timedelta(days=dice.uniform(0, 10)) if dice.random() < 0.02 else None,
            dice.choice(TOPICS),
        )  # fmt: skip

    def papers(self, day: date, now: datetime) -> Iterator[Paper]:
        return (life.seen(now) for life in self.lives.get(day, ()) if life.comes_at <= now)

    def listing(self, day: date, now: datetime) -> Listing:
        return Listing(tuple(self.papers(day, now)), day=day)

    def shares_below(self) -> dict[int, float]:
        """Return which share of the papers that end with so many votes began with fewer."""
        lives = [life for listed in self.lives.values() for life in listed]
        above = {count: [life for life in lives if life.ends >= count] for count in (2, 10, 50, 100)}
        return {count: sum(life.begins < count for life in found) / len(found) for count, found in above.items()}


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


class Live:
    """The days of a fake Hub at a clock: a mapping as far as the Hub looks into it."""

    def __init__(self, world: World, clock) -> None:  # type: ignore[no-untyped-def]
        self.world, self.clock = world, clock

    def get(self, day: date, default: object = ()) -> object:
        number = iter(range(10**6))
        return [
            entry(next(number), id=paper.id, upvotes=paper.upvotes, submittedOnDailyAt=f"{day}T00:00:00.000Z")
            for paper in self.world.papers(day, self.clock())
        ] or default

    def __iter__(self) -> Iterator[date]:
        return iter(self.world.lives)
