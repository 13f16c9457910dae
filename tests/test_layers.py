"""The architecture, held: who may import whom, who owns which library, how large a module may be."""

import re
import tomllib
from itertools import chain
from pathlib import Path
from statistics import median

import pytest

from tests.shape import ROOT, imports, measure, room

# From the values down to the doors: a module imports only from rows above its own.
LAYERS = (
    ("errors", "host", "imports", "logs", "periods", "rest", "text"),
    ("model", "config", "disk"),
    ("query",),
    ("feeds",),
    ("archive",),
    ("ingest",),
    ("offers",),
    ("service",),
    ("metrics",),
    ("web",),
    ("publish",),
    ("server",),
    ("cli",),
    ("__main__",),
)

# Each library is imported by one module, so that it can be replaced there.
OWNERS = {
    "cachetools": "web",
    "click": "cli",
    "feedgen": "feeds",
    "flask": "web",
    "granian": "server",
    "httpx": "ingest",
    "isal": "web",
    "platformdirs": "config",
    "prometheus_client": "metrics",
    "psycopg": "archive",
    "pythonjsonlogger": "logs",
    "sqlalchemy": "archive",
    "werkzeug": "web",
}

_IMPORTED = {"python_json_logger": "pythonjsonlogger"}  # under another name than it is installed by

_RUN = {"gunicorn"}  # not imported: it imports the application

MODULES = sorted(ROOT.rglob("*.py"))


def level(name: str) -> int:
    return next(at for at, row in enumerate(LAYERS) if name in row)


def test_every_module_has_a_layer() -> None:
    """The table of layers names the modules there are, and no others."""
    rooms = {room(path) for path in MODULES} - {"__init__"}
    assert rooms == {name for row in LAYERS for name in row}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_lead_upwards(path: Path) -> None:
    """A module imports only from layers above its own."""
    if path.name == "__init__.py" and path.parent == ROOT:
        assert [] == list(imports(path))
        return
    for name in imports(path):
        package, _, rest = name.partition(".")
        target = rest.partition(".")[0]
        if package == "feedproxy" and target and target != room(path):
            assert level(target) < level(room(path)), f"{path.name} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_library_has_one_owner(path: Path) -> None:
    """A third-party package is imported by the module that owns it."""
    packages = {name.partition(".")[0] for name in imports(path)}
    for package in packages & OWNERS.keys():
        assert OWNERS[package] == room(path), f"{path.name} imports {package}"


def test_every_dependency_is_owned() -> None:
    """What `feedproxy/` imports from others is in the table of owners and declared, and nothing else is."""
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {re.split(r"[\[<>=]", line)[0].replace("-", "_") for line in declared}
    assert OWNERS.keys() == {_IMPORTED.get(name, name) for name in names} - _RUN
    standard = set(__import__("sys").stdlib_module_names)
    used = {name.partition(".")[0] for path in MODULES for name in imports(path)} - standard - {"feedproxy"}
    assert used == OWNERS.keys()


def test_modules_and_functions_are_small() -> None:
    """No module is longer than 330 lines; half of all functions have four to eight, nine of ten fewer than 25."""
    shape = measure()
    assert {} == {name: lines for name, lines in shape.modules.items() if lines > 330}
    assert 4 <= median(shape.functions.values()) <= 8
    assert shape.ninetieth() < 25
