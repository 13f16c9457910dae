"""The filter language in, its tree out, and back again in one canonical spelling.

Searches nothing: the archive evaluates the tree. The language, in the notation of RFC 5234:

    filter   = or-expr
    or-expr  = and-expr *( "OR" and-expr )
    and-expr = unary *( ["AND"] unary )
    unary    = ( "-" / "NOT" ) unary / "(" or-expr ")" / [ field ":" ] term / "has:" link
    term     = ( word / DQUOTE *char DQUOTE ) ["*"]
    field    = "title" / "abstract" / "author" / "org"
    link     = "code" / "project" / "image"

Operators, fields and links may be in any case; a word that splits into several (`tool-use`) is a phrase. `_Parser` has
a method for each rule. The meaning of a URL never changes, so this grammar can only grow.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from feedproxy.errors import QueryError
from feedproxy.model import HAS
from feedproxy.query.terms import Phrase, phrases, singular, words
from feedproxy.text import did_you_mean, one_line

FIELDS = ("title", "abstract", "author", "org")  # of text; `has:` is about links
MAX_CHARACTERS, MAX_TERMS, MAX_DEPTH = 500, 32, 16
_OPERATORS = ("and", "or", "not")


# The tree --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Term:
    """Words in a row, the last one only a beginning with `prefix`; in title or abstract without a field.

    With the field `has`, the one word is a name in `HAS`.
    """

    words: tuple[str, ...]
    prefix: bool = False
    field: str | None = None

    def __str__(self) -> str:
        plain = len(self.words) == 1 and self.words[0] not in _OPERATORS and self.words[0][-1] != "*"
        text = self.words[0] if plain else f'"{" ".join(self.words)}"'
        field = f"{self.field}:" if self.field else ""
        return f"{field}{text}{'*' * self.prefix}"

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields it searches."""
        return (self.field,) if self.field else ("title", "abstract")

    @property
    def phrases(self) -> list[Phrase]:
        """The alternatives it searches for."""
        return [(self.words, False)] if self.field == "has" else phrases(self.words, is_prefix=self.prefix)


@dataclass(frozen=True, slots=True)
class Not:
    """Matches whatever `part` does not match."""

    part: "Filter"

    def __str__(self) -> str:
        return f"-{_grouped(self.part, And, Or)}"


@dataclass(frozen=True, slots=True)
class And:
    """Matches if all parts match."""

    parts: tuple["Filter", ...]

    def __str__(self) -> str:
        return " ".join(_grouped(part, Or) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """Matches if any part matches."""

    parts: tuple["Filter", ...]

    def __str__(self) -> str:
        return " OR ".join(map(str, self.parts))


Filter = Term | Not | And | Or


def _grouped(part: Filter, *loose: type) -> str:
    return f"({part})" if isinstance(part, loose) else str(part)


def _flat(kind: type[And] | type[Or], parts: list[Filter]) -> Filter:
    inner = [sub for part in parts for sub in (part.parts if isinstance(part, kind) else (part,))]
    return kind(tuple(inner)) if len(inner) > 1 else inner[0]


# The parser -------------------------------------------------------------------------------------

# Keyboards and other scripts put these in place of ASCII; one character each, so that positions stay the same.
_TYPOGRAPHIC = str.maketrans(
    dict.fromkeys("“”„‟«»″〝〞「」『』", '"') | dict.fromkeys("‐‑‒–—―−⁻", "-") | dict.fromkeys("‘’‚′", "'") | {"∗": "*"}
)
_TOKEN = re.compile(
    r"""(?P<space>\s+) | (?P<open>\() | (?P<close>\)) | (?P<minus>-)
      | (?P<quoted>"[^"]*"\*?) | (?P<field>[^\W\d_]+:) | (?P<word>[^\s"():]+)""",
    re.VERBOSE,
)
_FIELDS = (*FIELDS, "has")
_FIELD_LIST = ", ".join(f"{field}:" for field in _FIELDS)
_LINKS = [f"has:{name}" for name in HAS]
_SYNONYMS = {  # of a link, for the advice only
    "code": "git github gitlab implementation opensource repo repository software source sourcecode",
    "project": "demo homepage link page site url webpage website",
    "image": "figure media photo picture preview thumb thumbnail video",
}
_UNREADABLE = {'"': "this quotation mark is never closed", ":": f"a : stands only behind a field: {_FIELD_LIST}"}

# Characters that mean something in other languages, and what to write instead; the first that fits is reported. To
# ignore them would be a guess; an error can become a feature later.
_MISTAKES = (
    (r"\*", "{} stands only at the end of a word or behind a phrase"),
    (r"^[!¬]", "{} means nothing here; to exclude, write -"),
    (r"^'", "{} means nothing here; for a phrase, use double quotation marks"),
    (r"\|+|&&|[,;]", "{} means nothing here; for both leave a space, for either write OR"),
    (r"[~^<>={}\[\]\\]|\?(?=\w)|[+#]+$|[\x00-\x1f\x7f-\x9f]", "{} means nothing here"),
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def parse_filter(text: str) -> Filter:
    """Read the filter language; raises QueryError with the position of the mistake."""
    if len(text) > MAX_CHARACTERS:
        raise QueryError("q", f"{len(text)} characters, at most {MAX_CHARACTERS}")
    parser = _Parser(_to_ascii(text))
    tree = parser.or_expr()
    if parser.token.kind == "close":
        raise parser.error("this ) closes nothing")
    if len(str(tree)) > MAX_CHARACTERS:
        raise QueryError("q", f"more than {MAX_CHARACTERS} characters in its canonical spelling")
    return tree


def _to_ascii(text: str) -> str:
    """Return `text` with ASCII in place of typographic and full-width characters, at the same positions."""
    single = (unicodedata.normalize("NFKC", char) for char in text.translate(_TYPOGRAPHIC))
    return "".join(new if len(new) == 1 and new.isascii() else char for new, char in zip(single, text, strict=True))


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            raise QueryError("q", _UNREADABLE[text[at]], at)
        kind, word = str(match.lastgroup), match[0].casefold()
        if kind != "space":
            yield _Token(word if kind == "word" and word in _OPERATORS else kind, match[0], at)
        at = match.end()
    yield _Token("end", "", at)


class _Parser:
    """Reads tokens by recursive descent: a method for each rule of the grammar."""

    def __init__(self, text: str) -> None:
        self.tokens = list(_tokens(text))
        self.next = self.terms = self.depth = 0

    @property
    def token(self) -> _Token:
        """The next token."""
        return self.tokens[self.next]

    def take(self) -> _Token:
        self.next += 1
        return self.tokens[self.next - 1]

    def error(self, message: str, token: _Token | None = None) -> QueryError:
        return QueryError("q", message, (token or self.token).at)

    def is_directly_after(self, token: _Token) -> bool:
        return self.token.kind != "end" and self.token.at == token.at + len(token.text)

    def or_expr(self) -> Filter:
        parts = [self.and_expr()]
        while self.token.kind == "or":
            self.take()
            parts.append(self.and_expr())
        return _flat(Or, parts)

    def and_expr(self) -> Filter:
        parts = [self.unary()]
        while self.token.kind not in ("or", "close", "end"):
            if self.token.kind == "and":
                self.take()
            parts.append(self.unary())
        return _flat(And, parts)

    def unary(self) -> Filter:
        kind = self.token.kind
        if kind in ("end", "or", "and", "close"):
            raise self.error("a word or phrase is missing here")
        if kind not in ("minus", "not", "open"):
            return self.term()
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"nested more than {MAX_DEPTH} deep")
        tree = self.group() if kind == "open" else self.negation()
        self.depth -= 1
        return tree

    def group(self) -> Filter:
        opening = self.take()
        tree = self.or_expr()
        if self.token.kind != "close":
            raise self.error("this ( is never closed", opening)
        self.take()
        return tree

    def negation(self) -> Filter:
        sign = self.take()
        if sign.kind == "minus":
            if not self.is_directly_after(sign):
                raise self.error("a - stands directly before what it excludes", sign)
            if self.token.kind == "minus":
                raise self.error("one - is enough")
        tree = self.unary()
        return tree.part if isinstance(tree, Not) else Not(tree)

    def term(self) -> Filter:
        field = self.field() if self.token.kind == "field" else None
        token = self.take()
        self.terms += 1
        if self.terms > MAX_TERMS:
            raise self.error(f"more than {MAX_TERMS} terms", token)
        text = token.text.removesuffix("*")
        term = Term(tuple(words(text)), token.text.endswith("*"), field)
        if not term.words:
            raise self.error(f"{one_line(token.text, 20)} holds neither letter nor digit", token)
        for mistake, advice in _MISTAKES[: 1 if token.kind == "quoted" else None]:
            if match := re.search(mistake, text):
                raise QueryError("q", advice.format(one_line(match[0], 5) or "this"), token.at + match.start())
        if field == "has" and str(term) not in _LINKS:
            raise self.error(f"there is no {_link_advice(token.text)}", token)
        return term

    def field(self) -> str:
        token = self.take()
        name = token.text[:-1].casefold()
        if name not in _FIELDS:
            hint = did_you_mean(name, _FIELDS, ":")
            raise self.error(f"there is no field {one_line(name, 20)}:{hint} (fields: {_FIELD_LIST})", token)
        if self.token.kind not in ("word", "quoted", *_OPERATORS) or not self.is_directly_after(token):
            needs = "code, project or image" if name == "has" else "a word or a quoted phrase"
            raise self.error(f"{name}: needs {needs} directly behind it", token)
        return name


def _link_advice(text: str) -> str:
    """Return a wrong `text` behind `has:`, and what would be right."""
    word = singular("".join(words(text)))
    near = next((name for name, synonyms in _SYNONYMS.items() if word in synonyms.split()), word)
    value = one_line(text.replace('"', ""), 20)
    hint = did_you_mean(near, HAS, prefix="has:")
    return f"has:{value}{hint} (links: {', '.join(_LINKS)})"
