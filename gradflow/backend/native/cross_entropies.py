"""Cross-entropy and its gradient as loops, after a look at the labels."""

from __future__ import annotations

import ast
from typing import Any

from gradflow.backend.native.function import Function
from gradflow.dtypes import bool_, float64
from gradflow.launch import Scratch
from gradflow.loop import ELEMENT, ROW, SCALAR, TOTAL, CrossEntropy, Loop, Operand, Result, Statement

# returns 1 if a label is out of range; else it leaves what losses are multiplied by, and the mean of none is NaN
_CHECK = """
define i32 @{name}(ptr %arguments, i64 %chunk) {{
  %labels = load ptr, ptr %arguments
  %scale.at = getelementptr i64, ptr %arguments, i64 1
  %scale = load ptr, ptr %scale.at
  br label %next
next:
  %i = phi i64 [ 0, %0 ], [ %i.next, %next ]
  %kept = phi i64 [ 0, %0 ], [ %kept.next, %next ]
  %wrong = phi i64 [ 0, %0 ], [ %wrong.next, %next ]
  %at = getelementptr {integer}, ptr %labels, i64 %i
  %stored = load {integer}, ptr %at
  %label = {as_i64}
  %counts = icmp ne i64 %label, {ignore_index}
  %outside = icmp uge i64 %label, {classes}
  %is.wrong = and i1 %counts, %outside
  %one = zext i1 %counts to i64
  %kept.next = add i64 %kept, %one
  %bad = zext i1 %is.wrong to i64
  %wrong.next = or i64 %wrong, %bad
  %i.next = add i64 %i, 1
  %end = icmp eq i64 %i.next, {rows}
  br i1 %end, label %finish, label %next
finish:
  %failed = icmp ne i64 %wrong.next, 0
  br i1 %failed, label %fail, label %succeed
fail:
  ret i32 1
succeed:
  %count = uitofp i64 %kept.next to double
  %inverse = fdiv double 1.0, %count
  %none = icmp eq i64 %kept.next, 0
  %factor = select i1 %none, double 0x7FF8000000000000, double %inverse
  store double {result}, ptr %scale
  ret i32 0
}}
"""

_ROW = (  # what is computed of a row of logits x and its label: name, expression, over what
    ("top", "x", "max"),
    ("z", "x - top", None),
    ("e", "exp(z)", None),
    ("hit", "column == label", None),
    ("sums", "e", "sum"),
    ("picked", "where(hit, z, 0)", "sum"),
    ("counts", "label != {ignore_index}", None),
    ("loss", "log(sums) - picked", None),
    ("each", "where(counts, loss * scale, scale * 0)", None),
    ("share", "where(counts, scale / sums, 0)", None),
    ("pick", "where(counts, scale, 0)", None),
    ("gradient", "where(counts, e * share - where(hit, pick, 0), 0)", None),
)
_OF_LOSS = ("picked", "loss", "each")
_OF_GRADIENT = ("share", "pick", "gradient")


def checked(work: CrossEntropy) -> tuple[Function, Loop]:
    """A function that stops the program if a label is out of range, and the loop to be done after it."""
    rows, classes = work.logits.shape
    scale = Scratch(8)
    integer = f"i{work.labels.dtype.itemsize * 8}"
    name = f"check_{integer}_{rows}_{classes}_{work.ignore_index}_{work.reduction}".replace("-", "m")
    text = _CHECK.format(
        name=name, rows=rows, classes=classes, ignore_index=work.ignore_index, integer=integer,
        as_i64="add i64 %stored, 0" if integer == "i64" else f"sext {integer} %stored to i64",
        result="%factor" if work.reduction == "mean" else "1.0",
    )  # fmt: skip
    return Function(name, text, (work.labels, scale), 1), _loop(work, scale)


def _loop(work: CrossEntropy, scale: Scratch) -> Loop:
    dtype = work.logits.dtype
    operands = (
        Operand("x", ELEMENT, dtype, work.logits),
        Operand("label", ROW, work.labels.dtype, work.labels),
        Operand("scale", SCALAR, float64, scale),
    )
    unused = _OF_LOSS if work.loss is None else _OF_GRADIENT if work.gradient is None else ()
    dtypes = {"hit": bool_, "counts": bool_, "each": float64}  # losses are added up in float64
    statements = tuple(
        Statement(name, dtypes.get(name, dtype), _expression(text, work), over)
        for name, text, over in _ROW
        if name not in unused
    )
    results = []
    rows, classes = work.logits.shape
    if work.loss is not None:
        results.append(Result("each", TOTAL, work.loss.dtype, work.loss, 1 / classes))  # a total is over columns too
    if work.gradient is not None:
        results.append(Result("gradient", ELEMENT, dtype, work.gradient))
    return Loop(rows, classes, operands, statements, tuple(results))


def _expression(text: str, work: CrossEntropy) -> Any:
    return ast.parse(text.format(ignore_index=work.ignore_index), mode="eval").body
