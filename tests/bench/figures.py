"""What a benchmark found, against what was wished for; measures only time."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Run:
    """What every benchmark is given: how often to measure, whether to take its time, a folder of its own."""

    rounds: int
    full: bool
    folder: Path


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound; one that is aimed at is no promise."""

    sign: str
    bound: float
    unit: str = "×"
    aim: bool = False

    def met(self, value: float) -> bool:
        """Say whether `value` keeps to the bound."""
        return value >= self.bound if self.sign == "≥" else value <= self.bound

    def __str__(self) -> str:
        return f"{'aim: ' * self.aim}{self.sign} {_number(self.bound)} {self.unit}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: what was measured, in words and figures, and the value that a goal is about.

    `spread` are the lowest and highest value of a round, which show how noisy the machine was.
    """

    what: str
    told: str
    value: float
    goal: Goal | None = None
    unit: str = "×"
    spread: tuple[float, float] | None = None

    def cells(self) -> tuple[str, ...]:
        """Return the line as it is printed."""
        verdict = ("met" if self.goal.met(self.value) else "MISSED") if self.goal else ""
        spread = "–".join(map(_number, self.spread)) if self.spread else ""
        return self.what, self.told, f"{_number(self.value)} {self.unit}", spread, str(self.goal or ""), verdict


Benchmark = Callable[[Run], Iterator[Figure]]


def compared(what: str, ours: Sequence[float], theirs: Sequence[float], goal: Goal | None, form: str) -> Figure:
    """Return the median of each round's ratio; rounds that lie side by side share the machine's moods."""
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    told = f"{form.format(statistics.median(ours))} against {form.format(statistics.median(theirs))}"
    return Figure(what, told, statistics.median(ratios), goal, spread=(min(ratios), max(ratios)))


def interleaved(rounds: int, *measures: Callable[[], float]) -> list[list[float]]:
    """Return what each measure gave in each round; every other round goes through them backwards."""
    taken: list[list[float]] = [[] for _ in measures]
    for number in range(rounds):
        order = range(len(measures))
        for at in reversed(order) if number % 2 else order:
            taken[at].append(measures[at]())
    return taken


def elapsed(measured: Callable[[], object]) -> float:
    """Return the milliseconds that it took by the clock on the wall."""
    began = time.perf_counter()
    measured()
    return (time.perf_counter() - began) * 1000


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return `rows` in columns as wide as what stands in them."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return `rows`, of which the first is the head, as a table of Markdown."""
    head, *others = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *others))


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
