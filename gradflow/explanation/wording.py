"""How one recorded step reads: its call, its local derivatives, and what it passes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gradflow.explanation.notation import array, filled
from gradflow.shapes import Shape
from gradflow.tape import Node

OPERATORS = {  # any other op reads as name(inputs, attributes)
    "add": "a + b",
    "subtract": "a - b",
    "multiply": "a * b",
    "divide": "a / b",
    "power": "a ** b",
    "negative": "-x",
    "square": "x ** 2",
    "matmul": "a @ b",
}
PRODUCTS = {  # what a product of matrices passes back, g being the gradient of its result
    "matmul": ("g @ b.T", "a.T @ g"),
    "linear": ("g @ weight", "g.T @ x", "sum(g, axis=0)"),
}


@dataclass(frozen=True, eq=False)
class Wording:
    """One step with texts for its values: all of them names, or all of them numbers."""

    node: Node
    inputs: tuple[str, ...]
    out: str
    g: str  # the gradient of the result with respect to ``out``

    def call(self) -> str:
        """The call itself, as an operator where it is one."""
        op, attributes = self.node.op, self._attributes()
        if op.name in OPERATORS and not attributes:
            return filled(OPERATORS[op.name], self._texts())
        given = [text for text, x in zip(self.inputs, self.node.inputs or (), strict=True) if x is not None]
        return f"{op.name}({', '.join(given + attributes)})"

    def partial(self, positions: Sequence[int]) -> str:
        """The declared local derivative, added up over the positions of one input."""
        return filled(" + ".join(self.node.op.partials[i] for i in positions), self._texts())

    def derivative(self, by: str) -> str:
        """The local derivative of a step that declares none, by its name."""
        call = self.call()
        return f"d {call}/d{by}" if call.startswith(f"{self.node.op.name}(") else f"d({call})/d{by}"

    def passed_back(self, positions: Sequence[int]) -> str:
        """The gradient's part for the input at ``positions``, for a step that mixes elements."""
        op = self.node.op
        flat = all(len(spec.shape) <= 2 for spec in self.node.specs)
        if op.name in PRODUCTS and flat and not self._attributes():
            return filled(" + ".join(PRODUCTS[op.name][i] for i in positions), self._texts())
        return f"vjp[{op.name}]({self.g})"

    def _texts(self) -> dict[str, str]:
        """The names that the declaration of the op uses, and what they stand for."""
        inputs = dict(zip(self.node.op.input_names, self.inputs, strict=False))
        attributes = {name: _attribute(value) for name, value in self.node.attrs.items()}
        return inputs | attributes | {"out": self.out, "g": self.g}

    def _attributes(self) -> list[str]:
        """Those worth showing: not what is off, nor axes that are all there are."""
        every_axis = tuple(range(len(self.node.specs[0].shape)))
        return [
            f"{name}={_attribute(value)}"
            for name, value in self.node.attrs.items()
            if value is not None and value is not False and not (name == "axes" and value == every_axis)
        ]


def summed(text: str, shape: Shape, to: Shape) -> str:
    """``text``, of ``shape``, summed over the dimensions along which shape ``to`` was broadcast."""
    extra = len(shape) - len(to)
    axes = [i for i, size in enumerate(shape) if size != 1 and (i < extra or to[i - extra] == 1)]
    if not axes:
        return text
    if len(axes) == len(shape):
        return f"sum({text})"
    return f"sum({text}, axis={axes[0] if len(axes) == 1 else tuple(axes)})"


def _attribute(value: Any) -> str:
    return array(value) if isinstance(value, bool | int | float) else repr(value)
