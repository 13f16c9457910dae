"""Formats the log as plain text or JSON, and keeps secrets out of it."""

import json
import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

_PLAIN = "%(asctime)s %(levelname)s %(message)s"
_FIELDS = "%(asctime)s %(levelname)s %(name)s %(message)s"
_NAMES = {"asctime": "time", "levelname": "level"}

# The part of a path where an access key belongs, even a wrong one: a mistyped key is nearly the key.
_KEY = r"((?:(?:/|%2f)(?:k|%6b))+(?:/|%2f))(?:(?!%2f)[^/\s?#\"'])+"
_PASSWORD_IN_ADDRESS = r"(://[^\s/?#@:]*:)[^\s/?#@]+(?=@)"  # noqa: S105 (a pattern)
_MIN_SECRET = 8  # characters; a shorter password may be a plain word, and is removed from addresses only
_patterns: tuple[str, ...] = ()
_format = logging.Handler.format


def start_log(*, as_json: bool = False) -> None:
    """Log to standard error; call it again to change the format, or in a process that inherited the log."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_json() if as_json else logging.Formatter(_PLAIN))


def keep_out(secrets: Iterable[str], *, keys: bool = False) -> None:
    """From now on keep `secrets` out of this process's log; with `keys`, also anything in the place of an access key.

    Servers log whole addresses and a traceback may quote anything, so this cleans the whole output of every handler.
    """
    global _patterns  # noqa: PLW0603 (like the log itself)
    patterns = [pattern for secret in secrets if len(secret) >= _MIN_SECRET for pattern in _spellings(secret)]
    _patterns = tuple(dict.fromkeys([*_patterns, *patterns, *[_KEY] * keys]))
    logging.Handler.format = _cleaned_format  # type: ignore[method-assign, assignment]


def cleaned(text: str) -> str:
    """Return `text` without the secrets, even if they are percent-encoded or escaped."""
    for pattern in (_PASSWORD_IN_ADDRESS, *_patterns):
        text = re.sub(pattern, lambda match: f"{match[1] if match.lastindex else ''}***", text, flags=re.IGNORECASE)
    return text


def _spellings(secret: str) -> list[str]:
    """Return patterns for `secret`: percent-encoded up to five times, or quoted by Python, JSON or both."""
    percent = ["".join(f"%(?:25){{0,4}}{byte:02x}" for byte in char.encode()) for char in secret]
    encoded = "".join(f"(?:{code}|{re.escape(char)})" for code, char in zip(percent, secret, strict=True))
    by_python, by_json = repr(secret)[1:-1], json.dumps(secret)[1:-1]
    quoted = {by_python, by_json, json.dumps(by_python)[1:-1], json.dumps(by_json)[1:-1]}
    return [encoded, *map(re.escape, quoted - {secret})]


def _cleaned_format(handler: logging.Handler, record: logging.LogRecord) -> str:
    return cleaned(_format(handler, record))


def _json() -> logging.Formatter:
    from pythonjsonlogger.json import JsonFormatter

    class Json(JsonFormatter):
        def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
            """Return the time as RFC 3339 has it, UTC."""
            return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")

    return Json(_FIELDS, rename_fields=_NAMES)
