"""Parts of an op that several threads take: all are done, once, and nothing is left behind."""

from __future__ import annotations

import ctypes
import os
import threading
import warnings

import numpy as np
import pytest

import gradflow as gf
import gradflow.nn.functional as F
from gradflow.backend.native.blas import blas
from gradflow.backend.shared import calm, shared
from process import python


@pytest.fixture(params=[1, 2, 3])
def threads(request):
    before = gf.get_num_threads()
    gf.set_num_threads(request.param)
    yield request.param
    gf.set_num_threads(before)


def blas_threads():
    return ctypes.CFUNCTYPE(ctypes.c_int)(blas().get_threads)()


def test_every_part_is_done_once_and_by_several_threads_where_there_are_some(threads):
    done, by, meeting = [], set(), threading.Barrier(threads)

    def work(part):
        if part < threads:
            meeting.wait(10)  # so many threads have to come here
        done.append(part)
        by.add(threading.get_ident())

    shared(work, range(20))
    assert sorted(done) == list(range(20))
    assert len(by) == threads


def test_blas_has_one_thread_for_each_part_and_then_as_many_as_before(threads):
    before, seen = blas_threads(), set()
    shared(lambda part: seen.add(blas_threads()), range(4))
    assert seen == ({1} if threads > 1 else {before})
    assert blas_threads() == before


def test_an_error_in_a_part_is_raised_and_the_threads_go_on(threads):
    def work(part):
        if part == 3:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        shared(work, range(8))
    done = []
    shared(done.append, range(8))
    assert sorted(done) == list(range(8))


def test_an_op_within_a_part_does_without_helpers(threads):
    done = []
    shared(lambda part: shared(done.append, [part, part + 10]), range(5))
    assert sorted(done) == [*range(5), *range(10, 15)]


def test_numpys_error_state_holds_in_every_part(threads):
    meeting = threading.Barrier(threads)

    def work(part):
        meeting.wait(10)
        np.log(np.zeros(1))

    with warnings.catch_warnings(), np.errstate(divide="ignore"):
        warnings.simplefilter("error")
        shared(work, range(threads))


@pytest.mark.parametrize("groups", [1, 64])
def test_a_convolution_is_the_same_to_the_bit_on_any_number_of_threads(groups, rng):
    x = gf.tensor(rng.standard_normal((8, 64, 28, 28)), "float32", requires_grad=True)
    weight = gf.tensor(rng.standard_normal((64, 64 // groups, 3, 3)), "float32", requires_grad=True)
    before, found = gf.get_num_threads(), []
    for number in (2, 3):
        gf.set_num_threads(number)
        out = F.conv2d(x, weight, padding=1, groups=groups)
        x.grad = weight.grad = None
        (out * out).sum().backward()
        found.append([out.detach(), x.grad, weight.grad])
    gf.set_num_threads(before)
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


FORKED = """
import os
from gradflow.backend.shared import calm, shared
import gradflow as gf
gf.set_num_threads(2)
shared(lambda part: None, range(8))
child = os.fork()
if not child:
    done = []
    shared(done.append, range(8))
    os._exit(sorted(done) != list(range(8)))
print(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_process_that_is_forked_off_has_threads_of_its_own():
    assert python("-c", FORKED) == "0"


@pytest.fixture
def two_threads_of_blas():
    if blas() is None:
        pytest.skip("NumPy has a BLAS that gradflow does not know")
    limit, before = ctypes.CFUNCTYPE(None, ctypes.c_int)(blas().set_threads), blas_threads()
    limit(2)
    yield
    limit(before)


@pytest.mark.parametrize(("size", "threads"), [(1000, 1), (1 << 30, 2)])
def test_few_multiplications_have_one_thread_of_blas(two_threads_of_blas, size, threads):
    with calm(size):
        assert blas_threads() == threads
    assert blas_threads() == 2


def test_a_small_convolution_wakes_no_threads_of_blas(two_threads_of_blas, monkeypatch):
    seen, matmul = [], np.matmul
    monkeypatch.setattr(np, "matmul", lambda *args, **kwargs: seen.append(blas_threads()) or matmul(*args, **kwargs))
    x, w = gf.ones((2, 3, 9, 9), requires_grad=True), gf.ones((4, 3, 3, 3), requires_grad=True)
    F.conv2d(x, w, stride=2).sum().backward()
    assert len(seen) >= 3
    assert set(seen) == {1}
