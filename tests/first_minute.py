"""Record the first minute of `feedproxy serve` with an empty archive: terminal, page and status.

    python -m tests.first_minute [CHECKOUT]

The Hub is a fake one that takes a second for each answer. CHECKOUT is another copy of this repository, to compare with.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import lxml.html

from tests import hub, month
from tests.bench.servers import free_port

_MOMENTS = (1, 10, 30, 60)  # seconds after the start
_ANSWER = 1.0  # seconds
_LINES = 16  # of the page


def main(checkout: Path) -> None:
    """Serve from an empty archive, and print what there is to see at each of the moments."""
    with hub.running() as fake, TemporaryDirectory() as folder:
        now = datetime.now(UTC)
        fake.days = {day: month.listing(day, now) for age in range(32) if (day := (now - timedelta(days=age)).date())}
        fake.delay = _ANSWER
        port = free_port()
        command = [sys.executable, "-m", "feedproxy", "serve", "--bind", f"127.0.0.1:{port}"]
        own = {
            "FEEDPROXY_LISTING": fake.url,
            "FEEDPROXY_ARCHIVE": f"{folder}/archive.sqlite",
            "PYTHONPATH": str(checkout),
        }
        with subprocess.Popen(command, env=os.environ | own, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
            began, lines = time.monotonic(), list[str]()
            threading.Thread(target=_read, args=(process, lines, lambda: time.monotonic() - began), daemon=True).start()
            try:
                for moment in _MOMENTS:
                    time.sleep(max(0, began + moment - time.monotonic()))
                    _show(moment, lines, f"http://127.0.0.1:{port}")
            finally:
                process.terminate()


def _read(process: subprocess.Popen[str], lines: list[str], clock: Callable[[], float]) -> None:
    for line in process.stderr or ():  # each with the time of its coming
        lines.append(f"{clock():4.1f} s  {line.rstrip()}")  # noqa: PERF401 (others read it meanwhile)


def _show(moment: int, lines: list[str], base: str) -> None:
    print(f"\n{'=' * 20} after {moment} s\n\n--- terminal so far")
    print("\n".join(lines))
    transport = httpx.HTTPTransport(retries=5)  # it may not listen yet
    with httpx.Client(base_url=base, timeout=30, headers={"Accept": "text/html"}, transport=transport) as client:
        status = client.get("/status.json").json()
        print(f"\n--- /status: {status['verdict']}: {status['reason']} ({status['papers']} papers)")
        began = time.monotonic()
        page = client.get("/")
        print(f"\n--- / answers {page.status_code} after {time.monotonic() - began:.1f} s")
        if page.is_error:
            print(f"Retry-After: {page.headers['Retry-After']}")
        print("\n".join(text[:150] for text in _texts(page.text)[:_LINES]), flush=True)


def _texts(page: str) -> list[str]:
    """Return the texts of what the page brings, each once."""
    parts = ("h1", "h2", "p", "figcaption", "output", "strong")
    root = lxml.html.fromstring(page)
    (place,) = root.xpath("//section[@id='brings']") or root.xpath("//main")
    found = place.xpath(".//*[" + " or ".join(f"self::{part}" for part in parts) + "]")
    texts = (" ".join(part.text_content().split()) for part in found)
    return list(dict.fromkeys(filter(None, texts)))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1])
