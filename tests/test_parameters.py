"""The parameters of a URL: what each may be, the canonical query, and the error for each mistake."""

import itertools
from dataclasses import replace
from urllib.parse import parse_qs, quote, unquote

import pytest
from hypothesis import given

from feedproxy.errors import QueryError
from feedproxy.query.grammar import And, Term
from feedproxy.query.parameters import PARAMETERS, Query, parse_query, validate
from tests.naive import filter_texts, query_strings

AGENTS = Term(("agents",))

TRACKERS = (
    *("ref", "source", "gclid", "msclkid", "mc_cid", "mc_eid", "igshid", "yclid", "twclid", "utm_id", "fbclid", "_"),
    *("dclid", "gbraid", "wbraid", "_ga", "_gl", "li_fat_id"),
)

READ = {
    "": Query(),
    "q=agents": Query(q=AGENTS),
    "q=Agents&min_upvotes=2": Query(q=AGENTS, min_upvotes=2),
    "min_upvotes=1000000": Query(min_upvotes=1_000_000),
    "min_comments=1000000": Query(min_comments=1_000_000),
    "q=agents&or_upvotes=1000000": Query(q=AGENTS, or_upvotes=1_000_000),
    "min_upvotes=5&or_upvotes=50": Query(min_upvotes=5, or_upvotes=50),
    "min_comments=5&or_upvotes=50": Query(min_comments=5, or_upvotes=50),
    "digest=day": Query(digest="day", days=90),
    "digest=week&top=1": Query(digest="week", top=1, days=366),
    "digest=month&top=50": Query(digest="month", top=50, days=3660),
    "digest=week&days=90": Query(digest="week", days=90),
    "digest=week&limit=200&top=12": Query(digest="week", limit=200, top=12),
    "digest=week&counts=0&q=agents": Query(q=AGENTS, digest="week"),
    "days=1": Query(days=1),
    "days=3660": Query(days=3660),
    "limit=1": Query(limit=1),
    "limit=200": Query(limit=200),
    "page=10000": Query(page=10_000),
    "link=arxiv": Query(link="arxiv"),
    "link=pdf": Query(link="pdf"),
    "content=none": Query(content="none"),
    "counts=1": Query(counts=1),
    "limit=007": Query(limit=7),
    "utm_source=x&utm_source=y&fbclid=&_=1": Query(),
    "&".join(f"{name}=a%2520b" for name in TRACKERS): Query(),
    "&&limit=7&": Query(limit=7),
    "q=50%25": Query(q=Term(("50",))),
    "q=50%": Query(q=Term(("50",))),
    "q=50%25+a": Query(q=And((Term(("50",)), Term(("a",))))),
    "q=agents++": Query(q=AGENTS),
    "q=a++b": Query(q=And((Term(("a",)), Term(("b",))))),
    "q=%22tool+use%22": Query(q=Term(("tool", "use"))),
    "q=r%C3%A9seau": Query(q=Term(("reseau",))),
    "q=réseau": Query(q=Term(("reseau",))),
    "q=a%26b": Query(q=Term(("a", "b"))),
}

DEFAULTS = "min_upvotes=0&min_comments=0&or_upvotes=0&days=90&limit=50&page=1&link=hf&content=full&counts=0"

NO_DIGEST = "top: needs digest=day, week or month"
COUNTED = "counts: a digest shows the upvotes of its closing and never changes; leave counts out"

ALONE = "or_upvotes: widens other conditions and there are none; min_upvotes is the one to use alone"

MISTAKES = {
    "min_upvotes=abc": "min_upvotes: “abc” is not a whole number from 0 to 1000000",
    "min_upvotes=-1": "min_upvotes: “-1” is not a whole number from 0 to 1000000",
    "min_upvotes=%2B1": "min_upvotes: “+1” is not a whole number from 0 to 1000000",
    "min_upvotes=1e9": "min_upvotes: “1e9” is not a whole number from 0 to 1000000",
    "min_upvotes=%D9%A3": "min_upvotes: “٣” is not a whole number from 0 to 1000000",
    "min_upvotes=1000001": "min_upvotes: “1000001” is not a whole number from 0 to 1000000",
    "min_comments=2.0": "min_comments: “2.0” is not a whole number from 0 to 1000000",
    "q=a&or_upvotes=1_0": "or_upvotes: “1_0” is not a whole number from 0 to 1000000",
    "days=0": "days: “0” is not a whole number from 1 to 3660",
    "days=3661": "days: “3661” is not a whole number from 1 to 3660",
    "limit=0": "limit: “0” is not a whole number from 1 to 200",
    "limit=201": "limit: “201” is not a whole number from 1 to 200",
    "limit=5%0A": "limit: “5%0A” is not a whole number from 1 to 200",
    "page=0": "page: “0” is not a whole number from 1 to 10000",
    "page=10001": "page: “10001” is not a whole number from 1 to 10000",
    "counts=2": "counts: “2” is not a whole number from 0 to 1",
    "link=HF": "link: “HF” is not one of hf, arxiv, pdf, html, alphaxiv, did you mean hf?",
    "link=x": "link: “x” is not one of hf, arxiv, pdf, html, alphaxiv",
    "content=ful": "content: “ful” is not one of full, brief, none, did you mean full?",
    "q=": "q: is empty; leave it out instead",
    "min_upvotes": "min_upvotes: is empty; leave it out instead",
    "limit=5&limit=5": "limit: given more than once",
    "q=a&q=b": "q: given more than once",
    "min_upvote=2": "“min_upvote”: there is no such parameter, did you mean min_upvotes?",
    "Limit=2": "“Limit”: there is no such parameter, did you mean limit?",
    "xyz=1": f"“xyz”: there is no such parameter (parameters: {', '.join(PARAMETERS)})",
    "=1": f"“”: there is no such parameter (parameters: {', '.join(PARAMETERS)})",
    "q=title:": "q at character 1: title: needs a word or a quoted phrase directly behind it",
    "q=+%22open": "q at character 2: this quotation mark is never closed",
    "q=((a)": "q at character 1: this ( is never closed",
    "q=" + "a" * 10_000: "q: 10000 characters, at most 500",
    "q=%2522tool%2520use%2522": "q: is percent-encoded twice",
    "q=title%253Aagents": "q: is percent-encoded twice",
    "limit=%2535": "limit: is percent-encoded twice",
    "q%253Dagents": "“q%3Dagents”: is percent-encoded twice",
    "limi%2574=5": "“limi%74”: is percent-encoded twice",
    "q=q&a": "q: in an address & separates parameters: write q%26a",
    "upvotes=5": "“upvotes”: there is no such parameter, did you mean min_upvotes?",
    "q=c++": "q: in an address + means a space: write c%2B%2B",
    "min_upvotes=2&q=rl+G++%20x": "q: in an address + means a space: write G%2B%2B",
    "si=1": f"“si”: there is no such parameter (parameters: {', '.join(PARAMETERS)})",
    "limit=5%E2%80%8B": "limit: “5%E2%80%8B” is not a whole number from 1 to 200",
    "limit=+5+": "limit: “%205%20” is not a whole number from 1 to 200",
    "q=%ff": "q: is not UTF-8",
    "%ff=1&link=hf%ff": "link: is not UTF-8",
    "%C3=1": "query: is not UTF-8",
    "&".join(["_=1"] * 101): "query: holds more than 100 parameters",
    **{
        f"digest={text}": f"digest: “{text}” is not one of day, week, month, did you mean {kind}?"
        for text, kind in {
            "daily": "day",
            "days": "day",
            "Day": "day",
            "weekly": "week",
            "weeks": "week",
            "Week": "week",
            "WEEKLY": "week",
            "monthly": "month",
            "months": "month",
        }.items()
    },
    "digest=year": "digest: “year” is not one of day, week, month",
    "digest=1": "digest: “1” is not one of day, week, month",
    "digest=": "digest: is empty; leave it out instead",
    "digest=day&digest=week": "digest: given more than once",
    "digests=week": "“digests”: there is no such parameter, did you mean digest?",
    "top=5": NO_DIGEST,
    "top=10&q=agents": NO_DIGEST,
    "digest=week&top=0": "top: “0” is not a whole number from 1 to 50",
    "digest=week&top=51": "top: “51” is not a whole number from 1 to 50",
    "digest=week&top=all": "top: “all” is not a whole number from 1 to 50",
    "digest=week&counts=1": COUNTED,
    "digest=day&limit=200&top=13": "limit: 200 digests of 13 papers are too many; at most 192",
    "digest=day&limit=51&top=50": "limit: 51 digests of 50 papers are too many; at most 50",
    "digest=day&or_upvotes=5": ALONE,
    "or_upvotes=5": ALONE,
    "or_upvotes=5&days=3": ALONE,
}


@pytest.mark.parametrize("query_string", READ)
def test_each_parameter_is_read(query_string: str) -> None:
    """Every parameter takes the values at both ends of its range; what trackers add is ignored."""
    assert READ[query_string] == parse_query(query_string)


@pytest.mark.parametrize("query_string", MISTAKES)
def test_each_mistake_is_told_in_one_line(query_string: str) -> None:
    """An error names the parameter, what was given, and what would be right."""
    with pytest.raises(QueryError) as raised:
        parse_query(query_string)
    assert MISTAKES[query_string] == str(raised.value)
    assert 400 == raised.value.status


SUGGESTIONS = {
    "q=%2522tool%2520use%2522&min_upvotes=2": "q=%22tool%20use%22&min_upvotes=2",
    "q=title%253Aa%252Bb%2526c": "q=title%3Aa%2Bb%26c",
    "q=%25252520a": "",
    "q%253Dagents": "q=agents",
    "q%3Dagents%26limit%3D5": "q=agents&limit=5",
    "agents": "q=agents",
    "rl+-survey&limit=5": "q=rl -survey&limit=5",
    "q=c++": "q=c%2B%2B",
    "q=rl+(c++)&limit=5": "q=rl (c%2B%2B)&limit=5",
    "q=title:c++": "q=title:c%2B%2B",
    "q=%22g++%22": 'q="g%2B%2B"',
    "q=AI+%26+Humans:+50%25+more,+%23+1&utm_x=1&limit=5": 'q="AI %26 Humans: 50%25 more, %23 1"&limit=5',
    "q=a,+b&limit=x": "",
    "q=agents,+tools": "q=agents tools",
    "q=rl+%26+agents;+titel:x": "q=rl agents title:x",
    "q=a|b+!c": "q=a OR b -c",
    'q="a,+b"+||+c': 'q="a, b" OR c',
    "q=agents+min_upvotes=2": "q=agents&min_upvotes=2",
    "q=agents+digest=week+top=5": "q=agents&digest=week&top=5",
    "q=agents+top=5": "",
    "digest=week&counts=1&q=agents": "q=agents&digest=week",
    "digest=week&top=50&limit=200": "digest=week&top=50",
    "digest=weekly": "",
    "top=5": "",
    "top=5&digest=": "",
    "q=agents+min_upvotes=2&min_upvotes=3": "",
    "q=one,+two,+three+and+four": 'q="one, two, three and four"',
    "q=q&a": "q=q%26a",
    "q=q&a&limit=5": "q=q%26a&limit=5",
    "q=agents & tools": "q=agents tools",
    'q="tool use&min_upvotes=x&foo=1': "",
    "q:+agents": "q=agents",
    "q=&a": "",
    "q=%2522a%25FF": "",
    "%00": "",
    "q=((a)": "",
    "q=a,b": "q=a b",
    "q=a+OR": "",
    "min_upvote": "",
    "xyz=1": "",
    "q=%25" + "20" * 1000: "",
    "%00&%00": "",
    "q=" + "a,+b" * 10_000: "",
}


@pytest.mark.parametrize("query_string", SUGGESTIONS)
def test_an_error_offers_what_may_be_meant(query_string: str) -> None:
    """A text in quotation marks or a repaired filter, a query decoded once, a plus encoded; else nothing."""
    with pytest.raises(QueryError) as raised:
        parse_query(query_string)
    suggestion = SUGGESTIONS[query_string]
    assert suggestion == raised.value.suggestion
    assert not suggestion or parse_query(suggestion)
    assert f"did you mean {suggestion}?" == raised.value.problems[-1] or not suggestion


@given(filter_texts)
def test_what_is_offered_for_a_filter_can_be_read(text: str) -> None:
    """Whatever is wrong with a filter, the query offered in its place has no mistake."""
    suggestion = ""
    try:
        parse_query(f"q={quote(text)}")
    except QueryError as error:
        suggestion = error.suggestion
    assert not suggestion or parse_query(suggestion).q


def test_what_an_error_repeats_is_short_and_safe() -> None:
    """A long value is cut, and what would not be seen in it stands percent-encoded."""
    with pytest.raises(QueryError) as raised:
        parse_query("days=%00%0A%E2%80%AE" + "9" * 5000)
    assert f"days: “%00%0A%E2%80%AE{'9' * 24}…” is not a whole number from 1 to 3660" == str(raised.value)


def test_a_hundred_parameters_are_not_too_many() -> None:
    """The limit on parameters counts those that are ignored, and is not one less."""
    assert Query() == parse_query("&".join(["_=1"] * 100))


def test_a_query_made_in_code_has_the_days_of_its_kind() -> None:
    """Without `days`, a query reaches as far back as is usual for its digests; the canonical text leaves that out."""
    assert {"": 90, "day": 90, "week": 366, "month": 3660} == {
        kind: Query(digest=kind).days for kind in ("", "day", "week", "month")
    }
    assert "digest=week" == str(Query(digest="week"))
    assert "digest=month" == str(replace(Query(), digest="month", days=0))
    assert "digest=week&days=90" == str(replace(Query(), digest="week"))
    assert "days=366" == str(replace(Query(digest="week"), digest=""))
    with pytest.raises(QueryError, match=NO_DIGEST):
        validate(Query(top=5))


def test_defaults_may_be_spelled_out() -> None:
    """A query with every default spelled out is the query without them, and canonically has none."""
    assert Query() == parse_query(DEFAULTS)
    assert "" == str(Query())
    assert Query(q=AGENTS) == parse_query(f"{DEFAULTS}&q=agents")
    assert set(PARAMETERS) == {"q", "digest", "top", *parse_qs(DEFAULTS)} == set(Query.__dataclass_fields__)


def test_all_mistakes_are_told_at_once() -> None:
    """Each parameter that is wrong is told, in the order of the address; ten at most."""
    with pytest.raises(QueryError) as raised:
        parse_query("limit=x&q=a|b+c;d&limit=3&days=&foo=1")
    told = [
        "limit: “x” is not",
        "q at character 2: “|”",
        "q at character 6: “;”",
        "limit: given more",
        "days: is empty",
    ]
    told.append("“foo”: there is no such parameter")
    assert len(told) == len(raised.value.mistakes)
    assert all(str(error).startswith(start) for start, error in zip(told, raised.value.mistakes, strict=True))
    assert str(raised.value.mistakes[0]) == str(raised.value)
    with pytest.raises(QueryError) as raised:
        parse_query("&".join(f"a{number}=1" for number in range(50)))
    assert 10 == len(raised.value.mistakes) == len(raised.value.problems)


def test_the_order_of_parameters_never_matters() -> None:
    """Every order of the same parameters is one query with one canonical text."""
    pairs = ("q=agents", "min_upvotes=2", "limit=7", "link=pdf", "_=9")
    queries = {parse_query("&".join(order)) for order in itertools.permutations(pairs)}
    assert {"q=agents&min_upvotes=2&limit=7&link=pdf"} == {str(query) for query in queries}
    assert 1 == len(queries)


@pytest.mark.parametrize(
    ("query_string", "canonical"),
    [
        ("q=%22Tool+use%22+or+title%3Aa%2A", "q=%22tool%20use%22%20OR%20title:a*"),
        ("top=10&q=agents&digest=week&days=366&limit=50", "q=agents&digest=week"),
        ("digest=month&top=5&days=366", "digest=month&top=5&days=366"),
        ("digest=week&days=90", "digest=week&days=90"),
        ("digest=day&days=90", "digest=day"),
        ("q=(a+or+b)+not+大", "q=(a%20OR%20b)%20-%E5%A4%A7"),
        ("counts=1&content=none&page=2&days=07&q=Agents", "q=agents&days=7&page=2&content=none&counts=1"),
    ],
)
def test_the_canonical_query_string(query_string: str, canonical: str) -> None:
    """It has a fixed order, is percent-encoded UTF-8, and leaves readable what may stay so."""
    assert canonical == str(parse_query(query_string))


@given(query_strings)
def test_any_query_is_a_mistake_or_reads_back_alike(query_string: str) -> None:
    """A generated query gives an error of one line, or a query equal to its canonical text's."""
    try:
        query = parse_query(query_string)
    except QueryError as error:
        lines = str(error).splitlines()
    else:
        canonical = str(query)
        lines = [canonical]
        assert query == parse_query(canonical)
        assert canonical == str(parse_query(canonical))
        assert canonical.isascii()
    assert 1 == len(lines)


@pytest.mark.parametrize(
    ("query_string", "expected"),
    [
        ("limit=5&days=3&counts=1", ""),
        ("digest=week&top=5&days=90", ""),
        ("digest=week&q=agents&min_upvotes=2", "agents, at least 2 upvotes"),
        ("q=Agents", "agents"),
        ("q=agents&min_upvotes=2", "agents, at least 2 upvotes"),
        ("min_upvotes=1&min_comments=1", "at least 1 upvote, at least 1 comment"),
        ("q=a+or+b&min_comments=3&or_upvotes=50", "a OR b, at least 3 comments, or at least 50 upvotes"),
    ],
)
def test_a_query_in_words(query_string: str, expected: str) -> None:
    """What a query asks for can be said in a few words, for the title of its feed."""
    assert expected == parse_query(query_string).describe


@pytest.mark.parametrize(
    ("query_string", "expected"),
    [
        ("q=agents", ""),
        ("q=agents&digest=week", "10 best of each week"),
        ("digest=month&top=1", "best of each month"),
    ],
)
def test_a_digest_in_words(query_string: str, expected: str) -> None:
    """What each digest holds can be said in a few words; a feed of papers has none."""
    assert expected == parse_query(query_string).selection


@pytest.mark.parametrize("name", PARAMETERS)
def test_each_parameter_explains_itself(name: str) -> None:
    """Each says what it means and what it may be, for the documents and the page."""
    assert PARAMETERS[name].meaning
    assert PARAMETERS[name].values


def test_the_canonical_text_decodes_to_the_filter() -> None:
    """The filter in a canonical query string is the filter's own canonical text."""
    query = parse_query("q=Tool-use+-(a+or+b)")
    assert f"q={query.q}" == unquote(str(query))
