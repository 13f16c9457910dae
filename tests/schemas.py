"""What files have to be by the schemas that come with check-jsonschema."""

import subprocess
import sys
from pathlib import Path


def demand_valid(schema: str, *files: Path) -> None:
    """Assert that each of `files` is valid by a schema of `check-jsonschema`, such as `github-workflows`."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (0, "ok -- validation done\n") == (done.returncode, done.stdout), done.stdout + done.stderr
