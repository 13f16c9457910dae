"""Definitions of interests in; how much of what a person means a filter finds, and how much else, out.

A paper is *wanted* if a usual wording stands in its title or abstract. It belongs to the *core* if one stands in its
title or keywords. A hit is *right* if it holds a usual or a related wording. False friends are cut out first.
"""

import re
import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from feedproxy.model import Paper

DEFINITIONS = Path(__file__).parent / "definitions.toml"
_NOTHING = "(?!)"
_GAP = r"[\s\-‐-―]*"


@dataclass(frozen=True, slots=True)
class Wording:
    """What the texts of one interest's papers say."""

    name: str
    obvious: str
    wide: re.Pattern[str]
    also: re.Pattern[str]
    wrong: re.Pattern[str]

    def judge(self, paper: Paper) -> tuple[bool, bool, bool]:
        """Say whether a paper is wanted, whether it belongs to the core, and whether it is a right hit."""
        text = self._without_wrong(paper.title, paper.summary)
        is_wanted = bool(self.wide.search(text))
        is_core = bool(self.wide.search(self._without_wrong(paper.title, *paper.ai_keywords)))
        return is_wanted, is_core, is_wanted or bool(self.also.search(text))

    def _without_wrong(self, *texts: str) -> str:
        return self.wrong.sub(" # ", " # ".join(texts))


def read_definitions(path: Path = DEFINITIONS) -> tuple[Wording, ...]:
    """Read the definitions of all interests."""
    return tuple(_wording(**table) for table in tomllib.loads(path.read_text())["interest"])


def _wording(name: str, obvious: str, wide: list[str], also: Iterable[str] = (), wrong: Iterable[str] = ()) -> Wording:
    return Wording(name, obvious, _compile(wide), _compile(also), _compile(wrong))


def _compile(wordings: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern for any of `wordings` as whole words; a space in one is a gap of spaces and hyphens, or none."""
    either = "|".join(wording.replace(" ", _GAP) for wording in wordings) or _NOTHING
    return re.compile(f"(?<![a-z0-9])(?:{either})(?![a-z0-9])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Figures:
    """The number of hits, and shares from 0 to 1; 1 where there is nothing to find."""

    hits: int
    wide: float
    core: float
    precision: float


@dataclass(frozen=True, slots=True)
class Measure:
    """The ids of the papers that an interest is about."""

    wanted: frozenset[str]
    core: frozenset[str]
    right: frozenset[str]

    def figures(self, hits: Collection[str]) -> Figures:
        """Judge the ids that a filter finds."""
        ids = frozenset(hits)
        return Figures(
            len(ids),
            _share(self.wanted & ids, self.wanted),
            _share(self.core & ids, self.core),
            _share(self.right & ids, ids),
        )


def measure(wording: Wording, papers: Collection[Paper]) -> Measure:
    """Return which of `papers` an interest is about."""
    judged = [(paper.id, *wording.judge(paper)) for paper in papers]
    return Measure(*(frozenset(row[0] for row in judged if row[column]) for column in (1, 2, 3)))


def _share(part: Collection[str], whole: Collection[str]) -> float:
    return len(part) / len(whole) if whole else 1.0
