"""gradflow's own training steps, to compare its commits; ``python -m bench step`` compares it with other libraries."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.cases import CASES, Case
from bench.engines import Engine, Unavailable, engines

OWN = [each for each in engines().values() if each.package == "gradflow" and not each.environment]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("engine", OWN, ids=lambda engine: engine.name)
def bench_step(benchmark: BenchmarkFixture, engine: Engine, case: Case) -> None:
    benchmark.group = case.name
    try:
        step = engine.build(case)
    except Unavailable as why:
        pytest.skip(str(why))
    benchmark(step)
