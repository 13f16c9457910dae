r"""A title or an abstract as the Hub sends it in, the same text with its leftovers of TeX made readable out.

The Hub strips `$` and most backslashes, so `$1.92\times$` arrives as `1.92times`. There is nothing left to parse: each
rule knows one leftover, and leaves alone what could be English, code or an address. Only for showing: the archive, the
search, ids and links use the original.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

_PASSES = 6  # a change may uncover a leftover, as in `textbf{x^{2}}`; real texts need three
_CACHE = 2_000  # texts: titles and abstracts of about three weeks, and those of fifty digests

_GREEK = dict(
    zip(
        [
            *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu"),
            *("nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega", "ell"),
            *("Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega"),
        ],
        "αβγδεζηθικλμνξπρστυφχψωℓΓΔΘΛΞΠΣΦΨΩ",
        strict=True,
    )
)
# Names that stand in a text for no other reason.
_RARE = {
    "leq": "≤",
    "geq": "≥",
    "neq": "≠",
    "rightarrow": "→",
    "leftarrow": "←",
    "cdot": "·",
    "cdots": "…",
    "ldots": "…",
    "infty": "∞",
    "propto": "∝",
    "varepsilon": "ε",
    "varphi": "φ",
}
# Also words and abbreviations: only between numbers or variables.
_BETWEEN = {"le": "≤", "ge": "≥", "approx": "≈"}
_SIGNS = _RARE | _BETWEEN | _GREEK | {"times": "×", "sim": "~", "pm": "±", "deg": "°", "LaTeX": "LaTeX"}
_SHORT = {"eg": "e.g.", "ie": "i.e.", "etc": "etc.", "etal": "et al."}
_RAISED = {"circ": "°", "star": "^*", "top": "^⊤"}
_ACCENTS = {'"': "\u0308", "'": "\u0301", "`": "\u0300", "^": "\u0302", "~": "\u0303"}
_FONTS = "text(?:bf|it|tt|sc|rm|sf|up)?|emph|underline|math(?:bf|cal|bb|rm|it|sf|tt|frak|scr)|boldsymbol|bm|mbox"
_LINK_WORDS = {"here", "link", "code", "page", "website"}

_Match = re.Match[str]


class _Rule(NamedTuple):
    """One leftover, and what to show instead; a pattern that begins with plain text is ten times as fast."""

    name: str
    hint: str  # in every text that the rule changes: few texts need a search
    pattern: re.Pattern[str]
    instead: str | Callable[[_Match], str]


def _rule(name: str, hint: str, pattern: str, instead: str | Callable[[_Match], str]) -> _Rule:
    return _Rule(name, hint, re.compile(pattern), instead)


def _any(names: Iterable[str]) -> str:
    return f"({'|'.join(sorted(names, key=len, reverse=True))})"


def _look_up(table: dict[str, str]) -> Callable[[_Match], str]:
    return lambda match: table[match[1]]


def _accent(match: _Match) -> str:
    return unicodedata.normalize("NFC", match[2] + _ACCENTS[match[1]])


def _fraction(match: _Match) -> str:
    return f"/{_SIGNS[match[1]]}{match[2] or ''}"


def _script(match: _Match) -> str:
    """Return `^2` for `^{2}`, `_θ` for `_{theta}`; in parentheses what would else seem to end earlier."""
    sign, text = match[1], _GREEK.get(match[2], match[2])
    return sign + (text if re.fullmatch(r"-?[^\W_]+(\.\d+)?|\W", text) else f"({text})")


def _link(match: _Match) -> str:
    """Return the text of a link and its address; the address alone if the text repeats it; `…/{id}` as it is."""
    address, text = match.groups()
    if re.fullmatch("[a-z_]+", text) and text not in _LINK_WORDS:
        return match[0]
    return address if address.endswith(text) or text.startswith(("http:", "https:")) else f"{text} ({address})"


# Every quantifier is bounded, so a hostile text takes no longer than another of its length.
_ADDRESS = r"https?://[^\s{}]{1,300}"
_VARIABLE = r"(?<![A-Za-z])[A-Za-z]"
# What stays as it is: an address, `code`, a path of Windows (which could begin at every letter, and is slow to find).
_VERBATIM = r"""https?://[^\s{}\\]+|`[^`'"]{1,200}`|``[^`'"]{1,200}``"""
_VERBATIM_BY_HINT = (
    (":\\", re.compile(rf"({_VERBATIM}|(?<!\w)[A-Za-z]:\\\S*)")),
    ("://", re.compile(f"({_VERBATIM})")),
    ("`", re.compile(f"({_VERBATIM})")),
)
_LINKS = (
    # `\url{https://…}`, `\href{https://…}{our page}`, `https://…{our page}`, `at~https://…`
    _rule("url", "{", rf"\\?(?:url|href)\{{({_ADDRESS})\}}", r"\1"),
    _rule("link", "{", rf"({_ADDRESS})(?<![_^=])\{{([^{{}}]{{1,300}})\}}", _link),
    _rule("tie", "~", r"(?<=[A-Za-z])~(?=https?://)", " "),
)
_TEXT = (
    # `\%`, `Q\&A`, `\$32,000`
    _rule("escape", "\\", r"\\(?<!\\\\)([%&#]|_(?=\w)|\$(?=[\dA-Z]))", r"\1"),
    # `Fr\'echet`, `\"Ust\"un`, `object\'s`; but an escaped quotation mark stands before or after a word
    _rule("accent", "\\", r"""\\(?<=[A-Za-z-]\\)(["'`^~])\{?\\?([aeioun])\}?""", _accent),
    _rule("accent", "\\", r"""\\(?<!\w\\)(")([AOU])(?=[a-z]{1,20}[äëïöü])""", _accent),
    _rule("apostrophe", "\\", r"\\(?<=[A-Za-z]\\)'(?=[a-z])", "'"),
    _rule("short", "\\", rf"\\(?<![\w\\]\\){_any(_SHORT)}(?![A-Za-z])(?:\.|\{{\}})?", _look_up(_SHORT)),
    _rule("sign", "\\", rf"\\(?<![A-Za-z\\]\\){_any(_SIGNS)}(?![A-Za-z])(?:\{{\}})?", _look_up(_SIGNS)),  # `2.3\times`
    _rule("math", "\\", r"\\\((?<![^\s(]\\\() ?([^\\\s][^\\]{0,200}?) ?\\\)", r"\1"),  # `\( O(n^3) \)`
    _rule("space", "\\", r"\\(?<=[\w.%)]\\)[,; ](?=[\w(])", " "),  # `1.5\,TB`
    # `\textit{…}`, `R^textbf{2AI}`, `boldsymbolπ`
    _rule("font", "{", r"boldsymbol(?=[^\sa-z{])", ""),
    _rule("font", "{", rf"(?:\\|(?<![a-z]))(?:{_FONTS})\{{(?!\s*\}})([^{{}}]{{1,300}})\}}", r"\1"),
    # `256{times}256`, `γ{=}4`, `6{,}181`, but not `{name}`
    _rule("braces", "{", r"\{(times|sim|approx|pm)\}", _look_up(_SIGNS)),
    _rule("braces", "{", r"(?<=[\w)}=])\{([=,<>+×%~°±≈→≤≥-])\}", r"\1"),
    # `Oleft( 1{delta} right)`, which was `O\left( \frac{1}{\delta} \right)`
    _rule("fraction", "{", rf"(?:(?<=\d)|(?<={_VARIABLE}))\{{{_any(_GREEK | _RARE)}(\^\d)?\}}", _fraction),
    _rule("left and right", "left", r"left(?<![a-z-]left)([(\[]) ?([^()\[\]]{1,200}?) ?right([)\]])", r"\1\2\3"),
    *(_rule("rare", name, rf"{name}(?<![A-Za-z_\\/.-]{name})(?![A-Za-z_])", sign) for name, sign in _RARE.items()),
    # `tau^2-bench`, `theta_{GRPO}`
    *(
        _rule("greek", sign, rf"(?<![\w\\]){_any(_GREEK)}(?={ahead})", _look_up(_GREEK))
        for sign, ahead in (("^", r"\^"), ("_", r"_(?:\{|\d|[A-Za-z]\b)"))
    ),
    # `360^circ`, `90^{circ}C`, `λ^star`
    _rule("raised", "^", rf"\^\{{?{_any(_RAISED)}(?![a-z])\}}?", _look_up(_RAISED)),
    # `X^{2}-Gaussian`, `G_{stack}`, but not `img_{name}.png`
    _rule("script", "{", r"(\^|(?<![a-z][a-z])_|_(?=\{(?:[^a-z{}]|.=)))\{([^{}]{1,80})\}", _script),
    # `1.92times`, `8timesH100`, `15timessim50times`, `Rtimes`, `256 times 256`
    _rule(
        "times",
        "times",
        r"times(?:(?<=\dtimes)(?![a-z])|(?<=\dtimes)(?=sim\d)|(?<=(?<![A-Za-z])[A-Z]times)(?![a-z]))",
        "×",
    ),
    _rule("times", "times", r" times (?:(?<=\d times )(?=\d)|(?<=(?<!\w)[A-Z] times )(?=[A-Z]\b))", " × "),
    # `sim6%`, `1sim4`, but not `sim2real`, `real2sim`
    _rule("sim", "sim", r"sim(?=\d)(?!2[a-z]{2})(?<![A-Za-z_-]sim)", "~"),
    _rule("sim", "sim", r"sim(?= ?\d)(?<=[\d%×KMB]sim)(?<![A-Za-z]2sim) ?", "~"),
    *(  # `L ge 576`
        _rule("between", f" {name} ", rf"(?:(?<=[\d%)}}] )|(?<={_VARIABLE} )){name}(?= -?\d)", sign)
        for name, sign in _BETWEEN.items()
    ),
    _rule("plus or minus", " pm ", r"(?:(?<=\.\d )|(?<=\.\d\d ))pm(?= \d)", "±"),  # not `3 pm 5`
    # `Models~(LLMs)`, `Opus~4.7`, `8.7~pp`, but not `~30%`, `1M~4M`
    _rule("tie", "~", r"(\b[A-Za-z]{2,30})~(?=[A-Za-z\d(\\])", r"\1 "),
    _rule("tie", "~", r"(?<=[.,)])~(?=[A-Za-z(])|(?<=\d)~(?=[A-Za-z]{2})", " "),
    # ``…'', ``…", ''…'', "…'', `…'
    _rule("quotes", "`", r"""``(?<![`\\]``)(?=\S)((?:[^`'"]|'(?!')){1,200})(?:''|")""", "“\\1”"),
    _rule("quotes", "''", r"""(?<![\w'"])(?:''|")(?=\w)([^`'"]{1,200})(?<=[\w.,!?*)])''(?![\w'])""", "“\\1”"),
    _rule("single quotes", "`", r"""`(?<![\w`\\]`)(?=\w)([^`'"]{1,80})(?<=\w)'(?![\w'])""", "‘\\1’"),
    # `evolution---the`, `human--AI`, `thought -- a`, but not `--force`, `-->`
    _rule("em dash", "--", r"---(?<![-<]---)(?![->])", "—"),
    _rule("en dash", "--", r"--(?:(?<=[\w)\]%×”’]--)(?=[\w\"“(])|(?<=\w[\"']--)(?=[\w\"“(])|(?<= --)(?= ))", "–"),
)
_HINTS = {rule.hint for rule in _TEXT}


@lru_cache(_CACHE)
def readable(text: str) -> str:
    """Return `text` with its leftovers of TeX as people would write them; a second call changes nothing.

    The answer is at most a third longer. A text that is nested deeper than anybody writes stays as it is.
    """
    before, after = "", text
    for _ in range(_PASSES):
        before, after = after, rewrite(after, Counter())
        if before == after:
            return after
    return text


def rewrite(text: str, counts: Counter[str]) -> str:
    """Return `text` after one pass of the rules, and add to `counts` how often each of them changed it."""
    text = _apply(_LINKS, text, counts)
    hints = {hint for hint in _HINTS if hint in text}
    rules = [rule for rule in _TEXT if rule.hint in hints and rule.pattern.search(text)]
    verbatim = next((pattern for hint, pattern in _VERBATIM_BY_HINT if hint in text), None) if rules else None
    parts = verbatim.split(text) if verbatim else [text]
    return "".join(part if at % 2 else _apply(rules, part, counts) for at, part in enumerate(parts))


def _apply(rules: Iterable[_Rule], text: str, counts: Counter[str]) -> str:
    for rule in rules:
        if rule.hint in text:
            text, changes = rule.pattern.subn(rule.instead, text)
            counts[rule.name] += changes
    return text
