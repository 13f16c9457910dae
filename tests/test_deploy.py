"""The files in `deploy/`: they are what their formats say, and name only what there is."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from feedproxy.config import SETTINGS, Config, variable
from tests.schemas import demand_valid

DEPLOY = Path(__file__).parents[1] / "deploy"
DOCUMENT = (DEPLOY.parent / "docs" / "deploying.md").read_text().replace("\\\n", "")
ANALYZE = shutil.which("systemd-analyze")


def test_compose_files() -> None:
    """The compose files are valid by the Compose Specification's own schema."""
    demand_valid("compose-spec", *sorted(DEPLOY.glob("compose*.yaml")))


def test_compose_runs_what_the_document_runs() -> None:
    """`docker run` in docs/deploying.md and `compose.yaml` open, mount and forbid the same."""
    (run,) = re.findall(r"^\$ docker run -d --name feedproxy (.*) feedproxy$", DOCUMENT, re.MULTILINE)
    compose = (DEPLOY / "compose.yaml").read_text()
    said = {
        "-p 127.0.0.1:8000:8000": 'ports: ["127.0.0.1:8000:8000"]',
        "-v feedproxy:/var/lib/feedproxy": 'volumes: ["archive:/var/lib/feedproxy"]',
        "--read-only": "read_only: true",
        "--tmpfs /tmp": "tmpfs: [/tmp]",
        "--cap-drop ALL": "cap_drop: [ALL]",
        "--security-opt no-new-privileges": 'security_opt: ["no-new-privileges:true"]',
    }
    assert " ".join(said) == " ".join(run.split())
    assert set() == {line for line in said.values() if f"    {line}\n" not in compose}


Environments = dict[str, dict[str, str]]
Compose = Callable[..., tuple[Environments, str]]


@pytest.fixture
def compose(tmp_path: Path) -> Compose:
    """What podman-compose makes of a file in `deploy/`: the environment of each service, and the errors."""
    pytest.importorskip("podman_compose")
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    podman = tmp_path / "podman"
    podman.write_text("#!/bin/sh\necho podman version 5.0.0\n")  # all that is asked of it
    podman.chmod(0o755)

    def read(name: str, given: dict[str, str]) -> tuple[Environments, str]:
        command = [sys.executable, "-m", "podman_compose", "--podman-path", str(podman), "-f", name, "config"]
        folder = tmp_path / "deploy"
        found = subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, check=False)
        services = YAML(typ="safe").load(found.stdout)["services"] if found.returncode == 0 else {}
        return {service: fields.get("environment", {}) for service, fields in services.items()}, found.stderr

    return read


GIVEN = {variable(name): f'given {number} $HOME #"${{PATH}}' for number, name in enumerate(SETTINGS)}
PASSWORD = {"POSTGRES_PASSWORD": "pa$$word/@#"}


def test_compose_with_nothing_set(compose: Compose) -> None:
    """With nothing set every setting has its default, and the archive the place that the image has for it."""
    environments, _ = compose("compose.yaml", {})
    assert {variable(name) for name in SETTINGS} == environments["feedproxy"].keys()
    (archive,) = re.findall(r"^ENV FEEDPROXY_ARCHIVE=(.*)$", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)
    assert Config.load({"FEEDPROXY_ARCHIVE": archive}) == Config.load(environments["feedproxy"])


def test_compose_with_everything_set(compose: Compose) -> None:
    """Every setting reaches the container as it is given, whatever signs are in it."""
    environments, _ = compose("compose.yaml", GIVEN)
    assert {"feedproxy": GIVEN} == environments


def test_compose_with_an_env_file(compose: Compose, tmp_path: Path) -> None:
    """In `deploy/.env`, `$` and `#` in single quotation marks are what they are."""
    given = {name: value.replace("${PATH}", "") for name, value in GIVEN.items()}  # python-dotenv replaces it anyway
    (tmp_path / "deploy" / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in given.items()))
    environments, _ = compose("compose.yaml", {})
    assert {"feedproxy": given} == environments


def test_compose_with_postgres(compose: Compose) -> None:
    """The applications get every setting and the password; archive and proxies fit the other containers."""
    environments, _ = compose("compose.postgres.yaml", GIVEN | PASSWORD)
    archive = "postgresql+psycopg://feedproxy@postgres/feedproxy"
    fixed = {
        "FEEDPROXY_ARCHIVE": archive,
        "FEEDPROXY_TRUSTED_PROXIES": "1",
        "PGPASSWORD": PASSWORD["POSTGRES_PASSWORD"],
    }
    assert [GIVEN | fixed] * 2 == [environments[f"application-{number}"] for number in (1, 2)]
    assert {"POSTGRES_USER": "feedproxy"} | PASSWORD == environments["postgres"]


@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "FEEDPROXY_PUBLIC_URL"])
def test_compose_with_postgres_says_what_it_wants(compose: Compose, name: str) -> None:
    """Without the password or the address, one line names what is missing."""
    given = {"FEEDPROXY_PUBLIC_URL": "https://feeds.example.org"} | PASSWORD
    del given[name]
    assert f"{name} is missing a value: set it to " in compose("compose.postgres.yaml", given)[1]


def test_compose_gives_no_rights() -> None:
    """No container keeps a right it does not need: nginx has those to become another user and to listen at port 80."""
    for name, services in (("compose.yaml", 1), ("compose.postgres.yaml", 3)):  # the applications are one text
        compose = (DEPLOY / name).read_text()
        for line in ("cap_drop: [ALL]", 'security_opt: ["no-new-privileges:true"]'):
            assert services == compose.count(f"    {line}\n") + compose.count(f"\n  {line}\n"), line
        added = re.findall(r"cap_add: \[(.*)\]", compose)
        assert ["CHOWN, NET_BIND_SERVICE, SETGID, SETUID"][: services - 1] == added


def test_compose_with_nginx() -> None:
    """What nginx gets from `deploy/` is there, and it passes on to every application that there is."""
    compose = (DEPLOY / "compose.postgres.yaml").read_text()
    mounted = re.findall(r"- \./(\S+?):", compose)
    assert ["nginx.conf", "upstream.compose.conf"] == [name for name in mounted if (DEPLOY / name).exists()]
    servers = re.findall(r"server (\S+):8000;", (DEPLOY / "upstream.compose.conf").read_text())
    assert re.findall(r"^  (\S+): \*application$", compose, re.MULTILINE) == servers


@pytest.mark.once
@pytest.mark.skipif(not ANALYZE, reason="systemd-analyze is not installed")
def test_unit_is_hardened() -> None:
    """The systemd unit's exposure is at most 2.0, of which `systemd-analyze security` says that it is OK."""
    command = [str(ANALYZE), "security", "--offline=true", "--threshold=20", str(DEPLOY / "feedproxy.service")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 0 == found.returncode, found.stdout
    assert " OK " in found.stdout.splitlines()[-1]


@pytest.mark.parametrize("path", sorted(filter(Path.is_file, DEPLOY.rglob("*"))), ids=lambda path: path.name)
def test_names_only_settings_there_are(path: Path) -> None:
    """Every variable that a file names, of those that begin as settings do, is a setting."""
    named = set(re.findall(r"FEEDPROXY_[A-Z_]+", path.read_text()))
    assert set() == named - {variable(name) for name in SETTINGS}
