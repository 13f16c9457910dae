"""What the Hub leaves of TeX becomes readable where it is shown; English, code and addresses stay as they are."""

import gzip
import html
import json
import re
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedproxy.archive import Archive
from feedproxy.feeds import FORMATS, Feed
from feedproxy.feeds.tex import readable, rewrite
from feedproxy.model import Listing, Paper
from feedproxy.query.grammar import parse_filter
from feedproxy.query.parameters import Query, parse_query
from feedproxy.service import Service
from feedproxy.text import paragraphs
from feedproxy.web.preview import preview
from tests.conftest import Clock
from tests.factories import DAY, paper
from tests.test_terms import ANY_TEXT

CORPUS = Path(__file__).parents[2] / "shared" / "search" / "corpus.jsonl.gz"

# Made up, one or two of each kind: as the Hub sends it, and as people read it.
READABLE = (
    ("54.6\\% of R\\&D at item\\_two\\#1 for \\$300", "54.6% of R&D at item_two#1 for $300"),
    ('a Fr\\\'echet mean, na\\"{\\i}ve, \\"Ort\\"un, the object\\\'s', "a Fréchet mean, naïve, Örtün, the object's"),
    ("cues, \\eg, light, \\ie. sun, \\ie{}, \\etc.", "cues, e.g., light, i.e. sun, i.e., etc."),
    ("2.3\\times in \\LaTeX{} at 5{\\deg}, \\alpha\\leq3", "2.3× in LaTeX at 5°, α≤3"),
    ("takes \\( n^3 \\), not (\\(2\\times\\))", "takes n^3, not (2×)"),
    ("1.5\\,TB, vs.\\ 2", "1.5 TB, vs. 2"),
    ("\\textbf{Bold} and R^textbf{3AB} in O(mathcal{L})", "Bold and R^3AB in O(L)"),
    ("emph{new}, Self-text{CO}rrect, \\textit{boldsymbolπ-Net}", "new, Self-COrrect, π-Net"),
    ("\\textbf{x^{\\textit{2}}}", "x^2"),
    ("256{times}256, γ{=}4, r{=}{-}0.1, 6{,}181, {sim}1K, 5{\\%}", "256×256, γ=4, r=-0.1, 6,181, ~1K, 5%"),
    ("Oleft( 1{varepsilon^2} log m{delta} right)", "O(1/ε^2 log m/δ)"),
    (
        "tau^2-bench, pi_0, theta_{AB}, f_{theta}, Kendall's tau_a, ell_2",
        "τ^2-bench, π_0, θ_AB, f_θ, Kendall's τ_a, ℓ_2",
    ),
    ("at 360^circ and 90^{circ}C, 9^circC, λ^star, v_t^top", "at 360° and 90°C, 9°C, λ^*, v_t^⊤"),
    ("X^{2}-Net, G_{stack}, 2^{18}, 10^{-3}, V_{0.5}, (q^{*})", "X^2-Net, G_stack, 2^18, 10^-3, V_0.5, (q^*)"),
    ("(2N)^{1/2}, L_{1,2}, sum_{i=1}^{N_E}", "(2N)^(1/2), L_(1,2), sum_(i=1)^(N_E)"),
    ("1.92times faster, 8timesH100, 3-4times, R^2times, by Ktimes", "1.92× faster, 8×H100, 3-4×, R^2×, by K×"),
    ("256times256, 512 times 512, an N times K matrix", "256×256, 512 × 512, an N × K matrix"),
    ("sim6% of sim20K, 1sim4, 20sim 100, 15timessim50times", "~6% of ~20K, 1~4, 20~100, 15×~50×"),
    ("leq5% (geq 3B), 62.2% rightarrow 67%, z_{t}rightarrow z_{0}", "≤5% (≥ 3B), 62.2% → 67%, z_t→ z_0"),
    ("O(N cdot T), 1, ldots, infty, error varepsilon", "O(N · T), 1, …, ∞, error ε"),
    ("L ge 576, (x le 3), Recall@5 approx 0.8, 0.69 pm 0.16", "L ≥ 576, (x ≤ 3), Recall@5 ≈ 0.8, 0.69 ± 0.16"),
    (
        "Models~(LLMs), Opus~4.7, Stage~II, 8.7~pp, et al.~(2024)",
        "Models (LLMs), Opus 4.7, Stage II, 8.7 pp, et al. (2024)",
    ),
    ("a ``thinking mode'', ``it''s, ''aha'', ``one\" and \"two''", "a “thinking mode”, “it”s, “aha”, “one” and “two”"),
    ("a `needle' unit and `long readers'", "a ‘needle’ unit and ‘long readers’"),
    ("signals--sight and sound--from 10--20%", "signals–sight and sound–from 10–20%"),
    (
        'a thought -- a step, the "effect"--which evolves---slowly',
        'a thought – a step, the "effect"–which evolves—slowly',
    ),
    ("code at~\\url{https://example.org/a_b}.", "code at https://example.org/a_b."),
    ("see https://example.org/a{https://example.org/a}.", "see https://example.org/a."),
    ("see https://example.org/a{example.org/a}.", "see https://example.org/a."),
    ("see \\href{https://example.org/a_{1}}{x}", "see \\href{https://example.org/a_{1}}{x}"),
    ("on our \\href{https://example.org/}{project page}", "on our project page (https://example.org/)"),
    ("code is https://example.org/a{here}.", "code is here (https://example.org/a)."),
    ("in https://example.org/a\\_b/\\#c", "in https://example.org/a_b/#c"),
)
# What looks like TeX and is not, or is readable as it is.
ALIKE = (
    "3 times faster, at all times, 10 timesteps, 5timesteps, sometimes, runtimes, New York Times 2",
    "sim2real, sim2sim, real2sim 3, real-to-sim, in sim, a sim 5, simulate, 2simple, GS-sim1, my_sim1",
    "circumstances, 5th, approximately, an approx answer, phi approx 0, draft-approx, pmlr, at 3 pm 5 people",
    "vjepa_2_1, snake_case, alpha_factor, my_alpha_1, img_{name}.png, x^2, O(n^2), R_0, A^*, G^2RPO",
    "PixArt-alpha, beta-DPO, gamma-PO, epsilon-greedy, Cohen's kappa, tau2-bench, R(pi/4)",
    "left(a), right(b), top-left(b), the upper-right) corner, bold, italic text, in context",
    "le 5 mai, to the right, in 3D, ll cool, all right, page 3, stage 2",
    "~30%, (~8), 1M~4M, 1~4, ~/papers, x~y, about ~5, Hello~",
    "{name}, {a, b}, {-1, 0, 1}, {}, {delta}, {3D GU}, Net{alpha}, {",
    "a/{id}, https://example.org/{paper_id}/x, https://example.org/a^b_{c}",
    "https://example.org/sim6/1times--a~b_``x''?q=alpha_1&r=50times",
    "`sim6% of 50times`, ``x^{2}``, `textbf{a}`",
    "C:\\path\\times\\_new, D:\\textbf{a}, src\\beta",
    "\\d+\\.\\d, \\bword\\b, \\n and \\n\\n in prompts, a\\\\b, \\(\\d+\\), \\foo, \\boxed{}, \\section{Results}",
    'say \\"agents\\" and \\"our\\" model',
    "--force, '--flag', \"--x\", <!--x-->, a --> b, i--, |--, ----, `a--b`",
    "'' and '', 5'' and 7'', don't 'quote' it, the models' `x` isn't, \"plain\" quotes",
    "50%, Q&A, $32,000, #1, 5 % of it, 100 \\",
)


@pytest.mark.parametrize(("text", "expected"), READABLE)
def test_readable(text: str, expected: str) -> None:
    """Each leftover of TeX becomes what its authors wrote."""
    assert expected == readable(text)


@pytest.mark.parametrize("text", ALIKE)
def test_what_is_no_tex_stays(text: str) -> None:
    """English, names, code, paths, patterns, placeholders and addresses stay as they are."""
    assert text == readable(text)


# Pieces of all of them, to be put together in any order.
PIECES = sorted(
    {piece for text in (*ALIKE, *dict(READABLE)) for piece in re.findall(r"[^\W_]+|[\W_]", text)} | {"\n\n"}
)
MIXED = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@given(MIXED | ANY_TEXT)
def test_reading_twice_changes_nothing(text: str) -> None:
    """A second call changes nothing; no text grows by more than a third, and none becomes blank."""
    once = readable(text)
    assert once == readable(once)
    assert 3 * len(once) <= 4 * len(text)
    assert bool(text.strip()) == bool(once.strip())


@given(MIXED)
def test_paragraphs_stay(text: str) -> None:
    """Paragraphs stay paragraphs."""
    assert text.count("\n\n") == readable(text).count("\n\n")


@pytest.mark.parametrize(
    "piece",
    [
        *("\\", "{", "}", "^{", "_{", "~", "`", "``", "''", "-", "textbf{", "\\(", "left( ", "https://", "http://a{1"),
        *("``a", "`a", "''a", "\\textbf{a", "2sim ", "1times", "sim", "a~", '\\"A', "{times}", "a_", "alpha_", "C:\\"),
        *("https://a.bc/{a", "x" * 99 + "{", "\\href{", "https://a{b}", "``a'' ", "a--", "1 times "),
    ],
)
def test_hostile_texts_take_no_longer(piece: str) -> None:
    """100 kB of anything take time in proportion to their length: less than a second."""
    text = piece * (100_000 // len(piece))
    began = time.process_time()
    readable(text)
    assert time.process_time() - began < 1


# A paper as the Hub sends it, and as it is shown.
TITLE, ABSTRACT = (
    "R^textbf{2AI}: agents 2times faster on tau^2-bench",
    "A ``first'' part, sim6%.\n\nSecond\\&last: agents.",
)
READABLE_TITLE = "R^2AI: agents 2× faster on τ^2-bench"
READABLE_PARAGRAPHS = ("A “first” part, ~6%.", "Second&last: agents.")


@pytest.fixture
def tex_paper(archive: Archive, clock: Clock) -> Paper:
    """A paper in the archive, with leftovers of TeX in its title and abstract."""
    tex_paper = paper(1, title=TITLE, summary=ABSTRACT)
    archive.store([Listing((tex_paper,), day=DAY)], clock())
    return tex_paper


@pytest.mark.parametrize("name", FORMATS)
def test_feeds_are_readable(name: str, archive: Archive, tex_paper: Paper) -> None:
    """Every format shows the readable title and abstract; the entry's id and link are as ever."""
    body = Service(archive).render(Feed(parse_query("q=agents"), "https://example.org"), name).body
    text = html.unescape(html.unescape(body.decode()))
    assert all(part in text for part in (READABLE_TITLE, *READABLE_PARAGRAPHS, tex_paper.links.hub))
    assert TITLE not in text


def test_the_archive_keeps_what_the_hub_sent(archive: Archive, tex_paper: Paper) -> None:
    """The archive returns the original, and a search finds its words."""
    for text in ("agents", "2times", '"2ai"', "textbf"):
        (entry,) = archive.search(Query(q=parse_filter(text))).entries
        assert (TITLE, ABSTRACT) == (entry.paper.title, entry.paper.summary)


def test_the_page_marks_words_of_the_readable_text(archive: Archive, tex_paper: Paper) -> None:
    """The page shows the readable text, and marks in it what the filter looks for."""
    (item,) = preview(Service(archive), parse_query("q=2ai OR tau OR first OR last")).entries
    assert ["2AI", "τ"] == [text for text, is_marked in item.title if is_marked]
    assert ["first", "last"] == [text for text, is_marked in item.excerpt if is_marked]
    assert READABLE_TITLE == "".join(text for text, _ in item.title)
    assert "\n\n".join(READABLE_PARAGRAPHS) == "".join(text for text, _ in item.excerpt)


# How often each rule changes a text of the corpus, at least. Only other listings have `^circ`, `^star` and `^top`.
COUNTS = {
    "en dash": 318,
    "escape": 159,
    "times": 98,
    "quotes": 53,
    "link": 30,
    "script": 27,
    "tie": 27,
    "font": 14,
    "braces": 13,
    "single quotes": 11,
    "rare": 9,
    "fraction": 7,
    "short": 6,
    "sign": 6,
    "sim": 6,
    "greek": 5,
    "left and right": 4,
    "math": 4,
    "accent": 3,
    "url": 3,
    "apostrophe": 2,
    "between": 2,
    "space": 2,
    "em dash": 1,
    "plus or minus": 1,
    "raised": 0,
}


def count_changes(texts: Iterable[str]) -> Counter[str]:
    """Return how often each rule changes one of `texts`."""
    counts: Counter[str] = Counter()
    for text in texts:
        while text != (text := rewrite(text, counts)):
            pass
    return counts


def test_every_rule_has_an_example() -> None:
    """The examples need every rule, and the counts below name every rule."""
    counts = count_changes(dict(READABLE))
    assert set(COUNTS) == {name for name, count in counts.items() if count}
    assert set(COUNTS) == set(counts)


def test_corpus() -> None:
    """In 2,211 real papers a tenth of the titles and abstracts changes, and every rule finds its leftovers."""
    if not CORPUS.is_file():
        pytest.skip(f"no real papers at {CORPUS}")
    papers = map(json.loads, gzip.decompress(CORPUS.read_bytes()).splitlines())
    texts = [paragraphs(paper[name], 10_000) for paper in papers for name in ("title", "summary")]
    counts = count_changes(texts)
    assert {} == {name: counts[name] for name, least in COUNTS.items() if counts[name] < least}
    assert 0.09 < sum(text != readable(text) for text in texts) / len(texts) < 0.11
