"""A browser, six weeks of made-up papers served to it, and pages that fail the test when they misbehave."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from feedproxy.config import Config
from tests import month
from tests.browser import chromium

expect.set_options(timeout=20_000)  # a busy machine is no failure


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what takes a browser, and let one worker run it all, so that there is one browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.integration)
            item.add_marker(pytest.mark.once)
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if not chromium.EXECUTABLE:
        pytest.skip("no Chromium on PATH")
    with chromium.running() as running:
        yield running


@pytest.fixture(scope="package")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the settings under which the made-up papers are served, and with which the commands find them."""
    return month.write(tmp_path_factory.mktemp("month"))


@pytest.fixture(scope="package")
def service(settings: dict[str, str]) -> Iterator[httpx.Client]:
    """Serve the made-up papers; the client yielded asks the same server as the browser."""
    with month.running(Config.load({}, settings)) as client:
        yield client


@pytest.fixture
def watch() -> Iterator[chromium.Watch]:
    watch = chromium.Watch()
    yield watch
    assert ([], []) == watch.verdict()


@pytest.fixture
def open_context(browser: Browser, watch: chromium.Watch) -> Iterator[Callable[..., BrowserContext]]:
    """Open a context, closed when the test ends and before the server is."""
    with ExitStack() as stack:

        def opened(**options: Any) -> BrowserContext:
            context = stack.enter_context(chromium.context(browser, watch, **options))
            context.set_default_timeout(20_000)
            return context

        yield opened


@pytest.fixture
def open_page(service: httpx.Client, open_context: Callable[..., BrowserContext]) -> Callable[..., Page]:
    """Open a path of the service in a context of its own."""
    return opening(service, open_context)


def opening(service: httpx.Client, open_context: Callable[..., BrowserContext]) -> Callable[..., Page]:
    """Return what opens a path of `service` in a context of its own."""

    def opened(path: str = "", **options: Any) -> Page:
        page = open_context(base_url=str(service.base_url), **options).new_page()
        page.goto(path if "://" in path else f"./{path}")
        return page

    return opened
