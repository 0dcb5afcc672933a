"""gf.compile: a function that is traced once for each signature and replayed from then on."""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable, Hashable
from types import MethodType
from typing import Any, TypeVar, overload

import numpy as np

from gradflow.compiler.facts import Entry, Facts, standing
from gradflow.compiler.fingerprint import difference, fingerprint
from gradflow.compiler.guards import Guards
from gradflow.compiler.plan import Plan, Slot
from gradflow.compiler.randomness import drawn, states
from gradflow.compiler.signature import aliases, described, flattened, is_array, objects, rebuilt, settings
from gradflow.compiler.trace import Trace, tracing
from gradflow.dispatch import observed
from gradflow.errors import CompileError, DTypeError
from gradflow.mode import mode
from gradflow.tensor import Tensor

Function = TypeVar("Function", bound=Callable[..., Any])

PLANS = 16  # kept for one function
WARNED = 3  # traces for yet other arguments after which that is remarked upon


class RetraceWarning(UserWarning):
    """A compiled function is traced again and again: compiling it costs more than it gains."""


class Compiled:
    """What ``gf.compile`` returns: called like the function, with the function's attributes."""

    def __init__(self, function: Callable[..., Any], exact: bool, fallback: bool) -> None:
        if not callable(function):
            raise DTypeError(f"gf.compile: takes a function or a module, not {type(function).__name__}")
        functools.update_wrapper(self, function, updated=())
        self.function = function
        self.exact = exact
        self.fallback = fallback
        self.plans: dict[Hashable, list[Plan]] = {}
        self.reasons: list[str] = []  # why it was traced, each time
        self.eager: dict[Hashable, str] = {}  # signatures that are run as they are, and why
        self._held: dict[int, Any] = {}  # by their ids, the arrays that the function holds itself
        self._tracing = threading.RLock()
        self._kinds: dict[str, str] = {}  # of the arguments of the last call that was traced
        self._retraced = 0  # how often for arguments of another kind

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # by a profiler, or by the trace of a compiled function that calls this one; or inside vmap or jvp
        if observed() or mode.level is not None:
            return self.function(*args, **kwargs)
        leaves: list[Tensor] = []
        key = self._key(args, kwargs, leaves)
        plans = self.plans.get(key, ())
        for plan in plans:
            if plan.verified and plan.facts.changed() is None:
                return plan.run(leaves)
        if key in self.eager:
            return self.function(*args, **kwargs)
        with self._tracing:  # of two threads one waits, and finds what the other has learned
            guards = Guards(self.function, objects((args, kwargs)))
            self._held = guards.arrays
            leaves.clear()
            key = self._key(args, kwargs, leaves)
            self._note(key, args, kwargs)
            return self._traced(key, guards, args, kwargs, leaves)

    def _key(self, args: Any, kwargs: Any, leaves: list[Tensor]) -> Hashable:
        """The signature of a call; its tensors are added to ``leaves``."""
        held = self._held
        named = flattened(kwargs, leaves, held) if kwargs else None
        return flattened(args, leaves, held), named, aliases(leaves), settings()

    @property
    def plan(self) -> Plan:
        """The plan that was made last: print it, or ask for its ``cost()``. Raises CompileError if there is none."""
        plans = [plan for each in self.plans.values() for plan in each]
        if not plans:
            raise CompileError(f"gf.compile: {self._name} has no plan yet; call it first")
        return plans[-1]

    def explain(self) -> str:
        """How often the function was traced and why, and what its plans are: one line each.

        >>> import gradflow as gf
        >>> double = gf.compile(lambda x: x * 2)
        >>> for size in (2, 2, 2, 3):
        ...     y = double(gf.zeros(size))
        >>> print(double.explain())
        <lambda>: traced 3 times, 2 plans
          traced: the first call
          traced: the second call, to see whether the step does the same again
          traced: args[0] is float32 (3,), was float32 (2,)
          plan: 2 flops, 16 bytes moved, 1 works, 256 bytes of buffers; fused, by LLVM
          plan: 3 flops, 24 bytes moved, 1 works, 256 bytes of buffers; fused, by LLVM; not compared yet
        """
        plans = [plan for each in self.plans.values() for plan in each]
        lines = [f"{self._name}: traced {_times(len(self.reasons))}, {len(plans)} plan{'s' * (len(plans) != 1)}"]
        lines += [f"  traced: {reason}" for reason in self.reasons]
        lines += [f"  plan: {plan.heading}" for plan in plans]
        return "\n".join(lines + [f"  run as it is: {reason}" for reason in self.eager.values()])

    @property
    def _name(self) -> str:
        return str(getattr(self.function, "__name__", type(self.function).__name__))

    def _note(self, key: Hashable, args: Any, kwargs: Any) -> None:
        """Remember why this call is traced, and say so if that goes on and on."""
        kinds = dict([*described("args", args), *described("kwargs", kwargs)])
        reason = self._reason(key, kinds)
        self.reasons.append(reason)
        self._kinds = kinds
        self._retraced += key not in self.plans and bool(self.plans)
        if self._retraced == WARNED and key not in self.plans:
            warnings.warn(
                f"gf.compile: {self._name} was traced for {WARNED + 1} kinds of arguments ({reason}), and each is "
                "compiled anew. Give it arguments of few kinds: batches of one size (drop or pad the last), tensors in "
                "the place of Python numbers that change",
                RetraceWarning,
                stacklevel=3,
            )

    def _reason(self, key: Hashable, kinds: dict[str, str]) -> str:
        """Why a call with the signature ``key``, whose arguments are of ``kinds``, is traced."""
        if key not in self.plans:
            for name, kind in kinds.items():
                if self.plans and self._kinds.get(name) != kind:
                    return f"{name} is {kind}, was {self._kinds.get(name, 'absent')}"
            return "the settings, the layout of an argument or their number changed" if self.plans else "the first call"
        changed = [plan.facts.changed() for plan in self.plans[key]]
        if None in changed or not changed:
            return "the second call, to see whether the step does the same again"
        return str(changed[-1])

    def _traced(self, key: Hashable, guards: Guards, args: Any, kwargs: Any, leaves: list[Tensor]) -> Any:
        trace = Trace(leaves, guards, strict=not self.fallback)
        given = iter(leaves)
        args, kwargs = rebuilt((args, kwargs), lambda _: next(given), is_array)
        entry = [(x, standing(x)) for x in trace.lasting.values()]
        tensors: list[Tensor] = []
        before = states()
        with tracing(trace):
            result = self.function(*args, **kwargs)
            template = _template(result, tensors)
            trace.pull(tensors)
        try:
            _forbid_draws(before)
            self._learn(key, trace, guards, entry, tensors, template)
        except CompileError as error:
            if not self.fallback:
                raise
            self.eager[key] = str(error)
            warnings.warn(f"{error}. This signature is not compiled", RetraceWarning, stacklevel=3)
        return result

    def _learn(
        self, key: Hashable, trace: Trace, guards: Guards, entry: Entry, tensors: list[Tensor], template: Any
    ) -> None:
        """Make a plan of ``trace``, or find that there is one."""
        changed = guards.changed()
        if changed is not None:
            raise CompileError(
                f"gf.compile: the step changed {changed.name} from {changed.was!r} to {changed.get()!r}, which a "
                "replay would not do; keep it in a tensor that is written in place, or change it outside the step"
            )
        switched = guards.switched()
        if switched is not None:
            raise CompileError(
                f"gf.compile: the step changed {switched}, which a replay would not do; write with x.copy_(...), and "
                "do the rest outside the step"
            )
        guards.settle()
        program = trace.finish(tensors)
        facts = Facts(guards, trace.persistent(), entry)
        lines = [*fingerprint(program), ("what the step returns", repr(template))]
        plans = self.plans.setdefault(key, [])
        for plan in plans:
            unlike = difference(plan.lines, lines)
            if unlike is None:
                plan.confirm(facts)
                return
            if plan.facts.changed() is None and not plan.verified:
                plans.remove(plan)
                raise CompileError(
                    f"gf.compile: run twice, the step did not do the same: {unlike} differs. It depends on something "
                    "that changes from call to call and is no argument (a counter, a clock, NumPy's random numbers); "
                    "make it an argument, or a tensor"
                )
        plans.append(Plan(program, template, facts, self.exact))
        self._forget()

    def _forget(self) -> None:
        """Let go of the oldest plans, of more than PLANS."""
        while sum(map(len, self.plans.values())) > PLANS:
            oldest = next(iter(self.plans))
            self.plans[oldest].pop(0)
            if not self.plans[oldest]:
                del self.plans[oldest]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.function, name)

    def __get__(self, instance: Any, owner: type) -> Any:
        """As a method: compiled for each object, whose attributes it looks at."""
        if instance is None:
            return self
        held = vars(instance)
        return held.setdefault(self.__name__, Compiled(MethodType(self.function, instance), self.exact, self.fallback))

    def __reduce__(self) -> Any:
        """A copy has no plans yet: it is compiled when it is called."""
        return Compiled, (self.function, self.exact, self.fallback)


def _forbid_draws(before: dict[str, Any]) -> None:
    name = drawn(before)
    if name is not None:
        raise CompileError(
            f"gf.compile: the step draws from the random numbers of {name}, which a replay would not; draw outside and "
            "pass the number, or use gf.random"
        )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _template(result: Any, tensors: list[Tensor]) -> Any:
    """``result`` with a Slot for each tensor; the tensors, each once, are added to ``tensors``."""
    numbers: dict[int, int] = {}

    def leaf(x: Any) -> Any:
        if not isinstance(x, Tensor):
            raise CompileError(
                f"gf.compile: the step returns a {type(x).__name__}, which would be the same one in every replay; "
                "return a tensor, or a tuple, list or dict"
            )
        if id(x) not in numbers:
            numbers[id(x)] = len(tensors)
            tensors.append(x)
        return Slot(numbers[id(x)])

    return rebuilt(result, leaf, lambda x: isinstance(x, (Tensor, np.ndarray, set, bytearray)))


@overload
def compile(function: Function, *, exact: bool = ..., fallback: bool = ...) -> Function: ...
@overload
def compile(*, exact: bool = ..., fallback: bool = ...) -> Callable[[Function], Function]: ...


def compile(function: Any = None, *, exact: bool = False, fallback: bool = False) -> Any:
    """``function``, or module, traced when it is first called and replayed as a plan from then on.

    A training step, with its forward pass, ``backward``, clipping and the optimizer's step, or an inference. What it
    does to tensors is done again in every call: fused loops, matrix products and buffers that are reused; Python's own
    work (prints, counters) is not. Learning rates, random numbers and running statistics are tensors, and go on.
    Arguments are tensors, arrays, containers of them and hashable values; for each combination of shapes, dtypes and
    values there is a plan. The first two calls of a kind run the function as it is, and are compared.

    With ``exact`` a replay gives the bits of the function itself; otherwise results agree within the tolerance of the
    dtype. With ``fallback`` a step that cannot be replayed is run as it is, after a warning.

    Raises CompileError, at the call, for a step whose replay would differ from it: which reads a tensor's elements,
    keeps a tensor after it has returned, changes Python's state, or does not do the same when it is run twice.

    >>> import gradflow as gf
    >>> w = gf.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = gf.optim.SGD([w], lr=0.1)
    >>> @gf.compile
    ... def step(x):
    ...     optimizer.zero_grad()
    ...     loss = ((w * x).sum() - 1) ** 2
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> for _ in range(4):
    ...     loss = step(gf.tensor([1.0, 1.0]))
    >>> loss
    tensor(0.1866)
    """
    if function is None:
        return lambda each: Compiled(each, exact, fallback)
    return Compiled(function, exact, fallback)
