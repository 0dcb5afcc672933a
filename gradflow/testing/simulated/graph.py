"""Work that is captured from streams, and launched again and again as a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from gradflow.testing.simulated.log import Record

if TYPE_CHECKING:
    from gradflow.testing.simulated.machine import Machine
    from gradflow.testing.simulated.stream import Queue


class Node(NamedTuple):
    """One captured piece of work."""

    record: Record
    work: Callable[[], Any]


class Capture:
    """What is being captured: from the stream it began on, and from others that wait for it."""

    def __init__(self, origin: Queue) -> None:
        self.origin = origin
        self.nodes: list[Node] = []
        self.unjoined: set[Queue] = set()
        self.valid = True

    def add(self, node: Node) -> None:
        self.nodes.append(node)


class Graph:
    """A captured sequence, with the addresses it was captured with. As in CuPy, it keeps no array alive."""

    _machine: Machine

    def __init__(self, *args: object, **kwargs: object) -> None:
        raise NotImplementedError("currently this class cannot be initiated by the user: capture a stream")

    @classmethod
    def _of(cls, nodes: list[Node]) -> Graph:
        graph = cls.__new__(cls)
        graph._nodes = nodes
        return graph

    _nodes: list[Node]

    def launch(self, stream: Queue | None = None) -> None:
        """Do all of it, in the order of capture; one call for the host."""
        nbytes = sum(node.record.bytes for node in self._nodes)
        self._machine.enqueue("graph", f"graph of {len(self._nodes)}", nbytes, self._replay, stream)

    def _replay(self) -> None:
        for _, work in self._nodes:
            work()

    def upload(self, stream: Queue | None = None) -> None:
        """Prepare the launch; nothing to do here."""
        self._machine.begin(stream)
