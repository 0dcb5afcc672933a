"""Views, copies and joins: the same numbers in another shape, order, dtype or company."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradflow.testing.simulated.array import check_dtype
from gradflow.testing.simulated.conversion import flushed


def expand_dims(xp: Any, a: Any, axis: Any) -> Any:
    return a._like(np.expand_dims(a._a, axis))


def flip(xp: Any, a: Any, axis: Any = None) -> Any:
    return a._like(np.flip(a._a, axis))


def moveaxis(xp: Any, a: Any, source: Any, destination: Any) -> Any:
    return a._like(np.moveaxis(a._a, source, destination))


def rollaxis(xp: Any, a: Any, axis: int, start: int = 0) -> Any:
    return a._like(np.rollaxis(a._a, axis, start))


def rot90(xp: Any, a: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    return a._like(np.rot90(a._a, k, axes))


def squeeze(xp: Any, a: Any, axis: Any = None) -> Any:
    return a.squeeze(axis)


def swapaxes(xp: Any, a: Any, axis1: int, axis2: int) -> Any:
    return a.swapaxes(axis1, axis2)


def transpose(xp: Any, a: Any, axes: Any = None) -> Any:
    return a.transpose(axes)


def diagonal(xp: Any, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return a.diagonal(offset, axis1, axis2)


def copy(xp: Any, a: Any, order: Any = "K") -> Any:
    """A copy: of contiguous memory by a copy engine, otherwise by a kernel."""
    return _copied(xp, a, a.dtype, order, "copy")


def _copied(xp: Any, a: Any, dtype: Any, order: Any, name: str) -> Any:
    like = np.empty_like(a._a, dtype, order)
    out = xp.ndarray._laid_out_as(like)
    straight = a.dtype == dtype and a._a.flags.forc and like.strides == a._a.strides
    if a.size:
        convert = (lambda x: x) if a.dtype == dtype else flushed
        xp.machine.compute(name, convert, (a,), out, "copy_d2d" if straight else "kernel")
    return out


def astype(
    xp: Any, a: Any, dtype: Any, order: Any = "K", casting: Any = None, subok: Any = None, copy: bool = True
) -> Any:
    """The same numbers as ``dtype``, as CUDA converts them; ``a`` itself if nothing is to do and ``copy`` is False."""
    if casting is not None or subok is not None:
        raise TypeError("casting and subok are not supported yet")
    wanted = check_dtype(dtype)
    if wanted == a.dtype and not copy and (order in ("K", "A") or a.flags[f"{order}_CONTIGUOUS"]):
        return a
    return _copied(xp, a, wanted, order, "astype")


def reshape(xp: Any, a: Any, newshape: Any, order: Any = "C", *, copy: Any = None) -> Any:
    """Another shape: a view where strides allow it, otherwise a copy."""
    return _reshaped(xp, a, newshape, order, copy)


def _reshaped(xp: Any, a: Any, shape: Any, order: Any, copy: Any) -> Any:
    made = a._a.reshape(shape, order=order)
    if a.size == 0 or (np.may_share_memory(made, a._a) and not copy):
        return a._like(made)
    if copy is False:
        raise ValueError("Unable to avoid copy while reshaping.")
    out = xp.ndarray._empty(made.shape, a.dtype, order if order == "F" else "C")
    kind = "copy_d2d" if a.flags[f"{order}_CONTIGUOUS"] else "kernel"
    return xp.machine.compute("reshape", lambda x: x.reshape(shape, order=order), (a,), out, kind)


def ravel(xp: Any, a: Any, order: Any = "C") -> Any:
    return _reshaped(xp, a, -1, order, None)


def broadcast_to(xp: Any, array: Any, shape: Any) -> Any:
    a = xp.asarray(array)
    return a if a.shape == shape else a._like(np.broadcast_to(a._a, shape, subok=False))


def broadcast_arrays(xp: Any, *args: Any) -> Any:
    shape = np.broadcast_shapes(*(each.shape for each in args))
    return tuple(broadcast_to(xp, each, shape) for each in args)


def atleast_1d(xp: Any, *arys: Any) -> Any:
    made = [each if each.ndim else each.reshape(1) for each in map(xp.asarray, arys)]
    return made[0] if len(made) == 1 else made


def atleast_2d(xp: Any, *arys: Any) -> Any:
    made = [each._like(np.atleast_2d(each._a)) for each in map(xp.asarray, arys)]
    return made[0] if len(made) == 1 else made


def concatenate(
    xp: Any, tup: Sequence[Any], axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: Any = "same_kind"
) -> Any:
    """Arrays one after the other: one kernel for each."""
    _check_arrays(xp, tup)
    return _joined(xp, "concatenate", lambda *each: np.concatenate(each, axis, dtype=dtype, casting=casting), tup, out)


def _check_arrays(xp: Any, tup: Sequence[Any]) -> None:
    if isinstance(tup, xp.ndarray):
        return
    for each in tup:
        if not isinstance(each, xp.ndarray):
            raise TypeError(f"Only cupy arrays can be concatenated, not {type(each)}")


def _joined(xp: Any, name: str, join: Callable[..., Any], tup: Sequence[Any], out: Any) -> Any:
    def checked(*parts: Any) -> Any:
        result = join(*parts)
        if out is not None and out.shape != result.shape:
            raise ValueError("Output array is the wrong shape")
        return result

    result = xp.machine.compute(name, checked, tuple(tup), out)
    for each in list(tup)[1:]:  # the first is the call above
        xp.machine.enqueue("kernel", name, 2 * each.nbytes, lambda: None)
    return result


def stack(
    xp: Any, tup: Sequence[Any], axis: int = 0, out: Any = None, *, dtype: Any = None, casting: Any = "same_kind"
) -> Any:
    _check_arrays(xp, tup)
    return _joined(xp, "stack", lambda *each: np.stack(each, axis, dtype=dtype, casting=casting), tup, out)


def vstack(xp: Any, tup: Sequence[Any], *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    return _joined(xp, "vstack", lambda *each: np.vstack(each, dtype=dtype, casting=casting), tup, None)


def hstack(xp: Any, tup: Sequence[Any], *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    return _joined(xp, "hstack", lambda *each: np.hstack(each, dtype=dtype, casting=casting), tup, None)


def split(xp: Any, ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    return [ary._like(each) for each in np.split(ary._a, indices_or_sections, axis)]


def array_split(xp: Any, ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    return [ary._like(each) for each in np.array_split(ary._a, indices_or_sections, axis)]


def tile(xp: Any, A: Any, reps: Any) -> Any:
    return xp.machine.compute("tile", lambda x: np.tile(x, reps), (A,))


def repeat(xp: Any, a: Any, repeats: Any, axis: Any = None) -> Any:
    if isinstance(repeats, xp.ndarray):
        raise ValueError("cupy.ndaray cannot be specified as `repeats` argument.")
    return xp.machine.compute("repeat", lambda x: np.repeat(x, repeats, axis), (a,))


def roll(xp: Any, a: Any, shift: Any, axis: Any = None) -> Any:
    return xp.machine.compute("roll", lambda x: np.roll(x, shift, axis), (a,))


def tril(xp: Any, m: Any, k: int = 0) -> Any:
    return xp.machine.compute("tril", lambda x: np.tril(x, k), (m,))


def triu(xp: Any, m: Any, k: int = 0) -> Any:
    return xp.machine.compute("triu", lambda x: np.triu(x, k), (m,))


def diag(xp: Any, v: Any, k: int = 0) -> Any:
    v = xp.asarray(v)
    return v.diagonal(k) if v.ndim == 2 else xp.machine.compute("diag", lambda x: np.diag(x, k), (v,))


def copyto(xp: Any, dst: Any, src: Any, casting: Any = "same_kind", where: Any = None) -> None:
    """Copy ``src``, a device array or a number, into ``dst``; only where ``where`` holds, if that is given."""
    if isinstance(src, xp.ndarray) and not np.can_cast(src.dtype, dst.dtype, casting):
        raise TypeError(f"Cannot cast {src.dtype} to {dst.dtype} in {casting} casting mode")
    if isinstance(src, np.ndarray) and src.ndim:
        raise ValueError("non-scalar numpy.ndarray cannot be used for copyto")
    if where is None:
        dst[...] = src
        return
    xp.machine.compute("copyto", lambda old, new, mask: np.where(mask, new, old), (dst, src, where), dst)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "expand_dims": expand_dims, "flip": flip, "moveaxis": moveaxis, "rollaxis": rollaxis, "rot90": rot90,
    "squeeze": squeeze, "swapaxes": swapaxes, "transpose": transpose, "permute_dims": transpose, "diagonal": diagonal,
    "copy": copy, "_copy": copy, "_astype": astype, "reshape": reshape, "_reshape": _reshaped, "ravel": ravel,
    "broadcast_to": broadcast_to, "broadcast_arrays": broadcast_arrays, "atleast_1d": atleast_1d,
    "atleast_2d": atleast_2d, "concatenate": concatenate, "concat": concatenate, "stack": stack, "vstack": vstack,
    "hstack": hstack, "split": split, "array_split": array_split, "tile": tile, "repeat": repeat, "roll": roll,
    "tril": tril, "triu": triu, "diag": diag, "copyto": copyto,
}  # fmt: skip
