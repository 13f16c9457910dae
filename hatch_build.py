"""The README as PyPI shows it: what is a link or a picture from this repository there leads to GitHub."""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class ReadmeHook(MetadataHookInterface):
    """Sets `readme`, which `pyproject.toml` says is dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Put the README into `metadata`, with absolute links."""
        package = (Path(self.root) / "feedproxy" / "__init__.py").read_text("utf-8")
        version, home = (re.findall(f'^{name} = "(.*)"$', package, re.MULTILINE)[0] for name in ("__version__", "HOME"))
        text = (Path(self.root) / "README.md").read_text("utf-8")
        text = re.sub(r"(!\[[^]]*\]\()(?!\w+:)", rf"\1{home}/raw/v{version}/", text)
        text = re.sub(r"(\]\()(?!\w+:|#)", rf"\1{home}/blob/v{version}/", text)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
