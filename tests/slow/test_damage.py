"""Many archives, each damaged at random: nothing fails but in one line, and what can be read is served again."""

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx

from feedproxy.archive import Archive
from feedproxy.query.parameters import parse_query
from tests.conftest import Clock, Run
from tests.test_damage import NOWHERE, PATHS, history, index_is_mended

_FILES = int(os.environ.get("FEEDPROXY_DAMAGED_FILES", "200"))
_PAGE = 4096


def test_indexes(run: Run, tmp_path: Path, clock: Clock) -> None:
    """Forty search indexes, each damaged in some way: found, told and mended."""
    index_is_mended(run, tmp_path / "archive.sqlite", clock, papers=400, number=40)


def damage_pages(path: Path, dice: random.Random) -> None:
    """Flip bits in a few pages, but not in the first, whose head is the file's: an archive that opens is wanted."""
    with path.open("r+b") as file:
        pages = path.stat().st_size // _PAGE
        for _ in range(dice.choice((1, 1, 2, 4))):
            start = dice.randrange(1, pages) * _PAGE
            file.seek(start)
            page = bytearray(file.read(_PAGE))
            for _ in range(dice.choice((1, 8, 200))):
                page[dice.randrange(_PAGE)] ^= 1 << dice.randrange(8)
            file.seek(start)
            file.write(page)


def test_files(run: Run, tmp_path: Path, clock: Clock, serve: Callable[..., httpx.Client]) -> None:
    """With bits flipped every answer is 200 or 503, every error one line; what is repaired serves, a restore heals."""
    whole, path, copy = (tmp_path / f"{name}.sqlite" for name in ("whole", "archive", "copy"))
    history(whole, clock, 200)
    everything = parse_query("days=3660")
    with closing(Archive(str(whole))) as archive:
        papers = archive.count(everything)
    shutil.copy(whole, path)
    client = serve(archive=str(path), listing=NOWHERE)
    dice, done, left = random.Random(3), Counter[str](), Counter[str]()  # noqa: S311
    for number in range(_FILES):
        for file in tmp_path.glob("copy.sqlite*"):
            file.unlink()
        for file in tmp_path.glob("archive.sqlite*"):
            file.unlink()
        shutil.copy(whole, path)
        damage_pages(path, dice)
        fresh = [f"{address}{'&' if '?' in address else '?'}limit={number % 200 + 1}" for address in PATHS]
        assert {client.get(address).status_code for address in fresh} <= {200, 503}, number
        checked = run("archive", "check", "--archive", path)
        copied = run("archive", "copy", path, copy)
        repaired = run("archive", "check", "--repair", "--archive", path)
        for result in (checked, copied, repaired):
            assert result.stderr.count("feedproxy: ") <= 1 + ("left out" in result.stderr), number
        served = {address: client.get(address).status_code for address in fresh}
        done["checked sound"] += checked.exit_code == 0
        done["copied"] += copied.exit_code == 0
        done["repaired"] += repaired.exit_code == 0
        after = repaired.stdout.rpartition("made again")[2].splitlines()
        left.update(line[8:].partition(":")[0] for line in after if line.startswith("NOT OK"))
        if "cannot open" in repaired.stderr:
            done["do not open"] += 1
            continue
        assert {200} == set(served.values()), (number, served, repaired.output)
        with closing(Archive(str(path))) as archive:
            done["papers lost"] += papers - archive.count(everything)
        assert 0 == run("archive", "restore", whole, "--yes", "--archive", path).exit_code, number
        assert 0 == run("archive", "check", "--archive", path).exit_code, number
    print(f"\n{_FILES} files of {papers} papers: {dict(done)}; wrong after repair: {dict(left)}")
