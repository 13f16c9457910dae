"""A small GitHub: runs the jobs of the workflow in `deploy/pages` on this machine, against a remote of git in a folder.

What actions do is imitated; the steps' scripts run for real. `gh` and `pipx` are stand-ins.
"""

# ruff: noqa: S607 (git and bash are those on PATH)

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests import hub as fake

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "deploy" / "pages"
WORKFLOW = TEMPLATE / ".github" / "workflows" / "publish.yml"
NAME = "ada/papers"
TOKEN = "a-token-of-the-run"  # noqa: S105

# The programs that a runner has. `feedproxy` is the checkout's, at the hour of the test.
PROGRAMS = {
    "feedproxy": f"""#!{sys.executable}
import os
from datetime import UTC, datetime, timedelta
from feedproxy.cli import main
now = datetime(2026, 3, 10, 12, tzinfo=UTC) + timedelta(hours=int(os.environ["HOUR"]))
main(obj=lambda: now)
""",
    "pipx": """#!/bin/sh
echo "pipx $*"
""",
    "gh": """#!/bin/sh
[ "$GH_TOKEN" = a-token-of-the-run ] || { echo "gh: no token" >&2; exit 4; }
case "$*" in
  "api repos/ada/papers/pages") cat "$PAGES"; grep -q html_url "$PAGES" || { echo "gh: $GH_ERROR" >&2; exit 1; } ;;
  "api --method PUT repos/ada/papers/actions/workflows/publish.yml/enable") echo enabled ;;
  *) echo "gh: what is $*?" >&2; exit 1 ;;
esac
""",
}


def workflow() -> Any:
    """Return the workflow as plain dicts and lists."""
    return YAML(typ="safe").load(WORKFLOW)


@dataclass
class Run:
    """A run that is over: the result of each job, all that was printed, and the summary."""

    results: dict[str, str] = field(default_factory=dict)
    log: str = ""
    summary: str = ""

    @property
    def messages(self) -> list[str]:
        """The errors and warnings that the page of the run shows."""
        return re.findall(r"^::(?:error|warning)::.*", self.log, re.MULTILINE)


class Repository:
    """A repository made from the template: a remote without a work tree, the published site, and a fake Hub."""

    def __init__(self, folder: Path, hub: fake.Hub, url: str, live: Path) -> None:
        self.folder, self.hub, self.live = folder, hub, live
        self.remote = folder / "github" / NAME
        self.secrets: dict[str, str] = {}
        self.hour = 0
        self.can_deploy = True
        self.pages: dict[str, object] = {"build_type": "workflow", "html_url": f"{url}/"}
        self.pages_error = "Not Found (HTTP 404)"
        self.feeds = (TEMPLATE / "feeds.toml").read_text()
        subprocess.run(["git", "init", "--quiet", "--bare", self.remote], check=True)
        for name, text in PROGRAMS.items():
            program = folder / "bin" / name
            program.parent.mkdir(exist_ok=True)
            program.write_text(text)
            program.chmod(0o755)

    def git(self, *words: str) -> str:
        """Return what git says of the remote."""
        return subprocess.run(["git", *words], cwd=self.remote, capture_output=True, text=True, check=True).stdout

    def commits(self) -> list[str]:
        """Return the commits of the branch `archive`, none without the branch."""
        branch = self.git("branch", "--list", "archive")
        return self.git("rev-list", "archive").split() if branch else []

    def published(self, name: str) -> bytes:
        return (self.live / name).read_bytes()

    def run(self, *, start_over: bool = False) -> Run:
        """Run all jobs in order."""
        *_, (_, run) = self.steps(start_over=start_over)
        return run

    def steps(self, *, start_over: bool = False) -> Iterator[tuple[str, Run]]:
        """Run all jobs in order; yield the name of each step once it is over, and the run so far."""
        run, values = Run(), {"inputs.start-over": str(start_over).lower()}
        here = self.folder / f"run-{len(list(self.folder.glob('run-*')))}"
        for job, plan in workflow()["jobs"].items():
            temp, workspace = here / job / "temp", here / job / "workspace"
            temp.mkdir(parents=True)
            workspace.mkdir()
            values |= {"runner.temp": str(temp), "github.workspace": str(workspace), "github.token": TOKEN}
            values |= {f"secrets.{name}": text for name, text in self.secrets.items()}
            needs = plan.get("needs")
            if (needs and run.results[needs] != "success") or not is_true(plan.get("if"), values):
                run.results[job] = "skipped"
                continue
            run.results[job] = "success"
            for step in plan["steps"]:
                if run.results[job] == "success" and is_true(step.get("if"), values):
                    if not self._step(step, run, here, workspace, temp, values):
                        run.results[job] = "failure"
                    yield step.get("name", ""), run
            outputs = {name: evaluate(text, values) for name, text in plan.get("outputs", {}).items()}
            values |= {f"needs.{job}.outputs.{name}": text for name, text in outputs.items()}
        yield "", run

    def _step(
        self, step: dict[str, Any], run: Run, here: Path, workspace: Path, temp: Path, values: dict[str, str]
    ) -> bool:
        """Do one step as GitHub would, and return whether it succeeded."""
        action = step.get("uses", "").partition("@")[0]
        if action == "actions/checkout":
            shutil.copytree(TEMPLATE, workspace, dirs_exist_ok=True)
            (workspace / "feeds.toml").write_text(self.feeds)
        elif action == "actions/upload-pages-artifact":
            shutil.copytree(evaluate(step["with"]["path"], values), here / "artifact", ignore=lambda *_: [".nojekyll"])
        elif action == "actions/deploy-pages":
            if self.can_deploy:
                shutil.rmtree(self.live, ignore_errors=True)
                shutil.copytree(here / "artifact", self.live)
            return self.can_deploy
        else:
            return self._script(step, run, workspace, temp, values)
        return True

    def _script(self, step: dict[str, Any], run: Run, workspace: Path, temp: Path, values: dict[str, str]) -> bool:
        files = {name: temp / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "PAGES")}
        files["PAGES"].write_text(json.dumps(self.pages))
        environment = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(temp),
            "HOUR": str(self.hour),
            "GH_ERROR": self.pages_error,
            "FEEDPROXY_LISTING": self.hub.url,
            "FEEDPROXY_PACE": "0",
            "GITHUB_REPOSITORY": NAME,
            "GITHUB_SERVER_URL": (self.folder / "github").as_uri(),
            "RUNNER_TEMP": str(temp),
            **{name: str(path) for name, path in files.items()},
            **workflow()["env"],
            **{name: evaluate(text, values) for name, text in step.get("env", {}).items()},
        }
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"].replace("45M", "50K")]
        done = subprocess.run(
            command,
            cwd=workspace,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        run.log += done.stdout
        if files["GITHUB_OUTPUT"].exists():
            outputs = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())
            values |= {f"steps.{step.get('id')}.outputs.{name}": text for name, text in outputs.items()}
            files["GITHUB_OUTPUT"].unlink()
        if files["GITHUB_STEP_SUMMARY"].exists():
            run.summary = files["GITHUB_STEP_SUMMARY"].read_text()
        return done.returncode == 0


def evaluate(text: str, values: dict[str, str]) -> str:
    """Return `text` with its expressions replaced: names, of which those without a value are empty."""
    return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda match: values.get(match[1], ""), text)


def is_true(condition: str | None, values: dict[str, str]) -> bool:
    """Say whether an `if` holds: none at all, `!name`, or `name == 'text'`."""
    if condition is None:
        return True
    negated, name, text = re.fullmatch(r"\$\{\{ (?:!([\w.-]+)|([\w.-]+) == '(\w+)') \}\}", condition).groups()  # type: ignore[union-attr]
    return values.get(negated, "") != "true" if negated else values.get(name, "") == text
