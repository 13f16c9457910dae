"""Finished answers: equal bytes make equal answers, and memory is bounded by bytes."""

import gzip

import pytest

from feedproxy.responses import Answer, Answers, answer

ROOM = 1000 + len(gzip.compress(b"x" * 1000)) + 500


def made(letter: str) -> Answer:
    return answer(letter.encode() * 1000, "text/plain", None)


class Maker:
    """Makes answers of one letter a thousand times, and counts how often it had to."""

    def __init__(self, answers: Answers) -> None:
        self.answers, self.calls = answers, ""

    def get(self, letter: str) -> Answer:
        return self.answers.get(letter, lambda: self._made(letter))

    def _made(self, letter: str) -> Answer:
        self.calls += letter
        return made(letter)


def test_equal_bytes() -> None:
    """The same body gives the same compressed bytes and ETag, another body others."""
    assert made("a") == made("a")
    assert made("a").etag != made("b").etag
    assert made("a").body == gzip.decompress(made("a").compressed)
    assert bytes(4) == made("a").compressed[4:8]  # the time in gzip's header (RFC 1952, section 2.3)


def test_kept() -> None:
    """What was made once is kept and given again."""
    maker = Maker(Answers(10 * ROOM))
    assert maker.get("a") is maker.get("a")
    assert "a" == maker.calls


def test_least_recently_used_goes_first() -> None:
    """What was not asked for the longest is dropped once the bytes exceed the bound."""
    maker = Maker(Answers(2 * ROOM))
    for letter in "abacab":
        maker.get(letter)
    assert "abcb" == maker.calls


@pytest.mark.parametrize("size", [0, ROOM // 2])
def test_larger_than_the_bound(size: int) -> None:
    """An answer larger than the bound is given all the same, and drops nothing."""
    maker = Maker(Answers(size))
    assert made("a") == maker.get("a") == maker.get("a")
    assert "aa" == maker.calls


def test_large_answer_drops_nothing() -> None:
    """An answer that cannot be kept leaves what is kept alone."""
    answers = Answers(ROOM)
    maker = Maker(answers)
    maker.get("a")
    answers.get("large", lambda: answer(b"x" * 10 * ROOM, "text/plain", None))
    maker.get("a")
    assert "a" == maker.calls
