"""The Hugging Face Spaces in `deploy/spaces/`: their front matter, and the Docker Space's start program really run."""

import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from feedproxy import __version__
from feedproxy.archive import Archive
from feedproxy.ingest.http import Fetcher
from feedproxy.ingest.refresher import Refresher
from feedproxy.ingest.schedule import hub_day
from feedproxy.ingest.source import Hub as HubSource
from tests.factories import entries, entry
from tests.hub import Answer, Hub

ROOT = Path(__file__).parents[1]
SPACES = ROOT / "deploy" / "spaces"
START = SPACES / "docker" / "start.py"
WORKFLOW = ROOT / "deploy" / "pages" / ".github" / "workflows" / "publish.yml"
HOST = "ada-papers.hf.space"
FEEDS = '[[feed]]\nname = "voted"\ntitle = "Voted for"\nquery = "min_upvotes=5"\n'

# huggingface.co/docs/hub/spaces-config-reference, checked in November 2026: the keys that are no special case.
KEYS = {"title", "emoji", "colorFrom", "colorTo", "sdk", "app_port", "header", "short_description", "license", "pinned"}
COLORS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


# The files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("sdk", ["static", "docker"])
def test_front_matter(sdk: str) -> None:
    """Each README begins with front matter that Hugging Face accepts, for the kind of Space that its folder names."""
    _, text, _ = (SPACES / sdk / "README.md").read_text().split("---\n", 2)
    front = YAML(typ="safe").load(text)
    assert set() == front.keys() - KEYS
    assert sdk == front["sdk"]
    assert {front["colorFrom"], front["colorTo"]} <= COLORS
    assert len(front["short_description"]) <= 60
    assert not front["emoji"].isascii()


def test_port() -> None:
    """The port in the front matter, in the Dockerfile and in the start program is one."""
    texts = [(SPACES / "docker" / name).read_text() for name in ("README.md", "Dockerfile", "start.py")]
    ports = [re.findall(r"(?:app_port: |EXPOSE |0\.0\.0\.0:)(\d+)", text) for text in texts]
    assert [["7860"], ["7860"], ["7860"]] == ports


def test_version() -> None:
    """The Dockerfile installs this version of feedproxy and no other."""
    text = (SPACES / "docker" / "Dockerfile").read_text()
    assert [__version__] == re.findall(r" feedproxy==(\S+)$", text, re.MULTILINE)


def test_image_runs_as_the_user_of_spaces() -> None:
    """Only what comes before `USER` is root's: the installation. The user is the one of Spaces, 1000."""
    lines = (SPACES / "docker" / "Dockerfile").read_text().splitlines()
    assert "RUN useradd --create-home --uid 1000 user" in lines[: lines.index("USER user")]
    assert [] == [line for line in lines if line.startswith(("COPY", "ADD")) and " --chown=user " not in line]


def test_start_needs_only_python() -> None:
    """The start program imports nothing but the standard library, and calls feedproxy by its command."""
    imported = re.findall(r"^(?:import|from) (\w+)", START.read_text(), re.MULTILINE)
    assert set() == set(imported) - sys.stdlib_module_names


@pytest.mark.skipif(not WORKFLOW.exists(), reason="there is no template")
def test_workflow_has_what_is_changed() -> None:
    """The static Space's README changes only steps, jobs and outputs that the GitHub template has."""
    text = (SPACES / "static" / "README.md").read_text().partition("## By a GitHub workflow")[2].partition("\n## ")[0]
    workflow = WORKFLOW.read_text()
    jobs = YAML(typ="safe").load(workflow)["jobs"]
    assert {"deploy", "stay-enabled"} <= jobs.keys()
    assert jobs["deploy"]["if"]
    assert [] == [name for name in re.findall(r"\"([A-Z][^\"=]+)\"", text) if f"- name: {name}\n" not in workflow]
    assert "- uses: actions/upload-pages-artifact@" in workflow
    assert f"if: ${{{{ {re.findall(r'if: [$]{{ (.*) }}', text)[0]} }}}}" in workflow


# The start program ------------------------------------------------------------------------------


class Space:
    """A Docker Space: `start.py` in a home with feeds, a disk that `lose_disk` loses, and a store that stays."""

    def __init__(self, folder: Path, hub: Hub) -> None:
        self.folder, self.hub = folder, hub
        self.home, self.disk, self.store = folder / "home", folder / "disk", folder / "store"
        self.archive, self.copy = self.disk / "archive.sqlite", self.store / "archive.sqlite"
        self.home.mkdir()
        self.store.mkdir()
        shutil.copy(START, self.home)
        (self.home / "feeds.toml").write_text(FEEDS)
        self.process: subprocess.Popen[bytes] | None = None
        self.day = hub_day(datetime.now(UTC))
        hub.days[self.day] = entries(8, day=self.day, upvotes=1)

    def start(self, pause: float = 3600) -> None:
        """Start on a free port."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.port = listening.getsockname()[1]
        clean = {name: text for name, text in os.environ.items() if not name.startswith("FEEDPROXY_")}
        settings = {"LISTING": self.hub.url, "ARCHIVE": str(self.archive), "PACE": "0.001"}
        command = [sys.executable, "start.py", str(self.store), "--bind", f"127.0.0.1:{self.port}"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--pause", str(pause)],
                cwd=self.home,
                stderr=log,
                start_new_session=True,
                env=clean
                | {f"FEEDPROXY_{name}": text for name, text in settings.items()}
                | {"PYTHONPATH": str(ROOT), "SPACE_HOST": HOST},
            )

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal to the start program, as a container's end does; kill all of it with SIGKILL."""
        assert self.process
        (os.killpg if how == signal.SIGKILL else os.kill)(self.process.pid, how)
        return self.wait()

    def wait(self) -> int:
        assert self.process
        return self.process.wait(30)

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def is_backed_up(self) -> bool:
        """Say whether the copy is of the archive as it is now."""
        return self.copy.exists() and revision(self.archive, "mode=ro") == revision(self.copy, "immutable=1")

    def lose_disk(self) -> None:
        shutil.rmtree(self.disk)

    def refresh(self, **fields: object) -> None:
        """Let a refresh see the first paper with `fields`, and all others as they were."""
        self.hub.days[self.day][0] = entry(1, day=self.day, **{"upvotes": 1} | fields)
        archive = Archive(str(self.archive))
        Refresher(HubSource(Fetcher(self.hub.url, interval=0)), archive, lambda: datetime.now(UTC)).refresh_once(
            force=True
        )
        archive.close()

    def get(self, path: str) -> bytes:
        """Return the answer to `path` once there is one with papers."""

        def answer() -> bytes:
            with suppress(httpx.TransportError):
                response = httpx.get(f"http://127.0.0.1:{self.port}{path}")
                return response.content if response.is_success else b""
            return b""

        return eventually(answer)

    def wait_until_filled(self) -> None:
        """Wait until all listings that are due have been read."""
        self.get("/feed.rss")
        eventually(lambda: b'"filling"' not in self.get("/status.json"))


def revision(archive: Path, options: str) -> int:
    with closing(sqlite3.connect(f"{archive.as_uri()}?{options}", uri=True)) as db:
        return int(db.execute("SELECT revision FROM state").fetchone()[0])


def eventually(look: Callable[[], Any]) -> Any:
    """Return the first true result of `look`."""
    for _ in range(1_000):
        if result := look():
            return result
        time.sleep(0.02)
    raise AssertionError("it never happened")


@pytest.fixture
def space(tmp_path: Path, hub: Hub) -> Iterator[Space]:
    space = Space(tmp_path, hub)
    yield space
    if space.is_running():
        space.stop(signal.SIGKILL)


# These take seconds each: the program starts feedproxy several times.


@pytest.mark.integration
def test_restart_keeps_dates(space: Space) -> None:
    """A Space that was stopped and lost its disk serves the same bytes, with a date that no listing tells."""
    space.start()
    space.wait_until_filled()
    space.refresh(upvotes=7)
    eventually(lambda: b"<entry>" in space.get("/f/voted.atom"))
    feed = space.get("/f/voted.atom")
    assert f'href="https://{HOST}/f/voted.atom"'.encode() in feed
    assert 0 == space.stop()
    space.lose_disk()
    space.hub.standing = Answer(500)
    space.start()
    assert feed == space.get("/f/voted.atom")
    assert 1 == space.log().count(" restored ")


@pytest.mark.integration
def test_backs_up_what_a_refresh_brought(space: Space) -> None:
    """A refresh that brought something is backed up soon, and one that brought nothing is not."""
    space.start(pause=0.1)
    space.wait_until_filled()
    eventually(space.is_backed_up)
    before = space.copy.stat()
    space.refresh()
    time.sleep(1)
    assert before == space.copy.stat()
    space.refresh(upvotes=2)
    eventually(space.is_backed_up)
    assert before.st_mtime_ns < space.copy.stat().st_mtime_ns
    assert ["archive.sqlite"] == [path.name for path in space.store.iterdir()]


@pytest.mark.integration
def test_backs_up_at_the_end(space: Space) -> None:
    """Backups are `--pause` apart, except for the one at SIGTERM."""
    space.start(pause=2)
    space.wait_until_filled()
    eventually(lambda: space.is_backed_up() and " backed up " in space.log().splitlines()[-1])
    backups = space.log().count(" backed up ")
    space.refresh(upvotes=2)
    assert 0 == space.stop()
    assert space.is_backed_up()
    assert backups + 1 == space.log().count(" backed up ")


@pytest.mark.integration
def test_failing_store(space: Space) -> None:
    """A store that takes no copy costs a line for each try and nothing else; a later try succeeds."""
    obstacle = space.store / "archive.sqlite.unfinished"
    obstacle.mkdir()
    space.start(pause=0.1)
    eventually(lambda: 2 <= space.log().count(f"cannot back up to {space.store}, will try again: "))
    space.get("/feed.rss")
    assert not space.copy.exists()
    obstacle.rmdir()
    eventually(space.is_backed_up)
    assert "Traceback" not in space.log()


@pytest.mark.integration
def test_copy_that_was_hidden_at_the_start(space: Space) -> None:
    """A Space that found its store empty replaces no copy that turns up there later."""
    space.store.rename(space.folder / "elsewhere")
    space.store.mkdir()
    space.start(pause=0.1)
    eventually(lambda: "beginning with an empty archive" in space.log())
    space.copy.write_bytes(b"the copy")
    eventually(lambda: "archive.sqlite was not there at the start; restart to restore it" in space.log())
    assert b"the copy" == space.copy.read_bytes()


@pytest.mark.integration
def test_killed_while_it_backs_up(space: Space) -> None:
    """Killed in the middle of a backup, a Space leaves the copy as it was, and the next start goes on from it."""
    space.start()
    space.wait_until_filled()
    assert 0 == space.stop()
    with closing(sqlite3.connect(space.archive)) as db:  # so large that copying takes a while
        db.execute("CREATE TABLE padding AS SELECT zeroblob(200000000) AS zeros")
    before = space.copy.read_bytes()
    unfinished = space.store / "archive.sqlite.unfinished"
    space.start(pause=0.1)  # with its disk, so it backs up at once
    while not unfinished.exists():
        assert space.is_running()
    space.stop(signal.SIGKILL)
    assert unfinished.exists()
    assert before == space.copy.read_bytes()
    space.lose_disk()
    space.start(pause=0.1)
    space.wait_until_filled()
    space.refresh(upvotes=2)
    eventually(space.is_backed_up)
    assert not unfinished.exists()


@pytest.mark.parametrize("size", [0, 6000])
def test_damaged_copy(space: Space, size: int) -> None:
    """A copy that cannot be read ends the program with one line, and stays as it is."""
    with closing(Archive(str(space.copy))) as archive:
        archive.state()
    os.truncate(space.copy, size)
    space.start()
    assert 1 == space.wait()
    (line,) = space.log().splitlines()
    assert line.startswith(f"start: cannot restore {space.copy} (")
    assert size == space.copy.stat().st_size
    assert not space.archive.exists()


def test_no_store(space: Space) -> None:
    """Without a store the program ends with one line: it would lose the archive at the next restart."""
    space.store.rmdir()
    space.start()
    assert 1 == space.wait()
    (line,) = space.log().splitlines()
    assert f"start: there is no folder {space.store}; attach a storage bucket to the Space, mounted there" == line
