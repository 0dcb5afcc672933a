"""What an installation gets: the wheel, the wheel built from the sdist, and the place of the CUDA sources."""

from __future__ import annotations

import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from gradflow.backend import kernels
from process import CHECKOUT, python

SMALL = 1_200_000  # bytes, docs/decisions/0042


def built(*arguments: str, out: Path) -> Path:
    """The wheel that `python -m build` leaves in a folder, made by the hatchling that is installed."""
    python("-m", "build", "--no-isolation", *arguments, "--outdir", str(out), str(CHECKOUT), cwd=out)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("--wheel", out=tmp_path_factory.mktemp("wheel"))


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def metadata(wheel: Path) -> Message:
    files = contents(wheel)
    return Parser().parsestr(next(files[name] for name in files if name.endswith("/METADATA")).decode())


def files_of(folder: str, installed: str) -> set[str]:
    """Where the files of a folder of the checkout belong in an installation."""
    files = (path for path in (CHECKOUT / folder).rglob("*") if path.is_file() and path.parent.name != "__pycache__")
    return {f"{installed}/{path.relative_to(CHECKOUT / folder).as_posix()}" for path in files}


def test_the_wheel_holds_the_package_and_its_kernels_and_nothing_else(wheel: Path) -> None:
    held = {name for name in contents(wheel) if ".dist-info/" not in name}
    package, kernels = files_of("gradflow", "gradflow"), files_of("kernels", "gradflow/kernels")
    assert held == package | kernels
    assert {"gradflow/py.typed", "gradflow/kernels/README.md"} <= held


def test_the_digits_travel_with_the_wheel(wheel: Path) -> None:
    assert [name for name in contents(wheel) if name.startswith("gradflow/data/digits") and ".py" not in name]


def test_the_wheel_is_small_and_runs_on_any_platform(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")
    assert wheel.stat().st_size < SMALL


def test_an_installation_without_extras_needs_numpy_alone(wheel: Path) -> None:
    required = [line for line in metadata(wheel).get_all("Requires-Dist", []) if "extra ==" not in line]
    assert required == ["numpy>=2.0"]


def test_the_wheel_is_the_same_when_built_from_the_sdist(wheel: Path, tmp_path: Path) -> None:
    direct, through_sdist = contents(wheel), contents(built(out=tmp_path))
    assert sorted(direct) == sorted(through_sdist)
    assert [name for name in direct if direct[name] != through_sdist[name]] == []


def test_the_kernels_stand_beside_the_package_in_a_checkout() -> None:
    assert kernels.directory() == CHECKOUT / "kernels"


def test_the_kernels_are_inside_the_package_once_installed(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = "from gradflow.backend import kernels; print(kernels.directory())"
    assert Path(python("-c", code, cwd=tmp_path)).resolve() == (tmp_path / "gradflow" / "kernels").resolve()
