"""What is asked of the Hub, how, and when; and what saved files give. Asserted at the wire and on disk."""

import gzip
import itertools
import json
import os
import socket
import tempfile
import tracemalloc
import zlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from feedproxy import HOME, __version__
from feedproxy.config import Config
from feedproxy.errors import ListingError, UpstreamError
from feedproxy.papers import Listing, ListingDay
from feedproxy.upstream import Ask, Hub, Saved, due_days, open_source
from tests import hub as fake
from tests.hub import Answer
from tests.made_up import DAY, api, capture, entries, entry, page, paper_id

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)  # a Tuesday
TOKEN = "hf_made_up"  # noqa: S105 (opens nothing)


class Timer:
    """Seconds that pass only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def get(hub: fake.Hub, validator: str | None = None, **options: Any) -> Listing:
    """Get the listing of DAY from the fake Hub."""
    return Hub(hub.url, **{"pace": 0} | options).get(Ask(DAY, validator), NOW)


def fails(hub: fake.Hub, kind: type[ListingError | UpstreamError] = UpstreamError, **options: Any) -> Any:
    """Return the error with which that fails."""
    with pytest.raises(kind) as raised:
        get(hub, **options)
    return raised.value


def ids(listing: Listing) -> list[str]:
    """Return the papers of `listing` by id."""
    return [paper.id for paper in listing.papers]


# Asking the Hub ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "pages"), [(0, ["0"]), (1, ["0", "1"]), (100, ["0", "1"]), (101, ["0", "1", "2"]), (250, [*"0123"])]
)
def test_pages(hub: fake.Hub, count: int, pages: list[str]):
    """A day is asked for a hundred at a time, until a page is empty."""
    hub.days[DAY] = entries(count)
    listing = get(hub)

    assert ([paper_id(number) for number in range(1, count + 1)], DAY) == (ids(listing), listing.day)
    assert pages == [request.query["p"] for request in hub.requests]
    assert {("/api/daily_papers", str(DAY), "100")} == {
        (request.path, request.query["date"], request.query["limit"]) for request in hub.requests
    }


def test_short_pages(hub: fake.Hub):
    """A page that holds fewer than it may is not the last; what two pages share counts once, as first seen."""
    again = [entry(2, upvotes=9), {"paper": {"id": "junk"}}, entry(3)]
    hub.script += [Answer(body=api([*entries(2), {"paper": {"id": "junk"}}])), Answer(body=api(again))]
    listing = get(hub)

    assert [paper_id(1), paper_id(2), paper_id(3)] == ids(listing)
    assert ([1, 1, 1], ["junk"]) == ([p.upvotes for p in listing.papers], [skip.name for skip in listing.skipped])
    assert [("2026-03-10", page) for page in "012"] == hub.asked()


@pytest.mark.parametrize("body", [api(entries(3)), api([*entries(3), {"bad": "entry"}, None])])
def test_pages_ignored(hub: fake.Hub, body: bytes):
    """A server that sends the same whatever the page is asked twice, not for ever."""
    hub.standing = Answer(body=body)

    assert [paper_id(1), paper_id(2), paper_id(3)] == ids(get(hub))
    assert 2 == len(hub.requests)


def test_endless_pages(hub: fake.Hub):
    """A server whose pages never end is left after the twentieth."""
    hub.script += [Answer(body=api([entry(number)])) for number in range(30)]

    assert 20 == len(get(hub).papers)
    assert 20 == len(hub.requests)


@pytest.mark.parametrize(
    ("options", "agent", "token"),
    [
        ({}, f"feedproxy/{__version__} (+{HOME})", None),
        (
            {"token": TOKEN, "contact": "https://x.org"},
            f"feedproxy/{__version__} (+https://x.org)",
            TOKEN,
        ),
    ],
)
def test_headers(hub: fake.Hub, options: dict[str, str], agent: str, token: str | None):
    """Requests say who asks, carry a token only if there is one, and take gzip."""
    get(hub, **options)
    headers = hub.requests[0].headers

    assert (agent, token and f"Bearer {token}") == (headers["User-Agent"], headers.get("Authorization"))
    assert ("gzip", None) == (headers["Accept-Encoding"], headers.get("If-None-Match"))


def packed(data: bytes) -> Answer:
    """Return an answer with `data` as it stands, said to be gzip."""
    return Answer(body=data, headers={"Content-Encoding": "gzip"})


def test_gzip(hub: fake.Hub):
    """A compressed answer is unpacked, an empty one is empty."""
    hub.script += [packed(gzip.compress(api(entries(90))))]

    assert 90 == len(get(hub).papers)
    hub.standing = packed(b"")
    assert "127.0.0.1 sent no listing for 2026-03-10: the listing is empty" == str(fails(hub, ListingError))


def test_validator(hub: fake.Hub):
    """The ETag of a listing is sent back next time, and 304 means it is the same."""
    hub.script += [Answer(body=api(entries(2)), headers={"ETag": 'W/"made-up"'}), Answer()]
    validator = get(hub).validator
    hub.standing = Answer(304, b"", {"ETag": 'W/"made-up"', "Content-Encoding": "gzip"})

    assert Listing(day=DAY, validator='W/"made-up"', unchanged=True) == get(hub, validator)
    assert [None, None, 'W/"made-up"'] == [request.headers.get("If-None-Match") for request in hub.requests]


def test_validator_changed(hub: fake.Hub):
    """Only the first page is asked for with the ETag, and a changed one replaces it."""
    hub.script += [Answer(body=api(entries(2)), headers={"ETag": '"new"'})]
    listing = get(hub, '"old"')

    assert (2, '"new"', False) == (len(listing.papers), listing.validator, listing.unchanged)
    assert ['"old"', None] == [request.headers.get("If-None-Match") for request in hub.requests]


def test_validator_of_pages(hub: fake.Hub):
    """A listing of several pages has no ETag: that of the first says nothing about the second."""
    hub.script += [Answer(body=api([entry(number)]), headers={"ETag": f'"{number}"'}) for number in (1, 2)]

    assert (2, None) == (len(get(hub).papers), get(hub).validator)


def test_unasked_304(hub: fake.Hub):
    """A 304 nobody asked for is no listing."""
    hub.standing = Answer(304, b"")

    assert "127.0.0.1 answered 304 Not Modified" == str(fails(hub))


def test_pace(hub: fake.Hub):
    """Requests are as far apart as told, redirects and further pages included."""
    timer = Timer()
    source = Hub(hub.url, pace=2.5, sleep=timer.sleep, timer=timer)
    hub.script += [Answer(302, b"", {"Location": f"/api/daily_papers?date={DAY}&p=0&limit=100"})]
    hub.days[DAY] = entries(1)

    source.get(Ask(DAY), NOW)
    assert [2.5, 2.5] == timer.slept
    timer.now += 1
    source.get(Ask(date(2026, 3, 9)), NOW)
    assert [2.5, 2.5, 1.5] == timer.slept
    timer.now += 60
    source.get(Ask(date(2026, 3, 8)), NOW)
    assert [2.5, 2.5, 1.5] == timer.slept


# What may go wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize("packing", [lambda body: Answer(body=body), lambda body: packed(gzip.compress(body, 1))])
@pytest.mark.parametrize(("spare", "fits"), [(0, True), (1, False)])
def test_size_cap(hub: fake.Hub, packing: Any, spare: int, fits: bool):
    """An answer may have 16 MiB, unpacked, and not a byte more."""
    body = api(entries(1))
    hub.script += [packing(body + b" " * (16 * 2**20 - len(body) + spare))]

    if fits:
        assert 1 == len(get(hub).papers)
    else:
        assert "127.0.0.1 sent more than 16777216 bytes" == str(fails(hub))


def test_gzip_bomb(hub: fake.Hub):
    """An answer that unpacks to a gigabyte is given up before it takes that much memory."""
    packer = zlib.compressobj(9, wbits=31)
    head = packer.compress(b" " * 2**22) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b" " * 2**22) + packer.flush(zlib.Z_FULL_FLUSH)
    hub.standing = packed(head + block * 255)
    tracemalloc.start()
    error = fails(hub)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert "127.0.0.1 sent more than 16777216 bytes" == str(error)
    assert peak < 40 * 2**20


@pytest.mark.parametrize(
    "location",
    ["/elsewhere", "?p=0&date=2026-03-10", "http://{host}/api/daily_papers?date=2026-03-10", "//{host}/x"],
)
def test_redirect(hub: fake.Hub, location: str):
    """A redirect within the host is followed."""
    host = hub.url.removeprefix("http://")
    hub.script += [Answer(307, b"", {"Location": location.format(host=host)}), Answer(body=api(entries(2)))]

    assert 2 == len(get(hub, token=TOKEN).papers)
    assert 3 == len(hub.requests)


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("http://localhost:{port}/api", "127.0.0.1 redirects elsewhere: http://localhost:{port}/api"),
        ("http://127.0.0.1:1/", "127.0.0.1 redirects elsewhere: http://127.0.0.1:1/"),
        ("https://127.0.0.1:{port}/", "127.0.0.1 redirects elsewhere: https://127.0.0.1:{port}/"),
        ("//example.org/", "127.0.0.1 redirects elsewhere: http://example.org/"),
        ("file:///etc/passwd", "127.0.0.1 redirects elsewhere: file:/"),
        ("http:////xn--]{{", "cannot reach 127.0.0.1: Invalid IPv6 URL"),
        ("http://a\tb/", "cannot reach 127.0.0.1: Invalid"),
        (None, "127.0.0.1 answered 302 Found"),
    ],
)
def test_redirect_elsewhere(hub: fake.Hub, location: str | None, message: str):
    """A redirect to another host, port or scheme is refused, and nobody else is asked."""
    port = hub.url.rpartition(":")[2]
    hub.standing = Answer(302, b"", {"Location": location.format(port=port)} if location else {})

    assert str(fails(hub, token=TOKEN)).startswith(message.format(port=port))
    assert 1 == len(hub.requests)


def test_redirect_in_circles(hub: fake.Hub):
    """Redirects in circles end after the fifth."""
    hub.standing = Answer(301, b"", {"Location": "/api/daily_papers"})

    assert "127.0.0.1 redirects in circles" == str(fails(hub))
    assert 6 == len(hub.requests)


LIMITED = {"RateLimit": '"api";r=0;t=41'}


@pytest.mark.parametrize(
    ("status", "body", "headers", "message", "wait"),
    [
        (429, b"<html>Slow down</html>", LIMITED, "429 Too Many Requests", 42),
        (429, b'{"error": "Too  many\\nrequests"}', LIMITED | {"Retry-After": "7"}, "429 Too many requests", 7),
        (429, b"", {"Retry-After": "Tue, 10 Mar 2026 13:00:00 GMT"}, "429 Too Many Requests", None),
        (429, b"", {"Retry-After": "99999999999"}, "429 Too Many Requests", None),
        (503, b"[1]", {"Retry-After": "120"}, "503 Service Unavailable", 120),
        (500, b'{"error": "\\ud800 oops"}', LIMITED, "500 oops", None),
        (502, b"\xff\xfe", {}, "502 Bad Gateway", None),
        (401, b'{"error": "Invalid credentials"}', LIMITED, "401 Invalid credentials", None),
        (403, b"[" * 100_000, {}, "403 Forbidden", None),
        (204, b"", {}, "204 No Content", None),
    ],
)
def test_refusal(hub: fake.Hub, status: int, body: bytes, headers: dict[str, str], message: str, wait: int | None):
    """An answer that is none is told in the Hub's words, with the wait it asks for."""
    hub.standing = Answer(status, body, headers)
    error = fails(hub)

    assert (f"127.0.0.1 answered {message}", wait) == (str(error), error.retry_after)


@pytest.mark.parametrize("status", [400, 404])
def test_day_refused(hub: fake.Hub, status: int):
    """A refusal of this one day is no trouble with the Hub."""
    hub.standing = Answer(status, b'{"error": "date must not be in the future"}')

    told = f"127.0.0.1 answered {status} date must not be in the future for 2026-03-10"
    assert told == str(fails(hub, ListingError))


def test_no_listing(hub: fake.Hub):
    """An answer that is no listing is an error that names the day."""
    hub.standing = Answer(body=b"<html>Log in to this network</html>")

    told = "127.0.0.1 sent no listing for 2026-03-10: this HTML page is no listing: it has no DailyPapers data"
    assert told == str(fails(hub, ListingError))


def test_nothing_usable(hub: fake.Hub):
    """An answer none of whose entries can be used is an error, not an empty listing."""
    hub.standing = Answer(body=api([None, {"paper": {"id": "x"}}]))

    told = "2026-03-10: none of the 2 entries can be used: holds no paper"
    assert told == str(fails(hub, ListingError))


def test_future_paper(hub: fake.Hub):
    """A paper listed in the future is left out; one of tomorrow may be this machine's clock."""
    hub.script += [Answer(body=api([entry(1, day=date(2026, 3, 11)), entry(2, day=date(2026, 3, 12))]))]
    listing = get(hub)

    assert ([paper_id(1)], ["listed in the future (2026-03-12)"]) == (ids(listing), [s.reason for s in listing.skipped])


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=api(entries(3))[:-9], headers={"Content-Length": "5000", "Connection": "close"}),
        packed(gzip.compress(api(entries(3)))[:-20]),
        packed(gzip.compress(api(entries(3)))[:-1]),
        packed(b"no gzip at all"),
        Answer(headers={"Location": "x", "Content-Length": "nonsense", "Connection": "close"}),
    ],
)
def test_half_an_answer(hub: fake.Hub, answer: Answer):
    """Half an answer is none, however much could be read of it."""
    hub.standing = answer

    assert str(fails(hub)).startswith("cannot reach 127.0.0.1: ")


def test_late_page(hub: fake.Hub):
    """A page that fails fails its day: a listing is whole or none."""
    hub.script += [Answer(body=api(entries(2))), Answer(500)]

    assert "127.0.0.1 answered 500 Internal Server Error" == str(fails(hub))


def test_no_answer(hub: fake.Hub):
    """A Hub that does not answer in time is given up."""
    hub.gate.clear()

    assert "cannot reach 127.0.0.1: timed out" == str(fails(hub, timeout=httpx.Timeout(0.05)))


def test_slow_answer(hub: fake.Hub):
    """An answer that takes more than half a minute in all is given up, however steadily it drips."""
    hub.standing = Answer(body=b"[", headers={"Content-Length": "500"})

    assert "127.0.0.1 took more than 30 s to answer" == str(fails(hub, timer=itertools.count(0, 31).__next__))


def test_nobody_there():
    """An address at which nobody listens is told as that."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        source = Hub(f"http://127.0.0.1:{free.getsockname()[1]}")

        with pytest.raises(UpstreamError, match=r"^cannot reach 127\.0\.0\.1: .*[Rr]efused"):
            source.get(Ask(DAY), NOW)


# When -------------------------------------------------------------------------------------------


def known(*rows: tuple[int, timedelta, timedelta | None, int]) -> dict[date, ListingDay]:
    """Return what is known of days: so many before NOW, asked so long ago, last good so long ago, its papers."""
    return {
        (day := NOW.date() - timedelta(days=age)): ListingDay(
            day, NOW - asked, None if good is None else NOW - good, count
        )
        for age, asked, good, count in rows
    }


MINUTES = [timedelta(minutes=count) for count in range(60)]
HOURS = [timedelta(hours=count) for count in range(25)]
NOTHING = timedelta(0)
FRESH = [(age, NOTHING, NOTHING, 0) for age in range(31)]
EVERY = list(range(31))


def but(*rows: tuple[int, timedelta, timedelta | None, int]) -> dict[date, ListingDay]:
    """Return 31 days that were read just now, but for `rows`."""
    return known(*FRESH) | known(*rows)


@pytest.mark.parametrize(
    ("told", "force", "expected"),
    [
        # Nothing known: today and yesterday first.
        ({}, False, [[0, 1], EVERY[2:]]),
        # Asked for and never read: the same, once a minute has passed.
        (known(*[(age, MINUTES[1], None, 0) for age in EVERY]), False, [[0, 1], EVERY[2:]]),
        (known(*[(age, timedelta(seconds=59), None, 0) for age in EVERY]), False, []),
        (known((0, NOTHING, None, 0)), False, [[1], EVERY[2:]]),
        (known((0, NOTHING, None, 0), (1, NOTHING, None, 0)), False, [EVERY[2:]]),
        # One day read: the others in one batch.
        (known((0, NOTHING, NOTHING, 5)), False, [EVERY[1:]]),
        # All read.
        (but(), False, []),
        (but(), True, [EVERY]),
        # Today and the last listing day, every 15 minutes.
        (but((0, MINUTES[14], MINUTES[14], 0), (1, MINUTES[14], MINUTES[14], 5)), False, []),
        (but((0, MINUTES[15], MINUTES[15], 0), (1, MINUTES[15], MINUTES[15], 5)), False, [[0, 1]]),
        (but((1, MINUTES[15], MINUTES[15], 0), (4, MINUTES[15], MINUTES[15], 5)), False, [[4]]),
        (but((2, MINUTES[15], MINUTES[15], 5), (4, MINUTES[15], MINUTES[15], 5)), False, [[2]]),
        # The last week every 6 hours, 30 days once a day, older never.
        (but((7, HOURS[5], HOURS[5], 0), (1, HOURS[6], HOURS[6], 0)), False, [[1]]),
        (but((7, HOURS[6], HOURS[6], 0), (8, HOURS[6], HOURS[6], 0)), False, [[7]]),
        (but((8, HOURS[23], HOURS[23], 0), (30, HOURS[24], HOURS[24], 0)), False, [[30]]),
        (but((31, NOW - datetime(2020, 1, 1, tzinfo=UTC), None, 9)), False, []),
        (but((31, HOURS[24] * 9, HOURS[24] * 9, 9)), True, [EVERY]),
        # A failed try, again after a minute, whatever the day.
        (but((20, timedelta(seconds=59), HOURS[9], 5)), False, []),
        (but((20, MINUTES[1], HOURS[9], 5)), False, [[20]]),
        (but((20, MINUTES[1], None, 0)), False, [[20]]),
        # A clock that was ahead: soon right again, or wrong by years.
        (but((0, timedelta(seconds=-60), timedelta(seconds=-60), 0)), False, []),
        (but((0, timedelta(seconds=-61), timedelta(seconds=-61), 0)), False, [[0]]),
        (but(*[(age, timedelta(days=-900), timedelta(days=-900), 5) for age in (3, 5)]), False, [[3, 5]]),
        # Noted without ever having been asked for.
        ({DAY: ListingDay(DAY)} | known(*FRESH[1:]), False, [[0]]),
    ],
)
def test_due(told: dict[date, ListingDay], force: bool, expected: list[list[int]]):
    """The younger a day, the sooner it is due again."""
    batches = due_days(told, NOW, force=force)

    assert expected == [[(NOW.date() - day).days for day in batch] for batch in batches]


@pytest.mark.parametrize(
    ("now", "first"),
    [
        ("2026-03-10", ["2026-03-10", "2026-03-09"]),
        ("2026-03-09", ["2026-03-09", "2026-03-06"]),
        ("2026-03-08", ["2026-03-08", "2026-03-06"]),
        ("2026-03-07", ["2026-03-07", "2026-03-06"]),
    ],
)
def test_first_days(now: str, first: list[str]):
    """The first round begins with today and the weekday before it: weekends have no listing."""
    batches = due_days({}, datetime.fromisoformat(now).replace(tzinfo=UTC))

    assert first == [str(day) for day in batches[0]]
    assert 31 == len(set(batches[0] + batches[1]))


def test_last_listing_day_on_monday():
    """On a Monday the listing of Friday is still alive."""
    monday = NOW - timedelta(days=1)
    then = monday - MINUTES[20]
    days = [monday.date() - timedelta(days=age) for age in EVERY]
    told = {day: ListingDay(day, then, then, 9 if day.weekday() < 5 else 0) for day in days}

    assert [[date(2026, 3, 9), date(2026, 3, 6)]] == due_days(told, monday)


def test_hub_asks():
    """What is due is asked for with the ETag the day's listing had, if any."""
    told = but((0, MINUTES[15], MINUTES[15], 5), (1, MINUTES[15], MINUTES[15], 5))
    told[DAY] = ListingDay(DAY, NOW - MINUTES[15], NOW - MINUTES[15], 5, '"made-up"')
    batches = Hub("https://hub.example.org").due(told, NOW)

    assert [[Ask(DAY, '"made-up"'), Ask(date(2026, 3, 9))]] == batches
    assert [Ask(DAY), Ask(date(2026, 3, 9))] == Hub("https://hub.example.org").due({}, NOW)[0]


# Saved files ------------------------------------------------------------------------------------

READ = {DAY: ListingDay(DAY, NOW, NOW, 1)}


def saved(path: Path) -> list[Listing | str]:
    """Return the listing in each file that is due at `path`, or why there is none."""
    source, found = Saved(path), []
    for ask in itertools.chain(*source.due({}, NOW)):
        try:
            found.append(source.get(ask, NOW))
        except ListingError as error:
            found.append(str(error).replace(str(path), "PATH"))
    return found


def test_saved_file(tmp_path: Path):
    """A saved listing is taken whole, however old, in any form and under any name."""
    for form in (api(entries(3, day=date(2024, 5, 6))), page(entries(3, day=date(2024, 5, 6)), date(2024, 5, 6))):
        (tmp_path / "listing").write_bytes(form)
        (listing,) = saved(tmp_path / "listing")
        assert (3, date(2024, 5, 6)) == (len(listing.papers), listing.day)


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("2026-03-04.json", date(2026, 3, 4)),
        ("2026-03-04__captured_2026-03-05.json", date(2026, 3, 4)),
        ("2026-02-30.json", None),
        ("papers-2026-03-04.json", None),
        ("٢٠٢٦-٠٣-٠٤.json", None),
        ("listing", None),
    ],
)
def test_saved_name(tmp_path: Path, name: str, day: date | None):
    """The name of a saved listing may begin with the day it was asked for by."""
    (tmp_path / name).write_bytes(api([]))
    ((ask,),) = Saved(tmp_path).due({}, NOW)

    assert (Ask(day, path=tmp_path / name), day) == (ask, Saved(tmp_path).get(ask, NOW).day)


def test_saved_folder(tmp_path: Path):
    """A folder is read with the folders in it, by path; what is no listing is told and costs no other."""
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / "d.json").write_bytes(api([entry(1)]))
    (tmp_path / "b" / "c" / "2.txt").write_bytes(capture(("Two", "x", "• 1 author", "Mar 8, 2026")))
    (tmp_path / "b" / "3.html").write_bytes(page([entry(3), None]))
    (tmp_path / "README.md").write_text("Read me")
    (tmp_path / "half.json").write_bytes(api(entries(2))[:-40])
    (tmp_path / "none.json").write_bytes(api([None]))
    readme, page_3, text_2, api_1, half, none = saved(tmp_path)

    assert [[paper_id(3)], ["two"], [paper_id(1)]] == [ids(listing) for listing in (page_3, text_2, api_1)]
    assert 1 == len(page_3.skipped)
    assert readme.startswith("PATH/README.md: this text is no listing")
    assert half.startswith("PATH/half.json: the listing is broken JSON")
    assert "PATH/none.json: none of the 1 entries can be used: holds no paper" == none


def test_saved_again(tmp_path: Path):
    """Saved listings are read again when one has changed, come or gone, when forced, or while none was stored."""
    (tmp_path / "a").write_bytes(api([]))
    source = Saved(tmp_path)
    due = lambda known=READ, **how: [[ask.path.name for ask in batch] for batch in source.due(known, NOW, **how)]  # noqa: E731

    assert [["a"]] == due()
    assert [] == due()
    assert [["a"]] == due(force=True)
    (tmp_path / "a").write_bytes(api(entries(1)))
    assert [["a"]] == due()
    (tmp_path / "b").write_bytes(api([]))
    assert [["a", "b"]] == due()
    (tmp_path / "a").unlink()
    assert [["b"]] == due()
    assert [] == due()
    assert [["b"]] == due({DAY: ListingDay(DAY, NOW)})


@pytest.mark.parametrize(
    ("name", "message"),
    [("missing", "cannot read PATH: No such file or directory"), ("empty", "cannot read PATH: the folder is empty")],
)
def test_nothing_saved(tmp_path: Path, name: str, message: str):
    """A path at which nothing is saved is told as that."""
    (tmp_path / "empty" / "inner").mkdir(parents=True)

    with pytest.raises(UpstreamError) as raised:
        Saved(tmp_path / name).due({}, NOW)
    assert message == str(raised.value).replace(str(tmp_path / name), "PATH")


def test_saved_file_gone(tmp_path: Path):
    """A file that goes between being found and being read costs no other."""
    path = tmp_path / "listing"
    path.write_bytes(api([]))
    source = Saved(path)
    ((ask,),) = source.due({}, NOW)
    path.unlink()

    with pytest.raises(ListingError) as raised:
        source.get(ask, NOW)
    assert f"cannot read {path}: No such file or directory" == str(raised.value)


@pytest.fixture
def locked() -> Iterator[Path]:
    """A folder this process may not look into, nor read the file beside it; root neither, for the time being."""
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "locked")
        folder.mkdir()
        for path in (folder / "listing", Path(name, "beside")):
            path.write_bytes(api(entries(1)))
            path.chmod(0)
        folder.chmod(0)
        Path(name).chmod(0o755)
        if root:
            os.seteuid(65_534)
        yield folder
        if root:
            os.seteuid(0)
        folder.chmod(0o700)


@pytest.mark.parametrize("name", [".", "listing"])
def test_no_permission(locked: Path, name: str):
    """What may not be looked into is told as that, not as empty."""
    with pytest.raises(UpstreamError) as raised:
        Saved(locked / name).due({}, NOW)
    assert f"cannot read {locked / name}: Permission denied" == str(raised.value)


def test_no_permission_to_read(locked: Path):
    """A file that may not be read is told as that, and costs no other."""
    path = locked.with_name("beside")

    with pytest.raises(ListingError) as raised:
        Saved(path).get(Ask(path=path), NOW)
    assert f"cannot read {path}: Permission denied" == str(raised.value)


# Which ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listing", "kind", "name"),
    [
        ("https://huggingface.co", Hub, "huggingface.co"),
        ("http://localhost:9/mirror/", Hub, "localhost"),
        ("/made/up", Saved, "/made/up"),
    ],
)
def test_open_source(listing: str, kind: type, name: str):
    """The setting names a server by its address, or a file or folder by its path."""
    source = open_source(Config.load({"FEEDPROXY_LISTING": listing}))

    assert (kind, name) == (type(source), source.name)


def test_open_source_settings(hub: fake.Hub):
    """Token, pace and public address of the settings reach the Hub."""
    settings = {"listing": hub.url + "/mirror/", "hf_token": "hf_x", "pace": "0", "public_url": "https://x.org"}
    source = open_source(Config.load({f"FEEDPROXY_{name.upper()}": text for name, text in settings.items()}))
    with pytest.raises(ListingError):
        source.get(Ask(DAY), NOW)

    (request,) = hub.requests
    assert "/mirror/api/daily_papers" == request.path
    assert "Bearer hf_x" == request.headers["Authorization"]
    assert request.headers["User-Agent"].endswith("(+https://x.org)")


def test_demo():
    """The built-in listing is read whole."""
    source = open_source(Config.load({"FEEDPROXY_LISTING": "demo"}))
    ((ask,),) = source.due({}, datetime(2030, 1, 1, tzinfo=UTC))
    listing = source.get(ask, datetime(2030, 1, 1, tzinfo=UTC))

    assert ((), len(json.loads(ask.path.read_bytes()))) == (listing.skipped, len(listing.papers))
