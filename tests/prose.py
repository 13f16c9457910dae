"""Papers that read like papers to a search index: a made-up language with the lengths and frequencies of a real one.

Every paper's text is made of its id alone, so the same paper reads the same in an archive of any size.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import accumulate

from feedproxy.model import Organization, Paper

_SYLLABLES = ("ba", "co", "di", "fen", "gor", "hul", "ki", "lam", "mer", "no", "pra", "que", "rin", "sol", "tu", "vex")
_SHORTEST, _TYPICAL, _LONGEST = 165, 1200, 1900  # characters of an abstract
_ASIDES = ("on $x < 0.05$", "at 7 & 70 billion", "(a 3.2x gain)", "state-of-the-art", "pre-trained")


def _words(count: int) -> tuple[str, ...]:
    """Return `count` different words, the short ones first, as in any language."""
    dice = random.Random(2)  # noqa: S311
    made: dict[str, None] = {}
    while len(made) < count:
        made["".join(dice.choices(_SYLLABLES, k=1 + min(3, len(made) // 16)))] = None
    return tuple(made)


WORDS = _words(6000)
_WEIGHTS = tuple(accumulate(1 / (rank + 3) for rank in range(len(WORDS))))  # Zipf's law


def dressed(paper: Paper) -> Paper:
    """Return `paper` with title and abstract around the ones it has, and with the optional fields of a real one."""
    dice = random.Random(paper.id)  # noqa: S311
    authors = tuple(_name(dice) for _ in range(dice.randint(1, 10)))
    return replace(
        paper,
        title=f"{_phrase(dice, dice.randint(2, 9)).capitalize()}: {paper.title}",
        summary=_abstract(dice, paper),
        authors=authors,
        author_count=len(authors),
        **{name: make(dice, paper) for name, (share, make) in _OPTIONAL.items() if dice.random() < share},
    )


def _phrase(dice: random.Random, count: int) -> str:
    return " ".join(dice.choices(WORDS, cum_weights=_WEIGHTS, k=count))


def _abstract(dice: random.Random, paper: Paper) -> str:
    """Return as many sentences as the abstract of `paper` shall have characters, its own among them."""
    length = min(_LONGEST, max(_SHORTEST, dice.gauss(_TYPICAL, 300)))
    said, sentences = paper.summary, _sentences(dice)
    while len(said) < length:
        said = f"{said} {next(sentences)}"
    return said[: int(length)].rstrip()


def _sentences(dice: random.Random) -> Iterator[str]:
    while True:
        aside = f" {dice.choice(_ASIDES)}" if dice.random() < 0.1 else ""
        end = ".\n\n" if dice.random() < 0.02 else "."
        yield f"{_phrase(dice, dice.randint(8, 30)).capitalize()}{aside}{end}"


def _name(dice: random.Random) -> str:
    return " ".join(word.capitalize() for word in dice.choices(WORDS[16:2000], k=2))


def _organization(dice: random.Random, _: Paper) -> Organization:
    name = WORDS[16 + min(400, int(dice.expovariate(1 / 60)))]
    return Organization(f"{name}-example", f"{name.capitalize()} Example")


# How often an optional field is there, and what makes it.
_OPTIONAL = {
    "published_at": (1, lambda dice, paper: paper.submitted_at - timedelta(days=dice.expovariate(1 / 3))),
    "organization": (0.4, _organization),
    "thumbnail": (0.95, lambda _, paper: f"https://cdn-thumbnails.huggingface.co/made-up/thumbnails/{paper.id}.png"),
    "github_repo": (0.45, lambda dice, paper: f"https://code.example.org/{WORDS[dice.randrange(2000)]}/{paper.id}"),
    "project_page": (0.25, lambda _, paper: f"https://{paper.id.replace('.', '-')}.example.org/"),
    "ai_keywords": (0.7, lambda dice, _: tuple(dict.fromkeys(_phrase(dice, 2) for _ in range(dice.randint(3, 8))))),
    "ai_summary": (0.65, lambda dice, _: f"{_phrase(dice, dice.randint(20, 40)).capitalize()}."),
}
