"""With its script the page follows what is typed and chosen, without being loaded again."""

import re
import threading
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests import hub as fake
from tests.browser.chromium import Watch
from tests.browser.conftest import opening
from tests.browser.page_model import (
    address,
    bars,
    count_told,
    digest_titles,
    fields,
    has_focus,
    items,
    query,
    settled,
    show_all,
    titles,
)
from tests.factories import api, entries

Open = Callable[..., Page]
_MARK = "window.loadedOnce = true"
ANSWERS = "**/?q=*"


def is_same_document(page: Page) -> bool:
    return page.evaluate("window.loadedOnce === true")


def test_results_follow_typing(open_page: Open, service: httpx.Client) -> None:
    """What is typed changes the entries, the chart, the count and the address bar."""
    page = open_page()
    page.evaluate(_MARK)
    all_bars, all_count = bars(page), count_told(page)
    page.locator("#q").press_sequentially("agents")
    settled(page, "agents")
    assert {"q": "agents"} == query(page.url)
    show_all(page)
    assert [item["title"] for item in items(service, address(page, "json"))] == titles(page)
    assert list(all_bars) == list(bars(page))
    assert 0 < sum(bars(page).values()) < sum(all_bars.values())
    assert 0 < count_told(page) < all_count
    assert is_same_document(page)


def test_matched_words_are_marked(open_page: Open) -> None:
    """What the filter found is marked, in every entry, and is what was looked for."""
    page = open_page("?q=title:agents")
    marked = [text.casefold() for text in page.locator("#entries h3 mark").all_inner_texts()]
    assert len(titles(page)) == page.locator("#entries > li:has(h3 mark)").count() > 0
    assert {"agent", "agents"} == set(marked)


def test_every_entry_tells_why_it_entered(open_page: Open) -> None:
    """Each entry has the time and the reason of its entering, and its picture loads late."""
    page = open_page("?min_upvotes=5&show=50")
    number = len(titles(page))
    assert 50 == number
    assert number == page.locator("#entries > li .why time").count()
    assert number == page.locator("#entries > li img[loading=lazy]").count()


def test_thumbnails_are_asked_for_without_a_referrer(open_page: Open, watch: Watch) -> None:
    """The host of the pictures is not told who asks, and is asked only for those that are seen."""
    page = open_page("?show=50")
    expect(page.locator("#entries > li img").first).to_have_js_property("complete", True)
    page.locator("#entries > li img").first.scroll_into_view_if_needed()
    with page.expect_request("https://*.huggingface.co/**"):
        page.locator("#entries > li img").nth(30).scroll_into_view_if_needed()
    assert 0 < len(watch.thumbnails)
    assert [] == [name for asked in watch.thumbnails for name in asked.all_headers() if name in ("referer", "cookie")]


def test_a_threshold_is_picked(open_page: Open, service: httpx.Client) -> None:
    """A click on a number of upvotes fills it in, and the average that stood there is the chart's that follows."""
    page = open_page("?q=agents")
    page.evaluate(_MARK)
    promised = page.locator('#thresholds a[data-min-upvotes="5"]').inner_text()
    page.locator('#thresholds a[data-min-upvotes="5"]').click()
    settled(page, "at least 5 upvotes")
    assert {"q": "agents", "min_upvotes": "5"} == fields(page) == query(page.url)
    show_all(page)
    assert ["5"] == page.locator("#thresholds [aria-current=true]").evaluate_all(
        "a => a.map(x => x.dataset.minUpvotes)"
    )
    assert page.locator("[data-average]").inner_text() in promised
    assert [item["title"] for item in items(service, address(page, "json"))] == titles(page)
    assert is_same_document(page)


def test_advice_is_followed(open_page: Open) -> None:
    """A click on the word that was meant corrects the filter; one on a ready-made filter fills the field with it."""
    page = open_page("?q=agnets&min_upvotes=1")
    page.evaluate(_MARK)
    page.locator(".misspelling a").click()
    settled(page, "agents, at least 1 upvote")
    assert {"q": "agents", "min_upvotes": "1"} == fields(page) == query(page.url)
    expect(page.locator(".misspelling")).to_have_count(0)
    page.locator("#choices summary").click()
    choice = page.locator("#choices li a").first
    expected = {"min_upvotes": "1"} | query(choice.get_attribute("href") or "")
    choice.click()
    page.wait_for_url(lambda url: query(url) == expected)
    assert expected == fields(page)
    expect(page.locator("#choices li [aria-current]")).to_have_count(1)
    assert page.locator("#choices details").get_attribute("open") is None
    assert has_focus(page.locator("#in-words"))
    assert is_same_document(page)


def test_options_take_part(open_page: Open, service: httpx.Client) -> None:
    """The further options open, and what is set there is in the feed's address."""
    page = open_page()
    page.locator("#options summary").click()
    page.locator("#days").fill("7")
    page.locator("#limit").fill("3")
    page.locator("#link").select_option("arxiv")
    page.wait_for_url(lambda url: query(url) == {"days": "7", "limit": "3", "link": "arxiv"})
    expect(page.locator("#entries > li")).to_have_count(3)
    links = page.locator("#entries > li h3 a").evaluate_all("found => found.map(link => link.href)")
    assert [item["url"] for item in items(service, address(page, "json"))] == links
    assert all(link.startswith("https://arxiv.org/abs/") for link in links)


def test_digests_are_chosen(open_page: Open, service: httpx.Client) -> None:
    """The best of a week, and how many, are chosen by mouse or keyboard; every paper knows no number."""
    page = open_page("?q=agents")
    page.evaluate(_MARK)
    expect(page.locator("#top")).to_be_hidden()
    page.get_by_label("All papers").press("ArrowRight")
    settled(page, "entry a day")
    page.get_by_label("Weekly best").check()
    settled(page, "1 entry a week, up to 10 papers: agents")
    expect(page.locator("#days")).to_have_attribute("placeholder", "366")
    page.locator("#top").fill("3")
    settled(page, "1 entry a week, up to 3 papers: agents")
    page.wait_for_url(lambda url: query(url) == {"q": "agents", "digest": "week", "top": "3"})
    assert query(page.url) == fields(page) == query(address(page, "rss"))
    assert [item["title"] for item in items(service, address(page, "json"))] == digest_titles(page) != []
    expect(page.locator("#next .why")).to_contain_text("Closes on Monday 16 Mar 2026, 06:00 UTC")
    page.get_by_label("All papers").check()
    page.wait_for_url(lambda url: query(url) == {"q": "agents"})
    settled(page, "papers a day on average: agents")
    expect(page.locator("#top")).to_be_disabled()
    assert is_same_document(page)


def test_back_and_forward_between_digests(open_page: Open) -> None:
    """Back and forward bring back what was chosen and its digests."""
    page = open_page("?digest=month&top=2")
    page.evaluate(_MARK)
    months = digest_titles(page)
    page.locator("#help summary").click()
    page.locator("#examples a").first.click()
    settled(page, "papers a day on average: agents")
    assert {"q": "agents"} == fields(page)
    page.go_back()
    settled(page, "1 entry a month, up to 2 papers")
    assert ({"digest": "month", "top": "2"}, months) == (fields(page), digest_titles(page))
    page.go_forward()
    settled(page, "papers a day on average: agents")
    assert [] == digest_titles(page)
    assert is_same_document(page)


def test_a_mistake_in_the_options_is_not_hidden(open_page: Open, watch: Watch) -> None:
    """Options that are closed open when what stands in them becomes a mistake."""
    watch.expects("status of 400")
    page = open_page("?limit=200&digest=day")
    page.locator("#options summary").click()
    expect(page.locator("#limit")).to_be_hidden()
    page.locator("#top").fill("50")
    expect(page.locator("#limit-error")).to_contain_text("too many")
    page.locator("#limit").fill("20")
    settled(page, "1 entry a day, up to 50 papers")


def test_votes_are_not_offered_for_digests(open_page: Open, watch: Watch) -> None:
    """Digests never change, so the choice of votes does not count there; a mistake in the address can be mended."""
    page = open_page("?counts=1&q=agents")
    page.get_by_label("Weekly best").check()
    settled(page, "1 entry a week, up to 10 papers: agents")
    expect(page.locator("#counts")).to_be_disabled()
    assert {"q": "agents", "digest": "week"} == query(page.url)
    page.get_by_label("All papers").check()
    page.wait_for_url(lambda url: query(url) == {"q": "agents", "counts": "1"})
    watch.expects("status of 400")
    page.goto("./?digest=week&counts=1")
    page.locator("#mistakes a").click()
    assert has_focus(page.locator("#counts"))
    page.locator("#counts").select_option("0")
    settled(page, "1 entry a week, up to 10 papers")
    expect(page.locator("#counts")).to_be_disabled()


def test_back_and_forward(open_page: Open) -> None:
    """Back and forward bring back the form and its results, one step for each filter that was settled on."""
    page = open_page()
    page.evaluate(_MARK)
    first = titles(page)
    page.locator("#q").press_sequentially("agents")
    settled(page, "agents")
    agents = titles(page)
    page.locator('#thresholds a[data-min-upvotes="10"]').click()
    settled(page, "at least 10 upvotes")
    page.go_back()
    expect(page.locator("#min_upvotes")).to_have_value("")
    expect(page.locator("#in-words")).not_to_contain_text("upvotes")
    assert ({"q": "agents"}, agents) == (fields(page), titles(page))
    page.go_back()
    settled(page, "every paper")
    assert ({}, first) == (fields(page), titles(page))
    page.go_forward()
    page.go_forward()
    settled(page, "at least 10 upvotes")
    assert {"q": "agents", "min_upvotes": "10"} == fields(page)
    assert is_same_document(page)


def test_the_same_filter_is_one_step(open_page: Open) -> None:
    """Showing again what a link led to, which spells a space in another way than the form, is no step of its own."""
    page = open_page("?q=agents%20-survey")
    steps = page.evaluate("history.length")
    with page.expect_response("**/?*"):
        page.locator("#q").press("Enter")
    assert steps == page.evaluate("history.length")


def test_examples_fill_the_form(open_page: Open) -> None:
    """Each example fills in the form with its query and nothing else, and shows it."""
    page = open_page()
    page.evaluate(_MARK)
    page.locator("#help summary").click()
    examples = page.locator("#examples a")
    wanted = [query(link.get_attribute("href") or "") for link in examples.all()]
    assert {"q", "min_upvotes", "or_upvotes"} == {name for example in wanted for name in example}
    for link, example in zip(examples.all(), wanted, strict=True):
        link.click()
        page.wait_for_url(lambda url, example=example: query(url) == example)
        assert example == fields(page)
        expect(page.locator("#in-words")).to_be_visible()
    assert is_same_document(page)


def test_a_wrong_filter_is_told_at_its_field(open_page: Open, watch: Watch) -> None:
    """A filter that cannot be read is told under its field, with the position; mended, it is shown again."""
    watch.expects("status of 400")
    page = open_page()
    page.locator("#min_upvotes").fill("2")
    page.locator("#q").fill('agents "tool use')
    field, problem = page.locator("#q"), page.locator("#q-error")
    expect(problem).to_contain_text("At character 8")
    expect(field).to_have_attribute("aria-invalid", "true")
    assert "q-error" == field.get_attribute("aria-describedby")
    assert problem.bounding_box()["y"] > field.bounding_box()["y"]
    assert 0 == page.locator("#entries, #addresses, #chart").count()
    assert {"q": 'agents "tool use', "min_upvotes": "2"} == fields(page)
    assert 0 == page.locator("link[rel=alternate]").count()
    field.press("End")
    field.press_sequentially('"')
    settled(page, "tool use")
    expect(problem).to_be_hidden()
    assert field.get_attribute("aria-invalid") in (None, "false")


def test_a_pasted_title_is_one_click_from_its_phrase(open_page: Open, watch: Watch) -> None:
    """What is wrong with a pasted title is told and marked; a click on what is offered mends it without loading."""
    watch.expects("status of 400")
    page = open_page()
    page.evaluate(_MARK)
    page.locator("#q").fill("Agents, & Tool Use: a Survey")
    expect(page.locator("#q-error")).to_contain_text("At character 9")
    assert [",", "&"] == page.locator("#places mark").all_inner_texts()
    told, wrong = page.locator("#q-error").bounding_box(), page.locator("#places").bounding_box()
    assert told["height"] > 1.5 * wrong["height"]  # two lines
    page.locator(".advice a").click()
    settled(page, "agents tool use a survey")
    assert {"q": '"Agents, & Tool Use: a Survey"'} == fields(page)
    expect(page.locator("#q-error")).to_be_hidden()
    assert is_same_document(page)


def test_half_a_phrase_is_waited_for(open_page: Open, watch: Watch) -> None:
    """While a quotation mark or a bracket is open nothing is said against it and the results stay; left open, it is."""
    page = open_page("?q=agents")
    page.clock.install()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for begun in ('agents "tool', "(agents", '"a)" (b', "“agents", "„agents", "«agents", "（agents"):
        page.locator("#q").fill(begun)
        page.clock.run_for(1500)
    page.locator("#q").fill('agents "tool')
    page.clock.run_for(1500)
    assert [] == asked
    page.locator("#q").press_sequentially(' use"')
    page.clock.run_for(500)
    settled(page, 'agents "tool use"')
    watch.expects("status of 400")
    page.locator("#q").fill("agents OR")
    page.clock.run_for(2500)
    expect(page.locator("#q-error")).to_contain_text("is missing here")


def test_two_mistakes_are_told_and_gone_when_mended(open_page: Open, watch: Watch) -> None:
    """Each field says its own mistake, which goes as soon as its text changes, and the other stays."""
    watch.expects("status of 400")
    page = open_page("?q=agents)&min_upvotes=x")
    words, number = page.locator("#q-error"), page.locator("#min_upvotes-error")
    expect(words).to_contain_text("At character 7")
    expect(number).to_contain_text("is not a whole number")
    page.clock.install()
    page.locator("#q").fill("agents")
    expect(words).to_be_hidden()
    expect(page.locator("#places")).to_have_count(0)
    expect(page.locator("#mistakes a")).to_have_text("Minimum upvotes")
    expect(number).to_be_visible()
    page.clock.run_for(500)
    expect(number).to_be_visible()
    page.locator("#min_upvotes").fill("2")
    expect(number).to_be_hidden()
    page.clock.run_for(500)
    settled(page, "agents, at least 2 upvotes")


def test_more_entries_are_shown_in_their_place(open_page: Open, service: httpx.Client) -> None:
    """More entries stand below those that were there, where one was; the address says so, and leads there again."""
    page = open_page("?q=agents")
    page.evaluate(_MARK)
    first = titles(page)
    assert 10 == len(first)
    page.locator("#more").focus()
    before = page.locator("#entries > li").nth(9).bounding_box()
    page.keyboard.press("Enter")
    expect(page.locator("#entries > li")).to_have_count(50)
    assert first == titles(page)[:10]
    assert has_focus(page.locator("#entries > li").nth(10).locator("h3 a"))
    assert page.locator("#entries > li").nth(9).bounding_box()["y"] == pytest.approx(before["y"], abs=2)
    assert {"q": "agents", "show": "50"} == query(page.url)
    assert {"q": "agents"} == query(address(page, "rss"))
    page.locator("#q").fill("video")
    page.wait_for_url(lambda url: query(url) == {"q": "video"})
    assert is_same_document(page)


def test_the_first_fill_is_followed(
    serve: Callable[..., httpx.Client], hub: fake.Hub, open_context: Callable[..., BrowserContext]
) -> None:
    """While the first days are being read the page says how far that is, and shows by itself when it is over."""
    go_on = threading.Event()
    hub.script.extend([fake.Answer(body=api(entries(3))), fake.Answer(send=fake.send_after(go_on))])
    page = opening(serve(listing=hub.url), open_context)()
    settled(page, "Reading the last 30 days")
    expect(page.locator("#filling")).to_contain_text("this page follows by itself")
    expect(page.locator("#filling")).not_to_contain_text("load this page again", use_inner_text=True)
    page.locator("#entries h3 a").first.focus()
    go_on.set()
    assert has_focus(page.locator("#entries h3 a").first)
    page.locator("#q").focus()
    settled(page, "3 papers so far")
    expect(page.locator("#filling")).to_have_count(0)
    assert has_focus(page.locator("#q"))


def test_an_unreachable_hub_is_followed_in_silence(
    serve: Callable[..., httpx.Client], open_context: Callable[..., BrowserContext], watch: Watch
) -> None:
    """The page looks again while the Hub cannot be reached, and does not tell the same each time."""
    watch.expects("status of 503")
    page = opening(serve(listing="http://127.0.0.1:9"), open_context)()
    expect(page.locator("#error")).to_contain_text("cannot reach")
    page.evaluate("""() => {
        window.changes = 0;
        const observer = new MutationObserver(() => { changes += 1; });
        observer.observe(document.querySelector("#status"), {childList: true});
    }""")
    page.evaluate("document.querySelector('#error').id = 'old'")
    expect(page.locator("#error")).to_contain_text("cannot reach")
    assert 0 == page.evaluate("changes")


def test_the_chart_tells_each_day(open_page: Open) -> None:
    """The mouse and the arrow keys tell the number of a day; the highest is told until then."""
    page = open_page("?q=agents")
    days = list(bars(page).items())
    told = page.locator("#chart .day text:visible")
    expect(told).to_have_text(re.compile(f": {max(number for _, number in days)}$"))
    page.locator("#chart .day").nth(4).locator(".slot").hover(force=True)
    expect(told).to_have_text(re.compile(f": {days[4][1]}$"))
    page.mouse.move(0, 0)
    chart = page.locator("#chart .chart")
    page.locator("#status").click()
    page.keyboard.press("Tab")
    assert has_focus(chart)
    for key, at in (("ArrowLeft", -2), ("Home", 0), ("ArrowLeft", 0), ("ArrowRight", 1), ("End", -1)):
        page.keyboard.press(key)
        expect(told).to_have_text(re.compile(f": {days[at][1]}$"))
        assert (chart.get_attribute("aria-valuetext") or "").endswith(f": {days[at][1]}")
    page.keyboard.press("Tab")
    expect(told).to_have_count(1)


def test_a_finger_tells_a_day(open_page: Open) -> None:
    """A tap on the chart tells the day that is nearest, without a frame around the chart."""
    page = open_page("?q=agents", viewport={"width": 390, "height": 844}, has_touch=True)
    days = list(bars(page).items())
    chart = page.locator("#chart .chart")
    expect(chart).to_have_attribute("role", "slider")
    chart.scroll_into_view_if_needed()
    box = page.locator("#chart .day").nth(4).locator(".slot").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + 50)
    expect(page.locator("#chart .day text:visible")).to_have_text(re.compile(f": {days[4][1]}$"))
    assert (chart.get_attribute("aria-valuetext") or "").endswith(f": {days[4][1]}")
    assert "none" == chart.evaluate("element => getComputedStyle(element).outlineStyle")


def test_a_mistake_leads_to_its_field(open_page: Open, watch: Watch) -> None:
    """Beside the form stand all mistakes, each a link that brings the focus to its field."""
    watch.expects("status of 400")
    page = open_page("?q=agents)&days=0&digest=year")
    address = page.url
    for name, place in (("Words", "#q"), ("Days back", "#days"), ("Entries", "#digest input >> nth=0")):
        page.locator("#mistakes").get_by_role("link", name=name).click()
        assert has_focus(page.locator(place))
    assert address == page.url


def test_a_wrong_number_is_told_at_its_field(open_page: Open, watch: Watch) -> None:
    """A wrong number of days is told under its own field, which is in sight."""
    watch.expects("status of 400")
    page = open_page("?days=0")
    expect(page.locator("#days-error")).to_be_visible()
    expect(page.locator("#days")).to_have_attribute("aria-invalid", "true")
    assert page.locator("#q").get_attribute("aria-invalid") is None


def test_a_late_answer_changes_nothing(open_page: Open) -> None:
    """An answer that comes after that of a later filter is not shown."""
    page = open_page()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(lambda url: query(url) == {"q": "agents"}, hold)
    with page.expect_request(lambda request: query(request.url) == {"q": "agents"}):
        page.locator("#q").fill("agents")
    page.locator("#q").fill("diffusion")
    settled(page, "diffusion")
    ended: list[str] = []
    page.on("requestfinished", lambda request: ended.append(request.url))
    for route in held:
        route.continue_()
    page.evaluate("fetch('static/style.css').then(answer => answer.text())")  # comes after what was let go
    page.evaluate("new Promise(requestAnimationFrame)")
    assert 1 == len(held)
    assert "diffusion" in page.locator("#in-words").inner_text()
    assert {"q": "diffusion"} == fields(page) == query(page.url)


@pytest.mark.parametrize("trouble", ["refused", "another page", "silence"])
def test_the_server_is_gone(trouble: str, open_page: Open, watch: Watch) -> None:
    """While the server cannot be reached one line says so, the form stays as it was, and typing on recovers."""
    page = open_page("?min_upvotes=2")
    region = page.locator("#message")
    page.route(ANSWERS, {"refused": _refuse, "another page": _answer_otherwise, "silence": _end_early}[trouble])
    watch.expects("status of 502" if trouble == "another page" else "ERR_")
    page.locator("#q").fill("agents")
    expect(region).to_contain_text("is for the filter before")
    expect(region).to_be_in_viewport()
    assert "\n" not in region.inner_text()
    assert {"q": "agents", "min_upvotes": "2"} == fields(page)
    page.unroute(ANSWERS)
    page.locator("#q").press_sequentially(" ")
    page.locator("#q").press_sequentially("video")
    settled(page, "agents video")
    expect(region).to_be_empty()
    assert 0 <= count_told(page)


def _refuse(route: Route) -> None:
    route.abort("connectionrefused")


def _answer_otherwise(route: Route) -> None:
    route.fulfill(status=502, content_type="text/html", body="<h1>Bad gateway</h1>")


def _end_early(route: Route) -> None:
    route.abort("connectionreset")


def test_the_count_is_announced(open_page: Open) -> None:
    """The live region says how many entries there are, and is itself never replaced."""
    page = open_page()
    region = page.locator("#status")
    assert "status" == region.get_attribute("role")
    region.evaluate("element => { element.same = true }")
    before = region.inner_text()
    page.locator("#q").fill("video")
    expect(region).not_to_have_text(before)
    assert count_told(page) >= len(titles(page)) > 0
    assert region.evaluate("element => element.same === true")


def test_the_keyboard_is_enough(open_page: Open) -> None:
    """Tab leads from the words to the numbers of upvotes and the copy button, and where one is can be seen."""
    page = open_page("?q=agents")
    page.locator("#q").focus()
    places = ("#min_upvotes", "#copy", '#thresholds a[data-min-upvotes="2"]')
    for place in sorted(places, key=lambda place: _height(page, place)):
        _tab_to(page, place)
    page.locator('#thresholds a[data-min-upvotes="2"]').press("Enter")
    settled(page, "at least 2 upvotes")
    assert has_focus(page.locator('#thresholds a[data-min-upvotes="2"]'))


def _height(page: Page, place: str) -> float:
    return page.locator(place).bounding_box()["y"]


def _tab_to(page: Page, place: str) -> None:
    """Press Tab until `place` has the focus; each place on the way shows that it has it."""
    for _ in range(60):
        page.keyboard.press("Tab")
        outline = page.evaluate(
            "(({outlineStyle, outlineWidth}) => [outlineStyle, outlineWidth])(getComputedStyle(document.activeElement))"
        )
        assert outline[0] != "none"
        assert outline[1] not in ("", "0px")
        if has_focus(page.locator(place)):
            return
    raise AssertionError(f"Tab does not lead to {place}")


def test_typing_keeps_the_focus(open_page: Open) -> None:
    """Whoever types goes on typing while the results are replaced."""
    page = open_page()
    page.locator("#q").press_sequentially("agents")
    settled(page, "agents")
    page.keyboard.type(" video")
    settled(page, "agents video")
    assert has_focus(page.locator("#q"))
