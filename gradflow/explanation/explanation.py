"""The explanation of a loss: its steps and gradients as data, and as text that can be checked by hand."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from gradflow.errors import GradientError
from gradflow.explanation.document import Equation, Equations, as_markdown, as_text
from gradflow.explanation.graph import Graph, graph_of, key_of
from gradflow.explanation.local import Array, on_host
from gradflow.explanation.naming import Names, names_of
from gradflow.explanation.notation import array, product, total
from gradflow.explanation.steps import Derivative, Reading, Step

PATHS = 4  # a sum over more paths than this is harder to read than the chain rule step by step

Path = tuple[Derivative, ...]


@dataclass(frozen=True, eq=False)
class Explanation:
    """How a loss was computed, and how backpropagation finds its gradients.

    ``result`` is the name of the loss, ``values`` what the computation began with, by name, ``steps`` the
    forward pass in order, with the local derivatives of each step, and ``gradients`` the gradient of the loss
    for each leaf, by name; all values are NumPy arrays. ``str()`` is plain text of at most 100 columns,
    ``markdown()`` the same as Markdown, which notebooks show.
    """

    result: str
    values: dict[str, Array]
    steps: tuple[Step, ...]
    gradients: dict[str, Array]

    def __str__(self) -> str:
        return as_text(self.sections())

    __repr__ = __str__

    def markdown(self) -> str:
        """The explanation as Markdown, with tables and without LaTeX."""
        return as_markdown(self.sections())

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def sections(self) -> list[Equations]:
        """The parts of the text, in order."""
        return [self._given(), self._forward(), self._local(), self._chain(), self._result()]

    def _given(self) -> Equations:
        lines = [
            Equation.of(name, array(value), remark="gets a gradient" if name in self.gradients else "")
            for name, value in self.values.items()
        ]
        return Equations("Given", tuple(lines))

    def _forward(self) -> Equations:
        lines = [Equation.of(step.name, step.formula, step.numbers, array(step.value)) for step in self.steps]
        return Equations("1. Forward pass: every step, with its numbers", tuple(lines))

    def _local(self) -> Equations:
        found = [d for step in reversed(self.steps) for d in step.derivatives]
        lines = [Equation.of(d.name, d.formula, d.numbers, array(d.value)) for d in found if d.value is not None]
        others = dict.fromkeys(step.op for step in self.steps for d in step.derivatives if d.value is None)
        note = f"Not elementwise, see the chain rule for what is passed back: {', '.join(others)}."
        title = "2. Local derivatives: how each step responds to a small change of one input"
        return Equations(title, tuple(lines), (note,) if others else ())

    def _chain(self) -> Equations:
        whole = [(step.name, step.gradient) for step in reversed(self.steps[:-1])]
        lines = [self._gradient(name, value) for name, value in (*whole, *self.gradients.items())]
        title = f"3. Chain rule, backwards from {self.result}: the gradient so far times the local derivative"
        return Equations(title, tuple(lines), tuple(self._notes(lines)))

    def _notes(self, lines: list[Equation]) -> Iterator[str]:
        if any(step.value.ndim for step in self.steps):
            yield "* multiplies arrays element by element."
        if any("sum(" in line.sides[0] for line in lines):
            yield "sum adds up the parts of an input that was broadcast."
        if any("vjp[" in line.sides[0] for line in lines):
            yield (
                "vjp[f](g) is the vector-Jacobian product of f: each element of g times the derivative of "
                "that element of f's result, added up."
            )

    def _gradient(self, name: str, value: Array) -> Equation:
        """The parts of all the steps that use ``name``, added."""
        users = self._users(name)
        whole = f"d{self.result}/d{name}"
        if [d.name for d in users] == [whole]:
            return Equation.of(whole, array(value), remark="the local derivative itself")
        terms, numbers = total([d.term for d in users]), total([d.term_numbers for d in users])
        return Equation.of(whole, terms, numbers, array(value))

    def _result(self) -> Equations:
        ways = {name: self._along_paths(name) for name in self.gradients}
        lines = [
            Equation.of(f"d{self.result}/d{name}", *way, array(self.gradients[name])) for name, way in ways.items()
        ]
        title = "4. Gradients"
        if all(names for names, _ in ways.values()):
            several = any(" + " in names for names, _ in ways.values())
            along = "each path, added up" if several else "the path"
            title += f": the product of the local derivatives along {along}"
        return Equations(title, tuple(lines))

    def _along_paths(self, name: str) -> tuple[str, str]:
        """The sum over the paths from the result to ``name``, if they are few and all of single numbers."""
        paths = list(islice(self._paths(name), PATHS + 1))
        if len(paths) > PATHS or any(d.value is None or d.value.size != 1 for path in paths for d in path):
            return "", ""
        return (
            total([product([d.name for d in path]) for path in paths]),
            total([product([array(d.value) for d in path]) for path in paths]),
        )

    def _paths(self, name: str) -> Iterator[Path]:
        for d in self._users(name):
            if d.of == self.result:
                yield (d,)
            else:
                yield from ((*path, d) for path in self._paths(d.of))

    def _users(self, name: str) -> list[Derivative]:
        return [d for step in reversed(self.steps) for d in step.derivatives if d.by == name]


def explain(loss: Any, names: Mapping[str, Any] | None = None) -> Explanation:
    """How ``loss``, a tensor of one number, was computed, and how the chain rule finds its gradients.

    Call it before ``backward``; it changes nothing. Values are called what the caller's variables or modules
    call them, or what ``names`` says (``{"w": w}``); the rest are v1, v2, ... At most 64 steps on arrays of
    at most 16 numbers are explained.

    Raises GradientError for a tensor without a graph or with one that was freed, ShapeError for a tensor of
    several numbers, ArgumentError for a graph that is too large and for names that do not fit it.

    Method: reverse accumulation (Linnainmaa 1970; Rumelhart, Hinton & Williams 1986).

    >>> import gradflow as gf
    >>> x, t = 0.5, 1.0
    >>> w = gf.tensor(0.4, requires_grad=True)
    >>> y = w * x
    >>> L = (t - y) ** 2
    >>> print(gf.explain(L))
    Given
      w = 0.4   (gets a gradient)
    <BLANKLINE>
    1. Forward pass: every step, with its numbers
      y  = w * 0.5 = 0.4 * 0.5 = 0.2
      v1 = 1 - y = 1 - 0.2 = 0.8
      L  = v1 ** 2 = 0.8 ** 2 = 0.64
    <BLANKLINE>
    2. Local derivatives: how each step responds to a small change of one input
      dL/dv1 = 2 * v1 = 2 * 0.8 = 1.6
      dv1/dy = -1
      dy/dw  = 0.5
    <BLANKLINE>
    3. Chain rule, backwards from L: the gradient so far times the local derivative
      dL/dv1 = 1.6   (the local derivative itself)
      dL/dy  = dL/dv1 * dv1/dy = 1.6 * (-1) = -1.6
      dL/dw  = dL/dy * dy/dw = (-1.6) * 0.5 = -0.8
    <BLANKLINE>
    4. Gradients: the product of the local derivatives along the path
      dL/dw = dL/dv1 * dv1/dy * dy/dw = 1.6 * (-1) * 0.5 = -0.8
    """
    try:
        graph = graph_of(loss)
        named = names_of(graph, names or {}, sys._getframe(1))
        reading = Reading(graph, named)
        steps = reading.steps()
    except GradientError as error:
        error.args = (str(error).replace("backward:", "explain:", 1),)
        raise
    return Explanation(
        result=named[id(graph.root)],
        values=_values(graph, named),
        steps=steps,
        gradients={named[id(leaf)]: reading.gradients[id(leaf)] for leaf in graph.leaves},
    )


def _values(graph: Graph, names: Names) -> dict[str, Array]:
    """What the computation began with, as far as it has names."""
    leaves = {names[id(leaf)]: on_host(leaf) for leaf in graph.leaves}
    constants = {names[key_of(x)]: on_host(x) for x in graph.constants if key_of(x) in names}
    return leaves | constants
