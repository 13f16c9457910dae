"""Installed as people install it, in clean folders: by pip, by uvx, and by the steps of the Containerfile."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import feedparser
import httpx
import pytest

ROOT = Path(__file__).parents[2]
CLEAN = {name: text for name, text in os.environ.items() if name.startswith(("PIP_", "LANG", "SSL_"))}
PIPS_OWN = CLEAN | {"PIP_CONSTRAINT": str(ROOT / ".ci" / "constraints.txt"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


@contextmanager
def running(command: list[str], **options: object) -> Iterator[str]:
    """Run what serves feeds, from its greeting on; yield the address of its page."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options)
    assert process.stderr
    try:
        told = [process.stderr.readline() for _ in range(4)]
        assert told[3].startswith("or choose: http://"), told
        yield told[3].removeprefix("or choose: ").strip()
    finally:
        process.terminate()
        rest = process.communicate(timeout=30)[1]
    assert (0, 0) == (process.returncode, rest.count("ERROR")), rest


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT, check=True)
    (file,) = folder.glob("*.whl")
    return file


def pythons() -> list[str]:
    """Return the Pythons of this machine that feedproxy supports, one of each version, the oldest first."""
    versions = {}
    for minor in (11, 12, 13, 14):
        pyenv = Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python")
        for python in filter(None, (shutil.which(f"python3.{minor}"), *map(str, pyenv))):
            check = f"import sqlite3, ssl, sys, venv; sys.exit(sys.version_info[1] != {minor})"
            if 0 == subprocess.run([python, "-c", check], stderr=subprocess.DEVNULL, check=False).returncode:
                versions.setdefault(minor, python)
    return list(versions.values()) or [sys.executable]


def check_demo(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    """Run `feedproxy serve --demo` as `command` does: it answers with feeds, the page and its style."""
    serve = [*command, "serve", "--demo", "--bind", "127.0.0.1:0"]
    with running(serve, cwd=folder, env=environment | {"XDG_DATA_HOME": str(folder / "share")}) as address:
        assert 50 == len(feedparser.parse(httpx.get(f"{address}feed.rss", timeout=30).content).entries)
        assert [200] * 2 == [httpx.get(address + path, timeout=30).status_code for path in ("", "static/style.css")]


@pytest.mark.parametrize("place", [0, -1], ids=["oldest", "newest"])
def test_wheel(place: int, wheel: Path, tmp_path: Path) -> None:
    """Installed from the wheel alone, on the oldest and on the newest Python, `feedproxy serve --demo` works."""
    subprocess.run([pythons()[place], "-m", "venv", str(tmp_path / "venv")], check=True)
    installed = tmp_path / "venv" / "bin"
    subprocess.run([installed / "pip", "install", "-q", wheel], cwd=tmp_path, env=PIPS_OWN, check=True)
    check_demo([str(installed / "feedproxy")], tmp_path, {})


def test_uvx(wheel: Path, tmp_path: Path) -> None:
    """`uvx --from WHEEL feedproxy serve --demo` installs and works in one line, in a home that has nothing."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    bin_folder = tmp_path / "venv" / "bin"
    subprocess.run([bin_folder / "pip", "install", "-q", "uv"], cwd=tmp_path, env=PIPS_OWN, check=True)
    uvx = [str(bin_folder / "uvx"), "--quiet", "--python", sys.executable, "--constraints", PIPS_OWN["PIP_CONSTRAINT"]]
    home = CLEAN | {"HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}
    check_demo([*uvx, "--from", str(wheel), "feedproxy"], tmp_path, home)


# The Containerfile ------------------------------------------------------------------------------

PYTHON = shutil.which("python3", path="/usr/local/bin:/usr/bin")  # one that every user of this machine may run
OWN = re.compile(
    r"(?<![\w./-])/(?=opt/|src|var/lib/feedproxy|usr/local/)"
)  # paths that are the image's, not this machine's


class Image:
    """What the Containerfile makes, in a folder in place of a file system: the paths of the image lie below it.

    Everything else a step uses is this machine's. A stage that is finished is put aside under its name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.stages, self.name = folder, folder.with_name("stages"), ""
        self.stages.mkdir()
        self.done: dict[str, str] = {}

    def step(self, word: str, rest: str) -> None:
        """Do what one line says; what only describes the image is kept for later."""
        getattr(self, f"do_{word.lower()}", lambda text: self.done.__setitem__(word, text))(
            OWN.sub(f"{self.folder}/", rest)
        )

    def do_from(self, rest: str) -> None:
        """Begin a stage, with the Python that its base image would have."""
        if self.name:
            self.folder.rename(self.stages / self.name)
        self.name = rest.partition(" AS ")[2]
        self.environment = {"PATH": f"{self.folder}/usr/local/bin:/usr/bin:/bin"}
        self.at = self.folder
        (self.folder / "usr/local/bin").mkdir(parents=True)
        (self.folder / "usr/local/bin/python").symlink_to(str(PYTHON))

    def do_workdir(self, rest: str) -> None:
        """Go to a folder."""
        self.at = Path(rest)
        self.at.mkdir(parents=True, exist_ok=True)

    def do_env(self, rest: str) -> None:
        """Set a variable."""
        name, _, value = rest.partition("=")
        self.environment[name] = value

    def do_copy(self, rest: str) -> None:
        """Copy from the checkout, or from a stage that is done."""
        options, words = {}, shlex.split(rest)
        while words[0].startswith("--"):
            name, _, options[name] = words.pop(0).partition("=")
        *sources, aim = words
        stage = self.stages / options.get("--from", "")
        for source in sources:
            whole = stage / Path(source).relative_to(self.folder) if "--from" in options else ROOT / source
            target = self.at / aim / (whole.name if aim.endswith("/") else "")
            target.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["/bin/cp", "-RT", "--preserve=mode,links", whole, target], check=True)
            subprocess.run(["/bin/chown", "-R", options.get("--chown", "0:0"), target], check=True)

    def do_run(self, rest: str) -> None:
        """Run a command."""
        subprocess.run(["/bin/sh", "-euc", rest], cwd=self.at, env=CLEAN | self.environment, check=True)


def image_of(containerfile: Path, folder: Path) -> Image:
    """Do all the steps of `containerfile`."""
    image = Image(folder)
    for line in containerfile.read_text().splitlines():
        if line and not line.startswith("#"):
            image.step(*line.split(" ", 1))
    return image


@pytest.fixture
def clean() -> Iterator[Path]:
    """An empty folder that every user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="feedproxy-image-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to the user of the container")
@pytest.mark.skipif(not PYTHON, reason="there is no Python that every user may run")
def test_containerfile(clean: Path) -> None:
    """The Containerfile's steps make what serves as its own user, is healthy, and writes nothing but the archive.

    Any other user can run it too whose group is 0; who may not write is told so in one line.
    """
    image = image_of(ROOT / "deploy" / "Containerfile", clean / "image")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    told = [re.sub(r"[^\[]*(\[.*)", r"\1", image.done[word]) for word in ("CMD", "HEALTHCHECK")]
    command, check = (json.loads(text.replace("0.0.0.0:", "127.0.0.1:").replace("8000", port)) for text in told)
    (clean / "tmp").mkdir(mode=0o777)
    (clean / "tmp").chmod(0o777)
    environment = image.environment | {"FEEDPROXY_LISTING": "demo", "TMPDIR": str(clean / "tmp")}
    command[0], check[0] = (shutil.which(name, path=environment["PATH"]) for name in (command[0], check[0]))
    assert str(image.folder) in command[0]
    archive = Path(environment["FEEDPROXY_ARCHIVE"])
    owner, group = map(int, image.done["USER"].split(":"))
    for user in (owner, 12345):
        process = {"env": environment, "user": user, "group": group, "extra_groups": [], "cwd": "/"}
        assert 0 != subprocess.run(check, stderr=subprocess.DEVNULL, check=False, **process).returncode
        with running(command, **process) as address:
            assert 0 == subprocess.run(check, check=False, **process).returncode
            assert 50 == len(feedparser.parse(httpx.get(f"{address}feed.rss", timeout=30).content).entries)
        assert [archive] == [path for path in image.folder.rglob("*") if path.is_file() and path.stat().st_uid == user]
        archive.unlink()
    refused = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, **process | {"group": user})
    reason = f"(user {user}, group {user} may not write to {archive.parent})"
    assert f"feedproxy: cannot open the archive {archive}: unable to open database file {reason}\n" == refused.stderr
    assert image.done["VOLUME"] == str(archive.parent)
    assert [] == list((clean / "tmp").iterdir())
