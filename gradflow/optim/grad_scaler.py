"""Loss scaling: gradients of float16 that would vanish are computed larger, and made small again before a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from gradflow import dtypes
from gradflow.device import Device
from gradflow.errors import ArgumentError, CheckpointError, GradientError
from gradflow.mode import recording
from gradflow.ops.create import zeros
from gradflow.ops.scale import unscale, update_scale
from gradflow.optim.arena import flat_gradients
from gradflow.optim.optimizer import Optimizer
from gradflow.tensor import Tensor, tensor

Outputs = TypeVar("Outputs", Tensor, list[Tensor], tuple[Tensor, ...])
Found = dict[Device, Tensor]  # on each device, not 0 if a gradient was not finite on any


class GradScaler:
    """Multiplies losses by a scale, divides gradients by it, and skips steps whose gradients are not finite.

    A skipped step halves the scale (``backoff_factor``); ``growth_interval`` steps in a row double it
    (``growth_factor``). Nothing waits for a GPU: it is the step itself that looks whether to do anything.
    Names and behaviour are those of ``torch.amp.GradScaler``, but gradients may be float16 as well.
    Source: Micikevicius et al., "Mixed precision training", ICLR 2018. Raises ArgumentError for factors out of range.

    >>> import gradflow as gf
    >>> w = gf.tensor([1.0, 2.0], dtype="float16", requires_grad=True)
    >>> optimizer, scaler = gf.optim.SGD([w], lr=0.5), gf.optim.GradScaler(init_scale=1024.0)
    >>> scaler.scale((w * w).sum()).backward()
    >>> scaler.step(optimizer)
    >>> scaler.update()
    >>> w
    tensor([0., 0.], dtype=float16, requires_grad=True)
    """

    def __init__(
        self,
        *,
        init_scale: float = 65536.0,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        if not growth_factor > 1:
            raise ArgumentError(f"GradScaler: growth_factor is {growth_factor}; it must be above 1")
        if not 0 < backoff_factor < 1:
            raise ArgumentError(f"GradScaler: backoff_factor is {backoff_factor}; it must be between 0 and 1")
        self.growth_factor = growth_factor
        self.backoff_factor = backoff_factor
        self.growth_interval = growth_interval
        self.enabled = enabled
        self._scale = tensor(float(init_scale), dtype=dtypes.float32)
        self._tracker = tensor(0, dtype=dtypes.int32)
        self._found: dict[Optimizer, Found] = {}
        self._stepped: set[Optimizer] = set()

    def scale(self, outputs: Outputs) -> Outputs:
        """``outputs``, a tensor or a list or tuple of them, times the scale."""
        if not self.enabled:
            return outputs
        if isinstance(outputs, Tensor):
            self._settle(outputs.device)
            return outputs * self._scale.to(outputs.device)
        return type(outputs)([self.scale(each) for each in outputs])

    def _settle(self, device: Device) -> None:
        """Live on ``device``, if it is the first on a GPU."""
        if self._scale.device.kind == "cpu" and device.kind != "cpu":
            self._scale, self._tracker = self._scale.to(device), self._tracker.to(device)

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients of ``optimizer`` by the scale, in place, as is needed to clip or to look at them.

        Raises GradientError the second time before ``update``, and if there are no gradients.
        """
        if not self.enabled:
            return
        if optimizer in self._stepped:
            raise GradientError("unscale_ comes before step; call update() once all optimizers have made their step")
        if optimizer in self._found:
            raise GradientError("unscale_ has been called for this optimizer already since the last update()")
        gradients = flat_gradients(p for group in optimizer.param_groups for p in group["params"])
        if not gradients:
            raise GradientError("GradScaler: no parameter of the optimizer has a gradient; call backward() first")
        self._settle(gradients[0].device)
        with recording(False):
            found: Found = {}
            for device in {g.device: None for g in gradients}:
                found[device] = zeros((), dtype=dtypes.float32, device=device)
                here = [g for g in gradients if g.device == device]
                unscale(here, self._scale.to(device), found[device])
            _share(found)
        self._found[optimizer] = found

    def step(self, optimizer: Optimizer) -> None:
        """Let ``optimizer`` make a step if its gradients are finite; they are divided by the scale if not done yet.

        Raises GradientError the second time before ``update``, and if there are no gradients.
        """
        if not self.enabled:
            optimizer.step()
            return
        if optimizer in self._stepped:
            raise GradientError("step has been called for this optimizer already since the last update()")
        if optimizer not in self._found:
            self.unscale_(optimizer)
        optimizer.found_inf = self._found[optimizer]
        try:
            optimizer.step()
        finally:
            optimizer.found_inf = {}
        self._stepped.add(optimizer)

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """End an iteration: adapt the scale to what was found, or set it.

        Raises GradientError if there was no step since the last time.
        """
        if not self.enabled:
            return
        with recording(False):
            if new_scale is not None:
                self._scale.copy_(new_scale)
            elif not self._found:
                raise GradientError("GradScaler: update() comes after step(optimizer), which looks at the gradients")
            else:
                here = self._scale.device
                first, *others = [next(iter(each.values())).to(here) for each in self._found.values()]
                for other in others:
                    first.add_(other)
                update_scale(
                    self._scale,
                    self._tracker,
                    first,
                    growth_factor=self.growth_factor,
                    backoff_factor=self.backoff_factor,
                    growth_interval=self.growth_interval,
                )
        self._found.clear()
        self._stepped.clear()

    def get_scale(self) -> float:
        """The scale, 1 if not ``enabled``; this waits for the GPU."""
        return float(self._scale.item()) if self.enabled else 1.0

    def state_dict(self) -> dict[str, Any]:
        """The state, in PyTorch's form; empty if not ``enabled``."""
        if not self.enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self.growth_factor,
            "backoff_factor": self.backoff_factor,
            "growth_interval": self.growth_interval,
            "_growth_tracker": int(self._tracker.item()),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` returned. Raises CheckpointError if something is missing."""
        if not self.enabled:
            return
        missing = self.state_dict().keys() - state.keys()
        if missing:
            names = ", ".join(sorted(missing))
            raise CheckpointError(
                f"GradScaler: the state lacks {names}; was it saved by a scaler that was not enabled?"
            )
        with recording(False):
            self._scale.copy_(float(state["scale"]))
            self._tracker.copy_(int(state["_growth_tracker"]))
        self.growth_factor = state["growth_factor"]
        self.backoff_factor = state["backoff_factor"]
        self.growth_interval = state["growth_interval"]


def _share(found: Found) -> None:
    """What was found on one device counts on all."""
    first, *others = found.values()
    for other in others:
        first.add_(other.to(first.device))
    for other in others:
        other.copy_(first.to(other.device))
