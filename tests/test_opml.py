"""OPML files: the feeds that were asked for arrive in a reader, under their titles and addresses."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import httpx
import listparser
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from tests.conftest import Clock, serving
from tests.factories import api, entries
from tests.test_named_feeds import FEEDS, write_feeds
from tests.test_web import lines, one_line, settings

BASE = "https://feeds.example.org/papers"
NAMED = "Agents worth a <look> & more"
PHRASE = "q=%22tool%20use%22&min_upvotes=2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("opml")
    (folder / "listing.json").write_bytes(api(entries(8, upvotes=3)))
    write_feeds(folder, FEEDS)
    return folder


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[httpx.Client]:
    """One server with two named feeds, which goes by BASE, for tests that only read; OPML asks it for no papers."""
    with serving(settings(folder, feeds=str(folder / "feeds.toml"), public_url=BASE), Clock()) as client:
        yield client


def asked(*feeds: str) -> str:
    """Return the path of the file of `feeds`."""
    return f"/opml?{urlencode([('feed', text) for text in feeds])}"


def outlines(response: httpx.Response) -> list[tuple[str, str, str]]:
    """Return type, title and address of each feed in a file."""
    assert 200 == response.status_code
    found = etree.fromstring(response.content).findall("body/outline")
    assert all(outline.get("text") == outline.get("title") for outline in found)
    return [(outline.get("type"), outline.get("title"), outline.get("xmlUrl")) for outline in found]


EVERYTHING = ("rss", "Daily Papers", f"{BASE}/feed.rss")
AGENTS = ("rss", "Daily Papers: agents, at least 2 upvotes", f"{BASE}/feed.rss?q=agents&min_upvotes=2")


@pytest.mark.parametrize(
    ("text", "outline"),
    [
        ("q=agents&min_upvotes=2", AGENTS),
        ("min_upvotes=02&q=AGENTS&page=3&utm_source=x", AGENTS),
        ("?q=agents&min_upvotes=2", AGENTS),
        ("/?q=agents&min_upvotes=2", AGENTS),
        (f"{BASE}/?q=agents&min_upvotes=2", AGENTS),
        ("feed.rss?q=agents&min_upvotes=2", AGENTS),
        ("/feed.rss?q=agents&min_upvotes=2", AGENTS),
        ("feed?q=agents&min_upvotes=2", AGENTS),
        (f"{BASE}/feed.rss?q=agents&min_upvotes=2", AGENTS),
        ("feed.atom?q=agents&min_upvotes=2", ("atom", AGENTS[1], AGENTS[2].replace(".rss", ".atom"))),
        (f"{BASE}/feed.json?q=agents&min_upvotes=2", ("rss", AGENTS[1], AGENTS[2].replace(".rss", ".json"))),
        ("q=agents?&min_upvotes=2", AGENTS),
        (f" <{BASE}/feed.rss?q=agents&min_upvotes=2#top> ", AGENTS),
        (f"feed:{BASE}/feed.rss?q=agents&min_upvotes=2", AGENTS),
        (BASE.replace("https", "feed") + "/feed.rss?q=agents&min_upvotes=2", AGENTS),
        (BASE.upper() + "/feed.rss?q=agents&min_upvotes=2", AGENTS),
        (f"{BASE}?q=agents&min_upvotes=2", AGENTS),
        ("feed.rss", EVERYTHING),
        ("limit=50", EVERYTHING),
        (f"{BASE}/", EVERYTHING),
        (f"{BASE}/?q=agents&show=50&min_upvotes=2", AGENTS),
        (f"{BASE}/?show=50", EVERYTHING),
        (PHRASE, ("rss", 'Daily Papers: "tool use", at least 2 upvotes', f"{BASE}/feed.rss?{PHRASE}")),
        ("f/agents.rss", ("rss", NAMED, f"{BASE}/f/agents.rss")),
        ("/f/agents.atom", ("atom", NAMED, f"{BASE}/f/agents.atom")),
        (f"{BASE}/f/agents.json", ("rss", NAMED, f"{BASE}/f/agents.json")),
    ],
)
def test_ways_to_say_it(client: httpx.Client, text: str, outline: tuple[str, str, str]) -> None:
    """A feed may be given by its query, its path or its address; it stands in the file under its canonical one."""
    assert [outline] == outlines(client.get(asked(text)))


def test_headers(client: httpx.Client) -> None:
    """The file is one to save, of OPML's type, and to be asked for anew."""
    headers = client.get(asked("feed.rss")).headers
    assert "text/x-opml; charset=utf-8" == headers["Content-Type"]
    assert 'attachment; filename="feedproxy.opml"' == headers["Content-Disposition"]
    assert ("nosniff", "no-store") == (headers["X-Content-Type-Options"], headers["Cache-Control"])


def test_file(client: httpx.Client) -> None:
    """The file is OPML 2.0 of the feeds in their order, each address once, and holds no date."""
    response = client.get(asked("q=b", "f/agents.rss", "q=a", "q=B", "feed.rss?q=b&page=2"))
    root = etree.fromstring(response.content)
    assert (f"{BASE}/feed.rss?q=b", f"{BASE}/f/agents.rss", f"{BASE}/feed.rss?q=a") == tuple(
        outline.get("xmlUrl") for outline in root.iter("outline")
    )
    assert [f"{BASE}/?q=b", f"{BASE}/?q=agents%20OR%20%22tool%20use%22&min_upvotes=2", f"{BASE}/?q=a"] == [
        outline.get("htmlUrl") for outline in root.iter("outline")
    ]
    assert ("opml", {"version": "2.0"}) == (root.tag, dict(root.attrib))
    assert ["head", "body"] == [child.tag for child in root]
    assert [("title", "Daily Papers")] == [(child.tag, child.text) for child in root[0]]
    assert response.content == client.get(asked("q=b", "f/agents.rss", "q=a", "q=B", "feed.rss?q=b&page=2")).content


def test_reader_reads_it(client: httpx.Client) -> None:
    """A reader of OPML finds every feed, under the title it has."""
    found = listparser.parse(client.get(asked("q=agents", "feed.atom?q=rag", "feed.json?q=rl", "f/agents.rss")).text)
    assert not found.bozo
    assert "Daily Papers" == found.meta.title
    assert {
        f"{BASE}/feed.rss?q=agents": "Daily Papers: agents",
        f"{BASE}/feed.atom?q=rag": "Daily Papers: rag",
        f"{BASE}/feed.json?q=rl": "Daily Papers: rl",
        f"{BASE}/f/agents.rss": NAMED,
    } == {feed.url: feed.title for feed in found.feeds}


NEWSBOAT = shutil.which("newsboat")


@pytest.mark.once
@pytest.mark.skipif(NEWSBOAT is None, reason="newsboat is not installed (apt-get install newsboat)")
def test_newsboat_imports_it(client: httpx.Client, tmp_path: Path) -> None:
    """In newsboat every feed of a file is subscribed to."""
    wanted = [f"{BASE}/feed.rss?{PHRASE}", f"{BASE}/feed.atom?q=rag%20-survey", f"{BASE}/f/agents.rss"]
    (tmp_path / "feeds.opml").write_bytes(client.get(asked(*wanted)).content)
    (tmp_path / "urls").touch()
    (tmp_path / "config").touch()
    files = ["-u", tmp_path / "urls", "-C", tmp_path / "config", "-c", tmp_path / "cache"]
    subprocess.run(
        [str(NEWSBOAT), *map(str, files), "-i", str(tmp_path / "feeds.opml")],
        env={"HOME": str(tmp_path), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert wanted == [line.split()[0] for line in (tmp_path / "urls").read_text().splitlines()]


def test_digests(client: httpx.Client) -> None:
    """A feed of digests stands in the file under its canonical address, each only once."""
    file = outlines(client.get(asked("digest=week&q=agents&top=10&days=366", "?top=10&digest=week&q=Agents&page=2")))
    assert [("rss", f"{BASE}/feed.rss?q=agents&digest=week")] == [(form, address) for form, _, address in file]


def test_every_address_answers(serve: Callable[..., httpx.Client], folder: Path) -> None:
    """What stands in a file is a feed of this server."""
    client = serve(listing=str(folder / "listing.json"), feeds=str(folder / "feeds.toml"), public_url=BASE)
    for _, _, address in outlines(client.get(asked("q=agents", "feed.atom?limit=2", "f/agents.json"))):
        assert address.startswith(BASE)
        assert 200 == client.get(address.removeprefix(BASE)).status_code


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("", "feed: is missing; /opml?feed=q%3Dagents%26min_upvotes%3D2&feed=feed.atom%3Fq%3Drag makes a file of two"),
        ("feed=", "feed 1: is empty; feed.rss is the feed of every paper"),
        ("feed=q%3Da&feed=q%3D((a)", "feed 2 “q=((a)”: q at character 1: this ( is never closed"),
        (
            "feed=feed.rss%3Fmin_upvote%3D2",
            "feed 1 “feed.rss?min_upvote=2”: “min_upvote”: there is no such parameter",
        ),
        ("feed=digest%3Dyear", "feed 1 “digest=year”: digest: “year” is not one of day, week, month"),
        ("feed=feed.rss%3Ftop%3D5", "feed 1 “feed.rss?top=5”: top: needs digest=day, week or month"),
        ("feed=agents", "feed 1: “agents”: there is no such feed here, did you mean q=agents?"),
        ("feed=feed.xml%3Fq%3Da", "feed 1 “feed.xml?q=a”: “feed.xml”: there is no such feed here, did you mean feed."),
        (
            "feed=f/agent.rss",
            "feed 1: “f/agent.rss”: there is no such feed here, did you mean f/agents.rss?",
        ),
        (
            "feed=feed.md%3Flimit%3D50%26q%3Da",
            "feed 1: “feed.md?limit=50&q=a”: is Markdown, not a feed, did you mean feed.rss?q=a?",
        ),
        ("feed=f/agents.md", "feed 1: “f/agents.md”: is Markdown, not a feed, did you mean f/agents.rss?"),
        ("feed=f/agents.rss%3Fq%3Da", "feed 1 “f/agents.rss?q=a”: “q”: a feed with a name takes no parameters"),
        ("feed=https://evil.example/feed.rss%3Fq%3Da", "feed 1 “https://evil.example/feed.rss?q=a”: “https://evil"),
        (f"feed={BASE}evil/feed.rss", f"feed 1: “{BASE}evi"),
        ("feed=q=agents&min_upvotes=2", "“min_upvotes”: there is no such parameter of an OPML file; a & within a feed"),
        ("feeds=q%3Da", "“feeds”: there is no such parameter of an OPML file, did you mean feed?"),
        ("feed=%FF", "query: is not UTF-8"),
        ("&".join(["feed=feed.rss"] * 101), "query: holds more than 100 parameters"),
    ],
)
def test_mistakes(client: httpx.Client, query: str, told: str) -> None:
    """A feed that cannot be read is told in one line that says which one and why."""
    response = client.get(f"/opml?{query}")
    assert 400 == response.status_code
    assert one_line(response).startswith(told)


def test_all_mistakes_are_told_at_once(client: httpx.Client) -> None:
    """Each mistake of each feed has a line that says which feed it is; and what may be meant."""
    response = client.get(asked("q=a, b,", "feed.rss", "limit=x", "q=%2522a%2522"))
    assert 400 == response.status_code
    assert [
        "feed 1 “q=a, b,”: q at character 2: “,” means nothing here; for both leave a space, for either write OR",
        "feed 1 “q=a, b,”: q at character 5: “,” means nothing here; for both leave a space, for either write OR",
        "feed 1 “q=a, b,”: did you mean q=a b?",
        "feed 3 “limit=x”: limit: “x” is not a whole number from 1 to 200",
        "feed 4 “q=%2522a%2522”: q: is percent-encoded twice",
        "feed 4 “q=%2522a%2522”: did you mean q=%22a%22?",
    ] == lines(response)


def test_a_hundred_feeds(client: httpx.Client) -> None:
    """A hundred feeds are not too many."""
    assert 100 == len(outlines(client.get(asked(*(f"limit={number}" for number in range(1, 101))))))


def test_unknown_host(folder: Path) -> None:
    """A host this server was not told it has gets no file."""
    with serving(settings(folder, feeds=str(folder / "feeds.toml")), Clock()) as client:
        for path in (asked("feed.rss"), "/feeds.opml"):
            assert 421 == client.get(path, headers={"Host": "evil.example"}).status_code


# The operator's ---------------------------------------------------------------------------------


def test_named_feeds(client: httpx.Client) -> None:
    """/feeds.opml is a file of all feeds that have names."""
    response = client.get("/feeds.opml")
    assert "text/x-opml; charset=utf-8" == response.headers["Content-Type"]
    assert [
        ("rss", NAMED, f"{BASE}/f/agents.rss"),
        ("rss", "Everything", f"{BASE}/f/all-3.rss"),
    ] == outlines(response)


def test_no_named_feeds(serve: Callable[..., httpx.Client], demo: Path) -> None:
    """Where no feed has a name there is no such file."""
    assert 404 == serve(listing="demo", archive=str(demo)).get("/feeds.opml").status_code


# Anything ---------------------------------------------------------------------------------------

PIECES = st.sampled_from((BASE, "feed", ".rss", "?", "q=", "&", "f/agents", "<b>", '"', "\x00", "agents", "page=2"))


@given(texts=st.lists(st.lists(PIECES | st.text(max_size=5), max_size=6).map("".join), max_size=3))
def test_anything_is_a_file_or_one_line(client: httpx.Client, texts: list[str]) -> None:
    """Whatever is given for `feed`, the answer is a well-formed file, or 400 and a few lines of text."""
    response = client.get("/opml?" + "&".join(f"feed={quote(text.encode('utf-8', 'replace'))}" for text in texts))
    if response.status_code == 200:
        assert len(outlines(response)) in range(1, 4)
    else:
        assert 400 == response.status_code
        assert re.fullmatch(r"([^\n]+\n){1,10}", response.text)
