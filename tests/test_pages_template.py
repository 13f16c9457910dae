"""The template in `deploy/pages`: its workflow is valid, and its steps do what they should, run as GitHub runs them."""

# ruff: noqa: S607 (git, bash and actionlint are those on PATH)

import json
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from feedproxy import __version__
from feedproxy.query.named_feeds import read_feeds
from tests import hub as fake
from tests import static_host
from tests.actions import TEMPLATE, WORKFLOW, Repository, Run, evaluate, is_true, workflow
from tests.factories import entries
from tests.schemas import demand_valid

TODAY = date(2026, 3, 10)
SECRET = "hf_secret"  # noqa: S105


def test_workflow_is_valid() -> None:
    """The workflow is one by GitHub's schema."""
    demand_valid("github-workflows", WORKFLOW)


@pytest.mark.once
@pytest.mark.skipif(not shutil.which("actionlint"), reason="actionlint is not installed")
def test_actionlint() -> None:
    """Neither actionlint nor ShellCheck, which it runs on the steps if it is there, finds anything."""
    done = subprocess.run(["actionlint", WORKFLOW], capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stdout)


def test_actions_are_pinned() -> None:
    """Every action is pinned to a full commit hash, with the version beside it."""
    uses = re.findall(r"uses: (.*)", WORKFLOW.read_text())
    assert 3 == len(uses)
    assert [] == [line for line in uses if not re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)]


def test_schedule() -> None:
    """It runs every hour, not when everybody's does, at most one at a time, and never for long."""
    plan = workflow()
    (entry,) = plan["on"]["schedule"]
    minute, *rest = entry["cron"].split()
    assert ["*"] * 4 == rest
    assert int(minute) % 2
    assert int(minute) % 5
    assert {"group": "publish", "cancel-in-progress": False} == plan["concurrency"]
    assert [] == [name for name, job in plan["jobs"].items() if job["timeout-minutes"] > 20]


def test_permissions() -> None:
    """Each job may do what it needs, and each step has only the secrets that it needs."""
    plan = workflow()
    assert {} == plan["permissions"]
    assert {
        "publish": {"contents": "write", "pages": "read"},
        "deploy": {"pages": "write", "id-token": "write"},
        "stay-enabled": {"actions": "write"},
    } == {name: job["permissions"] for name, job in plan["jobs"].items()}
    steps = [step for job in plan["jobs"].values() for step in job["steps"]]
    assert [False] == [step["with"]["persist-credentials"] for step in steps if "checkout" in step.get("uses", "")]
    for step in steps:
        needs_token = "gh " in step.get("run", "") or "git push" in step.get("run", "")
        assert needs_token == ("GH_TOKEN" in step.get("env", {})), step
        assert ("publish site" in step.get("run", "")) == ("FEEDPROXY_HF_TOKEN" in step.get("env", {})), step
        assert "${{" not in step.get("run", ""), "a value becomes part of a program"


def test_version() -> None:
    """The template runs the version that it was written for."""
    assert __version__ == workflow()["env"]["VERSION"]


def test_first_feeds() -> None:
    """The template comes with four feeds that show what there is."""
    feeds = read_feeds(str(TEMPLATE / "feeds.toml"))
    assert ["popular", "agents", "nvidia", "best"] == [feed.name for feed in feeds]


def test_readme_names_what_there_is() -> None:
    """What the workflow tells people to look for is in the README, and so is what it may print."""
    readme, text = (TEMPLATE / "README.md").read_text(), WORKFLOW.read_text()
    assert "see README.md, 'A lost archive'" in text
    assert "### A lost archive" in readme
    (minute,) = re.findall(r'cron: "(\d+) ', text)
    assert f"at minute {minute}" in readme
    for message in ("Pages is not set up", "should be what the last run published", "nother run may have been faster"):
        assert message in text
        assert message in readme


@pytest.fixture
def repository(tmp_path: Path, hub: fake.Hub) -> Iterator[Repository]:
    """A new repository, made from the template; the Hub lists three papers."""
    hub.days[TODAY] = entries(3, upvotes=30)
    (tmp_path / "web").mkdir()
    with static_host.running(tmp_path / "web") as url:
        yield Repository(tmp_path, hub, f"{url}/papers", tmp_path / "web" / "papers")


MISSING = [name for name in ("git", "bash", "curl", "jq", "split") if not shutil.which(name)]


def run_for_real(test: Any) -> Any:
    """Mark a test that runs the workflow."""
    skip = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
    return pytest.mark.once(skip(test))


OK = {"publish": "success", "deploy": "success", "stay-enabled": "success"}
NO_CHANGE = {"publish": "success", "deploy": "skipped", "stay-enabled": "skipped"}
FAILURE = {"publish": "failure", "deploy": "skipped", "stay-enabled": "skipped"}


def fails(repository: Repository, message: str, **options: bool) -> Run:
    """Run, and assert that it fails with `message` and changes neither the branch nor the site."""
    before = repository.commits(), snapshot(repository.live)
    run = repository.run(**options)
    assert FAILURE == run.results, run.log
    assert message in "\n".join(run.messages), run.log
    assert before == (repository.commits(), snapshot(repository.live))
    return run


def snapshot(folder: Path) -> dict[Path, bytes]:
    """Return the files in `folder`."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@run_for_real
def test_runs_of_a_day(repository: Repository) -> None:
    """The first run, one without a change, a deployment that fails and is made up for, and other feeds."""
    run = repository.run()
    assert (OK, []) == (run.results, run.messages), run.log
    assert f"pipx install --quiet feedproxy=={__version__}" in run.log
    assert "- new f/popular.rss" in run.summary
    assert "enabled" in run.log
    first = repository.published("f/popular.rss")
    assert b"/papers/f/popular.rss" in first
    assert 3 == first.count(b"<item>")
    assert 1 == len(repository.commits())
    assert not [request for request in repository.hub.requests if "Authorization" in request.headers]

    repository.hour = 1
    run = repository.run()
    assert (NO_CHANGE, []) == (run.results, run.messages), run.log
    assert run.summary.startswith("Nothing has changed")
    assert 1 == len(repository.commits())

    repository.hour = 2
    repository.can_deploy = False
    repository.hub.days[TODAY] += entries(1, first=4, upvotes=30)
    before = repository.commits()
    assert OK | {"deploy": "failure", "stay-enabled": "skipped"} == repository.run().results
    assert first == repository.published("f/popular.rss")
    assert 1 == len(repository.commits())
    assert before != repository.commits()

    repository.hour = 3
    repository.can_deploy = True
    run = repository.run()
    assert OK == run.results, run.log
    assert "- changed f/popular.rss" in run.summary
    assert "static" not in run.summary
    assert 4 == repository.published("f/popular.rss").count(b"<item>")

    assert len(repository.git("ls-tree", "--name-only", "archive").splitlines()) > 1
    fetch = "git clone --quiet --branch archive $0 moved && cd moved && cat archive.sqlite.* > archive.sqlite"
    subprocess.run(["bash", "-c", fetch, repository.remote], cwd=repository.folder, check=True)
    with closing(sqlite3.connect(repository.folder / "moved" / "archive.sqlite")) as db:
        assert [(4,)] == db.execute("SELECT count(*) FROM papers").fetchall()

    repository.feeds = repository.feeds.replace('name = "popular"', 'name = "liked"')
    run = repository.run()
    assert OK == run.results, run.log
    assert {"- new f/liked.rss", "- removed f/popular.rss"} <= set(run.summary.splitlines())
    assert not (repository.live / "f" / "popular.rss").exists()


@run_for_real
def test_trouble_at_the_hub(repository: Repository) -> None:
    """Without an answer of the Hub the feeds stay as they are; if there never was one, nothing is published."""
    repository.hub.standing = fake.Answer(503)
    fails(repository, "503")
    repository.hub.standing = None
    repository.hour = 1
    repository.secrets["HF_TOKEN"] = SECRET
    run = repository.run()
    assert OK == run.results, run.log
    assert f"Bearer {SECRET}" == repository.hub.requests[-1].headers["Authorization"]
    assert SECRET not in run.log
    feeds = snapshot(repository.live / "f")
    repository.hour = 2
    repository.hub.standing = fake.Answer(503)
    run = repository.run()
    assert "success" == run.results["publish"], run.log
    assert ["::warning::"] == [message[:11] for message in run.messages]
    assert "503" in json.loads(repository.published("status.json"))["error"]
    repository.hour = 3
    assert NO_CHANGE == repository.run().results
    assert feeds == snapshot(repository.live / "f")


@run_for_real
def test_lost_archive(repository: Repository) -> None:
    """A site whose archive is gone, empty or too old stays as it is, until somebody starts over."""
    repository.run()
    first = repository.commits()[0]
    repository.hour = 30
    repository.hub.days[TODAY] += entries(1, first=4, upvotes=30)
    repository.run()
    repository.git("update-ref", "refs/heads/archive", first)
    fails(repository, "is newer than the branch 'archive'")

    tree = repository.git("mktree", "--missing")  # of no files
    identity = ("-c", "user.name=a", "-c", "user.email=a")
    repository.git(
        "update-ref", "refs/heads/archive", repository.git(*identity, "commit-tree", tree.strip(), "-m", "x").strip()
    )
    fails(repository, "The branch 'archive' has no archive.sqlite.*")
    fails(repository, "The branch 'archive' has no archive.sqlite.*", start_over=True)

    repository.git("branch", "-D", "archive")
    run = fails(repository, "is newer than the branch 'archive'")
    assert 1 == len(run.messages), "advice for a folder, which nobody has here"
    run = repository.run(start_over=True)
    assert OK == run.results, run.log
    assert 1 == len(repository.commits())
    assert 4 == repository.published("f/popular.rss").count(b"<item>")


@run_for_real
def test_starting_over_keeps_an_archive(repository: Repository) -> None:
    """Starting over by mistake changes no feed: an archive that is there stays."""
    repository.run()
    repository.hour = 30
    repository.hub.days[TODAY] += entries(1, first=4, upvotes=30)
    repository.run()
    feeds = snapshot(repository.live)
    assert OK == repository.run(start_over=True).results
    assert feeds == snapshot(repository.live)


@run_for_real
def test_two_runs_at_once(repository: Repository) -> None:
    """The one that pushes later fails and deploys nothing, in the first hour and in any other."""
    for hour in (0, 1):
        repository.hour = hour
        slow = repository.steps()
        while next(slow)[0] != "Make the files":
            pass
        repository.hub.days[TODAY] += entries(1, first=4 + hour, upvotes=30)
        assert OK == repository.run().results
        before = repository.commits(), snapshot(repository.live)
        *_, (_, run) = slow
        assert FAILURE == run.results, run.log
        assert "Another run may have been faster" in run.messages[0]
        assert before == (repository.commits(), snapshot(repository.live))


@run_for_real
def test_mistake_in_the_feeds(repository: Repository) -> None:
    """A mistake in feeds.toml is shown on the page of the run, and the site stays."""
    repository.run()
    repository.feeds += '[[feed]]\nname = "popular"\ntitle = "Twice"\nquery = "q=a"\n'
    fails(repository, "the name is taken by a feed before it")


@run_for_real
@pytest.mark.parametrize(
    ("pages", "error", "message"),
    [
        ({"message": "Not Found"}, "Not Found (HTTP 404)", "Pages is not set up"),
        ({"build_type": "legacy", "html_url": "https://ada.github.io/papers/"}, "", "Pages is not set up"),
        ({"message": "Sorry"}, "Sorry (HTTP 503)", "GitHub does not say where the site is: gh: Sorry (HTTP 503)"),
        ({"build_type": "workflow", "html_url": "http://127.0.0.1:9/"}, "", "not: no answer"),
    ],
)
def test_pages_not_set_up(repository: Repository, pages: dict[str, str], error: str, message: str) -> None:
    """Without Pages, or with an address at which nothing answers, nothing is published."""
    repository.pages, repository.pages_error = pages, error
    fails(repository, message)


@run_for_real
def test_what_should_not_be_there(repository: Repository) -> None:
    """A status.json that feedproxy did not write, or a branch that git cannot fetch, ends the run."""
    repository.live.mkdir()
    for text in ("<p>Please log in.", "", "[]", '{"files": {}}', '{"newest_entry_at": null, "files": {}}' * 2):
        (repository.live / "status.json").write_text(text)
        fails(repository, "not: 200")
    (repository.remote / "HEAD").rename(repository.remote / "lost")
    run = repository.run()
    assert FAILURE == run.results
    assert "The branch 'archive' cannot be fetched" in run.messages[0]


@run_for_real
def test_strange_names_in_the_status(repository: Repository) -> None:
    """What the published status.json calls files becomes no command of the log and no HTML of the summary."""
    repository.run()
    status = repository.live / "status.json"
    values = json.loads(status.read_text())
    values["files"] |= {"f/a.rss\n::error::b": "", "f/a.rss\n": "", "<img>": "", "f/gone.rss": ""}
    status.write_text(json.dumps(values))
    run = repository.run()
    assert (OK, []) == (run.results, run.messages), run.log
    assert ["- removed f/gone.rss"] == [line for line in run.summary.splitlines() if "removed" in line]
    assert "<img>" not in run.summary


def test_evaluate() -> None:
    """The small GitHub replaces names, and an `if` may ask for a name or its opposite."""
    values = {"steps.a.outputs.b": "true", "inputs.start-over": "false"}
    assert "is true, " == evaluate("is ${{ steps.a.outputs.b }}, ${{ secrets.HF_TOKEN }}", values)
    assert is_true(None, values)
    assert is_true("${{ steps.a.outputs.b == 'true' }}", values)
    assert not is_true("${{ steps.a.outputs.c == 'true' }}", values)
    assert is_true("${{ !inputs.start-over }}", values)
    assert not is_true("${{ !steps.a.outputs.b }}", values)
