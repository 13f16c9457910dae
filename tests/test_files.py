"""What saved files give, and when they are read again: asserted on disk."""

import itertools
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from feedproxy.errors import SavedListingError
from feedproxy.ingest.source import ListingDays, ListingRequest, SavedListings
from feedproxy.model import Listing, ListingDay
from tests.factories import DAY, api, capture, entries, entry, page, paper_id

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
READ = {DAY: ListingDay(DAY, NOW, NOW, 1)}


def read_all(path: Path) -> list[Listing | str]:
    """Return the listing in each file that is due at `path`, or why there is none."""
    source, results = SavedListings(path), []
    for ask in itertools.chain(*source.due({}, NOW)):
        try:
            results.append(source.get(ask, NOW))
        except SavedListingError as error:
            results.append(str(error).replace(str(path), "PATH"))
    return results


def test_saved_file(tmp_path: Path):
    """A saved listing is taken whole, however old, in any form and under any name."""
    for form in (api(entries(3, day=date(2024, 5, 6))), page(entries(3, day=date(2024, 5, 6)), date(2024, 5, 6))):
        (tmp_path / "listing").write_bytes(form)
        (listing,) = read_all(tmp_path / "listing")
        assert (3, date(2024, 5, 6)) == (len(listing.papers), listing.day)


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("2026-03-04.json", date(2026, 3, 4)),
        ("2026-03-04__captured_2026-03-05.json", date(2026, 3, 4)),
        ("2026-02-30.json", None),
        ("papers-2026-03-04.json", None),
        ("٢٠٢٦-٠٣-٠٤.json", None),
        ("listing", None),
    ],
)
def test_saved_name(tmp_path: Path, name: str, day: date | None):
    """The name of a saved listing may begin with the day it was asked for by."""
    (tmp_path / name).write_bytes(api(entries(1)))
    ((ask,),) = SavedListings(tmp_path).due({}, NOW)

    assert (ListingRequest(day, path=tmp_path / name), day or DAY) == (ask, SavedListings(tmp_path).get(ask, NOW).day)


def test_saved_folder(tmp_path: Path):
    """A folder is read with the folders in it, by path; a file that is not a listing is reported and costs no other."""
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / "d.json").write_bytes(api([entry(1)]))
    (tmp_path / "b" / "c" / "2.txt").write_bytes(capture(("Two", "x", "• 1 author", "Mar 8, 2026")))
    (tmp_path / "b" / "3.html").write_bytes(page([entry(3), None]))
    (tmp_path / "README.md").write_text("Read me")
    (tmp_path / "half.json").write_bytes(api(entries(2))[:-40])
    (tmp_path / "none.json").write_bytes(api([None]))
    readme, page_3, text_2, api_1, half, none = read_all(tmp_path)

    assert [[paper_id(3)], ["two"], [paper_id(1)]] == [
        [paper.id for paper in listing.papers] for listing in (page_3, text_2, api_1)
    ]
    assert 1 == len(page_3.skipped)
    assert readme.startswith("PATH/README.md: this text is not a listing")
    assert half.startswith("PATH/half.json: the listing is broken JSON")
    assert "PATH/none.json: none of the 1 entries can be used: has no paper" == none


def test_saved_beside(tmp_path: Path):
    """Hidden files, and what editors and file managers leave beside listings, are passed over in silence."""
    (tmp_path / "a.json").write_bytes(api(entries(1)))
    (tmp_path / ".git").mkdir()
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "a.json~", ".a.json.swp", ".git/config", "a.json.bak"):
        (tmp_path / name).write_bytes(b"\x00\x01Bud1")

    assert [[paper_id(1)]] == [[paper.id for paper in listing.papers] for listing in read_all(tmp_path)]


def test_saved_enormous(tmp_path: Path):
    """A file that is too large to be a listing is not read."""
    with (tmp_path / "a.json").open("wb") as file:
        file.truncate(2**24 + 1)

    assert ["PATH/a.json: has more than 16,777,216 bytes"] == read_all(tmp_path)


def test_saved_taken_before(tmp_path: Path):
    """A saved listing is taken within 32 days from the beginning of its day, whatever any clock says."""
    (tmp_path / "a.json").write_bytes(api(entries(1)))
    (listing,) = read_all(tmp_path)

    assert datetime(2026, 4, 11, tzinfo=UTC) == listing.taken_before


def test_saved_again(tmp_path: Path):
    """A saved listing is read again when it has changed, when forced, or while none was stored."""
    (tmp_path / "a").write_bytes(api(entries(3)))
    source = SavedListings(tmp_path)

    def read(days: ListingDays = READ, **how: bool) -> list[str]:
        """Return the names of the files that are due, once they were read."""
        asks = [*itertools.chain(*source.due(days, NOW, **how))]
        return [ask.path.name for ask in asks if source.get(ask, NOW)]

    assert (["a"], []) == (read(), read())
    assert ["a"] == read(force=True)
    (tmp_path / "a").write_bytes(api(entries(1)))
    assert (["a"], []) == (read(), read())
    (tmp_path / "b").write_bytes(api(entries(3)))
    assert (["b"], []) == (read(), read())
    (tmp_path / "b").write_bytes(api(entries(2)))
    (tmp_path / "a").unlink()
    assert (["b"], []) == (read(), read())
    assert ["b"] == read({DAY: ListingDay(DAY, NOW)})


def test_saved_without_papers(tmp_path: Path):
    """An empty listing is of the day in its name; without a day it is an error, and read once."""
    (tmp_path / "2026-03-07.json").write_bytes(api([]))
    (tmp_path / "a.json").write_bytes(api([]))
    dated, undated = read_all(tmp_path)

    assert (date(2026, 3, 7), ()) == (dated.day, dated.papers)
    assert "PATH/a.json: lists no papers" == undated


def test_saved_looked_at(tmp_path: Path):
    """A look at what is due, or when, changes nothing; there is one every ten seconds."""
    (tmp_path / "a").write_bytes(api(entries(3)))
    source = SavedListings(tmp_path)
    batches = [source.due(READ, NOW) for _ in range(2)]

    assert [[ListingRequest(path=tmp_path / "a")]] == batches[0] == batches[1]
    assert NOW == source.next_due(READ, NOW)
    source.get(batches[0][0][0], NOW)
    assert NOW + timedelta(seconds=10) == source.next_due(READ, NOW)


def test_saved_and_not_stored(tmp_path: Path):
    """A listing that was read and could not be stored is due again, until something read as late was stored."""
    (tmp_path / "a").write_bytes(api(entries(1)))
    source, later = SavedListings(tmp_path), NOW + timedelta(seconds=7.5)
    source.get(ListingRequest(path=tmp_path / "a"), later)

    assert [[ListingRequest(path=tmp_path / "a")]] == source.due(READ, later)
    stored_at = later.replace(microsecond=0)
    assert [] == source.due({DAY: ListingDay(DAY, stored_at, stored_at, 1)}, later)


@pytest.mark.parametrize(
    ("name", "message"),
    [("missing", "cannot read PATH: No such file or directory"), ("empty", "cannot read PATH: the folder is empty")],
)
def test_nothing_saved(tmp_path: Path, name: str, message: str):
    """A path without a file is an error that says so."""
    (tmp_path / "empty" / "inner").mkdir(parents=True)

    with pytest.raises(SavedListingError) as raised:
        SavedListings(tmp_path / name).due({}, NOW)
    assert message == str(raised.value).replace(str(tmp_path / name), "PATH")


def test_saved_file_gone(tmp_path: Path):
    """A file that goes between being found and being read costs no other."""
    path = tmp_path / "listing"
    path.write_bytes(api([]))
    source = SavedListings(path)
    ((ask,),) = source.due({}, NOW)
    path.unlink()

    with pytest.raises(SavedListingError) as raised:
        source.get(ask, NOW)
    assert f"cannot read {path}: No such file or directory" == str(raised.value)


@pytest.fixture
def locked() -> Iterator[Path]:
    """A folder this process may not look into, nor read the file beside it; root neither, for the time being."""
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "locked")
        folder.mkdir()
        for path in (folder / "listing", Path(name, "beside")):
            path.write_bytes(api(entries(1)))
            path.chmod(0)
        folder.chmod(0)
        Path(name).chmod(0o755)
        if root:
            os.seteuid(65_534)
        yield folder
        if root:
            os.seteuid(0)
        folder.chmod(0o700)


@pytest.mark.parametrize("name", [".", "listing"])
def test_no_permission(locked: Path, name: str):
    """A folder that may not be read is reported as that, not as empty."""
    with pytest.raises(SavedListingError) as raised:
        SavedListings(locked / name).due({}, NOW)
    assert f"cannot read {locked / name}: Permission denied" == str(raised.value)


def test_no_permission_to_read(locked: Path):
    """A file that may not be read is reported as that, and costs no other."""
    path = locked.with_name("beside")

    with pytest.raises(SavedListingError) as raised:
        SavedListings(path).get(ListingRequest(path=path), NOW)
    assert f"cannot read {path}: Permission denied" == str(raised.value)
