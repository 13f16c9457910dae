"""The form of every line of the log, in every process: plain text, or one JSON object; and what is in none."""

import logging
import re
import sys
from datetime import UTC, datetime

_PLAIN = "%(asctime)s %(levelname)s %(message)s"
_FIELDS = "%(asctime)s %(levelname)s %(name)s %(message)s"
_NAMES = {"asctime": "time", "levelname": "level"}


def start_log(*, as_json: bool = False) -> None:
    """Log to standard error; may be repeated, to change the form or in a process that inherited the log."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_json() if as_json else logging.Formatter(_PLAIN))


# Where a key stands; the public path before it may end in /k too.
_PLACE = r"((?:(?:/|%2f)(?:k|%6b))+(?:/|%2f))(?:(?!%2f)[^/\s?#\"'])+"


def keep_keys_out(key: str) -> None:
    """From now on log in this process neither `key`, wherever it stands, nor what stands in a key's place.

    Servers log whole addresses, of good requests and of bad ones.
    """
    pattern = re.compile(f"{_PLACE}|{re.escape(key)}", re.IGNORECASE)

    class Record(logging.LogRecord):
        def getMessage(self) -> str:  # noqa: N802
            """Return the message without access keys."""
            return pattern.sub(r"\1***", super().getMessage())

    logging.setLogRecordFactory(Record)


def _json() -> logging.Formatter:
    from pythonjsonlogger.json import JsonFormatter

    class Json(JsonFormatter):
        def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
            """Return the time as RFC 3339 has it, UTC."""
            return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")

    return Json(_FIELDS, rename_fields=_NAMES)
