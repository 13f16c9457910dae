"""The filter language: what each form means, its canonical text, and the error for each mistake."""

import pytest
from hypothesis import given

from feedproxy.errors import QueryError
from feedproxy.query.grammar import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_TERMS,
    And,
    Not,
    Or,
    Term,
    in_quotation_marks,
    parse_filter,
)
from tests.naive import filter_texts

A, B, C = Term(("a",)), Term(("b",)), Term(("c",))

GRAMMAR = {
    "a": A,
    "Agents": Term(("agents",)),
    '"tool use"': Term(("tool", "use")),
    "tool-use": Term(("tool", "use")),
    "diffus*": Term(("diffus",), prefix=True),
    '"tool us"*': Term(("tool", "us"), prefix=True),
    "tool-us*": Term(("tool", "us"), prefix=True),
    "a b": And((A, B)),
    "a AND b and c": And((A, B, C)),
    "a OR b": Or((A, B)),
    "a b OR c": Or((And((A, B)), C)),
    "a OR b c": Or((A, And((B, C)))),
    "(a OR b) c": And((Or((A, B)), C)),
    "(a b) c": And((A, B, C)),
    "a OR (b OR c)": Or((A, B, C)),
    "((a))": A,
    "-a": Not(A),
    "a -b": And((A, Not(B))),
    "a NOT b": And((A, Not(B))),
    "a AND NOT b": And((A, Not(B))),
    "-(a OR b)": Not(Or((A, B))),
    "NOT (a b)": Not(And((A, B))),
    "NOT a OR b": Or((Not(A), B)),
    "-(-a)": A,
    "not not a": A,
    "（ａ －ｂ） ＯＲ ｃ": Or((And((A, Not(B))), C)),
    "title：ａ ＂a b＂": And((Term(("a",), field="title"), Term(("a", "b")))),
    "a\u00adg\u200bent": Term(("agent",)),
    "NOT NOT NOT a": Not(A),
    "-(NOT(a))": A,
    "a -(-(b c))": And((A, B, C)),
    "-(-(a OR b)) OR c": Or((A, B, C)),
    "title:a": Term(("a",), field="title"),
    "ABSTRACT:a-b": Term(("a", "b"), field="abstract"),
    'author:"yann lecun"': Term(("yann", "lecun"), field="author"),
    "-Org:nvid*": Not(Term(("nvid",), prefix=True, field="org")),
    "has:code": Term(("code",), field="has"),
    "-Has:PROJECT": Not(Term(("project",), field="has")),
    "title:OR": Term(("or",), field="title"),
    '"AND"': Term(("and",)),
    '"not"*': Term(("not",), prefix=True),
    "see—or guess": Or((Term(("see",)), Term(("guess",)))),
    '"t-SNE"': Term(("tsne",)),
    "and-or": Term(("andor",)),
    'on-policy "on policy"': And((Term(("onpolicy",)), Term(("on", "policy")))),
    '"a"b': And((A, B)),
    "a(b)-c": And((A, B, Not(C))),
    "a-b--c": Term(("a", "b", "c")),
    "“a b” „c“": And((Term(("a", "b")), C)),
    "«a b» –c —a −b": And((Term(("a", "b")), Not(C), Not(A), Not(B))),
    "a\u00a0\n\tb": And((A, B)),
    "Réseaux ½": And((Term(("reseaux",)), Term(("1", "2")))),
    "a_b hello! Q&A TCP/IP": And((Term(("a", "b")), Term(("hello",)), Term(("q", "a")), Term(("tcp", "ip")))),
    '"a, b | c"': Term(("a", "b", "c")),
    '"A* search"': Term(("a*", "search")),
    '"search with A*"': Term(("search", "with", "a*")),
    "G^2RPO R^2": And((Term(("g", "2rpo")), Term(("r", "2")))),
    "U.S. PhD/Ph.D. LLM's GPT-4o": And(
        (Term(("u", "s")), Term(("phd", "ph", "d")), Term(("llm",)), Term(("gpt", "4o")))
    ),
    "1,000 2,000,000+": And((Term(("1000",)), Term(("2000000",)))),
    "c++ C# f# g++ .net": And(tuple(Term((word,)) for word in ("c++", "c#", "f#", "g++", ".net"))),
    "a: b": And((A, B)),
    "a 23: b:": And((A, Term(("23",)), B)),
    '"a b": (c): A-b: c?: a': And((Term(("a", "b")), C, Term(("a", "b")), C, A)),
    "Not: and: a": And((Term(("not",)), Term(("and",)), A)),
    "tract: DualTHOR: a": And((Term(("tract",)), Term(("dualthor",)), A)),
    "a: title:b": And((A, Term(("b",), field="title"))),
    "50% $1 a! b?! c…": And((Term(("50",)), Term(("1",)), A, B, C)),
}

CANONICAL = {
    "  Agents   and  POLICIES ": "agents policies",
    "a or B": "a OR b",
    "((a or b)) and (c)": "(a OR b) c",
    "not tool-use": '-"tool use"',
    "not (a b)": "-(a b)",
    "(a b) or c": "a b OR c",
    "“Or”": '"or"',
    'TITLE:"agent"': "title:agent",
    '"diffus"*': "diffus*",
    'HAS:"Image" Not has:Code': "has:image -has:code",
}

LINKS = "(links: has:code, has:project, has:image)"
MISTAKES = {
    "": (0, "a word or phrase is missing here"),
    "  ": (2, "a word or phrase is missing here"),
    "a OR": (4, "a word or phrase is missing here"),
    "OR a": (0, "a word or phrase is missing here"),
    "a AND AND b": (6, "a word or phrase is missing here"),
    "()": (1, "a word or phrase is missing here"),
    "a -": (2, "a - stands directly before what it excludes"),
    "a - b": (2, "a - stands directly before what it excludes"),
    "a – b": (2, "a - stands directly before what it excludes"),
    "-or": (1, "a word or phrase is missing here"),
    "a NOT": (5, "a word or phrase is missing here"),
    '"open': (0, "this quotation mark is never closed"),
    "a “b": (2, "this quotation mark is never closed"),
    "((a)": (0, "this ( is never closed"),
    "a (b": (2, "this ( is never closed"),
    "a) b": (1, "this ) closes nothing"),
    "title:": (0, "title: needs a word or a quoted phrase directly behind it"),
    "a title: b": (2, "title: needs a word or a quoted phrase directly behind it"),
    "title:(a b)": (0, "title: needs a word or a quoted phrase directly behind it"),
    "title:org:a": (0, "title: needs a word or a quoted phrase directly behind it"),
    "titel:a": (0, "there is no field titel:, did you mean title:? (fields: title:, abstract:, author:, org:, has:)"),
    "has:": (0, "has: needs code, project or image directly behind it"),
    "has:(code OR image)": (0, "has: needs code, project or image directly behind it"),
    "a has:cod*": (6, f"there is no has:cod*, did you mean has:code? {LINKS}"),
    'has:"image"*': (4, f"there is no has:image*, did you mean has:image? {LINKS}"),
    "has:github": (4, f"there is no has:github, did you mean has:code? {LINKS}"),
    "has:Repos": (4, f"there is no has:Repos, did you mean has:code? {LINKS}"),
    "has:home-page": (4, f"there is no has:home-page, did you mean has:project? {LINKS}"),
    "has:thumbnail": (4, f"there is no has:thumbnail, did you mean has:image? {LINKS}"),
    "has:video": (4, f"there is no has:video, did you mean has:image? {LINKS}"),
    "has:imgae": (4, f"there is no has:imgae, did you mean has:image? {LINKS}"),
    "has:votes": (4, f"there is no has:votes {LINKS}"),
    "a https://x": (2, "there is no field https: (fields: title:, abstract:, author:, org:, has:)"),
    "a :b": (2, "a : stands only behind a field: title:, abstract:, author:, org:, has:"),
    "gpt4:a": (4, "a : stands only behind a field: title:, abstract:, author:, org:, has:"),
    "di*f": (2, "“*” stands only at the end of a word or behind a phrase"),
    "a di**": (4, "“*” stands only at the end of a word or behind a phrase"),
    "di*f*": (2, "“*” stands only at the end of a word or behind a phrase"),
    "a *": (2, "“*” holds neither letter nor digit"),
    'a ""': (2, '“""” holds neither letter nor digit'),
    "a && b": (2, "“&&” holds neither letter nor digit"),
    "a !": (2, "“!” holds neither letter nor digit"),
    "a !b": (2, "“!” means nothing here; to exclude, write -"),
    "a|b": (1, "“|” means nothing here; for both leave a space, for either write OR"),
    "a, b": (1, "“,” means nothing here; for both leave a space, for either write OR"),
    "a,b": (1, "“,” means nothing here; for both leave a space, for either write OR"),
    "a 1,b": (3, "“,” means nothing here; for both leave a space, for either write OR"),
    "c+++": (1, "“+++” means nothing here"),
    "a#b": (1, "“#” means nothing here"),
    "a##": (1, "“##” means nothing here"),
    "^a": (0, "“^” means nothing here"),
    "a^ b": (1, "“^” means nothing here"),
    "titel: a": (0, "there is no field titel:, did you mean title:? (fields: title:, abstract:, author:, org:, has:)"),
    "a : b": (2, "a : stands only behind a field: title:, abstract:, author:, org:, has:"),
    "a:: b": (0, "there is no field a: (fields: title:, abstract:, author:, org:, has:)"),
    'title:"a': (6, "this quotation mark is never closed"),
    "a &&b": (2, "“&&” means nothing here; for both leave a space, for either write OR"),
    "‘tool use’": (0, "“'” means nothing here; for a phrase, use double quotation marks"),
    "agen?s": (4, "“?” means nothing here"),
    "a\x00b": (1, "“%00” means nothing here"),
    "a \u200b": (2, "“%E2%80%8B” holds neither letter nor digit"),
    "--a": (1, "one - is enough"),
    "upvotes>10": (7, "“>” means nothing here"),
    "a~2": (1, "“~” means nothing here"),
    "[a b]": (0, "“[” means nothing here"),
    "a title:…": (8, "“…” holds neither letter nor digit"),
}


@pytest.mark.parametrize("text", GRAMMAR)
def test_each_form_means_what_the_grammar_says(text: str) -> None:
    """Words, phrases, prefixes, fields, operators and parentheses make the tree a person expects."""
    assert GRAMMAR[text] == parse_filter(text)


@pytest.mark.parametrize("text", CANONICAL)
def test_every_spelling_has_one_canonical_text(text: str) -> None:
    """Case, spacing, spelt-out operators and needless parentheses leave no trace."""
    assert CANONICAL[text] == str(parse_filter(text))


@pytest.mark.parametrize("text", GRAMMAR)
def test_the_canonical_text_means_the_same(text: str) -> None:
    """Each form is read back from its canonical text, which stays as it is."""
    canonical = str(GRAMMAR[text])
    assert GRAMMAR[text] == parse_filter(canonical)
    assert canonical == str(parse_filter(canonical))


@given(filter_texts)
def test_any_filter_is_a_mistake_or_reads_back_alike(text: str) -> None:
    """Tokens in any order give an error at a place within the text, or a filter equal to its canonical text's."""
    try:
        tree = parse_filter(text)
    except QueryError as error:
        place = error.position
    else:
        assert tree == parse_filter(str(tree))
        place = 0
    assert place is not None
    assert 0 <= place <= len(text)


@pytest.mark.parametrize("text", MISTAKES)
def test_each_mistake_is_told_with_its_place(text: str) -> None:
    """An error names the character that is wrong, counted from 1 for people and from 0 for programs."""
    position, message = MISTAKES[text]
    with pytest.raises(QueryError) as raised:
        parse_filter(text)
    assert f"q at character {position + 1}: {message}" == str(raised.value)
    assert position == raised.value.position


SEVERAL = {
    "a, b foo:c x~y %": [(1, "“,”"), (5, "there is no field foo:"), (12, "“~”"), (15, "“%” holds neither")],
    "a|b;c": [(1, "“|”"), (3, "“;”")],
    "!a* [b]": [(0, "“!”"), (4, "“[”"), (6, "“]”")],
    "foo:bar :baz a*b*": [(0, "there is no field foo:"), (8, "a : stands only"), (14, "“*”")],
    "x,y (a": [(1, "“,”"), (4, "this ( is never closed")],
    'x,y "a, b': [(1, "“,”"), (4, "this quotation mark is never closed")],
    "foo:(a,b)": [(0, "there is no field foo:")],
    "foo:a title: b x,y": [(0, "there is no field foo:"), (6, "title: needs")],
    "a) b,c": [(1, "this ) closes nothing")],
    ",".join("a" * 12): [(number, "“,”") for number in range(1, 20, 2)],
}


@pytest.mark.parametrize("text", SEVERAL)
def test_all_mistakes_are_told_at_once(text: str) -> None:
    """Each has its place, in the order of the text; the first that leaves the rest without a meaning ends the list."""
    with pytest.raises(QueryError) as raised:
        parse_filter(text)
    mistakes = raised.value.mistakes
    assert [place for place, _ in SEVERAL[text]] == [mistake.position for mistake in mistakes]
    for (place, message), mistake in zip(SEVERAL[text], mistakes, strict=True):
        assert str(mistake).startswith(f"q at character {place + 1}: {message}")
    assert tuple(map(str, mistakes)) == raised.value.problems


PHRASES = {
    "A, B & C: it": '"A, B & C: it"',
    '"Pens" are ‘light„': '"Pens are ‘light"',
    "  a\u00a0 b ": '"a b"',
    "A* search": '"A* search"',
    "ATTENTION IS NOT ALL": '"ATTENTION IS NOT ALL"',
    "(a b": '"(a b"',
    "tool-use": None,
    "a &": None,
    "a OR b": None,
    "agents, author:lovelace": None,
    "a b " * 150: None,
}


@pytest.mark.parametrize("text", PHRASES)
def test_a_text_becomes_a_phrase(text: str) -> None:
    """Words of any kind become one phrase that can be read; one word, or what only a filter has, does not."""
    phrase = in_quotation_marks(text)
    assert PHRASES[text] == phrase
    assert phrase is None or isinstance(parse_filter(phrase), Term)


@pytest.mark.parametrize("text", ["!" + "a" * 300 + "\x00", "a" * 300 + ":b", "\u202e" * 300, "has:" + "a" * 300])
def test_a_long_mistake_is_cut_short_when_told(text: str) -> None:
    """What an error repeats of the filter is short and safe to show."""
    with pytest.raises(QueryError) as raised:
        parse_filter(text)
    assert 200 > len(str(raised.value))
    assert str(raised.value).isprintable()


def test_a_filter_has_at_most_so_many_characters() -> None:
    """Exactly the limit is read, one more is not."""
    assert Term(("a" * MAX_CHARACTERS,)) == parse_filter("a" * MAX_CHARACTERS)
    with pytest.raises(QueryError, match=r"^q: 501 characters, at most 500$") as raised:
        parse_filter("a" * (MAX_CHARACTERS + 1))
    assert raised.value.position is None


def test_a_filter_has_at_most_so_many_characters_once_spelled_out() -> None:
    """One ligature can stand for a sentence, so the canonical text has the same limit: it must be readable, too."""
    assert 4 == len(parse_filter("\ufdfa").words)
    with pytest.raises(QueryError, match=r"^q: more than 500 characters in its canonical spelling$"):
        parse_filter("\ufdfa" * 40)


def test_a_filter_has_at_most_so_many_terms() -> None:
    """The term that is one too many is pointed at."""
    assert MAX_TERMS == len(parse_filter("a " * MAX_TERMS).parts)
    with pytest.raises(QueryError, match="more than 32 terms") as raised:
        parse_filter("a " * (MAX_TERMS + 1))
    assert 2 * MAX_TERMS == raised.value.position


@pytest.mark.parametrize(
    ("opening", "closing", "depth"),
    [("(", ")", MAX_DEPTH), ("NOT ", "", MAX_DEPTH), ("-(", ")", MAX_DEPTH // 2)],
)
def test_a_filter_nests_only_so_deep(opening: str, closing: str, depth: int) -> None:
    """Parentheses and negations nest up to the limit; one more is pointed at."""
    assert A == parse_filter(opening * depth + "a" + closing * depth)
    with pytest.raises(QueryError, match="nested more than 16 deep") as raised:
        parse_filter(opening * (depth + 1) + "a" + closing * (depth + 1))
    assert depth * len(opening) == raised.value.position


def test_what_was_closed_no_longer_counts_as_nested() -> None:
    """Many groups side by side are not deep."""
    assert And((A,) * 20) == parse_filter("(a) " * 20)
