"""The environment in, one frozen `Config` out, or every mistake in it at once.

To add a setting, add a field to `Config`; a test compares the table in the documents.
"""

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import platformdirs

from feedproxy.errors import ConfigError
from feedproxy.host import is_number, split_host
from feedproxy.text import did_you_mean, whole_number

PREFIX = "FEEDPROXY_"
HUB = "https://huggingface.co"
DEMO = "demo"

_URL = re.compile("[A-Za-z][A-Za-z0-9+.-]+:")  # even with a slash too few: nobody means that as a path
_ADDRESS = re.compile(
    r"https?://((?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?)(?:/[A-Za-z0-9/._~%:@!$&'()*+,;=-]*)?"
)
# A password percent-encodes / and @, or nobody could tell where it ends.
_SERVER = r"(?:[^/?#@\s:,\[\]]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_DATABASE = re.compile(
    r"postgresql(?:\+psycopg)?://(?:(?P<user>[^:/?#@\s]*)(?::(?P<password>[^/?#@\s]*))?@)?"
    rf"{_SERVER}(?:,{_SERVER})*/(?P<database>[^/?#\s]+)(?:\?(?P<query>[^#\s]*))?"
)
_SECRET_NAME = re.compile("pass|token|key|secret", re.IGNORECASE)  # of a parameter
_OPTIONS = {"public_url": "url"}  # options of commands that have another name than their setting
_SWITCH = {"1": 1, "true": 1, "yes": 1, "on": 1, "0": 0, "false": 0, "no": 0, "off": 0}


def is_address(listing: str) -> bool:
    """Say whether `listing` is the address of a server, not a file."""
    return listing.startswith(("http://", "https://"))


def readable_address(text: str) -> str:
    """Return `text` if it may be the address of this service, else an empty text."""
    try:
        return _address(text)
    except ValueError:
        return ""


# Text → value, or ValueError ---------------------------------------------------------------------


def _address(text: str) -> str:
    match = _ADDRESS.fullmatch(text)
    host = split_host(match[1])[0] if match else ""
    if not host or is_number(host):
        raise ValueError("must be an address such as https://example.org, without a user, ? or #")
    return text.rstrip("/")


def _path(text: str) -> str:
    if re.search("[\x00-\x1f\x7f\ufeff]|^[\"'“”‘’]|[\"'“”‘’]$", text):
        raise ValueError("must be a path without control characters, and no quotation mark at its beginning or end")
    try:
        return str(Path(text).expanduser().absolute())
    except RuntimeError as error:
        raise ValueError("names a user whose home folder is not known") from error


def _listing(text: str) -> str:
    if text == DEMO:
        return text
    return _address(text) if _URL.match(text) else _path(text)


def _archive(text: str) -> str:
    if not _URL.match(text):
        return _path(text)
    if not text.startswith("sqlite:///") and not _DATABASE.fullmatch(text):
        raise ValueError("must be a file, or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE")
    return text


def _hosts(text: str) -> tuple[str, ...]:
    if text == "*":
        return ("*",)
    hosts = [split_host(host.strip()) for host in text.split(",") if host.strip()]
    if any(port or not name for name, port in hosts):
        raise ValueError("must be host names without a port, separated by commas, or * alone for any name")
    return tuple(name for name, _ in hosts)


def _match(pattern: str, wish: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"must be {wish}")
        return text

    return read


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if (number := whole_number(text, low, high)) is None:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return number

    return read


def _switch(text: str) -> int:
    if text.casefold() not in _SWITCH:
        raise ValueError("must be 1 or 0, true or false, yes or no, on or off")
    return _SWITCH[text.casefold()]


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", text) or float(text) > 3600:
        raise ValueError("must be seconds from 0 to 3600")
    return float(text)


_token = _match("[!-~]+", "printable ASCII without spaces")
_key = _match("[A-Za-z0-9_-]{16,200}", "16 to 200 letters, digits, - and _, such as `openssl rand -hex 16` prints")


# The settings -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting; `read` turns its text into a value, or raises ValueError."""

    read: Callable[[str], object]
    default: str
    meaning: str
    secret: bool = False


def _setting(read: Callable[[str], object], default: str, meaning: str, *, secret: bool = False) -> Any:
    return field(metadata={"setting": Setting(read, default, meaning, secret)})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Config:
    """Every setting, read and checked; a setting with an empty default is optional.

    `origins` says where each value came from; `unknown` has a line for each variable that looks like a setting but is
    not one.
    """

    listing: str = _setting(_listing, HUB, "where listings come from: the Hub, a mirror, a saved file or folder")
    archive: str = _setting(
        _archive, "", "where papers are stored: a SQLite file or a PostgreSQL address; empty: your data folder"
    )
    public_url: str | None = _setting(_address, "", "the address that feeds carry; empty: the address of the request")
    hosts: tuple[str, ...] = _setting(
        _hosts, "", "more host names to answer to, separated by commas, or * for any; local names always work"
    )
    trusted_proxies: int = _setting(
        _whole(0, 10), "0", "number of trusted reverse proxies (X-Forwarded-*); 0 ignores the headers"
    )
    access_key: str | None = _setting(_key, "", "if set, every address begins with /k/ and this key", secret=True)
    hf_token: str | None = _setting(_token, "", "a Hugging Face token; doubles the Hub's rate limit", secret=True)
    pace: float = _setting(
        _seconds, "1", "average seconds between requests to the Hub; after a rest, ten may go at once"
    )
    max_age: int = _setting(_whole(0, 86_400), "300", "seconds a reader may keep a feed before it asks again")
    stale_while_revalidate: int = _setting(
        _whole(0, 604_800), "900", "seconds a cache may serve an old copy while it fetches a new one"
    )
    stale_if_error: int = _setting(
        _whole(0, 2_592_000), "86400", "seconds a cache may serve an old copy while this server fails"
    )
    metrics: int = _setting(_switch, "0", "1 (or true, yes, on) serves Prometheus metrics at /metrics")
    cache_bytes: int = _setting(
        _whole(0, 2**40), "25165824", "bytes of memory for finished feeds and pages, in each worker"
    )
    feeds: str | None = _setting(_path, "", "a TOML file that gives names to feeds")
    origins: Mapping[str, str] = field(compare=False)
    unknown: tuple[str, ...] = ()

    @classmethod
    def load(cls, environment: Mapping[str, str], options: Mapping[str, str | None] | None = None) -> "Config":
        """Read the settings; `options`, by setting name, override them. Raises ConfigError with every mistake."""
        values: dict[str, Any] = {}
        origins: dict[str, str] = {}
        problems = []
        for name, setting in SETTINGS.items():
            text, origins[name] = _text_and_origin(name, environment, options or {})
            try:
                values[name] = setting.read(text) if text else None
            except ValueError as error:
                value = "" if setting.secret else f", not {_redact(text)[:80]!r}"
                problems.append(f"{origins[name]} {error}{value}")
        if problems:
            raise ConfigError(*problems)
        values["archive"] = values["archive"] or _default_archive(values["listing"])
        values["hosts"] = values["hosts"] or ()
        return cls(**values, origins=origins, unknown=tuple(_unknown(environment)))

    @property
    def is_demo(self) -> bool:
        """Say whether the papers are made up."""
        return self.listing == DEMO

    @property
    def access_path(self) -> str:
        """The beginning of every path; empty without an access key."""
        return f"/k/{self.access_key}" if self.access_key else ""

    @property
    def host_names(self) -> set[str]:
        """The names of this server: `hosts`, and the one in `public_url`; `*` among them means any name."""
        public = split_host(urlsplit(self.public_url).netloc)[0] if self.public_url else ""
        return {*self.hosts, public} - {""}

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that no log may show: the key, the token, and the passwords in the archive's address."""
        match = _DATABASE.fullmatch(self.archive)
        parts = match.groupdict("") if match else {}
        passwords = [text for name, text in parse_qsl(parts.get("query", "")) if _SECRET_NAME.search(name)]
        password = parts.get("password", "")
        if password not in (parts.get("user"), parts.get("database")):  # else it is a plain word, not a secret
            passwords.append(unquote(password))
        return tuple(filter(None, (self.access_key, self.hf_token, *passwords)))

    def display(self, name: str) -> str:
        """Return the value of a setting as a person would type it, but no secrets."""
        value = getattr(self, name)
        if SETTINGS[name].secret and value:
            return "(set)"
        return ", ".join(value) if isinstance(value, tuple) else "" if value is None else _redact(str(value))

    def __repr__(self) -> str:
        return f"Config({', '.join(f'{name}={self.display(name)!r}' for name in SETTINGS)})"


SETTINGS: dict[str, Setting] = {row.name: row.metadata["setting"] for row in fields(Config) if row.metadata}


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


def _text_and_origin(name: str, environment: Mapping[str, str], options: Mapping[str, str | None]) -> tuple[str, str]:
    if option := options.get(name):
        return option, f"--{_OPTIONS.get(name, name)}"
    text = environment.get(variable(name), "").strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":  # Docker passes on the quotes of an env file
        text = text[1:-1].strip()
    return (text, variable(name)) if text else (SETTINGS[name].default, "default")


def _redact(text: str) -> str:
    """Return `text` without passwords; only the scheme if we cannot tell where the password ends."""
    if not _URL.match(text) or _ADDRESS.fullmatch(text) or text.startswith("sqlite:///"):
        return text
    if _DATABASE.fullmatch(text):
        text = re.sub("(://[^/?@:]*:)[^/?@]*@", r"\1***@", text)
        return re.sub(
            "([?&][^=&]*=)[^&]*",
            lambda pair: f"{pair[1]}***" if _SECRET_NAME.search(unquote(pair[1])) else pair[0],
            text,
        )
    scheme, rest = re.split("://|:", text, maxsplit=1)
    may_have_password = "@" in rest or _SECRET_NAME.search(unquote(rest)) or (":" in rest and not is_address(text))
    return f"{scheme}://***" if may_have_password else text


def _default_archive(listing: str) -> str:
    """Return the default path of the archive; each listing has its own, so that papers never mix."""
    name = "hub" if listing == HUB else f"listing-{hashlib.sha256(os.fsencode(listing)).hexdigest()[:12]}"
    return str(platformdirs.user_data_path("feedproxy") / f"{name}.sqlite")


def _unknown(environment: Mapping[str, str]) -> list[str]:
    """Return a line for each variable that looks like a setting: no error, as platforms set some with our prefix."""
    names = [variable(name) for name in SETTINGS]
    looks_like_ours = re.compile(rf"[\s\ufeff]*{PREFIX}", re.IGNORECASE)  # editors and env files add such characters
    strange = sorted(name for name in environment if looks_like_ours.match(name) and name not in names)
    return [
        f"{name if name.isidentifier() else ascii(name)} is not a setting{did_you_mean(name, names)}"
        for name in strange
    ]
