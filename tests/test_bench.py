"""The benchmarks: cases parse, engines agree, a wrong or missing one is told and not timed, the commands run."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from bench import alone, conv, floor, results, scaling, step
from bench.cases import CASES, Case, parse
from bench.engines import Engine, Unavailable, engines
from bench.engines.numpy import build as build_by_hand
from bench.table import markdown
from gradflow.op import OPS
from gradflow.testing.cases import cases
from process import python

SMALL = parse("12-7-5-3@4")
IMAGES = Case("images", (12, 3), 4, (2, 4, 3), 8)  # two convolutions, of sides of 8 and 4
WRONG = """
import numpy
from bench.engines.numpy import build as right
PACKAGE = "numpy"
def build(case):
    step = right(case)
    return lambda: 1.01 * step()
"""
LACKING = """
import os
from bench.engines import Unavailable
PACKAGE = "numpy"
def build(case):
    raise Unavailable(f"it needs {os.environ.get('WHAT', 'a compiler')}")
"""
HUNGRY = """
import numpy
PACKAGE = "numpy"
def build(case):
    held = numpy.ones(40_000_000 if case.sizes[0] == 12 else 8, numpy.uint8)
    numpy.ones(held.size, numpy.uint8)
    return lambda: float(held[0] + numpy.ones(held.size // 8, numpy.uint8)[0])
"""
SLOW = """
import os, pathlib, time
PACKAGE = "numpy"
def build(case):
    def step():
        kept = pathlib.Path(os.environ["WHERE"], "compiled")
        if not kept.exists():
            time.sleep(0.4)
            kept.touch()
        return 0.0
    return step
"""
TRAINED = """
import json, os, sys
from bench.cases import Case
from bench.engines import engines
engine = engines()[sys.argv[1]]
os.environ.update(engine.environment)
losses = []
for _ in range(int(sys.argv[3])):
    step = engine.build(eval(sys.argv[2]))
    losses += [step() for _ in range(5)]
print(json.dumps(losses))
"""
# the other mode of torch.compile is the same step, and takes another half a minute
COMPARED = {name: each for name, each in engines().items() if name != "pytorch_max_autotune"}


@pytest.fixture(autouse=True)
def no_floors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes two more processes; the commands have them."""
    monkeypatch.setattr(step, "FLOORS", {})


@pytest.mark.parametrize(
    ("name", "layers"),
    {"28x28-8-16-10": 1, "64-32-10": 2, "784-256-128-10": 3, "17x128": 17, "1024x3-10": 3, "2048x2-10": 2}.items(),
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


@pytest.mark.parametrize("case", [SMALL, IMAGES], ids=["layers", "images"])
def test_the_step_written_by_hand_has_the_gradients_that_finite_differences_give(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = []  # an update keeps the gradients here, and changes nothing
    monkeypatch.setattr("bench.adam.Adam.step", lambda self, gradients: kept.append((self, gradients)))
    loss = build_by_hand(case, np.float64)
    loss()  # of the first batch; as many calls as there are batches end with its loss again
    adam, gradients = kept[0]
    flat = np.concatenate([g.ravel() for g in gradients])
    for i in np.random.default_rng(0).choice(adam.values.size, 40, replace=False):
        sides = []
        for move in (1e-6, -2e-6):
            adam.values[i] += move
            sides.append([loss() for _ in case.batches()][-1])
        adam.values[i] += 1e-6
        assert (sides[0] - sides[1]) / 2e-6 == pytest.approx(flat[i], rel=1e-4, abs=1e-8)


@pytest.mark.parametrize("engine", COMPARED.values(), ids=COMPARED)
def test_an_engine_has_the_losses_of_the_step_written_by_hand(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    if not engine.installed:
        pytest.skip(f"{engine.package} is not installed")
    monkeypatch.setattr(step, "TOLERANCE", 2e-6)  # no input of a ReLU is near 0 in this case
    outcome = step.compare(SMALL, [engine], rounds=1, seconds=0.0).outcomes[0]
    if outcome.missing:
        pytest.skip(outcome.problem)
    assert outcome.problem == ""
    assert outcome.rounds[0] > 0


def losses_of(name: str, case: Case, times: int) -> list[float]:
    """Five losses in that engine, each time that training starts, in a process of its own."""
    engine = engines()[name]
    if not engine.installed:
        pytest.skip(f"{engine.package} is not installed")
    try:
        losses: list[float] = json.loads(python("-c", TRAINED, name, repr(case), str(times)).splitlines()[-1])
    except AssertionError as error:
        if "Unavailable" not in str(error):
            raise
        pytest.skip(f"{name} lacks something")
    return losses


@pytest.mark.parametrize("name", COMPARED)
def test_a_step_with_convolutions_has_the_losses_of_the_one_written_by_hand(name: str) -> None:
    by_hand = build_by_hand(IMAGES, np.float64)
    assert losses_of(name, IMAGES, 1) == pytest.approx([by_hand() for _ in range(5)], rel=2e-6)


@pytest.mark.parametrize("name", ["gradflow_compiled_fast", "jax", "tinygrad"])
def test_what_was_compiled_once_trains_from_the_start_again(name: str) -> None:
    losses = losses_of(name, SMALL, 2)
    assert losses[:5] == losses[5:]
    assert len(set(losses)) == 5


def test_an_engine_that_lacks_something_says_so_and_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lacking.py").write_text(LACKING, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    outcome = step.compare(SMALL, [Engine("lacking", "numpy")], rounds=1, seconds=0.0).outcomes[0]
    assert (outcome.problem, outcome.missing, outcome.rounds) == ("it needs a compiler", True, [])


def test_variables_of_an_engine_are_set_in_its_process_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lacking.py").write_text(LACKING, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    lacking = Engine("lacking", "numpy", {"WHAT": "a variable"})
    assert step.compare(SMALL, [lacking], rounds=1, seconds=0.0).outcomes[0].problem == "it needs a variable"
    assert "WHAT" not in os.environ


@pytest.mark.parametrize("library", conv.LIBRARIES)
@pytest.mark.parametrize("layer", [conv.Layer("small", 2, 3, 4, 8, 3, 2), conv.Layer("depthwise", 2, 4, 4, 5, 3, 1, 4)])
def test_layers_are_timed_at_the_same_work(layer: conv.Layer, library: str) -> None:
    pytest.importorskip(library)
    try:
        found = conv.LIBRARIES[library](layer)
    except Unavailable:
        assert layer.groups > 1
        return
    for one, other in zip(conv.LIBRARIES["gradflow"](layer), found, strict=True):
        np.testing.assert_allclose(one(), other(), rtol=0, atol=1e-4)


def test_parameters_are_those_of_the_weights() -> None:
    for case in CASES.values():
        assert case.parameters == sum(each.size for layer in [*case.kernels(), *case.weights()] for each in layer)


def test_the_floor_does_the_products_of_a_step_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    run = floor.products(SMALL)
    monkeypatch.setattr(np, "matmul", lambda a, b, out: seen.append((*a.shape, *b.shape, out.shape)))
    run()
    forward = [(4, 12, 12, 7, (4, 7)), (4, 7, 7, 5, (4, 5)), (4, 5, 5, 3, (4, 3))]
    weights = [(7, 4, 4, 12, (7, 12)), (5, 4, 4, 7, (5, 7)), (3, 4, 4, 5, (3, 5))]
    inputs = [(4, 5, 5, 7, (4, 7)), (4, 3, 3, 5, (4, 5))]
    assert sorted(seen) == sorted([*forward, *weights, *inputs])


def test_times_are_over_the_lower_floor() -> None:
    floors = [results.Outcome("floor", peer=False, rounds=[2.0]), results.Outcome("other", peer=False, rounds=[1.0])]
    comparison = results.Comparison("case", [results.Outcome("one", peer=False, rounds=[3.0])], floors, ["so low"])
    assert "| +0% +0% |  |  | 3.00 |" in markdown(step.table(comparison))
    assert "so low" in markdown(step.table(comparison))


def test_peak_memory_is_that_of_the_steps_and_of_the_first_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hungry.py").write_text(HUNGRY, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = alone.memory(SMALL, [Engine("hungry", "numpy")])[0]
    if "clear_refs" in found.problem:
        pytest.skip(found.problem)
    assert found.problem == ""
    assert 40e6 < found.measured["steps"] < 60e6
    assert 75e6 < found.measured["first"] < 100e6


def test_first_calls_are_timed_with_an_empty_cache_and_with_a_filled_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow.py").write_text(SLOW, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    kept = Engine("slow", "numpy", cache="WHERE")
    (found,) = alone.first_calls(SMALL, [kept, Engine("bench.engines.numpy", "numpy")])
    assert found.problem == ""
    assert found.measured["cold calls"] > 0.3 > found.measured["warm calls"]


def test_a_sweep_has_the_parameter_tensors_and_about_the_parameters_it_says() -> None:
    sweep = scaling.SWEEPS["tensors"]
    cases = [parse(sweep.case(tensors)) for tensors in sweep.values]
    assert [2 * len(case.weights()) for case in cases] == list(sweep.values)
    assert all(0.9 * 2**17 < case.parameters < 1.1 * 2**17 for case in cases)


def test_scaling_times_each_value_and_the_report_plots_it(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    kept, page = tmp_path / "kept.json", tmp_path / "page.md"
    few = ["--rounds", "1", "--seconds", "0", "--engines", "numpy", "--json", str(kept)]
    python("-m", "bench", "scaling", "--sweeps", "width", "--values", "4", "8", *few)
    python("-m", "bench", "report", "--from", str(kept), "--out", str(page))
    text = page.read_text(encoding="utf-8")
    assert "| engine | 4 | 8 |" in text and "| numpy |" in text
    assert "![Scaling](page-scaling.svg)" in text and (tmp_path / "page-scaling.svg").stat().st_size > 1000
    assert "`python -m bench scaling --sweeps width" in text


def test_results_of_several_runs_are_joined_and_their_differences_told(tmp_path: Path) -> None:
    one = results.Results({"date": "1", "NumPy": "2"}, [results.Comparison("a", [])])
    other = results.Results({"date": "3", "NumPy": "2"}, memory=[results.Alone("a", "numpy", {"steps": 1.0})])
    files = [tmp_path / "one", tmp_path / "other"]
    for each, file in zip((one, other), files, strict=True):
        results.save(each, file)
    joined = results.load(*files)
    assert joined.machine == {"date": "1; 3", "NumPy": "2"}
    assert (joined.comparisons, joined.memory) == (one.comparisons, other.memory)


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


@pytest.mark.parametrize(
    "command",
    [
        ["ops", "sigmoid", "matmul", "--seconds", "0.001"],
        ["import", "--runs", "1"],
        ["gradients", "--rounds", "1", "--seconds", "0.001"],
    ],
)
def test_the_other_commands_run(command: list[str]) -> None:
    assert "µs" in (shown := python("-m", "bench", *command)) or " ms" in shown
    assert "another gradient" not in shown


def test_pytest_finds_the_benchmarks_of_steps_and_of_every_declared_workload() -> None:
    pytest.importorskip("pytest_benchmark")
    found = python("-m", "pytest", "bench", "--collect-only", "-q", "-p", "no:cacheprovider")
    assert all(f"bench_step[gradflow-{name}]" in found for name in CASES)
    cases()  # declares every op
    declared = [f"bench_op[{op.name} " for op in OPS.values() if op.workloads]
    assert {"bench_op[add ", "bench_op[adam_update "} <= set(declared)
    assert [name for name in declared if name not in found] == []
