"""What was measured: the times of each engine in each case, ratios of them, and the file they are kept in."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class Outcome:
    """One engine in one case: ``rounds`` are the seconds a step took in each round, empty if there was a problem."""

    engine: str
    peer: bool
    version: str = ""
    rounds: list[float] = field(default_factory=list)
    problem: str = ""

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
    """All engines in one case."""

    case: str
    outcomes: list[Outcome]

    @property
    def timed(self) -> list[Outcome]:
        return [each for each in self.outcomes if each.rounds]

    @property
    def best_peer(self) -> Outcome | None:
        """The peer with the least median time, or None if no peer was timed."""
        return min((each for each in self.timed if each.peer), key=lambda each: each.seconds, default=None)

    def timed_as(self, engine: str) -> Outcome | None:
        """The outcome of ``engine``, or None if it was not timed."""
        return next((each for each in self.timed if each.engine == engine), None)


@dataclass
class Results:
    """All cases of one run, and the machine they ran on."""

    machine: dict[str, str]
    comparisons: list[Comparison]


def save(results: Results, file: Path) -> None:
    """Write ``results`` to ``file`` as JSON."""
    file.write_text(json.dumps(asdict(results), indent=1) + "\n", encoding="utf-8")


def load(file: Path) -> Results:
    """The results that ``save`` wrote to ``file``."""
    found = json.loads(file.read_text(encoding="utf-8"))
    comparisons = [
        Comparison(each["case"], [Outcome(**outcome) for outcome in each["outcomes"]]) for each in found["comparisons"]
    ]
    return Results(found["machine"], comparisons)


def disagreement(losses: Sequence[float], expected: Sequence[float], tolerance: float) -> str:
    """Why ``losses`` are not the ``expected`` ones; an empty string if all are, within relative ``tolerance``."""
    for i, (loss, right) in enumerate(zip(losses, expected, strict=True)):
        if not abs(loss - right) <= tolerance * abs(right):
            return f"the loss of step {i} is {loss:.6g} and should be {right:.6g}"
    return ""
