"""Finished answers: equal bytes make equal answers, memory is bounded by bytes, and a flood drops nothing polled."""

import gzip
import random
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count

import pytest

from feedproxy.archive.state import State
from feedproxy.web.cache import RequestKey, ResponseCache, Variants, build_variants

BODY = 10_000
ROOM = 4 * (BODY + 8_100)  # for one answer asked for once, in a quarter of the bytes
HERE: RequestKey = ("http", "localhost", "/feed.rss", "")


def made(letter: str, size: int = BODY) -> Variants:
    return build_variants("rss", letter.encode() * size, "text/plain", None)


def at(revision: int) -> State:
    """Return the state of an archive at a revision."""
    return State(revision, None, None, None)


class Desk:
    """Asks for answers of one letter, and notes which had to be made; `revision` is that of the archive.

    A use of an answer counts once in five minutes; `pause` seconds pass before each.
    """

    def __init__(self, size: int, pause: float = 300) -> None:
        self.revision, self.made, self.now, self.pause = 1, "", 0.0, pause
        self.answers = ResponseCache(size, lambda: at(self.revision), timer=lambda: self.now)

    def get(self, letter: str, target: RequestKey | None = None) -> Variants:
        self.now += self.pause
        return self.answers.get(letter, lambda: self._make(letter), target or (letter,))

    def _make(self, letter: str) -> tuple[Variants, int]:
        self.made += letter
        return made(letter), self.revision


def test_equal_bytes() -> None:
    """The same body gives the same compressed bytes and ETag, another body others."""
    assert made("a") == made("a")
    assert made("a").plain.etag != made("b").plain.etag
    assert made("a").plain.body == gzip.decompress(made("a").gzip.body)
    assert bytes(4) == made("a").gzip.body[4:8]  # the time in gzip's header (RFC 1952, section 2.3)


def test_headers() -> None:
    """A 200 says what the body is; a 304 only what may be kept how long and under which ETag."""
    always = (("Cache-Control", "public"),)
    done = build_variants("rss", b"text", "text/plain", datetime(2026, 3, 10, 12, tzinfo=UTC), always)
    always += (("Vary", "Accept-Encoding"),)
    assert (("ETag", done.gzip.etag), *always) == done.gzip.validators
    assert {
        "Content-Type": "text/plain",
        "Content-Encoding": "gzip",
        "Content-Length": str(len(done.gzip.body)),
        "Last-Modified": "Tue, 10 Mar 2026 12:00:00 GMT",
        "ETag": f'{done.plain.etag[:-1]}-gzip"',
        "Cache-Control": "public",
        "Vary": "Accept-Encoding",
    } == dict(done.gzip.headers)
    assert "Content-Encoding" not in dict(done.plain.headers)


def test_kept() -> None:
    """What was made once is kept and given again, whatever led to it."""
    desk = Desk(10 * ROOM)
    assert desk.get("a") is desk.get("a", HERE) is desk.answers.lookup(HERE)
    assert "a" == desk.made


def test_only_for_its_revision() -> None:
    """An answer of another revision is neither known nor given; it is made anew, and then known again."""
    desk = Desk(10 * ROOM)
    desk.get("a", HERE)
    desk.revision = 2
    assert desk.answers.lookup(HERE) is None
    desk.get("a")
    assert desk.answers.lookup(HERE)
    assert "aa" == desk.made


def test_made_of_a_newer_revision() -> None:
    """What was made after the archive moved on counts for where it is by then."""
    desk = Desk(10 * ROOM)

    def late() -> tuple[Variants, int]:
        desk.revision = 2
        return made("a"), 2

    desk.answers.get("a", late, HERE)
    assert desk.answers.lookup(HERE)


def test_recent() -> None:
    """For ten seconds after a use is noted, an answer is given without noting more; then its next use is noted."""
    desk = Desk(10 * ROOM)
    answer = desk.get("a", HERE)
    assert desk.answers.recent(HERE) is None, "its making is no use of it"
    assert answer is desk.answers.lookup(HERE) is desk.answers.recent(HERE)
    desk.now += 9.9
    assert answer is desk.answers.recent(HERE)
    desk.now += 0.2
    assert desk.answers.recent(HERE) is None
    assert answer is desk.answers.lookup(HERE) is desk.answers.recent(HERE)


def test_recent_is_of_the_current_revision() -> None:
    """With a new revision no answer is recent, neither the old one nor the new one before it was asked for again."""
    desk = Desk(10 * ROOM)
    desk.get("a", HERE)
    assert desk.answers.lookup(HERE)
    desk.revision = 2
    assert desk.answers.recent(HERE) is None
    renewed = desk.get("a", HERE)
    assert desk.answers.lookup(HERE) is desk.answers.recent(HERE) is renewed
    desk.revision = 1
    assert desk.answers.recent(HERE) is None


def test_recent_is_forgotten_when_dropped() -> None:
    """An answer that made room for others is not recent, however short ago it was used: its bytes are gone."""
    desk = Desk(2 * ROOM, pause=0)
    desk.get("a", HERE)
    assert desk.answers.lookup(HERE)
    desk.pause = 300
    for letter in "bcdefgh" * 3:
        desk.get(letter)
    desk.now = 0  # it is still recent by the clock
    assert desk.answers.recent(HERE) is desk.answers.stale(HERE) is None
    assert HERE not in desk.answers._by_request


def test_unknown_target() -> None:
    """A target that led nowhere yet is not known."""
    desk = Desk(10 * ROOM)
    desk.get("a")
    assert desk.answers.lookup(HERE) is None


def test_least_recently_used_goes_first() -> None:
    """Nothing is dropped while there is room; then the least recent of what came last and was asked for once."""
    desk = Desk(2 * ROOM)
    letters = "abcdef"
    for letter in letters:
        desk.get(letter)
    assert [True] * 6 == [desk.answers.stale((letter,)) is not None for letter in letters]
    desk.get("g")
    assert ["e"] == [letter for letter in letters + "g" if desk.answers.stale((letter,)) is None]


def test_a_round_of_polls_is_kept() -> None:
    """Feeds that are polled one after the other are kept, although they take more than a quarter of the bytes."""
    desk = Desk(10 * ROOM, pause=1)
    polled = [chr(ord("A") + number) for number in range(25)]
    for letter in polled * 3:
        desk.get(letter)
    assert 25 == len(desk.made)


def test_asked_again_is_proven() -> None:
    """What was asked for again stays while others come and go, even if it was dropped in between."""
    desk = Desk(3 * ROOM)
    for letter in "aa" + "bcdef" + "b":
        desk.get(letter)
    desk.made = ""
    for letter in "ghijklmnop" + "ab":
        desk.get(letter)
    assert "ghijklmnop" == desk.made


def test_proven_stays_proven() -> None:
    """What is polled stays so over revisions, however much was asked for in between, and so do its targets."""
    desk = Desk(3 * ROOM)
    for revision in range(1, 30):
        desk.revision, desk.made = revision, ""
        for letter in map(chr, range(1000 * revision, 1000 * revision + 3 * ROOM // 900)):
            desk.get(letter)
        desk.made = ""
        desk.get("a", HERE), desk.get("a", ("there",))
        assert desk.made in ("a", "")
        assert desk.answers.lookup(HERE) is desk.answers.lookup(("there",)) is not None


def test_a_flood_drops_nothing_polled() -> None:
    """While strangers ask for ten times the bytes, twenty feeds that are polled are made once in all."""
    desk, dice = Desk(20 * ROOM), random.Random(1)  # noqa: S311
    polled = [chr(ord("A") + number) for number in range(20)]
    for letter in polled * 2:
        desk.get(letter)
    desk.made = ""
    for number in range(800):
        desk.get(chr(1000 + number))
        for letter in dice.sample(polled, 5) if number % 100 == 0 else ():
            desk.get(letter)
    assert 800 == len(desk.made)


@pytest.mark.parametrize("pause", [0.1, 300])
def test_a_flood_that_asks_twice_drops_nothing_polled(pause: float) -> None:
    """Twenty feeds that are polled every hour stay, also when strangers ask for ten times the bytes, for each twice."""
    desk = Desk(40 * ROOM, pause=0)
    polled = [chr(ord("A") + number) for number in range(20)]
    for _ in range(5):
        desk.now += 3600
        for letter in polled:
            desk.get(letter)
    for number in range(400):
        desk.pause = pause
        for _ in range(2):
            desk.get(chr(1000 + number))
        desk.pause = 0
        for letter in polled if number % 6 == 0 else ():
            desk.get(letter)
    assert [True] * 20 == [desk.answers.lookup((letter,)) is not None for letter in polled]


def test_what_is_no_longer_polled_gives_way() -> None:
    """Feeds that were polled for weeks, and are not any more, make room for others after some days."""
    desk = Desk(ROOM, pause=3600)
    for _ in range(500):
        desk.get("a")
    desk.now += 14 * 86_400
    for letter in "bcbcbcdefg":
        desk.get(letter)
    assert [False, True] == [desk.answers.lookup((letter,)) is not None for letter in "ab"]


def test_stale() -> None:
    """An answer of an earlier revision can be had where a new one cannot be made; one never made cannot."""
    desk = Desk(10 * ROOM)
    given = desk.get("a", HERE)
    desk.revision = 2
    assert (None, given, None) == (desk.answers.lookup(HERE), desk.answers.stale(HERE), desk.answers.stale(("there",)))


@pytest.mark.parametrize("size", [0, BODY])
def test_larger_than_the_bound(size: int) -> None:
    """An answer larger than the bound is given all the same, and known to nobody."""
    desk = Desk(size)
    assert made("a") == desk.get("a", HERE) == desk.get("a", HERE)
    assert "aa" == desk.made
    assert desk.answers.lookup(HERE) is None


def test_large_answer_drops_nothing() -> None:
    """An answer that cannot be kept leaves what is kept alone."""
    desk = Desk(ROOM)
    desk.get("a")
    desk.answers.get("large", lambda: (made("x", 10 * ROOM), 1), HERE)
    assert desk.answers.lookup(("a",))


def test_targets_go_with_their_answer() -> None:
    """A target is known as long as its answer is kept; the many that lead to one are known up to a bound."""
    desk = Desk(ROOM)
    for number in range(1000):
        desk.get("a", ("http", "localhost", f"/feed.rss?q=a&_={number}"))
    assert (
        5
        < sum(desk.answers.lookup(("http", "localhost", f"/feed.rss?q=a&_={n}")) is not None for n in range(1000))
        < 50
    )
    desk.now += 30 * 86_400
    for letter in "bbbccc":
        desk.get(letter)
    assert desk.answers.lookup(("http", "localhost", "/feed.rss?q=a&_=0")) is None


def test_bounded_in_bytes() -> None:
    """However much is asked for, memory grows by little more than the configured bytes."""
    size, dice = 2**18, random.Random(2)  # noqa: S311
    answers = ResponseCache(size, lambda: at(1))
    tracemalloc.start()
    for number in range(1500):
        body = dice.randbytes(dice.choice((300, 3000)))
        key = (f"q=word{number}", "rss", "http://localhost")
        for _ in range(1 + number % 2):
            answers.get(key, lambda body=body: (build_variants("rss", body, "text/plain", None), 1), ("http", *key))
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.3 * size < grown < 1.2 * size


def test_one_at_a_time() -> None:
    """Of many who ask for the same at once, one makes it and the others wait for that."""
    requests, all_ask, makers = count(1), threading.Event(), list[int]()

    def ask(_: int) -> Variants:
        if next(requests) == 8:
            all_ask.set()
        return answers.get("a", make, HERE)

    def make() -> tuple[Variants, int]:
        makers.append(threading.get_ident())
        assert all_ask.wait(10)
        return made("a"), 1

    answers = ResponseCache(10 * ROOM, lambda: at(1))
    with ThreadPoolExecutor(8) as pool:
        found = {id(variants) for variants in pool.map(ask, range(8))}
    assert (1, 1) == (len(found), len(makers))


def test_a_failure_is_not_kept() -> None:
    """What could not be made is tried again by the next who asks."""
    desk = Desk(10 * ROOM)
    with pytest.raises(ZeroDivisionError):
        desk.answers.get("a", lambda: 1 / 0, HERE)  # type: ignore[arg-type]
    assert desk.answers.lookup(HERE) is None
    assert made("a") == desk.get("a", HERE)


def test_one_answer_does_not_wait_for_another() -> None:
    """However many answers are being made, whoever makes another waits for none of them."""
    answers, done = ResponseCache(1_000_000, lambda: at(1)), list[int]()

    def make(number: int) -> tuple[Variants, int]:
        if number:  # while this one is being made, so is the next
            answers.get(number - 1, lambda: make(number - 1), (str(number),))
        done.append(number)
        return made("a"), 1

    thread = threading.Thread(target=answers.get, args=(100, lambda: make(100), HERE), daemon=True)
    thread.start()
    thread.join(10)
    assert list(range(101)) == done


def test_outgrown_answer_is_forgotten() -> None:
    """An answer that has grown beyond the memory there is leaves nothing behind."""
    desk = Desk(ROOM)
    desk.get("a")
    desk.revision = 2
    desk.answers.get("a", lambda: (made("a", 10 * ROOM), 2), ("a",))
    assert {} == desk.answers._by_request


def test_targets_of_an_answer_made_anew_are_forgotten_with_it() -> None:
    """An answer that is made anew for each revision takes all that led to it along when it is dropped."""
    desk = Desk(2 * ROOM, pause=0)
    for revision in range(1, 6):
        desk.revision = revision
        desk.get("a", (f"spelled in way {revision}",))
    desk.pause = 300
    for letter in 3 * "bcdefghi":
        desk.get(letter)
    assert desk.answers.lookup(("spelled in way 5",)) is None
    assert not [target for target in desk.answers._by_request if target[0].startswith("spelled")]
