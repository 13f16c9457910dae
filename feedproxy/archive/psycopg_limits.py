"""A connection to PostgreSQL that gives up on a server that does not answer, and takes few trips to it.

`statement_timeout` needs a server that runs; TCP's own timeouts need one whose machine is gone.
"""

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg

from feedproxy.archive.backend import remaining

RV = TypeVar("RV")
_GRACE = 0.5  # seconds that the server has to end a statement by itself


def _begin(connection: Any) -> None:
    """Execute the connection's `beginning` by itself, if there is one."""
    if connection.beginning:
        connection.execute("")


class OneTripCursor(psycopg.ClientCursor[Any]):
    """A cursor that sends its connection's `beginning` and the first statement together.

    It writes parameters into statements, because PostgreSQL takes several at once only without parameters.
    """

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        """Execute `query`; its result is the last one."""
        connection: Any = self.connection
        beginning, connection.beginning = connection.beginning, ""
        super().execute(beginning + query, params, **options)
        while self.nextset():
            pass
        return self

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        """Execute `query` with each of these parameters, after the beginning."""
        _begin(self.connection)
        super().executemany(query, params_seq, **options)


class StreamingCursor(psycopg.ServerCursor[Any]):
    """A cursor on the server, which sends its connection's `beginning` by itself: it begins nothing but a cursor."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        """Execute the beginning, and then `query`."""
        _begin(self.connection)
        return super().execute(query, params, **options)


class LimitedConnection(psycopg.Connection[Any]):
    """A connection that waits for each answer until the thread's deadline, at most `answer_seconds`.

    `beginning` is SQL that the next statement begins with, such as that of a transaction.
    """

    answer_seconds = 20.0
    beginning = ""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.cursor_factory, self.server_cursor_factory = OneTripCursor, StreamingCursor

    def wait(self, gen: Generator[Any, Any, RV], *args: Any, **options: Any) -> RV:
        """Wait like psycopg, which asks `gen` ten times a second whether to go on."""
        seconds = max(0.0, min(remaining(), self.answer_seconds)) + _GRACE
        return super().wait(self._end_after(seconds, gen), *args, **options)

    def _end_after(self, seconds: float, gen: Generator[Any, Any, RV]) -> Generator[Any, Any, RV]:
        until = time.monotonic() + seconds
        try:
            waiting = next(gen)
            while True:
                ready = yield waiting
                if not ready and time.monotonic() > until:
                    self.close()  # a late answer would look like that to the next statement
                    raise psycopg.OperationalError(f"the server did not answer within {seconds:.1f} s")
                waiting = gen.send(ready)
        except StopIteration as end:
            answer: RV = end.value
            return answer
