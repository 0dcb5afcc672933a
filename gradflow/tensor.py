"""A Tensor: an array and a place on the tape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from gradflow import dtypes
from gradflow.backend import backend_for, backend_of, cuda_backend
from gradflow.backend.traced import Traced
from gradflow.device import CPU, Device
from gradflow.device import device as as_device
from gradflow.dtypes import DType, DTypeLike
from gradflow.errors import DeviceError, DTypeError, GradientError, ShapeError
from gradflow.mode import mode
from gradflow.op import Spec
from gradflow.shapes import Shape

if TYPE_CHECKING:  # at run time ops/methods.py sets these on Tensor; a type checker sees them here
    from gradflow.ops.methods import Methods
    from gradflow.slot import GradientSlot
    from gradflow.tape import Node
else:
    Methods = object

TensorLike = Any  # a Tensor, or what gf.tensor takes: a NumPy array, a Python number, nested lists of numbers
SCALARS = (bool, int, float, complex)


class Tensor(Methods):
    """An array that remembers how it was computed, so that gradients can be asked for.

    ``data`` is the NumPy (or CuPy) array itself and shares memory with what the tensor was made from.
    ``grad`` is the gradient that ``backward`` left, a Tensor or None; only leaves that require grad get one,
    and tensors on which ``retain_grad()`` was called.
    """

    __slots__ = ("__weakref__", "data", "grad", "grad_slot", "node", "requires_grad")

    data: Any
    grad: Tensor | None
    requires_grad: bool
    node: Node | None
    grad_slot: GradientSlot | None

    def __init__(self, data: Any, requires_grad: bool = False) -> None:
        self.data = data
        self.grad = None
        self.requires_grad = requires_grad
        self.node = None
        self.grad_slot = None

    @property
    def shape(self) -> Shape:
        """The size of each dimension."""
        shape: Shape = self.data.shape
        return shape

    @property
    def dtype(self) -> DType:
        """The dtype of the elements, a NumPy dtype object."""
        dtype: DType = self.data.dtype
        return dtype

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.data.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        size: int = self.data.size
        return size

    @property
    def device(self) -> Device:
        """The device that holds the elements."""
        return backend_of(self.data).device_of(self.data)

    @property
    def spec(self) -> Spec:
        """Shape and dtype together."""
        return Spec(self.data.shape, self.data.dtype)

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor was made by the user rather than computed from tensors that require grad."""
        return self.node is None

    def detach(self) -> Tensor:
        """The same array (shared, not copied) without a place on the tape."""
        data = self.data
        return Tensor(data.detached() if isinstance(data, Traced) else data)

    def numpy(self) -> Any:
        """The elements as a NumPy array: on the CPU it shares memory with the tensor, from a GPU it is a copy.

        Raises GradientError for a tensor that requires grad: a gradient cannot flow through a NumPy array.
        """
        if self.requires_grad:
            raise GradientError("numpy: this tensor requires grad, and NumPy would drop it; use .detach().numpy()")
        return self._read("numpy")

    def _read(self, attempt: str) -> Any:
        if mode.reading is not None:
            mode.reading(attempt)
        data = self.data
        return data.read(attempt) if isinstance(data, Traced) else backend_of(data).to_numpy(data)

    def item(self, *index: Any) -> Any:
        """The only element, or that at a place, as a Python number; ShapeError if there is not exactly one."""
        if index:
            place = index[0] if len(index) == 1 else index
            return (self[place] if isinstance(place, tuple) else self.ravel()[place]).item()
        if self.data.size != 1:
            raise ShapeError(f"item: a tensor of shape {self.shape} has {self.size} elements; index one of them")
        return self._read("item").item()

    def tolist(self) -> Any:
        """The elements as (nested) Python lists."""
        return self._read("tolist").tolist()

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Ask for gradients of this leaf (or stop asking), and return it."""
        if self.node is not None:
            raise GradientError("requires_grad_: only leaves can be changed; this tensor was computed, use .detach()")
        if requires_grad:
            check_differentiable(self.dtype)
        self.requires_grad = requires_grad
        return self

    def retain_grad(self) -> None:
        """Let ``backward`` leave a gradient on this computed tensor too."""
        if not self.requires_grad:
            raise GradientError("retain_grad: this tensor does not require grad, so it will never get one")
        if self.node is not None:
            self.node.retain(self)

    def __len__(self) -> int:
        if not self.data.shape:
            raise DTypeError("len: a tensor of shape () has no length; use .size for the number of elements")
        return int(self.data.shape[0])

    def __iter__(self) -> Iterator[Tensor]:
        if not self.data.shape:
            raise DTypeError("iteration: a tensor of shape () has nothing to iterate over; use .item()")
        return (self[i] for i in range(self.data.shape[0]))

    def __bool__(self) -> bool:
        if self.data.size != 1:
            raise ShapeError(f"bool: a tensor of shape {self.shape} is neither true nor false; use .any() or .all()")
        return bool(self.item())

    def __float__(self) -> float:
        return float(self._real_item("float"))

    def __int__(self) -> int:
        return int(self._real_item("int"))

    def _real_item(self, attempt: str) -> bool | int | float:
        number = self.item()
        if isinstance(number, complex):
            raise DTypeError(f"{attempt}: {number} is complex; take .real, .imag or abs of it first")
        real: bool | int | float = number
        return real

    def __complex__(self) -> complex:
        return complex(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise DTypeError(f"a tensor of {self.dtype} cannot be used as an index; only integers can")
        return int(self.item())

    __hash__ = object.__hash__  # a tensor equals elementwise, and is itself

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if self.device != CPU:
            raise DeviceError(f"NumPy cannot read {self.device}; bring the tensor to the CPU with .cpu() or .numpy()")
        return np.array(self.numpy(), dtype, copy=copy)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """How CuPy, Numba and others take over the memory of a tensor on a GPU; absent on the CPU.

        Absent too where grad is required, which whoever takes the memory would drop without a word.
        """
        if self.requires_grad or self.device == CPU:
            raise AttributeError(
                "__cuda_array_interface__ is for tensors on a GPU that do not require grad; use .detach()"
            )
        interface: dict[str, Any] = self.data.__cuda_array_interface__
        return interface

    def __repr__(self) -> str:
        body = np.array2string(self._read("repr"), separator=", ", prefix="tensor(")
        notes = [] if self.dtype in (dtypes.float32, dtypes.int64, dtypes.bool_) else [f"dtype={self.dtype}"]
        if self.device != CPU:
            notes.append(f"device='{self.device}'")
        if self.node is not None:
            notes.append(f"made by {self.node.op.name}")
        elif self.requires_grad:
            notes.append("requires_grad=True")
        return f"tensor({', '.join([body, *notes])})"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)


def check_differentiable(dtype: DType) -> None:
    """Raise DTypeError unless tensors of ``dtype`` can have gradients."""
    if not dtypes.is_differentiable(dtype):
        raise DTypeError(f"only floating tensors can require grad, and this one is {dtype}; use .to('float32')")


def tensor(
    data: TensorLike,
    dtype: DTypeLike = None,
    device: str | Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of ``data``: numbers, nested lists of them, a NumPy or CuPy array (whose memory is shared) or a tensor.

    Data with a dtype keeps it; Python floats become the default dtype, float32, and Python complex
    numbers complex64. ``dtype`` and ``device`` convert;
    without ``device``, what is on a GPU stays there, and the rest is on the CPU.

    Raises DTypeError for data that is not numeric, DeviceError for a device that is not there.

    >>> import gradflow as gf
    >>> w = gf.tensor(0.4, requires_grad=True)
    >>> loss = (1.0 - 0.5 * w) ** 2
    >>> loss.backward()
    >>> w.grad
    tensor(-0.8)
    """
    wanted = None if dtype is None else dtypes.as_dtype(dtype)
    array = data.detach().data if isinstance(data, Tensor) else _array(data, wanted)
    if wanted is not None and array.dtype != wanted:
        array = array.astype(wanted)
    if requires_grad:
        check_differentiable(array.dtype)
    if device is None:
        return Tensor(array, requires_grad)
    where = as_device(device)
    return Tensor(moved(array, where), requires_grad)


def moved(array: Any, device: Device) -> Any:
    """``array`` on ``device``; itself if it is there."""
    if device == CPU:
        return backend_of(array).to_numpy(array)
    check_on(array.dtype, device)
    return backend_for(device).asarray(array, None, device)


def check_on(dtype: DType, device: Device) -> None:
    """Raise DTypeError for a dtype that ``device`` does not compute with."""
    if device != CPU and dtypes.is_bfloat16(dtype):
        raise DTypeError(
            f"bfloat16 tensors are on the CPU alone, not on {device}: CuPy has few functions of them; use float16"
        )


def copied(array: Any) -> Any:
    """A copy of ``array`` on its own device, whichever is the current one."""
    backend = backend_of(array)
    with backend.on(backend.device_of(array)):
        return array.copy()


def _array(data: Any, wanted: DType | None) -> Any:
    if hasattr(data, "__cuda_array_interface__"):
        xp = cuda_backend().xp
        array = data if isinstance(data, xp.ndarray) else xp.asarray(data)
        dtypes.as_dtype(array.dtype)
        return array
    if isinstance(data, (list, tuple)) and any(isinstance(x, Tensor) for x in data):
        raise DTypeError(f"tensor: got a {type(data).__name__} of tensors; take one of them, or join them by gf.stack")
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ShapeError(f"tensor: the nested lists are ragged ({error})") from None
    if array.dtype.kind not in "biufc" and not dtypes.is_bfloat16(array.dtype):
        raise DTypeError(f"tensor: {type(data).__name__} of {array.dtype} is not numeric data gradflow computes with")
    if wanted is None and array.dtype in (dtypes.float64, dtypes.complex128) and not hasattr(data, "dtype"):
        default = dtypes.get_default_dtype()
        array = array.astype(default if array.dtype == dtypes.float64 else dtypes.complex_of(default))
    dtypes.as_dtype(array.dtype)
    return array


def operand(x: TensorLike) -> Any:
    """What an op is given for ``x``: tensors, Python numbers (weak in promotion) and None as they are."""
    if isinstance(x, Tensor) or x is None or type(x) in SCALARS:
        return x
    return tensor(x)
