"""What feedproxy is measured against: a WSGI callable that sends the same bytes.

Run by the servers that are compared; ANSWERS names the file with the bytes.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

Answer = tuple[str, list[tuple[str, str]], bytes]


def save(path: Path, **answers: Answer) -> None:
    """Write answers to `path`, for a server that starts later."""
    path.write_text(
        json.dumps({name: (line, head, body.decode("latin-1")) for name, (line, head, body) in answers.items()})
    )


def _saved(name: str) -> Answer:
    line, head, body = json.loads(Path(os.environ["ANSWERS"]).read_text())[name]
    return line, [(key, value) for key, value in head], body.encode("latin-1")


def callable_() -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """Return a WSGI callable that knows two answers and tells them apart by one header."""
    line, head, body = _saved("found")
    line_304, head_304, _ = _saved("unchanged")

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if "HTTP_IF_NONE_MATCH" in environ:
            start_response(line_304, head_304)
            return []
        start_response(line, head)
        return [body]

    return app


if "ANSWERS" in os.environ:
    app = callable_()


def main(name: str, bind: str) -> None:
    """Serve the WSGI callable `name` at the address `bind` as `feedproxy serve` serves its application."""
    from feedproxy import server

    def load(worker: server.Worker) -> Any:
        server._take_signals()
        server._start_thread(server._give_signs_of_life, worker.signs)
        module, _, attribute = name.partition(":")
        return getattr(import_module(module), attribute)

    server.load = load
    _, listening = server.listen(bind)
    server.run(None, listening, workers=1, greeting="", log_json=False)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(*sys.argv[1:])
