"""A text in, its first sentences on one line out; for English, and for scripts with a full stop of their own."""

import re
from itertools import islice

MAX_SENTENCE = 300  # characters
_LOOK = MAX_SENTENCE + 50  # characters to read: a sentence that ends later is cut anyway
_END = re.compile(r"""[.!?…。！？]+["'”’»)\]」』）]*""")
_WIDE = "。！？"  # need no space behind them
_NO_WORD = re.compile(r"[\s(\[“‘\"'/—–]")
# A full stop behind these ends no sentence.
_SHORT = re.compile(
    r"e\.g|i\.e|cf|vs|viz|resp|approx|ca|figs?|tab|eqs?|secs?|ch|app|refs?|thm|prop|def|nos?|vol|pp|eds?|dr|prof|mrs?"
    r"|ms|st|mt|inc|ltd|corp|co|dept|univ|jr|sr|w\.r\.t|s\.t|i\.i\.d|a\.k\.a",
    re.IGNORECASE,
)
# Behind these and initials it ends one if a word of `_OPENERS` follows.
_EITHER = re.compile(r"al|etc|ph\.d|[^\W\d_](?:\.[^\W\d_])*", re.IGNORECASE)  # `J`, `U.S`
# Words that begin a sentence much more often than a name, the most common of them in abstracts.
_OPENERS = re.compile(
    r"Additionally|Although|As|At|Based|By|Despite|Existing|Experimental|Experiments|Extensive|Finally|For|Furthermore"
    r"|Here|However|In|Instead|It|Moreover|Notably|Our|Recent|Specifically|Such|The|These|They|This|Through|Thus|To"
    r"|Unlike|Using|We|When|While|With|Yet"
)


def first_sentences(text: str, limit: int) -> str:
    """Return the first sentences of the first paragraph, as many of `limit` as are at most 300 characters together.

    A first sentence that is longer is cut at a word.
    """
    line = " ".join(text[:_LOOK].strip().partition("\n\n")[0].split())
    ends = (match.end() for match in _END.finditer(line) if _is_end(line, match))
    first, *others = [*islice(ends, limit)] or [len(line)]
    return cut(line[: max((end for end in others if end <= MAX_SENTENCE), default=first)], MAX_SENTENCE)


def cut(text: str, limit: int) -> str:
    """Return `text`, at most `limit` characters of it; ends with `…` behind a whole word if it was longer."""
    if len(text) <= limit:
        return text
    words, _, _ = text[:limit].rpartition(" ")
    return (words or text[: limit - 1]).rstrip(" ,;:–—-(") + "…"


def _is_end(line: str, match: re.Match[str]) -> bool:
    """Say whether the full stop or the like at `match` ends a sentence."""
    behind = line[match.end() :]
    if match[0][0] in _WIDE or not behind:
        return True
    word, following = _word_before(line, match.start()), behind.split(maxsplit=1)[0].strip("\"'“‘«([.,;:")
    if not behind[0].isspace():  # `3.14` and `node.js`; but `ends here.The next`, without its space
        is_opener = behind.startswith(following) and _OPENERS.fullmatch(following) is not None
        return is_opener and word.isalpha() and word.islower()
    if following.islower() and not re.search(r"\d", following):  # not `iGPT`, `gpt2`
        return False
    return match[0] != "." or not _is_short(word, following, match.start())


def _is_short(word: str, following: str, at: int) -> bool:
    """Say whether `word`, with a full stop at `at`, is a short form in the middle of a sentence."""
    if word.isdigit() and len(word) == at:  # `1. Introduction`
        return True
    if _SHORT.fullmatch(word):
        return True
    return bool(_EITHER.fullmatch(word)) and not _OPENERS.fullmatch(following)


def _word_before(line: str, at: int) -> str:
    """Return the word that ends at `at`; of a long one, the end."""
    return re.split(_NO_WORD, line[max(0, at - 20) : at])[-1]
