"""Models in safetensors files: what is written comes back, and damage is named."""

from __future__ import annotations

import json
import os
import sys

import numpy as np
import pytest

import gradflow as gf
from gradflow import nn
from gradflow.errors import CheckpointError, DTypeError, MissingExtraError
from gradflow.serialize import load, save
from process import python

pytest.importorskip("safetensors")


class Normed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", gf.zeros((), dtype="int64"))
        self.register_buffer("cache", gf.zeros(3), persistent=False)
        self.layer = nn.Linear(3, 2)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def test_a_model_comes_back_with_its_metadata(path):
    model, other = Normed(), Normed()
    save(model, path, {"epoch": "3", "Größe": "klein"})
    state, metadata = load(str(path))
    assert metadata == {"epoch": "3", "Größe": "klein"}
    assert set(state) == {"count", "layer.weight", "layer.bias"}
    assert all(type(value) is gf.Tensor and not value.requires_grad for value in state.values())
    other.load_state_dict(state)
    assert other.layer.weight.tolist() == model.layer.weight.tolist()
    save(model, path)
    assert load(path)[1] == {}


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "uint32", "float16", "float32", "float64"])
def test_every_dtype_and_shape_comes_back_bit_for_bit(path, dtype, rng):
    bits = rng.integers(0, 2, (3, 4)) if dtype == "bool" else rng.integers(0, 256, (3, 4, 8))
    full = bits.astype(bool) if dtype == "bool" else bits.astype(np.uint8).view(dtype)[..., 0]
    arrays = {"full": full, "turned": full.T, "strided": full[::2, ::-1], "scalar": full[0, 0], "empty": full[:0]}
    save(arrays, path)
    state, _ = load(path)
    for name, array in arrays.items():
        assert state[name].dtype == dtype and state[name].shape == np.shape(array)
        assert state[name].numpy().tobytes() == np.asarray(array).tobytes()


def test_what_is_loaded_is_its_own_memory(path):
    save({"w": np.ones(3)}, path)
    state, _ = load(path)
    state["w"].numpy()[0] = 5
    assert load(path)[0]["w"].tolist() == [1, 1, 1]


def test_the_file_is_one_that_other_programs_read(path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file, save_file

    model = nn.Linear(3, 2)
    save(model, path)
    theirs = torch.nn.Linear(3, 2)
    theirs.load_state_dict(load_file(path))
    assert theirs.weight.tolist() == model.weight.tolist()
    save_file(torch.nn.Linear(3, 2).state_dict(), path)
    model.load_state_dict(load(path)[0])
    assert model.weight.tolist() != theirs.weight.tolist()


def test_a_tensor_that_requires_grad_can_be_saved(path):
    save(dict(nn.Linear(3, 2).named_parameters()), path)
    assert set(load(path)[0]) == {"weight", "bias"}


# Damage


def damaged(path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        load(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_truncated_or_foreign_file_is_named_in_the_error(path):
    save(nn.Linear(3, 2), path)
    content = path.read_bytes()
    for part in (b"", content[:5], content[:20], content[:-1], content + b"\0", b"PK\x03\x04" + bytes(200)):
        assert "is truncated, or no safetensors file" in damaged(path, part)
        assert "copy it again" in damaged(path, part)


def test_a_dtype_gradflow_does_not_have_is_named_in_the_error(path):
    header = json.dumps({"w": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}}).encode()
    content = len(header).to_bytes(8, "little") + header + bytes(4)
    assert "holds a dtype that gradflow has not" in damaged(path, content)


def test_a_file_that_is_not_there_is_named_in_the_error(path, tmp_path):
    with pytest.raises(CheckpointError, match=r"model\.safetensors does not exist; check the path"):
        load(path)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(tmp_path)


# Writing


def test_an_interrupted_save_leaves_the_old_file_whole(path, monkeypatch):
    save({"w": np.ones(3)}, path)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save({"w": np.zeros(3)}, path)
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a limit on the size of files")
def test_a_write_that_fails_midway_leaves_the_old_file_whole(path):
    save({"w": np.ones(3)}, path)
    before = path.read_bytes()
    code = (
        "import resource, signal, sys, numpy\n"
        "from gradflow.serialize import save\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "try:\n"
        "    save({'w': numpy.zeros(100_000)}, sys.argv[1])\n"
        "except OSError as error:\n"
        "    print(error.strerror)"
    )
    assert python("-c", code, str(path)) == "File too large"
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


def test_what_cannot_be_saved_leaves_the_old_file_whole(path):
    save({"w": np.ones(3)}, path)
    before = path.read_bytes()
    with pytest.raises(DTypeError, match="save: 'w' is not an array or tensor"):
        save({"w": {"nested": 1}}, path)
    with pytest.raises(DTypeError, match=r"metadata must be text by name, got \{'epoch': 3\}"):
        save({"w": np.zeros(3)}, path, {"epoch": 3})
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


def test_a_directory_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        save({"w": np.ones(3)}, tmp_path / "no" / "model.safetensors")


@pytest.mark.skipif(os.name != "posix", reason="needs modes and links")
def test_a_link_is_followed_and_the_mode_is_that_of_a_new_file(path, tmp_path):
    real, plain = tmp_path / "real", tmp_path / "plain"
    plain.write_bytes(b"")
    path.symlink_to(real)
    save({"w": np.ones(3)}, path)
    assert path.is_symlink() and load(real)[0]["w"].tolist() == [1, 1, 1]
    assert real.stat().st_mode == plain.stat().st_mode


def test_without_safetensors_the_error_says_how_to_get_it(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    for call in (lambda: save({}, path), lambda: load(path)):
        with pytest.raises(MissingExtraError, match=r'need the package safetensors.*pip install "gradflow\[train\]"'):
            call()
