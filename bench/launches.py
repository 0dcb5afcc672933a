"""Kernel launches of one eager training step, counted on the simulated device, beside PyTorch's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import util
from typing import Any, NamedTuple

import gradflow as gf
from bench.cases import ADAM_BYTES, Case
from bench.table import Table
from gradflow.profiling import Report

TENSORS = 1000  # parameters of the optimizer alone
SLACK = 1.02  # as for all kernels
KERNELS = {"nll_loss_backward": 2}  # it fills the gradient with zeros first; other ops of PyTorch's step launch one


class Optimizer(NamedTuple):
    """What updating TENSORS tensors took."""

    launches: int
    bytes: float  # for each parameter

    @property
    def within(self) -> bool:
        """Whether it is one launch that moves no more than it must."""
        return self.launches == 1 and self.bytes <= ADAM_BYTES * SLACK


def bound(layers: int) -> int:
    """How many launches a step may take: per layer a product forward and two backward, an activation both ways and a
    sum for the bias, of which the first and the last layer need less; then the loss both ways, its seed and Adam.
    """
    return 6 * layers + 2


def breaks(report: Report, layers: int) -> bool:
    """Whether a step launched more than it may, or copied or waited at all."""
    return report.launches > bound(layers) or report.copies + report.syncs > 0


def net(layers: int) -> Case:
    """A network of that many layers, small enough to be simulated."""
    return Case(f"{layers} layers", (16, *[32] * (layers - 1), 10), 8)


def step_on(case: Case, device: str) -> Callable[[], object]:
    """An eager training step of ``case`` on ``device``, as users write it."""
    model = gf.nn.Sequential()
    for inputs, outputs in zip(case.sizes, case.sizes[1:], strict=False):
        model.extend([gf.nn.Linear(inputs, outputs), gf.nn.ReLU()])
    model = model[:-1].to(device)
    optimizer = gf.optim.Adam(model.parameters())
    x, labels = (gf.tensor(each, device=device) for each in case.batches()[0])

    def step() -> object:
        optimizer.zero_grad()
        loss = gf.nn.functional.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss

    return step


def of_step(layers: int) -> Report:
    """What one step of a net with that many layers does on the current CUDA device."""
    return gf.profile(step_on(net(layers), "cuda"))


def of_adam(tensors: int) -> Optimizer:
    """What Adam does for that many parameter tensors on the current CUDA device, which is to be simulated."""
    parameters = [gf.ones((4, 16), device="cuda").requires_grad_() for _ in range(tensors)]
    optimizer = gf.optim.Adam(parameters)
    for p in parameters:
        p.grad = gf.ones(p.shape, device="cuda")
    report = gf.profile(optimizer.step)
    return Optimizer(report.launches, report.total.traffic / sum(p.size for p in parameters))


# ---- PyTorch


def pytorch_formula(layers: int, fused: bool) -> int:
    """Launches of PyTorch's eager step on a GPU, forward and backward 6L+3 and Adam 2 (fused) or 7 (foreach)."""
    return 6 * layers + (5 if fused else 10)


def pytorch_counted(layers: int, fused: bool) -> int:
    """The same, from the ops that this machine's PyTorch dispatches in that step on the CPU.

    Views, profiling marks and reads of single numbers launch nothing, nor do the step counters of foreach, which stay
    on the CPU; every other op launches one kernel, but for those in KERNELS.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class Counting(TorchDispatchMode):  # type: ignore[misc]
        launches = 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            name = func.overloadpacket.__name__
            counters = name == "_foreach_add_" and args[0][0].ndim == 0 and not fused
            if not (func.is_view or counters or name.startswith(("_record_function", "_local_scalar"))):
                self.launches += KERNELS.get(name, 1)
            return func(*args, **(kwargs or {}))

    step = _step_of_pytorch(torch, net(layers), fused)
    step()
    with Counting() as counting:
        step()
    return counting.launches


def _step_of_pytorch(torch: Any, case: Case, fused: bool) -> Callable[[], None]:
    model = torch.nn.Sequential()
    for inputs, outputs in zip(case.sizes, case.sizes[1:], strict=False):
        model.extend([torch.nn.Linear(inputs, outputs), torch.nn.ReLU()])
    model = model[:-1]
    optimizer = torch.optim.Adam(model.parameters(), fused=fused, foreach=not fused)
    x, labels = map(torch.from_numpy, case.batches()[0])

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()

    return step


# ---- the table


def compare(layers: Sequence[int]) -> tuple[list[Table], bool]:
    """The tables of steps with so many layers and of Adam alone, and whether all are within their bounds."""
    with gf.testing.simulated_cuda():
        steps = {each: of_step(each) for each in layers}
        adam = of_adam(TENSORS)
    counted = util.find_spec("torch") is not None
    peer = pytorch_counted if counted else pytorch_formula
    rows = [
        [
            f"{each}",
            f"{report.launches}",
            f"{bound(each)}",
            f"{report.copies + report.syncs}",
            f"{peer(each, False)}",
            f"{peer(each, True)}",
        ]
        for each, report in steps.items()
    ]
    over = [each for each, report in steps.items() if breaks(report, each)]
    notes = [
        f"PyTorch: {'ops counted here by TorchDispatchMode' if counted else 'not installed; 6L+10 and 6L+5'}, as many "
        "kernels on a GPU",
        "gradflow: counted on the simulated device; for both, a matrix product is one launch, which cuBLAS may split",
        *(f"over the bound for {each} layers:\n{steps[each].table('launches')}" for each in over[:1]),
    ]
    header = ["layers", "gradflow", "bound 6L+2", "copies, waits", "PyTorch, foreach Adam", "PyTorch, fused Adam"]
    by_adam = [f"{TENSORS:,}", f"{adam.launches}", "1", f"{adam.bytes:.2f}", f"{ADAM_BYTES}"]
    alone = Table("Adam alone", ["tensors", "launches", "bound", "bytes a parameter", "minimum"], [by_adam])
    return [Table("launches of an eager training step", header, rows, notes), alone], not over and adam.within
