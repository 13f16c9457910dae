"""The files in `deploy/`: they are what their formats say, and name only what there is."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from feedproxy.config import SETTINGS, variable

DEPLOY = Path(__file__).parents[1] / "deploy"
ANALYZE = shutil.which("systemd-analyze")


def test_compose_files() -> None:
    """The compose files are valid by the Compose Specification's own schema."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    found = subprocess.run(
        [*command, *sorted(DEPLOY.glob("compose*.yaml"))], capture_output=True, text=True, check=False
    )
    assert (0, "ok -- validation done\n") == (found.returncode, found.stdout), found.stderr


@pytest.mark.skipif(not ANALYZE, reason="systemd-analyze is not installed")
def test_unit_is_hardened() -> None:
    """The systemd unit's exposure is at most 2.0, of which `systemd-analyze security` says that it is OK."""
    command = [str(ANALYZE), "security", "--offline=true", "--threshold=20", str(DEPLOY / "feedproxy.service")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 0 == found.returncode, found.stdout
    assert " OK " in found.stdout.splitlines()[-1]


@pytest.mark.parametrize("path", sorted(DEPLOY.iterdir()), ids=lambda path: path.name)
def test_names_only_settings_there_are(path: Path) -> None:
    """Every variable that a file names, of those that begin as settings do, is a setting."""
    named = set(re.findall(r"FEEDPROXY_[A-Z_]+", path.read_text()))
    assert set() == named - {variable(name) for name in SETTINGS}
