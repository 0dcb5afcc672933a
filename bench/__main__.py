"""The command line: ``python -m bench step|ops|kernels|launches|import|report``, from the checkout."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.table import show

if TYPE_CHECKING:
    from bench.results import Results

FREE_BLAS = """\
unset OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE together: where they are set, the first makes OpenBLAS use the kernels of a
processor that need not be this one, and the second cuts their blocks for its cache; one without the other measures
neither setting"""


def step(options: argparse.Namespace) -> int:
    results = _compare(options)
    if options.json:
        from bench.results import save

        save(results, options.json)
    own = [each for comparison in results.comparisons for each in comparison.outcomes if not each.peer]
    return int(any(each.problem for each in own))


def _compare(options: argparse.Namespace) -> Results:
    if options.free_blas:  # before NumPy loads its BLAS, here and in the processes of the engines
        for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
            os.environ.pop(name, None)
    from bench.cases import CASES, parse
    from bench.engines import engines
    from bench.machine import busy_warning, facts
    from bench.results import Results
    from bench.step import compare, table

    known = engines()
    unknown = set(options.engines or ()) - set(known)
    if unknown:
        sys.exit(f"{', '.join(sorted(unknown))}: not among the engines {', '.join(known)}")
    try:
        cases = [parse(text) for text in options.case or CASES]
    except ValueError as error:
        sys.exit(str(error))
    warning = busy_warning()
    machine = facts() | ({"warning": warning} if warning else {})
    print(*(f"{name}: {value}" for name, value in machine.items()), sep="\n", end="\n\n")
    results = Results(machine, [])
    for case in cases:
        chosen = [known[name] for name in options.engines or known]
        results.comparisons.append(compare(case, chosen, options.rounds, options.seconds))
        show(table(results.comparisons[-1]))
    print("Ratios are of times in the same round; below 1 is faster. Times belong to this machine alone.")
    return results


def report(options: argparse.Namespace) -> int:
    from bench.report import page
    from bench.results import load

    text = page(load(options.results) if options.results else _compare(options))
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
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


def imports(options: argparse.Namespace) -> int:
    from bench.imports import breakdown, times

    show(times(options.runs))
    show(breakdown())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure gradflow, beside its peers.")
    commands = parser.add_subparsers(required=True, metavar="step|ops|kernels|launches|import|report")

    compared = argparse.ArgumentParser(add_help=False)
    compared.add_argument(
        "--case",
        action="append",
        help="a name like 64-32-10, or sizes@batch like 784-300-10@64; may be repeated; default: all named",
    )
    compared.add_argument("--rounds", type=int, default=7, help="turns of each engine; default: 7")
    compared.add_argument("--seconds", type=float, default=1.0, help="length of a turn; default: 1")
    compared.add_argument("--engines", nargs="+", metavar="ENGINE", help="default: all")
    compared.add_argument("--free-blas", action="store_true", help=FREE_BLAS)

    command = commands.add_parser("step", parents=[compared], help="a training step in every engine")
    command.add_argument("--json", type=Path, help="keep the results in this file")
    command.set_defaults(run=step)

    command = commands.add_parser("report", parents=[compared], help="the same as a page of Markdown")
    command.add_argument("--from", type=Path, dest="results", help="results that step --json kept, not new ones")
    command.add_argument("--out", type=Path, help="write the page to this file")
    command.set_defaults(run=report)

    command = commands.add_parser("ops", help="overhead and throughput of single ops")
    command.add_argument("names", nargs="*", metavar="OP", help="default: all")
    command.add_argument("--seconds", type=float, default=0.03, help="time for each number; default: 0.03")
    command.set_defaults(run=ops)

    command = commands.add_parser("kernels", help="registers, occupancy, bytes of every CUDA kernel, without a GPU")
    command.set_defaults(run=kernels)

    command = commands.add_parser("launches", help="kernel launches of a training step, on a simulated GPU")
    command.add_argument("--layers", nargs="+", type=int, default=[1, 2, 3, 4, 5, 6], help="default: 1 to 6")
    command.set_defaults(run=launches)

    command = commands.add_parser("import", help="the cost of import gradflow over import numpy")
    command.add_argument("--runs", type=int, default=15, help="fresh processes; default: 15")
    command.set_defaults(run=imports)
    return parser


def main() -> int:
    options = _parser().parse_args()
    return int(options.run(options))


if __name__ == "__main__":
    sys.exit(main())
