"""The benchmarks: cases parse, engines agree, a wrong or missing one is told and not timed, the commands run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench import results, step
from bench.cases import CASES, parse
from bench.engines import Engine, engines
from bench.engines.numpy import build as build_by_hand
from bench.table import markdown
from gradflow.op import OPS
from gradflow.testing.cases import cases
from process import python

SMALL = parse("12-7-5-3@4")
WRONG = """
import numpy
from bench.engines.numpy import build as right
PACKAGE = "numpy"
def build(case):
    step = right(case)
    return lambda: 1.01 * step()
"""


@pytest.mark.parametrize(
    ("name", "layers"), {"64-32-10": 2, "784-256-128-10": 3, "17x128": 17, "1024x3-10": 3, "2048x2-10": 2}.items()
)
def test_a_case_has_the_layers_its_name_says(name: str, layers: int) -> None:
    assert len(CASES[name].weights()) == layers
    assert CASES[name].sizes[-1] == 10


@pytest.mark.parametrize(
    "text", ["", "64", "64@8", "64-10", "64-0-10@8", "64-x@8", "64--10@8", "64-10@8@8", "-64-10@8"]
)
def test_what_is_neither_a_name_nor_sizes_and_batch_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="784-300-10@64"):
        parse(text)


def test_the_step_written_by_hand_has_the_gradients_that_finite_differences_give(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = []  # an update keeps the gradients here, and changes nothing
    monkeypatch.setattr("bench.adam.Adam.step", lambda self, gradients: kept.append((self, gradients)))
    loss = build_by_hand(SMALL, np.float64)
    loss()  # of the first batch; as many calls as there are batches end with its loss again
    adam, gradients = kept[0]
    flat = np.concatenate([g.ravel() for g in gradients])
    for i in np.random.default_rng(0).choice(adam.values.size, 40, replace=False):
        sides = []
        for move in (1e-6, -2e-6):
            adam.values[i] += move
            sides.append([loss() for _ in SMALL.batches()][-1])
        adam.values[i] += 1e-6
        assert (sides[0] - sides[1]) / 2e-6 == pytest.approx(flat[i], rel=1e-4, abs=1e-8)


@pytest.mark.parametrize("engine", engines().values(), ids=engines())
def test_an_engine_has_the_losses_of_the_step_written_by_hand(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    if not engine.installed:
        pytest.skip(f"{engine.package} is not installed")
    monkeypatch.setattr(step, "TOLERANCE", 2e-6)  # no input of a ReLU is near 0 in this case
    outcome = step.compare(SMALL, [engine], rounds=1, seconds=0.0).outcomes[0]
    assert outcome.problem == ""
    assert outcome.rounds[0] > 0


def test_a_wrong_engine_is_told_and_not_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    comparison = step.compare(SMALL, [Engine("wrong", "numpy"), engines()["numpy"]], rounds=1, seconds=0.0)
    wrong, right = comparison.outcomes
    assert "the loss of step 0 is" in wrong.problem
    assert (len(wrong.rounds), len(right.rounds)) == (0, 1)
    assert [each.engine for each in comparison.timed] == ["numpy"]
    assert "wrong: wrong, so it is not timed" in markdown(step.table(comparison))


def test_an_engine_that_is_not_installed_is_named_with_the_command_that_installs_it() -> None:
    comparison = step.compare(SMALL, [Engine("bench.engines.none", "no_such_package")], rounds=1, seconds=0.0)
    assert "none: not installed; pip install no_such_package" in markdown(step.table(comparison))


def test_a_process_that_dies_is_told_and_not_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dying.py").write_text(
        "import os\nPACKAGE = 'numpy'\ndef build(case):\n    os._exit(7)\n", encoding="utf-8"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    outcome = step.compare(SMALL, [Engine("dying", "numpy")], rounds=1, seconds=0.0).outcomes[0]
    assert outcome.problem == "its process ended with 7"


def test_ratios_are_of_times_in_the_same_round() -> None:
    one = results.Outcome("one", peer=False, rounds=[2.0, 20.0, 20.0])
    other = results.Outcome("other", peer=True, rounds=[1.0, 1.0, 10.0])
    worse = results.Outcome("worse", peer=True, rounds=[3.0, 3.0, 3.0])
    assert one.over(other) == 2
    assert results.Comparison("case", [one, worse, other]).best_peer is other


def test_the_step_command_keeps_its_results_and_report_makes_a_page_of_them(tmp_path: Path) -> None:
    kept, page = tmp_path / "kept.json", tmp_path / "page.md"
    turn = ["--case", "64-32-10", "--rounds", "2", "--seconds", "0.01", "--engines", "gradflow", "numpy"]
    printed = python("-m", "bench", "step", *turn, "--json", str(kept))
    assert "gradflow" in printed and "OPENBLAS_CORETYPE" in printed
    outcomes = results.load(kept).comparisons[0].outcomes
    assert [len(each.rounds) for each in outcomes] == [2, 2]
    python("-m", "bench", "report", "--from", str(kept), "--out", str(page))
    assert "| gradflow |" in page.read_text(encoding="utf-8")


def test_free_blas_unsets_both_variables_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("OPENBLAS_L2_SIZE", "262144")
    turn = ["--case", "12-7-3@4", "--rounds", "0", "--engines", "numpy"]
    assert "Haswell" in python("-m", "bench", "step", *turn)
    freed = python("-m", "bench", "step", *turn, "--free-blas")
    assert "OPENBLAS_CORETYPE: not set" in freed
    assert "OPENBLAS_L2_SIZE" not in freed


@pytest.mark.parametrize("command", [["ops", "sigmoid", "matmul", "--seconds", "0.001"], ["import", "--runs", "1"]])
def test_the_other_commands_run(command: list[str]) -> None:
    assert "µs" in python("-m", "bench", *command)


def test_pytest_finds_the_benchmarks_of_steps_and_of_every_declared_workload() -> None:
    pytest.importorskip("pytest_benchmark")
    found = python("-m", "pytest", "bench", "--collect-only", "-q", "-p", "no:cacheprovider")
    assert all(f"bench_step[gradflow-{name}]" in found for name in CASES)
    cases()  # declares every op
    declared = [f"bench_op[{op.name} " for op in OPS.values() if op.workloads]
    assert {"bench_op[add ", "bench_op[adam_update "} <= set(declared)
    assert [name for name in declared if name not in found] == []
