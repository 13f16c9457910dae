"""Offers to widen a filter, and words that no paper has: what is offered, with right counts, on both databases."""

import random
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedproxy.archive import Archive
from feedproxy.archive.backend import time_limit
from feedproxy.errors import QueryError
from feedproxy.model import Listing, Paper
from feedproxy.offers import Offer, _covers, offers, positive_terms, with_replacement
from feedproxy.offers.abbreviations import definitions
from feedproxy.offers.choices import count_choices
from feedproxy.offers.endings import has_longer_form
from feedproxy.offers.memo import Memo
from feedproxy.offers.spelling import misspellings, most_similar, read_vocabulary
from feedproxy.query.grammar import Filter, Or, Term, parse_filter
from feedproxy.query.interests import interest_of, interests
from feedproxy.query.parameters import Query, parse_query
from feedproxy.service import Service
from feedproxy.web.preview import preview
from tests.conftest import Clock
from tests.factories import paper
from tests.naive import term

LONG = 60.0  # seconds, which no test takes
PLAIN = "A made-up paper about nothing."

# What papers could be about, and how many of them are.
TEXTS = {
    "We bake with zebra folding (ZF), slowly.": 3,
    "Zebra foldings (ZFs) in ovens.": 1,
    "Zebra foldings are spelled out here.": 4,
    "Here ZF stands alone.": 2,
    "Zany flutes (ZF) have the same letters, once.": 1,
    "Quokka3 is a model.": 3,
    "Quokka is the older model.": 2,
    "A wombatic plan.": 2,
    "Wombats and ZF.": 1,
    "Catapults, categories.": 3,
    "One cat.": 1,
    PLAIN: 40,
}


@pytest.fixture
def address(either: str) -> str:
    return either


@pytest.fixture
def stocked(archive: Archive, clock: Clock) -> Archive:
    """Return an archive with the papers of TEXTS; every second one has five upvotes."""
    texts = [text for text, number in TEXTS.items() for _ in range(number)]
    papers = [paper(at, title=f"Paper {at}", summary=text, upvotes=at % 2 * 5) for at, text in enumerate(texts)]
    archive.store([Listing(tuple(papers))], clock())
    return archive


def offered(archive: Archive, query: str) -> dict[str, tuple[str, int]]:
    return {offer.text: (str(offer.query.q), offer.papers) for offer in offers(archive, parse_query(query), LONG)}


# Abbreviations ------------------------------------------------------------------------------------

DEFINITIONS = (
    ("We use zebra folding (ZF).", {("ZF", "zebra folding")}),
    ("We use Zebra-Folding (ZFs) here", {("ZFs", "Zebra-Folding")}),
    ("ZF (zebra folding) is used", {("ZF", "zebra folding")}),
    ("mixture of zebras (MoZ) and a box of nails (BN)", {("MoZ", "mixture of zebras"), ("BN", "box of nails")}),
    ("zebras with quagga priors (ZQP; see below)", {("ZQP", "zebras with quagga priors")}),
    ("self-supervised learning (SSL)", {("SSL", "self-supervised learning")}),
    ("multi-modal large zebra models (MLZMs)", {("MLZMs", "multi-modal large zebra models")}),
    ("proximal policy optimization (PPO)", {("PPO", "proximal policy optimization")}),
    ("four stripes (2024), a stripe (see below), zebras (i.e. them)", set()),
    ("a stripe (XY) and (ZF)", set()),
    ("", set()),
)


@pytest.mark.parametrize(("text", "pairs"), DEFINITIONS)
def test_definitions(text: str, pairs: set[tuple[str, str]]) -> None:
    """A text defines its abbreviations before or in parentheses."""
    assert pairs == set(definitions(text))


@given(st.text(alphabet=st.sampled_from("abAB ()-.;İß\n"), max_size=60))
def test_definitions_of_any_text(text: str) -> None:
    """Whatever a text holds, what it defines stands in it."""
    assert all(short in text and long in text for short, long in definitions(text))


def test_offers_long_forms_and_abbreviations(stocked: Archive) -> None:
    """An abbreviation is offered its long form and the other way round, if two papers say so."""
    assert {'"zebra folding"': ('zf OR "zebra folding"', 4)} == offered(stocked, "q=zf")
    assert {"zf": ('"zebra foldings" OR zf', 4)} == offered(stocked, 'q="zebra foldings"')


def test_offers_belong_to_their_part(stocked: Archive) -> None:
    """An offer widens the part of the filter that it belongs to, in the same field, and leaves the rest."""
    assert {'"zebra folding"': ('(zf OR "zebra folding") -ovens', 4)} == offered(stocked, "q=zf -ovens")
    assert {'abstract:"zebra folding"': ('abstract:zf OR abstract:"zebra folding"', 4)} == offered(
        stocked, "q=abstract:zf"
    )
    assert {'"zebra folding"': ('(zf OR "zebra folding") -one', 2)} == offered(stocked, "q=zf -one&min_upvotes=5")
    for query in ("q=-zf", "q=author:zf", "", "q=paper -(zf OR nothing)", "q=title:zf"):
        assert {} == offered(stocked, query), query


def test_offers_for_words_in_a_row(stocked: Archive) -> None:
    """Words in a row are offered what they would be as a phrase, and still need not stand next to each other."""
    assert {"zf": ("zebra folding OR zf", 4)} == offered(stocked, "q=zebra folding")
    assert {"zf": ("(zebra folding OR zf) -ovens", 4)} == offered(stocked, "q=zebra folding -ovens")
    assert {"zf": ("stands (zebra folding OR zf) OR quokka3", 2)} == offered(
        stocked, "q=stands zebra folding OR quokka3"
    )
    for query in ("q=folding zebra", "q=zebra -ovens folding", "q=title:zebra folding", "q=zebra* folding"):
        assert {} == offered(stocked, query), query


def test_offers_an_interest_for_words_in_a_row(archive: Archive, clock: Clock) -> None:
    """The name of an interest leads to it without quotation marks too, and its words alone to no other."""
    titles = ("The use of a tool", "Function calling", "MCP", "Tool calls")
    archive.store([Listing(tuple(paper(at, title=title, summary="") for at, title in enumerate(titles)))], clock())
    first, *others = offers(archive, parse_query("q=tool use"), LONG)
    assert ("Tool use and function calling", 3) == (first.text, first.papers)
    assert str(first.query.q).startswith('tool use OR "tool usage" OR ')
    assert all(str(offer.query.q).startswith("tool use OR ") for offer in others)


def test_offers_nothing_broad(stocked: Archive) -> None:
    """What we learned from papers is not offered if it adds more than a quarter of all papers."""
    summary = "A made-up paper about nothing (MUPAN)."
    assert [("MUPAN", "made-up paper about nothing")] == list(definitions(summary))
    stocked.store([Listing(tuple(paper(number, summary=summary) for number in (900, 901)))], Clock().now)
    assert {} == offered(stocked, "q=mupan")


# Longer words -------------------------------------------------------------------------------------

LONGER = (
    ("quokka", "Quokka3", True),
    ("quokka", "QuokkaBench", True),
    ("zf", "ZF2", True),
    ("robot", "robotics", True),
    ("robot", "Robotic, twice", True),
    ("map", "mapping", True),
    ("token", "tokenization", True),
    ("lm", "LMMs", False),
    ("cat", "category", False),
    ("gui", "guidance", False),
    ("sam", "same sample", False),
    ("cat", "concat cat", False),
    ("c++", "c++x", False),
    ("cat", "", False),
)


@pytest.mark.parametrize(("word", "text", "expected"), LONGER)
def test_longer_forms(word: str, text: str, expected: bool) -> None:
    """A longer word is a form of a word by its ending, or if a digit or a capitalised word follows."""
    assert expected == has_longer_form(word, text)


def test_offers_prefixes(stocked: Archive) -> None:
    """A prefix is offered if it brings forms of the word, and not if it brings others."""
    assert {"quokka*": ("quokka OR quokka*", 3)} == offered(stocked, "q=quokka")
    assert {"wombat*": ("wombat OR wombat*", 2)} == offered(stocked, "q=wombat")
    assert {} == offered(stocked, "q=cat")
    assert {} == offered(stocked, "q=quokka*")


# Interests ----------------------------------------------------------------------------------------


def alternatives(tree: Filter | None) -> list[Term]:
    return [part for part in (tree.parts if isinstance(tree, Or) else (tree,)) if isinstance(part, Term)]


def about(part: Term) -> str:
    return f"Made up {' '.join(part.words)} one."


def test_offers_an_interest(archive: Archive, clock: Clock) -> None:
    """A word of a ready-made filter is offered all of it, and its words that add most; not what it has already."""
    plain = (part for feed in interests() for part in alternatives(feed.query.q) if not part.prefix)
    first = next(part for part in plain if interest_of(part))
    interest = interest_of(first)
    assert interest
    parts = alternatives(interest.query.q)
    papers = [paper(number, title=about(part), summary="") for number, part in enumerate(parts)]
    archive.store([Listing(tuple(papers))], clock())
    found = offers(archive, Query(q=first), LONG)
    whole = next(offer for offer in found if offer.text == interest.title)
    assert interest.query.q == whole.query.q
    assert archive.count(interest.query) - archive.count(Query(q=first)) == whole.papers
    assert len(found) <= 6
    assert interest.title not in {offer.text for offer in offers(archive, interest.query, LONG)}


def test_offers_nothing_twice(archive: Archive, clock: Clock) -> None:
    """A beginning is not offered if a whole interest, or a whole phrase of it, adds the same papers."""
    texts = ("Agentic plans", "RAG", "Retrieval-augmented generation", "Augmented generation", "TTS")
    archive.store([Listing(tuple(paper(at, title=text, summary="") for at, text in enumerate(texts)))], clock())
    assert [("Agents", 1, True)] == [
        (offer.text, offer.papers, offer.is_interest) for offer in offers(archive, parse_query("q=agents"), LONG)
    ]
    assert ["Retrieval-augmented generation (RAG)", '"augmented generation"', '"retrieval augment"*'] == list(
        offered(archive, "q=rag")
    )


def test_offers_single_terms(archive: Archive, clock: Clock) -> None:
    """An alternative with exceptions is part of its interest, and no offer by itself."""
    archive.store([Listing(tuple(paper(at, title=text) for at, text in enumerate(("TTS", "ASR", "Voices"))))], clock())
    assert ["Speech", "voice*"] == list(offered(archive, "q=speech"))


COVERS = (
    ("robot*", "robotics", True),
    ("robot*", '"robots fold"', True),
    ("robots", '"a robot folds"', True),
    ('"robot fold"*', '"the robots folded"', True),
    ("multimodal", "multi-modal", True),
    ("robot*", "robot*", True),
    ("robot*", "robotic*", True),
    ("robot", "robot*", False),
    ("robotics", "robot", False),
    ('"robot folds"', "robot", False),
    ("title:robot", "robot", False),
    ("robot -arm", "robot", False),
)


@pytest.mark.parametrize(("wide", "narrow", "expected"), COVERS)
def test_covers(wide: str, narrow: str, expected: bool) -> None:
    """A word or its beginning covers every phrase that holds it."""
    part, one = parse_filter(wide), parse_filter(narrow)
    assert isinstance(one, Term)
    assert expected == _covers(part, one)


def test_every_interest_is_offered(archive: Archive, clock: Clock) -> None:
    """A word that leads to a ready-made filter has it among its offers, whatever stands beside it."""
    parts = [part for feed in interests() for part in alternatives(feed.query.q)]
    papers = [paper(number, title=about(part), summary="") for number, part in enumerate(parts)]
    archive.store([Listing(tuple(papers))], clock())
    first_word = {
        interest.title: part
        for part in reversed(parts)
        if (interest := interest_of(part)) and interest.query.q != part  # there is nothing to add
    }
    for title, part in first_word.items():
        found = offers(archive, parse_query(f"q={part} -zebra&min_upvotes=1"), LONG)
        assert title in {offer.text for offer in found}, part


def test_most_papers_first(archive: Archive, clock: Clock) -> None:
    """Offers stand in the order of what they add."""
    terms = [part for feed in interests() for part in alternatives(feed.query.q)]
    papers = [paper(number, title=about(terms[number % len(terms)]), summary="") for number in range(2 * len(terms))]
    archive.store([Listing(tuple(papers))], clock())
    for part in terms[:20]:
        added = [offer.papers for offer in offers(archive, Query(q=part), LONG)]
        assert sorted(added, reverse=True) == added


def test_choices_are_what_the_page_shows_next(stocked: Archive) -> None:
    """A ready-made filter brings as many papers a day as the page says when it is chosen."""
    service = Service(stocked)
    title = about(alternatives(interests()[0].query.q)[0])
    days = (Clock().now - timedelta(days=age) for age in range(5))
    papers = (paper(800 + number, title=title, submitted_at=day) for number, day in enumerate(days))
    stocked.store([Listing(tuple(papers))], Clock().now)
    choices = service.choices.get()
    assert interests() == tuple(choice.feed for choice in choices)
    averages = [choice.average for choice in choices[:5]]
    assert averages == [preview(service, choice.feed.query).volume.average for choice in choices[:5]]
    assert any(averages)


def test_choices_of_an_empty_archive(archive: Archive) -> None:
    """An empty archive has no averages, and one that is too slow has none either."""
    assert {None} == {choice.average for choice in count_choices(archive)}
    archive.store([Listing((paper(),))], Clock().now)
    with time_limit(0):
        assert interests() == tuple(choice.feed for choice in count_choices(archive))


def test_remembers_until_something_changes(stocked: Archive) -> None:
    """A value is made once for the papers there are, and again for others."""
    numbers = Memo(stocked, lambda archive: archive.stats().papers)
    counted: list[int] = []
    once = Memo(stocked, lambda _: counted.append(1))
    before = numbers.get()
    assert (None, None) == (once.get(), once.get())
    assert [1] == counted
    stocked.store([Listing((paper(801),))], Clock().now)
    assert before + 1 == numbers.get()


# Any query ----------------------------------------------------------------------------------------


@given(st.randoms())
def test_replaces_a_term_wherever_it_is_looked_for(dice: random.Random) -> None:
    """Every term that a filter looks for can be widened; the filter's text can be read again."""
    query = Query(q=parse_filter(f"{term(dice)} ({term(dice)} OR {term(dice)}) -{term(dice)}"))
    for one in positive_terms(query.q):
        try:
            wider = with_replacement(query, one, Or((one, Term(("zebra",)))))
        except QueryError:
            continue
        assert {*positive_terms(query.q), Term(("zebra",))} == {*positive_terms(wider.q)}


def test_offers_hold_what_they_promise(stocked: Archive) -> None:
    """What an offer adds is the difference of the two feeds, and nothing of the first is lost."""
    for text in ("zf", '"zebra folding" OR quokka', "wombat zf", "(quokka OR zf) paper -one", "here zebra folding"):
        query = parse_query(f"q={text}&limit=200")
        before = {entry.paper.id for entry in stocked.search(query).entries}
        for offer in offers(stocked, query, LONG):
            after = {entry.paper.id for entry in stocked.search(offer.query).entries}
            assert before < after
            assert offer.papers == len(after) - len(before)


def test_offers_end_with_their_time(stocked: Archive) -> None:
    """Without time there are no offers, and that is no error."""
    assert () == offers(stocked, parse_query("q=zf"), 0)
    assert () == misspellings(stocked, parse_query("q=zebro"), 0, dict)


# Misspellings -------------------------------------------------------------------------------------

WORDS = {"transformer": 9, "transformers": 3, "model": 50, "mode": 40, "agents": 20, "gpt4": 9, "aged": 5, "llm": 7}
SIMILAR = (
    ("transfomer", "transformer"),
    ("rtansformer", "transformer"),
    ("trnasfrmer", "transformer"),
    ("transfomers", "transformers"),
    ("modle", "model"),
    ("agnets", "agents"),
    ("gpt5", None),
    ("lmm", None),
    ("xyzzy", None),
    ("x", None),
    ("t" * 500, None),
)


@pytest.mark.parametrize(("word", "expected"), SIMILAR)
def test_most_similar(word: str, expected: str | None) -> None:
    """The most similar word has the fewest mistakes; numbers and short words are not corrected."""
    assert expected == most_similar(word, WORDS)


def test_misspellings(stocked: Archive) -> None:
    """Each word that no paper has is told with a similar one and the corrected query, also beside other words."""
    ask = partial(misspellings, stocked, budget=LONG, read=lambda: read_vocabulary(stocked))
    (found,) = ask(query=parse_query('q="zebra foldign" OR quokka -nonesuch&min_upvotes=5'))
    assert ("foldign", "folding", 8) == (found.word, found.similar, found.papers)
    assert parse_query('q="zebra folding" OR quokka -nonesuch&min_upvotes=5') == found.query
    (found,) = ask(query=parse_query("q=abstract:quokak"))
    assert "abstract:quokka" == str(found.query and found.query.q)
    (found,) = ask(query=parse_query("q=xyzzy"))
    assert ("xyzzy", None, None) == (found.word, found.similar, found.query)
    assert ["g 2zf", "2401 00001"] == [word.word for word in ask(query=parse_query("q=G^2ZF OR 2401.00001"))]
    for query in ("q=zebras", "q=quok*", "q=author:xyzzy", "q=paper -xyzzy", ""):
        assert () == ask(query=parse_query(query)), query
    assert 5 == len(ask(query=parse_query("q=xya OR xyb OR xyc OR xyd OR xye OR xyf")))


def test_vocabulary(stocked: Archive) -> None:
    """The vocabulary counts papers, and leaves out words of a single one."""
    vocabulary = read_vocabulary(stocked)
    assert (40, 3) == (vocabulary["nothing"], vocabulary["catapults"])
    assert "wombats" not in vocabulary


def test_preview_has_offers(stocked: Archive) -> None:
    """A preview carries offers and misspelled words."""
    shown = preview(Service(stocked), parse_query("q=zf OR quokak"))
    assert ['"zebra folding"'] == [offer.text for offer in shown.offers]
    assert ["quokka"] == [word.similar for word in shown.misspellings]
    assert isinstance(shown.offers[0], Offer)
    assert isinstance(shown.result.entries[0].paper, Paper)
