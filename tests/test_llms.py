"""/llms.txt says what this server is and how to ask it; every address in it answers."""

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from feedproxy.feeds import FORMATS
from feedproxy.model import HAS
from feedproxy.query.grammar import FIELDS
from feedproxy.query.parameters import PARAMETERS
from tests.test_web import one_line

Serve = Callable[..., httpx.Client]
LINK = re.compile(r"- \[((?:[^\\\]]|\\.)+)\]\((\S+)\)(?:: .+)?")
KEY = "k" * 32


@pytest.fixture
def client(serve: Serve, tmp_path: Path, demo: Path) -> httpx.Client:
    (tmp_path / "feeds.toml").write_text('[[feed]]\nname = "tools"\ntitle = "Tools [x](y) <b>"\nquery = "q=tool"\n')
    return serve(listing="demo", archive=str(demo), feeds=str(tmp_path / "feeds.toml"))


def sections(text: str) -> dict[str, list[tuple[str, str]]]:
    """Return the links of each section, by the convention of llmstxt.org: nothing but links in a list."""
    _, *parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    links = {
        title: [LINK.fullmatch(line) for line in body.strip().splitlines()]
        for title, body in zip(parts[::2], parts[1::2], strict=True)
    }
    return {title: [(found[1], found[2]) for found in matches if found] for title, matches in links.items()}


def test_shape(client: httpx.Client) -> None:
    """It is a title, a quotation and text, then sections that are lists of links and nothing else."""
    text = client.get("/llms.txt").text
    assert re.match(r"# feedproxy\n\n> [^\n]+\n\n(?!#)", text)
    assert ["Formats", "Examples", "Feeds of this server", "Service"] == list(sections(text))
    body = text.partition("## ")[2]
    assert all(LINK.fullmatch(line) for line in body.splitlines()[1:] if line and not line.startswith("## "))
    assert "\n\n\n" not in text


def test_tables(client: httpx.Client) -> None:
    """Every format, parameter, field and kind of link is in it, a parameter with its values and default."""
    text = client.get("/llms.txt").text
    for name, parameter in PARAMETERS.items():
        default = "" if parameter.default in (None, "") else f"; default {parameter.default}"
        assert f"\n- `{name}`: {parameter.meaning} ({parameter.values}{default})\n" in text
    assert ", ".join(f"`{field}:`" for field in FIELDS) in text
    assert ", ".join(f"`has:{name}`" for name in HAS) in text
    titles = [title for title, _ in sections(text)["Formats"]]
    assert {form.title for form in FORMATS.values()} == set(titles)
    assert "Markdown" == titles[0]


@pytest.mark.parametrize("settings", [{}, {"access_key": KEY}, {"public_url": "https://feeds.example.org/papers"}])
def test_every_address_answers(serve: Serve, demo: Path, settings: dict[str, str]) -> None:
    """Its addresses are whole and answer, behind an access key and below a path too."""
    client = serve(listing="demo", archive=str(demo), **settings)
    prefix = f"/k/{KEY}" if "access_key" in settings else ""
    base = settings.get("public_url", str(client.base_url).rstrip("/") + prefix)
    text = client.get(f"{prefix}/llms.txt", headers={"Host": httpx.URL(base).netloc.decode()}).text
    addresses = [address for links in sections(text).values() for _, address in links]
    ours = [address for address in addresses if address.startswith(f"{base}/")]
    assert len(addresses) - 1 == len(ours), "all but the documentation"
    for address in ours:
        path = prefix + address.removeprefix(base)
        assert 200 == client.get(path, headers={"Host": httpx.URL(base).netloc.decode()}).status_code, address


def test_every_example_of_the_demo_finds_something(client: httpx.Client) -> None:
    """Who tries an example in the demo sees papers, though nobody real made them."""
    text = client.get("/llms.txt").text
    documents = {title: client.get(address).text for title, address in sections(text)["Examples"]}
    assert [] == [title for title, document in documents.items() if "\n## " not in document]
    assert "yann lecun" not in text


def test_named_feeds(client: httpx.Client) -> None:
    """A feed that the operator named is in it, with its title as text."""
    named = sections(client.get("/llms.txt").text)["Feeds of this server"]
    assert [("Tools \\[x\\](y) &lt;b>", str(client.base_url.join("/f/tools.md")))] == named


def test_headers(client: httpx.Client) -> None:
    """It is plain text that caches may keep, compressed on request, and not sent again to whoever has it."""
    answer = client.get("/llms.txt", headers={"Accept-Encoding": "gzip", "Accept": "text/html"})
    assert "text/plain; charset=utf-8" == answer.headers["Content-Type"]
    assert "public, max-age=3600" == answer.headers["Cache-Control"]
    assert ("gzip", "Accept-Encoding") == (answer.headers["Content-Encoding"], answer.headers["Vary"])
    assert "nosniff" == answer.headers["X-Content-Type-Options"]
    again = {"Accept-Encoding": "gzip", "If-None-Match": answer.headers["ETag"]}
    assert 304 == client.get("/llms.txt", headers=again).status_code
    assert (
        answer.headers["Content-Length"]
        == client.head("/llms.txt", headers=again | {"If-None-Match": '"x"'}).headers["Content-Length"]
    )


def test_unknown_host(serve: Serve) -> None:
    """It names the address of this server, so an unknown host gets an error."""
    answer = serve(listing="demo").get("/llms.txt", headers={"Host": "evil.example"})
    assert 421 == answer.status_code
    assert "does not go by" in one_line(answer)
