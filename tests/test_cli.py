"""The command line: what it prints, what it leaves behind, and what it says of bad input."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import re
import signal
import struct
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import gradflow as gf
from gradflow import data, serialize, train
from gradflow.cli import display, info, main
from process import CHECKOUT

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX pipes and signals")
EPOCH = re.compile(r" +(\d+) +(\d+\.\d{4}) +(\d+\.\d\d)% +(\d+\.\d\d)% +(\d+\.\d\d)")
ROW = re.compile(r" +(\d+) +(\d+) +(\d\.\d{4})(?: +(\d+)(  wrong)?)?")


class Training(NamedTuple):
    """One short training of the command line."""

    path: Path
    output: str


@pytest.fixture(scope="session")
def digits(tmp_path_factory) -> Training:
    path = tmp_path_factory.mktemp("digits") / "digits.safetensors"
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        assert main(["train", "digits", "--epochs", "2", "--out", str(path)]) == 0
    return Training(path, output.getvalue())


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Runs a command in an empty directory; what it printed, after it ended well."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        status = main(list(map(str, arguments)))
        out, err = capsys.readouterr()
        assert status == 0, err
        assert err == ""
        return out

    return command


@pytest.fixture
def fail(capsys, tmp_path, monkeypatch):
    """Runs a command in an empty directory; the error it printed, which left no file there."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        before = set(tmp_path.iterdir())
        assert main(list(map(str, arguments))) == 2
        err = capsys.readouterr().err
        assert err.startswith("gradflow: error: ")
        assert "Traceback" not in err
        assert set(tmp_path.iterdir()) == before
        return err

    return command


def epochs(output):
    """(epoch, loss, training accuracy, other accuracy, seconds) of each epoch line."""
    return [tuple(map(float, match.groups())) for line in output.splitlines() if (match := EPOCH.fullmatch(line))]


def rows(output):
    """(example, class, probability, label, " wrong") of each line of predictions; label None if there is none."""
    matches = (ROW.fullmatch(line) for line in output.splitlines())
    return [(int(m[1]), int(m[2]), float(m[3]), m[4] and int(m[4]), m[5]) for m in matches if m]


# train


def test_training_shows_what_is_trained_on_what(digits):
    head = digits.output.partition("\n\n")[0].splitlines()
    assert head == [
        "data       digits: 1,437 examples to train on, 360 to test on; 64 features, 10 classes",
        "model      64-256-10 with gelu: 19,210 parameters",
        "optimizer  Adam, learning rate 0.005 falling to 0",
        "run        2 epochs in batches of 32, label smoothing 0.1, seed 0, on cpu",
    ]


def test_training_shows_an_epoch_a_line(digits):
    assert "epoch  train loss  train accuracy  test accuracy  seconds\n" in digits.output
    first, second = epochs(digits.output)
    assert (first[0], second[0]) == (1, 2)
    assert second[1] < first[1]
    assert first[2] < second[2]
    assert second[3] > 90


def test_what_is_not_a_terminal_gets_plain_lines(digits):
    assert not set(digits.output) - {"\n", *map(chr, range(32, 127))}


def test_the_final_accuracy_and_the_confusions_are_those_of_the_saved_model(digits):
    d = data.load("digits")
    predicted = train.logits(train.load_model(digits.path), d.x_test).argmax(axis=1)
    right = int((predicted == d.y_test).sum())
    assert f"\ntest accuracy {right / 360:.2%} ({right} of 360)\n" in digits.output
    shown = [tuple(map(int, m)) for m in re.findall(r"^  (\d) taken for (\d): (\d+) times?$", digits.output, re.M)]
    assert shown == train.confusions(d.y_test, predicted)[:5]
    assert re.search(r": 1 time$", digits.output, re.M) or all(count > 1 for _, _, count in shown)


def test_the_last_epoch_line_has_the_final_test_accuracy(digits):
    assert f"test accuracy {epochs(digits.output)[-1][3]:.2f}%" in digits.output


def test_the_printed_python_runs(digits):
    snippet = digits.output.partition("or in Python:\n\n")[2]
    code = "\n".join(line.strip() for line in snippet.splitlines())
    assert len(code.splitlines()) == 3
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(code, {})
    d = data.load("digits")
    expected = train.logits(train.load_model(digits.path), d.x_test).argmax(axis=1)
    assert output.getvalue() == f"{expected}\n"


def test_the_printed_command_classifies_the_test_examples(digits, run):
    command = re.search(r"^  gradflow (predict .*)$", digits.output, re.M)[1]
    final = re.search(r"^test accuracy (.*)", digits.output, re.M)[1]
    assert run(*command.split()).endswith(f"\naccuracy {final}\n")


def test_the_main_command_ends_above_97_5_percent(run):
    assert epochs(run("train", "digits"))[-1][3] >= 97.5


def test_the_model_is_named_after_the_data(run, tmp_path):
    assert "\nsaved to digits.safetensors (" in run("train", "--epochs", 1, "--model", "64-10")
    assert [path.name for path in tmp_path.iterdir()] == ["digits.safetensors"]


def test_the_same_seed_gives_the_same_file(digits, run):
    seconds = re.compile(r" +\d+\.\d\d$", re.M)
    output = run("train", "digits", "--epochs", 2, "--out", "again.safetensors")
    first, second = (seconds.sub("", text.partition("saved to")[0]) for text in (digits.output, output))
    assert first == second
    assert Path("again.safetensors").read_bytes() == digits.path.read_bytes()
    run("train", "--epochs", 2, "--out", "again.safetensors", "--seed", 1)
    assert Path("again.safetensors").read_bytes() != digits.path.read_bytes()


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (("--optimizer", "sgd"), "SGD, learning rate 0.1 falling to 0, momentum 0.9"),
        (("--optimizer", "sgd", "--momentum", 0, "--lr", 0.2), "SGD, learning rate 0.2 falling to 0"),
        (("--optimizer", "adamw"), "AdamW, learning rate 0.005 falling to 0, weight decay 0.01"),
        (("--lr", 0.01, "--weight-decay", 0.001), "Adam, learning rate 0.01 falling to 0, weight decay 0.001"),
        (("--activation", "tanh", "--dropout", 0.2), "64-256-10 with tanh and dropout 0.2: 19,210 parameters"),
        (("--model", "64-32-16-10", "--activation", "relu"), "64-32-16-10 with relu: 2,778 parameters"),
        (("--model", "64-10"), "64-10: 650 parameters"),
        (("--batch", 100, "--label-smoothing", 0), "1 epoch in batches of 100, label smoothing 0, seed 0, on cpu"),
    ],
)
def test_options_are_obeyed_and_shown(run, options, shown):
    output = run("train", *options, "--epochs", 1)
    assert re.search(f"^[a-z]+ +{re.escape(shown)}$", output, re.M), output
    assert epochs(output)[0][3] > 60


def test_every_option_changes_the_model(run):
    def trained(*options):
        run("train", "--epochs", 1, "--model", "64-16-10", *options)
        state, _ = serialize.load("digits.safetensors")
        return {name: value.numpy() for name, value in state.items()}

    plain = trained()
    for options in (
        ("--dropout", 0.5),
        ("--lr", 0.001),
        ("--weight-decay", 0.1),
        ("--batch", 31),
        ("--label-smoothing", 0),
        ("--early-stopping", 9),
        ("--activation", "silu"),
        ("--optimizer", "sgd"),
        ("--optimizer", "adamw"),
        ("--seed", 1),
    ):
        other = trained(*options)
        assert any(not np.array_equal(other[name], plain[name]) for name in plain), options


def test_the_seed_decides_the_first_weights(run):
    for seed in (0, 1):
        run("train", "--epochs", 1, "--model", "64-10", "--lr", 0, "--seed", seed, "--out", f"{seed}.safetensors")
    first, second = (train.load_model(f"{seed}.safetensors").layers[0].weight.detach().numpy() for seed in (0, 1))
    assert not np.array_equal(first, second)


def test_early_stopping_ends_before_the_epochs_do_and_keeps_the_best(run):
    output = run("train", "--early-stopping", 2, "--epochs", 200, "--lr", 0.05, "--model", "64-32-10")
    assert "1,294 examples to train on, 143 to stop early by, 360 to test on" in output
    assert "validation accuracy" in output
    seen = epochs(output)
    assert len(seen) < 200
    best = int(re.search(r"the model is that of epoch (\d+), with the lowest loss", output)[1])
    assert best == len(seen) - 2


def test_a_table_in_any_units_is_learned(run, rng):
    y = np.arange(300) % 3
    x = rng.normal(0, 1, (300, 4)) * [1, 1000, 1e-4, 1] + np.eye(3)[y] @ rng.normal(0, 8, (3, 4)) * [1, 1000, 1e-4, 0]
    np.savetxt("field.csv", np.c_[x + np.array([0, 5e4, 0, 7]), y], delimiter=",", header="a,b,c,d,kind", comments="")
    output = run("train", "field.csv")
    assert "field.csv: 240 examples to train on, 60 to test on; 4 features, 3 classes" in output
    assert epochs(output)[-1][3] > 90
    assert "saved to field.safetensors" in output
    shown = rows(run("predict", "field.safetensors", "field.csv"))
    assert [label for _, _, _, label, _ in shown] == y.tolist()


def test_images_in_an_archive_are_learned(run):
    d = data.load("digits")
    x, y = (255 * np.concatenate([d.x_train, d.x_test])).astype(np.uint8), np.concatenate([d.y_train, d.y_test])
    np.savez("images.npz", x=x.reshape(-1, 8, 8), y=y)
    assert epochs(run("train", "images.npz", "--epochs", 2))[-1][3] > 85
    assert len(rows(run("predict", "images.safetensors", "images.npz"))) == 1797


def test_a_directory_with_the_files_of_mnist_is_learned(run, rng, tmp_path):
    folder = tmp_path / "squares"
    folder.mkdir()
    for part, count in (("train", 60), ("t10k", 20)):
        y = np.arange(count, dtype=np.uint8) % 2
        x = np.where(y[:, None, None] == 1, 200, 20) + rng.integers(0, 20, (count, 5, 5))
        files = {
            f"{part}-images-idx3-ubyte.gz": struct.pack(">4I", 0x803, count, 5, 5) + x.astype(np.uint8).tobytes(),
            f"{part}-labels-idx1-ubyte.gz": struct.pack(">2I", 0x801, count) + y.tobytes(),
        }
        for name, content in files.items():
            (folder / name).write_bytes(gzip.compress(content))
    assert "test accuracy 100.00% (20 of 20)\n\nsaved to squares.safetensors" in run("train", "squares", "--epochs", 20)
    assert len(rows(run("predict", "squares.safetensors", "squares"))) == 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "64-x-10"], "such as 64-128-10"),
        (["--model", "64"], "such as 64-128-10"),
        (["--model", "64-0-10"], "such as 64-128-10"),
        (["--model", "32-16-9"], "digits has 64 features and 10 classes, .* must be 64 and the last 10: 64-16-10"),
        (["--epochs", "0"], "epochs is 0"),
        (["--batch", "0"], "batch 0"),
        (["--lr", "-1"], "lr is -1"),
        (["--lr", "nan"], "lr is nan"),
        (["--lr", "1e30", "--epochs", "2"], "lower the learning rate, which began at 1e[+]30"),
        (["--optimizer", "sgd", "--momentum", "-1"], "momentum is -1"),
        (["--momentum", "0.5"], "--momentum is an option of sgd, not of adam"),
        (["--weight-decay", "-1"], "weight_decay is -1"),
        (["--label-smoothing", "2"], "label_smoothing is 2"),
        (["--dropout", "1.5"], "dropout is 1.5"),
        (["--early-stopping", "0"], "patience is 0"),
        (["--seed", "-1"], "seed is -1"),
        (["--device", "tpu"], "'tpu' is not a device"),
        (["--out", "model.pt"], "ends in .safetensors"),
        (["--out", "nowhere/model.safetensors"], "no directory nowhere"),
        (["nothing"], "'nothing' is neither"),
        (["nothing.csv"], "nothing.csv does not exist"),
    ],
)
def test_a_training_that_cannot_be_is_refused(fail, options, message):
    assert re.search(message, fail("train", *options))


@pytest.mark.parametrize("arguments", [["train", "--epochs", "two"], ["train", "--activation", "magic"], ["walk"], []])
def test_arguments_that_are_none_show_the_usage(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert capsys.readouterr().err.startswith("usage: gradflow")


def test_a_training_that_could_not_be_saved_does_not_begin(fail, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    assert 'pip install "gradflow[train]"' in fail("train")


def test_without_memory_there_is_an_error(fail, monkeypatch):
    def exhaust(*arguments):
        raise MemoryError("Unable to allocate 238. GiB")

    monkeypatch.setattr("gradflow.cli.train.MLP", exhaust)
    assert "not enough memory (Unable to allocate 238. GiB)" in fail("train")


@pytest.mark.parametrize("where", ["gradflow.cli.display.show", "gradflow.serialize._replace"])
def test_ctrl_c_leaves_the_old_model_whole(run, monkeypatch, capsys, where):
    run("train", "--epochs", 1)
    before = Path("digits.safetensors").read_bytes()

    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(where, interrupt)
    assert main(["train", "--epochs", "1", "--seed", "5"]) == 130
    assert capsys.readouterr().err == "gradflow: interrupted\n"
    assert Path("digits.safetensors").read_bytes() == before
    assert os.listdir() == ["digits.safetensors"]


# the screen


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def shown_in_terminal(monkeypatch, term="xterm-256color"):
    """What display.show prints to a terminal."""
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("COLUMNS", "100")
    with contextlib.redirect_stdout(Terminal()) as screen:
        assert [epoch.number for epoch in display.show(two_epochs(), 3, "test")] == [1, 2]
    return screen.getvalue()


def two_epochs():
    yield train.Epoch(1, train.Score(0.5, 60, 100), train.Score(0.4, 7, 10), 0.25)
    yield train.Epoch(2, train.Score(0.25, 90, 100), train.Score(0.3, 8, 10), 0.125)


LINES = [
    "epoch  train loss  train accuracy  test accuracy  seconds",
    "    1      0.5000          60.00%         70.00%     0.25",
    "    2      0.2500          90.00%         80.00%     0.12",
]


def test_a_terminal_gets_the_lines_and_a_bar_with_loss_and_accuracy(monkeypatch):
    pytest.importorskip("rich")
    output = shown_in_terminal(monkeypatch)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output)
    assert set(LINES) <= {line.rstrip() for line in re.split(r"[\n\r]", text)}
    assert "\x1b[" in output
    assert re.search(r"2/3.*loss 0\.2500  accuracy 90\.00%", text)


def test_a_terminal_gets_the_lines_alone_without_rich(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich", None)
    assert shown_in_terminal(monkeypatch).splitlines() == LINES


def test_a_dumb_terminal_gets_the_lines_alone(monkeypatch):
    assert shown_in_terminal(monkeypatch, term="dumb").splitlines() == LINES


# predict


def test_predictions_are_those_of_the_model(digits, run):
    shown = rows(run("predict", digits.path, "digits"))
    d = data.load("digits")
    p = train.probabilities(train.load_model(digits.path), d.x_test)
    assert [row[0] for row in shown] == list(range(1, 361))
    assert [row[1] for row in shown] == p.argmax(axis=1).tolist()
    np.testing.assert_allclose([row[2] for row in shown], p.max(axis=1), atol=5.1e-5)
    assert [row[3] for row in shown] == d.y_test.tolist()
    assert [row[4] is None for row in shown] == (p.argmax(axis=1) == d.y_test).tolist()


X = data.load("digits").x_test[:6]
Y = data.load("digits").y_test[:6]
CSV = {"delimiter": ",", "fmt": "%.9g"}
FORMS = {
    "rows.npy": lambda path: np.save(path, X),
    "images.npy": lambda path: np.save(path, X.reshape(6, 8, 8).astype(np.float64)),
    "x.npz": lambda path: np.savez(path, x=X, other=Y),
    "only.npz": lambda path: np.savez(path, anything=X),
    "rows.csv": lambda path: np.savetxt(path, X, **CSV),
    "rows.csv.gz": lambda path: np.savetxt(path, X, **CSV),
    "header.csv": lambda path: np.savetxt(path, X, **CSV, header=",".join(f"p{i}" for i in range(64)), comments=""),
}
LABELLED = {
    "xy.npz": lambda path: np.savez_compressed(path, x=X, y=Y),
    "test.npz": lambda path: np.savez(path, x_train=X[:1], y_train=Y[:1], x_test=X, y_test=Y),
    "labels.csv": lambda path: np.savetxt(path, np.c_[X, Y], **CSV),
}


@pytest.mark.parametrize("name", FORMS)
def test_examples_without_labels_come_in_many_forms(digits, run, tmp_path, name):
    FORMS[name](tmp_path / name)
    output = run("predict", digits.path, name)
    expected = rows(run("predict", digits.path, "digits"))[:6]
    assert [row[:4] for row in rows(output)] == [(*row[:3], None) for row in expected]
    assert len(output.splitlines()) == 7


@pytest.mark.parametrize("name", LABELLED)
def test_examples_with_labels_are_counted(digits, run, tmp_path, name):
    LABELLED[name](tmp_path / name)
    output = run("predict", digits.path, name)
    expected = rows(run("predict", digits.path, "digits"))[:6]
    assert rows(output) == expected
    right = sum(row[1] == row[3] for row in expected)
    assert output.endswith(f"accuracy {right / 6:.2%} ({right} of 6)\n")


def test_one_example_may_be_a_vector(digits, run):
    np.save("one.npy", X[0])
    assert len(rows(run("predict", digits.path, "one.npy"))) == 1


def test_bytes_are_scaled_as_in_training(digits, run):
    np.save("bytes.npy", np.rint(X * 255).astype(np.uint8))
    np.save("floats.npy", (np.rint(X * 255) / 255).astype(np.float32))
    assert run("predict", digits.path, "bytes.npy") == run("predict", digits.path, "floats.npy")


def test_a_wrong_prediction_is_marked(digits, run):
    np.savez("wrong.npz", x=X, y=(Y + 1) % 10)
    output = run("predict", digits.path, "wrong.npz")
    assert output.count("  wrong\n") == sum(row[1] != row[3] for row in rows(output)) > 3


def test_values_in_other_units_are_warned_of(digits, capsys, tmp_path):
    np.save(tmp_path / "sixteenths.npy", X * 16)
    assert main(["predict", str(digits.path), str(tmp_path / "sixteenths.npy")]) == 0
    err = capsys.readouterr().err
    assert err.startswith("gradflow: warning: the values in ")
    assert "go from 0 to 16, in training they went from 0 to 1;" in err


def test_predictions_do_not_touch_the_model(digits, run):
    before = digits.path.read_bytes()
    run("predict", digits.path, "digits")
    assert digits.path.read_bytes() == before


def text(content):
    return lambda path: path.write_bytes(content)


BAD = {
    "narrow.npy": (lambda path: np.save(path, X[:, 1:]), r"\(6, 63\); the model takes 64 features"),
    "scalar.npy": (lambda path: np.save(path, 5.0), "the model takes 64 features"),
    "none.npy": (lambda path: np.save(path, X[:0]), r"\(0, 64\)"),
    "words.npy": (lambda path: np.save(path, np.array([["a"] * 64])), "give real numbers"),
    "nan.npy": (
        lambda path: np.save(path, np.where(np.arange(384).reshape(6, 64) == 133, np.nan, X)),
        "example 3, feature 6 is",
    ),
    "objects.npy": (lambda path: np.save(path, np.array([{}]), allow_pickle=True), "allow_pickle=False"),
    "short.npy": (text(b"\x93NUMPY"), "damaged or no .npy file"),
    "text.npz": (text(b"hello"), "damaged or no .npz file"),
    "many.npz": (lambda path: np.savez(path, a=X, b=X), "the arrays a, b; give x"),
    "labels.npz": (lambda path: np.savez(path, x=X, y=Y[:5]), r"6 examples and labels of shape \(5,\)"),
    "halves.npz": (lambda path: np.savez(path, x=X, y=Y + 0.5), "whole numbers"),
    "narrow.csv": (lambda path: np.savetxt(path, X[:, 2:], **CSV), "62 columns; .* give 64 columns, or 65"),
    "empty.csv": (text(b"\n \n"), "holds no examples"),
    "header.csv": (text(b"a,b\n"), "holds no examples"),
    "words.csv": (text(b"a,b\n1,2\n3,four\n"), "line 3, column 2 is 'four' and not a number"),
    "ragged.csv": (text(b"1,2\n\n3,4,5\n"), "line 3 has 3 columns, line 1 has 2"),
    "binary.csv": (text(b"\xff\xfe\x00"), "not UTF-8"),
    "plain.csv.gz": (text(b"1,2\n"), "not gzip data"),
}


@pytest.mark.parametrize("name", BAD)
def test_examples_that_cannot_be_classified_are_refused(digits, fail, tmp_path, name):
    write, message = BAD[name]
    write(tmp_path / name)
    err = fail("predict", digits.path, name)
    assert re.search(message, err)
    assert name in err


@pytest.mark.parametrize("name", ["missing.npy", "missing.npz", "missing.csv", "missing.csv.gz"])
def test_a_missing_file_of_examples_is_named(digits, fail, name):
    assert fail("predict", digits.path, name) == f"gradflow: error: {name} does not exist; check the path\n"


def test_examples_of_no_known_kind_are_refused(digits, fail):
    assert "'picture.png' is neither" in fail("predict", digits.path, "picture.png")


def test_a_model_file_that_is_none_is_refused(digits, fail, tmp_path):
    (tmp_path / "table.csv").write_text("1,2\n")
    (tmp_path / "half.safetensors").write_bytes(digits.path.read_bytes()[:-100])
    serialize.save(gf.nn.Linear(64, 10), tmp_path / "foreign.safetensors")
    assert "table.csv is truncated, or no safetensors file" in fail("predict", "table.csv", "digits")
    assert "half.safetensors is truncated" in fail("predict", "half.safetensors", "digits")
    assert "foreign.safetensors is not a model that gradflow train saved" in fail(
        "predict", "foreign.safetensors", "digits"
    )
    assert "missing.safetensors does not exist" in fail("predict", "missing.safetensors", "digits")


# the other commands


def test_info_shows_versions_devices_and_extras(run):
    output = run("info")
    assert re.search(rf"^gradflow  {re.escape(gf.__version__)}, ", output, re.M)
    assert re.search(rf"^NumPy     {re.escape(np.__version__)}$", output, re.M)
    assert re.search(r"^cpu       \d+ cores; (no compiled loops: \S|compiled loops on \d+ thread)", output, re.M)
    assert re.search(r"^BLAS      \S+", output, re.M)
    assert str(CHECKOUT / "kernels") in output
    assert [line.split()[0] for line in output.partition("extras\n")[2].splitlines()] == list(info.EXTRAS)


def test_info_says_why_there_are_no_compiled_loops(run, monkeypatch):
    monkeypatch.setattr(info.native, "failure", lambda: "llvmlite failed: no such processor")
    assert "cores; no compiled loops: llvmlite failed: no such processor" in run("info")


def test_an_extra_that_is_absent_comes_with_its_command(run, monkeypatch):
    def none_installed(package):
        raise PackageNotFoundError(package)

    monkeypatch.setattr(info, "installed", none_installed)
    assert re.search(r'^  train .*pip install "gradflow\[train\]"$', run("info"), re.M)


def test_the_extras_are_those_of_the_project():
    extras = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    names = {extra: {re.match(r"[\w-]+", each)[0] for each in packages} for extra, packages in extras.items()}
    assert {extra: set(packages) for extra, (packages, _) in info.EXTRAS.items()} == {
        extra: names[extra] for extra in names if extra not in ("bench", "dev")
    }


def test_the_threads_of_blas_are_those_it_uses():
    if "openblas" not in info.blas():
        pytest.skip("NumPy's BLAS is not OpenBLAS")
    assert b", 1 thread (OPENBLAS_NUM_THREADS sets them)" in process("info", OPENBLAS_NUM_THREADS="1").stdout


def test_explain_is_a_command(run):
    assert "linear" in run("explain", "linear").lower()


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"gradflow {gf.__version__}\n"


# the process


def process(*arguments, cwd=CHECKOUT, stdout=subprocess.PIPE, **environment):
    """``python -m gradflow`` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "gradflow", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)} | environment,
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
    )


def test_names_that_the_encoding_lacks_are_escaped(tmp_path):
    options = ("--epochs", 1, "--model", "64-10", "--out", "ü日本.safetensors")
    done = process("train", *options, cwd=tmp_path, PYTHONIOENCODING="cp1252")
    assert (done.returncode, done.stderr) == (0, b"")
    assert "saved to ü\\u65e5\\u672c.safetensors (" in done.stdout.decode("cp1252")
    done = process("predict", "日本.safetensors", "digits", cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert b"\\u65e5\\u672c.safetensors does not exist" in done.stderr


@posix
def test_a_reader_that_has_seen_enough_is_no_error(digits):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as out:
        assert process("predict", digits.path, "digits", stdout=out).stderr == b""


def test_an_error_is_the_status_of_the_process(tmp_path):
    done = process("train", "--model", "64", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"gradflow: error: model '64'")


@posix
def test_ctrl_c_ends_the_process_with_a_short_line(tmp_path):
    command = [sys.executable, "-m", "gradflow", "train", "--epochs", "100000"]
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        while not EPOCH.fullmatch(running.stdout.readline().rstrip()):
            pass
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=20)
    assert (running.returncode, err) == (130, "gradflow: interrupted\n")
    assert os.listdir(tmp_path) == []
