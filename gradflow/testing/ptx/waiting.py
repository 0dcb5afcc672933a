"""Who may go on at a barrier or a warp instruction, and who has to wait for others."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow.testing.ptx.collective import incomplete
from gradflow.testing.ptx.group import Group
from gradflow.testing.ptx.parse import Instruction
from gradflow.testing.ptx.translate import count_of


def ready(launch: Any, group: Group, instruction: Instruction, at: int) -> tuple[Group | None, Group | None]:
    """The threads of a group at a collective instruction that may go on, and those that wait."""
    if instruction.op[0] == "activemask":
        return group, None
    if instruction.op[0] in {"bar", "barrier"} and "warp" not in instruction.op:
        waits = _barrier(launch, group, instruction, at)
    else:
        mask = launch.kernel.mask(at)(group)
        own = np.uint32(1) << group.lane.astype(np.uint32)
        if (bad := (np.broadcast_to(mask, group.n) & own) == 0).any():
            thread = int(np.flatnonzero(bad)[0])
            given = int(np.broadcast_to(mask, group.n)[thread])
            what = f"lane {int(group.lane[thread])} is not in the mask it gives, {given:#x}"
            raise launch.fault("shuffle", what, launch.kernel.blocks[at].instructions[0][0], int(group.threads[thread]))
        waits = incomplete(group, mask)
    if not waits.any():
        return group, None
    if waits.all():
        return None, group
    live = launch.kernel.blocks[at].live
    return group.split(np.flatnonzero(~waits), live), group.split(np.flatnonzero(waits), live)


def _barrier(launch: Any, group: Group, instruction: Instruction, at: int) -> Any:
    """Which threads wait for the rest of their block, or for as many as the barrier counts."""
    arrived = np.bincount(group.block_of, minlength=launch.shape.blocks)
    needed = launch.alive
    if count_of(instruction):
        needed = int(launch.kernel.mask(at)(group))
    return (arrived < needed)[group.block_of]
