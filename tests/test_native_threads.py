"""The threads of native programs: every chunk once, whoever does it and whatever happens meanwhile."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import gradflow as gf
from gradflow.backend import native
from gradflow.backend.native import threads
from gradflow.errors import ArgumentError
from native import address_of, count_chunks, refuse_chunk
from process import python

pytest.importorskip("llvmlite")


@pytest.fixture(autouse=True)
def as_before():
    before = gf.get_num_threads()
    yield
    gf.set_num_threads(before)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_thousands_of_runs_do_every_chunk_once(count):
    gf.set_num_threads(count)
    arrays = [np.zeros(chunks, np.int64) for chunks in (1, 2, 3, 64, 7, 1, 33)]
    program = native.Program([count_chunks(each, rounds=20 * i) for i, each in enumerate(arrays)], address_of)
    for _ in range(3000):
        assert program.run() is None
    assert all((each == 3000).all() for each in arrays)


def test_programs_in_two_python_threads_do_not_mix():
    gf.set_num_threads(3)
    failures = []

    def work():
        counts = np.zeros(50, np.int64)
        program = native.Program([count_chunks(counts, rounds=3000), count_chunks(counts, rounds=30)] * 5, address_of)
        for _ in range(100):
            program.run()
        if not (counts == 1000).all():
            failures.append(counts)

    running = [threading.Thread(target=work) for _ in range(3)]
    for each in running:
        each.start()
    for each in running:
        each.join()
    assert not failures


def test_refusals_in_one_thread_do_not_stop_the_program_of_another():
    gf.set_num_threads(2)
    results = {}

    def work(name, refused, wanted):
        program = native.Program([refuse_chunk(np.array(refused), 9)], address_of)
        results[name] = {program.run() for _ in range(2000)} == {wanted}

    running = [threading.Thread(target=work, args=each) for each in [("fails", 4, 0), ("succeeds", -1, None)]]
    for each in running:
        each.start()
    for each in running:
        each.join()
    assert results == {"fails": True, "succeeds": True}


def test_the_number_of_threads_may_change_between_and_during_runs():
    counts = np.zeros(40, np.int64)
    program = native.Program([count_chunks(counts, rounds=100)], address_of)
    runs = 0
    stop = threading.Event()

    def change():
        for i in range(200):
            gf.set_num_threads(1 + i % 4)
        stop.set()

    changing = threading.Thread(target=change)
    changing.start()
    while not stop.is_set():
        program.run()
        runs += 1
    changing.join()
    assert (counts == runs).all()


def test_workers_end_when_fewer_are_asked_for():
    def alive():
        return sum(each.name.startswith("gradflow worker") for each in threading.enumerate())

    native.Program([count_chunks(np.zeros(4, np.int64))], address_of)
    gf.set_num_threads(6)
    assert alive() == 5
    gf.set_num_threads(2)
    assert alive() == 1
    gf.set_num_threads(1)
    assert alive() == 0


def _threads_of(chunks, rounds):
    """How many threads did chunks of a program whose workers slept before each of ten runs."""
    text = (
        "define i32 @where(ptr %a, i64 %c) {\n  %here = call ptr @llvm.frameaddress(i32 0)\n"
        "  %n = ptrtoint ptr %here to i64\n  %out = load ptr, ptr %a\n  %at = getelementptr i64, ptr %out, i64 %c\n"
        "  store i64 %n, ptr %at\n  %rounds.at = getelementptr i64, ptr %a, i64 1\n"
        "  %rounds = load i64, ptr %rounds.at\n"
        "  br label %wait\nwait:\n  %i = phi i64 [ 0, %0 ], [ %j, %wait ]\n  %x = load volatile i64, ptr %at\n"
        "  %j = add i64 %i, 1\n  %over = icmp eq i64 %j, %rounds\n  br i1 %over, label %end, label %wait\n"
        "end:\n  ret i32 0\n}\n"
    )
    out = np.zeros(chunks, np.int64)
    program = native.Program([native.Function("where", text, (out, rounds), chunks)], address_of)
    seen = set()
    for _ in range(10):
        threading.Event().wait(0.01)  # long enough for the worker to fall asleep
        program.run()
        seen |= {int(each) >> 16 for each in out}
    return len(seen)


def test_sleeping_workers_are_woken_for_long_work():
    gf.set_num_threads(2)
    assert _threads_of(8, 5_000_000) == 2  # 10 ms


def test_sleeping_workers_are_not_woken_for_short_work():
    gf.set_num_threads(2)
    assert _threads_of(2, 10) == 1


@pytest.mark.parametrize("wrong", [0, -1, 1.0, True, "2", 10_000])
def test_a_number_of_threads_is_positive_and_whole(wrong):
    with pytest.raises(ArgumentError, match="from 1 to 256, got"):
        gf.set_num_threads(wrong)


@pytest.mark.parametrize(("value", "wanted"), [("3", 3), ("4,2", 4), ("0", None), ("many", None), ("", None)])
def test_openmp_s_variable_is_honoured(monkeypatch, value, wanted):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert threads._chosen() == wanted


@pytest.mark.parametrize(("content", "wanted"), [("100000 100000", 1), ("250000 100000", 3), ("max 100000", None)])
def test_a_container_s_share_of_the_processors_is_not_exceeded(monkeypatch, content, wanted):
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(threads.Path, "read_text", lambda self, encoding: content)
    assert threads._usable() == (wanted or 8)


def test_a_program_without_chunks_to_share_starts_no_thread():
    code = (
        "import threading, numpy as np, gradflow as gf\nfrom gradflow.backend import native\n"
        "import sys; sys.path.insert(0, 'tests')\nfrom native import address_of, count_chunks\ngf.set_num_threads(4)\n"
        "native.Program([count_chunks(np.zeros(1, np.int64))], address_of).run()\nprint(threading.active_count())\n"
        "native.Program([count_chunks(np.zeros(2, np.int64))], address_of).run()\nprint(threading.active_count())\n"
    )
    assert python("-c", code).split() == ["1", "4"]
