"""The zeta functions of Riemann and Hurwitz, elementwise."""

from __future__ import annotations

import math

from gradflow.dispatch import apply
from gradflow.ops.gamma_function import BERNOULLI
from gradflow.ops.own_formula import op_of
from gradflow.samples import Given, Real, sample
from gradflow.tensor import Tensor, TensorLike

FROM = 10  # terms that are added one by one


def zeta(x: TensorLike, q: TensorLike = 1.0) -> Tensor:
    """Hurwitz's zeta function, the sum of ``(q + k)**-x`` over k from 0, elementwise with broadcasting.

    With a ``q`` of 1 it is Riemann's. It is inf where ``x`` is 1 or ``q`` is 0, NaN where ``x`` or ``q`` is below; the
    relative error is below 1e-13. There are gradients in ``x`` and ``q``. Method: Euler and Maclaurin's sum.

    >>> import gradflow as gf
    >>> gf.special.zeta(gf.tensor([2.0, 4.0]))
    tensor([1.644934 , 1.0823234])
    """
    return apply(_zeta, x, q)


def _text() -> str:
    rest = "0"
    for i, number in reversed(list(enumerate(BERNOULLI))):
        rise = f"(x + {2 * i + 1}) * (x + {2 * i + 2}) * s"
        rest = (
            f"({number / math.factorial(2 * i + 2)} + {rise} * {rest})"
            if i < len(BERNOULLI) - 1
            else str(number / math.factorial(2 * i + 2))
        )
    terms = " + ".join(f"(q + {k}) ** -x" for k in range(FROM))
    return f"""y = q + {FROM}
s = 1 / (y * y)
end = y ** -x
tail = where(end == 0, 0, end * (y / (x - 1) + 0.5 + x / y * {rest}))
where((x < 1) | (q < 0), nan, where((x == 1) | (q == 0), inf, {terms} + tail))"""


_zeta = op_of(
    "zeta",
    ("x", "q"),
    (),
    _text(),
    (
        *(
            sample(Real(a, 1.5, 5.0), Real(b, 0.3, 3.0))
            for a, b in [((), ()), ((3, 4), (3, 4)), ((3, 1), (4,)), ((0, 2), (2,))]
        ),
        sample(Real((3,), 1.5, 5.0), 1.0),
        sample(Given([2.0, 3.5]), Given([0.1, 20.0])),
    ),
)
