"""Behind servers in front: a path of one's own, an access key, and whose word on the address counts."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urljoin

import feedparser
import httpx
import lxml.html
import pytest

from feedproxy.config import Config
from tests.conftest import Clock, serving
from tests.factories import api, entries

KEY = "made-up_KEY-0123456789"
PUBLIC = "https://feeds.example.org/daily"
FEED = "/feed.atom?q=paper&limit=5&page=2"
HTML = {"Accept": "text/html"}
Serve = Callable[..., httpx.Client]


@pytest.fixture
def start(serve: Serve, tmp_path: Path) -> Serve:
    """Start the service on papers enough for three pages of five."""
    (tmp_path / "listing.json").write_bytes(api(entries(12, upvotes=3)))
    return lambda **options: serve(listing=str(tmp_path / "listing.json"), **options)


@pytest.mark.parametrize("key", ["", KEY])
def test_prefix_taken_off_or_not(start: Serve, key: str) -> None:
    """With a path in the public address an answer is the same whether the server in front takes it off or not."""
    client = start(public_url=PUBLIC, access_key=key)
    access = f"/k/{key}" if key else ""
    for path in (
        FEED,
        "/feed.md",
        "/llms.txt",
        "/feed?q=paper",
        "/?q=paper",
        "/status",
        "/static/style.css",
        "/healthz",
    ) * 2:
        taken_off, left = client.get(access + path), client.get(f"/daily{access}{path}")
        assert (200, taken_off.content) == (left.status_code, left.content)


@pytest.mark.parametrize("public", [PUBLIC, "https://feeds.example.org/feed", "https://feeds.example.org/d%C3%A4/x"])
def test_odd_prefixes(start: Serve, public: str) -> None:
    """A path in the public address may look like one of the service's own, or be percent-encoded."""
    client = start(public_url=public)
    path = httpx.URL(public).raw_path.decode()
    assert [200] * 3 == [client.get(asked).status_code for asked in ("/feed", "/feed.rss", f"{path}/feed.rss")]
    assert 404 == client.get(f"{path}{path}/feed.rss").status_code
    assert 404 == client.get(f"{path}x/feed.rss").status_code


def test_no_address_of_a_redirect(start: Serve) -> None:
    """A path with a slash too many is not redirected to an address that only the server in front can be asked at."""
    client = start(public_url=PUBLIC)
    found = [client.get(f"{prefix}{path}") for prefix in ("", "/daily") for path in ("/static//style.css", "/f//x.rss")]
    assert [(404, None)] * 4 == [(answer.status_code, answer.headers.get("Location")) for answer in found]


@pytest.mark.parametrize("key", ["", KEY])
def test_without_the_last_slash(start: Serve, key: str) -> None:
    """The public address without its slash, and the key likewise, leads a browser to the page and a reader to the feed.

    The browser is sent on, as the links of the page are relative to where it is; by an address that names no host.
    """
    client = start(public_url=PUBLIC, access_key=key)
    access = f"/k/{key}" if key else ""
    whole = f"/daily{access}"
    for path in {whole, access} - {""}:
        sent_on = client.get(f"{path}?q=paper&limit=5", headers=HTML | {"Host": "evil.example"})
        place = f"./{path.rpartition('/')[2]}/?q=paper&limit=5"
        assert (301, place, "no-store") == (
            sent_on.status_code,
            sent_on.headers["Location"],
            sent_on.headers["Cache-Control"],
        )
        assert (
            client.get(f"{path}/?q=paper", headers=HTML).text
            == client.get(f"{path}?q=paper", headers=HTML, follow_redirects=True).text
        )
        for _ in range(2):  # made, and from memory
            feed = client.get(f"{path}?q=paper", headers={"Accept": "application/atom+xml"})
            assert client.get(f"{path}/feed.atom?q=paper").content == feed.content
        assert 301 == client.get(path, headers=HTML).status_code
    assert (403 if key else 404) == client.get(f"{whole}x").status_code


def links(page: httpx.Response) -> Iterator[str]:
    """Yield every address a page leads to at the service's own host, whole."""
    for _, attribute, link, _ in lxml.html.fromstring(page.text).iterlinks():
        whole = urljoin(PUBLIC + page.url.raw_path.decode(), link)
        if attribute in ("href", "src", "action") and whole.startswith(("https://feeds.example.org", "http://127")):
            yield whole


@pytest.mark.parametrize("path", ["/?q=paper&limit=5", "/status", "/?q=%22"])
@pytest.mark.parametrize("key", ["", KEY])
def test_pages_lead_where_they_are(start: Serve, path: str, key: str) -> None:
    """Every link of a page leads below the public path and the key, to something that is there."""
    client = start(public_url=PUBLIC, access_key=key)
    access = f"/k/{key}" if key else ""
    found = {link for link in links(client.get(access + path, headers=HTML)) if "#" not in link}
    assert len(found) >= 2
    assert [] == [link for link in found if not link.startswith(f"{PUBLIC}{access}/")]
    whole = [
        httpx.URL(link.removeprefix(PUBLIC)) for link in found if not link.endswith("/opml")
    ]  # which wants to be told of what
    kinds = {(link.path, *link.params): link for link in whole}  # one of each path and choice of parameters
    assert {200} == {client.get(link, headers=HTML).status_code for link in kinds.values()}


# The access key ---------------------------------------------------------------------------------

WITHOUT = [
    FEED,
    f"{FEED}&key={KEY}",
    f"/k{FEED}",
    f"/k/{KEY}x",
    f"/k/{KEY[:-1]}",
    f"/k/{KEY[:-1]}{FEED}",
    f"/k/{KEY}x{FEED}",
    f"/k/{KEY.lower()}{FEED}",
    f"/k//{KEY}{FEED}",
    f"/K/{KEY}{FEED}",
    f"/k/%C3%BC{KEY[2:]}{FEED}",
    f"/elsewhere/k/{KEY}{FEED}",
    "/",
    "/status",
    "/status.json",
    "/metrics",
    "/static/style.css",
    "/healthz/",
    "/nowhere",
]


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """One server with a key, which was asked for the feed, for all tests that only try to read."""
    folder = tmp_path_factory.mktemp("private")
    (folder / "listing.json").write_bytes(api(entries(12, upvotes=3)))
    settings = {"LISTING": folder / "listing.json", "ARCHIVE": folder / "a.sqlite", "METRICS": 1, "ACCESS_KEY": KEY}
    with serving(Config.load({f"FEEDPROXY_{name}": str(text) for name, text in settings.items()}), Clock()) as client:
        assert [200] * 2 == [client.get(f"/k/{KEY}{FEED}").status_code for _ in range(2)]
        yield client


@pytest.mark.parametrize("path", WITHOUT)
def test_without_the_key(private: httpx.Client, path: str) -> None:
    """Without the key, or with another, nothing is answered but one line, also where the answer is known by then."""
    line = "this server is private: its addresses begin with /k/, its access key and a slash\n"
    for method, body in {"GET": line, "POST": line, "HEAD": ""}.items():
        refused = private.request(method, path, headers={"If-None-Match": "*"})
        assert (403, "no-store", body) == (refused.status_code, refused.headers["Cache-Control"], refused.text)


def test_private_pages_are_not_for_search_engines(start: Serve) -> None:
    """With a key no page may be listed: its address would be."""
    told = [
        start(**options).get(path, headers=HTML) for options, path in (({"access_key": KEY}, f"/k/{KEY}/"), ({}, "/"))
    ]
    assert ["noindex, nofollow", None] == [page.headers.get("X-Robots-Tag") for page in told]


def test_refusals_are_counted(start: Serve) -> None:
    """Who comes without the key is counted."""
    client = start(access_key=KEY, metrics="1")
    for path in ("/", "/feed.rss", "/healthz"):
        client.get(path)
    assert 'feedproxy_requests_total{format="other",status="403"} 2.0' in client.get(f"/k/{KEY}/metrics").text


def test_open_with_a_key(start: Serve) -> None:
    """Whoever looks after the process needs no key, and may use it."""
    client = start(access_key=KEY)
    client.get(f"/k/{KEY}/feed.rss")
    paths = [f"{access}{path}" for access in ("", f"/k/{KEY}") for path in ("/healthz", "/readyz")]
    assert [200] * 4 == [client.get(path).status_code for path in paths]


@pytest.mark.parametrize("public", ["", PUBLIC])
@pytest.mark.parametrize("name", ["rss", "atom", "json"])
def test_feeds_carry_the_key(start: Serve, tmp_path: Path, name: str, public: str) -> None:
    """Every address of the service in a feed has the key in it and leads somewhere; its id has not."""
    client = start(access_key=KEY, public_url=public)
    address = public or str(client.base_url)
    path = f"/feed.{name}?q=paper&limit=5&page=2"
    body = client.get(f"/k/{KEY}{path}").text
    told = re.findall(rf"{re.escape(address)}([^\"<]*)", body.replace("&amp;", "&"))
    expected = {path, path.replace("2", "3"), path.replace(f"feed.{name}", "")}
    expected |= set() if name == "json" else {path.replace("&page=2", "")}
    assert {f"/k/{KEY}{own}" for own in expected} == {own for own in told if "/static/" not in own}
    assert len(told) == body.count(KEY)
    assert {200} == {client.get(own).status_code for own in told}
    keyless = start(public_url=public, archive=str(tmp_path / "other.sqlite")).get(path).text
    assert feedparser.parse(keyless).feed.get("id") == feedparser.parse(body).feed.get("id")


def test_opml_carries_the_key(start: Serve, tmp_path: Path) -> None:
    """The addresses in OPML have the key, be they of feeds with names or of those asked for, in whatever way."""
    (tmp_path / "feeds.toml").write_text('[[feed]]\nname = "papers"\ntitle = "Papers"\nquery = "q=paper"\n')
    client = start(access_key=KEY, public_url=PUBLIC, feeds=str(tmp_path / "feeds.toml"))
    own = f"{PUBLIC}/k/{KEY}/"
    asked = {"feed": ["f/papers.rss", f"{own}feed.atom?q=paper"]}
    for file, expected in (("feeds.opml", {"f/papers.rss"}), ("opml", {"f/papers.rss", "feed.atom?q=paper"})):
        told = client.get(f"/k/{KEY}/{file}", params=asked if file == "opml" else None).text
        assert {f"{own}{path}" for path in expected} == set(re.findall(r'xmlUrl="([^"]*)"', told))
        assert {200} == {client.get(f"/k/{KEY}/{path}").status_code for path in expected}
        assert 403 == client.get(f"/{file}").status_code


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """One server that trusts one in front, for all tests that only read."""
    folder = tmp_path_factory.mktemp("settled")
    (folder / "listing.json").write_bytes(api(entries(12, upvotes=3)))
    settings = {"LISTING": folder / "listing.json", "ARCHIVE": folder / "a.sqlite", "TRUSTED_PROXIES": 1}
    with serving(Config.load({f"FEEDPROXY_{name}": str(text) for name, text in settings.items()}), Clock()) as client:
        yield client


# X-Forwarded-* ----------------------------------------------------------------------------------

FORWARDED = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "feeds.example.org",
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Port": "81",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Ssl": "on",
    "Forwarded": "host=evil.example;proto=https",
}


def address_told(client: httpx.Client, **headers: str) -> str:
    response = client.get("/feed.json", headers=FORWARDED | headers)
    assert 200 == response.status_code, response.text
    told: str = response.json()["feed_url"]
    return told.removesuffix("/feed.json")


def test_forwarded_is_not_believed(start: Serve) -> None:
    """Unless told to, the service believes nothing about the address it was asked at but the request's own Host."""
    client = start(hosts="feeds.example.org")
    assert [str(client.base_url)] * 2 == [address_told(client) for _ in range(2)]


@pytest.mark.parametrize(
    ("proxies", "headers", "expected"),
    [
        ("1", {}, "https://feeds.example.org"),
        ("1", {"X-Forwarded-Host": "evil.example, feeds.example.org:81"}, "https://feeds.example.org:81"),
        ("1", {"X-Forwarded-Proto": "https, http"}, "http://feeds.example.org"),
        ("1", {"X-Forwarded-Proto": "HTTPS"}, "https://feeds.example.org"),
        (
            "1",
            {"X-Forwarded-Proto": "HTTPS", "X-Forwarded-Host": "FEEDS.example.org.:443"},
            "https://feeds.example.org",
        ),
        ("1", {"X-Forwarded-Host": "a,feeds.example.org ,"}, "https://feeds.example.org"),
        ("2", {"X-Forwarded-Host": "evil.example, feeds.example.org, nas"}, "http://feeds.example.org"),
        ("2", {"X-Forwarded-Host": "a, nas, b", "X-Forwarded-Proto": "x, https, http"}, "https://nas"),
    ],
)
def test_forwarded_by_so_many(start: Serve, proxies: str, headers: dict[str, str], expected: str) -> None:
    """Of so many servers in front the first one's word counts; what is longer ago, which anybody may say, does not."""
    client = start(hosts="feeds.example.org", trusted_proxies=proxies)
    assert [expected] * 2 == [address_told(client, **headers) for _ in range(2)]


@pytest.mark.parametrize("name", ["X-Forwarded-Host", "X-Forwarded-Proto"])
@pytest.mark.parametrize(
    "junk", ["java.script", "evil.example:1", "fe80::1%@nas", "nas:99999", "[::1", "nas/evil", '"><b>', ""]
)
def test_forwarded_junk(settled: httpx.Client, name: str, junk: str) -> None:
    """What a trusted server in front passes on of a client's is refused where it is no host or scheme, or ignored."""
    ignored = junk in ('"><b>', "")
    for path in ("/feed.rss", "/?q=paper"):
        answer = settled.get(path, headers={name: junk})
        assert (200 if ignored else 421) == answer.status_code
        assert 200 == settled.get("/healthz", headers={name: junk}).status_code
        assert ignored == (f'href="{settled.base_url}/feed.rss' in answer.text)


@pytest.mark.parametrize("scheme", ["ws", "wss", "WSS", "file"])
def test_forwarded_scheme_of_something_else(settled: httpx.Client, scheme: str) -> None:
    """A scheme that is not HTTP's is refused where an address is told, and of no account elsewhere."""
    statuses = {"/feed.rss": 421, "/?q=paper": 421, "/healthz": 200, "/static/icon.svg": 200}
    answers = {path: settled.get(path, headers={"X-Forwarded-Proto": scheme}) for path in statuses}
    assert statuses == {path: answer.status_code for path, answer in answers.items()}
    assert "X-Forwarded-Proto is neither http nor https\n" == answers["/feed.rss"].text


def test_forwarded_host_is_checked(start: Serve) -> None:
    """A host named by a trusted server in front has to be known like any other."""
    client = start(trusted_proxies="1", public_url=PUBLIC)
    hosts = {"feeds.example.org": 200, "localhost": 200, "evil.example": 421}
    assert hosts == {host: client.get("/feed.rss", headers={"X-Forwarded-Host": host}).status_code for host in hosts}


def test_forwarded_does_not_mix(start: Serve) -> None:
    """An answer for one address is not given for another: what was forwarded is looked at before the memory is."""
    client = start(hosts="feeds.example.org", trusted_proxies="1")
    expected = ["https://feeds.example.org", "http://nas"] * 2
    heads = [{}, {"X-Forwarded-Host": "nas", "X-Forwarded-Proto": "http"}] * 2
    assert expected == [address_told(client, **head) for head in heads]


def test_crawlers_are_kept_from_a_private_server(serve: Callable[..., httpx.Client], demo: Path) -> None:
    """Whoever crawls a server with an access key learns at its root, without the key, that nothing there is for it."""
    answer = serve(listing="demo", archive=str(demo), access_key=KEY).get("/robots.txt")
    assert (200, "User-agent: *\nDisallow: /\n") == (answer.status_code, answer.text)
