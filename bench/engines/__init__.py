"""The libraries that are timed: each file here builds the same training step in one of them.

A file has a docstring, ``PACKAGE`` (the name to import and to give to pip) and ``build``, which takes a case and
returns a step: each call trains on the next batch and returns the loss from before the update, as a float. It
imports the package inside ``build``, so that what is not installed can still be listed, and raises ``Unavailable``
where the machine lacks something else. ``build`` is called again whenever training starts anew, so what takes long to
compile is kept for the next call. ``ENVIRONMENT`` holds variables that its process needs, and ``CACHE`` names the one
that says where the library keeps compiled code on disk.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module, metadata, util

from bench.cases import Case

Step = Callable[[], float]
Build = Callable[[Case], Step]


class Unavailable(Exception):
    """This machine, or this version, has not what an engine needs."""


@dataclass(frozen=True)
class Engine:
    """One library, by the module that builds steps in it."""

    module: str
    package: str
    environment: Mapping[str, str] = field(default_factory=dict)
    cache: str = ""

    @property
    def name(self) -> str:
        return self.module.rpartition(".")[2]

    @property
    def peer(self) -> bool:
        """Whether it is another library: gradflow is not, nor is what is written out by hand in NumPy."""
        return self.package not in {"gradflow", "numpy"}

    @property
    def installed(self) -> bool:
        return util.find_spec(self.package) is not None

    @property
    def version(self) -> str:
        """The version of the installed package; an empty string if it does not say."""
        known: str | None = getattr(import_module(self.package), "__version__", None)
        if known is not None:
            return known
        try:
            return metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return ""

    @property
    def build(self) -> Build:
        build: Build = import_module(self.module).build
        return build


def engine(module: str) -> Engine:
    """The engine that ``module`` describes."""
    described = import_module(module)
    environment, cache = getattr(described, "ENVIRONMENT", {}), getattr(described, "CACHE", "")
    return Engine(module, described.PACKAGE, environment, cache)


def engines() -> dict[str, Engine]:
    """Every engine by name, gradflow's first."""
    found = [engine(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    found.sort(key=lambda each: (each.package != "gradflow", not each.peer, each.name))
    return {each.name: each for each in found}
