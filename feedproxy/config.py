"""The environment in, one frozen `Config` out; or every problem with it at once.

Adding a setting is adding a row to `SETTINGS` and a field to `Config`; the table in docs/settings.md follows it.
"""

import hashlib
import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote

import platformdirs

from feedproxy.errors import ConfigError
from feedproxy.text import did_you_mean

PREFIX = "FEEDPROXY_"
HUB = "https://huggingface.co"
DEMO = "demo"


def is_address(listing: str) -> bool:
    """Say whether `listing` names a server and not a file."""
    return listing.startswith(("http://", "https://"))


_ADDRESS = re.compile(
    r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?(/[A-Za-z0-9/._~%:@!$&'()*+,;=-]*)?"
)


def _address(text: str) -> str:
    found = _ADDRESS.fullmatch(text)
    if not found or not _is_host(found[1]) or int(found[2] or 80) > 65_535:
        raise ValueError("wants an address such as https://example.org, without a user, ? or #")
    return text.rstrip("/")


def _is_host(name: str) -> bool:
    """Say whether `name`, if it looks like an IP address, is one."""
    try:
        return not re.fullmatch(r"\[.*\]|[0-9.]+", name) or bool(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return False


def _listing(text: str) -> str:
    if text == DEMO:
        return text
    return _address(text) if _URL.match(text) else _path(text)


def _path(text: str) -> str:
    if re.search("[\x00-\x1f\x7f\ufeff]|^[\"'“”‘’]|[\"'“”‘’]$", text):
        raise ValueError("wants a path without control characters, and no quotation mark at its beginning or end")
    try:
        return str(Path(text).expanduser().absolute())
    except RuntimeError as error:
        raise ValueError("names a user whose home folder is not known") from error


_URL = re.compile("[A-Za-z][A-Za-z0-9+.-]+:")  # also one with a slash too few, which no path is meant by
# Its password, as all of it, is percent-encoded: of a / or @ in it nobody could tell what comes after.
_SERVER = r"(?:[^/?#@\s:,\[\]]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_DATABASE = re.compile(
    r"postgresql(?:\+psycopg)?://(?:(?P<user>[^:/?#@\s]*)(?::(?P<password>[^/?#@\s]*))?@)?"
    rf"{_SERVER}(?:,{_SERVER})*/(?P<database>[^/?#\s]+)(?:\?(?P<query>[^#\s]*))?"
)


def _archive(text: str) -> str:
    if not _URL.match(text):
        return _path(text)
    if not text.startswith("sqlite:///") and not _DATABASE.fullmatch(text):
        raise ValueError("wants a file, or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE")
    return text


def _hosts(text: str) -> tuple[str, ...]:
    hosts = tuple(host.strip().casefold() for host in text.split(",") if host.strip())
    if not all(re.fullmatch(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]", host) for host in hosts):
        raise ValueError("wants host names without a port, parted by commas")
    return hosts


def _token(text: str) -> str:
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("wants printable ASCII without spaces")
    return text


def _key(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{16,200}", text):
        raise ValueError("wants 16 to 200 letters, digits, - and _, such as `openssl rand -hex 16` prints")
    return text


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch("[0-9]{1,15}", text) or not low <= int(text) <= high:
            raise ValueError(f"wants a whole number from {low} to {high}")
        return int(text)

    return read


def _switch(text: str) -> int:
    spellings = {"1": 1, "true": 1, "yes": 1, "on": 1, "0": 0, "false": 0, "no": 0, "off": 0}
    if text.casefold() not in spellings:
        raise ValueError("wants 1 or 0, true or false, yes or no, on or off")
    return spellings[text.casefold()]


def _pause(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", text) or float(text) > 3600:
        raise ValueError("wants seconds from 0 to 3600")
    return float(text)


@dataclass(frozen=True, slots=True)
class Setting:
    """One row: how the text of the environment becomes the value, and what it means."""

    read: Callable[[str], object]
    default: str
    meaning: str
    secret: bool = False


SETTINGS: dict[str, Setting] = {
    "listing": Setting(_listing, HUB, "where listings come from: the Hub, a mirror, a saved file or folder"),
    "archive": Setting(
        _archive, "", "where papers are stored: a SQLite file or a PostgreSQL address; empty: your data folder"
    ),
    "public_url": Setting(_address, "", "the address that feeds carry; empty: the address of the request"),
    "hosts": Setting(_hosts, "", "more host names to answer to, separated by commas; local names always work"),
    "trusted_proxies": Setting(
        _whole(0, 10), "0", "number of trusted reverse proxies (X-Forwarded-*); 0 ignores the headers"
    ),
    "access_key": Setting(_key, "", "if set, every address begins with /k/ and this key", secret=True),
    "hf_token": Setting(_token, "", "a Hugging Face token; doubles the Hub's rate limit", secret=True),
    "pace": Setting(_pause, "1", "average seconds between requests to the Hub; after a rest, ten may go at once"),
    "max_age": Setting(_whole(0, 86_400), "300", "seconds a reader may keep a feed before it asks again"),
    "stale_while_revalidate": Setting(
        _whole(0, 604_800), "900", "seconds a cache may serve an old copy while it fetches a new one"
    ),
    "stale_if_error": Setting(
        _whole(0, 2_592_000), "86400", "seconds a cache may serve an old copy while this server fails"
    ),
    "metrics": Setting(_switch, "0", "1 (or true, yes, on) serves Prometheus metrics at /metrics"),
    "cache_bytes": Setting(
        _whole(0, 2**40), "67108864", "bytes of memory for finished feeds and pages, in each worker"
    ),
    "feeds": Setting(_path, "", "a TOML file that gives names to feeds"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every setting, read and checked; `origins` says where each came from."""

    listing: str
    archive: str = field(repr=False)
    public_url: str | None
    hosts: tuple[str, ...]
    trusted_proxies: int
    access_key: str | None = field(repr=False)
    hf_token: str | None = field(repr=False)
    pace: float
    max_age: int
    stale_while_revalidate: int
    stale_if_error: int
    metrics: int
    cache_bytes: int
    feeds: str | None
    origins: Mapping[str, str] = field(compare=False)
    unknown: tuple[str, ...] = ()

    @classmethod
    def load(cls, environment: Mapping[str, str], options: Mapping[str, str | None] | None = None) -> "Config":
        """Read the settings from `environment`; what `options` of the command line hold goes first.

        Raises ConfigError naming every setting that cannot be used. An empty value means the default.
        """
        chosen = {name: _chosen(name, environment, options or {}) for name in SETTINGS}
        values, problems = {}, []
        for name, (text, origin) in chosen.items():
            try:
                values[name] = SETTINGS[name].read(text) if text else None
            except ValueError as error:
                told = "" if SETTINGS[name].secret else f", not {_redacted(text)[:80]!r}"
                problems.append(f"{origin} {error}{told}")
        if problems:
            raise ConfigError(*problems)
        values["archive"] = values["archive"] or _own_archive(str(values["listing"]))
        values["hosts"] = values["hosts"] or ()
        origins = {name: origin for name, (_, origin) in chosen.items()}
        return cls(**values, origins=origins, unknown=tuple(_unknown(environment)))  # type: ignore[arg-type]

    @property
    def access_path(self) -> str:
        """What stands before every path: nothing, unless there is an access key."""
        return f"/k/{self.access_key}" if self.access_key else ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must stand in no log: key, token and the passwords of the archive's address."""
        found = _DATABASE.fullmatch(self.archive)
        parts = found.groupdict("") if found else {"query": ""}
        passwords = [text for name, text in parse_qsl(parts["query"]) if _PASSWORD.search(name)]
        if parts.get("password") not in (parts.get("user"), parts.get("database")):  # else it is a word, and no secret
            passwords.append(unquote(parts["password"]))
        return tuple(filter(None, (self.access_key, self.hf_token, *passwords)))

    def shown(self, name: str) -> str:
        """Return the value of a setting as text; secrets as a note that they are set."""
        value = getattr(self, name)
        if SETTINGS[name].secret and value:
            return "(set)"
        return ", ".join(value) if isinstance(value, tuple) else "" if value is None else _redacted(str(value))


_PASSWORD = re.compile("pass|token|key|secret", re.IGNORECASE)


def _redacted(text: str) -> str:
    """Return `text` without passwords: of an address that none of ours looks like nothing else may be told apart."""
    if not _URL.match(text) or _ADDRESS.fullmatch(text) or text.startswith("sqlite:///"):
        return text
    if _DATABASE.fullmatch(text):
        text = re.sub("(://[^/?@:]*:)[^/?@]*@", r"\1***@", text)
        return re.sub(
            "([?&][^=&]*=)[^&]*", lambda pair: f"{pair[1]}***" if _PASSWORD.search(unquote(pair[1])) else pair[0], text
        )
    scheme, rest = re.split("://|:", text, maxsplit=1)
    is_telling = "@" in rest or _PASSWORD.search(unquote(rest)) or (":" in rest and not is_address(text))
    return f"{scheme}://***" if is_telling else text


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


def _chosen(name: str, environment: Mapping[str, str], options: Mapping[str, str | None]) -> tuple[str, str]:
    if option := options.get(name):
        return option, f"--{name.replace('_', '-')}"
    if text := _unquoted(environment.get(variable(name), "")):
        return text, variable(name)
    return SETTINGS[name].default, "default"


def _unquoted(text: str) -> str:
    """Return `text` without blanks, and without the quotation marks of an env file, which Docker passes on."""
    text = text.strip()
    return text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _own_archive(listing: str) -> str:
    """Return where the archive of `listing` lies by default: papers of one never mix with another's."""
    name = "hub" if listing == HUB else f"listing-{hashlib.sha256(os.fsencode(listing)).hexdigest()[:12]}"
    return str(platformdirs.user_data_path("feedproxy") / f"{name}.sqlite")


_PREFIXED = re.compile(rf"[\s\ufeff]*{PREFIX}", re.IGNORECASE)  # as an editor or an env file spoils it


def _unknown(environment: Mapping[str, str]) -> list[str]:
    """Return a line for every variable that looks like a setting and is none.

    Not an error: container platforms put variables of their own under a service's name.
    """
    known = [variable(name) for name in SETTINGS]
    strange = sorted(name for name in environment if _PREFIXED.match(name) and name not in known)
    return [
        f"{name if name.isidentifier() else ascii(name)} is no setting{did_you_mean(name, known)}" for name in strange
    ]
