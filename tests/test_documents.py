"""What the documents promise: their tables and examples say what the program does."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from feedproxy.archive import Archive
from feedproxy.cli import main
from feedproxy.config import SETTINGS, variable
from feedproxy.ingest.parse import parse
from feedproxy.query.parameters import PARAMETERS, Query, parse_query
from tests.factories import api, entry

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def section(name: str) -> str:
    """Return what stands in the README between the marks of a checked table."""
    return README.partition(f"<!-- {name} -->\n")[2].partition("<!-- end -->")[0]


def examples() -> list[tuple[str, str, str]]:
    rows = [line.strip("|").split("|") for line in section("examples of the language").splitlines()[2:]]
    return [(query.strip().strip("`"), finds.strip().replace("*", ""), misses.strip()) for query, finds, misses in rows]


@pytest.fixture(scope="module")
def example_archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Hold a paper for every title in the table of examples."""
    titles = [title for _, finds, misses in examples() for title in (finds, misses)]
    papers = [entry(at, title=title, summary="Nothing.") for at, title in enumerate(titles)]
    archive = Archive(str(tmp_path_factory.mktemp("examples") / "archive.sqlite"))
    archive.store([parse(api(papers))], datetime(2026, 3, 11, tzinfo=UTC))
    yield archive
    archive.close()


@pytest.mark.parametrize(("query", "finds", "misses"), examples())
def test_example_of_the_language(query: str, finds: str, misses: str, example_archive: Archive) -> None:
    """Each example in the README finds the one title and not the other."""
    text = query.replace("%", "%25").replace("&", "%26").replace("+", "%2B")
    found = {entry.paper.title for entry in example_archive.search(parse_query(f"limit=200&q={text}")).entries}
    assert finds in found
    assert misses not in found


def test_parameters_table() -> None:
    """The table of parameters in the README is the one in the code."""
    rows = [
        f"| `{name}` | {it.meaning} | {it.allowed} | {'' if it.default is None else it.default} |"
        for name, it in PARAMETERS.items()
    ]
    table = ["| parameter | meaning | may be | default |", "|---|---|---|---|", *rows, ""]
    assert "\n".join(table) == section("parameters")


def test_parameters_are_the_fields_of_a_query() -> None:
    """Every parameter is a field of `Query` with the same default, in the same order."""
    assert {name: parameter.default for name, parameter in PARAMETERS.items()} == {
        name: getattr(Query(), name) for name in Query.__dataclass_fields__
    }


def test_settings_table() -> None:
    """The table of settings in the README is the one in the code."""
    rows = [f"| `{variable(name)}` | {setting.meaning} | {setting.default} |" for name, setting in SETTINGS.items()]
    assert "\n".join(["| variable | meaning | default |", "|---|---|---|", *rows, ""]) == section("settings")


def commands(group: click.Group, before: str = "feedproxy") -> Iterator[str]:
    """Yield every command as it is typed."""
    for name, command in group.commands.items():
        yield from commands(command, f"{before} {name}") if isinstance(command, click.Group) else [f"{before} {name}"]


def test_every_command_is_documented() -> None:
    """The README names every command there is."""
    assert "feedproxy archive copy" in commands(main)
    assert [] == [command for command in commands(main) if f"| `{command}" not in README]


def test_links_lead_somewhere() -> None:
    """Every link of the documents to a file or a heading in them has a target."""
    for document in ROOT.glob("*.md"):
        text = document.read_text()
        headings = {re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-") for line in text.splitlines()}
        for target in re.findall(r"\]\(([^)]+)\)", text):
            if target.startswith("#"):
                assert target[1:] in headings
            elif not target.startswith("http"):
                assert (ROOT / target).exists(), f"{document.name}: {target}"


def test_pinned_dependencies_cover_the_declared() -> None:
    """The constraints of a repeatable build name every dependency that is declared."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    grouped = [line for name in ("browser", "test", "lint") for line in groups[name] if isinstance(line, str)]
    declared = [*project["project"]["dependencies"], *grouped]
    names = {re.split(r"[\[<>=]", line)[0].lower() for line in declared}
    pinned = {line.partition("==")[0].lower() for line in (ROOT / ".ci" / "constraints.txt").read_text().splitlines()}
    assert set() == names - pinned


def test_first_screen_is_what_is_printed(tmp_path: Path) -> None:
    """The feed shown on the README's first screen is the demo's."""
    environment = os.environ | {"XDG_DATA_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "feedproxy", "feed", "q=agents&min_upvotes=2", "--listing", "demo"]
    made = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    shown = README.partition("```xml\n")[2].partition("```")[0]
    lines = [line.strip() for line in shown.splitlines() if "item>" not in line]
    assert [] == [line for line in lines if line not in made]
