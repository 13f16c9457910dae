"""A query that nobody asked before, and what 100,000 papers cost over 1,000: processor time of this process.

"feedgen alone" is a plain script: the same entries and elements through feedgen's own calls, the HTML made beforehand.
Entries are *known* where other feeds of this process have shown them, as most have in a server that is used, and *new*
where its memory is empty.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import count
from xml.etree.ElementTree import fromstring

from feedgen.feed import FeedGenerator

from feedproxy.archive import Archive, rows
from feedproxy.archive.standings import Standings
from feedproxy.feeds import Feed, digest, entry, tex
from feedproxy.feeds.entry import MAX_NAMES, entry_view
from feedproxy.model import Entry, Listing
from feedproxy.query.parameters import Query, parse_query
from feedproxy.service import RenderedDocument, Service
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
            plain, other = interleaved(2 * run.rounds, *(partial(milliseconds, measure) for measure in measures))
            goal = Goal("≤", 3) if kind.startswith("a year of weeks") else None
            yield compared(f"cold digests, {kind} / cold feed of papers", other, plain, goal, _MS)


def _kind(kind: str, text: str, few: Archive, many: Archive, run: Run) -> Iterator[Figure]:
    entries = few.search(parse_query(text)).entries
    alone = [(shown, entry_view(shown, Query()).html) for shown in entries]
    _check(document(few, parse_query(text)).body, feedgen_alone(alone))
    measures = (
        partial(milliseconds, partial(asked, few, text)),
        partial(milliseconds, partial(asked, many, text)),
        partial(milliseconds, partial(feedgen_alone, alone)),
        partial(_new_ms, few, text),
        partial(_new_ms, many, text),
    )
    for measure in measures:
        measure()
    at_few, at_many, generator, few_new, many_new = interleaved(2 * run.rounds, *measures)
    goal = Goal("≤", 1.3) if len(entries) == 50 else None
    what = f"cold query, {kind} ({len(entries)} entries) / feedgen alone"
    yield compared(what, at_few, generator, goal, _MS)
    yield compared(f"{what}, 100,000 papers", at_many, generator, goal, _MS)
    yield compared(f"{what}, new entries", few_new, generator, goal, _MS)
    yield compared(f"{what}, new entries, 100,000 papers", many_new, generator, goal, _MS)


def _check(ours: bytes, alone: bytes) -> None:
    """Raise an error if the script makes other elements than ours, which would be unfair."""
    elements, its = map(_elements, (ours, alone))
    if elements != its:
        raise RuntimeError(f"feedgen alone lacks {elements - its} and has {its - elements} beside")


def _elements(body: bytes) -> Counter[str]:
    """Count the elements of all items but for the group that feedgen puts around a thumbnail."""
    items = fromstring(body).iter("item")  # noqa: S314 (ours)
    return Counter(element.tag for item in items for element in item.iter() if not element.tag.endswith("}group"))


def _new_ms(archive: Archive, text: str) -> float:
    """Return the milliseconds of a cold query whose entries no feed has shown yet."""
    forget()
    return milliseconds(lambda: asked(archive, text))


def forget() -> None:
    """Empty the memory of papers, entries and texts, as in a process that has just started."""
    for memory in (rows._stored_paper, entry._view, digest._item, tex.readable):
        memory.cache_clear()


def asked(archive: Archive, text: str) -> bytes:
    """Answer a query that was not asked before: find, render, hash, compress."""
    query = parse_query(text)
    if query.q:
        query = parse_query(text.replace(f"q={query.q}", f"q={query.q}+-unasked{next(_unasked)}"))
    else:
        query = replace(query, or_upvotes=10**6 - next(_unasked) if query.min_upvotes else 0)
    made = document(archive, query)
    return build_variants("rss", made.body, "application/rss+xml", made.updated).gzip.body


def document(archive: Archive, query: Query) -> RenderedDocument:
    """Return the feed of `query` as RSS."""
    return Service(archive).render(Feed(query, _BASE), "rss")


def asked_first(archive: Archive, text: str) -> bytes:
    """Answer a query of digests with nothing in memory."""
    archive._standings = Standings()
    forget()
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
    for shown, text in entries:
        _add(generator, shown, text)
    made: bytes = generator.rss_str(pretty=True)
    return made


def _add(generator: FeedGenerator, entered: Entry, text: str) -> None:
    shown, added = entered.paper, generator.add_entry(order="append")
    added.guid(shown.links.hub, permalink=True)
    added.title(shown.title)
    added.link(href=shown.links.hub)
    added.comments(shown.links.discussion)
    added.published(entered.entered_at)
    added.updated(entered.updated_at)
    added.author([{"name": name} for name in shown.authors[:MAX_NAMES]])
    added.dc.dc_creator(", ".join(shown.authors[:MAX_NAMES]))
    added.dc.dc_identifier(f"doi:{shown.links.doi}")
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
    return milliseconds(lambda: archive.store([Listing(papers, day=day)], evening(day)))


def milliseconds(measured: Callable[[], object]) -> float:
    """Return the milliseconds of processor time it took, which others on the machine do not add to."""
    began = time.process_time()
    measured()
    return (time.process_time() - began) * 1000
