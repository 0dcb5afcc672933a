"""gf.promotion: the line that made float64 of float32 is named, or the operation refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError, DTypeError
from gradflow.widening import promotion_rule

NARROW, WIDE = gf.ones(3), gf.ones(3, dtype="float64")


@pytest.fixture(autouse=True)
def unchanged():
    yield
    assert promotion_rule() == "numpy"


def test_by_default_numpys_rules_hold_without_a_word():
    assert (NARROW * WIDE).dtype == gf.float64
    assert (NARROW + gf.ones(3, dtype="int64")).dtype == gf.float64


def test_strict_names_the_op_the_dtypes_and_the_line():
    with (
        gf.promotion("strict"),
        pytest.raises(DTypeError, match=r"multiply: float32 with float64 became float64 .*test_promotion\.py.*line"),
    ):
        NARROW * WIDE


def test_a_warning_points_at_the_users_line_and_is_given_once_a_line():
    with gf.promotion("warn"), warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("default")
        for _ in range(3):
            assert gf.add(NARROW, WIDE).dtype == gf.float64
        gf.add(NARROW, WIDE)
    assert [each.category for each in found] == [gf.PromotionWarning] * 2
    assert found[0].filename == __file__
    assert found[1].lineno - found[0].lineno == 1
    assert "add: float32 with float64 became float64" in str(found[0].message)


def test_a_call_that_was_made_before_is_noticed_all_the_same_and_each_time():
    NARROW - WIDE
    with gf.promotion("strict"):
        for _ in range(2):
            with pytest.raises(DTypeError, match="subtract"):
                NARROW - WIDE
    assert (NARROW - WIDE).dtype == gf.float64


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda: gf.concat([NARROW, WIDE]), "concat: float32 with float64"),
        (lambda: gf.matmul(NARROW, WIDE), "matmul: float32 with float64"),
        (lambda: gf.where(NARROW > 0, NARROW, WIDE), "where: float32 with bool|where: float32 with float64"),
        (lambda: NARROW + gf.ones(3, dtype="int64"), "add: float32 with int64"),
        (lambda: gf.ones(3, dtype="float16") + WIDE, "add: float16 with float64"),
        (lambda: gf.ones(3, dtype="complex64") * WIDE, "multiply: complex64 with float64 became complex128"),
        (lambda: NARROW * np.float64(2), "multiply: float32 with float64"),
        (lambda: gf.linear(gf.ones((2, 3)), gf.ones((1, 3), dtype="float64")), "linear: float32 with float64"),
    ],
)
def test_every_op_that_promotes_is_noticed(call, names):
    with gf.promotion("strict"), pytest.raises(DTypeError, match=names):
        call()


def test_python_numbers_conversions_indices_and_equal_dtypes_are_no_promotions():
    with gf.promotion("strict"):
        assert (NARROW * 2.0 + 1).dtype == gf.float32
        assert (NARROW * 1j).dtype == gf.complex64
        assert NARROW.astype("float64").dtype == gf.float64
        assert gf.take(NARROW, gf.tensor([0, 2]), axis=0).dtype == gf.float32
        assert (WIDE * WIDE).dtype == gf.float64
        assert (gf.ones(2, dtype="float16") + gf.ones(2)).dtype == gf.float32
        x = gf.ones(3, requires_grad=True)
        (x.astype("float64") * WIDE).sum().backward()
        assert x.grad.dtype == gf.float32


def test_it_is_a_setting_too_and_blocks_nest():
    setting = gf.promotion("warn")
    with gf.promotion("numpy"):
        assert (NARROW * WIDE).dtype == gf.float64
        with gf.promotion("strict"), pytest.raises(DTypeError):
            NARROW * WIDE
    assert promotion_rule() == "warn"
    with pytest.warns(gf.PromotionWarning):
        NARROW * WIDE
    gf.promotion("numpy")
    del setting


def test_a_compiled_step_is_traced_again_under_another_rule():
    step = gf.compile(lambda x, y: x * y)
    for _ in range(3):
        step(NARROW, WIDE)
    with gf.promotion("strict"), pytest.raises(DTypeError, match="multiply: float32 with float64"):
        step(NARROW, WIDE)


def test_a_compiled_step_takes_python_complex_numbers_for_what_they_are():
    step = gf.compile(lambda x, c: x * c)
    found = [step(NARROW, c).tolist()[0] for c in (1j, 1j, 1j, 2j, 2j, 2j)]
    assert found == [1j] * 3 + [2j] * 3


def test_a_rule_of_another_name_is_refused():
    with pytest.raises(ArgumentError, match="promotion: the rule is one of 'numpy', 'warn', 'strict', not 'error'"):
        gf.promotion("error")
