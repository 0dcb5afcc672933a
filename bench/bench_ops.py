"""Each op's workloads, through the door and bare: the difference is what dispatch costs."""

from __future__ import annotations

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.ops import Calls, described, workloads
from gradflow.op import OPS, Op
from gradflow.samples import Sample

WORKLOADS = [pytest.param(*each, id=f"{each[0].name} {described(*each)}") for each in workloads(OPS.values())]


@pytest.mark.parametrize("how", ["bare", "applied"])
@pytest.mark.parametrize(("op", "sample"), WORKLOADS)
def bench_op(benchmark: BenchmarkFixture, op: Op, sample: Sample, how: str) -> None:
    benchmark.group = f"{op.name} {described(op, sample)}"
    calls = Calls(op, sample)
    with np.errstate(all="ignore"):
        benchmark(getattr(calls, how))
