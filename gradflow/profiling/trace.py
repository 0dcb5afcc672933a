"""Calls in the trace event format, which chrome://tracing and Perfetto read."""

from __future__ import annotations

import json
import os
import tempfile
from typing import Any

from gradflow.profiling.recording import SIMULATED, Call
from gradflow.site import described

HOST, GPU = 1, 2  # the tracks


def events(calls: list[Call], device: str) -> list[dict[str, Any]]:
    """The events of ``calls``; times are in microseconds."""
    tracks = {HOST: "host"} | ({GPU: "GPU"} if device == "cuda" else {})
    found: list[dict[str, Any]] = [_name("process_name", HOST, f"gradflow on {device}")]
    found += [_name("thread_name", track, name) for track, name in tracks.items()]
    for i, call in enumerate(calls):
        start, seconds = (i * 1e-6, 1e-6) if device == SIMULATED else (call.start, call.seconds)
        found.append(_event(call, HOST, start, seconds))
        if call.queued is not None:
            found.append(_event(call, GPU, *call.queued))
        end = (start + seconds) * 1e6
        found.append({"ph": "C", "name": "memory", "pid": 1, "ts": end, "args": {"bytes": call.memory}})
    return found


def _name(kind: str, track: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "pid": 1, "tid": track, "args": {"name": name}}


def _event(call: Call, track: int, start: float, seconds: float) -> dict[str, Any]:
    shown = {"at": described(call.site), "bytes": call.bytes, **call.work._asdict()}
    return {
        "ph": "X",
        "name": call.name,
        "cat": call.phase or "device",
        "pid": 1,
        "tid": track,
        "ts": start * 1e6,
        "dur": seconds * 1e6,
        "args": shown,
    }


def save(calls: list[Call], device: str, path: str | os.PathLike[str]) -> None:
    """Write the events of ``calls`` to ``path``: all of them, or nothing."""
    content = {"traceEvents": events(calls, device), "displayTimeUnit": "ms", "otherData": {"device": device}}
    directory = os.path.dirname(os.path.abspath(path))
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=directory, suffix=".part", delete=False) as file:
        try:
            json.dump(content, file)
            file.close()
            os.replace(file.name, path)
        except BaseException:
            file.close()
            os.unlink(file.name)
            raise
