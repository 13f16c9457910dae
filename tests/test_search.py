"""Searching the archive: the same papers, on the same dates, as a plain look at everything finds."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from feedproxy.archive import Archive
from feedproxy.archive.search import select_late
from feedproxy.archive.state import SearchResult
from feedproxy.errors import QueryError
from feedproxy.model import Listing, Organization, Paper, Step
from feedproxy.query.grammar import parse_filter
from feedproxy.query.parameters import Query, parse_query
from tests import factories
from tests.conftest import DATABASES, Clock, NewAddress
from tests.factories import paper as listed
from tests.factories import paper_id
from tests.invariants import violations
from tests.naive import NaiveArchive, is_exact, query_string, wording

FIRST = datetime(2026, 3, 10, 12, tzinfo=UTC)
AGES = (100, 30, 8, 7, 2, 1, 0)
LINKS = {
    "github_repo": (None, "https://code.example.org/a", "https://code.example.org/b"),
    "project_page": (None, None, "https://project.example.org/"),
    "thumbnail": (None, "https://cdn-thumbnails.huggingface.co/a.png", "https://images.example.org/a.png"),
}
NAMES = ("Ada Lovelace", "Lovelace Bob", "Bob Müller", "Muller Ada", "大模型 Ada", "Łukasz Ada-Lovelace", "…")
ORGANIZATIONS = (None, None, Organization("acme", "Acme Labs"), Organization("labs", "Agents & Tools"))


@pytest.fixture
def address(either: str) -> str:
    return either


def paper(number: int, dice: random.Random) -> Paper:
    listed = FIRST.replace(hour=0) - timedelta(days=AGES[number % len(AGES)])
    return Paper(
        id=paper_id(number),
        title=wording(dice, dice.randint(1, 4)),
        summary=wording(dice, dice.randint(2, 9)),
        submitted_at=listed,
        authors=tuple(dice.sample(NAMES, dice.randint(1, 3))),
        upvotes=dice.choice((None, 0, 1, 2, 3, 5, 60)),
        comments=dice.choice((0, 0, 1, 2, 10)),
        organization=dice.choice(ORGANIZATIONS),
        **links(dice),
    )


def links(dice: random.Random) -> dict[str, str | None]:
    return {name: dice.choice(values) for name, values in LINKS.items()}


def later(known: Paper, dice: random.Random) -> Paper:
    """Return a paper as a later listing may have it: recounted, reworded, with other links, listed again."""
    votes = known.upvotes or 0
    changes = dice.choice(
        (
            {"upvotes": votes + dice.choice((1, 4, 30)), "comments": known.comments + 1},
            {"upvotes": max(0, votes - 1)},
            {"upvotes": 0, "comments": 0},
            {"title": wording(dice, 3)},
            {"summary": wording(dice, 5), "authors": NAMES[:2]},
            {"organization": ORGANIZATIONS[-1]},
            links(dice),
            {"submitted_at": FIRST.replace(hour=0, day=dice.choice((10, 11, 11))), "upvotes": dice.choice((1, 80))},
            {},
        )
    )
    return replace(known, **changes)


def history() -> Iterator[tuple[datetime, list[Paper]]]:
    """Yield listings and when they are seen: history, then twice the same papers changed, then changed back."""
    dice = random.Random(2)  # noqa: S311
    at_first = [paper(number, dice) for number in range(140)]
    changed = [later(known, dice) for known in at_first[::2]]
    again = [later(known, dice) for known in changed[::2]]
    new = [replace(paper(number, dice), submitted_at=FIRST.replace(hour=0, day=11)) for number in range(140, 160)]
    back = [replace(known, upvotes=known.upvotes or 0) for known in at_first[::8]]
    for listing, hours in ((at_first, 0), (changed, 2), (again + new, 14), (back, 60)):
        yield FIRST + timedelta(hours=hours), listing


@pytest.fixture(scope="module", params=DATABASES)
def both(new_address: NewAddress, request: pytest.FixtureRequest) -> Iterator[tuple[Archive, NaiveArchive]]:
    """The archive and the naive one, after the same history."""
    archive, naive = Archive(new_address(request.param)), NaiveArchive()
    for now, papers in history():
        archive.store([Listing(tuple(papers))], now)
        naive.store(papers, now)
    yield archive, naive
    assert [] == violations(archive._database)
    archive.close()


def test_agrees_with_a_plain_look_at_everything(both: tuple[Archive, NaiveArchive]) -> None:
    """A thousand generated queries are mistakes, or find what a plain look at everything finds."""
    archive, naive = both
    dice = random.Random(3)  # noqa: S311
    outcomes: Counter[str] = Counter()
    for asked in [query_string(dice) for _ in range(1000)]:
        try:
            query = parse_query(asked)
        except QueryError as error:
            outcomes["invalid"] += [str(error)] == str(error).splitlines()
            continue
        if not is_exact(query.q):
            outcomes["open"] += 1
            continue
        entries, end = naive.entries(query), query.page * query.limit
        outcomes["something" if entries else "nothing"] += 1
        page = tuple(entries[end - query.limit : end])
        assert SearchResult(page, len(entries) > end, archive.state()) == archive.search(query), asked
        assert len(entries) <= query.limit or len(entries) == archive.count(query), asked
    assert 1000 == outcomes.total()
    assert min(outcomes["invalid"], outcomes["something"], outcomes["nothing"]) > 100


# What the thousand rest on, each fact by itself ---------------------------------------------------

LIBRARY = {
    "Tool": ("Use of agents", ("Ada Lovelace", "Bob Byron"), Organization("acme-labs", "Tools of Acme")),
    "Policies and NOT near": ("A toolbox: réseau of 𠀀𠀁 and 大模型.", ("Lovelace Bob",), None),
    "Diffusion": ("Diffuse policy; tool-use", (), Organization("labs", "Labs")),
}

FINDS = {
    "tool": "Tool, Diffusion",
    '"tool use"': "Diffusion",
    "tool-use OR title:tool": "Tool, Diffusion",
    "title:tool": "Tool",
    "tool -use": "",
    "title:tool -title:use": "Tool",
    "policy": "Policies and NOT near, Diffusion",
    "title:polic*": "Policies and NOT near",
    "diffus*": "Diffusion",
    "agents*": "Tool",
    "tool*": "Tool, Policies and NOT near, Diffusion",
    "tools*": "Tool, Diffusion",
    '"of agen"*': "Tool",
    "author:lovelace": "Tool, Policies and NOT near",
    'author:"lovelace bob"': "Policies and NOT near",
    "author:lovelace author:byron": "Tool",
    "lovelace": "",
    "org:labs": "Tool, Diffusion",
    'org:"labs tools"': "",
    'org:"tool of"': "Tool",
    '"and not near"': "Policies and NOT near",
    '"NEAR"': "Policies and NOT near",
    "RESEAU*": "Policies and NOT near",
    "𠀀𠀁 大模*": "Policies and NOT near",
    "𠀀": "",
    "-tool": "Policies and NOT near",
    "-tool -policy": "",
    "-(tool policy)": "Tool, Policies and NOT near",
    "-author:bob": "Diffusion",
    "agents OR -policy": "Tool",
    "-tool OR -policies": "Tool, Policies and NOT near",
    "tool (agents OR diffusion) -réseau": "Tool, Diffusion",
}


@pytest.fixture(scope="module", params=DATABASES)
def library(new_address: NewAddress, request: pytest.FixtureRequest) -> Iterator[Archive]:
    """An archive of a few papers, listed in reverse order."""
    archive = Archive(new_address(request.param))
    titles = list(LIBRARY)[::-1]
    archive.store(
        [Listing(tuple(made_up(title, *LIBRARY[title], number) for number, title in enumerate(titles)))], FIRST
    )
    yield archive
    archive.close()


def made_up(
    title: str,
    summary: str = "",
    authors: tuple[str, ...] = (),
    organization: Organization | None = None,
    number: int = 1,
    **counts: int,
) -> Paper:
    return Paper(
        id=paper_id(number),
        title=title,
        summary=summary,
        authors=authors,
        organization=organization,
        submitted_at=FIRST.replace(hour=0),
        **counts,
    )


@pytest.mark.parametrize("text", FINDS)
def test_each_form_finds_what_a_person_expects(library: Archive, text: str) -> None:
    """Words, phrases, prefixes, fields and operators find the papers a reader of the titles would pick."""
    found = library.search(Query(q=parse_filter(text)))
    assert FINDS[text] == ", ".join(entry.paper.title for entry in found.entries)


NEIGHBOURS = (
    ('"pretrained vision"', True),
    ('"tuning multimodal"', True),
    ('"pretrained vision-language model"', True),
    ('"pre-trained visionlanguage"', True),
    ("finetuning multimodal", True),
    ('"fine-tuning multimodal model"', True),
    ('"trained vision"', True),
    ('"pretrained language"', False),
)


@pytest.mark.parametrize(("text", "expected"), NEIGHBOURS)
def test_compounds_next_to_each_other(archive: Archive, clock: Clock, text: str, expected: bool) -> None:
    """A phrase finds neighbouring compounds, each joined or apart, and may end within one."""
    title = "Pre-trained vision-language models for fine-tuning multi-modal models"
    archive.store([Listing((factories.paper(title=title),))], clock())
    assert expected == bool(archive.count(Query(q=parse_filter(text))))


@pytest.mark.parametrize(
    "text", ["r2ai", '"R^2AI: Towards Made-Up Plans"', '"textbf 2ai"', "title:r2ai", '"2AI: Towards"']
)
def test_a_title_is_found_as_feeds_show_it(archive: Archive, clock: Clock, text: str) -> None:
    """A name that TeX tore apart is found in the title as it is shown, and as it was sent."""
    archive.store([Listing((factories.paper(title="R^textbf{2AI}: Towards Made-Up Plans"),))], clock())
    assert 1 == archive.count(Query(q=parse_filter(text)))


def test_the_largest_filters_can_be_searched(library: Archive) -> None:
    """What the limits of the language allow, the database can take."""
    for text in (
        " OR ".join(["tool"] * 32),
        "tool" + " -x" * 31,
        "-" + "(-(x) y " * 7 + "z" + ")" * 7,
        "x " * 31 + "y*",
        f'"{"x " * 240}x"*',
        "-(a OR " * 8 + "b" + ")" * 8,
    ):
        query = Query(q=parse_filter(text))
        assert library.count(query) == len(library.search(query).entries)


def dates(archive: Archive, query_string: str) -> list[tuple[str, datetime]]:
    entries = archive.search(parse_query(query_string)).entries
    return [(entry.paper.title, entry.entered_at) for entry in entries]


def test_an_empty_archive_finds_nothing(archive: Archive) -> None:
    """Before anything was stored there is an empty answer, not an error."""
    assert SearchResult((), False, archive.state()) == archive.search(Query())
    assert 0 == archive.count(Query())


def test_a_paper_enters_when_a_wording_first_matches_and_stays(archive: Archive, clock: Clock) -> None:
    """The date is that of the wording; what the paper said before or says after does not count."""
    first = clock.now
    for title in ("Old words", "New words", "Other", "New words"):
        archive.store([Listing((made_up(title),))], clock.now)
        clock.tick(hours=1)
    assert [("New words", first.replace(hour=0))] == dates(archive, "q=old")
    assert [("New words", first + timedelta(hours=1))] == dates(archive, "q=new")
    assert [("New words", first + timedelta(hours=2))] == dates(archive, "q=-words")
    assert [("New words", first.replace(hour=0))] == dates(archive, "q=-other")


def test_the_latest_condition_dates_an_entry_and_the_alternative_can_be_earlier(archive: Archive, clock: Clock) -> None:
    """All conditions must be met, or the alternative; the entry is dated when the first of the two was."""
    first = clock.now
    for title, upvotes, comments in (("x", 1, 0), ("x", 5, 0), ("x", 60, 0), ("Agents", 3, 0), ("Agents", 0, 2)):
        archive.store([Listing((made_up(title, upvotes=upvotes, comments=comments),))], clock.now)
        clock.tick(hours=1)
    for wanted, hours in (
        ("min_upvotes=5", 1),
        ("q=agents", 3),
        ("q=agents&min_upvotes=60", 3),
        ("q=agents&min_upvotes=2&min_comments=2", 4),
        ("q=agents&or_upvotes=50", 2),
        ("q=agents&min_comments=9&or_upvotes=6", 2),
        ("q=x&min_upvotes=5&or_upvotes=60", 1),
        ("q=agents&or_upvotes=61", 3),
    ):
        assert [("Agents", first + timedelta(hours=hours))] == dates(archive, wanted), wanted
    assert [] == dates(archive, "q=agents&min_comments=3&or_upvotes=61")


@pytest.mark.parametrize("query_string", ["q=late", "min_upvotes=9", "q=early&min_upvotes=9", "q=x&or_upvotes=9"])
def test_a_paper_that_waited_long_is_within_the_window(archive: Archive, clock: Clock, query_string: str) -> None:
    """The window is about the entry's date: a paper listed long before it enters all the same."""
    paper = made_up("Early", upvotes=1)
    archive.store([Listing((paper,))], clock.now)
    late = clock.tick(days=200)
    archive.store([Listing((replace(paper, title="Late", upvotes=9), made_up("Other", number=2)))], late)
    archive.store([Listing((made_up("Newest", number=3),))], clock.tick(hours=2))
    assert [("Late", late - timedelta(seconds=1))] == dates(archive, f"{query_string}&days=1")
    assert [] == dates(archive, "q=early&days=1")


def test_days_are_whole_and_counted_from_the_newest_date_held(archive: Archive, clock: Clock) -> None:
    """One day is the newest date's own (UTC), whatever the time now is."""
    midnight = FIRST.replace(hour=0)
    moments = [midnight, midnight - timedelta(seconds=1), midnight - timedelta(days=1, seconds=1)]
    papers = [replace(made_up(str(number), number=number), submitted_at=at) for number, at in enumerate(moments)]
    archive.store([Listing(tuple(papers))], clock.now)
    archive.store([], clock.tick(days=5))
    assert [1, 2, 3, 3] == [len(dates(archive, f"days={days}")) for days in (1, 2, 3, 3660)]


def test_pages_follow_one_another(archive: Archive, clock: Clock) -> None:
    """Pages hold every entry once, the last one says that nothing follows."""
    archive.store([Listing(tuple(made_up(str(number), number=number) for number in range(7)))], clock.now)
    found = [archive.search(Query(limit=3, page=page)) for page in (1, 2, 3, 4)]
    titles = ["".join(entry.paper.title for entry in page.entries) for page in found]
    assert ["654", "321", "0", ""] == titles
    assert [True, True, False, False] == [page.more for page in found]
    assert 7 == archive.count(Query(limit=3, page=2))


# Newest days first --------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=DATABASES)
def months(new_address: NewAddress, request: pytest.FixtureRequest) -> Iterator[tuple[Archive, NaiveArchive]]:
    """The archive and the naive one, after 60 days of listings whose papers change for two days."""
    archive, naive = Archive(new_address(request.param)), NaiveArchive()
    dice, listed = random.Random(4), list[list[Paper]]()  # noqa: S311
    for day in range(60):
        midnight = FIRST.replace(hour=0) + timedelta(days=day)
        listed = [[later(known, dice) for known in papers] for papers in listed[-2:]]
        listed.append([replace(paper(3 * day + nth, dice), submitted_at=midnight) for nth in range(3)])
        for papers in listed:
            archive.store([Listing(tuple(papers))], midnight + timedelta(hours=12))
            naive.store(papers, midnight + timedelta(hours=12))
    yield archive, naive
    assert [] == violations(archive._database)
    archive.close()


@pytest.mark.parametrize("limit", [1, 5, 20, 40, 60, 200])
@pytest.mark.parametrize(
    "conditions",
    ["", "q=agents", "q=-agents", "min_upvotes=2", "min_upvotes=60", "q=agents&min_upvotes=2&min_comments=1"],
)
def test_newest_days_are_enough(months: tuple[Archive, NaiveArchive], conditions: str, limit: int) -> None:
    """A page is the same whether the newest two weeks fill it or not, on every page."""
    archive, naive = months
    for page in (1, 2, 3):
        query = replace(parse_query(conditions), limit=limit, page=page)
        entries = naive.entries(query)[(page - 1) * limit :]
        assert SearchResult(tuple(entries[:limit]), len(entries) > limit, archive.state()) == archive.search(query)


ENTERED = ("", "min_upvotes=2", "q=agents", "q=-agents", "min_comments=1", "q=rl OR tool&or_upvotes=60&limit=1")
ENTERED += ("min_comments=1&or_upvotes=30", "q=agents&min_comments=2&or_upvotes=30", "min_upvotes=2&or_upvotes=30")


@pytest.mark.parametrize("text", ENTERED)
def test_entered_are_the_dates_of_the_feed(both: tuple[Archive, NaiveArchive], text: str) -> None:
    """When entries entered at each number of upvotes since the first listing day asked for is what that feed says."""
    archive, _ = both
    query, numbers = parse_query(text), [1, 2, 5, 20] if "min_upvotes" in text else [0, 1, 2, 5, 20]
    days, entered = archive.entry_dates_by_threshold(query, numbers, 4)
    assert [date(2026, 3, day) for day in (8, 9, 10, 11)] == list(days)
    for number, dates in zip(numbers, entered, strict=True):
        wide = replace(query, min_upvotes=number, days=3660, limit=200)
        pages = [archive.search(replace(wide, page=page)).entries for page in (1, 2)]
        found = sorted(entry.entered_at for page in pages for entry in page if entry.entered_at.date() >= days[0])
        assert found == sorted(dates)
    assert entered[0]


def test_nothing_entered_an_empty_archive(archive: Archive) -> None:
    """An empty archive has no listing days."""
    assert ((), [[], []]) == archive.entry_dates_by_threshold(Query(), [0, 2])


def test_the_past_of_a_paper_is_its_steps(archive: Archive, clock: Clock) -> None:
    """The past of a paper tells by which date it was listed and each highest count it had since; others have none."""
    archive.store([Listing((made_up("Agents", upvotes=0),))], clock())
    at = clock.tick(hours=1)
    archive.store([Listing((made_up("Agents", upvotes=3, comments=1),))], at)
    steps = {Step("upvotes", 3, at), Step("comments", 1, at)}
    past = archive.histories([paper_id(1), paper_id(2)])
    assert {paper_id(1): (FIRST.replace(hour=0), steps)} == {
        name: (told.listed_at, set(told.steps)) for name, told in past.items()
    }


def test_a_paper_that_came_late_makes_no_listing_day(archive: Archive, clock: Clock) -> None:
    """A paper that is listed years after its day, or on a day that cannot be, enters now and adds no listing day."""
    today = listed(1, submitted_at=clock.now)
    archive.store([Listing((today,), day=clock.now.date())], clock())
    late = (
        listed(2, submitted_at=datetime(1970, 1, 2, tzinfo=UTC)),
        listed(3, submitted_at=FIRST - timedelta(days=800)),
    )
    archive.store([Listing((today, *late), day=clock.now.date())], clock.tick(hours=1))
    days, (entered,) = archive.entry_dates_by_threshold(Query(), [0])
    assert ((date(2026, 3, 10),), 3) == (days, len(entered))


# What comes late ----------------------------------------------------------------------------------

LATE = ("", "q=agents", "q=-agents", "q=title:tool OR rl", "min_upvotes=2", "min_upvotes=60", "or_upvotes=60&q=tool")
LATE += ("q=-agents&min_upvotes=2&min_comments=1", "q=agents&min_comments=1&or_upvotes=30", "min_comments=1")


def agrees(archive: Archive, naive: NaiveArchive) -> None:
    """Assert that pages, counts and dates are what a plain look at everything finds, however far back."""
    for text in LATE:
        for days in (1, 14, 90, 400):
            query = replace(parse_query(text), limit=7, days=days)
            entries = naive.entries(query)
            assert len(entries) == archive.count(query), (text, days)
            for page in (1, 2, 3):
                start = 7 * (page - 1)
                expected = tuple(entries[start : start + 7]), len(entries) > start + 7
                found = archive.search(replace(query, page=page))
                assert expected == (found.entries, found.more), (text, days, page)
        query = parse_query(text)
        days_listed, entered = archive.entry_dates_by_threshold(query, [1, 30])
        for number, dates in zip((1, 30), entered, strict=True):
            entries = naive.entries(replace(query, min_upvotes=number, days=3660))
            expected_dates = [entry.entered_at for entry in entries if entry.entered_at.date() >= days_listed[0]]
            assert sorted(expected_dates) == sorted(dates), (text, number)


def test_papers_that_come_late(either: str, open_archive: Callable[..., Archive]) -> None:
    """Papers listed again or reworded after months, few or all of them, enter as a plain look at everything says."""
    archive, naive, dice = open_archive(either), NaiveArchive(), random.Random(7)  # noqa: S311
    numbers = iter(range(10_000))

    def store(days: int, again: list[Paper]) -> None:
        now = FIRST + timedelta(days=days)
        new = [
            replace(paper(next(numbers), dice), submitted_at=now.replace(hour=0)) for _ in range(240 if not days else 4)
        ]
        archive.store([Listing((*again, *new))], now)
        naive.store([*again, *new], now)

    def some(number: int) -> list[Paper]:
        return [naive.histories[name].paper for name in dice.sample(sorted(naive.histories), number)]

    store(0, [])
    for days in (40, 100, 365):
        store(days, [later(known, dice) for known in some(12)])
        agrees(archive, naive)
    store(366, [replace(known, title="Agents of tools, late") for known in some(3)])
    agrees(archive, naive)
    store(380, [replace(known, upvotes=(known.upvotes or 0) + 40) for known in some(230)])
    agrees(archive, naive)
    store(381, [])
    store(900, [replace(known, upvotes=(known.upvotes or 0) + 40) for known in some(3)])
    agrees(archive, naive)
    assert [] == violations(archive._database)


def test_only_late_papers_are_looked_up(either: str, open_archive: Callable[..., Archive], clock: Clock) -> None:
    """A paper listed again after 31 days is in the window of a search by itself, one after 33 days is late."""
    archive = open_archive(either)
    archive.store([Listing((made_up("Agents"),))], clock())
    for days, late in ((31, 0), (2, 1), (200, 1)):
        archive.store([Listing((made_up("Agents", upvotes=clock.tick(days=days).timetuple().tm_yday),))], clock())
        with archive._database.transaction() as db:
            rows = db.execute(select_late(), {"days": 1}).all()
        assert late == sum(row.late is not None for row in rows)
