"""What a release is made of: one version everywhere, workflows that are what they should be, notes and files."""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import feedproxy
from tests.schemas import demand_valid

ROOT = Path(__file__).parents[1]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
WORKFLOWS = sorted((ROOT / ".github" / "workflows").iterdir())
every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\./\.github/workflows/[\w-]+\.yml")


def run(*command: str | Path, **options: Any) -> str:
    """Run a command that has to succeed, and return what it prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert 0 == done.returncode, done.stderr
    return done.stdout


# One version ------------------------------------------------------------------------------------


def test_version() -> None:
    """The package, its metadata and `feedproxy --version` have one version."""
    assert feedproxy.__version__ == metadata.version("feedproxy")
    assert f"feedproxy, version {feedproxy.__version__}\n" == run(sys.executable, "-m", "feedproxy", "--version")


def test_changelog() -> None:
    """The change log begins with what is not released yet, or with this version and its date."""
    newest = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)[0]
    assert re.fullmatch(rf"\[Unreleased\]|\[{re.escape(feedproxy.__version__)}\] - \d{{4}}-\d\d-\d\d", newest)


def test_tags_have_a_section() -> None:
    """Every release that is tagged has its section in the change log."""
    git = shutil.which("git")
    if not git or not (ROOT / ".git").exists():
        pytest.skip("this is not a checkout")
    tags = run(git, "tag", "--list", "v*", cwd=ROOT).split()
    assert [] == [tag for tag in tags if f"\n## [{tag[1:]}] - " not in CHANGELOG]


def test_pinned_versions() -> None:
    """Where a file in `deploy/` names a version of feedproxy, it is this one."""
    pinned = re.compile(r"\bfeedproxy(?:\[\w+\])?(?:==|:v?|@v?|/v)(\d+\.\d+\.\d+)")
    assert ["1.2.3"] * 2 == pinned.findall("pip install 'feedproxy[postgres]==1.2.3'; FROM ghcr.io/x/feedproxy:1.2.3")
    files = [path for path in (ROOT / "deploy").rglob("*") if path.is_file()]
    named = {version for path in files for version in pinned.findall(path.read_text("utf-8", "ignore"))}
    assert set() == named - {feedproxy.__version__}


# The workflows ----------------------------------------------------------------------------------


def jobs(path: Path) -> dict[str, Any]:
    """Return the jobs of a workflow."""
    read: dict[str, Any] = YAML(typ="safe").load(path)["jobs"]
    return read


def test_workflows_are_valid() -> None:
    """The workflows are valid by GitHub's schema."""
    demand_valid("github-workflows", *WORKFLOWS)


@every_workflow
def test_actions_are_pinned(path: Path) -> None:
    """Every action is pinned by its full hash, with its version beside it; no job keeps the checkout's token."""
    text = path.read_text()
    used = re.findall(r"^ +(?:- )?uses: (.*)$", text, re.MULTILINE)
    assert [] == [action for action in used if not PINNED.fullmatch(action)]
    assert text.count("uses: actions/checkout@") == text.count("persist-credentials: false")


@every_workflow
def test_jobs_have_few_rights(path: Path) -> None:
    """Only jobs have rights, each those that it names; each ends by itself, and no expression gets into a shell."""
    assert {} == YAML(typ="safe").load(path)["permissions"]
    for name, job in jobs(path).items():
        assert job["permissions"], name
        assert "uses" in job or job["timeout-minutes"] <= 90, name
        assert [] == [step["run"] for step in job.get("steps", []) if "${{" in step.get("run", "")]


def test_nothing_is_published_untested() -> None:
    """Changes and releases run `.ci/run`, and only what has passed it is published."""
    ci, release = (jobs(ROOT / ".github" / "workflows" / name) for name in ("ci.yml", "release.yml"))
    assert ci["test"]["steps"][-1]["run"].endswith(" .ci/run")
    assert "./.github/workflows/ci.yml" == release["test"]["uses"]
    assert [{"test", "build"}] * 2 == [set(release[name]["needs"]) for name in ("pypi", "image")]
    assert {"pypi", "image"} < set(release["github"]["needs"])


def test_rights_of_a_release() -> None:
    """Only the job that needs it may write, and none may write two things."""
    rights = {
        name: {right for right, level in job["permissions"].items() if level == "write"}
        for name, job in jobs(ROOT / ".github" / "workflows" / "release.yml").items()
    }
    assert {
        "test": set(),
        "build": set(),
        "pypi": {"id-token"},
        "image": {"packages"},
        "github": {"contents"},
    } == rights


def shell(job: str, name: str) -> str:
    """Return what a step of the release runs."""
    (step,) = [step for step in jobs(ROOT / ".github" / "workflows" / "release.yml")[job]["steps"] if name in str(step)]
    return str(step["run"])


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of this checkout in which version 1.2.3 is ready to be released."""
    folder = tmp_path / "checkout"
    skipped = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "dist", "tests")
    shutil.copytree(ROOT, folder, ignore=skipped)
    package = folder / "feedproxy" / "__init__.py"
    package.write_text(package.read_text().replace(f'"{feedproxy.__version__}"', '"1.2.3"'))
    section = (
        "## [1.2.3] - 2026-12-01\n\n### Added\n\n- [Digests](docs/digests.md), see [RSS](https://rss.example).\n\n"
    )
    (folder / "CHANGELOG.md").write_text(f"# Changelog\n\n{section}## [1.2.2] - 2026-11-01\n\n- Older.\n")
    return folder


NOTES = """\
### Added

- [Digests](https://github.com/feedproxy/feedproxy/blob/v1.2.3/docs/digests.md), see [RSS](https://rss.example).
"""


def bash(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a step as GitHub does."""
    path = f"{folder.parent}/bin:{Path(sys.executable).parent}:/usr/bin:/bin"
    return subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={"PATH": path, "GITHUB_REF_NAME": "v1.2.3", "GITHUB_OUTPUT": str(folder.parent / "output"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_release(checkout: Path) -> None:
    """The steps of a release build wheel and source once, with checksums and notes, and publish just those."""
    built = bash(shell("build", "Build"), checkout)
    assert 0 == built.returncode, built.stderr
    names = ["feedproxy-1.2.3-py3-none-any.whl", "feedproxy-1.2.3.tar.gz"]
    assert names == sorted(path.name for path in (checkout / "dist").iterdir())
    run("sha256sum", "--check", "--strict", "../SHA256SUMS", cwd=checkout / "dist")
    assert NOTES == (checkout / "notes.md").read_text()
    assert "version=1.2.3\n" == (checkout.parent / "output").read_text()
    gh = checkout.parent / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    gh.chmod(0o755)
    told = bash(shell("github", "Publish"), checkout).stdout.splitlines()
    said = ["release", "create", "v1.2.3", "--verify-tag", "--title", "feedproxy 1.2.3", "--notes-file", "notes.md"]
    assert [*said, *(f"dist/{name}" for name in names), "SHA256SUMS"] == told


HEADED = "the first section of CHANGELOG.md must be headed: ## [1.2.3] - YYYY-MM-DD"


@pytest.mark.parametrize(
    ("tag", "heading", "message"),
    [
        ("v1.2.4", "## [1.2.3] - 2026-12-01", "the tag is v1.2.4, but feedproxy/__init__.py says 1.2.3"),
        ("v1.2.3rc1", "## [1.2.3] - 2026-12-01", "a tag is v and three numbers, such as v1.2.3, not v1.2.3rc1"),
        ("v1.2.3", "## [Unreleased]", HEADED),
        ("v1.2.3", "## [1.2.3]", HEADED),
        ("v1.2.3", "## [1.3.0] - 2026-12-01", HEADED),
        (
            "v1.2.3",
            "## [1.2.3] - 2026-12-01\n\n## [1.2.2] - 2026-11-02",
            "the section of 1.2.3 in CHANGELOG.md is empty",
        ),
    ],
)
def test_release_that_does_not_agree(checkout: Path, tag: str, heading: str, message: str) -> None:
    """Where tag, version and change log differ, one line says so and nothing is built."""
    changelog = checkout / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("## [1.2.3] - 2026-12-01", heading))
    refused = bash(shell("build", "Build"), checkout, GITHUB_REF_NAME=tag)
    assert (1, f"{message}\n", False) == (refused.returncode, refused.stderr, (checkout / "dist").exists())


# The files --------------------------------------------------------------------------------------


def build(target: str, source: Path, folder: Path) -> Path:
    """Build a wheel or the source, and return the file."""
    run(sys.executable, "-m", "hatchling", "build", "-t", target, "-d", folder, cwd=source)
    (file,) = folder.iterdir()
    return file


def test_source_makes_the_same_wheel(tmp_path: Path) -> None:
    """The source distribution builds, byte for byte, the wheel that the checkout builds."""
    with tarfile.open(build("sdist", ROOT, tmp_path / "sdist")) as source:
        source.extractall(tmp_path, filter="data")
    ours, theirs = (
        build("wheel", folder, tmp_path / name)
        for name, folder in (("ours", ROOT), ("theirs", tmp_path / f"feedproxy-{feedproxy.__version__}"))
    )
    with zipfile.ZipFile(ours) as one, zipfile.ZipFile(theirs) as other:
        assert {name: one.read(name) for name in one.namelist()} == {
            name: other.read(name) for name in other.namelist()
        }
    assert ours.read_bytes() == theirs.read_bytes()


def test_readme_on_pypi(tmp_path: Path) -> None:
    """PyPI gets the README with its pictures and links leading to this version on GitHub."""
    with zipfile.ZipFile(build("wheel", ROOT, tmp_path / "wheel")) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith("/METADATA")]
        text = wheel.read(name).decode()
    tree = f"{feedproxy.HOME}/blob/v{feedproxy.__version__}"
    assert f"]({tree}/docs/filter.md)" in text
    assert f"]({tree.replace('blob', 'raw')}/tests/screenshots/page.png)" in text
    assert [] == [link for link in re.findall(r"\]\(([^)]*)", text) if not link.startswith(("https://", "#"))]
