"""Normalising text: what is safe to keep, what is a web address, and which words are the same to a search."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from feedproxy.archive.compounds import search_words
from feedproxy.query.plurals import SINGULARS
from feedproxy.query.terms import phrases, singular, words
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
    "Łukasz Øyvind Đorđe Ħal ıslak": ["lukasz", "oyvind", "dorde", "hal", "islak"],
    "Æsir Œuvre Þór Ðe": ["aesir", "oeuvre", "thor", "de"],
    "Əliyev Ɖ Ɋ \u03a2": ["eliyev", "d", "q", "\u03a2"] if "\u03a2".isalnum() else ["eliyev", "d", "q"],
    "8×7B, 10×": ["8x7b", "10x"],
    "DALL·E": ["dall", "e"],
    "Άλφα ΟΔΟΣ οδός": ["αλφα", "οδοσ", "οδοσ"],
    "τ-bench, τ²-bench, λ calculus, Δt, µP": ["tau", "bench", "tau2", "bench", "lambda", "calculus", "deltat", "mup"],
    "大模型 and ｆｕｌｌ ｗｉｄｔｈ": ["大模型", "and", "full", "width"],
    "π₀ x² 𝒜gent": ["pi0", "x2", "agent"],
    "ᾠδή İİ": ["ωδη", "ii"],
    "snake_case __init__": ["snake", "case", "init"],
    "GPT-4o's 3.5": ["gpt", "4o", "3", "5"],
    "we're, they’ll, don't, O'Brien": ["we", "they", "don", "t", "o", "brien"],
    "1,000 or 12,345,678 but 1,0000 and 1,2": ["1000", "or", "12345678", "but", "1", "0000", "and", "1", "2"],
    "C++ and C#, F#, g++; issue #5, c+": ["c++", "and", "c#", "f#", "g++", "issue", "5", "c"],
    "the .NET and ASP.NET ... .py": ["the", ".net", "and", "asp", "net", ".py"],
    "A* or RRT*, *emphasis* **bold** agents*": ["a*", "or", "rrt*", "emphasis", "bold", "agents"],
    "\\$OneMillion-Bench, $\\textit{p}$ < 0.05": ["onemillion", "bench", "textit", "p", "0", "05"],
    "LLMs GPs IMUs": ["llms", "gp", "imu"],
    "𠀀𠀁 🤖 —": ["𠀀𠀁"],
    " \n…": [],
}

# By kind: a word and its plural.
PLURALS = {
    "regular": "agent agents, case cases, size sizes, tree trees, key keys, baie baies, photo photos",
    "-y": "policy policies, modality modalities, study studies",
    "-es": "process processes, box boxes, approach approaches, mesh meshes, waltz waltzes, loss losses, index indexes",
    "acronym": "llm llms, gpu gpus, vae vaes, moe moes, api apis, mllm mllms, id ids",
    "-ie": "cookie cookies, movie movies, lie lies, tie ties, zombie zombies, calorie calories",
    "-us": "virus viruses, status statuses, bus buses, bonus bonuses, focus focuses, prometheus prometheuses",
    "-use": "use uses, cause causes, house houses, abuse abuses, muse muses",
    "-as, -is, -os": "bias biases, alias aliases, canvas canvases, gas gases, atlas atlases, iris irises",
    "-sis": "crisis crises, thesis theses, hypothesis hypotheses, analysis analyses, synthesis syntheses, axis axes",
    "Greek": "criterion criteria, phenomenon phenomena, automaton automata, polyhedron polyhedra",
    "Latin": "corpus corpora, matrix matrices, index indices, stimulus stimuli, optimum optima, larva larvae",
    "-ves": "half halves, wolf wolves, knife knives, shelf shelves, leaf leaves, wave waves, objective objectives",
    "-oes": "hero heroes, echo echoes, shoe shoes, toe toes, potato potatoes",
    "-men": "woman women, man men, salesman salesmen, craftsman craftsmen",
    "-che": "cache caches, kvcache kvcaches, niche niches, headache headaches",
    "-ics": "metric metrics, topic topics, rubric rubrics, heuristic heuristics",
    "irregular": "child children, mouse mice, foot feet, tooth teeth, lens lenses, quiz quizzes",
}
PAIRS = [pair.split() for pairs in PLURALS.values() for pair in pairs.split(", ")]

APART = [
    ("semantic", "semantics"), ("dynamic", "dynamics"), ("physic", "physics"), ("new", "news"), ("doe", "does"),
    ("general", "generative"), ("generate", "generation"), ("policy", "political"), ("policy", "police"),
    ("these", "theses"), ("universe", "university"), ("u", "us"), ("hi", "his"), ("wa", "was"), ("gp", "gps"),
    ("len", "lens"),
    ("academic", "academics"), ("bio", "bios"), ("specimen", "speciman"), ("tax", "axis"), ("them", "themselves"),
]  # fmt: skip


@pytest.mark.parametrize("text", NORMALISED)
def test_words_are_normalised(text: str) -> None:
    """Case, accents and compatibility forms go, and everything but letters and digits parts words."""
    assert NORMALISED[text] == words(text)


@given(ANY_TEXT)
def test_normalised_words_stay_as_they_are(text: str) -> None:
    """Normalising the words of any text again changes nothing."""
    result = words(text)
    assert result == words(" ".join(result))
    assert all(word.strip(".+#*").isalnum() for word in result)


@pytest.mark.parametrize(("word", "plural"), PAIRS)
def test_plural_and_singular_are_one_word(word: str, plural: str) -> None:
    """A plural folds into its singular, and the singular into itself."""
    assert [singular(word)] * 2 == [singular(plural), singular(singular(plural))]


@pytest.mark.parametrize(
    "word",
    ["loss", "bus", "bias", "corpus", "is", "s", "news", "focus", "generative", "series", "basis", "regimen", ""],
)
def test_what_is_no_plural_stays(word: str) -> None:
    """A word that merely ends like a plural is left alone."""
    assert word == singular(word)


@pytest.mark.parametrize(("one", "other"), APART)
def test_different_words_stay_apart(one: str, other: str) -> None:
    """Plurals are folded, words are not cut down to a stem."""
    assert singular(one) != singular(other)


def test_the_table_of_plurals_is_stable() -> None:
    """Every singular of the table folds into itself, and no row says what the endings say anyway."""
    assert [] == [word for word in SINGULARS.values() if singular(word) != word]


@given(
    st.text("aceghinosuxyz", max_size=4), st.sampled_from(["", "s", "es", "ies", "sses", "xes", "ches", "pus", "us"])
)
def test_folding_a_plural_twice_is_folding_it_once(stem: str, ending: str) -> None:
    """The fold of a fold is the fold."""
    once = singular(stem + ending)
    assert once == singular(once)


# What the index holds of a text: all words, then the places with another spelling, then what only single words find.
INDEXED = {
    "A plain text": "a plain text",
    "Multi-Agents’ POLICIES: réseaux": "multi agent policies reseaux ¶ multiagent policies reseaux",
    "pre-training data": "pre training data ¶ pretraining data",
    "one two three four pre-training five six seven eight":
        "one two three four pre training five six seven eight ¶ two three four pretraining five six seven",
    "e-mail in a x-ray": "e mail in a x ray ¶ email in a xray ¶ email in a x ray ¶ e mail in a xray",
    "a-b c d e f g h-i": "a b c d e f g h i ¶ ab c d e f g hi",
    "a-b c d e x f g h i-j": "a b c d e x f g h i j ¶ ab c d e ¶ f g h ij",
    "G^2RPO": "g 2rpo ¶ g2rpo",
    "Q&A, PhD, Ph.D.": "q a phd ph d ¶ qa phd phd ¶ qa phd ph d ¶ q a phd phd",
    "LLM's": "llm",
    "state-of-the-art": "state of the art ¶ stateoftheart",
    "TCP/IP": "tcp ip ¶ tcpip",
    "pre-training/fine-tuning": "pre training fine tuning ¶ pretraining finetuning",
    "Qwen2.5-VL": "qwen2 5 vl ¶ qwen2 5vl",
    "GPT-4.1": "gpt 4 1 ¶ gpt4 1",
    "1.8B on 2024-05-12 is 3.5": "1 8b on 2024 05 12 is 3 5",
    "C/C++ code": "c c code ¶ c c++ code",
    "the U.S. of US, us": "the u s of us us ¶ the us of u.s us ¶ the us of us us ¶ the u s of u.s us",
    "GPS GPs gps AIS AIs iOS SOS ReLUs SaaS LAMPS lamps": "gps gp gps ais ai ios sos relu saas lamps lamp",
    "NEWS OF GPS AGENTS": "news of gps agent",
    "policies, criteria, agents": "policy criterion agent ¶ policies ¶ criteria",
    "axes and leaves": "axis and leaf ¶ axes ¶ leaves ¶ leave",
}  # fmt: skip


@pytest.mark.parametrize("text", INDEXED)
def test_search_words(text: str) -> None:
    """The index holds normalised words in the singular, and compounds among their neighbours."""
    assert INDEXED[text] == " ".join(search_words(text))


# A term, and phrases that find it; `*` behind a beginning.
SEARCHED = {
    "code in c++ that ships": ["code in c that ship"],
    "agent": ["agent", "ag ent"],
    "agents": ["agent", "agents", "ag ent"],
    "pre training": ["pre training", "pretraining"],
    "pretraining": ["pretraining", "pre training"],
    "multi modal models": ["multi modal model", "multimodal model", "multi modalmodel", "multimodalmodel"],
    "a b c d e": ["a b c d e", "ab c d e", "a bc d e", "a b c de"],
    "gpt 4": ["gpt 4", "gpt4"],
    "gpt4o": ["gpt4o", "gpt 4o"],
    "lamps": ["lamp", "lamps"],
    "leaves": ["leaf", "leave"],
    "u s": ["u s", "u.s"],
    "agents models": ["agent model", "agents model", "agent models", "agents models", "agentsmodel"],
    "data sets*": ["data sets*", "data set", "datasets*", "dataset"],
    "relus": ["relus", "relu"],
    "pretrain*": ["pretrain*"],
    "pre train*": ["pre train*", "pretrain*"],
    "q a": ["q a", "qa"],
    "s 2 mad": ["s 2 mad", "s2mad"],
    "llama3 1": ["llama3 1", "llama 3 1"],
    "dall e3": ["dall e3", "dall e 3", "dalle3"],
    "trade off": ["trade off", "tradeoff"],
    "policie*": ["policie*", "policy"],
    "agents*": ["agents*", "agent"],
}
NOT_SEARCHED = {
    "informal": "in formal",
    "along": "a long",
    "2024": "20 24",
    "3d": "3 d",
    "u s": "us",
    "3 5": "35",
    "bi*": "by",
    "mani*": "many",
    "gps": "gp",
    "cmos": "cmo",
    "various": "variou",
    "c++": "c",
    "pretrain*": "pre train*",
    "in accuracy": "inaccuracy",
    "overtime": "over time",
    "tradeoff": "trade off",
}


def searched(term: str) -> set[str]:
    is_prefix = term.endswith("*")
    rows = phrases(term.removesuffix("*").split(), is_prefix=is_prefix)
    return {" ".join(row) + "*" * is_beginning for row, is_beginning in rows}


@pytest.mark.parametrize("term", SEARCHED)
def test_a_term_is_found_however_it_is_written(term: str) -> None:
    """A term searches its words, its neighbours joined, and the two words that it spells."""
    assert set(SEARCHED[term]) <= searched(term)


@pytest.mark.parametrize("term", NOT_SEARCHED)
def test_what_a_term_does_not_search(term: str) -> None:
    """Common words and numbers make no compounds, and only plurals fold into a beginning."""
    assert NOT_SEARCHED[term] not in searched(term)


UNQUOTED = {
    "on-policy": ["onpolicy"],
    "plug-in": ["plugin"],
    "A-RAG in-painting": ["arag", "inpainting"],
    "Q&A": ["q", "a"],
    "U.S.": ["u", "s"],
    "S^2-MAD": ["s", "2", "mad"],
    "state-of-the-art": ["state", "of", "the", "art"],
    "tool-use": ["tool", "use"],
    "Agent-S": ["agent", "s"],
    "us": ["us"],
}


@pytest.mark.parametrize("text", UNQUOTED)
def test_a_compound_with_a_common_word_is_one_word(text: str) -> None:
    """Two words of which one is very common are one word, unless somebody quotes them."""
    assert UNQUOTED[text] == words(text, is_quoted=False)


@given(st.lists(st.text("ab1s", min_size=1, max_size=5), min_size=1, max_size=40), st.booleans())
def test_the_phrases_of_a_term_are_bounded(row: list[str], is_prefix: bool) -> None:
    """A term searches few phrases, none of them twice."""
    rows = phrases(row, is_prefix=is_prefix)
    assert len(rows) == len(set(rows)) <= 100 + len(row)


def test_hostile_text_takes_linear_time() -> None:
    """A long run of signs and letters is read once."""
    for piece in ("a-", "1,000,", "a.b/", ".", "*a*", "'s", "A", "C++#", "τ", "é"):
        assert search_words(piece * 50_000) is not None


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
