"""Native programs: what runs, in what order, on which memory, and how compiled code is kept."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from gradflow.backend import native
from gradflow.backend.native import engine, loops, object_files
from gradflow.backend.native.function import Function
from gradflow.launch import Scratch
from gradflow.loop import ELEMENT, Loop, Operand, Result, Statement
from native import address_of, count_chunks, refuse_chunk
from process import CHECKOUT, python

pytest.importorskip("llvmlite")

_ADD = (
    "define i32 @add_{n}(ptr %a, i64 %c) {{\n  %p = load ptr, ptr %a\n  %x = load i64, ptr %p\n  %y = add i64 %x, {n}\n"
)
_ADD += "  store i64 %y, ptr %p\n  ret i32 0\n}}\n"


def add(n: int, array: object) -> Function:
    return Function(f"add_{n}", _ADD.format(n=n), (array,), 1)


def test_functions_run_in_order_and_a_repeated_one_is_compiled_once():
    x = np.array(1)
    doubled = Function(
        "double",
        "define i32 @double(ptr %a, i64 %c) {\n  %p = load ptr, ptr %a\n  %x = load i64, ptr %p\n  %y = shl i64 %x, 1\n"
        "  store i64 %y, ptr %p\n  ret i32 0\n}\n",
        (x,),
        1,
    )
    assert native.Program([add(5, x), doubled, add(7, x), doubled], address_of).run() is None
    assert x == ((1 + 5) * 2 + 7) * 2


def test_every_chunk_runs_once_in_every_run():
    counts = np.zeros(1001, np.int64)
    program = native.Program([count_chunks(counts)], address_of)
    for _ in range(50):
        program.run()
    assert (counts == 50).all()


def test_a_program_without_work_does_nothing():
    assert native.Program([], address_of).run() is None


@pytest.mark.parametrize("chunks", [1, 8])
def test_a_refusal_stops_the_program_and_says_where(chunks):
    refused, before, after = np.array(-1), np.zeros(3, np.int64), np.zeros(3, np.int64)
    program = native.Program([count_chunks(before), refuse_chunk(refused, chunks), count_chunks(after)], address_of)
    assert program.run() is None
    refused[...] = chunks - 1
    assert program.run() == 1
    assert before.tolist() == [2, 2, 2]
    assert after.tolist() == [1, 1, 1]
    refused[...] = -1
    assert program.run() is None  # nothing of the refusal is left


def test_a_bound_array_may_lie_elsewhere_in_the_next_run():
    first, second, constant = np.array(0), np.array(100), np.array(0)
    program = native.Program([add(5, first), add(7, constant), add(5, first)], address_of)
    program.rebind(first, address_of(second))
    program.rebind(np.array(3), 0)  # which no work has
    program.run()
    assert (first, second, constant) == (0, 110, 7)


def test_scratch_is_shared_by_the_functions_of_a_work_and_aligned():
    scratch, out = Scratch(24), np.zeros(2, np.int64)
    text = (
        "define i32 @leave(ptr %a, i64 %c) {\n  %p = load ptr, ptr %a\n  %n = ptrtoint ptr %p to i64\n"
        "  store i64 %n, ptr %p\n  ret i32 0\n}\n"
    )
    fetch = (
        "define i32 @fetch(ptr %a, i64 %c) {\n  %p = load ptr, ptr %a\n  %n = load i64, ptr %p\n"
        "  %q.at = getelementptr i64, ptr %a, i64 1\n  %q = load ptr, ptr %q.at\n  store i64 %n, ptr %q\n"
        "  ret i32 0\n}\n"
    )

    def functions(work):
        return (Function("leave", text, (scratch,), 1), Function("fetch", fetch, (scratch, out), 1))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gradflow.backend.native.program._functions", functions)
        native.Program([object()], address_of).run()
    assert out[0] != 0
    assert out[0] % 64 == 0


def test_text_that_is_not_llvm_is_an_error_and_not_a_crash():
    with pytest.raises(RuntimeError, match="expected"):
        native.Program([Function("wrong", "define i32 @wrong(ptr %a, i64 %c) { ret }", (), 1)], address_of)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADFLOW_CACHE_DIR", str(tmp_path / "code"))
    monkeypatch.setattr(engine, "_loaded", {})
    return tmp_path / "code"


def _files(folder):
    return sorted(folder.glob("*")) if folder.exists() else []


def test_compiled_code_is_kept_for_the_next_process(kept, monkeypatch):
    text = _ADD.format(n=11)
    engine.code(text)
    assert [file.suffix for file in _files(kept)] == [".o"]
    engine._loaded.clear()
    monkeypatch.setattr(engine, "_compiled", lambda text: pytest.fail("compiled again"))
    assert engine.code(text).address("add_11")


@pytest.mark.parametrize("content", [b"", b"not this at all", None])
def test_a_damaged_file_is_ignored_and_written_anew(kept, content):
    x = np.array(0)
    native.Program([add(12, x)], address_of)
    (file,) = _files(kept)
    good = file.read_bytes()
    file.write_bytes(content if content is not None else good[:-1] + bytes([good[-1] ^ 1]))
    engine._loaded.clear()
    native.Program([add(12, x)], address_of).run()
    assert x == 12
    assert file.read_bytes() == good


def test_a_place_that_cannot_be_written_to_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("a file where a folder should be")
    monkeypatch.setenv("GRADFLOW_CACHE_DIR", str(tmp_path / "file" / "code"))
    monkeypatch.setattr(engine, "_loaded", {})
    assert engine.code(_ADD.format(n=13)).address("add_13")


def test_code_for_another_processor_is_kept_apart(monkeypatch):
    here = engine._key("text")
    monkeypatch.setattr(engine, "_target", lambda: engine.Target("x86_64-linux", "another", "+sse2", "0"))
    assert engine._key("text") != here


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"GRADFLOW_CACHE_DIR": "/a/b"}, "/a/b"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/gradflow"),
        ({"HOME": "/home/x"}, "/home/x/.cache/gradflow"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="the places of Unix")
def test_where_code_is_kept(monkeypatch, variables, place):
    monkeypatch.delenv("GRADFLOW_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert object_files.folder().as_posix() == place


def test_without_llvmlite_there_is_no_machine_code_and_the_reason_is_told():
    code = (
        "import sys\nsys.modules['llvmlite'] = None\nfrom gradflow.backend import native\n"
        "print(native.available(), native.failure())"
    )
    assert python("-W", "error", "-c", code).startswith("False llvmlite is not installed")


def test_a_processor_llvm_does_not_know_is_told_and_not_raised(monkeypatch):
    def fails():
        raise RuntimeError("no target for this processor")

    monkeypatch.setattr(engine, "_target", fails)
    assert engine.failure.__wrapped__() == "llvmlite failed: RuntimeError: no target for this processor"


def test_a_process_that_ends_with_workers_ends_well():
    code = (
        "import numpy as np, gradflow as gf\nfrom gradflow.backend import native\n"
        "import sys; sys.path.insert(0, 'tests')\nfrom native import address_of, count_chunks\n"
        "gf.set_num_threads(4)\nnative.Program([count_chunks(np.zeros(64, np.int64))], address_of).run()\nprint('done')"
    )
    assert python("-c", code) == "done"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_has_no_workers_and_gets_its_own():
    code = (
        "import os, numpy as np, gradflow as gf\nfrom gradflow.backend import native\n"
        "import sys; sys.path.insert(0, 'tests')\nfrom native import address_of, count_chunks\n"
        "gf.set_num_threads(3)\ncounts = np.zeros(64, np.int64)\n"
        "program = native.Program([count_chunks(counts)], address_of)\nprogram.run()\n"
        "child = os.fork()\n"
        "program.run()\n"  # in both
        "again = native.Program([count_chunks(counts)], address_of)\nagain.run()\n"
        "good = (counts == 3).all() and gf.get_num_threads() == 3\n"
        "if child == 0:\n    os._exit(0 if good else 1)\n"
        "print(good, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    assert python("-c", code) == "True 0"


def test_a_bound_program_costs_little():
    program = native.Program([], address_of)
    times = []
    for _ in range(2000):
        before = time.perf_counter_ns()
        program.run()
        times.append(time.perf_counter_ns() - before)
    assert sorted(times)[200] < 3000  # 700 ns where nothing else runs


def test_another_process_finds_the_code(tmp_path):
    code = (
        "import sys; sys.path.insert(0, 'tests')\nimport numpy as np\n"
        "from gradflow.backend.native import Program, engine\n"
        "from native import address_of, count_chunks\ncompiled = []\nreal = engine._compiled\n"
        "engine._compiled = lambda text: compiled.append(text) or real(text)\n"
        "Program([count_chunks(np.zeros(3, np.int64))], address_of).run()\nprint(len(compiled))"
    )
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT), "GRADFLOW_CACHE_DIR": str(tmp_path)}
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True
        )
        for _ in range(2)
    ]
    first, second = (int(run.stdout) for run in runs)
    assert first >= 2  # the runtime and the function
    assert second == 0


def test_loops_of_one_form_are_generated_once_and_numbers_tell_forms_apart(monkeypatch):
    def loop(x, out, number):
        statement = Statement("y", x.dtype, ast.parse(f"x + {number}", mode="eval").body)
        return Loop(1, 5, (Operand("x", ELEMENT, x.dtype, x),), (statement,), (Result("y", ELEMENT, out.dtype, out),))

    x, y, z = np.arange(5.0), np.zeros(5), np.zeros(5)
    generated = []
    real = loops.functions
    monkeypatch.setattr(loops, "functions", lambda form, block: generated.append(form) or real(form, block))
    monkeypatch.setattr(loops, "_known", {})
    native.Program([loop(x, y, 1), loop(y, z, 1), loop(z, z, 1), loop(z, x, 2.5)], address_of).run()
    assert y.tolist() == [1, 2, 3, 4, 5]
    assert z.tolist() == [3, 4, 5, 6, 7]
    assert x.tolist() == [5.5, 6.5, 7.5, 8.5, 9.5]
    assert len(generated) == 3  # where it writes what it reads, and for another number
