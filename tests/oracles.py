"""A function of ours beside PyTorch's: values, and the gradients of all floating inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

import gradflow as gf
from gradflow.tape import gradients
from gradflow.testing.cases import tolerance


def against_torch(
    torch: Any, ours: Any, theirs: Any, *arrays: Any, renamed: Any = None, wrt: Any = None, **settings: Any
) -> None:
    """``ours(*arrays, **settings)`` has the values and gradients of ``theirs``, whose settings may be ``renamed``.

    Gradients are of the floating arrays, or of those at the positions ``wrt``.
    """

    def tracked(i: int, x: Any) -> bool:
        return x.dtype.kind == "f" and (wrt is None or i in wrt)

    mine, given = list(arrays), list(arrays)
    for i, x in enumerate(arrays):
        if isinstance(x, np.ndarray):
            mine[i] = gf.tensor(x, requires_grad=tracked(i, x))
            given[i] = torch.from_numpy(x.copy()).requires_grad_(tracked(i, x))
    found = ours(*mine, **settings)
    expected = theirs(*given, **(renamed or settings))
    assert_close(found.detach().numpy(), expected.detach().numpy())
    g = np.random.default_rng(5).standard_normal(expected.shape)
    leaves = [x for x in mine if isinstance(x, gf.Tensor) and x.requires_grad]
    expected.backward(torch.from_numpy(np.asarray(g)))
    wanted = [x.grad for x in given if isinstance(x, torch.Tensor) and x.requires_grad]
    for mine_grad, theirs_grad in zip(gradients(found, leaves, gf.tensor(g)), wanted, strict=True):
        assert (mine_grad is None) == (theirs_grad is None)
        if mine_grad is not None:
            assert_close(mine_grad.numpy(), theirs_grad.numpy())


def assert_close(found: Any, expected: Any) -> None:
    """Equal shapes and dtypes, and values within the tolerance of the dtype."""
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    size = float(np.max(np.abs(expected[np.isfinite(expected)]), initial=1.0))
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance(expected.dtype, size))
