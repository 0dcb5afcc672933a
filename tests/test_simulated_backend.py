"""The CUDA backend on simulated devices: where arrays live and move, what is refused, and how failures are told."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import gradflow as gf
from gradflow.backend import backend_for, kernels, launcher
from gradflow.backend import cuda as cuda_module
from gradflow.device import Device
from gradflow.errors import DeviceError, DTypeError, GradientError, IndexOutOfRange, KernelError, MissingExtraError
from gradflow.launch import Launch
from gradflow.testing import device


@pytest.fixture
def cuda(simulated):
    """Simulated devices, also where there is a GPU: what they did is asked of them, and they are made to fail."""
    with device.serving(simulated) as xp:
        yield xp


def test_a_tensor_moves_to_the_device_and_back(cuda):
    x = gf.tensor([1.0, 2.0])
    there = x.to("cuda")
    assert (str(there.device), there.dtype, there.shape) == ("cuda:0", gf.float32, (2,))
    assert there.to("cuda") is there
    assert there.cpu().tolist() == [1.0, 2.0]
    assert "device='cuda:0'" in repr(there)


def test_the_gradient_comes_back_to_the_device_of_the_leaf(cuda):
    w = gf.tensor([3.0], requires_grad=True)
    (w.cuda() * 2).cuda(1).sum().backward()
    assert str(w.grad.device) == "cpu"
    assert w.grad.tolist() == [2.0]


def test_results_stay_on_the_device_of_the_operands_whatever_the_current_one_is(cuda):
    x = gf.tensor([1.0, -2.0], device="cuda:1", requires_grad=True)
    loss = (gf.relu(x) * 3 + gf.zeros(2, device="cuda:1")).sum()
    loss.backward()
    assert {str(t.device) for t in (loss, x.grad)} == {"cuda:1"}
    assert x.grad.tolist() == [3.0, 0.0]


def test_devices_never_mix_silently(cuda):
    here, there, other = gf.ones(2), gf.ones(3, device="cuda"), gf.ones(3, device="cuda:1")
    with pytest.raises(DeviceError, match=r"add: .*\(2,\) on cpu, \(3,\) on cuda:0.*\.to\('c"):
        here + there
    with pytest.raises(DeviceError, match=r"add: .*\(3,\) on cuda:0, \(3,\) on cuda:1.*\.to\('cuda:N'\)"):
        there + other


def test_a_device_that_is_not_there_is_refused(cuda):
    with pytest.raises(DeviceError, match="cuda:7: there are 2 CUDA devices, numbered from 0"):
        gf.ones(2, device="cuda:7")


def test_numpy_is_given_a_copy_when_asked_for_and_nothing_otherwise(cuda):
    x = gf.ones(2, device="cuda")
    copy = x.numpy()
    copy[0] = 5
    assert x.tolist() == [1.0, 1.0]
    with pytest.raises(DeviceError, match=r"NumPy cannot read cuda:0; .*\.cpu\(\)"):
        np.asarray(x)


def test_cupy_arrays_come_in_and_go_out_without_a_copy(cuda):
    array = cuda.arange(4, dtype="float32")
    x = gf.tensor(array)
    assert x.data is array
    (x + 1).sum()
    assert cuda.asarray(x).data.ptr == array.data.ptr
    assert (gf.tensor([1.0], device="cuda") + array).tolist() == [1, 2, 3, 4]
    assert (array + gf.tensor([1.0], device="cuda")).tolist() == [1, 2, 3, 4]


def test_a_tensor_that_requires_grad_does_not_give_its_memory_away(cuda):
    x = gf.ones(2, device="cuda", requires_grad=True)
    assert not hasattr(x, "__cuda_array_interface__")
    assert not hasattr(gf.ones(2), "__cuda_array_interface__")
    with pytest.raises((DeviceError, GradientError, TypeError)):
        cuda.asarray(x)


def test_an_array_of_a_device_that_is_simulated_no_more_is_refused(simulated):
    with device.serving(simulated):
        x = gf.ones(2, device="cuda")
    with pytest.raises((DeviceError, DTypeError, MissingExtraError)):
        x + x


def test_work_is_queued_on_the_current_stream(cuda):
    x = gf.ones(8, device="cuda")
    stream = cuda.cuda.Stream(non_blocking=True)
    mark = len(cuda.records)
    with stream:
        gf.sigmoid(x)
    assert {record.stream for record in cuda.records.since(mark) if record.kind == "kernel"} == {stream.ptr}


def test_a_stream_of_another_device_is_refused(cuda):
    x = gf.ones(8, device="cuda")
    words = r"sigmoid: the operands are on cuda:0, and the current stream .* cuda:1"
    with cuda.cuda.Device(1), cuda.cuda.Stream(non_blocking=True), pytest.raises(DeviceError, match=words):
        gf.sigmoid(x)


def test_what_is_not_contiguous_is_copied_for_a_kernel(cuda):
    x = gf.ones((4, 6), device="cuda", requires_grad=True)
    total = gf.nn.functional.layer_norm(gf.sigmoid(x), (6,)).sum()  # its gradient is one number, broadcast
    mark = len(cuda.records)
    total.backward()
    kernels_run = [record.name for record in cuda.records.since(mark) if record.kind == "kernel"]
    assert [name for name in kernels_run if "<" in name] == ["standardize_grad<float>", "sigmoid_grad<float>"]
    assert len(kernels_run) <= 4


def test_a_training_step_waits_for_nothing(cuda):
    model = gf.nn.Sequential(gf.nn.Linear(4, 8, device="cuda"), gf.nn.ReLU(), gf.nn.Linear(8, 3, device="cuda"))
    optimizer = gf.optim.Adam(model.parameters())
    x, labels = gf.ones((5, 4), device="cuda"), gf.tensor([0, 1, 2, 0, 1], device="cuda")

    def step():
        loss = gf.nn.functional.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    step()
    mark = len(cuda.records)
    step()
    kinds = [record.kind for record in cuda.records.since(mark)]
    assert not {"sync", "copy_d2h", "copy_h2d"} & set(kinds)


def test_tables_of_addresses_are_uploaded_once_and_not_kept_without_bound(cuda, simulated, monkeypatch):
    monkeypatch.setattr(launcher, "TABLES", 1)
    monkeypatch.setattr(simulated.launcher, "_tables", {})

    def pair() -> tuple[list[gf.Tensor], gf.optim.SGD]:
        leaves = [gf.ones(4, device="cuda", requires_grad=True) for _ in range(2)]
        for leaf in leaves:
            gf.optim.SGD([leaf])  # gives it an arena of its own
        return leaves, gf.optim.SGD(leaves, lr=0.5)

    def step(leaves: list[gf.Tensor], optimizer: gf.optim.SGD) -> int:
        for leaf in leaves:
            leaf.grad = gf.ones(4, device="cuda")
        mark = len(cuda.records)
        optimizer.step()
        return cuda.records.count("copy_h2d", since=mark)

    first, second = pair(), pair()
    assert [step(*each) for each in (first, first, second, first)] == [1, 0, 1, 1]
    assert [leaf.tolist() for leaf in (*first[0], *second[0])] == 2 * [4 * [-0.5]] + 2 * [4 * [0.5]]


# ---- failures


def test_too_little_memory_is_an_error_that_says_how_much_was_asked_held_and_free():
    with device.simulated_cuda(memory=1 << 20):
        x = gf.zeros(1 << 17, device="cuda")  # half of it
        with pytest.raises(gf.errors.OutOfMemory, match=r"add: cuda:0 is out of memory .*524,288.* hold .* are free"):
            y = x + x
            y + y
        assert (gf.ones(3) + 1).tolist() == [2, 2, 2]
        del x
        gf.zeros(1 << 17, device="cuda")


def test_what_the_pool_keeps_is_given_back_before_memory_is_said_to_be_short(cuda):
    x = gf.ones(2, device="cuda")
    cuda.machine.fail_allocation(1)
    assert (x + 1).tolist() == [2, 2]


def test_a_launch_that_fails_in_the_second_attempt_is_told_like_any_other():
    with device.simulated_cuda() as xp:
        x = gf.ones(8, device="cuda")
        xp.machine.fail_allocation(1)
        xp.machine.fail_launch(1)
        with pytest.raises(DeviceError, match=r"sigmoid: CUDA failed .*start it again"):
            gf.sigmoid(x)


def test_an_update_is_not_begun_twice_when_memory_is_short(cuda):
    layer, x = gf.nn.BatchNorm1d(3, device="cuda"), gf.ones((4, 3, 4), device="cuda")[:, :, ::2]  # not for the kernel
    told = 0
    for nth in range(1, 30):
        before = layer.num_batches_tracked.item()
        cuda.machine.fail_allocation(nth)
        try:
            layer(x)
        except gf.errors.OutOfMemory as error:
            assert "track_statistics" in str(error)
            told += 1
        cuda.machine.fail_allocation(0)
        assert layer.num_batches_tracked.item() - before <= 1
    assert told


def test_a_copy_that_does_not_fit_is_refused_like_an_op():
    with (
        device.simulated_cuda(memory=1 << 20),
        pytest.raises(gf.errors.OutOfMemory, match="copy to the device: cuda:0"),
    ):
        gf.ones(1 << 19).cuda()


def test_what_cuda_refuses_without_being_lost_is_told_from_a_loss(cuda):
    x, stream = gf.ones(2, device="cuda"), cuda.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        with pytest.raises(DeviceError, match=r"synchronize: CUDA refused .*Capture"):
            gf.cuda.synchronize()
        with pytest.raises(cuda.cuda.runtime.CUDARuntimeError):
            stream.end_capture()  # what was captured is not valid
    assert x.tolist() == [1, 1]


def test_products_of_float32_are_exact_unless_tf32_is_asked_for(cuda):
    fine, one = gf.tensor([[1 + 2.0**-12]], device="cuda"), gf.ones((1, 1), device="cuda")
    assert gf.get_float32_matmul_precision() == "highest"
    assert (fine @ one).item() == 1 + 2.0**-12
    gf.set_float32_matmul_precision("high")
    try:
        assert (fine @ one).item() == 1  # ten bits are kept
    finally:
        gf.set_float32_matmul_precision("highest")
    with pytest.raises(gf.errors.ArgumentError, match="'medium' is not one of highest, high"):
        gf.set_float32_matmul_precision("medium")


def test_products_are_cupys_without_cublaslt(cuda, simulated):
    with device.serving(cuda_module.CudaBackend(simulated.xp, None)):
        a = gf.tensor([[1.0, 2.0]], device="cuda")
        assert gf.linear(a, a, gf.ones(1, device="cuda")).tolist() == [[6.0]]


def test_after_a_failed_launch_the_device_is_lost_and_the_cpu_goes_on():
    with device.simulated_cuda() as xp:
        x = gf.ones(8, device="cuda")
        xp.machine.fail_launch(1)
        with pytest.raises(DeviceError, match=r"sigmoid: CUDA failed .*start it again"):
            gf.sigmoid(x)
        with pytest.raises(DeviceError, match="copy to the host: CUDA failed"):
            x.tolist()
        assert gf.sigmoid(gf.zeros(1)).item() == 0.5


def test_an_index_out_of_range_raises_at_the_next_wait_and_once(cuda):
    weight = gf.ones((5, 3), device="cuda")
    rows = gf.embedding(weight, gf.tensor([0, 7], device="cuda"))
    with pytest.raises(IndexOutOfRange, match=r"embedding: index 7 \(at position 1\) is out of range for a size of 5"):
        rows.numpy()
    assert rows.numpy().shape == (2, 3)
    gf.cuda.synchronize()
    gf.embedding(weight, gf.tensor([-1], device="cuda"))
    with pytest.raises(IndexOutOfRange, match="index -1"):
        gf.cuda.synchronize()


def test_an_index_that_cupy_would_wrap_is_noted_too(cuda):
    logits, labels = gf.zeros((2, 3), device="cuda"), gf.tensor([1, 5], device="cuda")
    loss = gf.nn.functional.nll_loss(logits, labels)
    with pytest.raises(IndexOutOfRange, match=r"nll_loss: index 5 \(at position 1\) is out of range for a size of 3"):
        loss.item()
    gf.nn.functional.nll_loss(logits[:0], labels[:0], reduction="sum").item()  # nothing to look at


def test_rows_are_added_to_zeros_where_their_order_does_not_matter(cuda):
    weight = gf.ones((3, 2), device="cuda", requires_grad=True)
    gf.use_deterministic_algorithms(False)
    try:
        (gf.embedding(weight, gf.tensor([2, 0, 2], device="cuda")) * 3).sum().backward()
    finally:
        gf.use_deterministic_algorithms(True)
    assert weight.grad.tolist() == [[3, 3], [0, 0], [6, 6]]


# ---- kernels and their arguments


def launch(kernel: str, *arguments: Any, dtype: Any = gf.float32) -> None:
    backend_for(Device("cuda")).launcher.launch(Launch(kernel, dtype, 1, 256, arguments))


def test_arguments_that_do_not_fit_the_signature_are_refused(cuda):
    x = cuda.zeros((4, 4), "float32")
    with pytest.raises(KernelError, match=r"sigmoid_grad: takes 4 arguments \(g, y, out, n\), got 3"):
        launch("sigmoid_grad", x, x, x)
    with pytest.raises(KernelError, match="y must be an array of float32, got float64"):
        launch("sigmoid_grad", x, x.astype("float64"), x, 16)
    with pytest.raises(KernelError, match="g must be contiguous"):
        launch("sigmoid_grad", x.T[:, :2], x, x, 16)
    with pytest.raises(KernelError, match="n is 2147483648, which does not fit into int"):
        launch("sigmoid_grad", x, x, x, 1 << 31)
    with pytest.raises(KernelError, match=r"n is 1\.5, which int cannot hold"):
        launch("sigmoid_grad", x, x, x, 1.5)
    odd = cuda.zeros(66, "uint8")[2:].view("float32")
    with pytest.raises(KernelError, match=r"g is at address 0x\w+2, not a multiple of 4"):
        launch("sigmoid_grad", odd, x, x, 16)
    with pytest.raises(KernelError, match=r"n must be a number \(int\), got str"):
        launch("sigmoid_grad", x, x, x, "16")


def test_a_kernel_that_does_not_compile_names_its_file_and_line(simulated, monkeypatch):
    broken = '#line 1 "kernels/broken.cu"\n\n__global__ void broken(int n) { n = undefined_name; }\n'
    monkeypatch.setattr(launcher, "source", lambda: broken)
    monkeypatch.setattr(launcher, "signature", lambda name: kernels.Signature(name, False, ()))
    with (
        device.simulated_cuda(),
        pytest.raises(KernelError, match=r"(?s)broken: .*kernels/broken\.cu\(2\).*undefined_name"),
    ):
        launch("broken", dtype=None)


def test_a_kernel_belongs_to_the_family_that_its_file_is_named_after():
    assert kernels.files()["sigmoid_grad"] == "activation"
    assert kernels.files().keys() == kernels.signatures().keys()


def test_every_kernel_can_be_asked_for_by_name_for_a_dtype_or_as_it_is():
    templates, others = kernels.expressions(gf.float32), kernels.expressions(None)
    assert "sigmoid_grad<float>" in templates
    assert "check_range" in others
    assert {each.removesuffix("<float>") for each in templates} | set(others) == kernels.signatures().keys()


def test_parameters_that_cannot_be_read_are_refused_when_the_text_is_read(monkeypatch):
    monkeypatch.setattr(kernels, "source", lambda: "__global__ void odd(const short4 x) {}")
    kernels.signatures.cache_clear()
    with pytest.raises(KernelError, match="odd: gradflow cannot read the parameter 'const short4 x'"):
        kernels.signatures()
    monkeypatch.undo()
    kernels.signatures.cache_clear()


# ---- a machine that lacks something


def fake_cupy(**differs: Any) -> Any:
    class Failure(RuntimeError):
        status = 35

    def fail(*arguments: Any) -> Any:
        raise Failure("cudaErrorInsufficientDriver")

    runtime = {"CUDARuntimeError": Failure, "getDeviceCount": fail, "driverGetVersion": fail}
    runtime |= {"runtimeGetVersion": lambda: 12090}
    runtime |= differs
    capability = differs.get("capability", "80")
    parts = {
        "runtime": SimpleNamespace(**runtime),
        "driver": SimpleNamespace(CUDADriverError=Failure),
        "Device": lambda index: SimpleNamespace(compute_capability=capability),
    }
    return SimpleNamespace(__version__="14.2.0", cuda=SimpleNamespace(**parts))


@pytest.mark.parametrize(
    ("module", "error", "words"),
    [
        (None, MissingExtraError, r"needs CuPy.*gradflow\[cuda12\].*gradflow\[cuda13\]"),
        (fake_cupy(), DeviceError, r"CuPy 14\.2\.0 finds no NVIDIA driver or no GPU .*nvidia-smi"),
        (fake_cupy(driverGetVersion=lambda: 11080), DeviceError, r"built for CUDA 12, the driver is for CUDA 11"),
        (fake_cupy(getDeviceCount=lambda: 1, capability="61"), DeviceError, r"compute capability 61.*need 7\.5"),
    ],
    ids=["no CuPy", "no driver", "an old driver", "an old GPU"],
)
def test_what_a_machine_lacks_is_said_and_the_cpu_goes_on(monkeypatch, module, error, words):
    monkeypatch.setitem(sys.modules, "cupy", module)
    with pytest.raises(error, match=words):
        gf.ones(2, device="cuda")
    assert not gf.cuda.is_available()
    assert (gf.ones(2) + 1).tolist() == [2, 2]


def test_with_everything_there_the_backend_is_that_of_cupy(monkeypatch):
    module = fake_cupy(getDeviceCount=lambda: 1)
    monkeypatch.setitem(sys.modules, "cupy", module)
    assert cuda_module.load().xp is module


def failing_to_load(monkeypatch: pytest.MonkeyPatch, xp: Any, error: Exception) -> None:
    def get_function(name: str) -> Any:
        raise error

    monkeypatch.setattr(xp, "RawModule", lambda **options: SimpleNamespace(get_function=get_function))


def test_without_nvrtc_the_error_says_what_to_install(monkeypatch):
    with device.simulated_cuda() as xp:
        failing_to_load(monkeypatch, xp, RuntimeError("CuPy failed to load libnvrtc.so.12"))
        with pytest.raises(MissingExtraError, match=r"sigmoid<float>: .*NVRTC.*libnvrtc.*gradflow\[cuda12\]"):
            gf.sigmoid(gf.ones(2, device="cuda"))


def test_an_error_that_says_what_to_install_says_it_once(monkeypatch):
    with device.simulated_cuda() as xp:
        failing_to_load(
            monkeypatch, xp, MissingExtraError('compiling CUDA needs NVRTC: pip install "gradflow[cuda12]"')
        )
        with pytest.raises(MissingExtraError, match=r"^sigmoid<float>: compiling CUDA needs NVRTC") as caught:
            gf.sigmoid(gf.ones(2, device="cuda"))
    assert str(caught.value).count("pip install") == 1


def test_an_error_of_cuda_while_a_kernel_is_loaded_stays_one(monkeypatch):
    with device.simulated_cuda() as xp:
        failing_to_load(monkeypatch, xp, xp.cuda.runtime.CUDARuntimeError("cudaErrorInvalidDevice"))
        with pytest.raises(DeviceError, match=r"sigmoid: CUDA refused .*cudaErrorInvalidDevice"):
            gf.sigmoid(gf.ones(2, device="cuda"))


# ---- memory


def test_memory_is_reported(cuda):
    before = gf.cuda.memory_allocated()
    x = gf.zeros(1000, device="cuda")
    assert gf.cuda.memory_allocated() - before == 4096  # in units of 512 bytes
    del x
    assert gf.cuda.memory_allocated() == before
    assert gf.cuda.memory_reserved() >= 4096
    gf.cuda.empty_cache()
    free, total = gf.cuda.mem_get_info()
    assert 0 < free <= total


def test_a_stale_gradient_is_refused_on_the_device_too(cuda):
    w = gf.ones(4, device="cuda", requires_grad=True)
    y = (w * 1)[::-2]
    square = y * y
    with gf.no_grad():
        y.detach().add_(1)
    with pytest.raises(GradientError, match="overwritten"):
        square.sum().backward()
