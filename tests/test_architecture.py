"""The shape of the package: imports point one way, extras stay optional, files stay small."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

import gradflow
from process import CHECKOUT, python

PACKAGE = CHECKOUT / "gradflow"
FILES = sorted(PACKAGE.rglob("*.py"))

# A file may import what stands left of it: on a line above, or earlier on its own line.
LAYERS = """
    errors changes
    shapes dtypes device samples launch formula derivative loop
    op
    rounded
    backend
    mode determinism mutations site widening tensor slot seed tape dispatch
    ops
    linalg special fft dlpack
    array_api numpy protocols
    transforms optimize optim nn serialize data
    compiler
    cuda profiling explanation train testing
    cli
    gradflow
"""
CUPY = {"cupy", "cupyx"}
EXTRAS = CUPY | {"llvmlite", "matplotlib", "ml_dtypes", "mlxtend", "rich", "safetensors", "scipy", "sklearn", "torch"}
LINES = 300


class Import(NamedTuple):
    module: str
    line: int
    inside_function: bool


def imports(node: ast.AST, inside_function: bool = False) -> Iterator[Import]:
    """What the code under a node imports when it runs; imports for type checkers alone are left out."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, inside_function)
        elif isinstance(child, ast.ImportFrom):
            for alias in child.names:
                yield Import(f"{'.' * child.level}{child.module}.{alias.name}", child.lineno, inside_function)
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            yield from imports(ast.Module(child.orelse, []), inside_function)
        else:
            inner = inside_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from imports(child, inner)


def imported(file: Path) -> list[Import]:
    return list(imports(ast.parse(file.read_text(encoding="utf-8"))))


def layer(file: Path) -> str:
    """The name in LAYERS that a file of the package belongs to."""
    name = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "gradflow" if name.startswith("__") else name


def layer_imported(module: str) -> str | None:
    """The name in LAYERS that an import asks for: `gradflow.ops.reduce.sum` asks for `ops`."""
    root, name = f"{module}.".split(".")[:2]
    if root != "gradflow":
        return None
    return name if {PACKAGE / f"{name}.py", PACKAGE / name / "__init__.py"} & set(FILES) else "gradflow"


def relative(file: Path) -> str:
    return file.relative_to(CHECKOUT).as_posix()


@pytest.mark.parametrize("file", FILES, ids=relative)
def test_imports_point_down_the_layers(file: Path) -> None:
    order = LAYERS.split()
    assert layer(file) in order, f"{relative(file)} has no layer yet: give it its place in LAYERS"
    for module, line, _ in imported(file):
        below = layer_imported(module)
        assert not module.startswith("."), f"{relative(file)}:{line}: import by the absolute name"
        assert below is None or order.index(below) <= order.index(layer(file)), (
            f"{relative(file)}:{line} imports {module}, from a layer above its own"
        )


@pytest.mark.parametrize("file", FILES, ids=relative)
def test_extras_are_imported_inside_functions_and_cupy_in_one_file(file: Path) -> None:
    for module, line, inside_function in imported(file):
        extra = module.partition(".")[0]
        assert inside_function or extra not in EXTRAS, f"{relative(file)}:{line} imports {extra} at once"
        assert extra not in CUPY or relative(file) == "gradflow/backend/cuda.py", (
            f"{relative(file)}:{line} imports {extra}; only gradflow/backend/cuda.py may"
        )


@pytest.mark.parametrize("file", FILES, ids=relative)
def test_a_file_is_one_idea(file: Path) -> None:
    lines = len(file.read_text(encoding="utf-8").splitlines())
    assert lines <= LINES or file == PACKAGE / "__init__.py", (
        f"{relative(file)} has {lines} lines: is it still one idea?"
    )
    assert file.stem not in {"utils", "helpers", "common", "misc"}, "name it for what it does"


def test_all_is_sorted_and_names_everything_public() -> None:
    for name in gradflow.__all__:
        getattr(gradflow, name)  # some are loaded when first used
    public = {
        name
        for name, value in vars(gradflow).items()
        if not name.startswith("_") and name != "annotations" and not isinstance(value, ModuleType)
    } - {"bfloat16"}  # from an extra: ``from gradflow import *`` must do without
    modules = {name for name in gradflow.__all__ if isinstance(getattr(gradflow, name), ModuleType)}
    assert list(gradflow.__all__) == sorted(public | modules)


def test_importing_gradflow_brings_in_numpy_and_nothing_else() -> None:
    code = (
        "import sys, numpy, numpy.fft, numpy.linalg, numpy.random\n"
        "before = set(sys.modules)\n"
        "import gradflow\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(*new - {'gradflow', 'numpy'} - set(sys.stdlib_module_names))"
    )
    assert python("-W", "error", "-c", code) == ""
