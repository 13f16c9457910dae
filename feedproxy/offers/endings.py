"""A word and a text in; whether the text has a longer form of that word out. Pure."""

import re

_ENDINGS = re.compile(
    r"e?s|ed|ers?|ings?|able|ly|ics?|i[sz](es?|ed|er|ers|ing|ations?)|ations?|ative(ly)?", re.IGNORECASE
)
_AFTER_DOUBLED = re.compile(r"ed|ers?|ings?|able", re.IGNORECASE)  # mapping, planner


def has_longer_form(word: str, text: str) -> bool:
    """Say whether a word in `text` is `word` with a usual ending, a digit or another capitalised word behind it.

    So are robotics, mapping, Qwen2 and AgentBench, but not category for `cat`, nor LMM for `lm`.
    """
    longer = re.finditer(rf"(?<![^\W_])({re.escape(word)})([^\W_]+)", text, re.IGNORECASE)
    return any(_is_form(match[1], match[2]) for match in longer)


def _is_form(beginning: str, rest: str) -> bool:
    if rest[0].isupper() and (beginning[-1].islower() or (len(rest) > 2 and rest[1:].islower())):
        return True
    has_ending = _ENDINGS.fullmatch(rest) or _AFTER_DOUBLED.fullmatch(rest.removeprefix(beginning[-1]))
    return rest[0].isdigit() or has_ending is not None
