"""The stand-in for cupy has no name, no keyword and no dtype rule that the installed cupy has not."""

from __future__ import annotations

import importlib
import inspect
import itertools
import re

import numpy as np
import pytest

from gradflow.testing.simulated import Cupy
from gradflow.testing.simulated.elementwise import UFUNCS
from gradflow.testing.simulated.namespace import FUNCTIONS, SHARED

OURS = {"machine", "records"}  # how tests look at the stand-in and make it fail
xp = Cupy()
x = xp.asarray(np.array([[1.0, 2.0], [3.0, 4.0]]))


@pytest.fixture
def cupy():
    """The real package, which can be imported and asked without a driver."""
    return pytest.importorskip("cupy")


def public(names):
    return {name for name in names if not name.startswith("_")}


def parameters(function):
    """The names of a function's parameters, from its signature or from the first line that Cython writes."""
    try:
        named = inspect.signature(function).parameters
        return [name for name in named if name not in ("self", "xp")]
    except ValueError:
        first = (function.__doc__ or "").split("\n")[0]
        inside = re.sub(r"\w+(?:\[\w+\])? (?=\w+[,=)])", "", first[first.index("(") + 1 : first.rindex(")")] + ")")
        return [part.split("=")[0].strip("*) ") for part in inside.split(",") if part.strip("*) ") != "self"]


def test_every_name_of_the_simulated_module_is_one_of_cupy(cupy):
    names = public({*UFUNCS, *FUNCTIONS, *SHARED, *vars(xp), *vars(Cupy)}) - OURS
    assert len(names) > 200
    assert {name for name in names if not hasattr(cupy, name)} == set()


@pytest.mark.parametrize(
    ("ours", "path"),
    [
        (xp.ndarray, "ndarray"),
        (xp.RawModule, "RawModule"),
        (xp.RawKernel, "RawKernel"),
        (xp.cuda.Stream, "cuda.Stream"),
        (xp.cuda.ExternalStream, "cuda.ExternalStream"),
        (xp.cuda.Event, "cuda.Event"),
        (xp.cuda.Graph, "cuda.Graph"),
        (xp.cuda.Device, "cuda.Device"),
        (xp.cuda.MemoryPointer, "cuda.MemoryPointer"),
        (xp.cuda.UnownedMemory, "cuda.UnownedMemory"),
        (xp.cuda.MemoryPool, "cuda.MemoryPool"),
        (xp.cuda, "cuda"),
        (xp.cuda.runtime, "cuda.runtime"),
    ],
)
def test_every_attribute_of_a_simulated_class_is_one_of_cupys(cupy, ours, path):
    theirs = cupy
    for part in path.split("."):
        theirs = getattr(theirs, part)
    assert {name for name in public(dir(ours)) if not hasattr(theirs, name)} == set()


@pytest.mark.parametrize("name", sorted(public(FUNCTIONS)))
def test_simulated_functions_take_no_parameter_that_cupys_do_not(cupy, name):
    if name == "divmod":  # a ufunc in CuPy
        return
    ours, theirs = parameters(FUNCTIONS[name]), parameters(getattr(cupy, name))
    if "args" in theirs or "arys" in theirs or "operands" in theirs:
        theirs = [*parameters(FUNCTIONS[name]), *theirs] if name != "matmul" else ["x1", "x2", *theirs]
    assert set(ours) <= set(theirs)
    positional = [theirs.index(each) for each in ours if each not in ("out", "dtype", "casting", "copy")]
    assert positional == sorted(positional)


METHODS = sorted(
    name for name in public(dir(xp.ndarray)) if inspect.isfunction(getattr(xp.ndarray, name)) and name != "flat"
)


@pytest.mark.parametrize("name", METHODS)
def test_simulated_methods_take_no_parameter_that_cupys_do_not(cupy, name):
    ours, theirs = parameters(getattr(xp.ndarray, name)), parameters(getattr(cupy.ndarray, name))
    assert ours == theirs[: len(ours)]


def test_every_operator_of_a_simulated_array_is_one_of_cupys(cupy):
    ours = {name for kind in xp.ndarray.__mro__[:-1] for name, value in vars(kind).items() if callable(value)}
    assert {name for name in ours if name.startswith("__") and not hasattr(cupy.ndarray, name)} == set()


LETTERS = "?bBhHiIlLefdFD"  # CuPy has a loop for bfloat16, E, too, where ml_dtypes is installed


def cupys_result(ufunc, given):
    """The dtype of the first of CuPy's loops that the operands can be cast to; None if there is none."""
    for loop in ufunc.types:
        taken, _, made = loop.partition("->")
        if "E" not in taken and all(np.can_cast(a, b) for a, b in zip(given, taken, strict=True)):
            return np.dtype(made)
    return None


@pytest.mark.parametrize("name", sorted(UFUNCS))
def test_simulated_ufuncs_have_cupys_dtype_rules(cupy, name):
    theirs, ours = getattr(cupy, name), getattr(xp, name)
    assert (ours.nin, ours.nout, ours.name) == (theirs.nin, theirs.nout, theirs.name)
    ones = {letter: xp.ones(2, letter) for letter in LETTERS}
    compared = 0
    for given in itertools.product(LETTERS, repeat=ours.nin):
        expected = cupys_result(theirs, given)
        try:
            found = ours(*(ones[letter] for letter in given)).dtype
        except TypeError:
            continue  # it may refuse what CuPy takes
        assert found == expected, f"{name} of {given}"
        compared += 1
    assert compared


REDUCTIONS = {
    "sum": ("_routines_math", "sum_auto_dtype"),
    "prod": ("_routines_math", "prod_auto_dtype"),
    "nansum": ("_routines_math", "nansum_auto_dtype"),
    "max": ("_routines_statistics", "amax"),
    "min": ("_routines_statistics", "amin"),
    "all": ("_routines_logic", "all"),
    "any": ("_routines_logic", "any"),
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_simulated_reductions_have_cupys_dtype_rules(cupy, name):
    module, kernel = REDUCTIONS[name]
    theirs = getattr(importlib.import_module(f"cupy._core.{module}"), kernel)._ops.ops
    for letter in LETTERS:
        op = next(op for op in theirs if np.can_cast(letter, op.in_types[0]))
        assert getattr(xp, name)(xp.ones(2, letter)).dtype == np.dtype(op.out_types[0]), letter


@pytest.mark.parametrize(
    "call",
    [
        lambda: xp.add(x, x, where=x > 1),
        lambda: xp.add(x, x, order="C"),
        lambda: xp.add(x, x, subok=False),
        lambda: xp.exp(x, signature="d->d"),
        lambda: x.sum(initial=1.0),
        lambda: x.max(initial=1.0),
        lambda: x.max(where=x > 1),
        lambda: xp.mean(x, where=x > 1),
        lambda: x.any(where=x > 1),
        lambda: xp.clip(x, min=0, max=1),
        lambda: xp.take(x, 0, mode="clip"),
        lambda: x.take(0, mode="clip"),
        lambda: xp.argsort(x, order="f"),
        lambda: xp.asarray(x, like=x),
        lambda: xp.empty(3, device="cuda"),
        lambda: xp.arange(3, like=x),
        lambda: xp.einsum("ij->i", x, where=x),
        lambda: x.astype("f", casting="safe"),
        lambda: xp.matmul(x, x, where=x),
    ],
)
def test_the_simulated_module_refuses_keywords_that_only_numpy_has(call):
    with pytest.raises(TypeError):
        call()


def test_a_name_that_is_not_simulated_says_so():
    with pytest.raises(AttributeError, match=r"cupy\.random is not simulated"):
        xp.random  # noqa: B018
    with pytest.raises(AttributeError, match=r"cupy\.cuda\.nccl is not simulated"):
        xp.cuda.nccl  # noqa: B018
    with pytest.raises(AttributeError, match=r"cupy\.cuda\.runtime\.mallocAsync is not simulated"):
        xp.cuda.runtime.mallocAsync  # noqa: B018


def real_array(cupy, shape, dtype="f"):
    """A real device array that points nowhere: its views can be made without a driver."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = cupy.cuda.UnownedMemory(1 << 20, size, None, 0)
    return cupy.ndarray(shape, dtype, cupy.cuda.MemoryPointer(memory, 0))


VIEWS = [
    lambda a, xp: a[1], lambda a, xp: a[-1, 2], lambda a, xp: a[::-1, 1::2], lambda a, xp: a[None, ..., 0],
    lambda a, xp: a[1:1], lambda a, xp: a.T, lambda a, xp: a.mT, lambda a, xp: a.reshape(2, 6, 2),
    lambda a, xp: a.reshape(-1), lambda a, xp: a.ravel(), lambda a, xp: a.transpose(2, 0, 1),
    lambda a, xp: a.transpose((1, 0, 2)), lambda a, xp: a.swapaxes(0, -1), lambda a, xp: a.view("i2"),
    lambda a, xp: a.view("f8"), lambda a, xp: a.diagonal(1, 1, 2), lambda a, xp: a[:, None].squeeze(),
    lambda a, xp: xp.expand_dims(a, (0, 2)), lambda a, xp: xp.moveaxis(a, 0, -1), lambda a, xp: xp.flip(a, 1),
    lambda a, xp: xp.broadcast_to(a, (5, 2, 3, 4)), lambda a, xp: xp.rot90(a), lambda a, xp: a[1:][:, 1:].base,
    lambda a, xp: xp.ascontiguousarray(a), lambda a, xp: a.astype("f", copy=False), lambda a, xp: xp.rollaxis(a, 2),
]  # fmt: skip


@pytest.mark.parametrize("view", VIEWS)
def test_simulated_views_are_laid_out_as_cupys(cupy, view):
    ours, theirs = xp.zeros((2, 3, 4), "f"), real_array(cupy, (2, 3, 4))
    start = ours.data.ptr - theirs.data.ptr
    a, b = view(ours, xp), view(theirs, cupy)
    assert (a.shape, a.strides, a.dtype, a.ndim, a.size, a.nbytes) == (
        b.shape,
        b.strides,
        b.dtype,
        b.ndim,
        b.size,
        b.nbytes,
    )
    flags = "C_CONTIGUOUS", "F_CONTIGUOUS", "OWNDATA"
    assert [a.flags[name] for name in flags] == [b.flags[name] for name in flags]
    assert (a.base is ours) == (b.base is theirs)
    if a.size:
        assert a.data.ptr - start == b.data.ptr


REFUSED = [
    lambda a, xp: np.asarray(a), lambda a, xp: a.__setitem__(slice(None), np.zeros((2, 3, 4), "f")),
    lambda a, xp: a.__setitem__(0, [1, 2]), lambda a, xp: a[5], lambda a, xp: a[0, 0, 0, 0], lambda a, xp: a.foo,
    lambda a, xp: setattr(a, "foo", 3), lambda a, xp: a.reshape(5, 5), lambda a, xp: a.T.view("f8"),
    lambda a, xp: bool(a), lambda a, xp: a.item(), lambda a, xp: hash(a), lambda a, xp: memoryview(a),
    lambda a, xp: xp.ndarray((-1,)), lambda a, xp: xp.ndarray((1,), object), lambda a, xp: len(a[0, 0, 0]),
    lambda a, xp: iter(a[0, 0, 0]), lambda a, xp: xp.ndarray((1,), "U3"), lambda a, xp: xp.add(a, a, where=1),
    lambda a, xp: xp.add(a, a, order="C"), lambda a, xp: setattr(a, "strides", (4, 4, 4)),
    lambda a, xp: a.set([1]), lambda a, xp: a.sum(axis=7), lambda a, xp: a.max(axis=9),
    lambda a, xp: a.set(np.zeros((2, 3, 4))), lambda a, xp: a.set(np.zeros((1, 3, 4), "f")),
    lambda a, xp: xp.where(a, a), lambda a, xp: a.flags["WRITEABLE"], lambda a, xp: xp.array(a, subok=True),
    lambda a, xp: xp.matmul(a, np.zeros(3)), lambda a, xp: a.dot(np.zeros(3)), lambda a, xp: xp.stack([a, 3]),
    lambda a, xp: xp.copyto(a, np.zeros(3)), lambda a, xp: a.fill(np.zeros(3)), lambda a, xp: a.squeeze(0),
    lambda a, xp: xp.empty_like(a, subok=True), lambda a, xp: a.argsort(kind="quicksort"),
    lambda a, xp: xp.broadcast_to(a, (3,)), lambda a, xp: a.transpose(0, 1), lambda a, xp: a.swapaxes(0, 9),
    lambda a, xp: xp.expand_dims(a, 9), lambda a, xp: a.astype("f", casting="safe"), lambda a, xp: a.astype(object),
    lambda a, xp: a.astype("f", subok=True), lambda a, xp: xp.cuda.Graph(), lambda a, xp: xp.split(a, 5),
    lambda a, xp: xp.maximum.reduce(a), lambda a, xp: xp.maximum.accumulate(a), lambda a, xp: xp.multiply.at(a, 0, 1),
    lambda a, xp: xp.add(a), lambda a, xp: xp.add(a, a, a, a), lambda a, xp: xp.add(a, a, a, out=a),
    lambda a, xp: xp.sqrt(a, out=(a, a)), lambda a, xp: xp.add.reduce(a, axis=9),
    lambda a, xp: a.T.reshape(24, copy=False), lambda a, xp: xp.where(True, a, a),
    lambda a, xp: xp.searchsorted(np.zeros(3), a), lambda a, xp: xp.full_like(a, 1, subok=True),
    lambda a, xp: xp.argsort(a, kind="heapsort"), lambda a, xp: a.astype("f", order="Z"),
    lambda a, xp: xp.RawModule(), lambda a, xp: xp.RawModule(code="x", options=["a"]),
    lambda a, xp: xp.RawModule(code="x", path="y"), lambda a, xp: xp.RawKernel("x", "y", options=["a"]),
]  # fmt: skip


@pytest.mark.parametrize("attempt", REFUSED)
def test_what_cupy_refuses_the_stand_in_refuses_with_the_same_error(cupy, attempt):
    with pytest.raises(Exception) as theirs:
        attempt(real_array(cupy, (2, 3, 4)), cupy)
    with pytest.raises(theirs.type):
        attempt(xp.zeros((2, 3, 4), "f"), xp)
