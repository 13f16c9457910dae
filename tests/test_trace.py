"""A request passes few files on its way: whoever reads along does not get lost."""

import pytest

from tests.trace import Trace, request_traces

# The rooms on the way of a request that was never made before, and how many of their files it passes.
COLD = {"web": 5, "service.py": 1, "feeds": 4}


@pytest.fixture(scope="module")
def traces() -> tuple[Trace, Trace]:
    return request_traces()


def test_a_feed_from_memory_passes_three_files(traces: tuple[Trace, Trace]) -> None:
    """A poll that was answered before takes a look at the archive's revision and one into the memory."""
    _, hot = traces
    assert len(hot.files) <= 3, hot
    assert hot.changes <= 3, hot


@pytest.mark.parametrize("room", COLD)
def test_a_cold_feed_passes_few_files(traces: tuple[Trace, Trace], room: str) -> None:
    """A feed nobody asked for before is searched for, written and kept by a handful of files a room."""
    cold, _ = traces
    assert len([file for file in cold.files if file.split("/")[0] == room]) <= COLD[room], cold


def test_a_cold_feed_does_not_go_back_and_forth(traces: tuple[Trace, Trace]) -> None:
    """The way of a feed that has one paper is short."""
    cold, _ = traces
    assert len(cold.files) <= 25, cold
    assert cold.changes <= 77, cold
