"""What `tests/test_reindex.py` does a few times, done many times."""

from pathlib import Path

import pytest

from tests.conftest import Clock
from tests.test_reindex import Newer, Opener
from tests.test_reindex import test_killed_while_it_indexes as killed


@pytest.mark.parametrize("rounds", [60])
def test_killed_often(tmp_path: Path, either: str, open_archive: Opener, clock: Clock, rounds: int) -> None:
    """Killed at sixty moments while it is indexed anew, an archive is right each time."""
    killed(Newer(tmp_path / "newer"), either, open_archive, clock, rounds)
