"""Sequences of different lengths beside each other: padded to the longest, or packed without padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from gradflow.errors import ArgumentError, DTypeError, ShapeError
from gradflow.ops.arithmetic import where
from gradflow.ops.create import asarray
from gradflow.ops.join import stack
from gradflow.ops.lookup import take
from gradflow.ops.rearrange import pad
from gradflow.ops.shape import reshape, swapaxes
from gradflow.tensor import Tensor, TensorLike, tensor


class PackedSequence(NamedTuple):
    """Sequences packed by time: all first elements, all second ones, ..., in each those of longer sequences first.

    ``data`` is (elements, ...), ``batch_sizes`` are how many sequences have a first element, a second, ...;
    ``sorted_indices`` are the sequences from the longest to the shortest and ``unsorted_indices`` the way back, None if
    they came so. ``nn.RNN``, ``nn.LSTM`` and ``nn.GRU`` take one and give one back.
    """

    data: Tensor
    batch_sizes: tuple[int, ...]
    sorted_indices: tuple[int, ...] | None = None
    unsorted_indices: tuple[int, ...] | None = None


def pack_padded_sequence(
    input: TensorLike, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Sequences (T, N, ...), or (N, T, ...) if ``batch_first``, of the given ``lengths``, without their padding.

    With ``enforce_sorted`` they must come from the longest to the shortest. Raises ArgumentError for lengths that do
    not, or that are not in [1, T], ShapeError unless there is one for each sequence.

    >>> import gradflow as gf
    >>> packed = gf.nn.utils.rnn.pack_padded_sequence(gf.tensor([[1, 2, 3], [4, 0, 0]]), [3, 1], batch_first=True)
    >>> packed.data, packed.batch_sizes
    (tensor([1, 4, 2, 3]), (2, 1, 1))
    """
    x = _time_first("pack_padded_sequence", input, batch_first)
    counts = _counts("pack_padded_sequence", lengths)
    if counts.shape != x.shape[1:2]:
        raise ShapeError(f"pack_padded_sequence: {counts.shape} lengths for {x.shape[1]} sequences; give one for each")
    if counts.size and not (counts.min() >= 1 and counts.max() <= x.shape[0]):
        raise ArgumentError(f"pack_padded_sequence: lengths {counts.tolist()} are not all in [1, {x.shape[0]}]")
    order = np.argsort(-counts, kind="stable")
    sorted_already = bool((order == np.arange(len(order))).all())
    if enforce_sorted and not sorted_already:
        raise ArgumentError(
            f"pack_padded_sequence: lengths {counts.tolist()} do not fall; sort the sequences, or give "
            "enforce_sorted=False"
        )
    steps = np.arange(counts.max(initial=0))
    sizes = (counts[:, None] > steps).sum(0)
    places = np.concatenate([t * len(order) + order[:size] for t, size in enumerate(sizes)] or [order])
    data = take(reshape(x, (x.shape[0] * x.shape[1], *x.shape[2:])), places, 0)
    both = (None, None) if enforce_sorted else (tuple(order.tolist()), tuple(np.argsort(order).tolist()))
    return PackedSequence(data, tuple(sizes.tolist()), *both)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """What ``pack_padded_sequence`` was given: sequences (T, N, ...), or (N, T, ...), and their lengths (N,).

    After them is ``padding_value``, up to ``total_length`` or the longest. Raises ArgumentError if that is too short.

    >>> import gradflow as gf
    >>> from gradflow.nn.utils.rnn import pack_sequence, pad_packed_sequence
    >>> pad_packed_sequence(pack_sequence([gf.tensor([1, 2]), gf.tensor([3])]), batch_first=True)
    (tensor([[1, 2],
            [3, 0]]), tensor([2, 1]))
    """
    data, sizes, _, unsorted = sequence
    total = len(sizes) if total_length is None else total_length
    if total < len(sizes):
        raise ArgumentError(f"pad_packed_sequence: total_length {total} is less than the longest, {len(sizes)}")
    columns = list(range(sizes[0] if sizes else 0) if unsorted is None else unsorted)
    there = np.arange(len(columns)) < np.array((*sizes, *(0,) * (total - len(sizes))), np.int64)[:, None]
    begun = np.concatenate([np.cumsum([0, *sizes])[:-1], np.zeros(total - len(sizes), np.int64)])
    places = np.where(there, begun[:, None] + np.arange(len(columns)), 0)[:, columns]
    kept = there[:, columns].reshape(places.shape + (1,) * (data.ndim - 1))
    out = where(tensor(kept, device=data.device), take(data, places, 0), tensor(padding_value, data.dtype, data.device))
    lengths = tensor(there.sum(0)[columns])
    return swapaxes(out, 0, 1) if batch_first else out, lengths


def pad_sequence(
    sequences: Sequence[TensorLike], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Sequences, each (length, ...), with ``padding_value`` beside them, as one tensor (T, N, ...), or (N, T, ...).

    Raises ArgumentError if there is none, or for a ``padding_side`` other than "left" and "right".

    >>> import gradflow as gf
    >>> gf.nn.utils.rnn.pad_sequence([[1, 2, 3], [4]], batch_first=True)
    tensor([[1, 2, 3],
            [4, 0, 0]])
    """
    given = [asarray(each) for each in sequences]
    if not given:
        raise ArgumentError("pad_sequence: there are no sequences; give at least one")
    if padding_side not in ("left", "right"):
        raise ArgumentError(f"pad_sequence: padding_side is 'left' or 'right', not {padding_side!r}")
    longest = max(len(each) for each in given)

    def padded(x: Tensor) -> Tensor:
        missing = longest - len(x)
        ends = (missing, 0) if padding_side == "left" else (0, missing)
        return pad(x, (ends, *((0, 0),) * (x.ndim - 1)), constant_values=padding_value)

    return stack([padded(each) for each in given], 0 if batch_first else 1)


def pack_sequence(sequences: Sequence[TensorLike], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences, each (length, ...), packed; see ``pack_padded_sequence``.

    >>> import gradflow as gf
    >>> gf.nn.utils.rnn.pack_sequence([gf.tensor([1, 2]), gf.tensor([3])]).data
    tensor([1, 3, 2])
    """
    lengths = [len(asarray(each)) for each in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpad_sequence(padded_sequences: TensorLike, lengths: Any, batch_first: bool = False) -> list[Tensor]:
    """The sequences of (T, N, ...), or (N, T, ...), each cut to its length.

    >>> import gradflow as gf
    >>> gf.nn.utils.rnn.unpad_sequence(gf.tensor([[1, 2], [3, 0]]), [2, 1], batch_first=True)
    [tensor([1, 2]), tensor([3])]
    """
    x = _time_first("unpad_sequence", padded_sequences, batch_first)
    return [x[: int(length), i] for i, length in enumerate(_counts("unpad_sequence", lengths))]


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences that were packed.

    >>> import gradflow as gf
    >>> from gradflow.nn.utils.rnn import pack_sequence, unpack_sequence
    >>> unpack_sequence(pack_sequence([[1, 2], [3]]))
    [tensor([1, 2]), tensor([3])]
    """
    return unpad_sequence(*pad_packed_sequence(packed_sequences))


def _counts(name: str, lengths: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    counts = np.asarray(lengths.cpu().numpy() if isinstance(lengths, Tensor) else lengths)
    if counts.size and counts.dtype.kind not in "iu":
        raise DTypeError(f"{name}: lengths are integers, not {counts.tolist()}")
    return counts.astype(np.int64)


def _time_first(name: str, x: TensorLike, batch_first: bool) -> Tensor:
    given = asarray(x)
    if given.ndim < 2:
        raise ShapeError(f"{name}: sequences are (T, N, ...) or (N, T, ...), got {given.shape}")
    return swapaxes(given, 0, 1) if batch_first else given
