"""The files in `deploy/`: they are what their formats say, and name only what there is."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from feedproxy.config import SETTINGS, Config, variable

DEPLOY = Path(__file__).parents[1] / "deploy"
DOCUMENT = (DEPLOY.parent / "docs" / "deploying.md").read_text().replace("\\\n", "")
ANALYZE = shutil.which("systemd-analyze")


def test_compose_files() -> None:
    """The compose files are valid by the Compose Specification's own schema."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    found = subprocess.run(
        [*command, *sorted(DEPLOY.glob("compose*.yaml"))], capture_output=True, text=True, check=False
    )
    assert (0, "ok -- validation done\n") == (found.returncode, found.stdout), found.stderr


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


@pytest.mark.parametrize("name", ["compose.yaml", "compose.postgres.yaml"])
def test_compose_passes_every_setting_on(name: str) -> None:
    """Every setting reaches the container as it is given; nothing given means the default, and the image's archive."""
    said = dict(re.findall(r"^ +(FEEDPROXY_[A-Z_]+): (.*)$", (DEPLOY / name).read_text(), re.MULTILINE))
    assert {variable(setting) for setting in SETTINGS} == said.keys()
    given = {variable: f"given {number}" for number, variable in enumerate(said)}
    fixed = {"FEEDPROXY_TRUSTED_PROXIES", "FEEDPROXY_ARCHIVE"} if "postgres" in name else set()
    assert given == {variable: interpolated(text, given) for variable, text in said.items()} | {
        variable: given[variable] for variable in fixed
    }
    if not fixed:
        config = Config.load({variable: interpolated(text, {}) for variable, text in said.items()}, {})
        image = re.search(r"^ENV FEEDPROXY_ARCHIVE=(.*)$", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)
        assert image
        assert Config.load({"FEEDPROXY_ARCHIVE": image[1]}, {}) == config


def interpolated(text: str, given: dict[str, str]) -> str:
    """Return `text` with `${NAME:-default}` and `${NAME:?}` replaced (Compose Specification, "Interpolation")."""
    return re.sub(r"\$\{(\w+):(-([^}]*)|\?)\}", lambda found: given.get(found[1], "") or found[3] or "", text).strip(
        '"'
    )


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


@pytest.mark.integration
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
