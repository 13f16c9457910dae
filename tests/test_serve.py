"""The service as it is really run: `feedproxy serve` and `gunicorn wsgi:app`, each in processes of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import feedparser
import httpx
import pytest

from tests.made_up import api, entries

BIN = Path(sys.executable).parent
CHECKOUT = Path(__file__).parents[1]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a command; what it prints to standard error is read as it comes. It is stopped at the end."""
    running: list[subprocess.Popen[str]] = []
    clean = {name: text for name, text in os.environ.items() if not name.startswith("FEEDPROXY_")}

    def begin(*command: object, pass_fds: tuple[int, ...] = (), **settings: str) -> subprocess.Popen[str]:
        environment = {f"FEEDPROXY_{name.upper()}": text for name, text in settings.items()}
        process = subprocess.Popen(
            [str(BIN / str(command[0])), *map(str, command[1:])],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=pass_fds,
            cwd=CHECKOUT,
            env=clean | {"XDG_DATA_HOME": str(tmp_path / "share")} | environment,
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        stop(process)
        process.communicate()


def stop(process: subprocess.Popen[str], how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
    """Stop `process`; return its exit code and what else it printed."""
    if process.poll() is None:
        process.send_signal(how)
    assert process.stderr
    rest = process.stderr.read() if not process.stderr.closed else ""
    return process.wait(20), rest


def greeting(process: subprocess.Popen[str]) -> list[str]:
    assert process.stderr
    return [process.stderr.readline().rstrip() for _ in range(4)]


def test_demo(start: Start, tmp_path: Path) -> None:
    """`feedproxy serve --demo` prints an address to subscribe to, which works at once, and stops when told to."""
    process = start("feedproxy", "serve", "--demo", "--bind", "127.0.0.1:0", maxage="1")
    assert process.stderr
    warning = process.stderr.readline()
    listing, archive, subscribe, choose = greeting(process)
    assert "feedproxy: FEEDPROXY_MAXAGE is no setting, did you mean FEEDPROXY_MAX_AGE?\n" == warning
    assert "listing:   made-up papers (--demo)" == listing
    assert archive.startswith(f"archive:   {tmp_path}/share/feedproxy/")
    address = subscribe.removeprefix("subscribe: ")
    assert re.fullmatch(r"http://localhost:[1-9]\d*/feed\.rss\?q=agents&min_upvotes=2", address)
    assert address.split("feed.rss")[0] == choose.removeprefix("or choose: ")
    with httpx.Client() as client:
        assert feedparser.parse(client.get(address).content).entries
        everything = feedparser.parse(client.get(address.partition("?")[0]).content)
    assert 12 == len({entry.id for entry in everything.entries})
    code, rest = stop(process, signal.SIGINT)
    assert 0 == code
    assert 1 == len(rest.splitlines())
    assert re.search(r"1 listing read, 12 papers in them, 12 new, in \d\.\d s\n$", rest)


def test_unreachable_hub(start: Start) -> None:
    """An unreachable Hub is said once, plainly, on the terminal, with what can be tried instead; and in the 503."""
    process = start("feedproxy", "serve", "--workers", "2", "--bind", "127.0.0.1:0", listing="http://127.0.0.1:9")
    address = greeting(process)[2].removeprefix("subscribe: ")
    response = httpx.get(address)
    assert 503 == response.status_code
    assert response.text.startswith("there are no papers yet: cannot reach 127.0.0.1: ")
    assert process.stderr
    lines = [process.stderr.readline() for _ in range(2)]  # whoever has the lease logs, the first worker says it
    (told,) = [line for line in lines if line.startswith("feedproxy: ")]
    assert told.startswith("feedproxy: there are no papers yet: cannot reach 127.0.0.1: ")
    assert told.endswith("; to try feedproxy without a network: feedproxy serve --demo\n")
    assert (0, "") == stop(process, signal.SIGTERM)


def test_every_worker_gives_the_same(start: Start, serve: Callable[..., httpx.Client], tmp_path: Path) -> None:
    """`gunicorn wsgi:app` works from a checkout; each of its workers and a later server answer with the same bytes."""
    (tmp_path / "listing.json").write_bytes(api(entries(8, upvotes=3)))
    settings = {"listing": str(tmp_path / "listing.json"), "public_url": "https://feeds.example.org"}
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number, port = listening.fileno(), listening.getsockname()[1]
        options = ("--bind", f"fd://{number}", "--workers", "2", "--log-level", "warning")
        gunicorn = start("gunicorn", "wsgi:app", *options, pass_fds=(number,), **settings)
        seen = answers(f"http://127.0.0.1:{port}")
    assert (0, "") == stop(gunicorn)
    seen |= answers(str(serve(**settings).base_url).rstrip("/"))
    assert 1 == len(seen)
    assert 200 == seen.pop()[0]


def answers(base: str) -> set[tuple[int, str, bytes]]:
    """Return the different answers to a few requests, each over a connection of its own."""
    with httpx.Client(headers={"Connection": "close"}, timeout=60) as client:
        found = [client.get(f"{base}/feed.atom?q=agents") for _ in range(8)]
    return {(response.status_code, response.headers["ETag"], response.content) for response in found}


def test_workers_add_up(start: Start) -> None:
    """Workers answer `/metrics` with the sum of what each counted; with `--log-json` a line of the log is an object."""
    words = ("serve", "--log-json", "--workers", "2", "--bind", "127.0.0.1:0")
    process = start("feedproxy", *words, metrics="1", listing="demo")
    address = greeting(process)[2].removeprefix("subscribe: ").partition("/feed")[0]
    for _ in range(20):
        httpx.get(f"{address}/feed.rss", verify=False)
    assert "feedproxy_feeds_total 20.0" in httpx.get(f"{address}/metrics", verify=False).text.splitlines()
    assert process.stderr
    told = json.loads(process.stderr.readline())
    assert {"time", "level", "name", "message"} == told.keys()
    assert told["message"].startswith("the made-up listing: 1 listing read, 12 papers in them, 12 new, in ")
    assert 0 == stop(process)[0]
