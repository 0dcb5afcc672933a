"""Tracing: one run of a step, watched at the door and written down as a program."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gradflow.backend import backend_of
from gradflow.compiler.apart import Apart
from gradflow.compiler.facts import OWN, standing
from gradflow.compiler.guards import Guards
from gradflow.compiler.holders import Holders
from gradflow.compiler.leftovers import forbid_escapes, forbid_sweeps
from gradflow.compiler.places import Places
from gradflow.compiler.program import (
    COMPUTED,
    CONSTANT,
    STATE,
    Argument,
    Call,
    Effect,
    LeftOn,
    Program,
    Pullback,
    Storage,
    Value,
)
from gradflow.compiler.seals import Seals
from gradflow.dispatch import Observer, observed_by
from gradflow.errors import CompileError
from gradflow.mode import mode
from gradflow.op import Op
from gradflow.site import caller, described
from gradflow.tape import Node, _numbers, gradients
from gradflow.tensor import Tensor, copied

UNIFORM = 1 << 20  # elements up to which what is written to is copied, should it turn out to be made in the step
PASSING = 3  # references to a leaf that are the trace's own when it looks: the dict's, the variable's, the question's
IN_THE_TRACE = 2  # references to an array that are the trace's own when it looks: its storage's, the question's


class Trace(Observer):
    """What passed the door while a step ran."""

    def __init__(self, arguments: list[Tensor], guards: Guards, strict: bool = True) -> None:
        self.arguments = arguments
        self.captured = guards.tensors  # by id
        self.lasting = {id(x): x for x in guards.leaves()}  # leaves that were there before and will be
        self.bare = {id(x) for x in arguments if x.grad is None}
        self.foreign: dict[int, tuple[Tensor, Tensor]] = {}  # gradients from before, by id, and whose they are
        self.fixed = {id(x) for x in arguments if x.grad_slot is not None or id(x.data) in guards.arrays}
        self.began = next(_numbers)  # nodes with lower numbers were there before
        self.before: dict[int, Node] = {}  # such nodes, by id, that had not been swept when they were met
        self.strict = strict  # reads of elements are errors at once; otherwise they are noted, and the step goes on
        self.problem: CompileError | None = None
        self.pullbacks: list[Pullback] = []
        self.tensors: dict[int, weakref.ref[Tensor]] = {}  # that were there before
        self.calls: list[Call] = []
        self.leaves: dict[int, Tensor] = {}
        self._places = Places()
        self._seals = Seals()
        for _, array, _ in self.captured.values():
            self._seals.seal(array)
        self._made: list[tuple[weakref.ref[Tensor], Call]] = []
        self.inputs = [self._argument(x) for x in arguments]
        self.leaves |= self.lasting
        for x in self.lasting.values():
            self._track(x)

    def _argument(self, x: Tensor) -> Value:
        known = self._places.known(x.data)
        if known is None and id(x) in self.fixed:
            known = self._places.value(x.data)  # a parameter, say: it lies where it lies
        elif known is None:
            known = self._places.argument(x.data)
        self._track(x)
        self._seals.seal(x.data)
        return known

    def _track(self, x: Tensor) -> None:
        """Note that gradients may flow to ``x``, if it is a leaf or was computed before the step."""
        if x.requires_grad and (x.node is None or x.node.number < self.began):
            self.leaves[id(x)] = x
            if x.grad is not None and standing(x) is OWN and self._places.known(x.grad.data) is None:
                self.foreign[id(x.grad)] = x.grad, x
            if x.node is not None and x.node.inputs is not None:
                self.before[id(x.node)] = x.node

    # ---- what the door tells

    def begins(self, op: Op, inputs: tuple[Any, ...], into: Tensor | None) -> None:
        self._seals.end_action()
        if into is not None:
            self._places.value(into.data)  # was there before
        for x in inputs:
            if isinstance(x, Tensor) and self._places.value(x.data).storage.origin != COMPUTED:
                self._seals.seal(x.data)
        for position in op.mutated(len(inputs)):
            x = inputs[position]
            if isinstance(x, Tensor):
                self._keep_initial(self._places.value(x.data).storage, x)
                self._forbid_bypass(f"before {op.name} at {described(caller(3))}", x.data)

    def _keep_initial(self, storage: Storage, x: Tensor) -> None:
        """Remember what ``storage`` holds, in case that it was made in the step and must be made again."""
        if storage.origin == STATE and storage.initial is None and x.grad_slot is None and x.data.size <= UNIFORM:
            storage.initial = copied(storage.array)

    def saw(self, op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any], out: Tensor | None) -> None:
        arguments = tuple(self._places.value(x.data) if isinstance(x, Tensor) else x for x in inputs)
        for x in inputs:
            if isinstance(x, Tensor):
                self._meet(x)
        call = Call(op, arguments, attrs, None, caller(2))
        if out is None:
            self.calls.append(call)
            for position in op.mutated(len(inputs)):
                if isinstance(x := inputs[position], Tensor):
                    self._seals.renew(x.data)
            return
        known = self._places.known(out.data)
        if known is None:
            known, is_view = self._places.result(out.data, [x.storage for x in arguments if isinstance(x, Value)])
            if is_view:  # there is nothing to compute
                self._made.append((weakref.ref(out), call))
                return
        elif any(isinstance(x, Value) and x is known for x in arguments):
            return  # the op gave back what it was given
        call.out = known
        self.calls.append(call)
        self._seals.renew(out.data)
        if known.storage.origin == COMPUTED:
            self._made.append((weakref.ref(out), call))

    def _meet(self, x: Tensor) -> None:
        self._track(x)
        if self._places.value(x.data).storage.origin == STATE and id(x) not in self.tensors:
            self.tensors[id(x)] = weakref.ref(x)
            self._forbid_sum(x)

    def _forbid_sum(self, x: Tensor) -> None:
        """Note a problem if ``x`` is a gradient from before the step, another tensor in each call."""
        if id(x) in self.foreign:
            self._problem(
                f"gf.compile: the step reads the gradient that a leaf of shape {x.shape} had before, at "
                f"{described(caller(3))}, which lies elsewhere in each call; set it to None first, or, to add up "
                "gradients, give the leaf to an optimizer, which has a place for them"
            )

    def _problem(self, message: str) -> None:
        problem = CompileError(message)
        if self.strict:
            raise problem
        self.problem = self.problem or problem

    def performs(self, action: Callable[[], None]) -> None:
        site = caller(2)
        self._forbid_bypass(f"before {described(site)}")
        self._seals.begin_action()
        self.calls.append(Call(None, action=action, site=site))

    def _forbid_bypass(self, when: str, near: Any = None) -> None:
        """Note a problem if NumPy wrote to memory (that the array ``near`` shares) that the door knew."""
        message = self._seals.bypassed(when, near)
        if message is not None:
            self._problem(message)

    def reads(self, attempt: str) -> None:
        """Someone asks for the elements of a tensor: what depends on them a replay could not know."""
        self._problem(
            f"gf.compile: {attempt} reads a tensor's elements inside the compiled step, at {described(caller(3))}; a "
            "replay runs no Python that could see them. Return the tensor and read it outside, choose with gf.where, "
            "or compile with fallback=True, which leaves such a step as it is"
        )

    # ---- the end

    def pull(self, outputs: list[Tensor]) -> None:
        """Trace the backward pass of each of ``outputs`` that has one to come, as a phase of its own."""
        self._drop_passing()
        of = [x for x in (*self.arguments, *self.leaves.values()) if x.requires_grad]
        of = list({id(x): x for x in of}.values())
        for number, x in enumerate(outputs):
            if x.node is None or x.node.inputs is None or x.node.number < self.began:
                continue
            self.calls.append(Call(None))
            seed = Tensor(backend_of(x.data).xp.ones_like(x.data))
            value = self._argument(seed)
            parts = gradients(x, of, seed, retain_graph=True, beyond=False)
            found = [None if part is None else self._places.value(part.data) for part in parts]
            self.pullbacks.append(Pullback(number, value, [self._leaf(each) for each in of], found))

    def _drop_passing(self) -> None:
        """Forget leaves that were made in the step: nobody will ask for their gradients."""
        given = {id(x) for x in self.arguments}
        for key in list(self.leaves):
            leaf = self.leaves[key]
            if key in self.lasting or key in given or leaf.grad_slot is not None:
                continue
            if self._places.value(leaf.data).storage.origin != STATE or sys.getrefcount(leaf) <= PASSING:
                del self.leaves[key]

    def finish(self, outputs: list[Tensor]) -> Program:
        """The program, given the tensors that the step returned.

        Raises CompileError if a value was read, for a tensor made in the step that something else still holds, and for
        an argument that shares memory with what the step writes.
        """
        if self.problem is not None:
            raise self.problem
        bypassed = self._seals.bypassed("before it returned")
        forbid_sweeps(self.before.values())
        effects = [self._effect(leaf) for leaf in self.leaves.values() if leaf.is_leaf]
        wanted = [self._output(x) for x in outputs]
        forbid_escapes(self._made, outputs, [leaf.grad for leaf in self.leaves.values()])
        self._places.release()
        self._seals.release()
        holders = Holders(outputs)
        for storage in self._places.storages:
            if storage.origin == STATE:
                self._settle(storage, holders)
        given = [each for each in effects if each is not None]
        program = Program(self.inputs, self.calls, wanted, given, self._places.storages, self.pullbacks)
        Apart(program).check([x.data for x in self.arguments])
        if bypassed is not None:
            raise CompileError(bypassed)
        return program

    def persistent(self) -> list[Tensor]:
        """The tensors that were there before, are still there, and are no gradients."""
        gradients = {id(leaf.grad) for leaf in self.leaves.values()}
        found = [ref() for ref in self.tensors.values()]
        return [x for x in found if x is not None and id(x) not in gradients]

    def _output(self, x: Tensor) -> Any:
        """``x``, which the step returned, as a replay finds it."""
        for number, argument in enumerate(self.arguments):
            if x is argument:
                return Argument(number)
        for leaf in self.leaves.values():
            if x is leaf.grad and self._effect(leaf) is not None:
                return LeftOn(self._leaf(leaf))
        if id(x) in self.captured or id(x) in self.leaves:
            return x
        if x.requires_grad and x.node is None:
            raise CompileError(
                f"gf.compile: the step returns a leaf of shape {x.shape} that it has made and that requires grad, "
                "which a replay would not make; return it detached, and call requires_grad_() on it outside"
            )
        return self._places.value(x.data)

    def _effect(self, given: Tensor) -> Effect | None:
        grad = given.grad
        leaf = self._leaf(given)
        if grad is None:
            left = isinstance(leaf, Argument) and id(given) in self.bare
            return None if left else Effect(leaf, "none")
        if given.grad_slot is not None and grad.data is given.grad_slot.tensor.data:
            return Effect(leaf, "slot", self._places.known(grad.data))
        known = self._places.known(grad.data)
        if known is not None and known.storage.origin == COMPUTED:
            return Effect(leaf, "value", known)
        return None  # it was there before, and was left alone

    def _leaf(self, x: Tensor) -> Tensor | Argument:
        """``x``, or which argument it is: another tensor in each call."""
        numbers = (Argument(i) for i, each in enumerate(self.arguments) if each is x and id(x) not in self.fixed)
        return next(numbers, x)

    def _settle(self, storage: Storage, holders: Holders) -> None:
        """Tell what was there before the step, which others hold too, from what was made in it."""
        if sys.getrefcount(storage.array) > IN_THE_TRACE + holders.of(storage.array):
            storage.initial = None
            return
        storage.origin = CONSTANT
        if holders.of(storage.array):  # whoever got a result may write to it
            storage.array = copied(storage.array)


@contextmanager
def tracing(trace: Trace) -> Iterator[None]:
    """Write down in ``trace`` what passes the door of this thread until the block ends."""
    before, mode.reading = mode.reading, trace.reads
    try:
        with observed_by(trace):
            yield
    finally:
        mode.reading = before
