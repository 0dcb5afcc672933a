"""The command line, from the checkout: ``python -m bench -h``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.table import show

if TYPE_CHECKING:
    from bench.cases import Case
    from bench.engines import Engine
    from bench.results import Results

FREE_BLAS = """\
unset OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE together: where they are set, the first makes OpenBLAS use the kernels of a
processor that need not be this one, and the second cuts their blocks for its cache; one without the other measures
neither setting"""


def measured(options: argparse.Namespace) -> int:
    """Make the measurements ``options.parts``, show them, and keep them where ``--json`` says."""
    results = _measure(options)
    if options.json:
        from bench.results import save

        save(results, options.json)
    own = [each for comparison in results.comparisons for each in comparison.outcomes if not each.peer]
    return int(any(each.problem and not each.missing for each in own))


def _measure(options: argparse.Namespace) -> Results:
    if options.free_blas:  # before NumPy loads its BLAS, here and in the processes of the engines
        for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
            os.environ.pop(name, None)
    from bench.machine import busy_warning, facts
    from bench.results import Results

    warning = busy_warning()
    machine = facts() | ({"warning": warning} if warning else {})
    print(*(f"{name}: {value}" for name, value in machine.items()), sep="\n", end="\n\n")
    results = Results(machine)
    for part in options.parts:
        part(options, results)
    print("Ratios are of times in the same round; below 1 is faster. Times belong to this machine alone.")
    return results


def _cases(options: argparse.Namespace) -> list[Case]:
    from bench.cases import CASES, parse

    try:
        return [parse(text) for text in options.case or CASES]
    except ValueError as error:
        sys.exit(str(error))


def _engines(options: argparse.Namespace, default: Iterable[str] = ()) -> list[Engine]:
    from bench.engines import engines

    known = engines()
    unknown = set(options.engines or ()) - set(known)
    if unknown:
        sys.exit(f"{', '.join(sorted(unknown))}: not among the engines {', '.join(known)}")
    return [known[name] for name in options.engines or default or known]


def step(options: argparse.Namespace, results: Results) -> None:
    _compare(options, results, _cases(options))


def host(options: argparse.Namespace, results: Results) -> None:
    from bench.cases import HOST

    _compare(options, results, [HOST])


def _compare(options: argparse.Namespace, results: Results, cases: Iterable[Case]) -> None:
    from bench.step import compare, table

    for case in cases:
        results.comparisons.append(compare(case, _engines(options), options.rounds, options.seconds))
        show(table(results.comparisons[-1]))


def memory(options: argparse.Namespace, results: Results) -> None:
    from bench.alone import memory, memory_table

    for case in _cases(options):
        found = memory(case, _engines(options))
        results.memory += found
        show(memory_table(case.name, found))


def first_calls(options: argparse.Namespace, results: Results) -> None:
    from bench.alone import first_calls, first_table

    for case in _cases(options):
        found = first_calls(case, _engines(options))
        results.first_calls += found
        show(first_table(case.name, found))


def scaling(options: argparse.Namespace, results: Results) -> None:
    from bench.scaling import ENGINES, SWEEPS, curve, table

    unknown = set(options.sweeps or ()) - set(SWEEPS)
    if unknown:
        sys.exit(f"{', '.join(sorted(unknown))}: not among the sweeps {', '.join(SWEEPS)}")
    for name in options.sweeps or SWEEPS:
        values = options.values or SWEEPS[name].values
        results.curves.append(curve(name, values, _engines(options, ENGINES), options.rounds, options.seconds))
        show(table(results.curves[-1]))


def report(options: argparse.Namespace) -> int:
    from bench.report import write
    from bench.results import load

    write(load(*options.results) if options.results else _measure(options), options.out)
    return 0


def ops(options: argparse.Namespace) -> int:
    from bench.machine import busy_warning
    from bench.ops import named, overheads, throughputs

    try:
        chosen = named(options.names)
    except KeyError as error:
        sys.exit(f"there is no op named {error}")
    if warning := busy_warning():
        print(warning)
    show(overheads(chosen, options.seconds))
    show(throughputs(chosen, options.seconds))
    return 0


def gradients(options: argparse.Namespace) -> int:
    """Show the times of expressions and linear algebra with their gradients, beside other libraries."""
    from bench.gradients import compare

    show(compare(options.rounds, options.seconds))
    return 0


def conv(options: argparse.Namespace) -> int:
    from importlib import util

    from bench.conv import compare
    from bench.machine import busy_warning

    for name in options.libraries:
        if util.find_spec(name) is None:
            sys.exit(f"{name} is not installed, beside which layers are timed; pip install {name}")
    if warning := busy_warning():
        print(warning)
    show(compare(options.rounds, options.seconds, options.one_thread, options.libraries))
    return 0


def kernels(options: argparse.Namespace) -> int:
    from bench.kernels import compare

    tables, broken = compare()
    for table in tables:
        show(table)
    print(*broken or ["every kernel is within bounds"], sep="\n")
    return int(bool(broken))


def launches(options: argparse.Namespace) -> int:
    from bench.launches import compare
    from gradflow.errors import MissingExtraError

    if min(options.layers) < 1:
        sys.exit("--layers takes numbers of layers, 1 or more")
    try:
        tables, within = compare(options.layers)
    except MissingExtraError as error:
        sys.exit(str(error))
    for each in tables:
        show(each)
    return int(not within)


def cuda(options: argparse.Namespace) -> int:
    import gradflow as gf

    if not gf.cuda.is_available():
        sys.exit("bench cuda: there is no GPU here; python -m bench launches and kernels say what can be said without")
    from bench.cases import CASES, parse
    from bench.cuda import compare
    from gradflow.backend import cuda_backend

    cases = [parse(text) for text in options.case or CASES]
    for each in compare(cuda_backend().xp, options.seconds, cases, options.rows, options.columns):
        show(each)
    return 0


def imports(options: argparse.Namespace) -> int:
    from bench.imports import breakdown, times

    show(times(options.runs))
    show(breakdown())
    return 0


def _add_measurements(commands: Any) -> None:
    """The commands that run engines, and ``report``, which writes down what they find."""
    engines = argparse.ArgumentParser(add_help=False)
    engines.add_argument("--engines", nargs="+", metavar="ENGINE", help="default: all; scaling: four")
    engines.add_argument("--free-blas", action="store_true", help=FREE_BLAS)
    kept = argparse.ArgumentParser(add_help=False)
    kept.add_argument("--json", type=Path, help="keep the results in this file")
    cases = argparse.ArgumentParser(add_help=False)
    cases.add_argument(
        "--case",
        action="append",
        help="a name like 64-32-10, or sizes@batch like 784-300-10@64; may be repeated; default: all named",
    )
    turns = argparse.ArgumentParser(add_help=False)
    turns.add_argument("--rounds", type=int, default=7, help="turns of each engine; default: 7")
    turns.add_argument("--seconds", type=float, default=1.0, help="length of a turn; default: 1")
    sweeps = argparse.ArgumentParser(add_help=False)
    sweeps.add_argument("--sweeps", nargs="+", metavar="SWEEP", help="of batch, width, depth, tensors; default: all")
    sweeps.add_argument("--values", nargs="+", type=int, help="of what is swept; default: what each sweep has")

    for name, part, options, help_ in (
        ("step", step, [cases, turns], "a training step in every engine"),
        ("host", host, [turns], "the same of a net of single neurons: what is left is the host's time"),
        ("memory", memory, [cases], "peak memory of the steps of every engine"),
        (
            "first-call",
            first_calls,
            [cases],
            "what the first calls of those that compile take, disk cache cold and warm",
        ),
        ("scaling", scaling, [turns, sweeps], "a step against batch, width, depth, and parameter tensors"),
    ):
        command = commands.add_parser(name, parents=[engines, kept, *options], help=help_)
        command.set_defaults(run=measured, parts=[part])

    command = commands.add_parser("report", parents=[engines, cases, turns, sweeps], help="all of that as Markdown")
    command.add_argument("--from", nargs="+", type=Path, dest="results", help="results that --json kept, not new ones")
    command.add_argument("--out", type=Path, help="write the page to this file, and its plots beside it")
    command.set_defaults(run=report, parts=[step, host, memory, first_calls, scaling])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure gradflow, beside its peers.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_measurements(commands)

    command = commands.add_parser("ops", help="overhead and throughput of single ops")
    command.add_argument("names", nargs="*", metavar="OP", help="default: all")
    command.add_argument("--seconds", type=float, default=0.03, help="time for each number; default: 0.03")
    command.set_defaults(run=ops)

    command = commands.add_parser("gradients", help="expressions and linear algebra, beside other libraries")
    command.add_argument("--rounds", type=int, default=3, help="turns of each library; default: 3")
    command.add_argument("--seconds", type=float, default=0.5, help="length of a turn; default: 0.5")
    command.set_defaults(run=gradients)
    command = commands.add_parser("conv", help="typical convolution layers, beside other libraries")
    peers = ("torch", "jax", "autograd", "mygrad")
    text = "default: torch; autograd and mygrad take minutes"
    command.add_argument("--libraries", nargs="+", choices=peers, default=["torch"], help=text)
    command.add_argument("--rounds", type=int, default=5, help="turns of each library; default: 5")
    command.add_argument("--seconds", type=float, default=0.5, help="length of a turn; default: 0.5")
    command.add_argument("--one-thread", action="store_true", help="each library on one thread")
    command.set_defaults(run=conv)

    command = commands.add_parser("kernels", help="registers, occupancy, bytes of every CUDA kernel, without a GPU")
    command.set_defaults(run=kernels)

    command = commands.add_parser("launches", help="kernel launches of a training step, on a simulated GPU")
    command.add_argument("--layers", nargs="+", type=int, default=[1, 2, 3, 4, 5, 6], help="default: 1 to 6")
    command.set_defaults(run=launches)

    command = commands.add_parser("cuda", help="steps and bytes a second on a GPU, beside PyTorch and JAX")
    command.add_argument("--case", action="append", help="as of step; default: all named")
    command.add_argument("--seconds", type=float, default=180, help="when to begin nothing more; default: 180")
    command.add_argument("--rows", type=int, default=1 << 14, help="of the matrices; default: 16384")
    command.add_argument("--columns", type=int, default=1 << 12, help="of the matrices; default: 4096")
    command.set_defaults(run=cuda)

    command = commands.add_parser("import", help="the cost of import gradflow over import numpy")
    command.add_argument("--runs", type=int, default=15, help="fresh processes; default: 15")
    command.set_defaults(run=imports)
    return parser


def main() -> int:
    options = _parser().parse_args()
    return int(options.run(options))


if __name__ == "__main__":
    sys.exit(main())
