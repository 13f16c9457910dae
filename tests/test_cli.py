"""The commands as a person or a timetable meets them: answers, one-line errors, exit codes."""

import json
import os
import pty
import re
import shlex
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import feedparser
import pytest
from click.testing import Result

from feedproxy import __version__
from feedproxy.archive import Archive
from feedproxy.cli import main
from feedproxy.ingest.parse import parse
from feedproxy.query.parameters import Query, parse_query
from tests.conftest import Clock, Run, one_line
from tests.factories import api, capture, entries, entry, paper_id
from tests.hub import Answer, Hub, Request

MONDAY = date(2025, 1, 6)
WEEK = [MONDAY + timedelta(days=age) for age in range(5)]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Path]:
    """An archive that was filled with three papers on 10 March 2026."""
    path = tmp_path / "kept.sqlite"
    store(path, entries(3))
    yield path
    assert 3 == len(held(path))


def store(path: Path, found: list[dict[str, object]], now: datetime = datetime(2026, 3, 10, 12, tzinfo=UTC)) -> None:
    archive = Archive(str(path))
    archive.store([parse(api(found))], now)
    archive.close()


def held(path: Path) -> list[str]:
    """Return the titles in an archive."""
    archive = Archive(str(path))
    found = archive.search(parse_query("limit=200&days=3660")).entries
    archive.close()
    return [entry.paper.title for entry in found]


# feed -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize("name", ["rss", "atom"])
def test_feed(run: Run, name: str) -> None:
    """`feed` writes the feed and nothing else, neither to the document nor to the terminal."""
    result = run("feed", "q=agents&min_upvotes=2", "--listing", "demo", "--format", name)
    assert (0, "") == (result.exit_code, result.stderr)
    document = feedparser.parse(result.stdout_bytes)
    assert not document.bozo
    assert "This paper does not exist" in document.entries[0].summary


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("https://feeds.example.org/below/feed.atom?q=agents", "atom"),
        ("f/a.json", "json"),
        ("feed.md?q=agents", "md"),
        ("/?q=agents", "rss"),
    ],
)
def test_feed_takes_an_address(run: Run, address: str, form: str) -> None:
    """`feed` takes a feed's address too, on whatever server, and writes the format that it ends with."""
    Path("feeds.toml").write_text('[[feed]]\nname = "a"\ntitle = "A"\nquery = "q=agents"\n')
    result = run("feed", address, listing="demo", feeds="feeds.toml")
    base = "https://feeds.example.org/below" if "://" in address else "http://localhost:8000"
    own = "f/a.json" if address.startswith("f/") else f"feed.{form}?q=agents"
    assert (0, "") == (result.exit_code, result.stderr)
    assert f"{base}/{own}" in result.stdout
    assert run("feed", address, "--format", form, listing="demo", feeds="feeds.toml").stdout == result.stdout


@pytest.mark.usefixtures("demo")
def test_access_key_in_addresses(run: Run) -> None:
    """The address that `check` tells, and a feed that `feed` writes, have the access key; `config` does not show it."""
    key = "made-up-key-0123456789"
    told = run("check", "q=agents", listing="demo", access_key=key).stdout
    assert f"http://localhost:8000/k/{key}/feed.rss?q=agents" == told.splitlines()[1]
    assert f"http://localhost:8000/k/{key}/feed.rss?" in run("feed", "limit=1", listing="demo", access_key=key).stdout
    assert key not in run("config", access_key=key).stdout


@pytest.mark.usefixtures("demo")
def test_feed_carries_the_public_url(run: Run) -> None:
    """A feed made for static hosting carries the configured address."""
    result = run("feed", "limit=1", "--format", "json", listing="demo", public_url="https://example.org/f")
    assert "https://example.org/f/feed.json?limit=1" == json.loads(result.stdout)["feed_url"]


@pytest.mark.usefixtures("demo")
def test_the_public_url_comes_first(run: Run) -> None:
    """`--url`, or else the setting, says which address a feed carries, whatever address is given."""
    address, settings = "http://localhost:8810/feed.json?limit=1", {"public_url": "https://example.org/f"}
    own = [run("feed", address, "--demo", *words, **settings) for words in ([], ["--url", "http://nas/below/"])]
    assert ["https://example.org/f", "http://nas/below"] == [
        json.loads(result.stdout)["feed_url"].removesuffix("/feed.json?limit=1") for result in own
    ]


def test_every_command_may_use_the_demo(run: Run) -> None:
    """With `--demo` commands share the demo's archive, and leave that of the real papers alone."""
    commands = ["refresh"], ["feed", "limit=1"], ["check", "q=agents"], ["archive", "check"], ["config"]
    assert [0] * 5 == [run(*command, "--demo").exit_code for command in commands]
    assert 1 == len(list(Path("share").rglob("*.sqlite")))
    assert "there is no archive at" in one_line(run("archive", "check"))


@pytest.mark.usefixtures("demo")
def test_same_query_same_bytes(run: Run, tmp_path: Path) -> None:
    """The same query gives the same bytes, whichever way it is written and however often."""
    first = run("feed", "q=agents&limit=5", listing="demo")
    again = run("feed", "days=90&limit=05&q=%20AGENTS", listing="demo")
    elsewhere = run("feed", "q=agents&limit=5", listing="demo", archive=str(tmp_path / "other.sqlite"))
    assert 5 == len(feedparser.parse(first.stdout_bytes).entries)
    assert first.stdout_bytes == again.stdout_bytes == elsewhere.stdout_bytes


@pytest.mark.usefixtures("demo")
def test_output_ends_with_its_format(run: Run, tmp_path: Path) -> None:
    """Without --format the ending of the file decides, before that of the address."""
    for name in ("atom", "md"):
        run("feed", "feed.json?q=agents", "-o", tmp_path / f"agents.{name}", listing="demo")
        expected = run("feed", "q=agents", "--format", name, listing="demo").stdout_bytes
        assert expected == (tmp_path / f"agents.{name}").read_bytes()


@pytest.mark.usefixtures("demo")
def test_output_is_replaced_at_once(run: Run, tmp_path: Path) -> None:
    """With -o whoever reads the old file meanwhile reads all of it; nothing is left beside the new one."""
    path = tmp_path / "site" / "feed.xml"
    path.parent.mkdir()
    path.write_text("old")
    with path.open() as reading:
        assert 0 == run("feed", "q=agents", "-o", path, listing="demo").exit_code
        assert "old" == reading.read()
    assert [path] == list(path.parent.iterdir())
    assert run("feed", "q=agents", listing="demo").stdout_bytes == path.read_bytes()


@pytest.mark.usefixtures("demo")
def test_output_that_has_not_changed(run: Run, tmp_path: Path) -> None:
    """A file that holds the feed already is left alone, and a file's mode is kept."""
    path = tmp_path / "agents.atom"
    path.write_text("old")
    path.chmod(0o640)
    run("feed", "q=agents", "-o", path, listing="demo")
    first = path.stat()
    run("feed", "q=agents", "-o", path, listing="demo")
    assert (0o100640, first.st_ino, first.st_mtime_ns) == (first.st_mode, path.stat().st_ino, path.stat().st_mtime_ns)
    assert b"<feed " in path.read_bytes()


@pytest.mark.usefixtures("demo")
def test_output_elsewhere(run: Run, tmp_path: Path) -> None:
    """A symbolic link is followed, a pipe or device written to, and - is the standard output."""
    (tmp_path / "target.rss").write_text("old")
    (tmp_path / "link.rss").symlink_to("target.rss")
    expected = run("feed", "q=agents", listing="demo").stdout_bytes
    run("feed", "q=agents", "-o", tmp_path / "link.rss", listing="demo")
    assert (True, expected) == ((tmp_path / "link.rss").is_symlink(), (tmp_path / "target.rss").read_bytes())
    run("feed", "q=agents", "-o", tmp_path / "new.rss", listing="demo")
    assert expected == (tmp_path / "new.rss").read_bytes()
    assert 0 == run("feed", "q=agents", "-o", "/dev/null", listing="demo").exit_code
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert expected == run("feed", "q=agents", "-o", "-", listing="demo").stdout_bytes
    (tmp_path / "circle").symlink_to("circle")
    assert 0 == run("feed", "q=agents", "-o", tmp_path / "circle", listing="demo").exit_code
    assert expected == (tmp_path / "circle").read_bytes()


def test_no_feed_of_an_empty_archive(run: Run, tmp_path: Path) -> None:
    """Where there are no papers yet a file is left as it is."""
    path = tmp_path / "agents.rss"
    path.write_text("old")
    with closing(Archive(str(tmp_path / "empty.sqlite"))) as archive:
        archive.state()
    result = run("feed", "q=agents", "--no-refresh", "-o", path, "--archive", tmp_path / "empty.sqlite")
    assert (1, "old") == (result.exit_code, path.read_text())
    assert "feedproxy: there are no papers yet" == one_line(result)


@pytest.mark.parametrize(
    "command",
    [
        ["feed", "q=agents", "--no-refresh"],
        ["publish", "site", "--no-refresh", "--url", "https://example.org", "--feeds", "feeds.toml"],
        ["check", "q=agents"],
        ["archive", "check"],
        ["archive", "backup", "backup.sqlite"],
    ],
)
def test_no_archive_at_a_mistyped_path(run: Run, tmp_path: Path, command: list[str]) -> None:
    """A command that only reads says that there is no archive at a path, and makes neither one nor anything else."""
    Path("feeds.toml").write_text('[[feed]]\nname = "a"\ntitle = "A"\nquery = "q=agents"\n')
    result = run(*command, "--archive", tmp_path / "typo" / "archive.sqlite")
    told = f"feedproxy: there is no archive at {tmp_path}/typo/archive.sqlite: feedproxy refresh makes one"
    assert (1, told) == (result.exit_code, one_line(result))
    assert ["feeds.toml"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize(
    ("path", "told"),
    [("missing/feed.xml", "No such file or directory"), ("file/feed.xml", "Not a directory"), ("n" * 300, "too long")],
)
def test_unwritable_output(run: Run, tmp_path: Path, path: str, told: str) -> None:
    """A file that cannot be written is one line and leaves nothing behind."""
    (tmp_path / "file").touch()
    result = run("feed", "q=agents", "-o", path, listing="demo")
    assert 1 == result.exit_code
    assert result.stderr.startswith(f"feedproxy: cannot write {path}: ")
    assert told in one_line(result)
    assert {"file", "share"} == {found.name for found in tmp_path.iterdir()}


def test_first_feed_refreshes(run: Run, hub: Hub, clock: Clock) -> None:
    """On an empty archive `feed` asks the Hub first, and says that this takes a while; then only what is due."""
    today = clock.now.date()
    hub.days = {
        today - timedelta(days=age): entries(1, day=today - timedelta(days=age), first=age + 1) for age in (1, 2)
    }
    result = run("feed", "limit=9", listing=hub.url)
    assert 2 == len(feedparser.parse(result.stdout_bytes).entries)
    steps = ("10 of 31 listings read", "20 of 31 listings read", "30 of 31 listings read")
    told = ["the archive is empty: reading 30 days from 127.0.0.1, about a minute", *steps]
    assert told == result.stderr.splitlines()
    hub.requests.clear()
    again = run("feed", "limit=9", listing=hub.url)
    assert (result.stdout_bytes, "", []) == (again.stdout_bytes, "", hub.requests)


def test_no_refresh(run: Run, hub: Hub, kept: Path) -> None:
    """--no-refresh asks nobody."""
    result = run("feed", "limit=9", "--no-refresh", listing=hub.url, archive=str(kept))
    assert (0, "", []) == (result.exit_code, result.stderr, hub.requests)
    assert 3 == len(feedparser.parse(result.stdout_bytes).entries)


def test_failing_refresh_is_not_the_readers(run: Run, hub: Hub, kept: Path) -> None:
    """With something in the archive a failing Hub costs a warning, not the feed."""
    hub.standing = Answer(500, b'{"error": "out of papers"}')
    result = run("feed", "limit=9", listing=hub.url, archive=str(kept))
    assert 0 == result.exit_code
    assert 3 == len(feedparser.parse(result.stdout_bytes).entries)
    assert "feedproxy: 127.0.0.1 answered 500 out of papers; using the archive as it is" == one_line(result)


@pytest.mark.parametrize("command", [["feed", "q=agents"], ["refresh"]])
def test_unreachable_hub(run: Run, command: list[str]) -> None:
    """With nothing in the archive an unreachable Hub is one line and exit code 1."""
    result = run(*command, listing="http://127.0.0.1:9")
    assert (1, "") == (result.exit_code, result.stdout)
    first, second = result.stderr.splitlines()
    assert first.startswith("the archive is empty: reading 30 days")
    assert "feedproxy: cannot reach 127.0.0.1: Connection refused" == second


# Listings and archives that cannot be used -------------------------------------------------------

BROKEN = {
    "missing": (None, "cannot read {path}: No such file or directory"),
    "empty": (b"", "{path}: the listing is empty"),
    "half.json": (api(entries(2))[:200], "{path}: the listing is broken JSON: "),
    "packed.json.gz": (b"\x1f\x8b\x08\x00", "{path}: the listing is compressed (gzip): unpack it first"),
    "other.json": (b'{"papers": 3}', "{path}: this JSON is not a listing: it has no array of papers"),
    "other.html": (b"<p>Hello", "{path}: this HTML page is not a listing: it has no DailyPapers data"),
    "notes.txt": (b"Hello\nthere", "{path}: this text is not a listing: no paper in it ends in “·” and a date"),
    "binary": (b"\xff\xfe\x00", "{path}: the listing is not UTF-8 (byte 0)"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_listing(run: Run, tmp_path: Path, kept: Path, name: str) -> None:
    """A listing that cannot be read is one line that names it and says why; the archive keeps what it has."""
    content, told = BROKEN[name]
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    told = "feedproxy: " + told.format(path=path)
    for words in (["feed", "q=agents"], ["refresh"], ["refresh", "--force", "--archive", kept]):
        result = run(*words, "--listing", path)
        assert (1, "") == (result.exit_code, result.stdout)
        assert one_line(result).startswith(told)
    if content is None:
        return
    feed = run("feed", "limit=9", "--listing", path, "--archive", kept)
    assert (0, 3) == (feed.exit_code, len(feedparser.parse(feed.stdout_bytes).entries))
    assert one_line(feed).endswith("; using the archive as it is")


def test_folder_of_junk(run: Run, tmp_path: Path, kept: Path) -> None:
    """A folder without a single listing is one line; an empty one likewise."""
    folder = tmp_path / "folder"
    folder.mkdir()
    result = run("refresh", "--listing", folder, "--archive", kept)
    assert (1, f"feedproxy: cannot read {folder}: the folder is empty") == (result.exit_code, one_line(result))
    for name in ("empty", "half.json", "binary"):
        (folder / name).write_bytes(BROKEN[name][0] or b"")
    result = run("refresh", "--listing", folder, "--archive", kept)
    assert 1 == result.exit_code
    assert one_line(result).startswith(f"feedproxy: {folder}/")


def test_refresh_beside_another(run: Run, kept: Path, clock: Clock) -> None:
    """While another process refreshes an archive, `refresh` says so, and `feed` makes do with what is there."""
    with closing(Archive(str(kept))) as archive:
        archive.lease("another", clock.now)
    result = run("refresh", "--listing", "demo", "--archive", kept)
    assert (0, "") == (result.exit_code, result.stdout)
    assert "feedproxy: another process is refreshing this archive" == one_line(result)
    assert 3 == len(feedparser.parse(run("feed", "", "--listing", "demo", "--archive", kept).stdout_bytes).entries)


def test_junk_beside_a_listing(run: Run, tmp_path: Path) -> None:
    """What cannot be read in a folder is told and costs nothing that can."""
    (tmp_path / "a.json").write_bytes(api([*entries(2), entry(9, title="")]))
    (tmp_path / "b.txt").write_bytes(b"junk")
    (tmp_path / "c.txt").write_bytes(capture(("A Title", "An abstract.", "• 2 authors", "Mar 9, 2026 4")))
    result = run("refresh", "--listing", tmp_path, "--archive", tmp_path.with_suffix(".sqlite"))
    assert 0 == result.exit_code
    assert f"{tmp_path}: 2 listings read, 3 papers in them, 3 new\n" == result.stdout
    assert 2 == len(result.stderr.splitlines())
    assert f"feedproxy: {tmp_path}/b.txt: this text is not a listing" in result.stderr
    assert "feedproxy: skipped 9913.00009: has no title" in result.stderr


@pytest.mark.parametrize(
    ("name", "told"),
    [("folder", "it is not a file"), ("junk/archive.sqlite", "junk"), ("junk", "file is not a database")],
)
@pytest.mark.parametrize(
    "command",
    [["feed", "q=agents"], ["refresh"], ["check", "q=agents"], ["backfill", "--since", "2025-01-06"], ["serve"]],
)
def test_unusable_archive(run: Run, hub: Hub, tmp_path: Path, command: list[str], name: str, told: str) -> None:
    """An archive that cannot be opened is one line, before anybody is asked, and is left as it was."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "junk").write_bytes(b"keep me" * 200)
    result = run(*command, "--archive", tmp_path / name, listing=hub.url)
    assert (1, []) == (result.exit_code, hub.requests)
    assert command[0] == "check" or not result.stdout  # it has explained the query
    assert f"{tmp_path / name}" in one_line(result)
    assert told in result.stderr
    assert b"keep me" * 200 == (tmp_path / "junk").read_bytes()


def test_database_of_something_else(run: Run, tmp_path: Path) -> None:
    """Another program's database is not made an archive."""
    with sqlite3.connect(tmp_path / "other.sqlite") as other:
        other.execute("CREATE TABLE songs (name)")
    other.close()
    result = run("refresh", "--listing", "demo", "--archive", tmp_path / "other.sqlite")
    assert 1 == result.exit_code
    assert "is a database of another program" in one_line(result)


# refresh ----------------------------------------------------------------------------------------


def test_refresh(run: Run, hub: Hub, clock: Clock) -> None:
    """`refresh` says what came, asks again only for what is due, and with --force for everything."""
    yesterday = clock.now.date() - timedelta(days=1)
    hub.days[yesterday] = entries(3, day=yesterday)
    first = run("refresh", listing=hub.url)
    assert (0, "127.0.0.1: 31 listings read, 3 papers in them, 3 new\n") == (first.exit_code, first.stdout)
    hub.requests.clear()
    second = run("refresh", listing=hub.url)
    assert (0, "nothing is due\n", "", []) == (second.exit_code, second.stdout, second.stderr, hub.requests)
    forced = run("refresh", "--force", listing=hub.url)
    assert "127.0.0.1: 31 listings read, 3 papers in them, 0 new\n" == forced.stdout
    assert 31 == len({day for day, _ in hub.asked()})


# backfill ---------------------------------------------------------------------------------------


@pytest.fixture
def past(hub: Hub) -> Hub:
    hub.days = {day: entries(2, day=day, first=10 * number + 1) for number, day in enumerate(WEEK)}
    return hub


def backfill(run: Run, hub: Hub, *words: str) -> Result:
    return run("backfill", "--since", str(WEEK[0]), "--until", str(WEEK[4]), *words, listing=hub.url)


def days_asked(hub: Hub) -> list[date]:
    return [date.fromisoformat(day) for day in dict.fromkeys(day for day, _ in hub.asked())]


def test_backfill(run: Run, past: Hub, tmp_path: Path) -> None:
    """`backfill` gets each day, oldest first, and leaves out what is there already."""
    result = backfill(run, past, "--archive", str(tmp_path / "b.sqlite"))
    assert (0, "2025-01-06 to 2025-01-10: 5 listings read, 10 papers in them, 10 new\n") == (
        result.exit_code,
        result.stdout,
    )
    assert "5 days to go" in result.stderr
    assert WEEK == days_asked(past)
    assert 10 == len(held(tmp_path / "b.sqlite"))
    past.requests.clear()
    again = backfill(run, past, "--archive", str(tmp_path / "b.sqlite"))
    nothing = "2025-01-06 to 2025-01-10: 0 listings read, 0 papers in them, 0 new\n"
    assert (0, nothing, []) == (again.exit_code, again.stdout, past.requests)


def test_backfill_goes_on_where_it_stopped(run: Run, past: Hub, tmp_path: Path) -> None:
    """A backfill that breaks off keeps what it has; repeated, it asks only for the rest."""
    good = [past.answer(request_of(day)) for day in WEEK[:2]]
    past.script.extend([*good, *[Answer(500, b'{"error": "out of papers"}')] * 6])  # the API and the page, three days
    broken = backfill(run, past, "--archive", str(tmp_path / "b.sqlite"))
    assert 1 == broken.exit_code
    assert broken.stderr.endswith("feedproxy: 127.0.0.1 answered 500 out of papers\n")
    assert 4 == len(held(tmp_path / "b.sqlite"))
    assert WEEK[:2] == days_with_digest(tmp_path / "b.sqlite")
    past.requests.clear()
    assert 0 == backfill(run, past, "--archive", str(tmp_path / "b.sqlite")).exit_code
    assert WEEK[2:] == days_asked(past)
    assert 10 == len(held(tmp_path / "b.sqlite"))
    assert WEEK == days_with_digest(tmp_path / "b.sqlite")


def days_with_digest(path: Path) -> list[date]:
    with closing(Archive(str(path))) as archive:
        return [digest.period.start for digest in reversed(archive.digests(Query(digest="day")).entries)]


def request_of(day: date) -> Request:
    return Request("/api/daily_papers", {"date": str(day)}, {})


class Interrupting(dict[date, list[dict[str, object]]]):
    """Days of a Hub that sends Ctrl-C to whoever asks for the Wednesday."""

    process: subprocess.Popen[bytes]

    def get(self, day: date, default: object = None) -> object:
        if day == WEEK[2]:
            self.process.send_signal(signal.SIGINT)
        return super().get(day, default)


@pytest.mark.integration
def test_backfill_on_a_terminal(run: Run, past: Hub, tmp_path: Path) -> None:
    """On a terminal a backfill shows how far it is; Ctrl-C ends it at once, and repeated it goes on."""
    words = ["--since", str(WEEK[0]), "--until", str(WEEK[4]), "--archive", str(tmp_path / "b.sqlite")]
    terminal, other_end = pty.openpty()
    environment = os.environ | {"FEEDPROXY_LISTING": past.url, "FEEDPROXY_PACE": "0"}
    days = past.days
    past.days = Interrupting(days)
    command = [sys.executable, "-m", "feedproxy", "backfill", *words]
    past.days.process = subprocess.Popen(
        command,
        stdout=other_end,
        stderr=other_end,
        env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 (or a background job ignores it)
    )
    assert 1 == past.days.process.wait(20)
    os.close(other_end)
    shown = os.read(terminal, 10_000).decode()
    os.close(terminal)
    assert "5 days to go" in shown
    assert re.search(r"2/5|40%", shown)
    assert str(WEEK[2]) in shown
    assert shown.endswith("Aborted!\r\n")
    past.days = days
    past.requests.clear()
    again = run("backfill", *words, listing=past.url)
    assert 0 == again.exit_code, again.stderr
    assert WEEK[2:] == days_asked(past)


def test_backfill_agrees_with_a_folder(run: Run, hub: Hub, tmp_path: Path) -> None:
    """A paper listed twice has its first day, whether it comes by backfill or from a folder of saved answers."""
    hub.days = {day: entries(2, day=day, first=10 * number + 1) for number, day in enumerate(WEEK)}
    hub.days[WEEK[3]] += entries(1, day=WEEK[3], first=1)
    (tmp_path / "saved").mkdir()
    for day, listed in hub.days.items():
        (tmp_path / "saved" / f"{day}.json").write_bytes(api(listed))
    backfill(run, hub, "--archive", str(tmp_path / "b.sqlite"))
    run("refresh", "--archive", str(tmp_path / "f.sqlite"), listing=str(tmp_path / "saved"))
    filled, read = (dates(tmp_path / name) for name in ("b.sqlite", "f.sqlite"))
    assert (WEEK[0], read) == (filled[paper_id(1)].date(), filled)


def dates(archive: Path) -> dict[str, datetime]:
    """Return when each paper of an archive entered."""
    with closing(Archive(str(archive))) as opened:
        found = opened.search(Query(days=3660, limit=200))
    return {entry.paper.id: entry.entered_at for entry in found.entries}


def test_backfill_waits_out_the_rate_limit(run: Run, past: Hub, tmp_path: Path) -> None:
    """A day refused for the rate limit is asked for again, after the wait the Hub names."""
    past.script.extend([Answer(429, b"", {"Retry-After": "0"})] * 3)
    result = backfill(run, past, "--archive", str(tmp_path / "b.sqlite"))
    assert 0 == result.exit_code
    assert 3 == result.stderr.count("127.0.0.1 answered 429 Too Many Requests; going on in 0 s\n")
    assert 10 == len(held(tmp_path / "b.sqlite"))


def test_backfill_gives_up_waiting(run: Run, past: Hub) -> None:
    """A Hub that keeps refusing ends the backfill."""
    past.standing = Answer(429, b"", {"Retry-After": "0"})
    result = backfill(run, past)
    assert 1 == result.exit_code
    assert result.stderr.endswith("feedproxy: 127.0.0.1 answered 429 Too Many Requests\n")
    assert 4 == len(past.requests)


def test_backfill_past_a_broken_day(run: Run, past: Hub, tmp_path: Path) -> None:
    """A day that cannot be read is told at the end and costs no other; it is asked for again next time."""
    past.script.append(Answer(body=b"[{"))
    past.page = False
    result = backfill(run, past, "--archive", str(tmp_path / "b.sqlite"))
    assert 1 == result.exit_code
    assert "feedproxy: 127.0.0.1 sent no listing for 2025-01-06: the listing is broken JSON" in result.stderr
    assert result.stderr.endswith("feedproxy: not read: 2025-01-06; repeat the command to try again\n")
    past.requests.clear()
    assert 0 == backfill(run, past, "--archive", str(tmp_path / "b.sqlite")).exit_code
    assert [WEEK[0]] == days_asked(past)
    assert 10 == len(held(tmp_path / "b.sqlite"))


def test_backfill_ends_yesterday(run: Run, hub: Hub, clock: Clock) -> None:
    """Without --until, or with a later one, yesterday is the last day: today is not over."""
    yesterday = clock.now.date() - timedelta(days=1)
    for until in ([], ["--until", "9999-12-31"]):
        hub.requests.clear()
        result = run("backfill", "--since", yesterday, *until, "--archive", f"{len(until)}.sqlite", listing=hub.url)
        assert (0, [yesterday]) == (result.exit_code, days_asked(hub))


# check, config ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (
            "min_upvotes=1&q=AGENTS%20or%20%22Tool%20Use%22",
            'agents OR "tool use", at least 1 upvote\n'
            "http://localhost:8000/feed.rss?q=agents%20OR%20%22tool%20use%22&min_upvotes=1\n1 paper matches",
        ),
        ("limit=1", "every paper\nhttp://localhost:8000/feed.rss?limit=1\n3 papers match"),
        ("", "every paper\nhttp://localhost:8000/feed.rss\n3 papers match"),
        ("q=zebrafish", "zebrafish\nhttp://localhost:8000/feed.rss?q=zebrafish\n0 papers match"),
    ],
)
def test_check(run: Run, kept: Path, query: str, told: str) -> None:
    """`check` says how a query is understood, and how many papers it matches on all its pages."""
    result = run("check", query, archive=str(kept))
    told += " so far (0 of the last 30 days read)\n"
    assert (0, told, "") == (result.exit_code, result.stdout[: len(told)], result.stderr)


def test_check_of_digests(run: Run, kept: Path) -> None:
    """`check` says when the next digest closes, if a paper is in it already."""
    told = "3 papers match so far (0 of the last 30 days read)\n"
    told += "the next digest, of week 11, 2026, closes at 2026-03-16 06:00 UTC\n"
    assert told in run("check", "digest=week", archive=str(kept)).stdout
    assert "next digest" not in run("check", "digest=week&q=zebrafish", archive=str(kept)).stdout
    store(kept, entries(3), datetime(2026, 3, 17, 12, tzinfo=UTC))
    assert "week 11, 2026, waits for listings since 2026-03-16" in run("check", "digest=week", archive=str(kept)).stdout


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("q=zf&min_upvotes=1", ['or "zebra folding"  +2 papers  q=zf OR "zebra folding"']),
        (
            'q="zebra foldign"',
            ['no paper in the archive has “foldign”; did you mean folding (4 papers in all)?  q="zebra folding"'],
        ),
        ("q=xyzzy OR folding -nonesuch", ["no paper in the archive has “xyzzy”"]),
        ("q=folding", []),
    ],
)
def test_check_offers(run: Run, tmp_path: Path, query: str, told: list[str]) -> None:
    """`check` prints wider filters, and words that no paper has, with what would be right."""
    texts = ("Zebra folding (ZF).", "On zebra folding (ZF).", "Zebra folding.", "More zebra folding.")
    zebras = [entry(number, summary=text) for number, text in enumerate(texts)]
    store(tmp_path / "zebras.sqlite", zebras + entries(10, first=10))
    result = run("check", query, archive=str(tmp_path / "zebras.sqlite"))
    assert (0, told) == (result.exit_code, result.stdout.splitlines()[3:])


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("feed.rss?q=agents", "agents\nhttp://localhost:8000/feed.rss?q=agents\n"),
        ("/feed.atom?q=AGENTS&limit=50", "agents\nhttp://localhost:8000/feed.atom?q=agents\n"),
        ("https://feeds.example.org/feed.json?q=agents", "agents\nhttps://feeds.example.org/feed.json?q=agents\n"),
        ("http://nas:8000/below/it/feed.rss?q=a/b", '"a b"\nhttp://nas:8000/below/it/feed.rss?q=%22a%20b%22\n'),
        ("https://feeds.example.org/?q=agents", "agents\nhttps://feeds.example.org/feed.rss?q=agents\n"),
        ("https://feeds.example.org/f/a.atom", "agents\nhttps://feeds.example.org/f/a.atom\n"),
        ("feed.rss", "every paper\nhttp://localhost:8000/feed.rss\n"),
        (
            "https://feeds.example.org/feed.atom?top=5&digest=week&q=agents",
            "5 best of each week: agents\nhttps://feeds.example.org/feed.atom?q=agents&digest=week&top=5\n",
        ),
        ("digest=month&days=3660", "10 best of each month\nhttp://localhost:8000/feed.rss?digest=month\n"),
        ("HTTPS://Feeds.example.org/feed.json?q=agents#top", "agents\nhttps://feeds.example.org/feed.json?q=agents\n"),
        ("feed:https://feeds.example.org/feed.rss?q=agents", "agents\nhttps://feeds.example.org/feed.rss?q=agents\n"),
        ("Feed://feeds.example.org/f/a.atom#", "agents\nhttp://feeds.example.org/f/a.atom\n"),
        (
            " <https://feeds.example.org/below/?q=agents> ",
            "agents\nhttps://feeds.example.org/below/feed.rss?q=agents\n",
        ),
        ("https://feeds.example.org?q=agents", "agents\nhttps://feeds.example.org/feed.rss?q=agents\n"),
        ("https://feeds.example.org", "every paper\nhttps://feeds.example.org/feed.rss\n"),
        ("http://nas/k/made-up-key-0123456789/f/a.rss", "agents\nhttp://nas/k/made-up-key-0123456789/f/a.rss\n"),
        ("http://you:word@nas/feed.rss?q=agents", "agents\nhttp://localhost:8000/feed.rss?q=agents\n"),
        ('http://nas"><b>/feed.rss?q=agents', "agents\nhttp://localhost:8000/feed.rss?q=agents\n"),
        ("/?q=agents#top", "agents\nhttp://localhost:8000/feed.rss?q=agents\n"),
        ("q=agents?&link=pdf", "agents\nhttp://localhost:8000/feed.rss?q=agents&link=pdf\n"),
    ],
)
def test_check_takes_an_address(run: Run, kept: Path, address: str, told: str) -> None:
    """`check` takes a feed's address too, says what it understood, and keeps the server if it may be one of ours."""
    Path("feeds.toml").write_text('[[feed]]\nname = "a"\ntitle = "A"\nquery = "q=agents"\n')
    result = run("check", address, archive=str(kept), feeds="feeds.toml")
    assert (0, "") == (result.exit_code, result.stderr)
    assert result.stdout.startswith(told)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("agents", "feedproxy: “agents”: there is no such feed here, did you mean q=agents?\n"),
        ('"tool use"', 'feedproxy: “"tool use"”: there is no such feed here, did you mean q="tool use"?\n'),
        ("%22a%20b%22", "feedproxy: “%22a%20b%22”: there is no such feed here, did you mean q=%22a%20b%22?\n"),
        ("rl -survey", "feedproxy: “rl -survey”: there is no such feed here, did you mean q=rl -survey?\n"),
        ("c++", "feedproxy: “c++”: there is no such feed here, did you mean q=c%2B%2B?\n"),
        ("q: agents", "feedproxy: “q: agents”: there is no such feed here, did you mean q=agents?\n"),
        ("feed.xml?q=a", "feedproxy: “feed.xml”: there is no such feed here, did you mean feed.rss?\n"),
        (
            "https://x.example/papers/9913.00001",
            "feedproxy: “9913.00001”: there is no such feed here; feed.rss?q=agents is one\n",
        ),
        ("c#", "feedproxy: “c#”: there is no such feed here, did you mean q=c%23?\n"),
        ("rag?limit=5", "feedproxy: “rag”: there is no such feed here, did you mean q=rag&limit=5?\n"),
        ("feed.rss%3Fq%3Da", "feedproxy: “feed.rss%3Fq%3Da”: there is no such feed here, did you mean feed.rss?q=a?\n"),
        ("https://x.example/feed.rss?q=c#", "feedproxy: q: in an address # ends the query: write c%23\n"),
        (
            "feed.rss?agents",
            "feedproxy: “agents”: there is no such parameter (parameters: q, min_upvotes, min_comments, "
            "or_upvotes, digest, top, days, limit, page, link, content, counts)\nfeedproxy: did you mean q=agents?\n",
        ),
        (
            "https://x.example/feeds.rss?q=a",
            "feedproxy: “feeds.rss”: there is no such feed here, did you mean feed.rss?\n",
        ),
        (
            "feed.rss?q=agents%20((a)#top",
            "agents ((a)\n       ^\nfeedproxy: q at character 8: this ( is never closed\n"
            'feedproxy: did you mean q="agents ((a)"?\n',
        ),
        (
            "q=AI %26 Human, Co&limit=x",
            "AI & Human, Co\n   ^\n          ^\n"
            "feedproxy: q at character 4: “&” holds neither letter nor digit\n"
            "feedproxy: q at character 11: “,” means nothing here; for both leave a space, for either write OR\n"
            "feedproxy: limit: “x” is not a whole number from 1 to 200\n",
        ),
        (
            "feed.rss?digest=weekly&q=agents",
            "feedproxy: digest: “weekly” is not one of day, week, month, did you mean week?\n",
        ),
        ("q=agents&top=5", "feedproxy: top: needs digest=day, week or month\n"),
        (
            "digest=week&counts=1",
            "feedproxy: counts: a digest shows the upvotes of its closing and never changes; leave counts out\n"
            "feedproxy: did you mean digest=week?\n",
        ),
        ("q=%2522a%2522", "feedproxy: q: is percent-encoded twice\nfeedproxy: did you mean q=%22a%22?\n"),
        ("https://x.example/feed.rss?q=((a)", "((a)\n^\nfeedproxy: q at character 1: this ( is never closed\n"),
        ("f/a.rss", "feedproxy: “f/a.rss”: there is no such feed here; feed.rss?q=agents is one\n"),
        ("\udcff", "feedproxy: “%FF”: there is no such feed here; feed.rss?q=agents is one\n"),
        ("a\u200b,", "feedproxy: “a%E2%80%8B,”: there is no such feed here; feed.rss?q=agents is one\n"),
    ],
)
def test_check_of_a_wrong_address(run: Run, address: str, told: str) -> None:
    """What is wrong with an address is told as it is for a query."""
    result = run("check", address)
    assert (2, "", told) == (result.exit_code, result.stdout, result.stderr)


def test_check_reads_a_saved_listing(run: Run, tmp_path: Path) -> None:
    """`check` of a saved listing reads it first."""
    (tmp_path / "listing.json").write_bytes(api(entries(3)))
    assert "3 papers match" in run("check", "", listing=str(tmp_path / "listing.json")).stdout


def test_check_with_an_empty_archive(run: Run) -> None:
    """Without an archive, or any paper in it, `check` explains the query all the same, and says how to get papers."""
    missing = run("check", "q=agents")
    assert (1, "agents\nhttp://localhost:8000/feed.rss?q=agents\n") == (missing.exit_code, missing.stdout)
    run("refresh", listing="http://127.0.0.1:9", archive="empty.sqlite")
    empty = run("check", "q=agents", archive="empty.sqlite")
    assert (0, "0 papers match (the archive is empty: feedproxy refresh)") == (
        empty.exit_code,
        empty.stdout.splitlines()[2],
    )


def test_check_says_since_when(run: Run, hub: Hub, clock: Clock) -> None:
    """A count of more days than the archive holds says since when it is."""
    today = clock.now.date()
    hub.days = {today: entries(2)}
    run("refresh", listing=hub.url)
    assert "2 papers match since 2026-02-08" in run("check", "", listing=hub.url).stdout
    assert "2 papers match in the 30 days to 2026-03-10" in run("check", "days=30", listing=hub.url).stdout


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("((a)", 0),
        ('rl "open', 3),
        ("a (b OR c", 2),
        ("a b)", 3),
        ("titel:a", 0),
        ("é agents title:", 9),
        ("日本 agents title:", 12),
        ("e\u0301 agents title:", 9),
        ("a\x1b[31m\n\tb)", 1),
    ],
)
def test_check_points_at_the_mistake(run: Run, text: str, column: int) -> None:
    """A filter that cannot be read is printed with a caret under the character that is wrong."""
    result = run("check", "min_upvotes=2&q=" + "".join(f"%{byte:02X}" for byte in text.encode()))
    assert (2, "") == (result.exit_code, result.stdout)
    shown, caret, *rest = result.stderr.splitlines()
    assert shown.isprintable()
    assert f"{' ' * column}^" == caret
    assert next(line for line in rest if "^" not in line).startswith("feedproxy: q at character ")


def test_check_tells_a_small_operator(run: Run, kept: Path) -> None:
    """`check` says what a small `not` in a pasted title does, and which query has the title as it is."""
    result = run("check", "q=why attention is not enough", archive=str(kept))
    told = "note: “not” excludes “enough” here; put the text in quotation marks to search for it as it is: "
    assert (0, f'{told}q="why attention is not enough"\n') == (result.exit_code, result.stderr)
    assert result.stdout.startswith("why attention is -enough\n")


@pytest.mark.parametrize("command", ["check", "feed"])
def test_bad_query(run: Run, command: str) -> None:
    """A mistake outside the filter is one line, exit code 2, and touches no archive."""
    result = run(command, "min_upvote=2")
    assert 2 == result.exit_code
    assert "feedproxy: “min_upvote”: there is no such parameter, did you mean min_upvotes?" == one_line(result)
    assert not Path("share").exists()


def test_config(run: Run) -> None:
    """`config` prints every setting with its value and where that came from; secrets not."""
    result = run("config", "--archive", "/srv/a.sqlite", hf_token="hf_madeupsecret", max_age="60")  # noqa: S106
    rows = {row[0]: row[1:] for row in map(str.split, result.stdout.splitlines())}
    assert ["https://huggingface.co", "(default)"] == rows["FEEDPROXY_LISTING"]
    assert ["/srv/a.sqlite", "(--archive)"] == rows["FEEDPROXY_ARCHIVE"]
    assert ["60", "(FEEDPROXY_MAX_AGE)"] == rows["FEEDPROXY_MAX_AGE"]
    assert ["-", "(default)"] == rows["FEEDPROXY_PUBLIC_URL"]
    assert ["(set)", "(FEEDPROXY_HF_TOKEN)"] == rows["FEEDPROXY_HF_TOKEN"]
    assert "madeupsecret" not in result.output


def test_config_names_the_feeds(run: Run) -> None:
    """`config` prints the file of named feeds and what is in it, or what is wrong with it."""
    Path("feeds.toml").write_text('[[feed]]\nname = "a"\ntitle = "An A"\nquery = "min_upvotes=02&q=AGENTS"\n')
    told = run("config", feeds="feeds.toml").stdout.splitlines()
    assert f"{Path('feeds.toml').absolute()} (FEEDPROXY_FEEDS)" in [" ".join(line.split()[1:]) for line in told]
    assert "/f/a  q=agents&min_upvotes=2  An A" == told[-1]


@pytest.mark.parametrize("command", [["config"], ["serve"], ["check", "q=agents"]])
def test_bad_feeds(run: Run, command: list[str]) -> None:
    """A file of named feeds that cannot be used is one line and exit code 2; nothing is served."""
    Path("feeds.toml").write_text('[[feed]]\nname = "a"\ntitle = "A"\nquery = "q=((a)"\n')
    result = run(*command, feeds="feeds.toml")
    assert 2 == result.exit_code
    told = "feedproxy: FEEDPROXY_FEEDS {}: feed 1 “a”: query: q at character 1: this ( is never closed"
    assert told.format(Path("feeds.toml").absolute()) == one_line(result)


def test_unknown_setting(run: Run) -> None:
    """A variable that is no setting is a warning."""
    result = run("config", maxage="1")
    assert 0 == result.exit_code
    assert "feedproxy: FEEDPROXY_MAXAGE is not a setting, did you mean FEEDPROXY_MAX_AGE?" == one_line(result)


def test_bad_settings(run: Run) -> None:
    """Settings that cannot be used are a line each and exit code 2."""
    result = run("config", max_age="x", pace="y")
    assert 2 == result.exit_code
    assert [
        "feedproxy: FEEDPROXY_PACE must be seconds from 0 to 3600, not 'y'",
        "feedproxy: FEEDPROXY_MAX_AGE must be a whole number from 0 to 86400, not 'x'",
    ] == result.stderr.splitlines()


def test_bad_feeds_are_a_line_each(run: Run) -> None:
    """So are the mistakes in a file of named feeds."""
    Path("feeds.toml").write_text('[[feed]]\nname = "A"\ntitle = 1\n[[feed]]\n')
    result = run("check", "q=a", feeds="feeds.toml")
    told = [
        line.removeprefix(f"feedproxy: FEEDPROXY_FEEDS {Path('feeds.toml').absolute()}: feed ")
        for line in result.stderr.splitlines()
    ]
    assert (2, 6) == (result.exit_code, len(told))
    assert ["1", "1", "1", "2", "2", "2"] == [line.partition(":")[0] for line in told]


# What terminals and arguments are made of -------------------------------------------------------


def program(tmp_path: Path, *words: str | bytes, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run the real program on made-up papers, as a shell would, with `environment` for its terminal's encoding."""
    own = {"XDG_DATA_HOME": str(tmp_path), "FEEDPROXY_LISTING": "demo"}
    command = [sys.executable, "-m", "feedproxy", *words]
    return subprocess.run(command, env=os.environ | own | environment, capture_output=True, check=False)


ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


@pytest.mark.integration
@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({"PYTHONIOENCODING": "utf-8"}, "naïve 大模型".encode()),
        ({"PYTHONIOENCODING": "cp1252"}, "naïve \\u5927\\u6a21\\u578b".encode("cp1252")),
        (ASCII | {"PYTHONIOENCODING": "latin-1"}, "naïve \\u5927\\u6a21\\u578b".encode("latin-1")),
    ],
)
def test_terminals(tmp_path: Path, environment: dict[str, str], shown: bytes) -> None:
    """What a terminal cannot show is escaped, and what it is asked for understood all the same."""
    done = program(tmp_path, "config", **environment, FEEDPROXY_FEEDS=named(tmp_path, "naïve 大模型"))
    assert (0, b"", shown) == (done.returncode, done.stderr, done.stdout.splitlines()[-1].partition(b"q=a  ")[2])
    done = program(tmp_path, "check", "q=大模型", **environment)
    assert (0, b"") == (done.returncode, done.stderr)
    assert b"/feed.rss?q=%E5%A4%A7%E6%A8%A1%E5%9E%8B" in done.stdout
    done = program(tmp_path, "check", "q=大模型(", **environment)
    assert (2, b"feedproxy: q at character 5: a word or phrase is missing here") == (
        done.returncode,
        done.stderr.splitlines()[-1],
    )


def named(folder: Path, title: str) -> str:
    """Return the path of a file that names one feed."""
    (folder / "feeds.toml").write_text(f'[[feed]]\nname = "a"\ntitle = "{title}"\nquery = "q=a"\n', encoding="utf-8")
    return str(folder / "feeds.toml")


@pytest.mark.integration
@pytest.mark.parametrize("environment", [{"PYTHONIOENCODING": "cp1252"}, ASCII])
def test_feeds_are_utf_8(tmp_path: Path, environment: dict[str, str]) -> None:
    """A feed is written in UTF-8, as it says, whatever the terminal's encoding."""
    done = program(tmp_path, "feed", "link=arxiv", **environment, FEEDPROXY_PUBLIC_URL="https://feeds.example.org")
    assert 50 == len(feedparser.parse(done.stdout).entries)
    assert done.stdout.decode("utf-8").startswith("<?xml version='1.0' encoding='UTF-8'?>")
    assert not done.stdout.isascii()


@pytest.mark.integration
@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([b"check", b"q=caf\xe9"], "feedproxy: q: is not UTF-8"),
        ([b"check", b"http://localhost/feed.rss?q=caf\xe9"], "feedproxy: q: is not UTF-8"),
        ([b"check", b"\xe9"], "there is no such feed here; feed.rss?q=agents is one"),
        ([b"refresh", b"--listing", b"/caf\xe9.json"], ".json: No such file or directory"),
        ([b"feed", b"q=a", b"-o", b"/nowhere/\xe9"], ": No such file or directory"),
        ([b"serve", b"--bind", b"\xe9:80"], "'\\udce9:80' is not HOST:PORT"),
        ([b"caf\xe9"], "No such command 'caf\\udce9'"),
    ],
)
def test_arguments_that_are_not_utf_8(tmp_path: Path, words: list[bytes], told: str) -> None:
    """Arguments in another encoding are told in a line, or name a file as any others; nothing of them is dropped."""
    done = program(tmp_path, *words)
    assert done.returncode in (1, 2)
    assert b"Traceback" not in done.stderr
    assert done.stderr.decode("ascii", "replace").splitlines()[-1].endswith(told)


@pytest.mark.integration
@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems take UTF-8 only")
def test_files_with_names_that_are_not_utf_8(tmp_path: Path) -> None:
    """An archive, a listing and an output may have any name that the system allows."""
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    Path(os.fsdecode(folder)).mkdir()
    Path(os.fsdecode(folder + b"/x.json")).write_bytes(api(entries(3)))
    words = [b"feed", b"q=agents", b"--listing", folder, b"--archive", folder + b".sqlite", b"-o", folder + b".rss"]
    done = program(tmp_path, *words)
    assert (0, b"", b"") == (done.returncode, done.stdout, done.stderr)
    assert Path(os.fsdecode(folder + b".rss")).read_bytes().startswith(b"<?xml")


# Usage ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["serv"], "No such command 'serv', did you mean serve?"),
        (["nonesuch"], "No such command 'nonesuch'\n"),
        (["archive", "bakup"], "No such command 'bakup', did you mean backup?"),
        (["serve", "--bnd", "x"], "id you mean"),
        (["feed"], "Missing argument 'QUERY|ADDRESS'"),
        (["feed", "q=a", "--format", "xml"], "'xml' is not one of 'rss', 'atom', 'json'"),
        (["feed", "q=a", "-o", "."], "File '.' is a directory"),
        (["backfill"], "Missing option '--since'"),
        (["backfill", "--since", "soon"], "'soon' is not a day; write it as 2025-01-31"),
        (["backfill", "--since", "2025-02-30"], "'2025-02-30' is not a day"),
        (
            ["backfill", "--since", "2025-01-10", "--until", "2025-01-06"],
            "there are no days from 2025-01-10 to 2025-01-06; Daily Papers began on 2023-05-04",
        ),
        (
            ["backfill", "--since", "9999-01-01"],
            "there are no days from 9999-01-01 to 2026-03-09; Daily Papers began on",
        ),
        (
            ["backfill", "--since", "2020-01-01", "--until", "2020-02-01"],
            "there are no days from 2023-05-04 to 2020-02-01",
        ),
        (
            ["backfill", "--since", "2025-01-06", "--listing", "demo"],
            "backfill asks the Hub by day; refresh reads all of a saved listing",
        ),
        (["serve", "--demo", "--listing", "x"], "--demo has its own listing"),
        (["feed", "q=a", "--demo", "--listing", "x"], "--demo has its own listing"),
        (["help"], "No such command 'help', did you mean --help?"),
        (["publish", "--init", "site"], "--init takes no DIR: it writes feeds.toml, or another file with --feeds FILE"),
        (["serve", "--workers", "0"], "0 is not in the range 1<=x<=64"),
        (["serve", "--bind", "8000"], "'8000' is not HOST:PORT"),
        (["serve", "--bind", "localhost:65536"], "'localhost:65536' is not HOST:PORT"),
        (["serve", "--bind", "é..b:8000"], "'é..b:8000' is not HOST:PORT"),
        (["serve", "--bind", "::1:8000"], "'::1:8000' is not HOST:PORT"),
    ],
)
def test_usage(run: Run, words: list[str], told: str) -> None:
    """What cannot be meant is exit code 2 and says what is wrong with it."""
    result = run(*words)
    assert (2, "") == (result.exit_code, result.stdout)
    assert told in result.stderr


def test_restore_of_nothing(run: Run) -> None:
    """A backup that is not there begins no archive."""
    result = run("archive", "restore", "--yes", "none.sqlite")
    assert 1 == result.exit_code
    assert "feedproxy: cannot restore none.sqlite: there is no such file" == one_line(result)
    assert not Path("share").exists()


def test_restore_asks(run: Run, kept: Path, tmp_path: Path) -> None:
    """Before `restore` replaces an archive it names the one that would be replaced."""
    assert 0 == run("archive", "backup", tmp_path / "backup.sqlite", archive=str(kept)).exit_code
    target = tmp_path / "other.sqlite"
    result = run("archive", "restore", tmp_path / "backup.sqlite", "--archive", target)
    assert 1 == result.exit_code
    assert f"This replaces everything in {target}. Go on? [y/N]:" in result.stdout
    assert not target.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no terminals to pose as")
@pytest.mark.parametrize("command", [["refresh"], ["feed", "q=paper"]])
def test_progress_on_a_terminal(hub: Hub, tmp_path: Path, command: list[str]) -> None:
    """On a terminal a bar shows how far a refresh is; the feed goes to standard output alone."""
    hub.days = {datetime.now(UTC).date() - timedelta(days=3): entries(2)}
    settings = {"FEEDPROXY_LISTING": hub.url, "FEEDPROXY_PACE": "0", "FEEDPROXY_ARCHIVE": str(tmp_path / "a.sqlite")}
    ours, theirs = os.openpty()
    words = [sys.executable, "-m", "feedproxy", *command]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=theirs, env=os.environ | settings) as process:
        os.close(theirs)
        assert process.stdout
        printed = process.stdout.read()
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert 0 == process.returncode
    assert "31 listings to read" in shown
    assert "100%" in shown
    assert b"listings to read" not in printed


@pytest.mark.skipif(sys.platform == "win32", reason="there is no shell to close it")
def test_refresh_without_standard_error(hub: Hub, tmp_path: Path) -> None:
    """A refresh works where standard error is closed, as under some daemons."""
    hub.days = {datetime.now(UTC).date() - timedelta(days=3): entries(2)}
    settings = {"FEEDPROXY_LISTING": hub.url, "FEEDPROXY_PACE": "0", "FEEDPROXY_ARCHIVE": str(tmp_path / "a.sqlite")}
    words = ["sh", "-c", f"{shlex.quote(sys.executable)} -m feedproxy refresh 2>&-"]
    result = subprocess.run(words, stdout=subprocess.PIPE, env=os.environ | settings, check=False)
    assert (0, True) == (result.returncode, b"2 new" in result.stdout)


@pytest.mark.parametrize("bind", ["127.0.0.1:{port}", "localhost:{port}"])
def test_port_in_use(run: Run, bind: str) -> None:
    """A port in use is said in one line, before anything is printed about subscribing."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = bind.format(port=taken.getsockname()[1])
        result = run("serve", "--demo", "--bind", bind)
    host, port = bind.split(":")
    told = (
        f"feedproxy: cannot listen at {bind}: Address already in use; try another port: --bind {host}:{int(port) + 1}"
    )
    assert (1, told) == (result.exit_code, one_line(result))


@pytest.mark.parametrize(
    ("bind", "told"),
    [("192.0.2.1:8000", "Cannot assign requested address"), ("a..b:8000", "Name or service not known")],
)
def test_no_such_host(run: Run, bind: str, told: str) -> None:
    """What is no address of this machine cannot be listened at."""
    result = run("serve", "--demo", "--bind", bind)
    assert (1, f"feedproxy: cannot listen at {bind}: {told}") == (result.exit_code, one_line(result))


def test_beginning(run: Run) -> None:
    """Without a command feedproxy says in five lines how to begin."""
    result = run()
    assert (0, "", 5) == (result.exit_code, result.stderr, len(result.stdout.splitlines()))
    assert "feedproxy serve --demo" in result.stdout.splitlines()[0]


@pytest.mark.parametrize("words", [[], ["archive"]])
def test_lists_of_commands_are_not_cut(run: Run, words: list[str]) -> None:
    """In a terminal of 80 columns no command's sentence ends in dots."""
    listed = run(*words, "-h").stdout.partition("Commands:")[2].splitlines()
    assert [] == [line for line in listed if line.endswith(("...", "…"))]
    assert all(line.endswith(".") for line in listed if line)


def test_help(run: Run) -> None:
    """Every command explains itself in a sentence."""
    result = run("-h")
    assert 0 == result.exit_code
    for command in main.commands:
        assert command in result.stdout
        assert run(command, "--help").stdout.startswith(f"Usage: main {command} [OPTIONS]")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_full_disk() -> None:
    """What cannot be printed is one line and exit code 1."""
    with Path("/dev/full").open("wb") as full:
        assert (1, "feedproxy: No space left on device\n") == printed_to(full.fileno())


def test_reader_that_has_read_enough() -> None:
    """A pipe that nobody reads any more ends a command without a word."""
    reading, writing = os.pipe()
    os.close(reading)
    assert (1, "") == printed_to(writing)
    os.close(writing)


def printed_to(descriptor: int) -> tuple[int, str]:
    """Return the exit code and the complaint of a real command that prints to `descriptor`."""
    command = [sys.executable, "-m", "feedproxy", "config"]
    done = subprocess.run(command, stdout=descriptor, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr


def test_version(run: Run) -> None:
    """The version is that of the package."""
    assert f"feedproxy, version {__version__}\n" == run("--version").stdout
