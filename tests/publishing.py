"""What a process does that publishes; imports little, so that it starts at once."""

import os
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from feedproxy.cli import main

URL = "https://feeds.example.org/papers"


def publish_in(folder: Path) -> None:
    """Publish to `site` in `folder`, as the program does."""
    os.chdir(folder)
    os.environ |= {"XDG_DATA_HOME": str(folder / "share"), "FEEDPROXY_LISTING": "listing.json"}
    with Path("out").open("w") as out, redirect_stdout(out), redirect_stderr(out):
        main(["publish", "site", "--url", URL, "--feeds", "feeds.toml"])
