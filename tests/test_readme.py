"""README.md keeps its promises: its commands exist, its Python runs, its links lead somewhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from gradflow.testing import nvrtc
from process import CHECKOUT, python

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FRESH = "python3 -m venv .venv && "


def blocks(language: str) -> list[str]:
    """The fenced blocks of README.md in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def fresh_commands() -> list[str]:
    """The commands that start from nothing, one line each."""
    return [line for block in blocks("sh") for line in block.splitlines() if line.startswith(FRESH)]


def test_two_commands_take_a_fresh_machine_to_a_result_and_to_the_tests() -> None:
    main, tests = fresh_commands()
    assert ".venv/bin/gradflow " in main
    assert tests.endswith(".venv/bin/python -m pytest")


def test_the_gate_runs_the_commands_that_readme_shows() -> None:
    patterns = re.findall(r"readme_command '([^']*)'", (CHECKOUT / ".ci" / "run").read_text(encoding="utf-8"))
    found = [[line for line in README.splitlines() if re.search(f"^{FRESH}.*{p}", line)] for p in patterns]
    assert sorted(found) == sorted([command] for command in fresh_commands())


def test_readme_names_extras_that_exist() -> None:
    named = {extra for group in re.findall(r"\.\[([\w,]+)\]", README) for extra in group.split(",")}
    assert named
    assert named <= set(PROJECT["optional-dependencies"])


def test_readme_main_command_is_one_the_command_line_knows() -> None:
    assert PROJECT["scripts"] == {"gradflow": "gradflow.cli:main"}
    arguments = fresh_commands()[0].partition(".venv/bin/gradflow ")[2].split()
    assert python("-m", "gradflow", *arguments, "--help")


@pytest.mark.parametrize("block", blocks("python"))
def test_python_in_readme_runs(block: str, tmp_path: Path) -> None:
    if "simulated_cuda" in block and not nvrtc.available():
        pytest.skip("NVRTC is not installed, which compiles the kernels")
    (tmp_path / "readme").write_text(block, encoding="utf-8")
    as_doctest = ["-m", "doctest"] if block.startswith(">>>") else []
    python("-W", "error", *as_doctest, "readme", cwd=tmp_path)


def test_local_links_in_readme_lead_to_files() -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", README)
    assert [link for link in links if not (CHECKOUT / link).exists()] == []
