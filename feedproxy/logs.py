"""The form of every line of the log, in every process: plain text, or one JSON object."""

import logging
import sys

_PLAIN = "%(asctime)s %(levelname)s %(message)s"
_FIELDS = "%(asctime)s %(levelname)s %(name)s %(message)s"
_NAMES = {"asctime": "time", "levelname": "level"}


def start_log(*, as_json: bool = False) -> None:
    """Log to standard error; may be repeated, to change the form or in a process that inherited the log."""
    logging.basicConfig(format=_PLAIN, level=logging.INFO, stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if as_json:
        for handler in logging.getLogger().handlers:
            handler.setFormatter(_json())


def _json() -> logging.Formatter:
    from pythonjsonlogger.json import JsonFormatter

    return JsonFormatter(_FIELDS, rename_fields=_NAMES)
