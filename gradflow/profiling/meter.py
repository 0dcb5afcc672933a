"""What a GPU was told to do between two looks: read in the log of a simulated one, counted for a real one."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from gradflow.backend import Backend

LAUNCHES = frozenset({"kernel", "gemm", "memset", "graph"})


class Work(NamedTuple):
    """What a device was told to do."""

    launches: int = 0
    at_least: bool = False  # whether there may have been more launches than were seen
    to_device: int = 0  # copies from host memory
    to_host: int = 0
    syncs: int = 0
    traffic: int = 0  # bytes that kernels moved, where that is counted
    kernels: tuple[str, ...] = ()  # their names, where they are known

    def plus(self, other: Work) -> Work:
        """Both together."""
        return Work(
            self.launches + other.launches,
            self.at_least or other.at_least,
            self.to_device + other.to_device,
            self.to_host + other.to_host,
            self.syncs + other.syncs,
            self.traffic + other.traffic,
            self.kernels + other.kernels,
        )


NOTHING = Work()


class Meter(Protocol):
    """Looks at one backend's current device."""

    simulated: bool

    def take(self, known: Work) -> Work:
        """What was done since the last look; ``known`` is what can be told without looking."""

    def wait(self) -> None:
        """Wait until the device has done everything, if that takes time."""

    def mark(self) -> Any:
        """A point in the device's own time; None if it has none."""

    def between(self, start: Any, stop: Any) -> float:
        """Seconds of the device's time between two marks."""

    def used(self) -> int:
        """Bytes that arrays hold."""

    def close(self) -> None:
        """Nobody will look any more."""


def meter_of(backend: Backend) -> Meter:
    """The meter that fits ``backend``."""
    return LogMeter(backend) if hasattr(backend.xp, "records") else CountMeter(backend)


class LogMeter:
    """A simulated device logs everything it does, CuPy's functions included; its time means nothing."""

    simulated = True

    def __init__(self, backend: Backend) -> None:
        self._xp = backend.xp
        self._log = backend.xp.records
        self._machine = backend.xp.machine
        self._opened = self._machine.reports is None
        if self._opened:
            self._machine.reports = []
        self._seen, self._read = len(self._log), len(self._machine.reports)

    def take(self, known: Work) -> Work:
        records = self._log.since(self._seen)
        if not records:
            return NOTHING
        self._seen += len(records)
        kinds = [record.kind for record in records]
        launched = [record for record in records if record.kind in LAUNCHES]
        return Work(
            launches=len(launched),
            to_device=kinds.count("copy_h2d"),
            to_host=kinds.count("copy_d2h"),
            syncs=kinds.count("sync"),
            traffic=self._traffic(launched),
            kernels=tuple(record.name for record in launched),
        )

    def _traffic(self, launched: list[Any]) -> int:
        """Bytes by the interpreter's count, or by the sizes of operands for products and CuPy's functions."""
        reports = self._machine.reports[self._read :]
        self._read += len(reports)
        counted = {report.kernel for report in reports}
        sizes = sum(record.bytes for record in launched if record.name not in counted)
        return int(sizes + sum(report.bytes_read + report.bytes_written for report in reports))

    def wait(self) -> None:
        """A simulated device has always done everything, and would log the wait."""

    def mark(self) -> None:
        return None

    def between(self, start: Any, stop: Any) -> float:
        raise NotImplementedError("a simulated device has no time")

    def used(self) -> int:
        return int(self._xp.get_default_memory_pool().used_bytes())

    def close(self) -> None:
        if self._opened:
            self._machine.reports = None


class CountMeter:
    """On a GPU the backend counts what it launches itself; CuPy does not tell how many kernels a function took."""

    simulated = False

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._xp = backend.xp
        self._launches: int = backend.launcher.launches

    def take(self, known: Work) -> Work:
        launches: int = self._backend.launcher.launches - self._launches
        self._launches += launches
        return known._replace(launches=launches, at_least=False) if launches else known

    def wait(self) -> None:
        self._xp.cuda.Device().synchronize()

    def mark(self) -> Any:
        if self._xp.cuda.get_current_stream().is_capturing():
            return None  # what is captured takes its time later
        event = self._xp.cuda.Event()
        event.record()
        return event

    def between(self, start: Any, stop: Any) -> float:
        return float(self._xp.cuda.get_elapsed_time(start, stop)) / 1e3

    def used(self) -> int:
        return int(self._xp.get_default_memory_pool().used_bytes())

    def close(self) -> None:
        """There is nothing to stop."""
