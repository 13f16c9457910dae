"""What a paper knows of itself."""

import pytest

from feedproxy.model import is_arxiv_id
from tests.factories import paper


@pytest.mark.parametrize("text", ["2501.12273", "0704.0001", "9913.00001"])
def test_arxiv_id(text: str):
    """Four digits, a dot, and four or five digits are an arXiv identifier."""
    assert is_arxiv_id(text)


@pytest.mark.parametrize(
    "text", ["", "2501.12273v1", "2501.123", "2501-12273", "2501.12273\n", "٢٥٠١.١٢٢٧٣", "a-paper"]
)
def test_no_arxiv_id(text: str):
    """Anything else is not an arXiv id, a version and other digits included."""
    assert not is_arxiv_id(text)


def test_addresses():
    """A paper with an arXiv identifier has its pages on the Hub and on arXiv."""
    sample = paper(1)

    assert "https://huggingface.co/papers/9913.00001" == sample.links.hub
    assert "https://huggingface.co/papers/9913.00001#community" == sample.links.discussion
    assert "https://arxiv.org/abs/9913.00001" == sample.links.arxiv
    assert "https://arxiv.org/pdf/9913.00001" == sample.links.pdf


def test_addresses_without_id():
    """A paper without one leads to a search for its title, the same whatever its punctuation."""
    sample = paper(id="tool-use-für-alle", title="Tool-Use & für alle")
    arxiv = "https://arxiv.org/search/?searchtype=title&query=Tool-Use+%26+f%C3%BCr+alle"

    assert "https://huggingface.co/papers?q=tool+use+f%C3%BCr+alle" == sample.links.hub == sample.links.discussion
    assert arxiv == sample.links.arxiv == sample.links.pdf


@pytest.mark.parametrize(("upvotes", "attention"), [(None, 7), (0, 0), (3, 3)])
def test_attention(upvotes: int | None, attention: int):
    """Comments stand in for upvotes only where those are unknown."""
    assert attention == paper(upvotes=upvotes, comments=7).effective_upvotes
