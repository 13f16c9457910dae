"""Print the notes of a release, from the change log: `python .ci/release_notes.py v1.2.3`.

Fails with one line if tag, `feedproxy.__version__` and the newest section of the change log do not agree.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
_SECTION = re.compile(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def release_notes(tag: str) -> str:
    """Return the text of the newest section, its links absolute; raises ValueError if it is not the one of `tag`."""
    package = (ROOT / "feedproxy" / "__init__.py").read_text()
    version, home = (re.findall(f'^{name} = "(.*)"$', package, re.MULTILINE)[0] for name in ("__version__", "HOME"))
    if not re.fullmatch(r"v\d+\.\d+\.\d+", tag):
        raise ValueError(f"a tag is v and three numbers, such as v1.2.3, not {tag}")
    if tag != f"v{version}":
        raise ValueError(f"the tag is {tag}, but feedproxy/__init__.py says {version}")
    section = _SECTION.search((ROOT / "CHANGELOG.md").read_text())
    if not section or section[1] != version or not section[2]:
        raise ValueError(f"the first section of CHANGELOG.md must be headed: ## [{version}] - YYYY-MM-DD")
    if not section[3].strip():
        raise ValueError(f"the section of {version} in CHANGELOG.md is empty")
    return re.sub(r"\]\((?!\w+:)", f"]({home}/blob/{tag}/", section[3].strip()) + "\n"


if __name__ == "__main__":
    try:
        print(release_notes(*sys.argv[1:]), end="")
    except ValueError as error:
        sys.exit(str(error))
