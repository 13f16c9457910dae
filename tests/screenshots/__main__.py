"""Draw the pages from made-up papers as a browser shows them: light, dark, narrow.

    python -m tests.screenshots [FOLDER]

FOLDER is this one unless told otherwise; the README shows `page.png` of it.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser

from feedproxy.config import Config
from tests import month, static_host
from tests.browser import chromium
from tests.conftest import serving
from tests.test_named_feeds import write_feeds
from tests.test_site import make, toml

Picture = tuple[str, dict[str, int], str, bool]

_WIDE, _MIDDLE, _NARROW = (
    {"width": width, "height": height} for width, height in ((900, 975), (768, 1024), (360, 740))
)
_SHOWN, _DIGESTS = "?q=rl&min_upvotes=2", "?q=rl&digest=week"
# Each picture: the path, the size of the window, the colours, and whether all of the page is drawn.
PICTURES: dict[str, Picture] = {
    "page": (_SHOWN, _WIDE, "light", False),
    "page-dark": (_SHOWN, _WIDE, "dark", False),
    "page-whole": (_SHOWN, _MIDDLE, "light", True),
    "page-narrow": (_SHOWN, _NARROW, "light", True),
    "digests": (_DIGESTS, _MIDDLE, "light", True),
    "digests-narrow": (_DIGESTS, _NARROW, "dark", True),
    "start": ("", _WIDE, "light", False),
    "error": ("?q=agents+%22tool", _WIDE, "light", False),
    "nothing": ("?q=agents+nonesuch&min_upvotes=2", _WIDE, "light", False),
    "status": ("status", _WIDE, "light", False),
    "status-dark": ("status", _NARROW, "dark", True),
}
# The same of a published site, and the feeds in it.
SITE_PICTURES: dict[str, Picture] = {
    "site": ("", _WIDE, "light", False),
    "site-whole": ("", _MIDDLE, "dark", True),
    "site-narrow": ("", _NARROW, "light", True),
}
_FEEDS = {
    "agents": ("Agents", "q=agents&min_upvotes=2"),
    "rl": ("Reinforcement learning", 'q=rl OR "reinforcement learning"'),
    "talk": ("What everybody talks about", "min_upvotes=50"),
    "weekly": ("Best of the week", "digest=week"),
}


def main(folder: Path) -> None:
    """Draw every picture into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        listings, archive = month.save(Path(scratch) / "listings"), f"{scratch}/archive.sqlite"
        month.keep(archive)
        settings = {"FEEDPROXY_LISTING": str(listings), "FEEDPROXY_ARCHIVE": archive}
        settings["FEEDPROXY_PUBLIC_URL"] = "https://feeds.example.org"
        with serving(Config.load(settings), lambda: month.NOW) as client, chromium.running() as browser:
            month.wait_for_digests(client)
            for name, picture in PICTURES.items():
                _draw(browser, str(client.base_url), folder / f"{name}.png", picture)
            with static_host.running(Path(scratch) / "site") as address:
                settings["FEEDPROXY_FEEDS"] = write_feeds(Path(scratch), toml(_FEEDS))
                static_host.write(Path(scratch) / "site", make(Config.load(settings)))
                for name, picture in SITE_PICTURES.items():
                    _draw(browser, address, folder / f"{name}.png", picture)


def _draw(browser: Browser, base: str, target: Path, picture: Picture) -> None:
    path, size, scheme, is_whole = picture
    with chromium.context(browser, chromium.Watch(), viewport=size, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(f"{base}/{path}", wait_until="networkidle")
        page.screenshot(path=target, full_page=is_whole)
    print(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
