"""Every public function of NumPy 2, of autograd and of MyGrad has a counterpart, or a reason why there is none."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import gradflow as gf
import gradflow.numpy as gnp

# what there is not: the reason, and the names
NOT_NUMBERS = """
bytes_ character str_ char strings void flexible object_ datetime64 timedelta64 datetime_as_string datetime_data
busday_count busday_offset busdaycalendar is_busday isnat rec recarray record
"""
WIDER_THAN_ANY_GPU_HAS = "complex256 float128 clongdouble longdouble"
OTHER_CLASSES_OF_ARRAYS = "matrix asmatrix bmat ma memmap poly1d polynomial"
HOW_ARRAYS_LIE_IN_MEMORY = "asfortranarray isfortran require nditer nested_iters flatiter broadcast"
DTYPES_THAT_DEPEND_ON_VALUES = "emath frompyfunc"  # vectorize does what frompyfunc does, to numbers
NUMPY_ITSELF = """
__array_namespace_info__ __version__ core ctypeslib f2py get_include info getbufsize setbufsize sctypeDict show_config
show_runtime test
"""
DRAWN_BY_REJECTION = """
beta binomial bytes chisquare dirichlet f gamma geometric hypergeometric logseries multinomial negative_binomial
noncentral_chisquare noncentral_f poisson standard_gamma standard_t vonmises wald zipf
"""
OTHER_STREAMS = """
BitGenerator MT19937 PCG64 PCG64DXSM Philox RandomState SFC64 SeedSequence get_state set_state
random_integers ranf sample
"""
ABSENT = {
    "numpy": (
        NOT_NUMBERS, WIDER_THAN_ANY_GPU_HAS, OTHER_CLASSES_OF_ARRAYS, HOW_ARRAYS_LIE_IN_MEMORY,
        DTYPES_THAT_DEPEND_ON_VALUES, NUMPY_ITSELF,
    ),
    "numpy.linalg": (),
    "numpy.fft": (),
    "numpy.random": (DRAWN_BY_REJECTION, OTHER_STREAMS),
}  # fmt: skip
SPACES = {"numpy": (np, gnp), "numpy.linalg": (np.linalg, gnp.linalg), "numpy.fft": (np.fft, gnp.fft)}
SPACES["numpy.random"] = np.random, gnp.random


@pytest.mark.parametrize("space", SPACES)
def test_every_name_of_numpys_is_there_or_has_a_reason(space):
    theirs, ours = SPACES[space]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # NumPy's own names that go
        missing = {name for name in theirs.__all__ if not hasattr(ours, name)}
    assert missing == {name for reason in ABSENT[space] for name in reason.split()} & {*theirs.__all__}


def test_every_function_answers_when_numpys_own_is_called():
    """What asks its arguments gets the namespace's function: no name leads elsewhere."""
    from gradflow.protocols import MODULES, _answering

    for space, (theirs, ours) in SPACES.items():
        for name in theirs.__all__:
            function = getattr(theirs, name)
            asks = hasattr(function, "_implementation") or isinstance(function, np.ufunc)
            module = getattr(function, "__module__", None) or "numpy"
            if asks and hasattr(ours, name):
                assert module in MODULES or isinstance(function, np.ufunc), (space, name)
                assert callable(_answering(MODULES.get(module, ""), function.__name__, function))


# methods of arrays
WRITTEN_IN_PLACE = "sort partition put resize"  # x[...] = gf.sort(x) says it, np.put(x, ...) does it
MEMORY = "base byteswap ctypes flags flat getfield setfield setflags strides view tobytes tofile dump dumps"


def test_every_method_of_arrays_is_there_or_has_a_reason():
    missing = {name for name in dir(np.ndarray) if not name.startswith("_") and not hasattr(gf.Tensor, name)}
    assert missing == {*WRITTEN_IN_PLACE.split(), *MEMORY.split()}


# names of autograd's own machinery that have a gradient in it
MACHINERY = """
array_from_args concatenate_args make_diagonal _original_where _primitive_norm _array_from_scalar_or_array
dot_adjoint_0 dot_adjoint_1 tensordot_adjoint_0 tensordot_adjoint_1 untake truncate_pad _astype
"""


def test_every_function_with_a_gradient_in_autograd_is_there():
    autograd = pytest.importorskip("autograd.numpy")
    core = pytest.importorskip("autograd.core")
    known = set(core.primitive_vjps)
    for theirs, ours in ((autograd, gnp), (autograd.linalg, gnp.linalg), (autograd.fft, gnp.fft)):
        names = {name for name in dir(theirs) if callable(each := getattr(theirs, name)) and each in known}
        assert len(names) > 7
        assert {name for name in names if not hasattr(ours, name)} <= {*MACHINERY.split()}


# MyGrad's own names: what to write instead
INSTEAD = {
    **dict.fromkeys(("cot", "csc", "sec", "coth", "csch", "sech"), "1 / np.tan(x) and the like"),
    **dict.fromkeys(("arccot", "arccsc", "arcsec", "arccoth", "arccsch"), "np.arctan(1 / x) and the like"),
    "add_sequence": "sum((x, y, z))", "multiply_sequence": "math.prod((x, y, z))",
    "multi_matmul": "np.linalg.multi_dot", "astensor": "np.asarray", "tensor": "np.array", "Tensor": "np.ndarray",
    "isnat": "np.isnan; tensors have no dates", "longdouble": "np.float64", "no_autodiff": "gf.no_grad",
    "execute_op": "gf.op", "sliding_window_view": "np.lib.stride_tricks.sliding_window_view",
}  # fmt: skip
SETTINGS = {"mem_guard_on", "mem_guard_off", "mem_guard_active", "turn_memory_guarding_on", "turn_memory_guarding_off"}


def test_every_function_of_mygrad_is_there():
    mygrad = pytest.importorskip("mygrad")
    names = {
        name
        for name in dir(mygrad)
        if not name.startswith("_") and callable(each := getattr(mygrad, name)) and each.__class__.__name__ != "module"
    }
    assert len(names) > 100
    missing = {name for name in names if not hasattr(gnp, name)}
    assert missing <= {*INSTEAD, *SETTINGS}, sorted(missing - {*INSTEAD, *SETTINGS})
