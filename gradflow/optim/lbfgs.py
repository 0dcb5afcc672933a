"""L-BFGS over parameters: directions from the last steps and what they changed of the gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from gradflow.errors import ArgumentError, CompileError
from gradflow.mode import enable_grad, recording
from gradflow.ops.create import zeros_like
from gradflow.ops.join import concat
from gradflow.ops.shape import reshape
from gradflow.optim.group import check_range
from gradflow.optim.optimizer import Optimizer
from gradflow.optim.state import check_groups, groups_of, load_options
from gradflow.optimize.flat import Flat
from gradflow.optimize.line_search import Trial, search
from gradflow.optimize.models import Limited
from gradflow.optimize.objective import inner, largest
from gradflow.tensor import Tensor

CURVATURE = 0.9  # the share of the slope that a line search may leave
LEAST_BEND = 1e-10  # of a step and the change of the gradient that it made, for them to be remembered

Closure = Callable[[], Tensor]


class _Last(NamedTuple):
    """The last step: where from, where to, how far, and the gradient before it."""

    direction: Tensor
    step: float
    gradient: Tensor


class LBFGS(Optimizer):
    """Up to ``max_iter`` iterations of L-BFGS in each ``step(closure)``, with the last ``history_size`` steps in mind.

    ``closure`` clears the gradients, computes the loss, calls ``backward`` and returns the loss; it is called once or
    more for each iteration, ``max_eval`` times in all (1.25 times ``max_iter``). With ``line_search_fn="strong_wolfe"``
    steps satisfy the strong Wolfe conditions, otherwise they are ``lr`` times the direction. A ``step`` ends when the
    largest element of the gradient is at most ``tolerance_grad``, or of the step, or the change of the loss,
    ``tolerance_change``. There is one group of parameters, of one real dtype. The directions are those of
    ``gf.optimize.minimize``, which is the better choice where the data are all at hand.

    Names, defaults and numerics are PyTorch's. Raises ArgumentError for several groups, and for a step without closure;
    CompileError in a compiled step: compile the closure instead. Source: Liu & Nocedal, Math. Programming 45 (1989).

    >>> import gradflow as gf
    >>> w = gf.tensor([3.0, -2.0], requires_grad=True)
    >>> optimizer = gf.optim.LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((w - gf.tensor([1.0, 2.0])) ** 4).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure).item()
    272.0
    >>> w.detach().round(1)
    tensor([1., 2.])
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        options = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        self.evaluations = self.iterations = 0
        self.model = Limited(history_size)
        self.last: _Last | None = None
        super().__init__(params, options)
        self._flat()  # raises for parameters that do not fit together

    def check(self, options: dict[str, Any]) -> None:
        if self.param_groups:
            raise ArgumentError("LBFGS: there is one group of parameters; make an optimizer for each group")
        for name in ("lr", "tolerance_grad", "tolerance_change"):
            check_range(name, options[name], 0.0)
        for name in ("max_iter", "max_eval", "history_size"):
            check_range(name, options[name], 1)
        if options["line_search_fn"] not in (None, "strong_wolfe"):
            raise ArgumentError(f"line_search_fn is {options['line_search_fn']!r}; it is 'strong_wolfe' or None")

    def state_names(self, options: dict[str, Any]) -> tuple[str, ...]:
        return ()

    def step(self, closure: Closure | None = None) -> Tensor:
        """Iterate, and return the loss that ``closure`` computed first."""
        if closure is None:
            raise ArgumentError("LBFGS: a step needs the loss more than once; write optimizer.step(closure)")
        group = self.param_groups[0]
        self.model.size, least = group["history_size"], group["tolerance_change"]
        until = self.evaluations + group["max_eval"]
        first, value, gradient = self._evaluated(closure)
        with recording(False):
            for left in reversed(range(group["max_iter"])):
                if self.evaluations >= until or largest(gradient) <= group["tolerance_grad"]:
                    break
                self.last = self._next(gradient, float(group["lr"]))
                if inner(self.last.direction, gradient) > -least:
                    break
                before = value
                if group["line_search_fn"] is not None:
                    value, gradient = self._searched(closure, value, until - self.evaluations + 1)
                else:
                    self._set(self._flat().vector + self.last.direction * self.last.step)
                    if not left:
                        break  # nobody looks at the loss there
                    _, value, gradient = self._evaluated(closure)
                if abs(value - before) < least or largest(self.last.direction) * abs(self.last.step) <= least:
                    break
        return first

    def _next(self, gradient: Tensor, rate: float) -> _Last:
        """The step that is to be done from a point with this gradient, after what the last one taught."""
        self.iterations += 1
        if self.last is None:
            rate *= min(1.0, 1.0 / float(abs(gradient).sum().item()))
        else:
            moved, change = self.last.direction * self.last.step, gradient - self.last.gradient
            if inner(moved, change) > LEAST_BEND:
                self.model.learn(moved, change, gradient)
        return _Last(self.model.direction(gradient), rate, gradient)

    def _searched(self, closure: Closure, value: float, tries: int) -> tuple[float, Tensor]:
        """Value and gradient after a step that satisfies the strong Wolfe conditions, or the best of so many tries."""
        assert self.last is not None
        direction, step, gradient = self.last
        x = self._flat().vector.copy()

        def attempt(step: float) -> Trial:
            there = x + direction * step
            self._set(there)
            _, value, gradient = self._evaluated(closure)
            return Trial(step, value, inner(gradient, direction), there, gradient)

        start = Trial(0.0, value, inner(direction, gradient), x, gradient)
        found = search(attempt, start, step, CURVATURE, 0.0, tries) or start
        self._set(found.x)
        self.last = self.last._replace(step=found.step)
        return found.value, found.gradient

    def _flat(self) -> Flat:
        return Flat("LBFGS", self.param_groups[0]["params"], "params")

    def _set(self, x: Tensor) -> None:
        for p, part in zip(self.param_groups[0]["params"], self._flat().filled(x), strict=True):
            p.copy_(part)

    def _evaluated(self, closure: Closure) -> tuple[Tensor, float, Tensor]:
        self.evaluations += 1
        with enable_grad():
            loss = closure()
        with recording(False):
            try:
                value = float(loss.item())
            except CompileError as error:
                raise CompileError(
                    "LBFGS: a step decides by the loss what to do next, and cannot be part of a compiled step; call it "
                    "outside, with a closure that is compiled"
                ) from error
            gradients = [zeros_like(p) if p.grad is None else p.grad.detach() for p in self.param_groups[0]["params"]]
            return loss, value, concat([reshape(g, (-1,)) for g in gradients]).copy()

    def state_dict(self) -> dict[str, Any]:
        """State and options in PyTorch's form, with copies: the state is that of parameter 0, vectors are of all."""
        state: dict[str, Any] = {"func_evals": self.evaluations, "n_iter": self.iterations}
        if self.last is not None:
            direction, step, gradient = self.last
            state.update(d=direction.copy(), t=step, prev_flat_grad=gradient.copy())
            state["old_stps"], state["old_dirs"] = ([pair[i].copy() for pair in self.model.pairs] for i in (0, 1))
        return {"state": {0: state} if self.evaluations else {}, "param_groups": groups_of(self)}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        check_groups(self, saved)
        load_options(self, saved)
        state = saved["state"].get(0, {})
        self.evaluations, self.iterations = state.get("func_evals", 0), state.get("n_iter", 0)
        self.model.forget()
        self.last = None
        if "d" in state:
            flat = self._flat()
            direction, gradient = (flat.flattened(name, state[name]) for name in ("d", "prev_flat_grad"))
            self.last = _Last(direction.copy(), float(state["t"]), gradient.copy())
            steps, changes = (
                [flat.flattened(name, x).copy() for x in state[name]] for name in ("old_stps", "old_dirs")
            )
            self.model.pairs = list(zip(steps, changes, strict=True))
            self.model.empty = not self.model.pairs
