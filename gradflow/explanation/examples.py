"""Neurons small enough to check by hand: one linear, one with a sigmoid, and a network of three."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gradflow.errors import ArgumentError
from gradflow.explanation.document import Equation, Equations, Section, Table
from gradflow.explanation.explanation import Explanation, explain
from gradflow.explanation.notation import array, filled, number
from gradflow.mode import no_grad
from gradflow.ops.activation import sigmoid
from gradflow.tensor import Tensor, tensor

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Example:
    """A computation with numbers to begin with; its loss is called L.

    ``parameters`` are trained, ``inputs`` get a gradient too, ``textbook`` says what to expect: formulas in
    the names of values. ``columns`` are the values to watch while it is trained.
    """

    title: str
    values: dict[str, float]
    compute: Callable[..., Tensors]
    parameters: tuple[str, ...]
    columns: tuple[str, ...]
    textbook: tuple[tuple[str, str], ...]
    inputs: tuple[str, ...] = ()
    rate: float = 0.1


def _linear(x: Tensor, w: Tensor, t: Tensor) -> Tensors:
    y = w * x
    e = t - y
    return {"y": y, "e": e, "L": e**2}


def _sigmoid(x: Tensor, w: Tensor, b: Tensor, t: Tensor) -> Tensors:
    h = w * x + b
    y = sigmoid(h)
    e = y - t
    return {"h": h, "y": y, "e": e, "L": e**2 / 2}


def _network(x1: Tensor, x2: Tensor, t: Tensor, **weights: Tensor) -> Tensors:
    w11, w12, w21, w22, b1, b2, u1, u2, c = weights.values()
    a1 = w11 * x1 + w12 * x2 + b1
    a2 = w21 * x1 + w22 * x2 + b2
    h1, h2 = sigmoid(a1), sigmoid(a2)
    y = u1 * h1 + u2 * h2 + c
    e = y - t
    return {"a1": a1, "a2": a2, "h1": h1, "h2": h2, "y": y, "e": e, "L": e**2 / 2}


_WEIGHTS = {
    "w11": 0.5,
    "w12": -0.4,
    "w21": 0.3,
    "w22": 0.8,
    "b1": 0.1,
    "b2": -0.2,
    "u1": 0.7,
    "u2": -0.6,
    "c": 0.2,
}

EXAMPLES = {
    "linear": Example(
        title="A linear neuron: y = w * x, L = (t - y) ** 2",
        values={"x": 0.5, "w": 0.4, "t": 1.0},
        compute=_linear,
        parameters=("w",),
        columns=("w", "y", "L"),
        textbook=(("dL/dy", "2 * (y - t)"), ("dy/dw", "x"), ("dL/dw", "2 * (y - t) * x")),
    ),
    "sigmoid": Example(
        title="A sigmoid neuron: h = w * x + b, y = sigmoid(h), L = (y - t) ** 2 / 2",
        values={"x": 1.5, "w": 0.8, "b": -0.2, "t": 1.0},
        compute=_sigmoid,
        parameters=("w", "b"),
        columns=("w", "b", "y", "L"),
        textbook=(
            ("dL/dy", "y - t"),
            ("dy/dh", "y * (1 - y)"),
            ("dh/dw", "x"),
            ("dh/db", "1"),
            ("dL/dw", "(y - t) * y * (1 - y) * x"),
            ("dL/db", "(y - t) * y * (1 - y)"),
        ),
    ),
    "network": Example(
        title="A network: two inputs, two sigmoid neurons, a linear output y, L = (y - t) ** 2 / 2",
        values={"x1": 1.0, "x2": -1.0, "t": 1.0, **_WEIGHTS},
        compute=_network,
        parameters=tuple(_WEIGHTS),
        columns=("y", "L"),
        textbook=(
            ("dL/du1", "(y - t) * h1"),
            ("dL/dw11", "(y - t) * u1 * h1 * (1 - h1) * x1"),
            ("dL/dx1", "(y - t) * u1 * h1 * (1 - h1) * w11 + (y - t) * u2 * h2 * (1 - h2) * w21"),
        ),
        inputs=("x1", "x2"),
    ),
}


def worked(example: Example, values: Mapping[str, float], rate: float, steps: int) -> list[Section]:
    """``example`` explained, with ``values`` in place of its own, and trained for ``steps``.

    Raises ArgumentError for a value that the example does not have.
    """
    unknown = [name for name in values if name not in example.values]
    if unknown:
        raise ArgumentError(f"explain: this example has no {unknown[0]}; it has {', '.join(example.values)}")
    given = {
        name: tensor(value, "float64", requires_grad=name in example.parameters + example.inputs)
        for name, value in {**example.values, **values}.items()
    }
    results = example.compute(**given)
    explanation = explain(results["L"], {**given, **results})
    results["L"].backward()
    return [
        *explanation.sections(),
        _textbook(example, explanation),
        _update(example, given, rate),
        _training(example, given, results, rate, steps),
    ]


def _textbook(example: Example, explanation: Explanation) -> Equations:
    """The formulas that a textbook derives by hand, beside what backpropagation found."""
    values = explanation.values | {step.name: step.value for step in explanation.steps}
    texts = {name: array(value) for name, value in values.items()}
    found = {f"dL/d{name}": array(value) for name, value in explanation.gradients.items()}
    lines = [
        Equation.of(
            name,
            formula,
            filled(formula, texts),
            number(float(eval(formula, {}, values))),
            remark=f"backpropagation found {found[name]}" if name in found else "",
        )
        for name, formula in example.textbook
    ]
    return Equations("5. The same by the formulas of a textbook", tuple(lines))


def _update(example: Example, given: Tensors, rate: float) -> Equations:
    """One step of gradient descent, by hand."""
    lines = []
    for name in example.parameters:
        parameter, slope = given[name], _slope(given[name])
        texts = {"w": number(parameter.item()), "eta": number(rate), "g": number(slope.item())}
        formula = filled("w - eta * g", {"w": name, "g": f"dL/d{name}"})
        new = number(_descended(parameter, rate).item())
        lines.append(Equation.of(name, formula, filled("w - eta * g", texts), new, sign=":="))
    return Equations(f"6. Update: against the gradient, learning rate eta = {number(rate)}", tuple(lines))


def _slope(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def _descended(parameter: Tensor, rate: float) -> Tensor:
    with no_grad():
        new = parameter - rate * _slope(parameter)
    return new.requires_grad_()


def _training(example: Example, given: Tensors, results: Tensors, rate: float, steps: int) -> Table:
    """Gradient descent, on from what ``given`` led to and the gradients it has: one row for each step."""
    rows = [_row(example, 0, given | results)]
    for step in range(1, steps + 1):
        given = given | {name: _descended(given[name], rate) for name in example.parameters}
        results = example.compute(**given)
        results["L"].backward()
        rows.append(_row(example, step, given | results))
    return Table(f"7. Gradient descent: {steps} step{'s' * (steps != 1)}", ("step", *example.columns), tuple(rows))


def _row(example: Example, step: int, values: Tensors) -> tuple[str, ...]:
    return str(step), *(number(values[name].item()) for name in example.columns)
