"""What `tests/test_postgres.py` asks of a few queries, asked of many."""

import pytest

from tests.conftest import NewAddress
from tests.test_postgres import Opener
from tests.test_postgres import test_same_bytes_as_sqlite as same_bytes


@pytest.mark.parametrize("number", [500])
def test_many_queries(open_archive: Opener, new_address: NewAddress, number: int) -> None:
    """Five hundred generated queries give the same bytes from SQLite and PostgreSQL in every format."""
    same_bytes(open_archive, new_address, number)
