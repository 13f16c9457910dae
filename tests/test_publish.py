"""`feedproxy publish`: a folder for a static host that changes only when a feed does, and loses nothing of others."""

import hashlib
import json
import multiprocessing
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import date
from pathlib import Path
from typing import Any

import feedparser
import pytest

from feedproxy.archive import Archive
from feedproxy.errors import ArchiveError
from feedproxy.feeds import FORMATS
from feedproxy.publish import open_folder
from feedproxy.query.interests import interests
from feedproxy.query.named_feeds import read_feeds
from tests.conftest import Clock, Run, one_line
from tests.factories import api, entry
from tests.hub import Answer, Hub
from tests.publishing import URL, publish_in

FEEDS = """
[[feed]]
name = "all"
title = "Everything"
query = "limit=200"

[[feed]]
name = "liked"
title = "Liked"
query = "min_upvotes=10"

[[feed]]
name = "agents"
title = "Agents"
query = "q=agents"

[[feed]]
name = "best"
title = "Daily Papers"
query = "digest=week&top=5"
"""
NAMES = ("all", "liked", "agents", "best")
FORMS = tuple(FORMATS)
FOLDER = {
    *(f"f/{name}.{form}" for name in NAMES for form in FORMS),
    *("index.html", "404.html", "status.json", "feeds.opml", ".nojekyll"),
    *(f"static/{name}" for name in ("icon.png", "icon.svg", "style.css")),
}
Look = dict[str, tuple[str, int, int]]


def look(folder: Path) -> Look:
    """Return the SHA-256, the inode and the time of each file below `folder`, by its path."""
    files = [path for path in folder.rglob("*") if not path.is_dir()]
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_ino,
            path.stat().st_mtime_ns,
        )
        for path in files
    }


def changed(before: Look, after: Look) -> set[str]:
    """Return the paths of what is new, different, written anew or gone."""
    return {name for name, _ in before.items() ^ after.items()}


def save(votes: dict[int, int], name: str = "listing.json") -> None:
    """Save a listing of papers with these votes, by number; every third is about agents."""
    titles = {number: "Agents at Work" if number % 3 == 0 else "Graphs" for number in votes}
    Path(name).write_bytes(
        api(entry(number, title=titles[number], upvotes=upvotes) for number, upvotes in votes.items())
    )


VOTES = dict.fromkeys(range(1, 10), 4) | {1: 30}


@pytest.fixture
def folder(run: Run) -> Path:
    """An empty folder, beside a file of feeds and a saved listing of nine papers, of which one has ten votes."""
    Path("feeds.toml").write_text(FEEDS)
    save(VOTES)
    return Path("site")


def publish(run: Run, *words: str, listing: str = "listing.json", **settings: str) -> list[str]:
    """Publish to `site`, and return what is printed."""
    result = run("publish", "site", "--url", URL, "--feeds", "feeds.toml", *words, listing=listing, **settings)
    assert (0, "") == (result.exit_code, result.stderr)
    return result.stdout.splitlines()


def test_folder(run: Run, folder: Path) -> None:
    """A first run writes every feed in each format, and what makes a site of them."""
    assert sorted(f"new {name}" for name in FOLDER) == sorted(publish(run))
    assert look(folder).keys() == FOLDER
    feed = feedparser.parse((folder / "f/liked.rss").read_bytes()).feed
    assert [f"{URL}/f/liked.rss"] == [link.href for link in feed.links if link.rel == "self"]
    assert f"{URL}/?min_upvotes=10" == feed.link
    status = json.loads((folder / "status.json").read_text())
    hashes = {name: sha256 for name, (sha256, *_) in look(folder).items() if name != "status.json"}
    assert hashes == status["files"]
    assert status["error"] is None


def test_same_bytes_as_the_command_for_one_feed(run: Run, folder: Path) -> None:
    """A published feed is what `feedproxy feed` writes of it."""
    publish(run)
    for name in NAMES:
        alone = run("feed", f"f/{name}.atom", listing="listing.json", feeds="feeds.toml", public_url=URL)
        assert alone.stdout_bytes == (folder / f"f/{name}.atom").read_bytes()


def test_second_run(run: Run, folder: Path, clock: Clock) -> None:
    """A second run on the same listing writes nothing, neither an hour nor a day later."""
    publish(run)
    first = look(folder)
    for hours in (0, 1, 23):
        clock.tick(hours=hours)
        assert ["nothing changed"] == publish(run)
        assert first == look(folder)
        save(VOTES)  # read again, with another time


def test_vote_that_crosses(run: Run, folder: Path, clock: Clock) -> None:
    """A vote changes only the feeds that its paper enters with it, and no file if it enters none."""
    publish(run)
    first = look(folder)
    clock.tick(hours=1)
    save(VOTES | {2: 9})
    assert ["nothing changed"] == publish(run)
    assert first == look(folder)
    clock.tick(hours=1)
    save(VOTES | {2: 10})
    publish(run)
    assert {f"f/liked.{form}" for form in FORMS} == {
        name for name in changed(first, look(folder)) if name.startswith("f/")
    }
    entries = feedparser.parse((folder / "f/liked.rss").read_bytes()).entries
    assert ["9913.00002", "9913.00001"] == [item.id.rpartition("/")[2] for item in entries]


def test_new_paper(run: Run, folder: Path, clock: Clock) -> None:
    """A new paper changes the feeds that it matches."""
    publish(run)
    first = look(folder)
    clock.tick(hours=1)
    save(VOTES | {10: 1})
    publish(run)
    feeds = {name for name in changed(first, look(folder)) if name.startswith("f/")}
    assert {f"f/all.{form}" for form in FORMS} == feeds


# Other files ------------------------------------------------------------------------------------


def test_feed_that_is_no_longer_named(run: Run, folder: Path) -> None:
    """The files of a feed that has lost its name are removed, but none that publish did not write."""
    publish(run)
    (folder / "f/mine.rss").write_text("mine")
    (folder / "CNAME").write_text("feeds.example.org")
    (folder / "f/agents.atom").write_text("edited")
    kept = look(folder)
    Path("feeds.toml").write_text(FEEDS.partition('[[feed]]\nname = "agents"')[0])
    told = publish(run)
    gone = {f"f/{name}.{form}" for name in ("agents", "best") for form in FORMS} - {"f/agents.atom"}
    assert gone == {line.removeprefix("removed ") for line in told if line.startswith("removed ")}
    assert kept.keys() - look(folder).keys() == gone
    assert ("mine", "edited") == ((folder / "f/mine.rss").read_text(), (folder / "f/agents.atom").read_text())
    assert ["nothing changed"] == publish(run)


def test_file_of_somebody_else(run: Run, folder: Path) -> None:
    """A folder that has a file in the way is left as it is; what publish wrote may be edited and is written again."""
    folder.mkdir()
    (folder / "index.html").write_text("My own page")
    (folder / "f").mkdir()
    (folder / "f/all.rss").mkdir()
    before = look(folder)
    result = run("publish", "site", "--url", URL, "--feeds", "feeds.toml", listing="listing.json")
    assert (1, "") == (result.exit_code, result.stdout)
    assert one_line(result) == (
        "feedproxy: f/all.rss, index.html in site are not from feedproxy publish: publish to another folder, "
        "or move what is there away"
    )
    assert before == look(folder)
    (folder / "index.html").unlink()
    (folder / "f/all.rss").rmdir()
    publish(run)
    (folder / "index.html").write_text("edited")
    assert ["changed index.html"] == publish(run)


@pytest.mark.parametrize(
    "status",
    [
        *("", "{", "[]", "7", '"x"', "null", "{}", '{"newest_entry_at": null}', "[" * 100_000),
        *('{"newest_entry_at": 7, "files": {}}', '{"newest_entry_at": "x", "files": {}}'),
        *('{"newest_entry_at": null, "files": []}', '{"newest_entry_at": "2026-13-10", "files": {}}'),
        '{"newest_entry_at": "0001-01-01T00:00:00+23:00", "files": {}}',
    ],
)
def test_status_of_somebody_else(run: Run, folder: Path, status: str) -> None:
    """A `status.json` that publish did not write is left alone."""
    folder.mkdir()
    (folder / "status.json").write_text(status)
    result = run("publish", "site", "--url", URL, "--feeds", "feeds.toml", listing="listing.json")
    assert 1 == result.exit_code
    assert one_line(result).startswith("feedproxy: site/status.json is not a file that feedproxy wrote: ")
    assert {"status.json"} == look(folder).keys()
    assert status == (folder / "status.json").read_text()


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


OTHER_THINGS = [make_pipe, Path.mkdir, lambda path: path.symlink_to("/dev/zero"), lambda path: path.symlink_to(path)]


@pytest.mark.parametrize("make", OTHER_THINGS)
@pytest.mark.parametrize("name", ["status.json", "f/all.rss", "index.html"])
def test_no_file(run: Run, folder: Path, name: str, make: Callable[[Path], None]) -> None:
    """A pipe, a folder, a device or a broken link is in the way, even where publish had a file; nothing is written."""
    publish(run)
    (folder / name).unlink()
    make(folder / name)
    save(VOTES | {10: 1})
    before = names(folder)
    result = run("publish", "site", "--url", URL, "--feeds", "feeds.toml", listing="listing.json")
    assert 1 == result.exit_code
    assert name in one_line(result)
    assert b"9913.00010" not in (folder / "f/all.atom").read_bytes()
    assert before == names(folder)


def names(folder: Path) -> set[Path]:
    """Return the paths of what is in `folder`."""
    return set(folder.rglob("*"))


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("nowhere")])
def test_no_folder(run: Run, folder: Path, make: Callable[[Path], None]) -> None:
    """What is in the way of a folder is not ours either, and nothing is written."""
    folder.mkdir()
    make(folder / "static")
    result = run("publish", "site", "--url", URL, "--feeds", "feeds.toml", listing="listing.json")
    assert 1 == result.exit_code
    assert one_line(result).startswith("feedproxy: static in site is not from feedproxy publish: ")
    assert {folder / "static"} == names(folder)


def test_many_files_of_somebody_else(run: Run, folder: Path) -> None:
    """The message about them stays short."""
    for name in FOLDER - {"status.json"}:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")
    result = run("publish", "site", "--url", URL, "--feeds", "feeds.toml", listing="listing.json")
    assert f" and {len(FOLDER) - 1 - 10} more in site are not from" in one_line(result)


def test_what_looks_unfinished(run: Run, folder: Path) -> None:
    """What a killed process left is removed, also of a feed that has lost its name; a copy with a date stays."""
    publish(run)
    (folder / "f/.agents.rss.123").touch()
    (folder / ".index.html.123").touch()
    (folder / ".index.html.20261129").touch()
    (folder / ".404.html.123").mkdir()
    Path("feeds.toml").write_text(FEEDS.partition('[[feed]]\nname = "agents"')[0])
    publish(run)
    assert {".index.html.20261129", ".404.html.123"} == {path.name for path in names(folder)} & {
        *(".agents.rss.123", ".index.html.123", ".index.html.20261129", ".404.html.123")
    }


@pytest.mark.parametrize("path", ["a" * 300, "/".join("a" * 3000)])
def test_status_with_a_long_path(run: Run, folder: Path, path: str) -> None:
    """A path that no system would accept is no file of publish's."""
    publish(run)
    status = json.loads((folder / "status.json").read_text())
    status["files"][path] = ""
    (folder / "status.json").write_text(json.dumps(status))
    assert ["changed status.json"] == publish(run)


@pytest.mark.parametrize(
    "path", ["../victim", "/victim", "f/../../victim", "..", "f//victim", "f/./victim", "\\victim"]
)
def test_status_that_names_files_elsewhere(run: Run, folder: Path, tmp_path: Path, path: str) -> None:
    """A path that leads out of the folder is no file of publish's, whatever `status.json` says."""
    publish(run)
    (tmp_path / "victim").write_text("mine")
    status = json.loads((folder / "status.json").read_text())
    status["files"][path.replace("/victim", f"{tmp_path}/victim") if path == "/victim" else path] = hashlib.sha256(
        b"mine"
    ).hexdigest()
    (folder / "status.json").write_text(json.dumps(status))
    assert ["changed status.json"] == publish(run)
    assert "mine" == (tmp_path / "victim").read_text()


def test_symbolic_link(run: Run, folder: Path, tmp_path: Path) -> None:
    """The folder and a file in it may be elsewhere, behind a symbolic link."""
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to("elsewhere")
    publish(run)
    (folder / "f/all.rss").rename(tmp_path / "all.rss")
    (folder / "f/all.rss").symlink_to(tmp_path / "all.rss")
    save(VOTES | {10: 1})
    publish(run)
    assert folder.is_symlink()
    assert (folder / "f/all.rss").is_symlink()
    assert b"9913.00010" in (tmp_path / "all.rss").read_bytes()


# A lost archive ---------------------------------------------------------------------------------


def test_lost_archive(run: Run, folder: Path, clock: Clock) -> None:
    """An archive that is empty, or older than the folder, is not published over it, until the memory is deleted."""
    publish(run)
    before = look(folder)
    clock.tick(days=1)
    words = ("publish", "site", "--url", URL, "--feeds", "feeds.toml")
    result = run(*words, listing="listing.json", archive="new.sqlite")
    assert (1, "") == (result.exit_code, result.stdout)
    assert one_line(result) == (
        "feedproxy: site has an entry of 2026-03-10 00:00 UTC, but the archive is empty: restore the archive that it "
        "was published from, or empty site to start over, with new dates for all entries"
    )
    archive = Archive("new.sqlite")
    assert archive.state().refreshed_at is None
    archive.close()
    assert before == look(folder)
    for path in [path for path in folder.rglob("*") if not path.is_dir()]:
        path.unlink()
    assert 0 == run(*words, listing="listing.json", archive="new.sqlite").exit_code


def test_clock_that_was_set_back(run: Run, folder: Path, clock: Clock) -> None:
    """A digest may be newer than the archive's papers and its last refresh: it is from this archive all the same."""
    Path("feeds.toml").write_text(FEEDS.replace("digest=week", "digest=day"))
    clock.tick(days=2)
    publish(run)
    newest = json.loads((folder / "status.json").read_text())["newest_entry_at"]
    clock.tick(days=-3)
    save(VOTES)
    publish(run)
    publish(run)
    assert newest == json.loads((folder / "status.json").read_text())["newest_entry_at"]


def test_only_the_memory_is_there(run: Run, folder: Path, clock: Clock) -> None:
    """The published `status.json` alone tells whether anything has changed, and of which archive it was made."""
    publish(run)
    memory = (folder / "status.json").read_bytes()
    for path in [path for path in folder.rglob("*") if not path.is_dir()]:
        path.unlink()
    (folder / "status.json").write_bytes(memory)
    publish(run)
    assert memory == (folder / "status.json").read_bytes()
    clock.tick(hours=1)
    save(VOTES | {2: 10})
    publish(run)
    assert memory != (folder / "status.json").read_bytes()


# The Hub ----------------------------------------------------------------------------------------


def test_hub_down(run: Run, folder: Path, hub: Hub, clock: Clock) -> None:
    """While the Hub fails, publish says so and goes on with what it has; without any paper it fails."""
    down = Answer(503, b"")
    hub.standing = down
    words = ("publish", "site", "--url", URL, "--feeds", "feeds.toml")
    result = run(*words, listing=hub.url)
    assert (1, "") == (result.exit_code, result.stdout)
    assert [] == list(look(folder))
    hub.standing = None
    hub.days[date(2026, 3, 10)] = [entry(number, upvotes=votes) for number, votes in VOTES.items()]
    clock.tick(hours=1)
    assert 0 == run(*words, listing=hub.url).exit_code
    before = look(folder)
    hub.standing = down
    for hours in (1, 2):
        clock.tick(hours=hours)
        result = run(*words, listing=hub.url)
        assert 0 == result.exit_code
        assert "; using the archive as it is" in one_line(result)
    assert {"status.json"} == changed(before, look(folder))
    assert json.loads((folder / "status.json").read_text())["error"]
    hub.standing = None
    clock.tick(hours=1)
    assert 0 == run(*words, listing=hub.url).exit_code
    assert {name: digest for name, (digest, *_) in before.items()} == {
        name: digest for name, (digest, *_) in look(folder).items()
    }


def test_archive_that_cannot_be_written(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is no trouble of the Hub's that ends by itself, so it is an error, and the folder stays as it is."""
    publish(run)
    before = look(folder)

    def store(*_: object) -> None:
        raise ArchiveError("cannot write to the archive: database disk image is malformed")

    monkeypatch.setattr(Archive, "store", store)
    save(VOTES | {10: 1})
    words = ("publish", "site", "--url", URL, "--feeds", "feeds.toml")
    result = run(*words, listing="listing.json")
    assert (1, "") == (result.exit_code, result.stdout)
    assert "feedproxy: cannot write to the archive: database disk image is malformed" == one_line(result)
    assert before == look(folder)
    assert 0 == run(*words, "--no-refresh", listing="listing.json").exit_code


def test_no_refresh(run: Run, folder: Path, hub: Hub) -> None:
    """With `--no-refresh` nobody is asked."""
    hub.days[date(2026, 3, 10)] = [entry(1)]
    assert 0 == run("refresh", listing=hub.url).exit_code
    number = len(hub.requests)
    publish(run, "--no-refresh", listing=hub.url)
    assert number == len(hub.requests)
    assert look(folder).keys() == FOLDER


# Mistakes ---------------------------------------------------------------------------------------


def test_what_is_missing(run: Run) -> None:
    """Without an address or feeds, everything that is missing is told, with a file of feeds to copy."""
    result = run("publish", "site", listing="demo")
    assert (2, "") == (result.exit_code, result.stdout)
    told = result.stderr.splitlines()
    assert [
        "feedproxy: publish needs the address that DIR will be served at: --url URL or FEEDPROXY_PUBLIC_URL",
        "feedproxy: publish needs a file that names the feeds: --feeds FILE or FEEDPROXY_FEEDS",
        "feedproxy publish --init writes such a file. One with a single feed is:",
        "",
    ] == told[:4]
    Path("feeds.toml").write_text("\n".join(told[4:]))
    assert ["agents"] == [feed.name for feed in read_feeds("feeds.toml")]
    assert not Path("site").exists()


@pytest.mark.parametrize(
    ("words", "settings", "told"),
    [
        ((), {"access_key": "made-up-key-0123456789"}, "a static host asks for no access key: "),
        (("--url", "x"), {}, "--url must be an address such as https://example.org, without a user, ? or #, not 'x'"),
        (("--feeds", "none.toml"), {}, "FEEDPROXY_FEEDS "),
    ],
)
def test_mistakes(run: Run, folder: Path, words: tuple[str, ...], settings: dict[str, str], told: str) -> None:
    """A wrong option or setting is one line, and nothing is written."""
    line = ("--url", URL, "--feeds", "feeds.toml", *words)
    result = run("publish", "site", *line, listing="listing.json", **settings)
    assert (2, "") == (result.exit_code, result.stdout)
    assert one_line(result).startswith(f"feedproxy: {told}")
    assert not folder.exists()


def test_feeds_from_a_pipe(run: Run, folder: Path) -> None:
    """The file of feeds is read once, so it may be a pipe; and no edit meanwhile publishes other feeds than checked."""
    publish(run)
    before = look(folder)
    ours, theirs = os.pipe()
    os.write(theirs, FEEDS.encode())
    os.close(theirs)
    result = run("publish", "site", "--url", URL, "--feeds", f"/dev/fd/{ours}", listing="listing.json")
    os.close(ours)
    assert (0, "nothing changed\n") == (result.exit_code, result.stdout)
    assert before == look(folder)


def test_file_without_feeds(run: Run, folder: Path) -> None:
    """A file that names no feed is a mistake."""
    Path("feeds.toml").write_text("")
    result = run("publish", "site", "--url", URL, "--feeds", "feeds.toml", listing="listing.json")
    assert 2 == result.exit_code
    assert result.stderr.startswith(f"feedproxy: {folder.absolute().with_name('feeds.toml')} names no feed\n")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_cannot_be_written(run: Run, folder: Path) -> None:
    """A folder without permission is one line that names it."""
    folder.mkdir(mode=0o500)
    result = run("publish", "site", "--url", URL, "--feeds", "feeds.toml", listing="listing.json")
    assert 1 == result.exit_code
    assert one_line(result).startswith("feedproxy: cannot publish to site: ")


def test_folder_below_a_file(run: Run, folder: Path) -> None:
    """A folder that cannot be made is one line."""
    folder.write_text("a file")
    for name in ("site", "site/below"):
        result = run("publish", name, "--url", URL, "--feeds", "feeds.toml", listing="listing.json")
        assert result.exit_code in (1, 2)
        assert "site" in result.stderr


# A first file of feeds ----------------------------------------------------------------------------


def test_init(run: Run) -> None:
    """`--init` writes a file with every ready-made filter and two feeds more; it replaces none."""
    result = run("publish", "--init")
    number = len(interests()) + 2
    assert (0, f"feeds.toml: {number} feeds; now feedproxy publish DIR --url URL --feeds feeds.toml\n") == (
        result.exit_code,
        result.stdout,
    )
    feeds = read_feeds("feeds.toml")
    assert interests() == feeds[2:]
    assert ["digest=week", "min_upvotes=50"] == [str(feed.query) for feed in feeds[:2]]
    again = run("publish", "--init")
    problem = "feedproxy: feeds.toml exists already: edit it, or write another one with --init --feeds FILE"
    assert (1, problem) == (again.exit_code, one_line(again))
    assert 0 == run("publish", "--init", "--feeds", "other.toml").exit_code
    assert Path("feeds.toml").read_bytes() == Path("other.toml").read_bytes()


def test_init_and_publish(run: Run) -> None:
    """What `--init` writes can be published as it is."""
    run("publish", "--init")
    result = run("publish", "site", "--url", URL, "--feeds", "feeds.toml", listing="demo")
    assert (0, "") == (result.exit_code, result.stderr)
    assert len(FORMS) * (len(interests()) + 2) == len(list(Path("site/f").iterdir()))


# Killed, and two at once ----------------------------------------------------------------------------

ROUNDS = int(os.environ.get("FEEDPROXY_KILL_ROUNDS", "20"))
# forkserver: a real process each, without the time that imports take
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["feedproxy.cli", "feedproxy.web.site"])


def start(tmp_path: Path) -> Any:
    """Start a process that publishes to `site`."""
    process = _processes.Process(target=publish_in, args=(tmp_path,))
    process.start()
    return process


def contents(folder: Path) -> dict[str, bytes]:
    """Return the content of each file that publish writes, without what it has not finished."""
    return {name: (folder / name).read_bytes() for name in FOLDER if (folder / name).is_file()}


def hashes(files: dict[str, bytes]) -> dict[str, str]:
    """Return the SHA-256 of each of these files but `status.json`."""
    return {name: hashlib.sha256(body).hexdigest() for name, body in files.items() if name != "status.json"}


def hashes_told(files: dict[str, bytes]) -> dict[str, str]:
    """Return the hashes in the `status.json` among these files."""
    return dict(json.loads(files["status.json"])["files"]) if "status.json" in files else {}


def demand_complete(tmp_path: Path, folder: Path) -> None:
    """Publish once more, and check that the folder is then whole."""
    process = start(tmp_path)
    process.join(60)
    assert 0 == process.exitcode, Path("out").read_text()
    assert look(folder).keys() == FOLDER
    assert hashes(contents(folder)) == hashes_told(contents(folder))


def release(tmp_path: Path) -> None:
    """Let the next process refresh at once; one that was killed in its refresh holds the lease for a while."""
    for archive in tmp_path.glob("share/feedproxy/*.sqlite"):
        with closing(sqlite3.connect(archive)) as db, db:
            db.execute("UPDATE lease SET until = 0")


def times(folder: Path) -> dict[Path, int]:
    """Return the times of the files below `folder`, also of those that are not finished."""
    with suppress(OSError):
        return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    return {}


@pytest.mark.integration
@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.usefixtures("run")
def test_killed(folder: Path, tmp_path: Path, is_first: bool) -> None:
    """Killed at any moment, it leaves no file half written, and the next run completes what it began."""
    dice = random.Random(1)  # noqa: S311
    began = time.monotonic()
    demand_complete(tmp_path, folder)
    length, partly = time.monotonic() - began, 0
    for at in range(ROUNDS):
        if is_first:
            shutil.rmtree(folder)
        before, first = contents(folder), times(folder)
        save(VOTES | dict.fromkeys(range(3 * (at + 10), 3 * (at + 11)), 20))
        process = start(tmp_path)
        if at % 4:  # while it writes
            while process.is_alive() and times(folder) == first:
                pass
            time.sleep(dice.uniform(0, 0.005))
        else:
            time.sleep(length * dice.uniform(0, 1))
        process.kill()
        process.join()
        release(tmp_path)
        after = contents(folder)
        assert set() == hashes(after).items() - hashes_told(before).items() - hashes_told(after).items()
        partly += hashes(after) != hashes_told(after)
        demand_complete(tmp_path, folder)
    assert partly >= ROUNDS / 5


@pytest.mark.integration
@pytest.mark.usefixtures("run")
def test_many_at_once(folder: Path, tmp_path: Path) -> None:
    """Several that publish to one folder at once leave it whole."""
    processes = [start(tmp_path) for _ in range(4)]
    for process in processes:
        process.join(60)
    assert {0, 1} >= {process.exitcode for process in processes}
    assert 0 in [process.exitcode for process in processes]
    demand_complete(tmp_path, folder)


@pytest.mark.usefixtures("folder")
def test_folder_in_use(run: Run) -> None:
    """While another process publishes to the folder, publish says so and changes nothing."""
    with open_folder(Path("site")):
        result = run("publish", "site", "--url", URL, "--feeds", "feeds.toml", listing="listing.json")
    assert (1, "feedproxy: another process is publishing to site") == (result.exit_code, one_line(result))
    publish(run)
