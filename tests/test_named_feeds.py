"""Feeds with names: the operator's file, and what is at /f/NAME."""

import html
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import feedparser
import httpx
import pytest
from lxml import etree

from feedproxy.errors import ConfigError
from feedproxy.query.grammar import parse_filter
from feedproxy.query.named_feeds import NamedFeed, read_feeds
from feedproxy.query.parameters import Query, parse_query
from tests.conftest import Clock, serving
from tests.factories import api, entries
from tests.test_feeds import check_atom
from tests.test_web import MEDIA_TYPES, lines, one_line, settings

FEEDS = """
[[feed]]
name = "agents"
title = "Agents worth a <look> & more"
query = "q=AGENTS OR tool-use&min_upvotes=2"

[[feed]] # everything
name = "all-3"
title = "Everything"
query = "limit=3"
"""
AGENTS = "q=agents%20OR%20%22tool%20use%22&min_upvotes=2"


def write_feeds(folder: Path, text: str | bytes) -> str:
    """Return the path of a file of feeds that holds `text`."""
    path = folder / "feeds.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """One server with two named feeds, for tests that only read."""
    folder = tmp_path_factory.mktemp("named")
    (folder / "listing.json").write_bytes(api(entries(8, upvotes=3)))
    with serving(settings(folder, feeds=write_feeds(folder, FEEDS), hosts="feeds.example.org"), Clock()) as client:
        yield client


# The file ---------------------------------------------------------------------------------------


def test_file(tmp_path: Path) -> None:
    """A file names feeds in an order that is kept."""
    assert (
        NamedFeed("agents", "Agents worth a <look> & more", parse_query(AGENTS)),
        NamedFeed("all-3", "Everything", parse_query("limit=3")),
    ) == read_feeds(write_feeds(tmp_path, FEEDS))


def test_file_with_a_digest(tmp_path: Path) -> None:
    """A feed of digests may have a name."""
    text = '[[feed]]\nname = "best"\ntitle = "The best"\nquery = "digest=week&top=5&q=agents"\n'
    (feed,) = read_feeds(write_feeds(tmp_path, text))
    assert Query(q=parse_filter("agents"), digest="week", top=5, days=366) == feed.query


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "\ufeff", "feed = []"])
def test_file_without_feeds(tmp_path: Path, text: str) -> None:
    """A file may name no feed."""
    assert () == read_feeds(write_feeds(tmp_path, text))


def test_no_file() -> None:
    """Without the setting no feed has a name."""
    assert () == read_feeds(None)


@pytest.mark.parametrize("text", [FEEDS.replace("\n", "\r\n"), f"\ufeff{FEEDS}"])
def test_file_written_elsewhere(tmp_path: Path, text: str) -> None:
    """Line ends and a mark at the beginning, as Windows has them, make no difference."""
    assert read_feeds(write_feeds(tmp_path, FEEDS)) == read_feeds(write_feeds(tmp_path, text))


def table(**values: str) -> str:
    """Return one feed's table, made right but for `values`, which are TOML; an empty one leaves the key out."""
    rows = {"name": '"a"', "title": '"A"', "query": '"q=a"'} | values
    return "\n".join(["[[feed]]", *(f"{key} = {value}" for key, value in rows.items() if value), ""])


@pytest.mark.parametrize(
    "text_and_problems",
    [
        ("[[feed]", "is not TOML: Expected ']]' at the end of an array declaration (at line 1, column 7)"),
        (b"a = '\xff'", "is not UTF-8"),
        ("[feed]\nname = 'a'", "needs [[feed]], in two brackets, before each feed"),
        ("feed = ['a']", "feed 1: name: is missing", "feed 1: title: is missing", "feed 1: query: is missing"),
        ("feeds = 1", "“feeds” means nothing here, did you mean feed?"),
        (table(name=""), "feed 1: name: is missing"),
        (table(name="'A'"), "feed 1: name: must be 1 to 40 of a-z, 0-9 and -, not “A”"),
        (table(name="'a/../b'"), "feed 1: name: must be 1 to 40 of a-z, 0-9 and -, not “a/../b”"),
        (table(name="'é'"), "feed 1: name: must be 1 to 40 of a-z, 0-9 and -, not “é”"),
        (table(name=f"'{'a' * 41}'"), f"feed 1: name: must be 1 to 40 of a-z, 0-9 and -, not “{'a' * 39}…”"),
        (table(title="7"), "feed 1 “a”: title: must be text in quotation marks"),
        (table(title="' '"), "feed 1 “a”: title: must have 1 to 200 characters"),
        (table(title=f"'{'x' * 201}'"), "feed 1 “a”: title: must have 1 to 200 characters"),
        (table(query="'q=((a)'"), "feed 1 “a”: query: q at character 1: this ( is never closed"),
        (table(query="'min_upvote=2'"), "feed 1 “a”: query: “min_upvote”: there is no such parameter, did you mean"),
        (table(query="'q=a&page=2'"), "feed 1 “a”: query: page: a feed with a name has one page; leave it out"),
        (
            table(query="'q=a, b, c&limit=x'"),
            "feed 1 “a”: query: q at character 2: “,” means nothing here; for both leave a space",
            "feed 1 “a”: query: q at character 5: “,” means nothing here; for both leave a space",
            "feed 1 “a”: query: limit: “x” is not a whole number from 1 to 200",
        ),
        (
            table(query="'q=%2522a%2522'"),
            "feed 1 “a”: query: q: is percent-encoded twice",
            "feed 1 “a”: query: did you mean q=%22a%22?",
        ),
        (
            table(query="'digest=weeks&top=0'"),
            "feed 1 “a”: query: digest: “weeks” is not one of day, week, month, did you mean week?",
            "feed 1 “a”: query: top: “0” is not a whole number from 1 to 50",
        ),
        (table(query="'top=5'"), "feed 1 “a”: query: top: needs digest=day, week or month"),
        (
            table(query="'q=rl c++'"),
            "feed 1 “a”: query: q: in an address + means a space: write c%2B%2B",
            "feed 1 “a”: query: did you mean q=rl c%2B%2B?",
        ),
        (table(quary="'q=a'"), "feed 1 “a”: “quary” is not a key of a feed, did you mean query?"),
        (table() + table(), "feed 2 “a”: the name is taken by a feed before it"),
        (
            table(title="''") + table(),
            "feed 1 “a”: title: must have 1 to 200 characters",
            "feed 2 “a”: the name is taken by a feed before it",
        ),
        (
            "x = 1\n" + table(name="'?'", title="1") + table(query=""),
            "“x” means nothing here",
            "feed 1: name: must be 1 to 40 of a-z, 0-9 and -, not “?”",
            "feed 1: title: must be text in quotation marks",
            "feed 2 “a”: query: is missing",
        ),
    ],
)
def test_problems(tmp_path: Path, text_and_problems: tuple[str, ...]) -> None:
    """Every mistake in a file is one line that says which feed has it."""
    text, *problems = text_and_problems
    path = write_feeds(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_feeds(path)
    assert len(problems) == len(caught.value.problems)
    for problem, line in zip(problems, caught.value.problems, strict=True):
        assert line.startswith(f"FEEDPROXY_FEEDS {path}: {problem}")
        assert line.isprintable()


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, '"\\u0000\\u001b[31m" = 1', '"\\u202e" = 1'])
def test_hostile_file(tmp_path: Path, text: str) -> None:
    """A file that is nested too deep, or written to confuse a terminal, is reported in printable text."""
    with pytest.raises(ConfigError) as caught:
        read_feeds(write_feeds(tmp_path, text))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(("name", "message"), [("none", "No such file or directory"), (".", "Is a directory")])
def test_unreadable_file(tmp_path: Path, name: str, message: str) -> None:
    """A file that cannot be read is an error at the start."""
    with pytest.raises(ConfigError, match=f"cannot be read: {message}$"):
        read_feeds(str(tmp_path / name))


# At the wire ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MEDIA_TYPES)
def test_named_feed(client: httpx.Client, name: str) -> None:
    """A named feed is the feed of its query, under its own title and address."""
    named, plain = client.get(f"/f/agents.{name}"), client.get(f"/feed.{name}?{AGENTS}")
    assert (200, MEDIA_TYPES[name]) == (named.status_code, named.headers["Content-Type"])
    assert plain.headers["ETag"] != named.headers["ETag"]
    for header in ("Cache-Control", "Vary", "X-Content-Type-Options"):
        assert plain.headers[header] == named.headers[header]
    assert "Last-Modified" not in named.headers  # its query may be edited, which no date in it tells
    assert 2 == len(ids(named))
    assert ids(plain) == ids(named)


def ids(response: httpx.Response) -> list[str]:
    """Return the ids of the entries in a feed, in their order."""
    return list(dict.fromkeys(re.findall(r"https://huggingface.co/papers/9913\.[0-9]+", response.text)))


def links(client: httpx.Client, path: str) -> dict[str, str]:
    """Return where the RSS at `path` leads, by relation, relative to the service."""
    links = feedparser.parse(client.get(path).content).feed.links
    return {link.rel: link.href.removeprefix(str(client.base_url).rstrip("/")) for link in links}


def test_addresses(client: httpx.Client) -> None:
    """A named feed leads to itself and to the page with its query; it has one page, however much it could hold."""
    assert {"self": "/f/agents.rss", "alternate": f"/?{AGENTS}"} == links(client, "/f/agents.rss")
    assert {"self": "/f/all-3.rss", "alternate": "/?limit=3"} == links(client, "/f/all-3.rss")
    feed = client.get("/f/all-3.json").json()
    assert "/f/all-3.json" == re.sub("^http://[^/]+", "", feed["feed_url"])
    assert "next_url" not in feed


def test_entries_are_those_of_the_query(client: httpx.Client) -> None:
    """A named feed holds what the feed of its query holds."""
    named, plain = (client.get(path).json() for path in ("/f/all-3.json", "/feed.json?limit=3"))
    assert 3 == len(named["items"])
    assert plain["items"] == named["items"]


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/f/agent.rss", 404, "no feed here has the name “agent”, did you mean agents?"),
        ("/f/AGENTS.rss", 404, "no feed here has the name “AGENTS”, did you mean agents?"),
        ("/f/zzz.json", 404, "no feed here has the name “zzz”"),
        ("/f/%3Cb%3E%0D%0AX:1.rss", 404, "no feed here has the name “<b>%0D%0AX:1”"),
        ("/f/agents.xml", 404, "there is no such page here; "),
        ("/f/agents", 404, "there is no such page here; "),
        ("/f/agents.rss?q=x", 400, "“q”: a feed with a name takes no parameters"),
        ("/f/agents.rss?page=2", 400, "“page”: a feed with a name takes no parameters"),
        ("/f/agents.rss?pag=", 400, "“pag”: a feed with a name takes no parameters"),
    ],
)
def test_mistakes(client: httpx.Client, path: str, status: int, message: str) -> None:
    """An unknown name, and a parameter, is one line."""
    response = client.get(path)
    assert status == response.status_code
    assert one_line(response).startswith(message)


def test_all_mistakes_in_an_address(client: httpx.Client) -> None:
    """Every parameter that a feed with a name does not take has a line."""
    response = client.get("/f/agents.rss?q=x&pag=2&utm_x=1")
    told = [f"“{name}”: a feed with a name takes no parameters" for name in ("q", "pag")]
    assert (400, told) == (response.status_code, lines(response))


def test_what_others_add_is_ignored(client: httpx.Client) -> None:
    """Parameters that links collect on their way make no other feed."""
    assert client.get("/f/agents.rss").content == client.get("/f/agents.rss?utm_source=x&_=1").content


def test_polled_again(client: httpx.Client) -> None:
    """A poll of a feed that has not changed is 304, from memory, whatever the client accepts."""
    fresh = client.get("/f/agents.atom", headers={"Accept": "text/html"})
    assert "Accept-Encoding" == fresh.headers["Vary"]
    sent = {"If-None-Match": fresh.headers["ETag"], "Accept": "application/rss+xml"}
    again = client.get("/f/agents.atom", headers=sent)
    assert (304, "Accept-Encoding", fresh.headers["ETag"]) == (
        again.status_code,
        again.headers["Vary"],
        again.headers["ETag"],
    )


def test_atom_id(serve: Callable[..., httpx.Client], tmp_path: Path, client: httpx.Client) -> None:
    """A named feed keeps its Atom id when its query or title is edited; no other feed or server has it."""
    (tmp_path / "listing.json").write_bytes(api(entries(8, upvotes=3)))
    ids_before = []
    for text in (FEEDS, FEEDS.replace("AGENTS OR tool-use", "survey").replace("worth", "well worth")):
        edited = serve(
            listing=str(tmp_path / "listing.json"),
            feeds=write_feeds(tmp_path, text),
            public_url="https://feeds.example.org",
        )
        ids_before += [atom_id(edited, "/f/agents.atom")]
    others = [
        atom_id(edited, "/f/all-3.atom"),
        atom_id(edited, f"/feed.atom?{AGENTS}"),
        atom_id(client, "/f/agents.atom"),
    ]
    assert 1 == len(set(ids_before))
    assert 4 == len({*ids_before, *others})


def atom_id(client: httpx.Client, path: str) -> str:
    root = etree.fromstring(client.get(path).content)
    check_atom(root)
    return str(root.findtext("{http://www.w3.org/2005/Atom}id"))


def test_title_is_text(client: httpx.Client) -> None:
    """Markup in a title is text in every format."""
    title = "Agents worth a <look> & more"
    assert title == etree.fromstring(client.get("/f/agents.rss").content).findtext("channel/title")
    (element,) = etree.fromstring(client.get("/f/agents.atom").content).findall("{*}title")
    assert ("html", html.escape(title)) == (element.get("type"), element.text)
    assert title == client.get("/f/agents.json").json()["title"]


def test_unknown_host(client: httpx.Client) -> None:
    """A named feed too is refused under a host name that is not the server's."""
    assert 421 == client.get("/f/agents.rss", headers={"Host": "evil.example"}).status_code


def test_bad_file_at_the_start(serve: Callable[..., httpx.Client], tmp_path: Path) -> None:
    """With a bad file the service does not start."""
    with pytest.raises(ConfigError, match=r"^FEEDPROXY_FEEDS .*: is not TOML: "):
        serve(feeds=write_feeds(tmp_path, "="))
