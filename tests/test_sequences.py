"""Sequences of different lengths, padded and packed, against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError, DTypeError, ShapeError
from gradflow.nn.utils import rnn

SEQUENCES = [np.arange(6.0).reshape(3, 2), np.arange(2.0).reshape(1, 2), np.arange(8.0).reshape(4, 2)]


@pytest.mark.parametrize("batch_first", [False, True])
def test_padding_and_packing_are_pytorchs_and_undone(batch_first, torch):
    theirs = torch.nn.utils.rnn
    given = [torch.tensor(each) for each in SEQUENCES]
    for side in ("left", "right"):
        padded = rnn.pad_sequence(SEQUENCES, batch_first, -1.0, side)
        assert padded.tolist() == theirs.pad_sequence(given, batch_first, -1.0, side).tolist()
    packed = rnn.pack_padded_sequence(padded, gf.tensor([3, 1, 4]), batch_first, enforce_sorted=False)
    expected = theirs.pack_padded_sequence(torch.tensor(padded.numpy()), torch.tensor([3, 1, 4]), batch_first, False)
    assert packed.data.tolist() == expected.data.tolist()
    assert list(packed.batch_sizes) == expected.batch_sizes.tolist() == [3, 2, 2, 1]
    assert list(packed.sorted_indices) == expected.sorted_indices.tolist()
    assert list(packed.unsorted_indices) == expected.unsorted_indices.tolist()
    for total in (None, 6):
        back, lengths = rnn.pad_packed_sequence(packed, batch_first, 9.0, total)
        wanted, _ = theirs.pad_packed_sequence(expected, batch_first, 9.0, total)
        assert back.tolist() == wanted.tolist() and lengths.tolist() == [3, 1, 4]
    for found, sequence in zip(rnn.unpack_sequence(packed), SEQUENCES, strict=True):
        np.testing.assert_array_equal(found.numpy(), sequence)


def test_gradients_go_through_packing_and_padding():
    x = gf.tensor(np.ones((4, 2)), requires_grad=True)
    padded, _ = rnn.pad_packed_sequence(rnn.pack_padded_sequence(x, [4, 2]))
    (padded * np.arange(8.0).reshape(4, 2)).sum().backward()
    assert x.grad.tolist() == [[0, 1], [2, 3], [4, 0], [6, 0]]


def test_lengths_that_do_not_fit_are_refused():
    x = gf.ones((3, 2, 1))
    with pytest.raises(ArgumentError, match=r"lengths \[1, 3\] do not fall; sort the sequences, or give"):
        rnn.pack_padded_sequence(x, [1, 3])
    for lengths in ([3, 0], [4, 1]):
        with pytest.raises(ArgumentError, match=r"are not all in \[1, 3\]"):
            rnn.pack_padded_sequence(x, lengths)
    with pytest.raises(ShapeError, match=r"\(3,\) lengths for 2 sequences; give one for each"):
        rnn.pack_padded_sequence(x, [3, 2, 1])
    with pytest.raises(ShapeError, match=r"sequences are \(T, N, ...\) or \(N, T, ...\), got \(3,\)"):
        rnn.pack_padded_sequence(gf.ones(3), [3])
    with pytest.raises(ArgumentError, match="total_length 2 is less than the longest, 3"):
        rnn.pad_packed_sequence(rnn.pack_padded_sequence(x, [3, 1]), total_length=2)
    with pytest.raises(DTypeError, match=r"lengths are integers, not \[2\.5, 1\.0\]"):
        rnn.pack_padded_sequence(x, [2.5, 1.0])
    with pytest.raises(ArgumentError, match="there are no sequences"):
        rnn.pad_sequence([])
    with pytest.raises(ArgumentError, match="padding_side is 'left' or 'right', not 'top'"):
        rnn.pad_sequence([x], padding_side="top")
