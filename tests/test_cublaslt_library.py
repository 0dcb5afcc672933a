"""The stand-in for cuBLASLt objects to what the real library objects to; and where the real one is looked for."""

from __future__ import annotations

import ctypes
import sys
from contextlib import ExitStack
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from arena import Bench
from gradflow.backend import cublaslt
from gradflow.backend.column_major import aux_shape, column_major
from gradflow.backend.cublaslt import (
    SIGNATURES,
    Algorithm,
    Compute,
    Epilogue,
    HeuristicResult,
    Layout,
    Operation,
    Preference,
    Status,
    Type,
)
from gradflow.backend.gemm import Plan
from gradflow.errors import DeviceError, KernelError
from gradflow.launch import Gemm
from gradflow.testing.ptx.faults import KernelFault
from gradflow.testing.simulated.cublaslt import SIZES
from gradflow.testing.simulated.product import rounded_to_tf32

M, N, K = 5, 7, 6


class Call:
    """A product, its description and its plan, to be spoiled before it is run."""

    def __init__(self, bench, epilogue="none", dtype=np.float32, k=K, **arrays):
        self.bench = bench
        a, b, out = (bench.array(*s, dtype=dtype) for s in ((M, k), (k, N), (M, N)))
        self.gemm = Gemm(a, b, out, epilogue=epilogue, **arrays)
        self.problem = column_major(self.gemm, False)
        self.workspace = bench.workspace
        self.handle = ctypes.c_void_p()
        bench.library.cublasLtCreate(self.handle)

    def change(self, **fields):
        self.problem = self.problem._replace(**fields)
        return self

    def plan(self):
        return Plan(self.bench.library, self.problem, "product")

    def chosen(self, alignment=16):
        plan = self.plan()
        plan.point(self.gemm)
        if not plan.choose(self.handle, (alignment,) * 4, self.workspace.nbytes):
            raise DeviceError("no algorithm")
        return plan

    def run(self):
        self.chosen().run(self.handle, self.gemm, self.workspace, 0)


@pytest.fixture
def bench():
    return Bench()


def mask(bench):
    return bench.filled(*aux_shape("relu_aux", M, N), dtype="u1", value=0)


@pytest.fixture
def objects(bench):
    """An object of each kind of the stand-in, by kind."""
    library, made = bench.library, {kind: ctypes.c_void_p() for kind in SIZES}
    library.cublasLtMatmulDescCreate(made["operation"], Compute.F32, Type.R_32F)
    library.cublasLtMatrixLayoutCreate(made["layout"], Type.R_32F, 2, 3, 2)
    library.cublasLtMatmulPreferenceCreate(made["preference"])
    return made


SETTERS = {
    "operation": "cublasLtMatmulDescSetAttribute",
    "layout": "cublasLtMatrixLayoutSetAttribute",
    "preference": "cublasLtMatmulPreferenceSetAttribute",
}


def statuses(library, made, kind):
    """What a library says to the attributes used here, with values of every size."""
    value = ctypes.create_string_buffer(16)
    return {
        (attribute, size): getattr(library, SETTERS[kind])(made[kind], attribute, value, size)
        for attribute in SIZES[kind]
        for size in range(17)
    }


@pytest.mark.parametrize("kind", SIZES)
def test_simulated_cublaslt_wants_known_attributes_of_their_size(bench, objects, kind):
    for (attribute, size), status in statuses(bench.library, objects, kind).items():
        assert status == (Status.SUCCESS if size == SIZES[kind][attribute] else Status.INVALID_VALUE)
    setter = getattr(bench.library, SETTERS[kind])
    assert setter(objects[kind], 99, ctypes.create_string_buffer(8), 8) == Status.INVALID_VALUE
    assert setter(objects[kind], next(iter(SIZES[kind])), None, 4) == Status.INVALID_VALUE


def test_simulated_cublaslt_takes_arguments_as_ctypes_does(bench, objects):
    with pytest.raises(ctypes.ArgumentError):
        bench.library.cublasLtMatmulDescDestroy(1.5)
    with pytest.raises(TypeError):
        bench.library.cublasLtMatmulDescDestroy()
    assert bench.library.cublasLtGetVersion() == 120903


def test_simulated_cublaslt_knows_its_objects(bench, objects):
    assert bench.library.cublasLtMatmulDescDestroy(objects["operation"]) == Status.SUCCESS
    for address in (objects["operation"], objects["layout"], None):
        with pytest.raises(KernelError, match="as operation; it was destroyed, or never was one"):
            bench.library.cublasLtMatmulDescDestroy(address)
    assert bench.library.alive == {"layout": 1, "preference": 1}


def test_a_call_that_is_not_spoiled_is_right(bench):
    call = Call(bench)
    call.run()
    np.testing.assert_allclose(call.gemm.out, np.array(call.gemm.a) @ np.array(call.gemm.b), rtol=1e-6)


def matrix(name, **fields):
    return lambda call: call.change(**{name: getattr(call.problem, name)._replace(**fields)})


@pytest.mark.parametrize(
    ("spoil", "status"),
    [
        (matrix("a", ld=N - 1), "INVALID_VALUE"),
        (matrix("d", ld=N - 1), "INVALID_VALUE"),
        (matrix("a", rows=N + 1, ld=N + 1), "INVALID_VALUE"),
        (matrix("b", transposed=True), "INVALID_VALUE"),
        (matrix("d", columns=M + 1), "INVALID_VALUE"),
        (lambda call: call.change(epilogue=3), "INVALID_VALUE"),
        (lambda call: call.change(batch=2), "INVALID_VALUE"),  # onto the same result
        (lambda call: call.change(compute=Compute.F64), "no algorithm"),
        (lambda call: call.change(type=Type.R_64F), "no algorithm"),
        (lambda call: call.change(type=Type.R_16F, compute=Compute.F32_FAST_TF32), "no algorithm"),
        (lambda call: call.change(epilogue=Epilogue.BIAS), "INVALID_VALUE"),
        (
            lambda call: setattr(call, "workspace", SimpleNamespace(nbytes=1 << 20, data=SimpleNamespace(ptr=0))),
            "INVALID",
        ),
    ],
)
def test_simulated_cublaslt_objects_to_a_wrong_description(bench, spoil, status):
    call = Call(bench)
    spoil(call)
    with pytest.raises(DeviceError, match=status):
        call.run()


@pytest.mark.parametrize("ld", [0, 8, 64, 192])
def test_simulated_cublaslt_objects_to_rows_of_a_mask_that_are_not_whole_vectors(bench, ld):
    with pytest.raises(DeviceError, match="INVALID_VALUE"):
        Call(bench, "relu_aux", aux=mask(bench)).change(aux_ld=ld).run()


@pytest.mark.parametrize("ld", [0, 4, 12])
def test_simulated_cublaslt_objects_to_rows_of_a_gelu_that_are_not_whole_vectors(bench, ld):
    aux = bench.filled(*aux_shape("gelu_aux", M, N))
    with pytest.raises(DeviceError, match="INVALID_VALUE"):
        Call(bench, "gelu_aux", aux=aux).change(aux_ld=ld).run()


def test_simulated_cublaslt_objects_to_a_call_that_was_spoiled_after_the_heuristic(bench):
    plan, call = Call(bench).chosen(), Call(bench)
    plan.problem = plan.problem._replace(d=plan.problem.d._replace(ld=N - 1))
    with ExitStack() as made:
        plan.d = plan._layout(made, plan.problem.d)
        with pytest.raises(DeviceError, match="INVALID_VALUE"):
            plan.run(call.handle, call.gemm, call.workspace, 0)


def test_simulated_cublaslt_objects_to_asking_for_no_algorithm(bench):
    call = Call(bench)
    plan, count, preference = call.plan(), ctypes.c_int(), ctypes.c_void_p()
    bench.library.cublasLtMatmulPreferenceCreate(preference)
    status = bench.library.cublasLtMatmulAlgoGetHeuristic(
        call.handle, plan.operation, plan.a, plan.b, plan.d, plan.d, preference, 0, plan.result, count
    )
    assert (status, count.value) == (Status.INVALID_VALUE, 0)


@pytest.mark.parametrize("part", [slice(1 << 10), slice(8, None)])
def test_simulated_cublaslt_objects_to_a_workspace_that_is_too_small_or_not_aligned(bench, part):
    call = Call(bench)
    plan = call.chosen()
    with pytest.raises(DeviceError, match="INVALID_VALUE"):
        plan.run(call.handle, call.gemm, call.workspace[part], 0)


def test_simulated_cublaslt_objects_to_arrays_less_aligned_than_an_algorithm_was_found_for(bench):
    call = Call(bench)
    plan = call.chosen(alignment=256)
    gemm = call.gemm._replace(a=bench.array(M * K + 1)[1:].reshape(M, K))
    with pytest.raises(DeviceError, match="INVALID_VALUE"):
        plan.run(call.handle, gemm, call.workspace, 0)


def test_simulated_cublaslt_objects_to_the_algorithm_of_another_product(bench):
    plan, other = Call(bench).chosen(), Call(bench, k=K + 1).chosen()
    plan.result = other.result
    call = Call(bench)
    with pytest.raises(DeviceError, match="INVALID_VALUE"):
        plan.run(call.handle, call.gemm, call.workspace, 0)


def test_simulated_cublaslt_objects_to_a_mask_between_vectors(bench):
    call = Call(bench, "relu_aux", aux=mask(bench))
    call.gemm = call.gemm._replace(aux=bench.filled(1000, dtype="u1", value=0)[8:])
    with pytest.raises(DeviceError, match="INVALID_VALUE"):
        call.run()


@pytest.mark.parametrize("epilogue", ["bgrad_a", "bgrad_b"])
def test_simulated_cublaslt_cannot_sum_a_single_term_before_version_12_3_4(bench, epilogue):
    arrays = {"bias_grad": bench.filled(M if epilogue == "bgrad_a" else N)}
    Call(bench, epilogue, k=1, **arrays).run()
    bench.library.version = 120303
    Call(bench, epilogue, k=2, **arrays).run()
    with pytest.raises(DeviceError, match="no algorithm"):
        Call(bench, epilogue, k=1, **arrays).run()


def test_simulated_cublaslt_uses_its_workspace(bench):
    call = Call(bench)
    call.workspace[...] = 0
    call.run()
    assert (call.workspace[:1000] == 0xFF).all()


@pytest.mark.parametrize("short", ["a", "b", "out", "bias", "aux"])
def test_simulated_cublaslt_stays_inside_its_arrays(bench, short):
    arrays = {"a": (M, K), "b": (K, N), "out": (M, N), "bias": (N,), "aux": aux_shape("gelu_aux", M, N)}
    given = {name: bench.array(*shape) for name, shape in arrays.items()}
    given[short] = np.lib.stride_tricks.as_strided(bench.array(2), arrays[short], given[short].strides, subok=True)
    with pytest.raises(KernelFault, match=r"out of bounds: cublasLtMatmul at .*past the end of the 8 bytes"):
        bench.run(Gemm(**given, epilogue="gelu_aux"))


@pytest.mark.parametrize("blank", ["a", "b", "bias"])
def test_simulated_cublaslt_reads_nothing_that_was_not_written(bench, blank):
    given = {"a": bench.array(M, K), "b": bench.array(K, N), "bias": bench.array(N)}
    given[blank] = bench.xp.empty(given[blank].shape, np.float32)
    with pytest.raises(KernelFault, match="uninitialised read"):
        bench.run(Gemm(**given, out=bench.xp.empty((M, N), np.float32)))


def test_simulated_cublaslt_lets_its_results_be_read(bench):
    middle, mask_, sums = (bench.xp.empty(*x) for x in (((M, N), "f4"), ((M, 16), "u1"), ((N,), "f4")))
    assert bench.run(Gemm(bench.array(M, K), bench.array(K, N), middle, epilogue="relu_aux", aux=mask_))
    gemm = Gemm(
        middle, bench.array(N, N), bench.xp.empty((M, N), "f4"), epilogue="drelu_bgrad", aux=mask_, bias_grad=sums
    )
    assert bench.run(gemm)
    assert bench.run(Gemm(bench.array(M, K), bench.array(K, N), middle, bias=sums, accumulate=True))


def test_tf32_keeps_ten_bits_of_fraction():
    given = np.array([1, 1 + 2**-10, 1 + 2**-11, 1 + 2**-12, -1 - 2**-11, np.inf, np.nan], np.float32)
    wanted = np.array([1, 1 + 2**-10, 1 + 2**-10, 1, -1 - 2**-10, np.inf, np.nan], np.float32)
    np.testing.assert_array_equal(rounded_to_tf32(given), wanted)


# ---- the real library


@pytest.fixture(scope="module")
def real():
    library, note = cublaslt.find()
    if library is None:
        pytest.skip(note)
    return library


def test_the_real_cublaslt_has_every_function_and_the_same_attributes(real, bench, objects):
    assert real.cublasLtGetVersion() >= 110000
    made = {kind: ctypes.c_void_p() for kind in SIZES}
    assert real.cublasLtMatmulDescCreate(made["operation"], Compute.F32, Type.R_32F) == Status.SUCCESS
    assert real.cublasLtMatrixLayoutCreate(made["layout"], Type.R_32F, 2, 3, 2) == Status.SUCCESS
    assert real.cublasLtMatmulPreferenceCreate(made["preference"]) == Status.SUCCESS
    for kind in SIZES:
        assert statuses(real, made, kind) == statuses(bench.library, objects, kind)


def test_the_real_cublaslt_gives_its_statuses_the_same_names(real):
    real.cublasLtGetStatusName.restype = ctypes.c_char_p
    for number in range(20):
        name = real.cublasLtGetStatusName(number).decode().removeprefix("CUBLAS_STATUS_")
        assert name == (Status(number).name if number in Status.__members__.values() else "unrecognized status")


@pytest.mark.parametrize("epilogue", ["none", "relu_aux"])
def test_the_real_cublaslt_takes_the_description_of_a_product(real, bench, epilogue):
    gemm = Call(bench, epilogue, aux=mask(bench) if epilogue == "relu_aux" else None).gemm
    plan = Plan(real, column_major(gemm, False), "product")
    plan.point(gemm)
    value, size = ctypes.c_int64(0), ctypes.c_size_t(0)
    get = real.cublasLtMatmulDescGetAttribute
    get.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
    for attribute, wanted in ((Operation.AUX_LD, plan.problem.aux_ld), (Operation.EPILOGUE, plan.problem.epilogue)):
        bytes_ = SIZES["operation"][attribute]
        assert get(plan.operation, attribute, ctypes.byref(value), bytes_, ctypes.byref(size)) == Status.SUCCESS
        assert (value.value, size.value) == (wanted, bytes_)
    plan.destroy()


# as in cublasLt.h, cublas_api.h and library_types.h of CUDA 12.9
HEADERS = {
    Type: "R_32F 0, R_64F 1, R_16F 2, R_16BF 14",
    Compute: "F32 68, F64 70, F32_FAST_TF32 77",
    Operation: "TRANSA 3, TRANSB 4, EPILOGUE 7, BIAS_POINTER 8, AUX_POINTER 11, AUX_LD 12",
    Layout: "BATCH_COUNT 5, BATCH_STRIDE 6",
    Preference: "MAX_WORKSPACE_BYTES 1, MIN_ALIGNMENT_A 5, MIN_ALIGNMENT_B 6, MIN_ALIGNMENT_C 7, MIN_ALIGNMENT_D 8",
    Epilogue: "DEFAULT 1, RELU 2, BIAS 4, RELU_BIAS 6, RELU_AUX 130, RELU_AUX_BIAS 134, DRELU 136, DRELU_BGRAD 152, "
    "GELU_AUX 160, GELU_AUX_BIAS 164, DGELU 192, DGELU_BGRAD 208, BGRADA 256, BGRADB 512",
}


@pytest.mark.parametrize("kind", HEADERS)
def test_constants_are_those_in_the_headers_of_cublaslt(kind):
    assert ", ".join(f"{x.name} {x.value}" for x in kind) == HEADERS[kind]


def test_structures_are_as_large_as_in_the_header_of_cublaslt():
    assert (ctypes.sizeof(Algorithm), ctypes.sizeof(HeuristicResult)) == (64, 96)
    offsets = [getattr(HeuristicResult, name).offset for name, *_ in HeuristicResult._fields_]
    assert offsets == [0, 64, 72, 76, 80]


# ---- where it is looked for


@pytest.fixture
def loaded(monkeypatch):
    """The paths that were tried; those in ``there`` are cuBLASLt."""
    tried, there = [], set()

    def load(place):
        tried.append(place)
        if place not in there:
            raise OSError(f"{place}: cannot open shared object file")
        return SimpleNamespace(**{name: SimpleNamespace() for name in SIGNATURES})

    monkeypatch.setattr(cublaslt.ctypes, "CDLL", load)
    monkeypatch.setitem(sys.modules, "cuda", ModuleType("cuda"))
    monkeypatch.setitem(sys.modules, "cuda.pathfinder", None)
    monkeypatch.setattr(cublaslt.importlib.util, "find_spec", lambda name: None)
    return SimpleNamespace(tried=tried, there=there, monkeypatch=monkeypatch)


def search():
    return cublaslt.find.__wrapped__()


def test_cublaslt_that_is_nowhere_is_none_with_the_reason(loaded):
    library, note = search()
    assert library is None
    assert note.startswith("no cuBLASLt: libcublasLt.so.13: cannot open shared object file; install nvidia-cublas")
    assert loaded.tried == list(cublaslt.NAMES)


def test_cublaslt_is_taken_where_cupy_has_found_it(loaded):
    pathfinder = ModuleType("cuda.pathfinder")
    pathfinder.load_nvidia_dynamic_lib = lambda name: SimpleNamespace(abs_path=f"/found/lib{name}.so.12")
    loaded.monkeypatch.setitem(sys.modules, "cuda.pathfinder", pathfinder)
    loaded.there.add("/found/libcublasLt.so.12")
    library, note = search()
    assert note == "/found/libcublasLt.so.12"
    assert library.cublasLtMatmul.argtypes == SIGNATURES["cublasLtMatmul"]
    assert library.cublasLtGetVersion.restype is ctypes.c_size_t


def test_cublaslt_is_found_in_the_folders_of_nvidias_wheels(loaded, tmp_path):
    path = tmp_path / "cublas" / "lib" / "libcublasLt.so.12"
    path.parent.mkdir(parents=True)
    path.touch()
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    loaded.monkeypatch.setattr(cublaslt.importlib.util, "find_spec", lambda name: spec if name == "nvidia" else None)
    loaded.there.add(str(path))
    assert search()[1] == str(path)
    assert loaded.tried == [str(path)]


def test_cublaslt_is_found_by_name_and_one_without_a_function_is_not_taken(loaded):
    loaded.there.update(("libcublasLt.so.13", "libcublasLt.so.12"))
    whole = cublaslt.ctypes.CDLL

    def load(place):
        library = whole(place)
        if place.endswith("13"):
            del library.cublasLtMatmul
        return library

    loaded.monkeypatch.setattr(cublaslt.ctypes, "CDLL", load)
    assert search()[1] == "libcublasLt.so.12"
