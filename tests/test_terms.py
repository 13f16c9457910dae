"""Normalising text: what is safe to keep, what is a web address, and which words are the same to a search."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from feedproxy.query.terms import search_words, singular, words
from feedproxy.text import did_you_mean, one_line, paragraphs, safe_url

# Surrogates included: they come in as `\\ud800` of JSON or as undecodable bytes of a command line.
ANY_TEXT = st.text(st.characters() | st.sampled_from("\t\n\r\x0b\x0c\x00\x1b\x85\u2028\ufffe\ufdd0\ud800\U0001ffff ¶"))

NORMALISED = {
    "Vision-Language Models": ["vision", "language", "models"],
    "Réseaux naïfs": ["reseaux", "naifs"],
    "Re\u0301seaux": ["reseaux"],
    "ﬁne-tuning at ½ ℌ": ["fine", "tuning", "at", "1", "2", "h"],
    "STRASSE straße": ["strasse", "strasse"],
    "İstanbul": ["istanbul"],
    "Άλφα ΟΔΟΣ οδός": ["αλφα", "οδοσ", "οδοσ"],
    "大模型 and ｆｕｌｌ ｗｉｄｔｈ": ["大模型", "and", "full", "width"],
    "π₀ x² 𝒜gent": ["π0", "x2", "agent"],
    "ᾠδή İİ": ["ωδη", "ii"],
    "snake_case __init__": ["snake", "case", "init"],
    "GPT-4o's 3.5": ["gpt", "4o", "s", "3", "5"],
    "\\$OneMillion-Bench, $\\textit{p}$ < 0.05": ["onemillion", "bench", "textit", "p", "0", "05"],
    "𠀀𠀁 🤖 —": ["𠀀𠀁"],
    " \n…": [],
}

SINGULARS = {
    "agents": "agent",
    "policies": "policy",
    "processes": "process",
    "boxes": "box",
    "benchmarks": "benchmark",
    "approaches": "approach",
    "meshes": "mesh",
    "sizes": "size",
    "optimizes": "optimize",
    "caches": "cache",
    "cases": "case",
    "trees": "tree",
    "baies": "baie",
    "matrices": "matrix",
    "indexes": "index",
    "movies": "movie",
    "gpus": "gpu",
    "biases": "bias",
    "analyses": "analysis",
    "axes": "axis",
    "focuses": "focus",
    "lenses": "lens",
    "llms": "llm",
}


@pytest.mark.parametrize("text", NORMALISED)
def test_words_are_normalised(text: str) -> None:
    """Case, accents and compatibility forms go, and everything but letters and digits parts words."""
    assert NORMALISED[text] == words(text)


@given(ANY_TEXT)
def test_normalised_words_stay_as_they_are(text: str) -> None:
    """Normalising the words of any text again changes nothing."""
    result = words(text)
    assert result == words(" ".join(result))
    assert all(word.isalnum() for word in result)


@pytest.mark.parametrize("plural", SINGULARS)
def test_plural_and_singular_are_one_word(plural: str) -> None:
    """A plural folds into its singular, and the singular into itself."""
    assert [SINGULARS[plural]] * 2 == [singular(plural), singular(SINGULARS[plural])]


@pytest.mark.parametrize("word", ["loss", "bus", "bias", "corpus", "is", "s", "news", "focus", "generative", ""])
def test_what_is_no_plural_stays(word: str) -> None:
    """A word that merely ends like a plural is left alone."""
    assert word == singular(word)


@pytest.mark.parametrize(("one", "other"), [("generative", "general"), ("news", "new"), ("policy", "police")])
def test_different_words_stay_apart(one: str, other: str) -> None:
    """Plurals are folded, words are not cut down to a stem."""
    assert search_words(one) != search_words(other)


@given(
    st.text("aceghinosuxyz", max_size=4), st.sampled_from(["", "s", "es", "ies", "sses", "xes", "ches", "pus", "us"])
)
def test_folding_a_plural_twice_is_folding_it_once(stem: str, ending: str) -> None:
    """The fold of a fold is the fold."""
    once = singular(stem + ending)
    assert once == singular(once)


def test_search_words_are_normalised_and_singular() -> None:
    """The index holds normalised words, each folded on its own."""
    assert ["multi", "agent", "policy", "reseaux"] == search_words("Multi-Agents’ POLICIES: réseaux")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  A\n  title\t of  two lines ", "A title of two lines"),
        ("no\x00nul\x1b\ufffe\uffff\U0001ffff\ud800", "nonul"),
        ("form\x0cfeed, next\x85line, unit\x1fseparator", "form feed, next line, unit separator"),
        ("\u202egnp.exe \u2066x\u2069", "gnp.exe x"),
        ("<b>&amp; ]]> is text", "<b>&amp; ]]> is text"),
        ("twelve chars", "twelve chars"),
        ("thirteen char", "thirteen ch…"),
        ("more than that", "more than t…"),
        ("elevenchar and", "elevenchar…"),
        ("\x00\n", ""),
    ],
)
def test_one_line(text: str, expected: str) -> None:
    """Text becomes one line of what is safe to keep, and an ellipsis stands for what is too long."""
    assert expected == one_line(text, 12 if len(expected) < 13 else 100)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one\nstill one\n\ntwo", "one still one\n\ntwo"),
        ("\n\none\r\n\r\n \t\r\n  two \n", "one\n\ntwo"),
        ("one\n\x00\n\ntwo\x07", "one\n\ntwo"),
        ("cut here, please", "cut here, please"),
        ("cut here, please!", "cut here, pleas…"),
        ("", ""),
    ],
)
def test_paragraphs(text: str, expected: str) -> None:
    """Paragraphs are kept, lines within them are joined, what is unsafe goes."""
    assert expected == paragraphs(text, 16 if len(expected) < 17 else 100)


@given(ANY_TEXT, st.integers(1, 30))
def test_whatever_comes_in_can_stand_in_xml(text: str, limit: int) -> None:
    """Cleaned text goes into an XML element and comes out the same, and is as short as asked."""
    for clean in (one_line(text, limit), paragraphs(text, limit)):
        element = etree.Element("title")
        element.text = clean
        assert clean == (etree.fromstring(etree.tostring(element)).text or "")
        assert limit >= len(clean)
    assert "\n" not in one_line(text, limit)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" https://example.org/page\n", "https://example.org/page"),
        ("HTTP://Example.org:8080", "http://Example.org:8080"),
        ("http://[2001:db8::1]:80/x", "http://[2001:db8::1]:80/x"),
        ("https://example.org/a%20b?c=d&e=~f;g#h", "https://example.org/a%20b?c=d&e=~f;g#h"),
        ("https://example.org/réseau?q=大", "https://example.org/r%C3%A9seau?q=%E5%A4%A7"),
        ("https://example.org/a[1]#b#c", "https://example.org/a%5B1%5D#b%23c"),
        ("https://example.org/100%/%zz", "https://example.org/100%25/%25zz"),
    ],
)
def test_web_addresses(text: str, expected: str) -> None:
    """An absolute http(s) address is trimmed and written as RFC 3986 wants it."""
    assert expected == safe_url(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "javascript:alert(1)", "ftp://example.org/", "//example.org/x", "/x", "example.org", "https:example.org"),
        *("http://", "http:///x", "http://:80/", "http://[::1", "http://[host]/", "http://exämple.org/", "http://a b/"),
        *("http://huggingface.co@example.org/", "http://user:word@example.org/", "http://example.org:port/"),
        *("http://example.org/a b", 'http://example.org/"', "http://example.org/<", "http://example.org/\\"),
        *("http://example.org/\x00", "http://example.org/\u202e", "http://example.org/\ud800"),
        "http://example.org/" + "x" * 2000,
    ],
)
def test_what_is_no_web_address(text: str) -> None:
    """Another scheme, no host, a user's name, a space, a quotation mark, a control character: no address at all."""
    assert safe_url(text) is None


URI_CHARACTERS = re.escape(string.ascii_letters + string.digits + "-._~!$&'()*+,;=:@/")
URI = re.compile(
    rf"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d+)?"
    rf"((/(?:[{URI_CHARACTERS}]|%[0-9A-Fa-f]{{2}})*)?)(\?(?:[{URI_CHARACTERS}?]|%[0-9A-Fa-f]{{2}})*)?"
    rf"(#(?:[{URI_CHARACTERS}?]|%[0-9A-Fa-f]{{2}})*)?"
)


@given(
    st.sampled_from(["", " ", "ht"]),
    st.sampled_from(["example.org", "[::1]", "[", "a@b"]),
    st.text("/?#[]@:%2fé大 \"'\x00\\~"),
)
def test_an_address_is_a_uri_or_nothing(before: str, host: str, rest: str) -> None:
    """Whatever is taken for an address fits the grammar of RFC 3986, and stays the same the second time."""
    result = safe_url(f"{before}http://{host}{rest}")
    assert result is None or (URI.fullmatch(result) and result == safe_url(result))


def test_a_misspelt_name_gets_a_suggestion() -> None:
    """What looks like a known name is suggested, whatever its case; anything else is not."""
    assert ", did you mean title:?" == did_you_mean("Titel", ["title", "abstract"], ":")
    assert "" == did_you_mean("year", ["title", "abstract"])
