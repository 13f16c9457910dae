"""The filter language in, its tree out, and back again in one canonical spelling.

Searches nothing: how a tree is evaluated is up to the archive. The language:

    query  = either
    either = both *( "OR" both )
    both   = single *( ["AND"] single )
    single = ( "-" / "NOT" ) single / "(" either ")" / [ field ":" ] term
    term   = ( word / DQUOTE *char DQUOTE ) ["*"]
    field  = "title" / "abstract" / "author" / "org"

Operators and fields are read in any case; a word that parts into several (`tool-use`) is a phrase.
Because the meaning of a URL never changes, neither may this grammar: it can only grow.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from feedproxy.errors import QueryError
from feedproxy.query.terms import plural_prefix_matches, singular, words
from feedproxy.text import did_you_mean, one_line

FIELDS = ("title", "abstract", "author", "org")
MAX_CHARACTERS, MAX_TERMS, MAX_DEPTH = 500, 32, 16
_OPERATORS = ("and", "or", "not")


# The filter as a tree ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Term:
    """Words that follow one another, the last one perhaps only begun; `field` None is title or abstract."""

    words: tuple[str, ...]
    prefix: bool = False
    field: str | None = None

    def __str__(self) -> str:
        plain = len(self.words) == 1 and self.words[0] not in _OPERATORS
        text = self.words[0] if plain else f'"{" ".join(self.words)}"'
        field = f"{self.field}:" if self.field else ""
        return f"{field}{text}{'*' * self.prefix}"

    @property
    def fields(self) -> tuple[str, ...]:
        """Where it looks."""
        return (self.field,) if self.field else ("title", "abstract")

    @property
    def phrases(self) -> list[tuple[list[str], str, bool]]:
        """What it looks for, any of it: the folded words before the last, the last, and whether that is only begun."""
        *before, last = self.words
        folded = [singular(word) for word in before]
        if not self.prefix:
            return [(folded, singular(last), False)]
        return [(folded, last, True), *((folded, word, False) for word in sorted(plural_prefix_matches(last)))]


@dataclass(frozen=True, slots=True)
class Not:
    """Everything `part` does not match."""

    part: "Filter"

    def __str__(self) -> str:
        return f"-{_grouped(self.part, And, Or)}"


@dataclass(frozen=True, slots=True)
class And:
    """What all parts match."""

    parts: tuple["Filter", ...]

    def __str__(self) -> str:
        return " ".join(_grouped(part, Or) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """What any part matches."""

    parts: tuple["Filter", ...]

    def __str__(self) -> str:
        return " OR ".join(map(str, self.parts))


Filter = Term | Not | And | Or


def _grouped(part: Filter, *loose: type) -> str:
    return f"({part})" if isinstance(part, loose) else str(part)


def _flat(kind: type[And] | type[Or], parts: list[Filter]) -> Filter:
    inner = [sub for part in parts for sub in (part.parts if isinstance(part, kind) else (part,))]
    return kind(tuple(inner)) if len(inner) > 1 else inner[0]


# Reading it -------------------------------------------------------------------------------------

# What keyboards and other scripts put in the place of what was meant; one character each, so positions stay.
_TYPOGRAPHIC = str.maketrans(
    dict.fromkeys("“”„‟«»″〝〞「」『』", '"') | dict.fromkeys("‐‑‒–—―−⁻", "-") | dict.fromkeys("‘’‚′", "'") | {"∗": "*"}
)
_TOKEN = re.compile(
    r"""(?P<space>\s+) | (?P<open>\() | (?P<close>\)) | (?P<minus>-)
      | (?P<quoted>"(?P<inside>[^"]*)"\*?) | (?P<field>[^\W\d_]+:) | (?P<word>[^\s"():]+)""",
    re.VERBOSE,
)


# What means something elsewhere, or to whoever typed it, with what to do instead; the first that fits is told. To leave
# such out silently would be a guess; to give one a meaning later stays possible.
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
    """Read the filter language; raises QueryError with the position of what cannot be read."""
    if len(text) > MAX_CHARACTERS:
        raise QueryError("q", f"{len(text)} characters, at most {MAX_CHARACTERS}")
    reader = _Parser(list(_tokens(_plain(text))), len(text))
    found = reader.either()
    if reader.peek() == "close":
        raise reader.error("this ) closes nothing")
    if len(str(found)) > MAX_CHARACTERS:
        raise QueryError("q", f"more than {MAX_CHARACTERS} characters once spelled out")
    return found


def _plain(text: str) -> str:
    """Return `text` with ASCII in place of typographic and full-width characters, each where it stood."""
    single = (unicodedata.normalize("NFKC", char) for char in text.translate(_TYPOGRAPHIC))
    return "".join(
        plain if len(plain) == 1 and plain.isascii() else char for plain, char in zip(single, text, strict=True)
    )


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            raise QueryError("q", _UNREADABLE[text[at]], at)
        kind, found = str(match.lastgroup), match[0]
        if match["quoted"] is not None:
            kind = "quoted"
        elif kind == "word" and found.casefold() in _OPERATORS:
            kind = found.casefold()
        if kind != "space":
            yield _Token(kind, found, at)
        at = match.end()


_UNREADABLE = {
    '"': "this quotation mark is never closed",
    ":": "a : stands only behind a field: " + ", ".join(f"{field}:" for field in FIELDS),
}


def _refuse_mistakes(bare: str, token: _Token) -> None:
    for mistake, advice in _MISTAKES[: 1 if token.kind == "quoted" else None]:
        if strange := re.search(mistake, bare):
            raise QueryError("q", advice.format(one_line(strange[0], 5) or "this"), token.at + strange.start())


class _Parser:
    """Reads tokens by recursive descent; the methods are named after the grammar's rules."""

    def __init__(self, tokens: list[_Token], length: int) -> None:
        self.tokens, self.length = tokens, length
        self.next, self.terms, self.depth = 0, 0, 0

    def peek(self) -> str:
        return self.tokens[self.next].kind if self.next < len(self.tokens) else "end"

    def take(self) -> _Token:
        token = self.tokens[self.next]
        self.next += 1
        return token

    def error(self, message: str) -> QueryError:
        """Complain about the next token."""
        at = self.tokens[self.next].at if self.next < len(self.tokens) else self.length
        return QueryError("q", message, at)

    def either(self) -> Filter:
        parts = [self.both()]
        while self.peek() == "or":
            self.take()
            parts.append(self.both())
        return _flat(Or, parts)

    def both(self) -> Filter:
        parts = [self.single()]
        while self.peek() not in ("or", "close", "end"):
            if self.peek() == "and":
                self.take()
            parts.append(self.single())
        return _flat(And, parts)

    def single(self) -> Filter:
        kind = self.peek()
        if kind in ("end", "or", "and", "close"):
            raise self.error("a word or phrase is missing here")
        if kind in ("minus", "not", "open"):
            return self.nested(kind)
        return self.term()

    def nested(self, kind: str) -> Filter:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"nested more than {MAX_DEPTH} deep")
        opened = self.take()
        if kind == "open":
            found = self.either()
            if self.peek() != "close":
                raise QueryError("q", "this ( is never closed", opened.at)
            self.take()
        else:
            if kind == "minus" and not self.touches(opened):
                raise QueryError("q", "a - stands directly before what it excludes", opened.at)
            if kind == "minus" and self.peek() == "minus":
                raise self.error("one - is enough")
            inner = self.single()
            found = inner.part if isinstance(inner, Not) else Not(inner)
        self.depth -= 1
        return found

    def touches(self, token: _Token) -> bool:
        return self.peek() != "end" and self.tokens[self.next].at == token.at + len(token.text)

    def term(self) -> Filter:
        field = self.field() if self.peek() == "field" else None
        token = self.take()
        self.terms += 1
        if self.terms > MAX_TERMS:
            raise QueryError("q", f"more than {MAX_TERMS} terms", token.at)
        bare = token.text.removesuffix("*")
        found = tuple(words(bare))
        if not found:
            raise QueryError("q", f"{one_line(token.text, 20)} holds neither letter nor digit", token.at)
        _refuse_mistakes(bare, token)
        return Term(found, token.text.endswith("*"), field)

    def field(self) -> str:
        token = self.take()
        name = token.text[:-1].casefold()
        if name not in FIELDS:
            known = ", ".join(f"{field}:" for field in FIELDS)
            hint = did_you_mean(name, FIELDS, ":")
            raise QueryError("q", f"there is no field {one_line(name, 20)}:{hint} (fields: {known})", token.at)
        if self.peek() not in ("word", "quoted", "and", "or", "not") or not self.touches(token):
            raise QueryError("q", f"{name}: wants a word or a quoted phrase directly behind it", token.at)
        return name
