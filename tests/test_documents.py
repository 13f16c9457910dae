"""The documents: their tables, examples, links and commands agree with the program, and they are easy to read."""

import os
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest

from feedproxy.archive import Archive
from feedproxy.cli import main
from feedproxy.config import SETTINGS, variable
from feedproxy.ingest.parse import parse
from feedproxy.query.parameters import PARAMETERS, Query, parse_query
from feedproxy.query.terms import FUNCTION_WORDS, PARTICLES
from tests.conftest import Run
from tests.factories import api, entry
from tests.test_layers import LAYERS, OWNERS

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/**/*.md")])
every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def section(document: Path, name: str) -> str:
    """Return what is between the marks of a checked table."""
    return document.read_text().partition(f"<!-- {name} -->\n")[2].partition("<!-- end -->")[0]


def examples() -> list[tuple[str, str, str]]:
    table = section(ROOT / "docs" / "filter.md", "examples of the language")
    rows = [line.strip("|").split("|") for line in table.splitlines()[2:]]
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
    """Each example in docs/filter.md finds the one title and not the other."""
    text = query.replace("%", "%25").replace("&", "%26").replace("+", "%2B")
    found = {entry.paper.title for entry in example_archive.search(parse_query(f"limit=200&q={text}")).entries}
    assert finds in found
    assert misses not in found


def test_parameters_table() -> None:
    """The table of parameters in the README is the one in the code."""
    rows = [
        f"| `{name}` | {it.meaning} | {it.values} | {'' if it.default is None else it.default} |"
        for name, it in PARAMETERS.items()
    ]
    table = ["| parameter | meaning | values | default |", "|---|---|---|---|", *rows, ""]
    assert "\n".join(table) == section(README, "parameters")


def test_parameters_are_the_fields_of_a_query() -> None:
    """Every parameter is a field of `Query` with the same default, in the same order."""
    assert {name: parameter.default for name, parameter in PARAMETERS.items()} == {
        name: getattr(Query(), name) for name in Query.__dataclass_fields__
    }


def test_settings_table() -> None:
    """The table in docs/settings.md is the one in the code."""
    rows = [f"| `{variable(name)}` | {setting.meaning} | {setting.default} |" for name, setting in SETTINGS.items()]
    assert "\n".join(["| variable | meaning | default |", "|---|---|---|", *rows, ""]) == section(
        ROOT / "docs" / "settings.md", "settings"
    )


def commands(group: click.Group, before: str = "feedproxy") -> Iterator[str]:
    """Yield every command as it is typed."""
    for name, command in group.commands.items():
        yield from commands(command, f"{before} {name}") if isinstance(command, click.Group) else [f"{before} {name}"]


def test_every_command_is_documented() -> None:
    """docs/commands.md names every command there is."""
    text = (ROOT / "docs" / "commands.md").read_text()
    assert "feedproxy archive copy" in commands(main)
    assert [] == [command for command in commands(main) if f"| `{command}" not in text]


def code(document: Path) -> list[str]:
    """Return every command line and code span in a document."""
    text = document.read_text().replace("\\\n", "")
    return [line or span for line, span in re.findall(r"^\$ (.*)|`([^`\n]+)`", text, re.MULTILINE)]


def mistakes(line: str) -> list[str]:
    """Return the commands and options of feedproxy in `line` that do not exist."""
    found = []
    for words in re.findall(r"(?:^|[ /])feedproxy ([a-z][^|&#;]*)", line):
        command: Any = main
        for word in words.split():
            if isinstance(command, click.Group):
                command = command.commands.get(word)
                if command is None:
                    found.append(f"feedproxy {words}")
                    break
            elif word.startswith("-") and not any(word in option.opts for option in command.params):
                found.append(f"{word} of feedproxy {words}")
    return found


@every_document
def test_names_only_what_exists(document: Path) -> None:
    """Every setting, command and option that a document names exists."""
    named = set(re.findall(r"FEEDPROXY_[A-Z_]*[A-Z]", document.read_text()))
    assert set() == named - {variable(name) for name in SETTINGS}
    assert [] == [mistake for line in code(document) for mistake in mistakes(line)]


def test_mistakes() -> None:
    """A command or an option that does not exist is noticed, other programs' are not."""
    assert [] == mistakes(".venv/bin/feedproxy archive check --repair && docker logs feedproxy")
    assert ["feedproxy archive mend x"] == mistakes("feedproxy archive mend x")
    assert ["--quick of feedproxy serve --quick"] == mistakes("/opt/bin/feedproxy serve --quick")


def test_readme_is_short() -> None:
    """The README has at most 150 lines."""
    assert len(README.read_text().splitlines()) <= 150


@every_document
def test_lines_are_short(document: Path) -> None:
    """No line is longer than 120 columns."""
    assert [] == [line for line in document.read_text().splitlines() if len(line) > 120]


def anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a document."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@every_document
def test_links_lead_somewhere(document: Path) -> None:
    """Every link to a file or a heading has a target."""
    links = re.findall(r"\]\(([^)\s]+)\)", document.read_text())
    for link in (link for link in links if not link.startswith("http")):
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_rooms_table() -> None:
    """The table in ARCHITECTURE.md names every room in the order of the layers, with the libraries that it owns."""
    table = (ROOT / "ARCHITECTURE.md").read_text().partition("| room |")[2].partition("\n\n")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines()[2:]]
    libraries = {room: row[2].lower().replace("-", "") for row in rows for room in re.findall(r"`(\w+)`", row[0])}
    assert [room for layer in LAYERS for room in layer if room != "__main__"] == list(libraries)
    assert [] == [name for name, room in OWNERS.items() if name.replace("_", "") not in libraries[room]]


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_code_that_is_named_exists(document: str) -> None:
    """Every module, class and function of feedproxy that a document names exists."""
    names = re.findall(r"`([a-z_]+(?:\.\w+)+)`", (ROOT / document).read_text())
    rooms = {room for row in LAYERS for room in row}
    for name in (name for name in names if name.partition(".")[0] in rooms and not name.endswith(".py")):
        assert pkgutil.resolve_name(f"feedproxy.{name}"), name


def test_every_page_is_linked() -> None:
    """The README links to every page in docs/."""
    links = re.findall(r"\]\(([^)\s#]+)", README.read_text())
    assert set() == {f"docs/{path.name}" for path in ROOT.glob("docs/*.md")} - set(links)


def test_pinned_dependencies_cover_the_declared() -> None:
    """The constraints of a repeatable build name every dependency that is declared."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    grouped = [line for name in ("browser", "test", "lint") for line in groups[name] if isinstance(line, str)]
    declared = [*project["project"]["dependencies"], *grouped]
    names = {re.split(r"[\[<>=]", line)[0].lower() for line in declared}
    pinned = {line.partition("==")[0].lower() for line in (ROOT / ".ci" / "constraints.txt").read_text().splitlines()}
    assert set() == names - pinned


def test_greeting_is_what_is_printed(tmp_path: Path) -> None:
    """The lines under `feedproxy serve --demo` in the README are what it prints."""
    block = README.read_text().partition("feedproxy serve --demo\n")[2].partition("```")[0]
    command = [sys.executable, "-m", "feedproxy", "serve", "--demo", "--bind", "127.0.0.1:0"]
    environment = os.environ | {"XDG_DATA_HOME": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        printed = "".join(process.stderr.readline() for _ in block.splitlines())
        process.terminate()
    assert block == re.sub(r"localhost:\d+", "localhost:8000", printed.replace(str(tmp_path / "feedproxy"), "…"))


@pytest.mark.usefixtures("demo")
def test_entry_is_what_is_printed(run: Run) -> None:
    """The entry in the README is one of the demo's on 10 March 2026."""
    made = run("feed", "q=agents&min_upvotes=2", listing="demo").stdout
    shown = README.read_text().partition("```xml\n")[2].partition("```")[0]
    lines = [line.strip() for line in shown.splitlines() if "item>" not in line]
    assert [] == [line for line in lines if line not in made]


def test_the_very_common_words_are_listed() -> None:
    """The document of the filter lists the words that are parts of no compound."""
    text = (ROOT / "docs" / "filter.md").read_text().partition("The very common words are\n")[2]
    assert [FUNCTION_WORDS, PARTICLES] == [set(part.split()) for part in text.split("*")[1:4:2]]
