"""The fake Hub itself, so that what the other tests see at the wire can be believed."""

import threading
from datetime import date, timedelta

import httpx
import pytest

from feedproxy.ingest.parse import parse
from feedproxy.model import Listing
from tests.factories import DAY, entries, entry
from tests.hub import Answer, Hub, Timer, running

PATH = "/api/daily_papers"


def test_days(hub: Hub):
    """A day's entries come by upvotes, fifty at a time by default; other days are empty."""
    hub.days[DAY] = [entry(number, upvotes=number) for number in range(60)]

    def votes(**parameters: object) -> list[int]:
        answer = httpx.get(hub.url + PATH, params={"date": str(DAY)} | parameters)
        return [found["paper"]["upvotes"] for found in answer.json()]

    assert list(range(59, 9, -1)) == votes()
    assert list(range(39, 19, -1)) == votes(limit=20, p=1)
    assert [] == votes(limit=20, p=3)
    assert [] == votes(date="2026-03-11")


def test_page(hub: Hub):
    """The page holds a day's entries; for a day without any it shows the latest that has some, if there is one."""

    def shown(day: date) -> Listing | int:
        answer = httpx.get(f"{hub.url}/papers/date/{day}")
        return parse(answer.content) if answer.is_success else answer.status_code

    assert 404 == shown(DAY)
    later, empty = DAY + timedelta(days=1), DAY + timedelta(days=2)
    hub.days = {DAY: entries(3), later: entries(2, day=later), empty: []}
    assert [(DAY, 3), (later, 2), (later, 2)] == [
        (found.day, len(found.papers)) for found in map(shown, (DAY, later, empty))
    ]
    assert [(str(DAY), "html"), (str(DAY), "html"), (str(later), "html"), (str(empty), "html")] == hub.asked()
    hub.page = False
    assert 404 == shown(DAY)


def test_api(hub: Hub):
    """What the API answers can be overruled alone; the page is then still there."""
    hub.days[DAY], hub.api = entries(1), Answer(500)

    assert 500 == httpx.get(hub.url + PATH, params={"date": str(DAY)}).status_code
    assert 200 == httpx.get(f"{hub.url}/papers/date/{DAY}").status_code


def test_timer():
    """A timer stands still but where somebody sleeps."""
    timer = Timer()
    timer.sleep(2.5)
    assert (1002.5, 1002.5, [2.5]) == (timer(), timer(), timer.slept)


def test_record(hub: Hub):
    """Every request is recorded: path, parameters, headers."""
    httpx.get(hub.url + PATH, params={"date": "2026-03-10", "p": "2"}, headers={"X-Test": "yes"})

    (request,) = hub.requests
    assert (PATH, {"date": "2026-03-10", "p": "2"}, "yes") == (request.path, request.query, request.headers["X-Test"])
    assert [("2026-03-10", "2")] == hub.asked()


def test_script(hub: Hub):
    """A standing answer goes before scripted ones, those before the days; other paths are 404."""
    hub.script.append(Answer(429, b"slow down", {"Retry-After": "7"}))
    hub.standing = Answer(500)

    assert 500 == httpx.get(hub.url).status_code
    hub.standing = None
    scripted = httpx.get(hub.url)
    assert (429, b"slow down", "7") == (scripted.status_code, scripted.content, scripted.headers["Retry-After"])
    assert (404, {"error": "Not found"}) == ((found := httpx.get(hub.url)).status_code, found.json())


def test_gate(hub: Hub):
    """A closed gate holds answers back, not requests."""
    hub.days[DAY] = entries(1)
    hub.gate.clear()
    answers: list[int] = []
    asking = threading.Thread(
        target=lambda: answers.append(httpx.get(f"{hub.url}{PATH}?date={DAY}", timeout=20).status_code)
    )
    asking.start()
    while not hub.requests:
        assert asking.is_alive()

    assert [] == answers
    hub.gate.set()
    asking.join()
    assert [200] == answers


def test_end():
    """Once its block is left, nobody listens at its address."""
    with running() as hub:
        assert 404 == httpx.get(hub.url).status_code

    with pytest.raises(httpx.ConnectError):
        httpx.get(hub.url)
