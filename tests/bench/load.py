"""Requests: one at a time with all that came back, or as many as go, by wrk."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

GZIP = {"Accept-Encoding": "gzip"}
WRK = ("wrk", "-t1", "-c16", "-d1s")
_SIZES = {"B": 1 / 1024**2, "KB": 1 / 1024, "MB": 1.0, "GB": 1024.0}  # wrk's MB are 1,048,576 bytes
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """Return a header; raises KeyError where it is missing."""
        return {key.casefold(): value for key, value in self.headers}[name.casefold()]


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk tells: requests a second, how long they took in milliseconds, how many and how much it was."""

    rate: float
    median: float
    p99: float
    slowest: float
    requests: int
    mebibytes: float


def fetch(port: int, path: str, headers: Mapping[str, str] | None = None, timeout: float = 60) -> Reply:
    """Ask once, over a connection of its own."""
    connection = HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path, headers={**(headers or {}), "Connection": "close"})
        response = connection.getresponse()
        return Reply(response.status, response.reason, tuple(response.getheaders()), response.read())
    finally:
        connection.close()


def rate(port: int, path: str, headers: Mapping[str, str]) -> float:
    """Return how many requests a second are answered, from 16 connections for a second."""
    return wrk(port, path, headers).rate


def wrk(
    port: int, path: str, headers: Mapping[str, str], flags: tuple[str, ...] = WRK[1:], script: Path | None = None
) -> Load:
    """Send as many requests as go; raises RuntimeError where any is not answered well."""
    from tests.bench.servers import needed

    command = [needed("wrk", "apt-get install wrk"), *flags, "--latency"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    command += ["-s", str(script)] if script else []
    ran = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, timeout=600, check=True
    )
    return parsed(ran.stdout)


def parsed(told: str) -> Load:
    """Return what wrk printed; raises RuntimeError where it tells of failures."""
    if trouble := re.search(r"(Socket errors|Non-2xx).*", told):
        raise RuntimeError(f"wrk: {trouble[0]}")
    slowest = re.search(r"Latency +\S+ +\S+ +(\S+)", told)
    total = re.search(r"(\d+) requests in \S+ ([\d.]+)([KMG]?B) read", told)
    speed = re.search(r"Requests/sec: +(\S+)", told)
    if not (slowest and total and speed):
        raise RuntimeError(f"wrk printed something else: {told[:200]}")
    shares = dict(re.findall(r"(\d+)% +(\S+)", told))
    return Load(
        float(speed[1]),
        _ms(shares["50"]),
        _ms(shares["99"]),
        _ms(slowest[1]),
        int(total[1]),
        float(total[2]) * _SIZES[total[3]],
    )


def _ms(text: str) -> float:
    found = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    if not found:
        raise RuntimeError(f"wrk: no time: {text}")
    return float(found[1]) * _UNITS[found[2]]
