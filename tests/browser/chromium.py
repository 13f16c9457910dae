"""Chromium under watch: a page that does what it should not is found out, and nothing outside is reached.

Thumbnails are answered here; whatever else a page asks of another host fails, and is a fault.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Request, Route, sync_playwright

# The shell has no window and opens a page in a tenth of the time.
EXECUTABLE = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser"))), None)
LAN = "feedproxy.local"  # a name for this machine by which browsers trust it as little as another
_FLAGS = (
    *("--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *(
        "--disable-sync",
        "--disable-quic",
        f"--host-resolver-rules=MAP {LAN} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ),
)
_OUTSIDE = re.compile(rf"^(?!data:|blob:|about:|http://(127\.0\.0\.1|{re.escape(LAN)})[:/])")
_THUMBNAIL = re.compile(r"^https://([a-z0-9-]+\.)+huggingface\.co/")
_DRAWN = """<svg xmlns="http://www.w3.org/2000/svg" width="1200" height="648">
<rect width="100%" height="100%" fill="#fdfdf8"/>
<g fill="#9aa5b1"><rect x="120" y="90" width="960" height="60"/><rect x="260" y="190" width="680" height="24"/>
<path d="M120 280h440v16H120zm0 40h440v16H120zm0 40h440v16H120zm0 40h300v16H120zm520-120h440v200H640z"/></g></svg>"""
_TOLD = "document.addEventListener('securitypolicyviolation', e => console.error(`CSP: ${e.violatedDirective}`))"


@dataclass
class Watch:
    """What pages did that they should not, but for what a test `expects`; and the thumbnails they asked for."""

    faults: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    thumbnails: list[Request] = field(default_factory=list)

    def expects(self, pattern: str) -> None:
        """Let faults pass that `pattern` matches; there must be one."""
        self.expected.append(pattern)

    def verdict(self) -> tuple[list[str], list[str]]:
        """Return the faults nobody expected, and what was expected in vain."""
        unexpected = [fault for fault in self.faults if not any(re.search(known, fault) for known in self.expected)]
        vain = [known for known in self.expected if not any(re.search(known, fault) for fault in self.faults)]
        return unexpected, vain

    def over(self, context: BrowserContext) -> None:
        """Watch every page of `context`."""
        context.on("console", self._said)
        context.on("weberror", lambda error: self.faults.append(f"error: {error.error}"))
        context.on("dialog", self._asked)
        context.route(_OUTSIDE, self._left)
        context.add_init_script(_TOLD)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"console: {message.text}")

    def _asked(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _left(self, route: Route) -> None:
        if route.request.resource_type == "image" and _THUMBNAIL.match(route.request.url):
            self.thumbnails.append(route.request)
            route.fulfill(body=_DRAWN, content_type="image/svg+xml")
        else:
            self.faults.append(f"asked of another host: {route.request.url}")
            route.abort()


@contextmanager
def running() -> Iterator[Browser]:
    """Run the browser for as long as the block lasts."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=EXECUTABLE, args=_FLAGS, chromium_sandbox=os.geteuid() != 0
        )
        yield browser
        browser.close()


@contextmanager
def context(browser: Browser, watch: Watch, **options: Any) -> Iterator[BrowserContext]:
    """Open a context of its own (cookies, storage, history), watched."""
    opened = browser.new_context(service_workers="block", **options)
    watch.over(opened)
    yield opened
    opened.close()
