"""Streams and events: in which order work is done, and what a capture makes of them."""

from __future__ import annotations

import itertools
import warnings
from typing import TYPE_CHECKING, Any

from gradflow.testing.simulated.graph import Capture, Graph
from gradflow.testing.simulated.status import CUDARuntimeError

if TYPE_CHECKING:
    from gradflow.testing.simulated.machine import Machine

_handles = itertools.count(0x5550_0000, 16)


class Queue:
    """A queue of work. What is queued is done at once, so waiting takes no time; it is logged all the same."""

    _machine: Machine
    _graph: type[Graph]
    _event: type[Event]

    def __init__(self, ptr: int, device_id: int, non_blocking: bool) -> None:
        self.ptr = ptr
        self.device_id = device_id
        self.is_non_blocking = non_blocking
        self.priority = 0
        self._device = 0  # where it was made the current one
        self._before: list[Queue] = []

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self.ptr

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Queue) and self.ptr == other.ptr

    def __hash__(self) -> int:
        return self.ptr

    def __enter__(self) -> Queue:
        self._before.append(self._machine.stream())
        return self.use()

    def __exit__(self, *error: object) -> None:
        self._machine.set_stream(self._device, self._before.pop())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.ptr} (device {self.device_id})>"

    def use(self) -> Queue:
        """Make this the current stream of its device, which must be the current device."""
        current = self._machine.device.number
        if self.device_id not in (-1, current):
            raise RuntimeError(
                f"The device that the stream is created on ({self.device_id}) does not match with the current device "
                f"({current})"
            )
        self._device = current
        self._machine.set_stream(current, self)
        return self

    @property
    def done(self) -> bool:
        """Whether all work is done; asking spoils a capture."""
        capture = self._machine.capture(self)
        if capture is not None:
            capture.valid = False
        return capture is None

    def synchronize(self) -> None:
        """Wait until all work is done; not during a capture."""
        self._machine.synchronize(self)

    def record(self, event: Event | None = None) -> Event:
        """Note in ``event``, a new one by default, how far this stream is."""
        self._machine.begin(self)
        if event is None:
            event = self._event()
        event._stream, event._capture = self, self._machine.capture(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Let later work of this stream wait for ``event``; a capture spreads to a stream that waits for it."""
        self._machine.begin(self)
        capture = event._capture
        if capture is None or event._stream is None or self._machine.capture(capture.origin) is not capture:
            return
        if not self.is_capturing():
            self._machine.capturing[self.ptr] = capture
        capture.unjoined.discard(event._stream)
        if self is not capture.origin:
            capture.unjoined.add(self)

    def begin_capture(self, mode: int | None = None) -> None:
        """Keep what this stream is told from now on for a graph, instead of doing it."""
        if self.ptr == 0:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        if self.is_capturing():
            raise CUDARuntimeError("cudaErrorIllegalState")
        self._machine.capturing[self.ptr] = Capture(self)

    def end_capture(self) -> Graph:
        """The graph of what was captured; only on the stream where the capture began."""
        capture = self._machine.capture(self)
        if capture is None:
            raise CUDARuntimeError("cudaErrorIllegalState")
        if capture.origin is not self:
            capture.valid = False
            raise CUDARuntimeError("cudaErrorStreamCaptureUnmatched")
        for pointer in [each for each, its in self._machine.capturing.items() if its is capture]:
            del self._machine.capturing[pointer]
        if not capture.valid:
            raise CUDARuntimeError("cudaErrorStreamCaptureInvalidated")
        if capture.unjoined:
            raise CUDARuntimeError("cudaErrorStreamCaptureUnjoined")
        return self._graph._of(capture.nodes)

    def is_capturing(self) -> bool:
        """Whether the stream is capturing; the default stream is not even asked while a blocking stream is."""
        if self.ptr == 0 and self._machine.blocking_capture() is not None:
            raise CUDARuntimeError("cudaErrorStreamCaptureImplicit")
        return self.ptr in self._machine.capturing

    def launch_host_func(self, callback: Any, arg: Any) -> None:
        """Call ``callback(arg)`` on the host when all work before is done."""
        self._machine.enqueue("host", "launch_host_func", 0, lambda: callback(arg), self)


class Stream(Queue):
    """A queue that this module makes."""

    null: Stream

    def __init__(
        self, null: bool = False, non_blocking: bool = False, ptds: bool = False, priority: Any = None
    ) -> None:
        pointer = 0 if null else 2 if ptds else next(_handles)
        super().__init__(pointer, -1 if null or ptds else self._machine.device.number, non_blocking)
        self.priority = priority or 0
        if self.ptr:
            self._machine.streams[self.ptr] = self

    @classmethod
    def from_external(cls, obj: Any) -> Stream:
        """The stream of another library, which has ``__cuda_stream__``."""
        _, pointer = obj.__cuda_stream__()
        stream = cls.__new__(cls)
        Queue.__init__(stream, pointer, cls._machine.device.number, False)
        cls._machine.streams.setdefault(pointer, stream)
        return stream


class ExternalStream(Queue):
    """A stream that somebody else made, by its pointer."""

    def __init__(self, ptr: int, device_id: int = -1) -> None:
        message = "ExternalStream is deprecated. Use Stream.from_external() instead"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        super().__init__(ptr, device_id, False)


class Event:
    """A point in the work of a stream."""

    _machine: Machine

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        self._machine.begin()
        self.ptr = next(_handles)
        self._stream: Queue | None = None
        self._capture: Capture | None = None

    @property
    def done(self) -> bool:
        """Whether the work before the event is done; asking spoils a capture."""
        return not self._spoils_capture()

    def record(self, stream: Queue | None = None) -> None:
        """Note how far ``stream``, the current one by default, is."""
        (stream or self._machine.stream()).record(self)

    def synchronize(self) -> None:
        """Wait for the work before the event; not during its capture."""
        if self._spoils_capture():
            raise CUDARuntimeError("cudaErrorCapturedEvent")
        self._machine.synchronize(self._stream, "event")

    def _spoils_capture(self) -> bool:
        """Whether the event belongs to a capture, which asking for it makes invalid."""
        capture = self._capture
        if capture is None or self._machine.capture(capture.origin) is not capture:
            return False
        capture.valid = False
        return True
