"""The service as it is really run: `feedproxy serve` and `wsgi:app` under other servers, in processes of their own."""

import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import feedparser
import httpx
import pytest

from feedproxy.config import Config
from feedproxy.server import address_in_network, in_pieces, on_worker_exit, on_worker_start
from feedproxy.web import create_app
from tests.factories import api, entries
from tests.hub import Hub

BIN = Path(sys.executable).parent
CHECKOUT = Path(__file__).parents[1]
Start = Callable[..., subprocess.Popen[str]]
Serve = Callable[..., httpx.Client]


def needs(module: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(find_spec(module) is None, reason=f"{module} is not installed")


# The commands in docs/deploying.md that start `wsgi:app` at port 8000.
_COMMAND = re.compile(r"^\$ ((gunicorn|uwsgi|waitress)\b.* wsgi:app)$", re.MULTILINE)
_DEPLOYING = (CHECKOUT / "docs" / "deploying.md").read_text().replace("\\\n", "")
WSGI = {name: command for command, name in _COMMAND.findall(_DEPLOYING)}
MODULES = {"uwsgi": "pyuwsgi"}  # where it is not called as the server is
assert ["gunicorn", "uwsgi", "waitress"] == list(WSGI)
every_wsgi_server = pytest.mark.parametrize(
    "command",
    [
        pytest.param(command, marks=[pytest.mark.integration, needs(MODULES.get(name, name))], id=name)
        for name, command in WSGI.items()
    ],
)

FEED = "/feed.atom?q=agents"
EVERYWHERE = "0.0.0.0"  # noqa: S104
KEY = "made-up-key-0123456789"
FORWARDED = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Ssl": "on",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Prefix": "/evil",
    "Script-Name": "/evil",
    "Script_Name": "/evil",
    "Forwarded": "host=evil.example;proto=https",
}
LONGEST = 8190 - len("GET  HTTP/1.1\r\n")  # bytes of a path and query that every server takes
TOLD = ("Content-Type", "Content-Encoding", "ETag", "Last-Modified", "Cache-Control", "Vary", "X-Content-Type-Options")
Facts = tuple[int, list[str | None], str | None, bytes]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a command; what it prints to standard error is read as it comes. It is stopped at the end."""
    running: list[subprocess.Popen[str]] = []
    clean = {name: text for name, text in os.environ.items() if not name.startswith(("FEEDPROXY_", "XDG_"))}

    def begin(*command: object, **settings: str) -> subprocess.Popen[str]:
        environment = {f"FEEDPROXY_{name.upper()}": text for name, text in settings.items()}
        process = subprocess.Popen(
            [str(BIN / str(command[0])), *map(str, command[1:])],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=CHECKOUT,
            start_new_session=True,
            env=clean | {"XDG_DATA_HOME": str(tmp_path / "share"), "HOME": str(tmp_path)} | environment,
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        stop(process)
        process.communicate()


def stop(process: subprocess.Popen[str], how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
    """Stop `process`, by Ctrl-C all that belong to it; return its exit code and what else it printed."""
    if process.poll() is None:
        (os.killpg if how == signal.SIGINT else os.kill)(process.pid, how)
    assert process.stderr
    rest = process.stderr.read() if not process.stderr.closed else ""
    return process.wait(20), rest


def greeting(process: subprocess.Popen[str]) -> list[str]:
    assert process.stderr
    return [process.stderr.readline().rstrip() for _ in range(4)]


def address_of(process: subprocess.Popen[str]) -> str:
    return greeting(process)[3].removeprefix("or choose: ").rstrip("/")


def children(process: subprocess.Popen[str]) -> set[int]:
    return {int(child) for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()}


def retried(url: str, wanted: Callable[[httpx.Response], bool] = lambda _: True) -> httpx.Response:
    """Return the first answer from `url` that is `wanted`; a server that starts refuses some connections before."""
    with httpx.Client(headers={"Connection": "close"}, timeout=30) as client:
        for _ in range(20_000):
            with suppress(httpx.TransportError):
                response = client.get(url)
                if wanted(response):
                    return response
    raise AssertionError(f"{url} never answered so")


# Both servers that are described in full: one command each, with --bind.
GUNICORN = pytest.param("gunicorn wsgi:app", marks=pytest.mark.integration)
either_server = pytest.mark.parametrize("command", ["feedproxy serve", GUNICORN])


# feedproxy serve --------------------------------------------------------------------------------


def test_demo(start: Start, tmp_path: Path) -> None:
    """`feedproxy serve --demo` prints an address to subscribe to, which works at once; only its archive stays."""
    process = start("feedproxy", "serve", "--demo", "--bind", "127.0.0.1:0", maxage="1")
    assert process.stderr
    warning = process.stderr.readline()
    listing, archive, subscribe, choose = greeting(process)
    assert "feedproxy: FEEDPROXY_MAXAGE is not a setting, did you mean FEEDPROXY_MAX_AGE?\n" == warning
    assert "listing:   made-up papers (--demo)" == listing
    assert archive.startswith(f"archive:   {tmp_path}/share/feedproxy/")
    address = subscribe.removeprefix("subscribe: ")
    assert re.fullmatch(r"http://localhost:[1-9]\d*/feed\.rss\?q=agents&min_upvotes=2", address)
    assert address.split("feed.rss")[0] == choose.removeprefix("or choose: ")
    with httpx.Client(timeout=30) as client:
        assert feedparser.parse(client.get(address).content).entries
        everything = feedparser.parse(client.get(address.partition("?")[0]).content)
    assert 50 == len({entry.id for entry in everything.entries})
    code, rest = stop(process, signal.SIGINT)
    assert 0 == code
    assert 1 == len(rest.splitlines())
    assert re.search(r"the demo: \d\d listings read, (\d+) papers in them, \1 new, in \d+\.\d s\n$", rest)
    assert Path(archive.removeprefix("archive:   ")).name in {
        path.name for path in (tmp_path / "share" / "feedproxy").iterdir()
    }
    assert ["share"] == [path.name for path in tmp_path.iterdir()]


def test_a_worker_that_ends_leaves_one_file(tmp_path: Path) -> None:
    """A worker refreshes from its beginning on, and lets go of the archive whole at its end."""
    app = create_app(Config.load({"FEEDPROXY_LISTING": "demo", "FEEDPROXY_ARCHIVE": str(tmp_path / "a.sqlite")}))
    service = app.extensions["feedproxy"]
    on_worker_start(service, first=True)
    service.loop.wait_for_papers(30)
    on_worker_exit(service)
    assert ["a.sqlite"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize("wait", [0, 0.01, 0.02, 0.04])
def test_stopped_while_it_starts(start: Start, wait: float) -> None:
    """A server that is stopped while its worker is being started ends at once."""
    process = start("feedproxy", "serve", "--demo", "--bind", "127.0.0.1:0")
    greeting(process)
    time.sleep(wait)
    process.terminate()
    assert 0 == process.wait(15)  # after 30 s the worker would be killed


def test_unreachable_hub(start: Start) -> None:
    """An unreachable Hub is said once, plainly, on the terminal, with what can be tried instead; and in the 503."""
    words = ("serve", "--workers", "2", "--bind", "127.0.0.1:0")
    process = start("feedproxy", *words, listing="http://127.0.0.1:9")
    address = greeting(process)[2].removeprefix("subscribe: ")
    response = httpx.get(address, timeout=30)
    assert 503 == response.status_code
    assert response.text.startswith("there are no papers yet: cannot reach 127.0.0.1: ")
    assert process.stderr
    lines = [process.stderr.readline() for _ in range(2)]  # whoever has the lease logs, the first worker says it
    (told,) = [line for line in lines if line.startswith("feedproxy: ")]
    assert told.startswith("feedproxy: there are no papers yet: cannot reach 127.0.0.1: ")
    assert told.endswith("; to try feedproxy without a network: feedproxy serve --demo\n")
    assert (0, "") == stop(process, signal.SIGTERM)


@pytest.mark.integration
def test_workers_add_up(start: Start) -> None:
    """Workers answer `/metrics` with the sum of what each counted, also after one of them has ended.

    With `--log-json` a line of the log is an object, whoever wrote it.
    """
    words = ("serve", "--log-json", "--workers", "2", "--bind", "127.0.0.1:0")
    process = start("feedproxy", *words, metrics="1", listing="demo")
    address = address_of(process)
    for _ in range(20):
        httpx.get(f"{address}/feed.rss", verify=False, timeout=30)
    counted = 'feedproxy_requests_total{format="rss",status="200"} 20.0'
    assert counted in httpx.get(f"{address}/metrics", verify=False, timeout=30).text.splitlines()
    os.kill(max(children(process)), signal.SIGTERM)
    retried(f"{address}/metrics", lambda response: len(children(process)) == 2)
    assert counted in retried(f"{address}/metrics").text.splitlines()
    code, rest = stop(process)
    told = [json.loads(line) for line in rest.splitlines()]
    assert 0 == code
    assert {"time", "level", "name", "message"} == set[str]().union(*told)
    assert re.match(r"the demo: \d+ listings read, (\d+) papers in them, \1 new, in ", told[0]["message"])


@pytest.mark.integration
@either_server
def test_killed_worker(start: Start, port: int, command: str) -> None:
    """A worker that is killed is started anew and refreshes; whoever comes meanwhile waits, and the log says so."""
    process = start(*command.split(), "--bind", f"127.0.0.1:{port}", listing="demo")
    address = f"http://127.0.0.1:{port}"
    before = retried(f"{address}/feed.rss")
    (killed,) = children(process)
    os.kill(killed, signal.SIGKILL)
    after = httpx.get(f"{address}/feed.rss", timeout=30)
    assert killed not in children(process)
    assert (before.content, before.headers["ETag"]) == (after.content, after.headers["ETag"])
    code, rest = stop(process)
    assert 0 == code
    (error,) = [line for line in rest.splitlines() if "ERROR" in line]
    assert re.match(
        r"[-\d]{10} [:,\d]{12} ERROR Unexpected exit from worker-1|.*\[ERROR\] Worker \(pid:\d+\) was sent SIGKILL",
        error,
    )


@pytest.mark.integration
def test_hung_worker(start: Start) -> None:
    """A worker of two that hangs keeps nobody waiting, is replaced, and the log says so."""
    process = start("feedproxy", "serve", "--demo", "--workers", "2", "--bind", "127.0.0.1:0")
    address = address_of(process)
    retried(f"{address}/feed.rss")
    frozen = max(children(process))
    ended = os.pidfd_open(frozen)
    os.kill(frozen, signal.SIGSTOP)
    while not all(") T " in stat.read_text() for stat in Path(f"/proc/{frozen}/task").glob("*/stat")):
        pass
    assert {200} == {status(f"{address}/feed.rss?days={days}") for days in range(1, 43)}
    assert select.select([ended], [], [], 120)[0]
    os.close(ended)
    retried(f"{address}/healthz", lambda _: len(children(process) - {frozen}) == 2)
    code, rest = stop(process)
    assert 0 == code
    assert f" ERROR worker {frozen} hangs: no sign of life for 20 s; another takes its place\n" in rest


@pytest.mark.integration
@either_server
def test_killed_parent(start: Start, port: int, command: str) -> None:
    """Workers of a server that is killed end by themselves, so that their port is free again."""
    process = start(*command.split(), "--workers", "2", "--bind", f"127.0.0.1:{port}", listing="demo")
    retried(f"http://127.0.0.1:{port}/healthz", lambda _: len(children(process)) == 2)
    process.kill()
    assert -signal.SIGKILL == process.wait()
    assert process.stderr
    process.stderr.read()  # to its end, which comes when the last worker closes it
    socket.create_server(("127.0.0.1", port)).close()


@pytest.mark.integration
@either_server
def test_those_who_wait_block_nobody(start: Start, hub: Hub, port: int, command: str) -> None:
    """While ten readers wait for the first listing others are answered, and all get it when it comes."""
    hub.gate.clear()
    hub.days = dict.fromkeys([hub_day()], entries(3, day=hub_day()))
    start(*command.split(), "--bind", f"127.0.0.1:{port}", listing=hub.url, pace="0")
    address = f"http://127.0.0.1:{port}"
    retried(f"{address}/healthz")
    found: list[int] = []
    waiting = [threading.Thread(target=lambda: found.append(status(f"{address}/feed.rss"))) for _ in range(10)]
    for thread in waiting:
        thread.start()
    assert 200 == status(f"{address}/healthz")
    assert [] == found
    hub.gate.set()
    for thread in waiting:
        thread.join()
    assert [200] * 10 == found


# What clients begin with who then do nothing more: they send no request, or part of one.
STALLED = (
    b"",
    b"G",
    b"GET /feed.rss HTTP/1.1\r\nHost: localh",
    b"POST /feed.rss HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
    b"GET /feed.rss HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
)


@pytest.mark.integration
@either_server
def test_clients_that_stall_are_let_go(start: Start, port: int, command: str) -> None:
    """More clients stall than gunicorn has threads: they are let go in seconds, others answered, nothing is logged."""
    process = start(*command.split(), "--bind", f"127.0.0.1:{port}", listing="demo")
    address = f"http://127.0.0.1:{port}"
    retried(f"{address}/feed.rss")
    with ExitStack() as stack:
        stalled = []
        for begun in STALLED * 4:
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            client.sendall(begun)
            stalled.append(client)
        unread = [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20)) for _ in range(4)]
        for client in unread:
            client.sendall(b"GET /feed.rss HTTP/1.1\r\nHost: localhost\r\n\r\n" * 500)
        assert 200 == status(f"{address}/healthz")
        for client in stalled:
            with suppress(ConnectionResetError):
                while client.recv(65_536):
                    pass
    code, rest = stop(process)
    assert (0, []) == (code, [line for line in rest.splitlines() if "ERROR" in line or "Traceback" in line])


@pytest.mark.integration
@pytest.mark.parametrize("lines", [90, 1000])
def test_large_heads_are_refused(start: Start, lines: int) -> None:
    """A request with more header lines than any client sends gets 431."""
    address = address_of(start("feedproxy", "serve", "--demo", "--bind", "127.0.0.1:0"))
    headers = {f"X-{line}": "a" * (8000 if lines == 90 else 1) for line in range(lines)}
    assert 431 == httpx.get(f"{address}/healthz", headers=headers, timeout=30).status_code


def test_pieces() -> None:
    """An answer of more than 256 kB is handed over in pieces, any other as it is; what is to be closed is closed."""
    closed = []

    class Body(list[bytes]):
        def close(self) -> None:
            closed.append(self)

    large, small = Body([b"a" * 270_000, b"b"]), [b"a" * 262_144]
    pieces = in_pieces(lambda environ, start_response: large)({}, lambda *_: lambda _: None)
    assert [16_384] * 16 + [7_856, 1] == [len(piece) for piece in pieces]
    assert [large] == closed
    assert small is in_pieces(lambda environ, start_response: small)({}, lambda *_: lambda _: None)


def test_forwarded_is_not_believed(start: Start) -> None:
    """No server takes scheme, host or path from headers that anybody on this machine can send."""
    process = start("feedproxy", "serve", "--demo", "--bind", "127.0.0.1:0")
    address = address_of(process)
    told = retried(f"{address}/feed.json").json()["feed_url"]
    assert told == httpx.get(f"{address}/feed.json?utm_source=x", headers=FORWARDED, timeout=30).json()["feed_url"]


@pytest.mark.integration
def test_underscores_do_not_forward(start: Start, port: int) -> None:
    """With a public address no header changes that in feeds, be it written with _ where servers in front look for -."""
    settings = {"public_url": "https://feeds.example.org", "trusted_proxies": "1"}
    start("feedproxy", "serve", "--demo", "--bind", f"127.0.0.1:{port}", **settings)
    headers = FORWARDED | {"X-Forwarded-Host": "feeds.example.org", "X_Forwarded_Host": "nas", "X_Forwarded_Proto": "x"}
    address = f"http://127.0.0.1:{port}/feed.json"
    retried(address)
    found = httpx.get(address, headers=headers, timeout=30).json()["feed_url"]
    assert "https://feeds.example.org/feed.json" == found


def test_address_in_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever listens everywhere is told the address for other devices, without a packet sent; else there is none."""
    address = "192.168.1.7"

    class Probe(socket.socket):
        def connect(self, _: object) -> None:
            if not address:
                raise OSError(101, "Network is unreachable")

        def getsockname(self) -> object:
            return address, 40_000

    monkeypatch.setattr(socket, "socket", Probe)
    monkeypatch.delenv("container", raising=False)
    assert (address, address) == (address_in_network(EVERYWHERE), address_in_network("::"))
    assert "" == address_in_network("127.0.0.1") == address_in_network("192.168.1.7")
    for address in ("", "8.8.8.8"):  # noqa: B007 (the probe reads it)
        assert "" == address_in_network(EVERYWHERE)
    address = "10.0.0.7"
    monkeypatch.setenv("container", "oci")
    assert "" == address_in_network(EVERYWHERE)


@pytest.mark.parametrize("settings", [{}, {"public_url": "https://feeds.example.org"}])
def test_address_for_phones(start: Start, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    """A server for the network prints the address to open on a phone, unless it knows its public one."""
    monkeypatch.delenv("container", raising=False)
    network = address_in_network(EVERYWHERE)
    process = start("feedproxy", "serve", "--demo", "--bind", f"{EVERYWHERE}:0", **settings)
    choose = greeting(process)[3].removeprefix("or choose: ")
    phones = f"on phones: {choose.replace('localhost', network)}\n"
    assert (bool(network) and not settings) == (phones in stop(process)[1])


def test_key_is_not_printed(start: Start) -> None:
    """The access key is in nothing that is printed, be a request good, without the key, or no HTTP at all."""
    process = start("feedproxy", "serve", "--demo", "--bind", "127.0.0.1:0", access_key=KEY)
    _, _, subscribe, choose = greeting(process)
    assert f"{choose.removeprefix('or choose: ')}feed.rss?q=agents&min_upvotes=2" == subscribe.partition(" ")[2]
    address = subscribe.partition(" ")[2].partition("/k/")[0]
    assert f"{address}/k/$FEEDPROXY_ACCESS_KEY/" == choose.removeprefix("or choose: ")
    use_key(address)
    code, rest = stop(process)
    assert (0, False) == (code, KEY.upper() in rest.upper())


def use_key(address: str) -> None:
    """Ask at `address` with the key in every way that a server may log."""
    assert 200 == retried(f"{address}/k/{KEY}/feed.rss", lambda response: response.status_code != 503).status_code
    expected = {f"k/{KEY}/feed.rss": 200, f"%6B/{KEY}/?q=%22": 400, f"k/{KEY}x/feed.rss": 403, f"k/{KEY}/no": 404}
    referer = {"Referer": f"{address}/k/{KEY}/"}
    assert expected == {
        path: httpx.get(f"{address}/{path}", headers=referer, timeout=30).status_code for path in expected
    }
    for line in (
        f"GET /k/{KEY}/feed.rss",
        f"GET /k/{KEY}/ x HTTP/1.1",
        f"G\x00T /k/{KEY}/ HTTP/1.1",
        f"GET //[/k/{KEY}/ HTTP/9",
    ):
        with socket.create_connection(("127.0.0.1", httpx.URL(address).port or 0), timeout=20) as connection:
            connection.sendall(f"{line}\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            while connection.recv(65_536):
                pass


def hub_day() -> date:
    """Return the day a server of now asks for first, a weekday: today, or the Friday before."""
    today = datetime.now(UTC).date()
    return today - timedelta(days=max(0, today.weekday() - 4))


def status(url: str) -> int:
    return httpx.get(url, timeout=30).status_code


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of IPv6's own loopback that somebody listens at."""
    try:
        listening = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listening:
        yield listening.getsockname()[1]


@pytest.mark.integration
def test_ipv6(start: Start, taken: int) -> None:
    """An IPv6 address in brackets is listened at, and one that is taken is told in one line."""
    refused = start("feedproxy", "serve", "--demo", "--bind", f"[::1]:{taken}")
    other = f"try another port: --bind [::1]:{taken + 1}"
    told = f"feedproxy: cannot listen at [::1]:{taken}: Address already in use; {other}\n"
    assert (told, 1) == (refused.stderr and refused.stderr.read(), refused.wait())
    process = start("feedproxy", "serve", "--demo", "--bind", "[::1]:0")
    port = httpx.URL(address_of(process)).port
    assert 200 == httpx.get(f"http://[::1]:{port}/feed.rss", timeout=30).status_code


@pytest.mark.integration
def test_one_server_a_port(start: Start) -> None:
    """A second server at the same address is told that it is taken, whichever serves there."""
    bind = "127.0.0.1:" + address_of(start("feedproxy", "serve", "--demo", "--bind", "127.0.0.1:0")).rpartition(":")[2]
    second = start("feedproxy", "serve", "--demo", "--bind", bind)
    other = f"127.0.0.1:{int(bind.rpartition(':')[2]) + 1}"
    told = f"feedproxy: cannot listen at {bind}: Address already in use; try another port: --bind {other}\n"
    assert (told, 1) == (second.stderr and second.stderr.read(), second.wait())


# wsgi:app ---------------------------------------------------------------------------------------


@pytest.fixture
def port() -> Iterator[int]:
    """A port that is kept free for whoever allows its address to be used again, as servers do."""
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


def asked(etag: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield requests, of which each finds another way through a server."""
    plain = {"Accept-Encoding": "identity"}
    yield "GET", FEED, plain
    yield "HEAD", FEED, plain
    yield "GET", FEED, {"Accept-Encoding": "gzip"}
    yield "HEAD", FEED, {"Accept-Encoding": "gzip"}
    yield "GET", FEED, plain | {"If-None-Match": etag}
    yield "GET", f"{FEED}&min_upvote=2", plain
    yield "GET", "/feed.atom?q=na%C3%AFve%20OR%20agents", plain
    yield "GET", "/feed.atom?q=%FF", plain
    yield "GET", "/feed.%C3%A9", plain
    yield "GET", FEED, plain | FORWARDED
    yield "POST", "/feed.rss", plain
    longest = f"{FEED}&utm_campaign="
    yield "GET", longest + "x" * (LONGEST - len(longest)), plain


def facts(response: httpx.Response) -> Facts:
    """Return what no server may change; the length only where there would be a body."""
    length = response.headers.get("Content-Length") if response.status_code != 304 else None
    return response.status_code, [response.headers.get(name) for name in TOLD], length, response.content


@every_wsgi_server
def test_every_server_gives_the_same(start: Start, serve: Serve, tmp_path: Path, port: int, command: str) -> None:
    """Every WSGI server answers each request as any other does, and its thread refreshes the archive."""
    listing = tmp_path / "listing.json"
    listing.write_bytes(api(entries(8, upvotes=3)))
    settings = {"listing": str(listing), "public_url": "https://feeds.example.org"}
    reference = serve(**settings)
    process = start(*command.replace("8000", str(port)).split(), **settings)
    reader = threading.Thread(target=process.communicate, daemon=True)  # some servers say much
    reader.start()
    address = f"http://127.0.0.1:{port}"
    etag = retried(f"{address}{FEED}").headers["ETag"].replace("-gzip", "")
    with httpx.Client(base_url=address, headers={"Connection": "close"}, timeout=30) as client:
        for method, path, headers in asked(etag):
            expected, found = (facts(who.request(method, path, headers=headers)) for who in (reference, client))
            assert expected == found
    listing.write_bytes(api(entries(9, upvotes=3)))
    assert retried(f"{address}/feed.rss", lambda response: "Paper 9 " in response.text)
    process.terminate()
    assert process.wait(20) in (0, -signal.SIGTERM)
    reader.join()


ACCESS_LOG = {"gunicorn": "--access-logfile -", "uwsgi": "", "waitress-serve": ""}


def hang_up(port: int, path: str) -> None:
    """Ask, and reset the connection before there is an answer."""
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())


@every_wsgi_server
def test_no_server_logs_the_key(start: Start, port: int, command: str) -> None:
    """With a log of every request, where a server writes one that can be told what to leave out, the key is in none."""
    name, _, options = command.replace("8000", str(port)).partition(" ")
    process = start(name, *f"{ACCESS_LOG[name]} {options}".split(), listing="demo", access_key=KEY)
    printed: list[str] = []
    reader = threading.Thread(target=lambda: printed.extend(process.communicate()), daemon=True)
    reader.start()
    use_key(f"http://127.0.0.1:{port}")
    for days in range(1, 41):
        hang_up(port, f"/k/{KEY}/feed.rss?days={days}")
    assert retried(f"http://127.0.0.1:{port}/readyz", lambda response: response.status_code == 200)
    process.terminate()
    reader.join(20)
    assert KEY.upper() not in "".join(printed).upper()
    assert not ACCESS_LOG[name] or "".join(printed).count("/k/***/") > 3
