"""Check a CUDA device against the CPU: every op and kernel, layers, optimizers, random numbers, a training run."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from gradflow.backend import backend_for
from gradflow.device import CPU, Device
from gradflow.device import device as as_device
from gradflow.dtypes import float32, tolerance
from gradflow.errors import ArgumentError
from gradflow.op import Op
from gradflow.testing import layers, parity, simulated_cuda, training

STEPS = 100  # of the training run


class Check(NamedTuple):
    """What was compared, what computed it, the largest error in units of the last place, and what was wrong, if any."""

    name: str
    by: str
    error: float
    wrong: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``--device`` and ``--simulated``."""
    parser.add_argument("--device", default="cuda", help="the device to check, cuda or cuda:N; default: cuda")
    parser.add_argument("--simulated", action="store_true", help="simulate the device: kernels run in an interpreter")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of the training run; default: {STEPS}")


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each check; 0 if all agree, 1 otherwise."""
    device = as_device(arguments.device)
    if device == CPU:
        raise ArgumentError("selftest: the CPU is what a device is checked against; give --device cuda")
    with simulated_cuda() if arguments.simulated else nullcontext():
        print(f"{device}: {_described(device, arguments.simulated)}\n")
        checks = []
        print(f"{'checked':38}{'by':50}{'max error, ulp':>14}  verdict")
        for check in _checks(device, arguments.steps):
            checks.append(check)
            print(f"{check.name:38}{check.by:50}{check.error:14.2f}  {check.wrong or 'agrees'}", flush=True)
    wrong = [check for check in checks if check.wrong]
    print(f"\n{len(checks) - len(wrong)} of {len(checks)} agree with the CPU")
    if wrong:
        print("Please report this: the lines that do not agree, and what 'gradflow info' prints.")
    return int(bool(wrong))


def _described(device: Device, simulated: bool) -> str:
    if simulated:
        return "simulated; kernels are compiled by NVRTC and executed by an interpreter, CuPy's functions are NumPy's"
    properties = backend_for(device).xp.cuda.runtime.getDeviceProperties(device.index)
    return f"{properties['name'].decode()}, compute capability {properties['major']}.{properties['minor']}"


def _checks(device: Device, steps: int) -> Iterator[Check]:
    for op in parity.ops():
        yield _guarded(op.name, partial(_op, op, device))
    for name in layers.LAYERS:
        yield _guarded(f"nn.{name}", partial(_model, layers.layer, name, device))
    for name in training.OPTIMIZERS:
        yield _guarded(f"optim.{name}", partial(_model, training.optimizer, name, device))
    yield _guarded(f"training, {steps} steps", partial(_training, device, steps))


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()._replace(name=name)
    except Exception as error:  # whatever a driver or CuPy raises: the other checks are worth having all the same
        return Check(name, "", float("nan"), f"{type(error).__name__}: {error}")


def _op(op: Op, device: Device) -> Check:
    found = [parity.compare(op, sample, dtype, device) for sample, dtype in parity.examples(op)]
    wrong = next((f"{each.sample} {each.dtype}: at most {each.allowed:.0f}" for each in found if not each.agrees), "")
    return Check("", ", ".join(sorted({each.by for each in found})), max(each.error for each in found), wrong)


def _model(run: Callable[[str, Device], list[Any]], name: str, device: Device) -> Check:
    pairs = zip(run(name, device), run(name, CPU), strict=True)
    distances = [parity.distance(found, expected) for found, expected in pairs]
    wrong = any(not error <= allowed for error, allowed in distances)
    return Check("", "", max(error for error, _ in distances), "differs" if wrong else "")


def _training(device: Device, steps: int) -> Check:
    found, expected = (np.array(list(training.digits_losses(each, steps))) for each in (device, CPU))
    relative = float(np.max(np.abs(found - expected) / expected))
    wrong = not relative <= steps * tolerance(float32)
    return Check(
        "", "", relative / float(np.finfo(np.float32).eps), f"losses differ by {relative:.1e}" if wrong else ""
    )
