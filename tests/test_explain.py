"""Explanations say what the engine did, and every number in them can be checked."""

from __future__ import annotations

import argparse
import math
import re

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError, DTypeError, GradientError, ShapeError
from gradflow.explanation import command, notation
from gradflow.explanation.document import WIDTH, code, escaped
from gradflow.explanation.wording import OPERATORS, PRODUCTS
from gradflow.op import OPS
from gradflow.tape import gradients
from gradflow.testing.cases import call, cases, operands

BESIDE = gf.tensor(3.0, "float64", requires_grad=True)  # a global, as in a notebook
_HIDDEN = gf.tensor(5.0, "float64", requires_grad=True)


def parameter(value):
    return gf.tensor(value, "float64", requires_grad=True)


def lines(text):
    """The lines of a text, with single spaces; an equation that goes on below is one line."""
    joined = re.sub(r"\n {3,}", " ", str(text))
    return [" ".join(line.split()) for line in joined.splitlines()]


def equations(text):
    """The equations by the name on their left; the last one of that name."""
    found = (re.match(r"(\S+(?: \[.*? fixed\])?) :?= (.*)", line) for line in lines(text))
    return {match[1]: match[2] for match in found if match}


def grown(seed, values):
    """A random computation of scalars, in which values are used several times."""
    rng = np.random.default_rng(seed)
    kinds = [
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a * b,
        lambda a, b: a / (b * b + 1.0),
        lambda a, b: gf.sigmoid(a),
        lambda a, b: a**2,
        lambda a, b: -a,
    ]
    for _ in range(8):
        a, b = (values[i] for i in rng.integers(0, len(values), 2))
        values = [*values, kinds[rng.integers(len(kinds))](a, b)]
    return sum(values[1:], values[0])


# --- the example of the linear neuron, every line of it


def test_a_linear_neuron_is_explained_line_by_line():
    x, t = gf.tensor(0.5, "float64"), gf.tensor(1.0, "float64")
    w = parameter(0.4)
    y = w * x
    L = (t - y) ** 2
    assert lines(gf.explain(L)) == [
        "Given",
        "w = 0.4 (gets a gradient)",
        "x = 0.5",
        "t = 1",
        "",
        "1. Forward pass: every step, with its numbers",
        "y = w * x = 0.4 * 0.5 = 0.2",
        "v1 = t - y = 1 - 0.2 = 0.8",
        "L = v1 ** 2 = 0.8 ** 2 = 0.64",
        "",
        "2. Local derivatives: how each step responds to a small change of one input",
        "dL/dv1 = 2 * v1 = 2 * 0.8 = 1.6",
        "dv1/dy = -1",
        "dy/dw = x = 0.5",
        "",
        "3. Chain rule, backwards from L: the gradient so far times the local derivative",
        "dL/dv1 = 1.6 (the local derivative itself)",
        "dL/dy = dL/dv1 * dv1/dy = 1.6 * (-1) = -1.6",
        "dL/dw = dL/dy * dy/dw = (-1.6) * 0.5 = -0.8",
        "",
        "4. Gradients: the product of the local derivatives along the path",
        "dL/dw = dL/dv1 * dv1/dy * dy/dw = 1.6 * (-1) * 0.5 = -0.8",
    ]


def test_the_numbers_are_there_as_data_too():
    w, x = parameter(0.4), 0.5
    y = w * x
    loss = (1.0 - y) ** 2
    e = gf.explain(loss)
    assert e.result == "loss"
    assert [step.name for step in e.steps] == ["y", "v1", "loss"]
    assert [step.op for step in e.steps] == ["multiply", "subtract", "power"]
    np.testing.assert_allclose([step.value for step in e.steps], [0.2, 0.8, 0.64])
    np.testing.assert_allclose([step.gradient for step in e.steps], [-1.6, 1.6, 1.0])
    assert e.values == {"w": 0.4}
    assert set(e.gradients) == {"w"}
    np.testing.assert_allclose(e.gradients["w"], -0.8)
    (by_w,) = e.steps[0].derivatives
    assert (by_w.of, by_w.by, by_w.name, by_w.formula, by_w.value) == ("y", "w", "dy/dw", "0.5", 0.5)


# --- it changes nothing


def test_explaining_disturbs_nothing_and_backward_finds_the_same_gradients():
    w, b = parameter([0.4, -0.3]), parameter(0.1)
    b.grad = gf.tensor(7.0, "float64")
    h = gf.sigmoid(w * 2.0 + b)
    h.retain_grad()
    loss = (h * h).mean()
    first, second = str(gf.explain(loss)), gf.explain(loss)
    assert first == str(second)
    assert w.grad is None
    assert h.grad is None
    assert b.grad.item() == 7.0
    loss.backward()
    np.testing.assert_allclose(w.grad.data, second.gradients["w"])
    np.testing.assert_allclose(b.grad.data - 7.0, second.gradients["b"])
    np.testing.assert_allclose(h.grad.data, {s.name: s.gradient for s in second.steps}["h"])


def test_an_explanation_stays_what_it_was_when_parameters_change():
    w = parameter([0.4, -0.3])
    e = gf.explain((w * w).sum())
    before = str(e)
    with gf.no_grad():
        w.add_(1.0)
    assert str(e) == before


def test_explaining_works_inside_no_grad_and_leaves_nothing_recorded():
    w = parameter(0.4)
    loss = w * w
    with gf.no_grad():
        assert equations(gf.explain(loss))["dloss/dw"] == "0.8"
        assert not (w * w).requires_grad


# --- every number follows from the formula beside it


@pytest.mark.parametrize("seed", range(12))
def test_every_equation_of_a_random_graph_holds(seed, monkeypatch):
    monkeypatch.setattr(notation, "DIGITS", 17)  # so that rounding is no excuse
    p, q, r = (parameter(x) for x in (0.7, -1.3, 0.4))
    loss = grown(seed, [p, q, r])
    e = gf.explain(loss)
    functions = {"sigmoid": lambda x: 1 / (1 + math.exp(-x))}
    checked = [(step.numbers, step.value) for step in e.steps]
    checked += [(d.numbers, d.value) for step in e.steps for d in step.derivatives]
    *_, chain, result = e.sections()
    for equation in (*chain.equations, *result.equations):
        checked += [(side, equation.sides[-1]) for side in equation.sides if "/d" not in side]
    for text, value in checked:
        assert eval(text, functions) == pytest.approx(float(value), rel=1e-12, abs=1e-15)
    loss.backward()
    for name, leaf in {"p": p, "q": q, "r": r}.items():
        assert e.gradients[name] == pytest.approx(leaf.grad.item(), rel=1e-12)
        assert float(equations(e)[f"dloss/d{name}"].split(" = ")[-1]) == e.gradients[name]


@pytest.mark.parametrize("seed", range(4))
def test_names_stand_for_the_numbers_beneath_them(seed, monkeypatch):
    monkeypatch.setattr(notation, "DIGITS", 17)
    p, q, r = (parameter(x) for x in (0.7, -1.3, 0.4))
    e = gf.explain(grown(seed, [p, q, r]))
    known = {name: float(value) for name, value in e.values.items()}
    known |= {step.name: float(step.value) for step in e.steps}
    known["sigmoid"] = lambda x: 1 / (1 + math.exp(-x))
    for step in e.steps:
        assert eval(step.formula, known) == pytest.approx(float(step.value), rel=1e-12)
        for d in step.derivatives:
            assert eval(d.formula, known) == pytest.approx(float(d.value), rel=1e-12)


SMALL = [
    pytest.param(op, sample, id=f"{op.name}-{sample}")
    for op, sample in cases()
    if op.differentiable and all(getattr(x, "size", 1) <= 16 for x in operands(sample))
]


@pytest.mark.parametrize(("op", "sample"), SMALL)
def test_every_op_can_be_explained(op, sample):
    inputs = operands(sample, requires_grad=True)
    out = call(op, inputs, sample)
    if out.size > 16:
        return
    weights = np.linspace(-1.0, 2.0, out.size).reshape(out.shape)
    loss = (out * weights).sum().real
    leaves = {f"x{i}": x for i, x in enumerate(inputs) if getattr(x, "requires_grad", False)}
    reached = gradients(loss, list(leaves.values()), retain_graph=True)
    known = {name: x for (name, x), g in zip(leaves.items(), reached, strict=True) if g is not None}
    e = gf.explain(loss, names=known)
    assert max(map(len, str(e).splitlines())) <= WIDTH
    loss.backward()
    for name, x in known.items():
        np.testing.assert_allclose(e.gradients[name], x.grad.data, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_reads_as_what_the_op_computes(name):
    op = OPS[name]
    for sample in op.samples:
        inputs = operands(sample)
        if not any(sample.attrs.values()):
            texts = dict(zip(op.input_names, inputs, strict=True))
            np.testing.assert_allclose(eval(OPERATORS[name], texts).data, call(op, inputs, sample).data)


@pytest.mark.parametrize("name", PRODUCTS)
def test_what_a_product_of_matrices_passes_back_reads_as_what_it_computes(name):
    op = OPS[name]
    for sample in op.samples:
        inputs = operands(sample, requires_grad=True)
        if any(sample.attrs.values()) or any(x is None or x.ndim > 2 for x in inputs):
            continue
        out = call(op, inputs, sample)
        g = np.random.default_rng(0).normal(size=out.shape)
        texts = {**{n: x.data for n, x in zip(op.input_names, inputs, strict=True)}, "g": g, "sum": np.sum}
        for formula, found in zip(PRODUCTS[name], gradients(out, inputs, g), strict=True):
            np.testing.assert_allclose(eval(formula, texts), found.data, rtol=1e-12)


# --- squares, constants, and values used more than once


def test_a_square_reads_well_however_it_is_written():
    t = 1.0
    y = parameter(0.2)
    power, product = equations(gf.explain((t - y) ** 2)), equations(gf.explain((t - y) * (t - y)))
    assert power["L"] == "v1 ** 2 = 0.8 ** 2 = 0.64"
    assert product["L"] == "v1 * v2 = 0.8 * 0.8 = 0.64"
    assert product["dL/dy"] == "dL/dv2 * dv2/dy + dL/dv1 * dv1/dy = 0.8 * (-1) + 0.8 * (-1) = -1.6"
    e = t - y
    once = gf.explain(e * e)
    assert equations(once)["L"] == "e * e = 0.8 * 0.8 = 0.64"
    assert "dL/de = e + e = 0.8 + 0.8 = 1.6" in lines(once)
    assert equations(once)["dL/dy"] == "dL/de * de/dy = 1.6 * (-1) = -1.6"


def test_the_square_function_reads_as_a_power():
    y = parameter(0.2)
    found = gf.explain(gf.square(1.0 - y))
    assert equations(found)["L"] == "v1 ** 2 = 0.8 ** 2 = 0.64"
    assert "dL/dv1 = 2 * v1 = 2 * 0.8 = 1.6" in lines(found)


def test_a_variable_used_twice_in_one_step_has_one_derivative():
    w = parameter(3.0)
    found = lines(gf.explain(w * w))
    assert "L = w * w = 3 * 3 = 9" in found
    assert found.count("dL/dw = w + w = 3 + 3 = 6") == 1
    assert found[-1] == "dL/dw = 6"


def test_the_gradients_of_all_users_of_a_value_add_up():
    a = parameter(0.5)
    h = a * 2.0
    left, right = h * 3.0, h * -4.0
    loss = left + right
    found = equations(gf.explain(loss))
    assert found["dloss/dh"] == ("dloss/dright * dright/dh + dloss/dleft * dleft/dh = 1 * (-4) + 1 * 3 = -1")
    assert found["dloss/da"] == (
        "dloss/dright * dright/dh * dh/da + dloss/dleft * dleft/dh * dh/da = 1 * (-4) * 2 + 1 * 3 * 2 = -2"
    )


def test_a_local_derivative_of_the_loss_is_told_from_the_whole_one():
    a = parameter(0.5)
    u = a * 2.0
    L = u * (u + 3.0)  # dL/du = 2 u + 3
    found = equations(gf.explain(L))
    assert found["dL/du [v1 fixed]"] == "v1 = 4"
    assert found["dL/du"] == "dL/du [v1 fixed] + dL/dv1 * dv1/du = 4 + 1 * 1 = 5"
    assert found["dL/da"] == "dL/du [v1 fixed] * du/da + dL/dv1 * dv1/du * du/da = 4 * 2 + 1 * 1 * 2 = 10"


@pytest.mark.parametrize(("forks", "written"), [(2, True), (3, False), (20, False)])
def test_a_sum_over_more_than_four_paths_is_left_to_the_chain_rule(forks, written):
    w = parameter(1.0)
    h = w
    for _ in range(forks):  # each doubles the paths: 4, 8, a million
        h = h + h * 0.5
    shown = equations(gf.explain(h))["dh/dw"]
    assert shown.count(" + ") == (3 * 2 if written else 0)
    assert shown.split(" = ")[-1] == notation.number(1.5**forks)


def test_powers_show_their_new_exponent():
    x = parameter(2.0)
    assert "dL/dx = 3 * x ** 2 = 3 * 2 ** 2 = 12" in lines(gf.explain(x**3))
    assert "dL/dx = (-2) * x ** (-3) = (-2) * 2 ** (-3) = -0.25" in lines(gf.explain(x**-2))
    n = parameter(3.0)
    assert "dL/dx = n * x ** (n - 1) = 3 * 2 ** 2 = 12" in lines(gf.explain(x**n))


# --- arrays


def test_a_broadcast_input_gets_the_sum_of_its_parts():
    w, x, b = parameter(2.0), np.array([1.0, -3.0]), parameter([[0.5], [1.5]])
    loss = (w * x + b).sum()
    found = equations(gf.explain(loss))
    assert found["v1"] == "w * x = 2 * [1, -3] = [2, -6]"
    assert found["v2"] == "v1 + b = [2, -6] + [[0.5], [1.5]] = [[2.5, -5.5], [3.5, -4.5]]"
    assert found["dloss/dw"] == "-4"
    text = lines(gf.explain(loss))
    assert "dloss/dw = sum(dloss/dv1 * dv1/dw) = sum([2, 2] * [1, -3]) = -4" in text
    ones = "[[1, 1], [1, 1]]"
    assert f"dloss/dv1 = sum(dloss/dv2 * dv2/dv1, axis=0) = sum({ones} * {ones}, axis=0) = [2, 2]" in text
    assert f"dloss/db = sum(dloss/dv2 * dv2/db, axis=1) = sum({ones} * {ones}, axis=1) = [[2], [2]]" in text


def test_matrix_products_pass_back_matrix_products():
    X, W = gf.tensor([[1.0, 2.0], [3.0, -4.0]], "float64"), parameter([[0.5, -0.5], [0.25, 1.0]])
    h = gf.sigmoid(X @ W)
    loss = h.mean()
    found = lines(gf.explain(loss))
    assert any(line.startswith("dloss/dW = X.T @ dloss/dv1 = [[1, 2], [3, -4]].T @ [[") for line in found)
    assert "dloss/dh = d mean(h)/dh = [[0.25, 0.25], [0.25, 0.25]]" in found
    assert "Not elementwise, see the chain rule for what is passed back: matmul." in found


def test_an_op_that_is_not_elementwise_names_its_vector_jacobian_product():
    w = parameter([1.0, 2.0])
    column = w.reshape(2, 1)
    found = lines(gf.explain((column * column).sum()))
    assert "column = reshape(w, shape=(2, 1)) = reshape([1, 2], shape=(2, 1)) = [[1], [2]]" in found
    assert "dL/dw = vjp[reshape](dL/dcolumn) = vjp[reshape]([[2], [4]]) = [2, 4]" in found
    assert any(line.startswith("vjp[f](g) is the vector-Jacobian product") for line in found)


# --- names


def test_names_come_from_variables_near_and_far_and_from_names():
    x = parameter(2.0)
    loss = x * BESIDE * _HIDDEN
    assert set(gf.explain(loss).gradients) == {"x", "BESIDE", "p1"}  # p1: an underscore is no name to show
    told = gf.explain(loss, names={"my weight": _HIDDEN, "BESIDE": x, "L": loss})
    assert set(told.gradients) == {"my weight", "BESIDE", "p1"}
    assert told.result == "L"


def test_the_nearer_of_two_variables_of_one_name_keeps_it():
    def inner(BESIDE, far):
        return gf.explain(BESIDE * far[0])

    values = inner(parameter(2.0), [BESIDE]).values
    assert {name: float(x) for name, x in values.items()} == {"BESIDE": 2.0, "p1": 3.0}


def test_values_without_a_name_are_numbered_past_the_names_there_are():
    def unnamed():
        return parameter(2.0) * parameter(3.0)

    v1 = unnamed()
    e = gf.explain(v1 * 2.0 + 1.0)
    assert [step.name for step in e.steps] == ["v1", "v2", "L"]
    assert {name: float(x) for name, x in e.values.items()} == {"p1": 2.0, "p2": 3.0}


def test_parameters_of_a_module_have_its_paths():
    class Layer:
        def __init__(self):
            self.weight = parameter(0.5)

        def named_parameters(self):
            yield "0.weight", self.weight

    model = Layer()
    e = gf.explain(model.weight * 2.0)
    assert equations(e)["dL/dmodel.0.weight"] == "2"


def test_an_array_of_the_user_has_its_name_and_a_constant_without_one_is_its_number():
    x = np.array([1.0, 2.0])
    w = parameter([3.0, 4.0])
    e = gf.explain((w * x * gf.tensor([0.5, -0.5], "float64") * gf.tensor(-2.0, "float64")).sum())
    found = equations(e)
    assert found["v1"].startswith("w * x = [3, 4] * [1, 2]")
    assert found["v2"].startswith("v1 * [0.5, -0.5] = [3, 8] * [0.5, -0.5]")
    assert found["v3"].startswith("v2 * (-2) = [1.5, -4] * (-2)")


@pytest.mark.parametrize("name", ["", " ", "a\nb", 3])
def test_a_name_that_cannot_be_read_is_refused(name):
    w = parameter(2.0)
    with pytest.raises(ArgumentError, match="cannot be a name"):
        gf.explain(w * w, names={name: w})


def test_a_name_for_something_else_is_refused():
    w, other = parameter(2.0), parameter(2.0)
    with pytest.raises(ArgumentError, match=r"explain: names has 'other' for a value that this graph does not"):
        gf.explain(w * w, names={"other": other})


# --- numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (np.float32(0.2), "0.2"),
        (float(np.float32(0.2)), "0.2"),
        (-0.0, "0"),
        (-1.5, "-1.5"),
        (2.0, "2"),
        (1234567, "1234567"),
        (1234567.0, "1.23457e+06"),
        (True, "True"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
    ],
)
def test_numbers_have_six_digits_and_no_noise(value, text):
    assert notation.number(value) == text


def test_float32_shows_no_noise():
    w = gf.tensor(0.4, requires_grad=True)
    assert w.dtype == gf.float32
    assert lines(gf.explain((1 - w * 0.5) ** 2))[-1].endswith("= 1.6 * (-1) * 0.5 = -0.8")


@pytest.mark.parametrize(
    ("expression", "texts", "written"),
    [
        ("a * b", {"a": "-1", "b": "-2"}, "(-1) * (-2)"),
        ("a + b", {"a": "-1", "b": "-2"}, "-1 + (-2)"),
        ("a - b", {"a": "1", "b": "-2"}, "1 - (-2)"),
        ("-x", {"x": "-1"}, "-(-1)"),
        ("exp(x)", {"x": "-1"}, "exp(-1)"),
        ("(x > 0) * 1", {"x": "-1"}, "(-1 > 0) * 1"),
        ("-out / b", {"out": "-1", "b": "-2"}, "-(-1) / (-2)"),
        ("b * a ** (b - 1)", {"a": "y", "b": "0.5"}, "0.5 * y ** (-0.5)"),
        ("b * a ** (b - 1)", {"a": "y", "b": "2"}, "2 * y"),
        ("b * a ** (b - 1)", {"a": "y", "b": "n"}, "n * y ** (n - 1)"),
        ("a.T @ g", {"a": "model.0.weight", "g": "dL/dy"}, "model.0.weight.T @ dL/dy"),
        ("g.T @ a", {"a": "x", "g": "dL/dy"}, "(dL/dy).T @ x"),
    ],
)
def test_negative_numbers_stand_in_parentheses_where_a_sign_needs_them(expression, texts, written):
    assert notation.filled(expression, texts) == written


# --- what cannot be explained


def test_a_freed_graph_says_so():
    w = parameter(2.0)
    loss = gf.sigmoid(w * w)
    loss.backward()
    with pytest.raises(GradientError, match=r"^explain: .* was freed; run the forward pass again"):
        gf.explain(loss)


def test_a_value_overwritten_since_says_so():
    w = parameter(2.0)
    loss = w * w
    with gf.no_grad():
        w.add_(1.0)
    with pytest.raises(GradientError, match=r"^explain: .*overwritten"):
        gf.explain(loss)


def test_what_has_no_graph_or_no_single_gradient_is_refused():
    w = parameter([2.0, 3.0])
    with pytest.raises(GradientError, match="explain: this tensor does not depend on anything that requires grad"):
        gf.explain(gf.tensor(1.0) * 2.0)
    with pytest.raises(GradientError, match="explain: this tensor was not computed from anything"):
        gf.explain(w)
    with pytest.raises(ShapeError, match=r"explain: a tensor of shape \(2,\) has no single gradient"):
        gf.explain(w * 2.0)
    with pytest.raises(DTypeError, match="explain: takes the tensor that a computation ended in, not float"):
        gf.explain(0.64)


def test_too_many_steps_and_too_many_numbers_are_counted():
    w = parameter(1.0)
    h = w
    for _ in range(65):
        h = h * 2.0
    with pytest.raises(ArgumentError, match="explain: this graph has 65 steps, and at most 64 are explained"):
        gf.explain(h)
    wide = parameter(np.ones((3, 6)))
    with pytest.raises(ArgumentError, match=r"explain: multiply takes an array of shape \(3, 6\), 18 numbers") as error:
        gf.explain((wide * 2.0).sum())
    assert "test_explain.py" in str(error.value)


# --- text and Markdown


def test_text_fits_100_columns_and_signs_are_aligned():
    a_rather_long_name_for_a_weight = parameter([0.123456, -0.654321, 3.14159, 2.71828])
    X = np.linspace(-1, 1, 16).reshape(4, 4)
    loss = gf.sigmoid(X @ gf.sigmoid(a_rather_long_name_for_a_weight * 1.2345)).mean()
    text = str(gf.explain(loss))
    assert max(map(len, text.splitlines())) <= 100
    forward = text.split("\n\n")[1].splitlines()[1:]
    assert len({line.index("=") for line in forward if "=" in line}) == 1


def test_markdown_has_tables_that_survive_any_name():
    w = parameter(0.5)
    e = gf.explain(w * 2.0, names={"w|`_*x*_`": w})
    markdown = e.markdown()
    assert e._repr_markdown_() == markdown
    assert "| ``` `` | x ``` |" not in markdown
    for line in markdown.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 4, line
    assert "`` w\\|`_*x*_` `` |  | `0.5` (gets a gradient) |" in markdown
    assert "$" not in markdown


def test_markdown_says_what_the_text_says():
    w, x = parameter([0.4, -0.5]), np.array([1.0, 2.0])
    e = gf.explain((w * x).sum())
    plain = [re.sub(r"\\(.)", r"\1", line) for line in e.markdown().splitlines()]
    for section in e.sections():
        assert f"### {section.title}" in plain
        assert all(note in plain for note in section.notes)
        for equation in section.equations:
            (row,) = [r for r in plain if r.startswith(f"| `{equation.name}` |") and f"`{equation.sides[-1]}`" in r][:1]
            assert all(side in row for side in equation.sides)


@pytest.mark.parametrize(("text", "shown"), [("a", "`a`"), ("a|b", "`a\\|b`"), ("`", "`` ` ``"), ("``", "``` `` ```")])
def test_code_is_fenced_past_its_own_backticks(text, shown):
    assert code(text) == shown


def test_markdown_characters_are_escaped_in_titles_and_notes():
    assert escaped("dL/dw_1 * x [v fixed] <b>") == r"dL/dw\_1 \* x \[v fixed\] \<b\>"


# --- the command


def explained(*words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(words))


@pytest.fixture
def printed(capsys):
    """What the command prints, given its arguments."""

    def run(*words):
        assert explained(*words) == 0
        return capsys.readouterr().out

    return run


def test_the_command_works_a_linear_neuron_to_its_new_weight(printed):
    found = equations(printed("linear"))
    assert found["y"] == "w * x = 0.4 * 0.5 = 0.2"
    assert found["L"].endswith("= 0.64")
    assert found["dL/dy"].endswith("= -1.6")
    assert found["w"] == "w - eta * dL/dw = 0.4 - 0.1 * (-0.8) = 0.48"
    assert "dL/dw = dL/de * de/dy * dy/dw = 1.6 * (-1) * 0.5 = -0.8" in lines(printed("linear"))
    assert found["dL/dw"] == "2 * (y - t) * x = 2 * (0.2 - 1) * 0.5 = -0.8 (backpropagation found -0.8)"


@pytest.mark.parametrize(("x", "w", "t", "lr"), [(0.5, 0.4, 1.0, 0.1), (-1.5, 2.25, -0.5, 0.05), (3.0, 0.0, 1.0, 1.0)])
def test_a_linear_neuron_of_any_numbers_agrees_with_its_closed_form(printed, x, w, t, lr):
    text = printed("linear", f"--x={x}", f"--w={w}", f"--target={t}", f"--lr={lr}", "--steps=4")
    found = equations(text)
    slope = 2 * (w * x - t) * x
    last = {name: float(found[name].split("(back")[0].split(" = ")[-1]) for name in ("y", "e", "L", "dL/dw", "w")}
    expected = {"y": w * x, "e": t - w * x, "L": (t - w * x) ** 2, "dL/dw": slope, "w": w - lr * slope}
    assert last == pytest.approx(expected, rel=1e-5)
    for step, row in enumerate(rows(text)):
        assert row == pytest.approx([step, w, w * x, (t - w * x) ** 2], rel=1e-5)
        w -= lr * 2 * (w * x - t) * x


def rows(text):
    """The numbers of the table of gradient descent."""
    table = text.partition("7. Gradient descent")[2].strip().splitlines()[2:]
    return [[float(cell) for cell in line.split()] for line in table if line]


@pytest.mark.parametrize(
    ("x", "w", "b", "t", "lr"), [(1.5, 0.8, -0.2, 1.0, 0.1), (-0.7, 1.1, 0.3, 0.25, 2.0), (2.0, -3.0, 0.5, 0.0, 0.5)]
)
def test_a_sigmoid_neuron_agrees_with_its_closed_form(printed, x, w, b, t, lr):
    words = [f"--x={x}", f"--w={w}", f"--b={b}", f"-t={t}", f"--lr={lr}", "--steps=3"]
    text = printed("sigmoid", *words)
    h = w * x + b
    y = 1 / (1 + math.exp(-h))
    by_h = (y - t) * y * (1 - y)
    expected = {
        "h": h,
        "y": y,
        "L": (y - t) ** 2 / 2,
        "dL/dy": y - t,
        "dy/dh": y * (1 - y),
        "dh/dw": x,
        "dh/db": 1.0,
        "dL/dh": by_h,
        "dL/dw": by_h * x,
        "dL/db": by_h,
        "w": w - lr * by_h * x,
        "b": b - lr * by_h,
    }
    found = equations(text)
    shown = {name: float(found[name].split(" (back")[0].split(" = ")[-1]) for name in expected}
    assert shown == pytest.approx(expected, rel=2e-5)
    assert found["dL/dw"].startswith("(y - t) * y * (1 - y) * x = ")
    for step, row in enumerate(rows(text)):
        y = 1 / (1 + math.exp(-(w * x + b)))
        assert row == pytest.approx([step, w, b, y, (y - t) ** 2 / 2], rel=2e-5)
        by_h = (y - t) * y * (1 - y)
        w, b = w - lr * by_h * x, b - lr * by_h


def test_the_network_adds_up_its_paths_and_agrees_with_finite_differences(printed):
    text = printed("network")
    given = {line.split(" = ")[0]: float(line.split()[2]) for line in lines(text) if line.endswith("(gets a gradient)")}

    def loss(**v):
        h1 = math.tanh((v["w11"] * v["x1"] + v["w12"] * v["x2"] + v["b1"]) / 2) / 2 + 0.5
        h2 = math.tanh((v["w21"] * v["x1"] + v["w22"] * v["x2"] + v["b2"]) / 2) / 2 + 0.5
        return (v["u1"] * h1 + v["u2"] * h2 + v["c"] - 1.0) ** 2 / 2

    assert len(given) == 11
    results = equations(text.partition("4. Gradients")[2].partition("5. ")[0])
    for name, value in given.items():
        ahead, behind = (loss(**given | {name: value + d}) for d in (1e-5, -1e-5))
        assert float(results[f"dL/d{name}"].split(" = ")[-1]) == pytest.approx((ahead - behind) / 2e-5, rel=1e-5)
    assert results["dL/dx1"].count(" + ") == 2  # two paths, with names and with numbers


def test_the_loss_falls_and_without_an_example_two_are_shown(printed):
    text = printed("--steps", "20")
    linear, sigmoid = text.split("A sigmoid neuron: ")
    for part in (linear, sigmoid):
        losses = [row[-1] for row in rows(part)]
        assert len(losses) == 21
        assert losses == sorted(losses, reverse=True)
    assert "A linear neuron: " in linear
    assert text.isascii()  # so that any terminal shows it
    assert "7. Gradient descent: 0 steps" in printed("linear", "--steps=0")


def test_the_command_prints_markdown(printed):
    text = printed("linear", "--markdown")
    assert text.startswith("## A linear neuron: y = w \\* x")
    assert "| `w :=` | `w - eta * dL/dw = 0.4 - 0.1 * (-0.8)` | `0.48` |" in text
    assert "| `1` | `0.48` | `0.24` | `0.5776` |" in text


def test_a_value_that_the_example_does_not_have_is_refused(printed):
    with pytest.raises(ArgumentError, match="this example has no b; it has x, w, t"):
        explained("linear", "--b", "1")
    assert "b = 0.5" in "\n".join(lines(printed("--b", "0.5")))  # for the one of the two that has it


@pytest.mark.parametrize(
    "words", [["--x", "one"], ["--x", "nan"], ["--steps", "-1"], ["--steps", "2.5"], ["perceptron"], ["--lr", "inf"]]
)
def test_arguments_that_make_no_sense_are_refused(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        explained(*words)
    assert stopped.value.code == 2
    assert words[-1] in capsys.readouterr().err


def test_a_learning_rate_that_is_too_large_shows_in_the_numbers(printed):
    assert not math.isfinite(rows(printed("linear", "--lr=100", "--steps=300"))[-1][-1])
