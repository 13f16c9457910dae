"""What a fresh process imports: a command waits only for the libraries that it needs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from feedproxy.archive import Archive
from feedproxy.ingest.parse import parse
from tests.conftest import Clock
from tests.factories import api, entries
from tests.test_layers import OWNERS

ROOT = Path(__file__).parents[1]
FEED = {"click", "feedgen", "platformdirs", "sqlalchemy"}
KNOWN_FEED = FEED | {"cachetools", "flask", "isal", "werkzeug"}  # Flask imports click
NEVER = ("sqlalchemy.dialects.postgresql", "sqlalchemy.orm")  # for an archive in a file

_COMMAND = "from feedproxy.cli import main; main({words}, standalone_mode=False)"
_POLLS = """
from feedproxy.web import create_app
client = create_app().test_client()
for status in (200, 200):
    assert status == client.get("/feed.rss?q=agents").status_code
"""
_REPORT = "\nimport json, sys; print(json.dumps(sorted(sys.modules)))"


@pytest.fixture
def settings(tmp_path: Path, clock: Clock) -> dict[str, str]:
    """An archive with three papers, at the end of whose listing there is nothing new."""
    (tmp_path / "listing.json").write_bytes(api(entries(3)))
    archive = Archive(str(tmp_path / "archive.sqlite"))
    archive.store([parse(api(entries(3)))], clock())
    archive.close()
    names = {"archive": "archive.sqlite", "listing": "listing.json"}
    return {f"FEEDPROXY_{name.upper()}": str(tmp_path / file) for name, file in names.items()}


def modules(code: str, settings: dict[str, str]) -> set[str]:
    """Return the modules of a fresh process that has run `code`."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith(("FEEDPROXY_", "COV_"))}
    environment = clean | settings | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code + _REPORT]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=True)
    return set(json.loads(result.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("code", "libraries"),
    [
        pytest.param("import feedproxy", set(), id="import feedproxy"),
        pytest.param(_COMMAND.format(words=["--version"]), {"click", "platformdirs"}, id="--version"),
        pytest.param(_COMMAND.format(words=["config"]), {"click", "platformdirs"}, id="config"),
        pytest.param(_COMMAND.format(words=["feed", "q=agents"]), FEED, id="feed"),
        pytest.param(_POLLS, KNOWN_FEED, id="two polls"),
    ],
)
def test_libraries(code: str, libraries: set[str], settings: dict[str, str]) -> None:
    """A process has imported these libraries of ours, and no others."""
    names = modules(code, settings)
    assert libraries == {name.partition(".")[0] for name in names} & OWNERS.keys()
    assert set() == names.intersection(NEVER)


def test_a_feed_needs_no_server(settings: dict[str, str]) -> None:
    """`feedproxy feed` imports nothing of the web."""
    rooms = {
        name.split(".")[1] for name in modules(_COMMAND.format(words=["feed", ""]), settings) if "feedproxy." in name
    }
    assert set() == rooms & {"web", "server", "metrics", "publish"}
