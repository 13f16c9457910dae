"""The image and the systemd unit, really run: by podman, as docs/deploying.md says, and looked at from inside."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE, STDOUT, run

import feedparser
import httpx
import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "deploying.md").read_text().replace("\\\n", "")
PODMAN = shutil.which("podman")
BASE = "docker.io/library/python:3.13-slim"
IMAGE, MACHINE, CONTAINER = "localhost/feedproxy-test", "localhost/feedproxy-test-machine", "feedproxy-test"
SYSTEMD = f"""\
FROM {BASE}
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends systemd systemd-sysv >/dev/null
"""
WRITABLE = {"/tmp", "/var/lib/feedproxy"}  # noqa: S108 (the container's)
FIND = "find / -xdev -writable -not -type l 2>/dev/null"  # what the user of the container may write
ASK = (
    "from httpx import *; print(Client(transport=HTTPTransport(retries=7)).get('http://127.0.0.1:8000/feed.rss').text)"
)


def podman(*arguments: str, text: str = "", good: bool = True, logs: bool = False) -> str:
    """Run podman, and return what it says; with `good` it has to succeed, with `logs` standard error counts too."""
    done = run(
        [str(PODMAN), *arguments],
        cwd=ROOT,
        input=text,
        stdout=PIPE,
        stderr=STDOUT if logs else PIPE,
        text=True,
        check=False,
        timeout=600,
    )
    assert not good or 0 == done.returncode, done.stderr
    return done.stdout.strip()


def unavailable() -> str:
    """Return why nothing here can be run."""
    if os.geteuid() != 0 or not PODMAN:
        return "it takes root, and podman"
    here = 0 == run([PODMAN, "image", "exists", BASE], check=False).returncode
    return "" if here else f"{BASE} is not here: podman pull {BASE}"


pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable())


def commands(begin: str) -> list[str]:
    """Return the commands in docs/deploying.md that begin so."""
    return re.findall(rf"^\$ ({begin}.*)$", DOCUMENT, re.MULTILINE)


@pytest.fixture
def start() -> Iterator[Callable[..., str]]:
    """Start a container of the one name, which is gone at the end, with its volume."""
    yield lambda *arguments: podman("run", "--detach", "--name", CONTAINER, *arguments)
    podman("rm", "--force", "--time", "1", "--volumes", CONTAINER)
    podman("volume", "rm", "--force", CONTAINER)


# The image --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """Build the image by the command in docs/deploying.md."""
    (build,) = commands("docker build")
    podman(*build.replace("-t feedproxy", f"--format docker -t {IMAGE}").split()[1:])
    yield IMAGE
    podman("image", "rm", "--force", IMAGE)


def entries(container: str) -> list[str]:
    """Return the ids in the feed that a container serves at a port of this machine."""
    with httpx.Client(transport=httpx.HTTPTransport(retries=7), timeout=30) as client:
        feed = client.get(f"http://{podman('port', container, '8000')}/feed.rss")
    return [entry.id for entry in feedparser.parse(feed.content).entries]


def test_image(start: Callable[..., str], image: str) -> None:
    """Run as documented, the image serves and is healthy, may write its archive alone, ends at once and goes on."""
    options = commands("docker run")[0].split()[5:-1]  # behind docker run -d --name feedproxy
    options[options.index("127.0.0.1:8000:8000")] = "127.0.0.1::8000"
    options[options.index("feedproxy:/var/lib/feedproxy")] = f"{CONTAINER}:/var/lib/feedproxy"
    start("--read-only-tmpfs=false", "--env", "FEEDPROXY_LISTING=demo", *options, image)
    served = entries(CONTAINER)
    assert 16 == len(served)
    podman("healthcheck", "run", CONTAINER)
    assert "10001" == podman("exec", CONTAINER, "id", "-u")
    assert WRITABLE == set(podman("exec", CONTAINER, "sh", "-c", FIND, good=False).split())
    assert {"CapBnd:\t0000000000000000", "NoNewPrivs:\t1"} <= set(
        podman("exec", CONTAINER, "cat", "/proc/1/status").splitlines()
    )
    podman("stop", CONTAINER)
    assert "0" == podman("inspect", "--format", "{{.State.ExitCode}}", CONTAINER)
    podman("start", CONTAINER)
    assert served == entries(CONTAINER)
    logged = podman("logs", CONTAINER, logs=True)
    assert (1, 0) == (len(re.findall(r"(\d+) papers in them, \1 new", logged)), logged.count("ERROR"))


def test_image_as_another_user(start: Callable[..., str], image: str) -> None:
    """The image runs as any user whose group is 0; any other is told where it may not write."""
    demo = ["--env", "FEEDPROXY_LISTING=demo", "--publish", "127.0.0.1::8000", "--read-only", "--tmpfs", "/tmp"]  # noqa: S108
    start(*demo, "--user", "12345:0", image)
    assert 16 == len(entries(CONTAINER))
    refused = podman("run", "--rm", *demo, "--user", "12345:12345", image, good=False, logs=True)
    folder = "/var/lib/feedproxy"
    reason = f"unable to open database file (user 12345, group 12345 may not write to {folder})"
    assert f"feedproxy: cannot open the archive {folder}/archive.sqlite: {reason}" == refused.splitlines()[-1]


# The unit ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def machine() -> Iterator[str]:
    """Build an image of a machine with systemd, where feedproxy is installed as documented."""
    (install,) = commands("python3 -m venv --upgrade-deps /opt/feedproxy")
    checkout = f"{ROOT}:/srv/feedproxy:ro"
    podman("build", "--volume", checkout, "-t", MACHINE, "-", text=f"{SYSTEMD}WORKDIR /srv/feedproxy\nRUN {install}\n")
    yield MACHINE
    podman("image", "rm", "--force", MACHINE)


def inside(command: str, *, good: bool = True) -> str:
    """Run a command of the shell in the machine."""
    return podman("exec", CONTAINER, "sh", "-euc", command, good=good)


def facts(*names: str) -> list[str]:
    """Return what systemd knows of the unit."""
    return [inside(f"systemctl show --property {name} --value feedproxy") for name in names]


def served() -> list[str]:
    """Return the ids in the feed that is served inside of the machine."""
    feed = podman("exec", CONTAINER, "/opt/feedproxy/bin/python", "-c", ASK)
    return [entry.id for entry in feedparser.parse(feed).entries]


def test_unit(start: Callable[..., str], machine: str) -> None:
    """Under the unit feedproxy serves, is restarted when killed, ends cleanly and finds its archive again."""
    legacy = "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"  # where this machine has the first version of cgroups only
    privileges = ["--systemd=always", "--cap-add=all", "--security-opt=seccomp=unconfined"]
    start(*privileges, "--volume", f"{ROOT}:/srv/feedproxy:ro", "--env", legacy, machine, "/sbin/init", legacy)
    inside("until systemctl list-units >/dev/null 2>&1; do :; done")
    copy, enable = (commands(begin)[0] for begin in ("cp deploy/feedproxy.service", "systemctl daemon-reload"))
    inside(f"cd /srv/feedproxy; {copy}; echo FEEDPROXY_LISTING=demo > /etc/feedproxy.env; {enable}")
    before = served()
    assert 16 == len(before)
    (killed,) = facts("MainPID")
    inside(f"kill -KILL {killed}; until systemctl show feedproxy | grep -qx NRestarts=1; do :; done")
    assert before == served()
    inside("systemctl stop feedproxy")
    assert ["success", "0", "inactive"] == facts("Result", "ExecMainStatus", "ActiveState")
    assert "archive.sqlite" == inside("ls /var/lib/feedproxy/")
    inside("systemctl start feedproxy")
    assert before == served()
    logged = inside("journalctl --unit feedproxy")
    assert (1, 0) == (len(re.findall(r"(\d+) papers in them, \1 new", logged)), logged.count("ERROR"))
    assert " OK " in inside("systemd-analyze security --threshold=20 feedproxy").splitlines()[-1]
