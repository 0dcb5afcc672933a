"""A replay equals the step it stands for, or raises: every way in which they could differ, one by one."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import footguns
import gradflow as gf
from footguns import CASES, assert_same, observed
from gradflow.backend import native
from gradflow.compiler import plan
from gradflow.testing.poison import PoisonedReplay

for module in pkgutil.iter_modules(footguns.__path__, "footguns."):
    importlib.import_module(module.name)

TRAINING = {"footguns.optimizing", "footguns.updating", "footguns.modules"}  # run without the extra, too
RUNS = [
    pytest.param(case, mode, id=f"{case.name}-{mode}")
    for case in CASES
    for mode in ("fused", "exact", "poisoned", "without the extra")
    if case.raises is None and (mode != "without the extra" or case.run.__module__ in TRAINING)
]
RAISES = [pytest.param(case, id=case.name) for case in CASES if case.raises is not None]


def eager(function=None, **options):
    """In the place of gf.compile: the function itself."""
    return (lambda each: each) if function is None else function


def compiler(exact):
    """gf.compile, exact or not."""

    def compile(function=None, **options):
        options.setdefault("exact", exact)
        return gf.compile(function, **options)

    return compile


@pytest.fixture
def replays(monkeypatch):
    """A list that grows by one with each replay."""
    seen = []
    run = plan.Plan.run
    monkeypatch.setattr(plan.Plan, "run", lambda self, arguments: seen.append(1) or run(self, arguments))
    return seen


@pytest.mark.parametrize(("case", "mode"), RUNS)
def test_a_replay_is_what_the_step_is(case, mode, monkeypatch, replays):
    if mode == "without the extra":  # call by call, as an exact plan is
        monkeypatch.setattr(native, "available", lambda: False)
        monkeypatch.setattr(native, "failure", lambda: "llvmlite is not installed")
    elif not native.available():
        pytest.skip("llvmlite is not installed")
    if mode == "poisoned":
        monkeypatch.setattr(plan, "Replay", PoisonedReplay)
    expected = observed(case.run, eager)
    found = observed(case.run, compiler(mode == "exact"))
    assert_same(found, expected, exact=mode == "exact")
    assert len(replays) >= case.replays


@pytest.mark.parametrize("case", RAISES)
def test_what_a_replay_would_not_do_is_an_error(case):
    assert observed(case.run, eager)
    with pytest.raises(case.error) as caught:
        observed(case.run, compiler(False))
    assert case.raises in str(caught.value)


def test_the_cases_have_different_names_and_are_many():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert len(names) > 200
