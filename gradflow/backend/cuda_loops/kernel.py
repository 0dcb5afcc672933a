"""A generated kernel: its text, under a name that depends on it alone, and how it is launched."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from gradflow.backend.cuda_loops.body import Body, Parameters


class Kernel(NamedTuple):
    """A ``__global__`` function as text; the grid and the arguments for it."""

    name: str
    text: str
    blocks: int | tuple[int, ...]
    arguments: tuple[Any, ...]


# blocks of 256 threads that a multiprocessor is to hold: 40 registers for each thread, 64 where numbers take two
RESIDENT = {"float": 6, "double": 4}


def kernel(body: Body, parameters: Parameters, lines: Sequence[str], blocks: int | tuple[int, ...]) -> Kernel:
    """The kernel that does ``lines``."""
    resident = RESIDENT["double" if any(each.type == "double" for each in body.symbols.values()) else "float"]
    inside = "\n".join(indented(lines))
    rest = f"({', '.join(parameters.declared)}) {{\n{inside}\n}}\n"
    name = f"loop_{sha256(rest.encode()).hexdigest()[:12]}"
    text = f'extern "C" __global__ void __launch_bounds__(THREADS, {resident})\n{name}{rest}'
    return Kernel(name, text, blocks, tuple(parameters.arguments))


def indented(lines: Sequence[str]) -> list[str]:
    """``lines`` one step further in, but for what is for the preprocessor."""
    return [line if line.startswith("#") else f"  {line}" for line in lines]


def block(head: str, lines: Sequence[str]) -> list[str]:
    """``head { lines }``."""
    return [f"{head} {{".lstrip(), *indented(lines), "}"]


def whole(width: int, pointers: Sequence[str]) -> list[str]:
    """The line that finds out whether packs of ``width`` elements at ``pointers`` may be moved at once."""
    return [f"bool whole = aligned({', '.join(pointers)});" if width > 1 and pointers else "bool whole = true;"]


def loaded(width: int, count: int, loads: Sequence[tuple[str, str]], exists: str, before: Sequence[str]) -> list[str]:
    """Lines that read ``count`` packs into each of ``loads``, (variable, address), where they exist."""
    if not loads:
        return []
    fast = [f"{to} = load_whole<{width}>({address}, {exists});" for to, address in loads]
    if width == 1:
        return unrolled("u", count, [*before, *fast])
    slow = [f"{to} = load_some<{width}>({address}, {exists} ? {width} : 0);" for to, address in loads]
    lines = block("if (whole)", unrolled("u", count, [*before, *fast]))
    return lines + block("else", unrolled("u", count, [*before, *slow]))


def unrolled(index: str, count: int, lines: Sequence[str]) -> list[str]:
    """``lines`` for each ``index`` below ``count``, written out by the compiler."""
    return ["#pragma unroll", *block(f"for (int {index} = 0; {index} < {count}; {index}++)", lines)]
