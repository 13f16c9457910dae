"""Text from a listing or an address that means to be more than text is shown as text."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.chromium import Watch
from tests.browser.conftest import opening
from tests.browser.page_model import titles
from tests.factories import api, entry

_ACTS = (
    "<script>pwned = 1</script>",
    '"><img src=x onerror="pwned = 1">',
    "' onmouseover='pwned = 1' autofocus onfocus='pwned = 1",
    "<svg onload=pwned=1><style>body { display: none }</style>",
    "</title></textarea></script><script>pwned = 1</script>",
    "{{ 7 * 7 }} ${pwned = 1} `${pwned = 1}`",
    "&lt;script&gt;pwned = 1&lt;/script&gt;",
    "<base href=//evil.example/><meta http-equiv=refresh content=0;url=//evil.example>",
)
# What would be there if any of it came to life.
_MADE = "script:not([src]), img[src=x], #results svg:not(#chart svg), style, base, meta[http-equiv]"
_MADE += ", [onmouseover], [onfocus], [onerror], [onload]"
_REVERSED = "abc\u202egnp.exe\u202c \u2066def"


def _hostile(number: int, act: str) -> dict[str, Any]:
    return entry(
        number,
        title=f"{act} Agents {number}",
        summary=f"Agents. {act}",
        authors=[{"name": act}, {"name": f"Ada {act}"}],
        organization={"name": act, "fullname": act},
        thumbnail=f"https://cdn-thumbnails.huggingface.co/{number}.png?{quote(act)}",
        githubRepo="javascript:pwned=1",
        projectPage=f"data:text/html,{act}",
        ai_keywords=[act],
        upvotes=3,
    )


@pytest.fixture
def hostile(serve: Callable[..., httpx.Client], tmp_path: Path) -> httpx.Client:
    """Serve a listing whose every field is hostile."""
    papers = [_hostile(number, act) for number, act in enumerate(_ACTS, 1)]
    papers += [entry(20, title="a" * 100_000, summary="b" * 100_000, thumbnail="javascript:pwned=1", upvotes=2)]
    papers += [entry(21, title=_REVERSED, summary=_REVERSED, thumbnail="https://evil.example/x.png", upvotes=1)]
    saved = tmp_path / "2026-03-10.json"
    saved.write_bytes(api(papers))
    return serve(listing=str(saved), archive=str(tmp_path / "hostile.sqlite"))


@pytest.fixture
def open_hostile(hostile: httpx.Client, open_context: Callable[..., BrowserContext]) -> Callable[..., Page]:
    return opening(hostile, open_context)


def assert_is_text(page: Page) -> None:
    """Nothing of what was shown came to life."""
    assert "undefined" == page.evaluate("typeof pwned")
    assert 0 == page.locator(_MADE).count()
    assert [] == page.locator("a").evaluate_all("f => f.map(a => a.protocol).filter(p => !/^(https?|feed):$/.test(p))")
    assert page.locator("body").is_visible()


def test_hostile_papers_stay_text(open_hostile: Callable[..., Page]) -> None:
    """Every field of a paper is shown as it stands, by the server and by the script alike."""
    page = open_hostile()
    shown = titles(page)
    assert [] == [act for act in _ACTS if not any(title.startswith(act) for title in shown)]
    assert_is_text(page)
    page.locator("#q").fill("agents")
    expect(page.locator("#in-words")).to_contain_text("agents")
    expect(page.locator("#entries > li")).to_have_count(len(_ACTS))
    assert [] == [act for act in _ACTS if not any(title.startswith(act) for title in titles(page))]
    page.locator("#entries > li").first.hover()
    assert_is_text(page)


def test_hostile_digests_stay_text(open_hostile: Callable[..., Page]) -> None:
    """What a digest shows of a paper is shown as it stands, and the page stays narrow."""
    page = open_hostile("?digest=week&top=50&q=agents", viewport={"width": 360, "height": 740})
    shown = page.locator("#next li a").all_inner_texts()
    assert [] == [act for act in _ACTS if not any(title.startswith(act) for title in shown)]
    assert_is_text(page)
    page.goto("./?digest=week&top=50")
    assert_is_text(page)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_pictures_come_from_the_hub_alone(open_hostile: Callable[..., Page]) -> None:
    """A thumbnail from anywhere else is not shown."""
    page = open_hostile("?limit=200")
    hosts = page.locator("#entries img").evaluate_all("found => found.map(img => new URL(img.src).hostname)")
    assert {"cdn-thumbnails.huggingface.co"} == set(hosts)
    assert len(_ACTS) == len(hosts)


def test_text_cannot_turn_round(open_hostile: Callable[..., Page]) -> None:
    """Characters that reverse what follows are not on the page."""
    page = open_hostile()
    assert not set("\u202e\u202c\u2066") & set(page.locator("body").inner_text())


def test_a_long_word_stays_in_the_page(open_hostile: Callable[..., Page]) -> None:
    """A title and a filter that are one word of any length do not make a narrow page scroll sideways."""
    page = open_hostile(viewport={"width": 360, "height": 740})
    page.locator("#q").fill("a" * 450)
    expect(page.locator("#in-words")).to_contain_text("aaaa")
    for _ in range(2):
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        page.goto(page.url.split("?")[0])


def test_a_hostile_query_stays_text(open_hostile: Callable[..., Page], watch: Watch) -> None:
    """What an address says is shown in its field and in its error as it stands."""
    watch.expects("status of 400")
    page = open_hostile("?q=agents")
    for act in _ACTS:
        for name in ("days", "link", "q"):
            page.goto(f"./?{name}={quote(act)}")
            assert_is_text(page)
        assert act == page.locator("#q").input_value()


def test_a_hostile_filter_stays_text(open_hostile: Callable[..., Page], watch: Watch) -> None:
    """What is typed, and what lies in the browser's store, is shown as it stands by the script too."""
    watch.expects("status of 400")
    page = open_hostile("?q=agents")
    kept = [{"query": act, "title": act} for act in _ACTS]
    page.evaluate("kept => localStorage.setItem('feedproxy.filters', JSON.stringify(kept))", kept)
    page.reload()
    assert list(_ACTS) == page.locator("#saved li a").all_inner_texts()
    for act in _ACTS:
        page.locator("#q").fill("agents")
        expect(page.locator("#in-words")).to_be_visible()
        page.locator("#q").fill(act)
        expect(page.locator("#q-error")).not_to_have_text("")
        assert_is_text(page)
