"""The filter language in, its tree out, and back again in one canonical spelling.

Searches nothing: the archive evaluates the tree. The language, in the notation of RFC 5234:

    filter   = or-expr
    or-expr  = and-expr *( "OR" and-expr )
    and-expr = unary *( ["AND"] unary )
    unary    = ( "-" / "NOT" ) unary / "(" or-expr ")" [colon] / [ field ":" ] term [colon]
             / "has:" link
    term     = ( 1*sign / DQUOTE 1*char DQUOTE ) ["*"] ; with at least one letter or digit
    field    = "title" / "abstract" / "author" / "org"
    link     = "code" / "project" / "image"
    colon    = ":"                                     ; before a space or the end, and not behind a field
    char     = any character but DQUOTE
    sign     = any char but a space, "(", ")", ":", and those that `feedproxy.query.tokens` refuses

Operators, fields and links may be in any case; a word that splits into several (`tool-use`) is a phrase, and a colon
is punctuation. `_Parser` has a method for each rule. The meaning of a URL never changes, so this grammar can only grow.
"""

from dataclasses import dataclass
from difflib import get_close_matches

from feedproxy.errors import QueryError
from feedproxy.model import HAS
from feedproxy.query.terms import Phrase, phrases, singular, words
from feedproxy.query.tokens import OPERATORS, Token, misplaced_signs, read_tokens, to_ascii
from feedproxy.text import did_you_mean, visible

FIELDS = ("title", "abstract", "author", "org")  # of text; `has:` is about links
MAX_CHARACTERS, MAX_TERMS, MAX_DEPTH = 500, 32, 16


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
        plain = len(self.words) == 1 and self.words[0] not in OPERATORS and self.words[0][-1] != "*"
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

_FIELDS = (*FIELDS, "has")
_FIELD_LIST = ", ".join(f"{field}:" for field in _FIELDS)
_LINKS = [f"has:{name}" for name in HAS]
_SYNONYMS = {  # of a link, for the advice only
    "code": "git github gitlab implementation opensource repo repository software source sourcecode",
    "project": "demo homepage link page site url webpage website",
    "image": "figure media photo picture preview thumb thumbnail video",
}


def parse_filter(text: str) -> Filter:
    """Read the filter language; raises QueryError with every mistake that can be found, and their positions."""
    if len(text) > MAX_CHARACTERS:
        raise QueryError("q", f"{len(text)} characters, at most {MAX_CHARACTERS}")
    parser = _Parser(text)
    tree = parser.filter()
    if len(str(tree)) > MAX_CHARACTERS:
        raise QueryError("q", f"more than {MAX_CHARACTERS} characters in its canonical spelling")
    return tree


def is_filter(text: str) -> bool:
    """Say whether `text` can be read."""
    try:
        return bool(parse_filter(text))
    except QueryError:
        return False


def in_quotation_marks(text: str) -> str | None:
    """Return `text` as a phrase, which matches every text that holds it.

    None if it is not several words, is too long, or has fields or operators in capitals, as only a filter has.
    """
    if len(text) > MAX_CHARACTERS:
        return None
    tokens = [token for token in read_tokens(text) if token.text.isupper() or token.kind == "field"]
    is_written_as_filter = any(token.kind in OPERATORS or token.text[:-1].casefold() in _FIELDS for token in tokens)
    unquoted = "".join(" " if plain == '"' else char for char, plain in zip(text, to_ascii(text), strict=True))
    phrase = f'"{" ".join(unquoted.split())}"'
    if (is_written_as_filter and not text.isupper()) or " " not in phrase or len(words(phrase)) < 2:
        return None
    return phrase if is_filter(phrase) else None


class _Parser:
    """Reads tokens by recursive descent: a method for each rule of the grammar.

    Raises the mistakes that leave the rest of the text without a meaning; reports the others and goes on.
    """

    def __init__(self, text: str) -> None:
        self.mistakes: list[QueryError] = []
        self.tokens: list[Token] = []
        self.next = self.terms = self.depth = 0
        for token in read_tokens(text):
            if token.kind == "colon":
                self.report(f"a : stands only behind a field: {_FIELD_LIST}", token.at)
            else:
                self.tokens.append(_settled(token) if token.kind == "label" else token)

    @property
    def token(self) -> Token:
        """The next token."""
        return self.tokens[self.next]

    def take(self) -> Token:
        self.next += 1
        return self.tokens[self.next - 1]

    def error(self, message: str, token: Token | None = None) -> QueryError:
        return QueryError("q", message, (token or self.token).at)

    def report(self, message: str, position: int) -> None:
        self.mistakes.append(QueryError("q", message, position))

    def is_directly_after(self, token: Token) -> bool:
        return self.token.kind != "end" and self.token.at == token.at + len(token.text)

    def filter(self) -> Filter:
        try:
            tree = self.or_expr()
            if self.token.kind == "close":
                raise self.error("this ) closes nothing")
        except QueryError as error:
            self.mistakes.append(error)
        if self.mistakes:
            raise QueryError.of(sorted(self.mistakes, key=lambda mistake: mistake.position or 0)) from None
        return tree

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
        if token.kind == "unclosed":
            raise self.error("this quotation mark is never closed", token)
        self.terms += 1
        if self.terms > MAX_TERMS:
            raise self.error(f"more than {MAX_TERMS} terms", token)
        text = token.text.removesuffix("*")
        is_quoted, is_prefix = token.kind == "quoted", token.text.endswith("*")
        term = Term(tuple(words(text, is_quoted=is_prefix or (is_quoted and " " in text))), is_prefix, field)
        if not term.words:
            self.report(f"“{visible(token.text, 20)}” holds neither letter nor digit", token.at)
        elif field == "has" and str(term) not in _LINKS:
            self.report(f"there is no {_link_advice(token.text)}", token.at)
        elif not is_quoted and not text.isalnum():
            for place, advice in misplaced_signs(text):
                self.report(advice, token.at + place)
        return term

    def field(self) -> str | None:
        token = self.take()
        name = token.text[:-1].casefold()
        has_term = self.token.kind in ("word", "quoted", "unclosed", *OPERATORS) and self.is_directly_after(token)
        if name in _FIELDS and has_term:
            return name
        needs = "code, project or image" if name == "has" else "a word or a quoted phrase"
        message = f"{name}: needs {needs} directly behind it"
        if name not in _FIELDS:
            hint = did_you_mean(name, _FIELDS, ":")
            message = f"there is no field {visible(name, 20)}:{hint} (fields: {_FIELD_LIST})"
        if not has_term:
            raise self.error(message, token)
        self.report(message, token.at)
        return None


def _settled(label: Token) -> Token:
    """Return a word with a colon before a space as a field, if it resembles one, else as the word it is in a text."""
    name = label.text[:-1]
    folded = name.casefold()
    is_field = folded == "has" or get_close_matches(folded, FIELDS, 1, 0.8)  # 0.7 would take DualTHOR for an author
    return Token("field", label.text, label.at) if is_field else Token("word", name, label.at)


def _link_advice(text: str) -> str:
    """Return a wrong `text` behind `has:`, and what would be right."""
    word = singular("".join(words(text)))
    near = next((name for name, synonyms in _SYNONYMS.items() if word in synonyms.split()), word)
    value = visible(text.replace('"', ""), 20)
    hint = did_you_mean(near, HAS, prefix="has:")
    return f"has:{value}{hint} (links: {', '.join(_LINKS)})"
