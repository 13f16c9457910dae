"""An archive in plain Python that looks at everything, to hold the real one against; and queries to ask both.

The queries are made of tokens of the language, so that many of them mean something.
"""

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from hypothesis import strategies as st

from feedproxy.feeds.tex import readable
from feedproxy.model import Entry, Paper
from feedproxy.query.grammar import Filter, Not, Or, Term
from feedproxy.query.parameters import Query
from tests.naive_words import EXACT, Text, satisfies

# The archive ------------------------------------------------------------------------------------


class Wording:
    """What a paper said since a moment: by field the texts in it."""

    def __init__(self, since: datetime, paper: Paper) -> None:
        names = (paper.organization.name, paper.organization.fullname) if paper.organization else ()
        titles = (paper.title, readable(paper.title))
        texts = {"title": titles, "abstract": (paper.summary,), "author": paper.authors, "org": names}
        self.since = since
        self.texts = {name: [Text(text) for text in held] for name, held in texts.items()}
        links = {"code": paper.github_repo, "project": paper.project_page, "image": paper.image}
        self.texts["has"] = [Text(name) for name, link in links.items() if link]

    def holds(self, term: Term) -> bool:
        """Say whether one of the texts that `term` is about satisfies it."""
        return any(satisfies(text, term) for name in term.fields for text in self.texts[name])


@dataclass
class Past:
    """A paper as it is now, and all it ever was."""

    paper: Paper
    listed_at: datetime
    revised_at: datetime | None = None
    wordings: list[Wording] = field(default_factory=list)
    counts: list[tuple[datetime, int, int]] = field(default_factory=list)

    def reached(self, column: int, wanted: int) -> datetime | None:
        """Return when the upvotes (1) or comments (2) first were at least `wanted`."""
        return next((count[0] for count in self.counts if count[column] >= wanted), None)

    def upvotes_at(self, date: datetime) -> int | None:
        """Return the most upvotes there had been at `date`; None if there were none, or if they are unknown."""
        known = [upvotes for at, upvotes, _ in self.counts if at <= date and self.paper.upvotes is not None]
        return max(known, default=0) or None


class NaiveArchive:
    """Papers and their pasts; takes one listing of distinct papers at a time and forgets nothing."""

    def __init__(self) -> None:
        self.histories: dict[str, Past] = {}
        self.dates: set[datetime] = set()
        self.previous: datetime | None = None

    def store(self, papers: Iterable[Paper], now: datetime) -> None:
        """Store what one refresh saw at `now`; with the first one comes history."""
        seen = sorted(papers, key=lambda paper: (paper.submitted_at, paper.id))
        late = {paper.id for paper in seen if self._is_new(paper) and not self._keeps_its_time(paper, now)}
        present = [now - timedelta(seconds=len(late) - 1)]
        present += [self.previous, max(self.dates) + timedelta(seconds=1)] if self.previous else []
        for paper in seen:
            self._see(paper, max(present) if paper.id in late else min(paper.submitted_at, now))
        self.previous = now

    def _keeps_its_time(self, paper: Paper, now: datetime) -> bool:
        return self.previous is None or min(paper.submitted_at, now) > self.previous

    def _is_new(self, paper: Paper) -> bool:
        """Say whether anything in `paper` but a fallen count was never seen before."""
        past = self.histories.get(paper.id)
        return past is None or any(self._news(past, paper))

    def _news(self, past: Past, paper: Paper) -> tuple[bool, bool]:
        """Return whether a count of `paper` is its highest yet, and whether it reads otherwise than before."""
        told, count = self._told(past, paper), (paper.effective_upvotes, paper.comments)
        counts = {name: getattr(told, name) for name in ("upvotes", "comments", "github_stars", "published_at")}
        alike = told == replace(past.paper, **counts)
        rising = any(count[column] > max(step[column + 1] for step in past.counts) for column in (0, 1))
        return rising, not alike

    @staticmethod
    def _told(past: Past, paper: Paper) -> Paper:
        lasting = ("organization", "github_repo", "project_page", "thumbnail", "media")
        values = {name: getattr(paper, name) or getattr(past.paper, name) for name in lasting}
        values["github_stars"] = past.paper.github_stars if paper.github_stars is None else paper.github_stars
        return replace(paper, submitted_at=past.paper.submitted_at, **values)

    def _see(self, paper: Paper, base: datetime) -> None:
        past, count = self.histories.get(paper.id), (paper.effective_upvotes, paper.comments)
        if not past:
            date = self._free(base)
            self.histories[paper.id] = Past(paper, date, None, [Wording(date, paper)], [(date, *count)])
            return
        rising, reworded = self._news(past, paper)
        past.paper = self._told(past, paper)
        if not rising and not reworded:
            return
        date = self._free(base)
        past.counts.append((date, *count))
        if reworded:
            past.revised_at = date
            past.wordings.append(Wording(date, past.paper))

    def _free(self, date: datetime) -> datetime:
        while date in self.dates:
            date += timedelta(seconds=1)
        self.dates.add(date)
        return date

    def entries(self, query: Query) -> list[Entry]:
        """Return every entry of `query`, newest first."""
        newest = max(self.dates, default=datetime(1970, 1, 1, tzinfo=UTC)).replace(hour=0, minute=0, second=0)
        start = newest - timedelta(days=query.days - 1)
        wordings = {wording for past in self.histories.values() for wording in past.wordings}
        matching = matched(query.q, wordings) if query.q else wordings
        dated = ((past, entered(past, query, matching)) for past in self.histories.values())
        within = ((past, date) for past, date in dated if date and date >= start)
        entries = [
            Entry(past.paper, date, max(date, past.revised_at or date), past.upvotes_at(date)) for past, date in within
        ]
        return sorted(entries, key=lambda entry: entry.entered_at, reverse=True)


def matched(wanted: Filter, wordings: set[Wording]) -> set[Wording]:
    """Return those of `wordings` that `wanted` matches."""
    if isinstance(wanted, Term):
        return {wording for wording in wordings if wording.holds(wanted)}
    if isinstance(wanted, Not):
        return wordings - matched(wanted.part, wordings)
    sets = [matched(part, wordings) for part in wanted.parts]
    return set.union(*sets) if isinstance(wanted, Or) else set.intersection(*sets)


def terms(wanted: Filter) -> Iterator[Term]:
    """Yield the terms of a filter."""
    if isinstance(wanted, Term):
        yield wanted
        return
    for part in (wanted.part,) if isinstance(wanted, Not) else wanted.parts:
        yield from terms(part)


def is_exact(wanted: Filter | None) -> bool:
    """Say whether the document says of every phrase in a filter which spellings it finds."""
    return wanted is None or all(len(term.words) <= EXACT for term in terms(wanted))


def entered(past: Past, query: Query, matching: set[Wording]) -> datetime | None:
    """Return when `past` had met every condition of `query`, or its alternative if that was earlier."""
    times = [min((wording.since for wording in past.wordings if wording in matching), default=None)]
    times += [past.reached(1, query.min_upvotes), past.reached(2, query.min_comments)]
    times = [None if None in times else max(times)]
    times += [past.reached(1, query.or_upvotes)] * bool(query.or_upvotes)
    return min(filter(None, times), default=None)


# Queries ----------------------------------------------------------------------------------------

# Kin stand together: one is another joined, parted, in the plural, in capitals or with other letters, or looks like it.
WORDS = (
    *("agent", "Agents", "policy", "policies", "tool", "use", "tool-use", "tools", "tooluse", "near", "diffusion"),
    *("pre", "training", "pre-training", "pretraining", "Data", "sets", "dataset", "text-to-image", "texttoimage"),
    *("G^2RPO", "g2rpo", "G", "2", "Q&A", "QA", "q", "a", "GPT-4o"),
    *("gpt4o", "gpt", "4o", "4", "mini", "Ph.D.", "PhD", "US"),
    *("us", "LLMs", "LLM's", "LLMS", "llm", "GPs", "GPS", "gp", "ReLUs", "relu", "iOS", "io", "IMU", "AIs"),
    *("indices", "index", "criteria", "criterion", "these", "theses", "viruses", "virus", "semantics", "semantic"),
    *("KV-caches", "kvcache", "women", "woman", "analyses", "analysis"),
    *("process", "biases", "in", "formal", "informal"),
    *("τ-bench", "tau", "bench", "π0", "pi0", "αγορά", "αβ", "Łukasz", "lukasz", "Straße", "strasse", "x²", "x2"),
    *("1,000", "1000", "3.5", "35", "3", "5", "C++", "C", "C#", ".NET", "réseau", "RESEAUX", "大模型", "𠀀𠀁", "𝒜gent"),
    *("ﬁne", "don't", "dont", "we're", "size", "and", "or", "not", "Ada", "Lovelace", "Bob", "Müller", "Acme"),
    *("Labs", "unheard"),
)
_SIGNS = ("-", "-", "^", "_", ".", "/", "&", "–", "’")
_SPACES = (*(" ",) * 12, "--", ", ", " - ")
TOKENS = (
    *(*WORDS[:9], "AND", "or", "NOT", "OR", " ", " ", " ", "(", ")", "-", '"', '"', "*", "!", "&", ":"),
    *("title:", "Author:", "org:", "has:", "has:code", "year:", "“", "”", "–", "\t", "1", "½"),
)
_HAS = ("has:code", "Has:PROJECT", 'has:"image"')
_FIELDS = ("", "", "", "", "title:", "Abstract:", "author:", "ORG:")
_JOINTS = (" ", " ", " AND ", " and ", " OR ", " or ", "  OR\t")


def _kin(dice: random.Random, length: int) -> Iterator[str]:
    """Yield words that often stand near each other in `WORDS`, none twice in a row."""
    at, last = 0, ""
    for _ in range(length):
        near = at + dice.randint(-3, 4) if dice.random() < 0.5 else dice.randrange(len(WORDS) - 1)
        at = near % (len(WORDS) - 1)
        yield WORDS[at if WORDS[at] != last else at - 1]
        last = WORDS[at]


def wording(dice: random.Random, length: int) -> str:
    """Return a text of about `length` words, some of them compounds, none next to another.

    The search does not find a phrase that looks for one of two such neighbours joined and for the other apart.
    """
    text, is_compound = "", False
    for word in _kin(dice, length):
        sign = dice.choice(_SIGNS) if text and dice.random() < 0.2 else ""
        if is_compound or not text or word == ".NET":
            text += " near " * is_compound + " " + word
            is_compound = not word.isalnum()
        else:
            text += (sign or dice.choice(_SPACES)) + word
            is_compound = bool(sign) or not word.isalnum()
    return text.strip()


def _phrase(dice: random.Random) -> str:
    """Return words to stand in quotation marks, of which the document says what they find."""
    text = " ".join(_kin(dice, dice.randint(1, 3)))
    text = text if dice.random() < 0.7 else text.replace(" ", dice.choice(_SIGNS))
    text = text.replace(" ", "", 1) if text.isascii() and dice.random() < 0.2 else text
    return text if len(re.findall(r"[^\W_]+", text)) <= EXACT else _phrase(dice)


def term(dice: random.Random) -> str:
    """Return a term with or without a field: a word, a phrase, or the beginning of one."""
    word, text = dice.choice(WORDS), _phrase(dice)
    is_bare = re.fullmatch(r"[^\W_]+([-'&][^\W_]+)*", word) and word not in ("and", "or", "not")
    bare, phrase, begun = word if is_bare else f'"{word}"', f'"{text}"', f'"{word[: dice.randint(3, 6)]}"*'
    phrase += "*" * (dice.random() < 0.3 and all(one in WORDS and one[-1] not in "sna" for one in text.split()))
    return dice.choice(_FIELDS) + dice.choice((bare, bare, phrase, phrase, begun))


def well_formed(dice: random.Random, depth: int = 3) -> str:
    """Return a filter that can be read."""
    kind = dice.randint(0, 7)
    if not depth or kind < 3:
        return dice.choice(_HAS) if dice.random() < 0.1 else term(dice)
    part = well_formed(dice, depth - 1)
    if kind == 3:
        return f"{dice.choice(('-', 'NOT ', 'not ', '–'))}{part}"
    return f"({part})" if kind == 4 else part + dice.choice(_JOINTS) + well_formed(dice, depth - 1)


def filter_text(dice: random.Random) -> str:
    """Return a filter, three times of four one that can be read, else tokens in any order."""
    soup = "".join(dice.choices(TOKENS, k=dice.randint(1, 9)))
    return dice.choice((well_formed(dice), well_formed(dice), well_formed(dice), soup))


_VALUES = {
    "min_upvotes": ("0", "1", "2", "3", "5", "50"),
    "min_comments": ("0", "1", "2", "10"),
    "or_upvotes": ("1", "5", "20", "50"),
    "days": ("1", "2", "3", "8", "31", "90", "366", "3660"),
    "limit": ("1", "3", "10", "20", "50", "200"),
    "page": ("1", "2", "3"),
    "link": ("hf", "arxiv", "pdf", "html", "alphaxiv"),
    "content": ("full", "brief", "none"),
    "counts": ("0", "1"),
    "utm_source": ("x", ""),
}
_DIGESTS = {"digest": ("day", "week", "month"), "top": ("1", "5", "10", "50")}
_MISTAKES = (
    *(("min_upvotes", "abc"), ("min_comments", "-1"), ("or_upvotes", "٣"), ("days", "0"), ("limit", "201")),
    *(("page", "1e9"), ("link", "ps"), ("min_upvote", "2"), ("q", ""), ("limit", ""), ("content", "Full")),
    *(("digest", "weekly"), ("top", "0"), ("top", "5")),
)


def query_string(dice: random.Random) -> str:
    """Return a filter and some other parameters in any order, now and then with a mistake among them."""
    names = dice.sample(sorted(_VALUES), dice.choice((0, 0, 1, 2, 3, 4)))
    pairs = [(name, dice.choice(_VALUES[name])) for name in names]
    pairs += [(name, dice.choice(_DIGESTS[name])) for name in list(_DIGESTS)[: dice.choice((0, 0, 0, 0, 1, 2))]]
    pairs += [("q", filter_text(dice))] * (dice.random() < 0.85)
    pairs += [dice.choice(_MISTAKES)] * (dice.random() < 0.1)
    dice.shuffle(pairs)
    return urlencode(pairs)


filter_texts = st.randoms().map(filter_text)
query_strings = st.randoms().map(query_string)
