"""What happens where an operation makes float64 of float32: as in NumPy nothing, a warning, or an error."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gradflow.dtypes import complex64, complex128, float16, float32, float64, is_bfloat16
from gradflow.errors import ArgumentError, DTypeError
from gradflow.op import OPS, Op, Spec
from gradflow.site import caller, described, line

RULES = ("numpy", "warn", "strict")
NARROW, WIDE = (float16, float32, complex64), (float64, complex128)

_rule = "numpy"
_said: dict[Any, Any] = {}  # what Python was told already: a line is warned of once


class PromotionWarning(UserWarning):
    """An operation made float64 of float32."""


class promotion:
    """Choose what happens where float32 meets float64 and becomes float64: twice the memory, and much slower on GPUs.

    With "numpy", the default, NumPy 2's rules apply without a word; with "warn" a PromotionWarning names the line of
    the operation, once; with "strict" it is a DTypeError. The same goes for float16, for complex64 that becomes
    complex128, and for float32 that becomes float64 since it meets a tensor of integers. Python numbers are weak and
    promote nothing; conversions with ``astype`` are no promotions.

    It is set for all threads at once, and if it is used as a context manager set back at the end of the block.
    Raises ArgumentError for a rule of another name.

    >>> import gradflow as gf
    >>> with gf.promotion("strict"):
    ...     gf.ones(2) * gf.ones(2, dtype="float64")
    Traceback (most recent call last):
      ...
    gradflow.errors.DTypeError: multiply: float32 with float64 became float64 ...
    """

    def __init__(self, rule: str) -> None:
        if rule not in RULES:
            raise ArgumentError(f"promotion: the rule is one of {', '.join(map(repr, RULES))}, not {rule!r}")
        self._before = _rule
        _switch(rule)

    def __enter__(self) -> None:
        """Nothing: the rule holds already."""

    def __exit__(self, *error: object) -> None:
        _switch(self._before)


def promotion_rule() -> str:
    """The rule that holds: "numpy", "warn" or "strict"."""
    return _rule


def _switch(rule: str) -> None:
    global _rule  # noqa: PLW0603
    _rule = rule
    _said.clear()
    if rule != "numpy":
        for op in OPS.values():
            op.specs.clear()  # dispatch is to ask again of calls that it knows


def noticed(op: Op, specs: Iterable[Spec], out: Spec | None) -> bool:
    """Whether a call promotes and somebody wants to know; then it is said, or the DTypeError raised."""
    if _rule == "numpy" or out is None or out.dtype not in WIDE:
        return False
    given = [each.dtype for each in specs if not isinstance(each.dtype, type)]
    narrow = [dtype for dtype in given if dtype in NARROW or is_bfloat16(dtype)]
    others = [dtype for dtype in given if dtype not in narrow]
    if not (narrow and others):
        return False
    site = caller(1)
    message = (
        f"{op.name}: {narrow[0]} with {others[0]} became {out.dtype} ({described(site)}); convert one of them, "
        f"as in x.to('{narrow[0]}'), or allow it with gf.promotion('numpy')"
    )
    if _rule == "strict":
        raise DTypeError(message)
    import warnings

    where = ("unknown", 1) if site is None else (site[0].co_filename, line(site))
    warnings.warn_explicit(message, PromotionWarning, *where, registry=_said)
    return True
