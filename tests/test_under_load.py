"""The service polled by several clients at once while its archive changes: what they must never see."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from feedproxy.archive import Archive
from feedproxy.ingest.parse import parse
from tests.factories import api, entries
from tests.test_serve import GUNICORN, Start, port, retried, start

__all__ = ["port", "start"]

FEED, MISTAKE = "/feed.rss?min_upvotes=1&days=3660", "/feed.rss?q=("
ENCODINGS = ("gzip", "identity")
CHANGES, PAUSE = 8, 0.4  # changes of the archive, and seconds between two
FRESH = 5.0  # seconds after which no answer may be older than a change


@dataclass(frozen=True, slots=True)
class Poll:
    """A poll: when it was sent and answered, and what came: `papers` is the number of entries."""

    sent: float
    answered: float
    status: int
    etag: str = ""
    papers: int = 0


class Reader:
    """Polls one feed in one encoding as fast as it goes, now and then with the ETag that it has."""

    def __init__(self, address: str, encoding: str, over: threading.Event) -> None:
        self.polls, self.mistakes = list[Poll](), set[tuple[int, str | None, str | None]]()
        self._address, self._encoding, self._over = address, encoding, over
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        papers: dict[str, int] = {}
        headers = {"Accept-Encoding": self._encoding}
        with httpx.Client(base_url=self._address, timeout=30) as client:
            while not self._over.is_set():
                etag = next(reversed(papers), "") if len(self.polls) % 3 else ""
                sent = time.monotonic()
                reply = client.get(FEED, headers=headers | ({"If-None-Match": etag} if etag else {}))
                answered = time.monotonic()
                found = reply.headers.get("ETag", "")
                if reply.status_code == 200:
                    papers[found] = reply.text.count("<item>")
                self.polls.append(Poll(sent, answered, reply.status_code, found, papers.get(found, 0)))
                mistake = client.get(MISTAKE, headers=headers)
                self.mistakes.add((mistake.status_code, mistake.headers["Cache-Control"], mistake.headers.get("ETag")))


def changes(archive: Path) -> Iterator[tuple[int, float]]:
    """Store one more paper again and again, as another process does; yield how many there are, and since when."""
    with closing(Archive(str(archive))) as other:
        for number in range(1, CHANGES + 1):
            now = datetime.now(UTC)
            other.store([parse(api(entries(number, upvotes=3)), day=now.date())], now)
            yield number, time.monotonic()
            time.sleep(PAUSE)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("command", "workers"), [("feedproxy serve", 1), ("feedproxy serve", 2), pytest.param(*GUNICORN.values, 2)]
)
def test_one_body_a_change(start: Start, tmp_path: Path, port: int, command: str, workers: int) -> None:
    """An answer shows all of a change or nothing of it, at most five seconds late; no mistake or failure is kept."""
    archive = tmp_path / "archive.sqlite"
    settings = {"archive": str(archive), "listing": "http://127.0.0.1:9"}  # where nobody answers
    start(*command.split(), "--bind", f"127.0.0.1:{port}", "--workers", workers, **settings)
    address, over = f"http://127.0.0.1:{port}", threading.Event()
    assert 503 == retried(address + FEED).status_code
    with ExitStack() as stack:
        stack.callback(over.set)
        readers = [Reader(address, encoding, over) for encoding in ENCODINGS * 2]
        time.sleep(2 * PAUSE)
        stored = list(changes(archive))
        time.sleep(FRESH + 1)
    for reader in readers:
        reader.thread.join(30)
    polls = sorted((poll for reader in readers for poll in reader.polls), key=lambda poll: poll.sent)
    served = [poll for poll in polls if poll.status != 503]
    assert {200, 304} == {poll.status for poll in served}
    assert len(polls) > len(served), "the archive was empty at first"
    bodies = {(poll.papers, poll.etag) for poll in served}
    assert len(ENCODINGS) * len({papers for papers, _ in bodies}) >= len(bodies), "two bodies for one revision"
    for papers, since in stored:
        late = [poll for poll in polls if poll.sent > since + FRESH and poll.papers < papers]
        assert not late, f"an answer older than {FRESH:g} s"
    if workers == 1:
        for reader in readers:
            assert all(earlier.papers <= later.papers for earlier, later in pairwise(reader.polls)), "a step back"
    assert {(400, "no-store", None)} == {mistake for reader in readers for mistake in reader.mistakes}
