"""A function of ours beside PyTorch's: values, and the gradients of all floating inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

import gradflow as gf
from gradflow.tape import gradients
from gradflow.testing.cases import tolerance


def against_torch(torch: Any, ours: Any, theirs: Any, *arrays: Any, renamed: Any = None, **settings: Any) -> None:
    """``ours(*arrays, **settings)`` has the values and gradients of ``theirs``, whose settings may be ``renamed``."""
    mine = [gf.tensor(x, requires_grad=x.dtype.kind == "f") if isinstance(x, np.ndarray) else x for x in arrays]
    given = [torch.from_numpy(x.copy()) if isinstance(x, np.ndarray) else x for x in arrays]
    for x in given:
        if isinstance(x, torch.Tensor) and x.is_floating_point():
            x.requires_grad_()
    found = ours(*mine, **settings)
    expected = theirs(*given, **(renamed or settings))
    assert_close(found.detach().numpy(), expected.detach().numpy())
    g = np.random.default_rng(5).standard_normal(expected.shape)
    wrt = [x for x in mine if isinstance(x, gf.Tensor) and x.requires_grad]
    expected.backward(torch.from_numpy(np.asarray(g)))
    wanted = [x.grad for x in given if isinstance(x, torch.Tensor) and x.requires_grad]
    for mine_grad, theirs_grad in zip(gradients(found, wrt, gf.tensor(g)), wanted, strict=True):
        assert (mine_grad is None) == (theirs_grad is None)
        if mine_grad is not None:
            assert_close(mine_grad.numpy(), theirs_grad.numpy())


def assert_close(found: Any, expected: Any) -> None:
    """Equal shapes and dtypes, and values within the tolerance of the dtype."""
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    size = float(np.max(np.abs(expected[np.isfinite(expected)]), initial=1.0))
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance(expected.dtype, size))
