"""Who holds an array when a step has ended: its results and their graphs, or somebody else too."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from gradflow.tape import Node
from gradflow.tensor import Tensor

ASKING = 3  # references that are this module's own when it counts: the dict's, the variable's, the question's


class Holders:
    """How many references to an array come from results, and from what only their graphs hold."""

    def __init__(self, results: Sequence[Tensor]) -> None:
        self._counts: Counter[int] = Counter()
        tensors = {id(x): x for x in results}
        given = set(tensors)
        held: Counter[int] = Counter()
        for node in _nodes(results):
            for x in node.inputs or ():
                if isinstance(x, Tensor):
                    tensors[id(x)] = x
                    held[id(x)] += 1
            if node.out is not None:
                self._counts[id(node.out)] += 1
        views: dict[int, Any] = {}
        for key in list(tensors):  # no items(), whose pairs are references too
            x = tensors[key]
            if key in given or sys.getrefcount(x) <= held[key] + ASKING:
                self._counts[id(x.data)] += 1
                views[id(x.data)] = x.data
        for key in list(views):
            array = views[key]
            if array.base is not None and sys.getrefcount(array) <= self._counts[key] + ASKING:
                self._counts[id(array.base)] += 1

    def of(self, array: Any) -> int:
        """How many references to ``array`` are accounted for."""
        return self._counts[id(array)]


def _nodes(results: Sequence[Tensor]) -> Iterator[Node]:
    """The nodes of the graphs of ``results``."""
    stack = [x.node for x in results if x.node is not None]
    seen = set(stack)
    while stack:
        node = stack.pop()
        yield node
        for parent in node.parents:
            if isinstance(parent, Node) and parent not in seen:
                seen.add(parent)
                stack.append(parent)
