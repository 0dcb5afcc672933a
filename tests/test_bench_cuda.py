"""python -m bench cuda: its logic, on the simulated device, where nothing it prints is a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bench import cuda, cuda_steps
from bench.cases import parse
from gradflow.testing import device
from process import python

SMALL = parse("12-8-4@6")


@pytest.fixture
def bench(simulated: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[cuda.Bench]:
    for name in ("WARM", "LEAST", "MOST", "INNER"):
        monkeypatch.setattr(cuda, name, 1)
    with device.serving(simulated) as xp:
        yield cuda.Bench(xp, 600)


def test_steps_of_gradflow_are_timed_in_every_way(bench: cuda.Bench) -> None:
    ways = [cuda_steps.gradflow_eager, cuda_steps.gradflow_compiled]
    (table,) = cuda.steps(bench, [SMALL], ways)
    names = [row[0].strip() for row in table.rows]
    assert names == ["gradflow eager", "gradflow compiled", "its graph of 7", "as a launch list"]
    assert bench.notes == []


def test_what_fails_is_noted_and_the_rest_goes_on(bench: cuda.Bench) -> None:
    def broken(case: Any) -> Any:
        raise RuntimeError("out of luck\nand more")

    def wrong(case: Any) -> Any:
        return {"wrong": lambda: 1 // 0}

    (table,) = cuda.steps(bench, [SMALL], [broken, wrong, lambda case: {"right": lambda: None}])
    assert [row[0] for row in table.rows] == ["right"]
    assert bench.notes == [
        "broken, 12-8-4@6: RuntimeError: out of luck",
        "wrong, 12-8-4@6: ZeroDivisionError: integer division or modulo by zero",
    ]


def test_nothing_is_begun_when_the_time_is_up(bench: cuda.Bench) -> None:
    begun: list[Any] = []
    bench.end = 0
    tables = cuda.steps(bench, [SMALL], [lambda case: begun.append(case) or {}])
    assert (begun, tables[0].rows) == ([], [])
    assert "no time left" in bench.notes[0]


def test_every_operation_runs_and_has_a_rate(bench: cuda.Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.xp.cuda, "get_elapsed_time", lambda start, stop: 1e-3)
    table = cuda.bandwidths(bench, 64, 128)
    assert bench.notes == []
    rates = {row[0]: row[1] for row in table.rows}
    assert len(rates) >= 15
    assert rates["copy"] == f"{2 * 4 * 64 * 128 / 1e-6 / 1e9:,.0f}"
    assert all(rates.values())


def test_the_command_refuses_without_a_gpu() -> None:
    code = "import sys; sys.argv = ['bench', 'cuda']; from bench.__main__ import main; main()"
    wrapped = f"try:\n exec({code!r})\nexcept SystemExit as error:\n print(error)"
    assert "there is no GPU here" in python("-c", wrapped)
