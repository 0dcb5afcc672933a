"""What was measured: the times of each engine in each case, ratios of them, and the file they are kept in."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Outcome:
    """One engine in one case: ``rounds`` are the seconds a step took in each round, empty if there was a problem."""

    engine: str
    peer: bool
    version: str = ""
    rounds: list[float] = field(default_factory=list)
    problem: str = ""
    missing: bool = False  # whether the problem is that something is not on this machine

    @property
    def seconds(self) -> float:
        """The median over the rounds."""
        return statistics.median(self.rounds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The first and the third quartile of the rounds."""
        if len(self.rounds) == 1:
            return self.rounds[0], self.rounds[0]
        low, _, high = statistics.quantiles(self.rounds, n=4, method="inclusive")
        return low, high

    def over(self, other: Outcome) -> float:
        """How many times as long as ``other`` it takes: the median of the ratios of times in the same round."""
        return statistics.median(a / b for a, b in zip(self.rounds, other.rounds, strict=True))


@dataclass
class Comparison:
    """All engines in one case, and the floors: what the products and the bytes of a step take, by threads of BLAS."""

    case: str
    outcomes: list[Outcome]
    floors: list[Outcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def timed(self) -> list[Outcome]:
        return [each for each in self.outcomes if each.rounds]

    @property
    def best_peer(self) -> Outcome | None:
        """The peer with the least median time, or None if no peer was timed."""
        return _fastest(each for each in self.timed if each.peer)

    @property
    def floor(self) -> Outcome | None:
        """The lower floor, or None if none was measured."""
        return _fastest(each for each in self.floors if each.rounds)

    def timed_as(self, engine: str) -> Outcome | None:
        """The outcome of ``engine``, or None if it was not timed."""
        return next((each for each in self.timed if each.engine == engine), None)


def _fastest(outcomes: Iterable[Outcome]) -> Outcome | None:
    return min(outcomes, key=lambda each: each.seconds, default=None)


@dataclass
class Alone:
    """What one engine did in one case in processes of its own: numbers by name, or the problem."""

    case: str
    engine: str
    measured: dict[str, float]
    problem: str = ""


@dataclass
class Curve:
    """Times of a step along one quantity: a comparison for each value of it."""

    quantity: str
    values: list[int]
    comparisons: list[Comparison]


@dataclass
class Results:
    """One run: the machine, and whatever was measured on it."""

    machine: dict[str, str]
    comparisons: list[Comparison] = field(default_factory=list)
    memory: list[Alone] = field(default_factory=list)
    first_calls: list[Alone] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)


def save(results: Results, file: Path) -> None:
    """Write ``results`` to ``file`` as JSON."""
    file.write_text(json.dumps(asdict(results), indent=1) + "\n", encoding="utf-8")


def load(*files: Path) -> Results:
    """The results that ``save`` wrote to ``files``, joined; what differs of the machines is told side by side."""
    found = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    names = dict.fromkeys(name for each in found for name in each["machine"])
    return Results(
        {name: "; ".join(dict.fromkeys(each["machine"].get(name, "not set") for each in found)) for name in names},
        [_comparison(**one) for each in found for one in each["comparisons"]],
        [Alone(**one) for each in found for one in each["memory"]],
        [Alone(**one) for each in found for one in each["first_calls"]],
        [_curve(**one) for each in found for one in each["curves"]],
    )


def _comparison(case: str, outcomes: list[Any], floors: list[Any], notes: list[str]) -> Comparison:
    return Comparison(case, [Outcome(**one) for one in outcomes], [Outcome(**one) for one in floors], notes)


def _curve(quantity: str, values: list[int], comparisons: list[Any]) -> Curve:
    return Curve(quantity, values, [_comparison(**one) for one in comparisons])


def disagreement(losses: Sequence[float], expected: Sequence[float], tolerance: float) -> str:
    """Why ``losses`` are not the ``expected`` ones; an empty string if all are, within relative ``tolerance``."""
    for i, (loss, right) in enumerate(zip(losses, expected, strict=True)):
        if not abs(loss - right) <= tolerance * abs(right):
            return f"the loss of step {i} is {loss:.6g} and should be {right:.6g}"
    return ""
