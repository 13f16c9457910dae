"""A server's name in, as a Host header or a setting spells it; one canonical spelling out.

Werkzeug reads the header differently in different versions, so this module reads it.
"""

import ipaddress
import re

_LONGEST = 253  # characters (RFC 1035, section 2.3.4)
_LABEL = "[a-z0-9_-]{1,63}"
# Narrower than RFC 9112, section 3.2: nothing that can pose as a user or carry a second name (`fe80::1%@evil.example`).
_HOST = re.compile(rf"({_LABEL}(?:\.{_LABEL})*\.?|\[[0-9a-f:.]+\])(?::([1-9][0-9]{{0,4}})?)?", re.ASCII)
# One label that is not a number in disguise, or a name in a domain that nobody can register on the internet, so that no
# page there can pose as this server (DNS rebinding). `lan`, `home` and `localdomain` are those of many routers.
_LOCAL_DOMAINS = r"localhost|local|internal|home\.arpa|lan|home|localdomain"
_LOCAL_NAME = re.compile(rf"(?!0x)[a-z0-9_-]*[a-z][a-z0-9_-]*|[a-z0-9_.-]+\.({_LOCAL_DOMAINS})")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def split_host(text: str) -> tuple[str, str]:
    """Return a server's name in small letters without a last dot, and its port; two empty texts for an invalid name."""
    match = _HOST.fullmatch(text.lower()) if len(text) <= _LONGEST + len(".:65535") else None
    if not match or int(match[2] or 80) > 65_535 or (match[1][0] == "[" and not _ip_address(match[1])):
        return "", ""
    return match[1].removesuffix("."), match[2] or ""


def origin(scheme: str, name: str, port: str) -> str:
    """Return the address of a server, without the scheme's default port."""
    return f"{scheme}://{name}{'' if port in ('', _DEFAULT_PORTS.get(scheme)) else f':{port}'}"


def is_local(name: str) -> bool:
    """Say whether `name` can only be a server of the local network."""
    address = _ip_address(name)
    if address is None:
        return bool(_LOCAL_NAME.fullmatch(name))
    return not (getattr(address, "ipv4_mapped", None) or address).is_global  # is_private leaves out 100.64.0.0/10


def is_number(name: str) -> bool:
    """Say whether `name` looks like an IPv4 address but is not one."""
    return not name.strip("0123456789.") and not _ip_address(name)


def _ip_address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return None
