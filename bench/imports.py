"""What ``import gradflow`` costs over ``import numpy``: time, modules, and the size of the wheel."""

from __future__ import annotations

import subprocess
import sys

from bench import CHECKOUT
from bench.table import Table, duration

SHOWN = 10
TIMED = """
import sys, time
start = time.perf_counter()
import numpy
middle, before = time.perf_counter(), len(sys.modules)
import gradflow
print(middle - start, time.perf_counter() - middle, len(sys.modules) - before)
"""


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=True)


def times(runs: int) -> Table:
    """The least time over ``runs`` fresh processes, how many modules are new, and how large the wheel is."""
    measured = [_python("-c", TIMED).stdout.split() for _ in range(runs)]
    numpy, gradflow = (min(float(run[i]) for run in measured) for i in (0, 1))
    wheels = sorted((CHECKOUT / "dist").glob("*.whl"), key=lambda wheel: wheel.stat().st_mtime)
    size = f"{wheels[-1].stat().st_size / 1e3:.0f} kB" if wheels else "not built; python -m build --wheel"
    rows = [
        ["import numpy", duration(numpy)],
        ["import gradflow after it", duration(gradflow)],
        ["gradflow / numpy", f"{gradflow / numpy:.2f}"],
        ["new modules", measured[0][2]],
        ["wheel", size],
    ]
    return Table("import", ["", "measured"], rows, [f"the least of {runs} fresh processes"])


def breakdown() -> Table:
    """The modules that take longest themselves, of those that ``import gradflow`` loads after NumPy."""
    report = _python("-X", "importtime", "-c", "import numpy; import gradflow").stderr
    lines = [line.removeprefix("import time:").split("|") for line in report.splitlines()]
    names = [line[2].strip() for line in lines]
    new = lines[names.index("numpy") + 1 :]
    slowest = sorted(new, key=lambda line: int(line[0]), reverse=True)[:SHOWN]
    rows = [[line[2].strip(), line[0].strip(), line[1].strip()] for line in slowest]
    return Table("where it goes", ["module", "itself, µs", "with what it imports, µs"], rows)
