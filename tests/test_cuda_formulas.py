"""Large calls of ops without a kernel: by kernels generated from their formulas, on the simulated device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradflow as gf
from gradflow.backend import cuda_formulas
from gradflow.device import Device
from gradflow.testing import device, parity

OPS = [op for op in parity.ops() if op.scalar is not None and op.cuda is None and not op.mutates]
OVER_ROWS = {
    "extremum_share", "min", "norm", "logsumexp", "var", "std", "soft_cross_entropy", "soft_cross_entropy_grad"
}  # fmt: skip
SHAPES = [
    ((6, 5), (5,)),
    ((6, 5), (6, 1)),
    ((2, 3, 5), (3, 5)),
    ((2, 3, 5), (2, 1, 1)),
    ((6, 5), (1, 1)),
    ((3, 1), (1, 4)),
]


@pytest.fixture
def launches(simulated: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The kernels launched, where calls of any size are large."""
    monkeypatch.setattr(cuda_formulas, "LARGE", 1)
    names: list[str] = []
    launch = type(simulated.launcher).launch
    monkeypatch.setattr(
        type(simulated.launcher), "launch", lambda self, work: names.append(work.kernel) or launch(self, work)
    )
    with device.serving(simulated):
        yield names


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_ops_with_a_formula_give_what_the_cpu_gives(op: Any, launches: list[str]) -> None:
    for sample, dtype in parity.examples(op):
        if dtype == "float32":
            found = parity.compare(op, sample, dtype, Device("cuda"))
            assert found.agrees, found
    assert any(name.startswith("loop_") for name in launches) == (op.name not in OVER_ROWS)


@pytest.mark.parametrize(("first", "second"), SHAPES)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_operands_are_broadcast_by_one_kernel(
    launches: list[str], rng: Any, first: Any, second: Any, dtype: str
) -> None:
    a, b = (rng.standard_normal(shape).astype(dtype) for shape in (first, second))
    found = gf.tensor(a, device="cuda") * gf.tensor(b, device="cuda") - 0.5
    assert len(launches) == 2
    np.testing.assert_allclose(found.numpy(), a * b - np.asarray(0.5, dtype), rtol=1e-3, atol=2e-3)


def test_other_numbers_and_attributes_are_the_same_kernel(launches: list[str]) -> None:
    x = gf.ones((4, 8), device="cuda")
    results = [float((x * k).sum().item()) for k in (2.0, 3.0)]
    assert results == [64.0, 96.0]
    assert len({name for name in launches if name.startswith("loop_")}) == 1


@pytest.mark.parametrize(
    ("first", "second", "dtype"), [((2, 1, 3), (4, 1), "float32"), ((3, 4), (3, 4), "int32"), ((0, 4), (4,), "float32")]
)
def test_what_no_kernel_suits_is_cupys(launches: list[str], first: Any, second: Any, dtype: str) -> None:
    a, b = np.ones(first, dtype), np.ones(second, dtype)
    found = gf.tensor(a, device="cuda") + gf.tensor(b, device="cuda")
    np.testing.assert_array_equal(found.numpy(), a + b)
    assert launches == []


def test_small_calls_are_cupys(simulated: Any) -> None:
    with device.serving(simulated) as xp:
        before = len(xp.records)
        gf.ones((4, 8), device="cuda") * 2.0
        assert not any(each.name.startswith("loop_") for each in xp.records.since(before))
