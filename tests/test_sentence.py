"""The first sentence of an abstract is found where a person would end it."""

from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedproxy.feeds.sentence import MAX_SENTENCE, cut, first_sentences

# The first sentence and what follows it.
SENTENCES = {
    "plain": ("We made this up.", " Nothing in it is true."),
    "question": ("Can agents plan?", " We ask."),
    "exclamation": ("They can!", " We show it."),
    "several marks": ("Can they really?!", " Yes."),
    "dots": ("Agents wait…", " Then they act."),
    "three dots": ("Agents wait...", " Then they act."),
    "decimal": ("It is 3.5 times as fast as version 2.0 was.", " We say why."),
    "file": ("Our runtime for node.js and model.pt files is open.", " It is small."),
    "e.g.": ("Tools (e.g. Search, e.g., Maps) help.", " We add some."),
    "i.e.": ("One agent, i.e. ALICE, acts.", " It does."),
    "et al.": ("We extend Placeholder et al. (2024) and Example et al. 2025.", " We win."),
    "et al. at the end": ("This is due to Placeholder et al.", " We extend it."),
    "vs.": ("We study Agents vs. Tools.", " Both win."),
    "Fig.": ("See Fig. 2 and Eq. (3) for more.", " We do."),
    "etc. in the middle": ("Books, films, etc. Example collected are here.", " We read them."),
    "etc. at the end": ("We used books, films, etc.", " However, not all of them."),
    "etc. before a common word": ("We used books, films, etc.", " Existing sets are smaller."),
    "no space behind it": ("Nobody asked them.", "This paper does."),
    "no space behind e.g.,": ("Tools (e.g.,The Maps) help.", " We add some."),
    "no space in a name": ("We load data.Dataset and torch.Tensor.", " It works."),
    "country": ("Most U.S. Senators agree with it.", " Not all do."),
    "country at the end": ("Most live in the U.S.", " We asked them."),
    "initials": ("The method of J. R. Example is old.", " It works."),
    "degree": ("Ada Example, Ph.D. and Dr. Placeholder agree.", " They do."),
    "unknown abbreviation": ("Agents of approx. five kinds, incl. old ones, act.", " They do."),
    "quotation": ("They said “We agree.”", " Then they left."),
    "straight quotation": ('They said "We agree."', " Then they left."),
    "brackets": ("(They did agree.)", " Then they left."),
    "name in lower case": ("We train agents.", " iAgent is one of them."),
    "name with a digit": ("We train agents.", " agent7 is one of them."),
    "question in the middle": ("Agents ask why? and get an answer.", " It helps."),
    "number in front": ("1. Agents act.", " 2. They wait."),
    "Chinese": ("我们编造了这个。", "没有什么是真的。"),
    "paragraphs": ("A heading without a full stop", "\n\nThe text. And more."),
    "no end": ("Nothing ends here", ""),
    "end of the text": ("It ends here.", ""),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("sentence", "rest"), SENTENCES.values(), ids=SENTENCES)
def test_first_sentence(sentence: str, rest: str) -> None:
    """A sentence ends at its full stop, and at none of those in it."""
    assert sentence == first_sentences(sentence + rest, 1)


def test_a_long_sentence_is_cut_at_a_word() -> None:
    """Of a long sentence whole words remain, and an ellipsis says so."""
    words = "agents and tools, " * 30
    assert "agents and tools, " * 16 + "agents and…" == first_sentences(words, 1)


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("one two", 7, "one two"),
        ("one two three", 9, "one two…"),
        ("one, two", 7, "one…"),
        ("onetwothree", 5, "onet…"),
        ("one two", 4, "one…"),
    ],
)
def test_cut(text: str, limit: int, short: str) -> None:
    """A text is cut at a word, without the comma behind it; a word that is too long is cut anywhere."""
    assert short == cut(text, limit)


@pytest.mark.parametrize(
    ("text", "number", "sentences"),
    [
        ("One, e.g. this. Two! Three.", 2, "One, e.g. this. Two!"),
        ("One. Two. Three.", 3, "One. Two. Three."),
        ("One.", 2, "One."),
        ("One.\n\nTwo.", 2, "One."),
        (f"One. {'Two ' * 80}.", 2, "One."),
        (f"{'One ' * 60}. {'Two ' * 20}. Three.", 3, f"{'One ' * 60}."),
        ("", 2, ""),
    ],
)
def test_first_sentences(text: str, number: int, sentences: str) -> None:
    """There are as many of the first paragraph as are asked for, if they are short enough together."""
    assert sentences == first_sentences(text, number)


@given(text=st.text(st.sampled_from("ab.AB \n?!…)”e.g,"), max_size=500), number=st.integers(1, 3))
def test_any_text(text: str, number: int) -> None:
    """The sentences of any text are one line, short, and the text's beginning."""
    sentence = first_sentences(text, number)
    assert len(sentence) <= MAX_SENTENCE
    assert "\n" not in sentence
    beginning = sentence.removesuffix("…") if len(text) > MAX_SENTENCE else sentence
    assert " ".join(text.split()).startswith(beginning)


@pytest.mark.parametrize("piece", [".", ". ", "e.g. ", "a.", "(", "?\"'", "A. ", "\n\n", " "])
def test_a_hostile_text_costs_no_more(piece: str) -> None:
    """The longest text of nothing but stops takes no time."""
    text = piece * (10_000 // len(piece))
    began = perf_counter()
    for _ in range(20):
        first_sentences(text, 1)
    assert perf_counter() - began < 1
