"""Where in a model an error happened: the layer's path, its parameters, its input and what made that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gradflow.errors import GradflowError
from gradflow.nn.parameter import Parameter
from gradflow.shapes import Shape

if TYPE_CHECKING:
    from gradflow.nn.module import Module


def locate(error: GradflowError, module: Module, inputs: tuple[Any, ...]) -> None:
    """Say in the message of ``error`` that it left ``module``, which was called with ``inputs``."""
    tensors = [x for x in inputs if hasattr(x, "shape")]
    trail: Trail | None = vars(error).get("trail")
    if trail is None:
        trail = vars(error)["trail"] = Trail.of(str(error), module, tensors)
    else:
        trail.rise(module, tensors)
    error.args = (str(trail),)


def join(path: str, name: str) -> str:
    """The dotted path of ``name`` in ``path``, either of which may be empty."""
    return f"{path}.{name}" if path and name else path or name


@dataclass
class Trail:
    """What is known of a layer that failed, while its error rises through the modules around it.

    Paths are seen from the module that the error left last. Modules and tensors are known by their ids, so
    that an error which is kept keeps no model alive; the frames it rises through do while ids are compared.
    """

    message: str  # what the error said by itself
    layer: str
    parameters: list[tuple[str, Shape]]
    inputs: list[Shape]
    inside: int  # the module that the error left last
    source: int | None  # the tensor whose maker is looked for; None once that is found, or cannot be
    path: str = ""
    maker: str = ""
    maker_path: str = ""

    @classmethod
    def of(cls, message: str, layer: Module, tensors: list[Any]) -> Trail:
        # a bias has the size of its weight's result: to name it too would only make the message longer
        parameters = [(n, p.shape) for n, p in vars(layer).items() if isinstance(p, Parameter) and n != "bias"]
        shapes = [tuple(x.shape) for x in tensors]
        return cls(message, layer.heading, parameters, shapes, id(layer), id(tensors[0]) if tensors else None)

    def rise(self, module: Module, tensors: list[Any]) -> None:
        """See everything from ``module``, whose ``forward`` called the module that the error left last."""
        name = next((path for path, each in module.named_modules() if id(each) == self.inside), "?")
        self.path = join(name, self.path)
        if self.maker:
            self.maker_path = join(name, self.maker_path)
        elif self.source is not None:
            self._look_for_maker(module, id(tensors[0]) if tensors else None)
        self.inside = id(module)

    def _look_for_maker(self, module: Module, given: int | None) -> None:
        steps = module.steps()
        places = [i for i, (_, step) in enumerate(steps) if id(step) == self.inside]
        if len(places) != 1:  # unknown, but for what a module handed on to the first layer it called
            self.source = given if given == self.source else None
            return
        self.source = given
        for path, stage in reversed([stage for step in steps[: places[0]] for stage in _stages(*step)]):
            if not stage.keeps_shape:
                self.maker, self.maker_path, self.source = stage.heading, path, None
                return

    def __str__(self) -> str:
        layer = f"{self.path}, {self.layer}" if self.path else self.layer
        facts = [", ".join(f"{join(self.path, name)} is {shape}" for name, shape in self.parameters)]
        if self.inputs:
            verb = "input is" if len(self.inputs) == 1 else "inputs are"
            origin = f" from {self.maker_path}, {self.maker}" if self.maker else ""
            facts.append(f"its {verb} {' and '.join(map(str, self.inputs))}{origin}")
        return f"{self.message}\n  in {layer}: {'; '.join(filter(None, facts)) or 'called without an array'}"


def _stages(path: str, module: Module) -> list[tuple[str, Module]]:
    """What runs when ``module`` is called, one after the other, as far as that is known."""
    steps = module.steps()
    return [stage for name, step in steps for stage in _stages(join(path, name), step)] or [(path, module)]
