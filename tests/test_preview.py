"""What the page shows of a filter: marks, reasons, how much it delivers, and what would find something."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedproxy.archive import Archive
from feedproxy.archive.compounds import search_words
from feedproxy.errors import NoPapersYet
from feedproxy.model import Entry, Listing, Paper, PaperHistory, Step
from feedproxy.query.grammar import Term, parse_filter
from feedproxy.query.parameters import Query, parse_query
from feedproxy.query.terms import GAP
from feedproxy.service import Service
from feedproxy.web.chart import Volume, volume
from feedproxy.web.preview import preview, reason
from feedproxy.web.preview.highlight import compile_highlighter, excerpt, highlight
from feedproxy.web.preview.readings import readings
from feedproxy.web.preview.suggestions import relaxations, thresholds
from tests.conftest import Clock
from tests.factories import paper, paper_id
from tests.naive import WORDS, Wording, matched, term, wording
from tests.test_terms import ANY_TEXT

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)

# A filter, a title, and the title with what is marked in brackets.
MARKS = (
    ("agents", "An Agent and its agents; agentic", "An [Agent] and its [agents]; agentic"),
    ('"tool use"', "Tool-use, tools used, Tools Use", "[Tool-use], tools used, [Tools Use]"),
    ("diffus*", "Diffusion is diffuse", "[Diffusion] is [diffuse]"),
    ("polici*", "One policy, two policies", "One policy, two [policies]"),
    ("policies*", "One policy", "One [policy]"),
    ("pretraining", "Pre-training, pretraining, pre training", "[Pre-training], [pretraining], [pre training]"),
    ("g2rpo", "G^2RPO", "[G^2RPO]"),
    ("stateoftheart", "State-of-the-art agents", "[State-of-the-art] agents"),
    ("tau-bench", "On τ²-bench and τ‑bench", "On τ²-bench and [τ‑bench]"),
    ("rl -survey", "RL: a survey", "[RL]: a survey"),
    ("-(a OR b)", "a b", "a b"),
    ("rag OR (retrieval dense)", "Dense RAG", "[Dense] [RAG]"),
    ("naive", "Nai\u0308ve, naïve", "[Nai\u0308ve], [naïve]"),
    ("2", "½ of 𝟚", "[½] of [𝟚]"),
    ("abstract:agents title:plans", "Agents that plan", "Agents that [plan]"),
    ("org:nvidia", "nvidia", "nvidia"),
    ("has:code title:has", "Has code", "[Has] code"),
    ('b OR "a b c" OR "b c d"', "a b c d, b; a b", "[a b c][ d], [b]; a [b]"),
    ('"a a b" OR "a a"', "a a a b a", "[a a][ a b] a"),
    ('tool OR "tool use" OR "tool users"*', "Tools used; tool use, a tool", "[Tools] used; [tool use], a [tool]"),
)


@pytest.mark.parametrize(("text", "title", "shown"), MARKS)
def test_marks(text: str, title: str, shown: str) -> None:
    """What a filter looks for is marked as it stands in the text, and nothing else is."""
    found = highlight(title, compile_highlighter(parse_filter(text), "title"))
    assert shown == "".join(f"[{piece}]" if mark else piece for piece, mark in found)


@given(ANY_TEXT)
def test_spans_are_where_the_words_stand(text: str) -> None:
    """The words with their places are those of the search; what stands at a place reads as that word."""
    words, compounds, others = readings(text)
    indexed = search_words(text)
    assert indexed[: len(words)] == [word for word, _, _ in words]
    assert {word for row in (compounds, others) for word, _, _ in row} <= {*indexed} | {GAP} | {
        word for word, _, _ in words
    }
    assert all(0 <= start < end <= len(text) for row in (words, compounds, others) for _, start, end in row)


@given(st.randoms())
def test_marks_agree_with_the_search(dice: random.Random) -> None:
    """A paper that one term finds has a mark in what that looks at, and no other paper has."""
    wanted = parse_filter(term(dice))
    assert isinstance(wanted, Term)
    title, summary = wording(dice, 4), wording(dice, 4)
    seen = paper(title=title, summary=summary, authors=(dice.choice(WORDS),))
    texts = {"title": title, "abstract": summary, "author": seen.authors[0]}
    found = bool(matched(wanted, {Wording(NOON, seen)}))
    assert found == any(
        mark for field, text in texts.items() for _, mark in highlight(text, compile_highlighter(wanted, field))
    )


@given(ANY_TEXT, st.sampled_from(["agents", "a*", '"a b" OR c']))
def test_marking_changes_no_character(text: str, wanted: str) -> None:
    """The pieces of a text are the text."""
    assert text == "".join(piece for piece, _ in highlight(text, compile_highlighter(parse_filter(wanted), "title")))


def test_a_prefix_is_marked_wherever_it_stands_in_the_alphabet() -> None:
    """Of a phrase the last word may be begun; words before and after in the alphabet are not marked."""
    found = highlight(
        "Deep agents, deep agency, deep age, deep ahead, zoo",
        compile_highlighter(parse_filter('"deep agen"*'), "title"),
    )
    assert ["Deep agents", "deep agency"] == [piece for piece, mark in found if mark]


def test_excerpt_begins_shortly_before_the_first_mark() -> None:
    """An excerpt of a long text shows its beginning, or the first mark where that comes later."""
    text = f"{'word ' * 100}agents {'word ' * 100}"
    begun, *_, ended = excerpt(text, None)
    assert (f"{text[:240]}", "…") == (begun[0], ended[0])
    first, before, mark, after, last = excerpt(text, compile_highlighter(parse_filter("agents"), "abstract"))
    assert ("…", ("agents", True), "…") == (first[0], mark, last[0])
    assert 80 == len(before[0])
    assert 240 == len(before[0] + mark[0] + after[0])
    cut = excerpt(f"{'x' * 238} long", compile_highlighter(parse_filter('"long" OR zebra'), "abstract"))
    assert ["…", f"{'x' * 79} ", "long"] == [piece for piece, _ in cut]
    cut = excerpt(f"{'words ' * 50}agents", compile_highlighter(parse_filter("agents"), "abstract"))
    assert ["…", "words " * 13, "agents"] == [piece for piece, _ in cut]
    cut = excerpt(f"agents {'x' * 230} agents", compile_highlighter(parse_filter("agents"), "abstract"))
    assert [("agents", True), ("ag", True), ("…", False)] == [cut[0], *cut[2:]]
    assert (("short agents", False),) == excerpt("short agents", None)


def test_a_listing_day_lasts_until_the_next() -> None:
    """Entries count for the last listing day before them, so that those of a weekend are Friday's."""
    days = [date(2026, 3, 5), date(2026, 3, 6), date(2026, 3, 9)]
    entered = [datetime(2026, 3, day, 23, 59, tzinfo=UTC) for day in (5, 6, 7, 8, 10)]
    found = volume(days, entered)
    assert ((days[0], 1), (days[1], 3), (days[2], 1)) == found.days
    assert (5, 5 / 3, 3, 0) == (found.total, found.average, found.most, found.empty)
    assert 1 == volume(days, entered[:4]).empty
    assert (0, 0.0, 0, 0) == ((none := volume([], [])).total, none.average, none.empty, none.most)


def test_a_chart_has_calendar_days() -> None:
    """A short history stands at the right of thirty days; days without a listing are gaps, and Mondays have names."""
    days = [date(2026, 3, day) for day in (5, 6, 9, 10)]
    chart = Volume(tuple(zip(days, (0, 7, 7, 3), strict=True))).chart
    assert (30, [24, 25, 28, 29], ((26, 2),)) == (chart.size, [bar.at for bar in chart.bars], chart.gaps)
    assert ((0, date(2026, 2, 9)), (28, date(2026, 3, 9))) == (chart.mondays[0], chart.mondays[-1])
    assert (4, date(2026, 3, 9)) == (chart.step, chart.peak.day)


@pytest.mark.parametrize(("most", "step"), [(0, 1), (1, 1), (3, 2), (10, 5), (11, 6), (21, 15), (60, 30), (130, 70)])
def test_the_scale_of_a_chart_is_round(most: int, step: int) -> None:
    """Twice a round number is at least the highest bar, and not much more."""
    assert step == Volume(((NOON.date(), most),)).chart.step


REASONS = (
    ("", 0, (), "listed"),
    ("min_upvotes=2", 0, (("upvotes", 7, 0),), "listed with 7 upvotes"),
    ("min_upvotes=2", 3, (("upvotes", 1, 0), ("upvotes", 2, 3), ("upvotes", 9, 3)), "reached 2 upvotes"),
    ("min_upvotes=5&min_comments=1", 3, (("upvotes", 6, 3), ("comments", 1, 3)), "reached 6 upvotes and 1 comment"),
    ("min_upvotes=2&q=agents", 5, (("upvotes", 2, 3),), "came to match"),
    ("q=agents&or_upvotes=9", 3, (("upvotes", 9, 3),), "reached 9 upvotes"),
)  # fmt: skip


@pytest.mark.parametrize(("query", "entered", "steps", "told"), REASONS)
def test_reason(query: str, entered: int, steps: tuple[tuple[str, int, int], ...], told: str) -> None:
    """The page says what brought an entry in on its date, in hours after it was listed."""
    past = PaperHistory(NOON, tuple(Step(measure, value, NOON + timedelta(hours=at)) for measure, value, at in steps))
    at = NOON + timedelta(hours=entered)
    assert told == reason(Entry(paper(), at, at), past, parse_query(query))


def test_reason_where_upvotes_are_not_told() -> None:
    """Comments that stand in for upvotes are called comments."""
    past = PaperHistory(NOON - timedelta(days=1), (Step("upvotes", 3, NOON),))
    assert "reached 3 comments" == reason(Entry(paper(upvotes=None), NOON, NOON), past, Query(min_upvotes=2))


def test_thresholds_are_queries_that_can_be_read() -> None:
    """The neighbouring thresholds include the one in use, and none that the query's other conditions rule out."""
    assert [0, 1, 2, 3, 5, 10, 20, 50] == [query.min_upvotes for query in thresholds(Query(min_upvotes=3, page=4))]
    assert [1, 2, 5] == [query.min_upvotes for query in thresholds(parse_query("min_upvotes=2&or_upvotes=10"))]
    assert {1} == {query.page for query in thresholds(Query(page=4))}
    assert ["digest=week&top=5&days=90", "min_upvotes=1&digest=week&top=5&days=90"] == [
        str(query) for query in thresholds(parse_query("digest=week&top=5&days=90"))[:2]
    ]


WIDER = {
    "q=agents -survey&min_upvotes=9": {
        "q=agents%20-survey&min_upvotes=9&days=3660", "q=agents%20-survey", "q=-survey&min_upvotes=9",
        "q=agents&min_upvotes=9", "q=agents*%20-survey&min_upvotes=9", "days=3660",
    },
    'q="tool use"&days=3660&min_comments=1': {
        "q=%22tool%20use%22&days=3660", "q=tool%20use&min_comments=1&days=3660", "days=3660",
    },
    'q="in-context learn"*&days=3660': {"q=in%20context%20learn*&days=3660", "days=3660"},
    "q=has:code -has:image&days=3660": {"q=-has:image&days=3660", "q=has:code&days=3660", "days=3660"},
    "q=agents&digest=day&top=5&limit=200": {
        "q=agents&digest=day&top=5&days=3660&limit=200", "q=agents*&digest=day&top=5&limit=200",
        "digest=day&top=5&days=3660",
    },
    "min_upvotes=9&digest=week&page=2": {"min_upvotes=9&digest=week&days=3660", "digest=week", "digest=week&days=3660"},
    "q=agents&digest=month": {"q=agents*&digest=month", "digest=month"},
    "q=agents&digest=month&days=90": {"q=agents&digest=month", "q=agents*&digest=month&days=90", "digest=month"},
    "q=a OR b&or_upvotes=9&page=3": {"q=a%20OR%20b&or_upvotes=9&days=3660", "days=3660"},
}  # fmt: skip


@pytest.mark.parametrize("query", WIDER)
def test_wider(query: str) -> None:
    """What asks for less is offered, one condition less at a time, and only what can be read."""
    assert WIDER[query] == {str(less) for _, less in relaxations(parse_query(query))}


def test_preview_tells_what_finds_something(archive: Archive, clock: Clock) -> None:
    """Advice is what really finds something, with how much; where something is found, there is none."""
    archive.store([Listing((paper(1, title="Agents", upvotes=3), paper(2, title="Surveys")))], clock())
    suggestions = preview(Service(archive), parse_query("q=agents survey")).suggestions
    told = {(str(suggestion.query), suggestion.count) for suggestion in suggestions}
    assert {("q=agents", 1), ("q=survey", 1), ("days=3660", 2)} == told
    found = preview(Service(archive), parse_query("q=agents"))
    assert ((), 1, [paper_id(1)]) == (found.suggestions, found.count, [row.entry.paper.id for row in found.entries])


def close(archive: Archive, now: datetime, *papers: Paper) -> None:
    """Store papers in the listing of their first one's day, and close what is over."""
    archive.store([Listing(papers, day=papers[0].submitted_at.date())], now)
    archive.close_periods(now, None, has_all_days=True)


def on(day: date, number: int, **fields: Any) -> Paper:
    return paper(number, submitted_at=datetime(day.year, day.month, day.day, tzinfo=UTC), **fields)


TUESDAY = date(2026, 3, 3)


def test_preview_of_digests(archive: Archive) -> None:
    """The page shows the next digest as it is now, and the closed ones with who rose late."""
    service, query = Service(archive), parse_query("q=paper&digest=week&top=2")
    close(archive, datetime(2026, 3, 3, 12, tzinfo=UTC), *(on(TUESDAY, number, upvotes=number) for number in (1, 2, 3)))
    shown = preview(service, query).digests
    assert shown
    assert ((), False, False) == (shown.newest, shown.has_closed, shown.is_due)
    assert shown.next
    assert ("2 best of week 10, 2026: paper", (("Paper", True), (" 3 on Tool Use", False)), "3 upvotes") == (
        shown.next.title,
        shown.next.papers[0].title,
        shown.next.papers[0].count,
    )
    later = [on(TUESDAY + timedelta(days=7), number) for number in (4, 5)]
    close(archive, datetime(2026, 3, 9, 12, tzinfo=UTC), on(TUESDAY, 3, upvotes=3))
    close(archive, datetime(2026, 3, 10, 12, tzinfo=UTC), on(TUESDAY, 1, upvotes=7))
    close(archive, datetime(2026, 3, 16, 12, tzinfo=UTC), *later)
    found = preview(service, query)
    shown = found.digests
    assert shown
    assert (2, [], True) == (found.count, [*found.suggestions, *found.entries], shown.has_closed)
    assert {None} == {threshold.average for threshold in found.thresholds}
    assert ["2 best of week 11, 2026: paper", "2 best of week 10, 2026: paper"] == [one.title for one in shown.newest]
    assert shown.next is None
    assert ["7 upvotes"] == [one.count for one in shown.newest[0].late]


def test_preview_of_digests_is_short(archive: Archive) -> None:
    """The page shows ten digests, or as many as have a hundred papers, and never the next one beside old ones."""
    days = [TUESDAY - timedelta(days=7 * age) for age in reversed(range(14))]
    for at, day in enumerate(days):
        papers = (on(day, at * 40 + number, upvotes=number) for number in range(40))
        archive.store([Listing(tuple(papers), day=day)], datetime(2026, 3, 3, 12, tzinfo=UTC))
    archive.close_periods(datetime(2026, 3, 3, 12, tzinfo=UTC), None, has_all_days=True)
    for text, numbers in (
        ("digest=week&top=1", (13, 10, 3, True)),
        ("digest=week&top=40", (13, 3, 10, True)),
        ("digest=week&top=1&limit=5&page=3", (13, 3, 0, False)),
        ("digest=week&limit=5&page=4", (5, 0, 0, False)),
    ):
        found = preview(Service(archive), parse_query(text))
        shown = found.digests
        assert shown
        assert numbers == (found.count, len(shown.newest), len(shown.others), bool(shown.next)), text


def test_preview_of_digests_tells_what_finds_something(archive: Archive) -> None:
    """Of a query without digests, what would bring some is told with their number, not that of their papers."""
    close(archive, datetime(2026, 3, 9, 12, tzinfo=UTC), *(on(TUESDAY, number) for number in range(1, 9)))
    found = preview(Service(archive), parse_query("q=surveys zebrafish&digest=day"))
    assert found.digests
    assert (0, None, True) == (found.count, found.digests.next, found.digests.has_closed)
    told = {(str(suggestion.query), suggestion.count) for suggestion in found.suggestions}
    assert {("q=surveys&digest=day", 1), ("digest=day&days=3660", 1)} == told


def test_preview_of_digests_that_wait_for_listings(archive: Archive) -> None:
    """A period that is over but not closed is due."""
    close(archive, datetime(2026, 3, 3, 12, tzinfo=UTC), on(TUESDAY, 1))
    archive.store([], datetime(2026, 3, 9, 12, tzinfo=UTC))
    shown = preview(Service(archive), parse_query("digest=week")).digests
    assert shown
    assert shown.is_due


def test_preview_of_an_empty_archive(archive: Archive) -> None:
    """There is nothing to show of an empty archive."""
    with pytest.raises(NoPapersYet):
        preview(Service(archive), Query())
