"""A query that nobody asked before, and what 100,000 papers cost over 1,000: processor time of this process.

"feedgen alone" is a plain script: the same entries and elements through feedgen's own calls, the HTML made beforehand.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import count

from feedgen.feed import FeedGenerator

from feedproxy.archive import Archive
from feedproxy.archive.standings import Standings
from feedproxy.feeds import Feed, digest
from feedproxy.feeds.entry import MAX_NAMES, entry_view
from feedproxy.model import Entry, Listing
from feedproxy.query.parameters import Query, parse_query
from feedproxy.service import Service
from feedproxy.web.cache import build_variants
from tests.bench.archives import LAST, copied, evening, kept
from tests.bench.figures import Figure, Goal, Run, compared, interleaved
from tests.factories import paper
from tests.prose import WORDS, dressed

KINDS = {
    "rare word": f"q={WORDS[4000]}",
    "common word": "q=agent",
    "common word, votes": "q=agent&min_upvotes=5",
    "votes alone": "min_upvotes=5",
    "no condition": "",
}
DIGESTS = {
    "a year of weeks": "digest=week",
    "a year of weeks, common word": "digest=week&q=agent",
    "90 days": "digest=day",
    "50 months": "digest=month",
    "ten years of weeks, 200 of them": "digest=week&days=3660&limit=200",
}
_BASE = "http://localhost:8000"
_FEW, _MANY = 1000, 100_000
_NEW = 30
_MS = "{:.1f} ms"
_unasked = count()


def queries(run: Run) -> Iterator[Figure]:
    """Compare a cold query with feedgen alone, and one at 100,000 papers with one at 1,000."""
    with ExitStack() as stack:
        few, many = (stack.enter_context(closing(Archive(str(kept(size))))) for size in (_FEW, _MANY))
        for kind, text in KINDS.items():
            yield from _kind(kind, text, few, many, run)


def digests(run: Run) -> Iterator[Figure]:
    """Compare a cold feed of digests with one of fifty papers, at 100,000 papers."""
    with closing(Archive(str(kept(_MANY)))) as archive:
        rows = [(kind, text, asked) for kind, text in DIGESTS.items()]
        for kind, text, ask in (*rows, ("a year of weeks, the first feed of a process", "digest=week", asked_first)):
            conditions = "&".join(part for part in text.split("&") if part.startswith("q="))
            measures = partial(asked, archive, conditions), partial(ask, archive, text)
            for measure in measures:
                measure()
            plain, other = interleaved(2 * run.rounds, *(partial(_ms, measure) for measure in measures))
            goal = Goal("≤", 3) if kind.startswith("a year of weeks") else None
            yield compared(f"cold digests, {kind} / cold feed of papers", other, plain, goal, _MS)


def _kind(kind: str, text: str, few: Archive, many: Archive, run: Run) -> Iterator[Figure]:
    entries = few.search(parse_query(text)).entries
    alone = [(entry, entry_view(entry, Query()).html) for entry in entries]
    measures = partial(asked, few, text), partial(asked, many, text), partial(feedgen_alone, alone)
    for measure in measures:
        measure()
    at_few, at_many, generator = interleaved(2 * run.rounds, *(partial(_ms, measure) for measure in measures))
    goal = Goal("≤", 1.5) if len(entries) == 50 else None
    yield compared(f"cold query, {kind} ({len(entries)} entries) / feedgen alone", at_few, generator, goal, _MS)
    yield compared(f"cold query, {kind}: 100,000 papers / 1,000", at_many, at_few, Goal("≤", 1.5), _MS)


def asked(archive: Archive, text: str) -> bytes:
    """Answer a query that was not asked before: find, render, hash, compress."""
    query = parse_query(text)
    if query.q:
        query = parse_query(text.replace(f"q={query.q}", f"q={query.q}+-unasked{next(_unasked)}"))
    else:
        query = replace(query, or_upvotes=10**6 - next(_unasked) if query.min_upvotes else 0)
    document = Service(archive).render(Feed(query, _BASE), "rss")
    return build_variants("rss", document.body, "application/rss+xml", document.updated).gzip.body


def asked_first(archive: Archive, text: str) -> bytes:
    """Answer a query of digests with nothing in memory."""
    archive._standings = Standings()
    digest._item.cache_clear()
    return asked(archive, text)


def feedgen_alone(entries: list[tuple[Entry, str]]) -> bytes:
    """Return RSS as a script would make it that knows feedgen and nothing else."""
    generator = FeedGenerator()
    for extension in ("dc", "media"):
        generator.load_extension(extension)
    generator.id(_BASE)
    generator.title("Daily Papers")
    generator.description("Papers")
    generator.link(href=f"{_BASE}/feed.rss", rel="self")
    generator.link(href=_BASE, rel="alternate")
    generator.language("en")
    generator.ttl(15)
    for entry, text in entries:
        _add(generator, entry, text)
    made: bytes = generator.rss_str(pretty=True)
    return made


def _add(generator: FeedGenerator, entry: Entry, text: str) -> None:
    shown, added = entry.paper, generator.add_entry(order="append")
    added.guid(shown.links.hub, permalink=True)
    added.title(shown.title)
    added.link(href=shown.links.hub)
    added.comments(shown.links.discussion)
    added.published(entry.entered_at)
    added.updated(entry.updated_at)
    added.author([{"name": name} for name in shown.authors[:MAX_NAMES]])
    added.dc.dc_creator(", ".join(shown.authors[:MAX_NAMES]))
    if shown.ai_keywords:
        added.category([{"term": keyword} for keyword in shown.ai_keywords])
    if shown.thumbnail:
        added.media.thumbnail({"url": shown.thumbnail})
    added.description(shown.summary)
    added.content(text, type="html")
    added.summary(shown.summary)


def refreshes(run: Run) -> Iterator[Figure]:
    """Compare storing a listing of 30 new papers at 100,000 with the same at 1,000."""
    with ExitStack() as stack:
        few, many = (
            partial(_store, stack.enter_context(closing(Archive(str(copied(size, run.folder))))), count())
            for size in (_FEW, _MANY)
        )
        few(), many()
        at_few, at_many = interleaved(2 * run.rounds, few, many)
    yield compared("refresh with 30 new papers: 100,000 / 1,000", at_many, at_few, Goal("≤", 1.5), _MS)


def _store(archive: Archive, number: "count[int]") -> float:
    """Store 30 papers that are new, as the listing of one more day; return the milliseconds it took."""
    at = next(number)
    day = LAST + timedelta(days=1 + at)
    papers = tuple(
        replace(dressed(paper(1 + at * _NEW + rank)), submitted_at=evening(day) - timedelta(hours=5))
        for rank in range(_NEW)
    )
    return _ms(lambda: archive.store([Listing(papers, day=day)], evening(day)))


def _ms(measured: Callable[[], object]) -> float:
    """Return the milliseconds of processor time it took, which others on the machine do not add to."""
    began = time.process_time()
    measured()
    return (time.process_time() - began) * 1000
