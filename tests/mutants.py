"""Break the CUDA path on purpose, one way after another, and see a test fail each time: ``python tests/mutants.py``.

Each mutant is made in a copy of the checkout. It is caught if tests fail, and they do not fail because it does not
compile. The exit status is the number of mutants that got away.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parents[1]
COPIED = ("gradflow", "kernels", "tests", "bench", "pyproject.toml", "README.md")
PARITY = "tests/test_parity.py"


class Mutant(NamedTuple):
    """What is broken: in ``file``, ``old`` becomes ``new``; and the tests that should notice."""

    what: str
    file: str
    old: str
    new: str
    tests: str  # pytest's arguments


MUTANTS = (
    Mutant(
        "1 - beta computed in float",
        "gradflow/ops/adam.py",
        "1 - beta1, 1 - beta2, eps",
        "1 - beta1, float(np.float32(1) - np.float32(beta2)), eps",
        "tests/test_kernels_update.py -k digits",
    ),
    Mutant(
        "a dropped bounds check",
        "kernels/common.cuh",
        "for (; i < end && i < n; i++)",
        "for (; i < end; i++)",
        f"{PARITY} -k sigmoid",
    ),
    Mutant(
        "a vector load that may be misaligned",
        "kernels/common.cuh",
        "if (end <= n && aligned(out, in...))",
        "if (end <= n)",
        "tests/test_kernels_activation.py -k sigmoid",
    ),
    Mutant(
        "a missing __syncthreads",
        "kernels/common.cuh",
        "  if (lane == 0) partial[warp] = x;\n  __syncthreads();\n",
        "  if (lane == 0) partial[warp] = x;\n",
        f"{PARITY} -k 'softmax or cross_entropy or standardize or sum or joint_norm'",
    ),
    Mutant(
        "a missing __threadfence before the ticket",
        "kernels/common.cuh",
        "  __threadfence();\n  __syncthreads();\n  if (threadIdx.x == 0) {",
        "  __syncthreads();\n  if (threadIdx.x == 0) {",
        f"{PARITY} -k 'sum or cross_entropy or joint_norm'",
    ),
    Mutant(
        "a wrong derivative",
        "kernels/activation.cu",
        "sigmoid_slope(A y) { return y * (1 - y); }",
        "sigmoid_slope(A y) { return y * (1 + y); }",
        f"{PARITY} -k sigmoid",
    ),
    Mutant(
        "a gradient of 1 at the kink of ReLU",
        "kernels/rectifier.cu",
        "relu_slope(A y) { return y <= 0 ? 0 : 1; }",
        "relu_slope(A y) { return y < 0 ? 0 : 1; }",
        "tests/test_kernels_activation.py -k relu",
    ),
    Mutant(
        "a maximum that loses NaN",
        "kernels/common.cuh",
        "return a > b || a != a ? a : b;",
        "return a > b ? a : b;",
        "tests/test_kernels_softmax.py tests/test_kernels_reduce.py",
    ),
    Mutant(
        "an index out of range that is followed",
        "kernels/gather.cu",
        "if (uint64(index) < uint64(size)) return int(index);",
        "if (index < size) return int(index);",
        "tests/test_kernels_gather.py -k out_of_range",
    ),
    Mutant(
        "a swapped index",
        "kernels/gather.cu",
        "store_part(out + (outer * size + row) * after + column",
        "store_part(out + (row * before + outer) * after + column",
        "tests/test_kernels_gather.py -k in_order",
    ),
    Mutant(
        "a tile of indices that is overwritten while it is read",
        "kernels/gather.cu",
        "      }\n    }\n    __syncthreads();\n",
        "      }\n    }\n",
        "tests/test_kernels_gather.py -k at_once",
    ),
    Mutant(
        "a rounding left out",
        "kernels/random.cu",
        "plus(load(store<T>(times(u, range))), low)",
        "plus(times(u, range), low)",
        "tests/test_kernels_random.py -k uniform",
    ),
    Mutant(
        "an order of operations that is not NumPy's",
        "kernels/random.cu",
        "plus(plus(plus(times(e, F::ln2_low()), rest), times(A(2), s)), times(e, F::ln2_high()))",
        "plus(plus(times(e, F::ln2_low()), rest), plus(times(A(2), s), times(e, F::ln2_high())))",
        "tests/test_kernels_random.py -k 'normal or quantile'",
    ),
    Mutant(
        "products and sums that are fused",
        "kernels/random.cu",
        "for (int i = 2; i < n; i++) out = plus(times(out, x), coefficients[i]);",
        "for (int i = 2; i < n; i++) out = out * x + coefficients[i];",
        "tests/test_kernels_random.py -k 'normal or quantile or fused'",
    ),
    Mutant(
        "the wrong half of a block of random words",
        "kernels/philox.cu",
        "if (count == 2 && first & 2)",
        "if (count == 2 && first & 4)",
        "tests/test_kernels_random.py -k dropout",
    ),
)


def main() -> int:
    """Make every mutant, print whether it was caught, and return how many were not."""
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory)
        for name in COPIED:
            source = CHECKOUT / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, copy / name)
        chosen = [m for m in MUTANTS if not sys.argv[1:] or any(word in m.what for word in sys.argv[1:])]
        return sum(not caught(mutant, copy) for mutant in chosen)


def caught(mutant: Mutant, copy: Path) -> bool:
    """Whether a test fails with ``mutant`` in place."""
    path = copy / mutant.file
    text = path.read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        print(f"OUTDATED  {mutant.what}: {mutant.file} has {text.count(mutant.old)} times {mutant.old!r}", flush=True)
        return False
    path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        status, output = tested(mutant.tests, copy)
    finally:
        path.write_text(text, encoding="utf-8")
    failed = re.search(r"^FAILED (\S+)", output, re.M)
    reason = re.search(r"^E +(\S.*)", output, re.M)
    if status != 1 or not failed or "does not compile" in output:
        print(f"GOT AWAY  {mutant.what}\n{output[-2000:]}", flush=True)
        return False
    print(f"caught    {mutant.what}: {failed[1]}\n          {reason[1][:150] if reason else ''}", flush=True)
    return True


def tested(arguments: str, copy: Path) -> tuple[int, str]:
    """Pytest's exit status and output, in ``copy`` and on the package that is there."""
    command = f"{sys.executable} -m pytest -q -x --no-header -p no:cacheprovider {arguments}"
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, shell=True, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main())
