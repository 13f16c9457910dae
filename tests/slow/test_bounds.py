"""What a hostile listing may cost: memory, seconds and disk of a round, in a process of its own; takes four minutes."""

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests import hub as fake
from tests.factories import DAY, entry, page
from tests.hub import Answer

_MOST_MEMORY = 200_000_000  # bytes above rest
_MOST_ARCHIVE = 100_000_000  # bytes on disk
_EVERY = "\ufdfa"  # one character that Unicode decomposes into eighteen

# What a process does: one round, whatever comes of it. It prints its memory before and at most, in kB, and what came.
_ROUND = """
import re, sys, time
from pathlib import Path
from datetime import datetime
from feedproxy.archive import Archive
from feedproxy.errors import FeedproxyError
from feedproxy.ingest.http import Fetcher
from feedproxy.ingest.refresher import Refresher
from feedproxy.ingest.source import Hub
import feedproxy.ingest.parse, httpx

def peak(): return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
url, path, now = sys.argv[1:]
archive = Archive(path)
archive.state()
refresher = Refresher(Hub(Fetcher(url, interval=0)), archive, lambda: datetime.fromisoformat(now))
rest, began = peak(), time.monotonic()
try:
    outcome = refresher.refresh_once()
    told = [str(outcome), *outcome.problems]
except FeedproxyError as error:
    told = [str(error)]
print(rest, peak(), time.monotonic() - began)
print("\\n".join(told))
"""


def packed(body: bytes, **headers: str) -> Answer:
    """Return `body` as gzip, which makes little of it."""
    return Answer(body=gzip.compress(body), headers={"Content-Encoding": "gzip"} | headers)


def as_page(found: bytes) -> bytes:
    """Return a page that holds the JSON `found`."""
    return page([]).replace(b"&quot;dailyPapers&quot;: []", b"&quot;dailyPapers&quot;: " + found)


def papers(count: int, **fields: Any) -> bytes:
    return json.dumps([entry(number, **fields) for number in range(count)], ensure_ascii=False).encode()


def skips(count: int) -> bytes:
    return json.dumps([{"paper": {"id": f"no id {number}"}} for number in range(count)]).encode()


def most(make: Callable[[int], bytes], limit: int = 2_900_000) -> bytes:
    """Return the longest of what `make` makes that is no longer than `limit`."""
    size = len(make(1000)) / 1000
    return make(int(limit / size) - 10)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "310,000 tiny entries": lambda: b'[{"paper":{"id":"%s"}}' % b"x" + b',{"paper":{"id":"x"}}' * 310_000 + b"]",
    "empty objects": lambda: b"[{}" + b",{}" * 1_000_000 + b"]",
    "objects with one key": lambda: b'[{"":0}' + b',{"":0}' * 440_000 + b"]",
    "empty arrays in arrays": lambda: b"[[[]]" + b",[[]]" * 600_000 + b"]",
    "one object of many keys": lambda: b'{"0":0' + b"".join(b',"%d":0' % n for n in range(270_000)) + b"}",
    "nested deeply": lambda: b"[" * 2_000_000,
    "nested nearly too deeply": lambda: b"[" + b",".join([b"[" * 900 + b"]" * 900] * 1_700) + b"]",
    "one huge string": lambda: b'["' + b"x" * 3_000_000 + b'\xf0\x9f\x98\x80"]',
    "huge abstracts": lambda: most(lambda n: papers(n, summary="long words " * 900)),
    "abstracts that grow eighteenfold": lambda: most(lambda n: papers(n, summary=_EVERY * 9_000)),
    "short abstracts that grow eighteenfold": lambda: most(lambda n: papers(n, summary=_EVERY * 1_000)),
    "authors that grow eighteenfold": lambda: most(lambda n: papers(n, authors=[{"name": _EVERY * 190}] * 7)),
    "many skips": lambda: most(skips),
    "many papers": lambda: most(papers),
    "a page of tiny entries": lambda: as_page(b"[{}" + b",{}" * 650_000 + b"]"),
    "a page of elements": lambda: b"<!doctype html>" + b"<p>" * 690_000,
    "a page nested deeply": lambda: b"<!doctype html>" + b"<b>" * 690_000,
    "a page of attributes": lambda: b"<!doctype html><p " + b" ".join(b"a%d" % n for n in range(250_000)) + b">",
    "a text of short lines": lambda: b"ab\n" * 1_040_000,
    "a text of papers": lambda: b"T\nA\n\xe2\x80\xa2 1 author\n\xc2\xb7\nMar 8, 2026\n" * 80_000,
    "16 MB": lambda: b"[{}" + b",{}" * 5_000_000 + b"]",
}


@pytest.fixture(params=HOSTILE)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_hostile_listing(hub: fake.Hub, tmp_path: Path, name: str) -> None:
    """A round in which every day's listing is hostile stays within its memory and room, and says what was left out."""
    hub.standing = packed(HOSTILE[name]())
    now = datetime(DAY.year, DAY.month, DAY.day, 12, tzinfo=UTC)
    archive = tmp_path / "archive.sqlite"
    command = [sys.executable, "-c", _ROUND, hub.url, str(archive), now.isoformat()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=500)
    figures, *told = done.stdout.splitlines()
    rest, peak, seconds = map(float, figures.split())
    used, room = (peak - rest) * 1024, sum(path.stat().st_size for path in tmp_path.glob("archive.sqlite*"))
    sent = len(hub.standing.body)
    print(f"\n{name}: {sent / 1e3:,.0f} kB a request, {len(hub.requests)} requests, {seconds:.1f} s: ", end="")
    print(f"{used / 1e6:,.0f} MB of memory, {room / 1e6:,.1f} MB on disk; {told[0][:100]}; {len(told) - 1} problems")
    assert used < _MOST_MEMORY
    assert room < _MOST_ARCHIVE
    assert done.stderr.count("\n") + len(told) < 500
