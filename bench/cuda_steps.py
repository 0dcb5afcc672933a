"""Training steps on a GPU that read nothing back, as each library is meant to be used there."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from bench.cases import Case

Step = Callable[[], object]


def gradflow_eager(case: Case) -> dict[str, Step]:
    """gradflow as it is."""
    step, x, labels = _gradflow(case)
    return {"gradflow eager": lambda: step(x, labels)}


def gradflow_compiled(case: Case) -> dict[str, Step]:
    """gradflow compiled; and what a replay is made of: the graph alone, and the same launches one by one."""
    import gradflow as gf

    step, x, labels = _gradflow(case)
    compiled: Any = gf.compile(step)
    for _ in range(4):  # traced, compared, launched, captured
        compiled(x, labels)
    ways: dict[str, Step] = {"gradflow compiled": lambda: compiled(x, labels)}
    ((plan,),) = compiled.plans.values()
    phase = plan._replay._phases[0]
    if phase.refused or phase.hosted:
        raise RuntimeError(f"not one graph: {phase.refused or phase.hosted}")
    return ways | {f"  its graph of {phase.launches}": phase.run, "  as a launch list": phase.launch_list}


def _gradflow(case: Case) -> tuple[Callable[..., Any], Any, Any]:
    import gradflow as gf
    from gradflow import nn

    model = nn.Sequential()
    for weight, bias in case.weights():
        outputs, inputs = weight.shape
        layer = nn.Linear(inputs, outputs)
        layer.load_state_dict({"weight": weight, "bias": bias})
        model.extend([layer, nn.ReLU()])
    model = model[:-1].to("cuda")
    optimizer = gf.optim.Adam(model.parameters())
    x, labels = (gf.tensor(each, device="cuda") for each in case.batches()[0])

    def step(x: Any, labels: Any) -> Any:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss

    return step, x, labels


def torch_eager(case: Case) -> dict[str, Step]:
    """PyTorch as it is, with its fused Adam."""
    step, x, labels = _torch(case)
    return {"PyTorch eager": lambda: step(x, labels)}


def torch_graph(case: Case) -> dict[str, Step]:
    """The same step captured in a CUDA graph by hand: forward, backward and update."""
    import torch

    step, x, labels = _torch(case)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step(x, labels)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step(x, labels)
    return {"PyTorch in a CUDA graph": graph.replay}


def torch_compile(case: Case) -> dict[str, Step]:
    """torch.compile of the loss, in the mode that captures graphs; the update is PyTorch's fused one."""
    import torch

    step, x, labels = _torch(case, lambda loss: torch.compile(loss, mode="reduce-overhead"))
    for _ in range(5):
        step(x, labels)
    return {"torch.compile": lambda: step(x, labels)}


def _torch(case: Case, transform: Callable[[Any], Any] = lambda loss: loss) -> tuple[Callable[..., Any], Any, Any]:
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    model = torch.nn.Sequential()
    for weight, bias in case.weights():
        outputs, inputs = weight.shape
        layer = torch.nn.Linear(inputs, outputs)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(weight))
            layer.bias.copy_(torch.from_numpy(bias))
        model.extend([layer, torch.nn.ReLU()])
    model = model[:-1].cuda()
    optimizer = torch.optim.Adam(model.parameters(), fused=True, capturable=True)
    x, labels = (torch.from_numpy(each).cuda() for each in case.batches()[0])
    loss_of = transform(lambda x, labels: torch.nn.functional.cross_entropy(model(x), labels))

    def step(x: Any, labels: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_of(x, labels)
        loss.backward()
        optimizer.step()
        return loss

    return step, x, labels


def jax_jit(case: Case) -> dict[str, Step]:
    """JAX, the whole step by jit; its loss is read back, since that is how it is known to be done."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # the others have arrays here, too
    import jax

    from bench.engines.jax import build

    if jax.default_backend() != "gpu":
        raise RuntimeError(f"this JAX computes on {jax.default_backend()}")
    jax.config.update("jax_default_matmul_precision", "highest")  # not TF32, as the others
    step = build(case)
    step()
    return {"jax.jit (reads the loss)": step}


# in the order in which they are timed: what takes long to compile comes last
WAYS = (gradflow_eager, gradflow_compiled, torch_eager, torch_graph, torch_compile, jax_jit)
