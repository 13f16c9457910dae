"""Draw the pages from made-up papers as a browser shows them: wide and narrow, light and dark.

    python -m tests.screenshots [FOLDER]

FOLDER is this one unless told otherwise; the README shows `page.png` of it.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep

import httpx
from playwright.sync_api import Browser, Page

from feedproxy.config import Config
from tests import hub, month, static_host
from tests.browser import chromium
from tests.conftest import serving
from tests.test_named_feeds import write_feeds
from tests.test_site import make, toml

_FILTER = "?q=rl&min_upvotes=2"
# The path of each picture of the service.
PATHS = {
    "start": "",
    "filter": _FILTER,
    "subscribe": _FILTER,
    "digest": "?q=rl&digest=week",
    "error": "?q=agents+%22tool&min_upvotes=x",
    "nothing": "?q=agents+nonesuch&min_upvotes=2",
    "status": "status",
}
_ACTS: dict[str, Callable[[Page], None]] = {"subscribe": lambda page: page.locator("#ways summary").click()}
_SIZES = ({"width": 1280, "height": 900}, {"width": 390, "height": 844})
_SCHEMES = ("light", "dark")
_READ = 12  # days, in the picture of the first fill
_FEEDS = {
    "agents": ("Agents", "q=agents&min_upvotes=2"),
    "rl": ("Reinforcement learning", 'q=rl OR "reinforcement learning"'),
    "talk": ("What everybody talks about", "min_upvotes=50"),
    "weekly": ("Best of the week", "digest=week"),
}


def main(folder: Path) -> None:
    """Draw every picture into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch, chromium.running() as browser:
        settings = month.write(Path(scratch)) | {"public_url": "https://feeds.example.org"}
        with month.running(Config.load({}, settings)) as client:
            _draw(browser, str(client.base_url), folder, PATHS)
            _shoot(browser, f"{client.base_url}/{_FILTER}", folder / "page.png", _SIZES[0], "light")
        with _filling(f"{scratch}/filling.sqlite") as client:
            _draw(browser, str(client.base_url), folder, {"filling": ""})
        with static_host.running(Path(scratch) / "site") as address:
            settings["feeds"] = write_feeds(Path(scratch), toml(_FEEDS))
            static_host.write(Path(scratch) / "site", make(Config.load({}, settings)))
            _draw(browser, address, folder, {"site": ""})


@contextmanager
def _filling(archive: str) -> Iterator[httpx.Client]:
    """Serve an archive whose first fill stands still."""
    with hub.running() as source:
        source.days, source.delay = {day: month.listing(day) for day in month.DAYS}, 0.1
        settings = {"FEEDPROXY_LISTING": source.url, "FEEDPROXY_ARCHIVE": archive, "FEEDPROXY_PACE": "0"}
        with serving(Config.load(settings), lambda: month.NOW) as client:
            while len(source.requests) < _READ:
                client.get("/readyz")
                sleep(0.05)
            source.gate.clear()
            yield client
            source.gate.set()


def _draw(browser: Browser, base: str, folder: Path, paths: dict[str, str]) -> None:
    sizes: Iterable[dict[str, int]] = _SIZES
    for (name, path), size, scheme in product(paths.items(), sizes, _SCHEMES):
        target = folder / f"{name}-{size['width']}-{scheme}.png"
        _shoot(browser, f"{base}/{path}", target, size, scheme, _ACTS.get(name))


def _shoot(
    browser: Browser,
    address: str,
    target: Path,
    size: dict[str, int],
    scheme: str,
    act: Callable[[Page], None] | None = None,
) -> None:
    """Draw the first screen; of a phone all of the page, unless something is done on it first."""
    with chromium.context(browser, chromium.Watch(), viewport=size, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(address, wait_until="networkidle")
        if act:
            act(page)
        page.screenshot(path=target, full_page=size == _SIZES[1] and not act)
    print(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
