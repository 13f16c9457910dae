"""What is handed out: the wheel and the source, made of this checkout."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source."""
    folder = tmp_path_factory.mktemp("built")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(folder)], cwd=ROOT, check=True)
    return folder


def kept(*folders: str) -> set[str]:
    """Return the paths of the files in folders of the checkout, without what running them left there."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in found if "__pycache__" not in path.parts}


def test_wheel(built: Path) -> None:
    """The wheel holds all of the package, what is no Python included, its licence, and nothing else."""
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        assert any(name.endswith("/licenses/LICENSE") for name in wheel.namelist())
    assert kept("feedproxy") == names
    assert {"feedproxy/py.typed", "feedproxy/ingest/demo.toml", "feedproxy/templates/page.html"} < names


def test_source(built: Path, tmp_path: Path) -> None:
    """The source holds package, tests, documents and what it takes to deploy; its tests can be collected."""
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as source:
        source.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    others = {path.name for path in ROOT.glob("*.md")} | {"LICENSE", "wsgi.py", ".ci/run"}
    assert set() == (kept("feedproxy", "tests", "docs", "deploy") | others) - names
    collect = [sys.executable, "-m", "pytest", "-m", "", "--collect-only", "-p", "no:cacheprovider"]
    found = subprocess.run(collect, cwd=folder, capture_output=True, text=True, check=False)
    assert 0 == found.returncode, found.stdout
    assert "tests/test_supply.py::test_source" in found.stdout
