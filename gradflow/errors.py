"""Every exception gradflow raises on purpose.

GradflowError
├── ShapeError        (ValueError)    shapes that do not fit together
├── ArgumentError     (ValueError)    a value outside what the function takes
├── LinAlgError       (numpy.linalg.LinAlgError)  a matrix that has not what is asked for: singular, not definite
├── DTypeError        (TypeError)     a dtype or type the operation does not take
├── DeviceError       (RuntimeError)  arrays on different devices, or a device that is not there
├── OutOfMemory       (MemoryError)   a device without the memory that was asked for
├── KernelError       (RuntimeError)  a CUDA kernel that does not compile
├── IndexOutOfRange   (IndexError)    an index, a label or an axis past the end
├── BudgetExceeded    (AssertionError) a block of code launched more kernels, or waited more often, than allowed
├── GradientError     (RuntimeError)  a backward pass that cannot be run
├── TransformError    (RuntimeError)  a function that vmap, jvp or another transform cannot take apart
├── ConvergenceError  (RuntimeError)  an iteration that ended before it found what was asked for
├── CompileError      (RuntimeError)  a step that cannot be compiled, since a replay would differ from it
├── NumPyCallError    (TypeError)     a function of NumPy's, or an argument of it, that there is not for tensors
├── ExportError       (BufferError)   a tensor that another library cannot take over without losing its gradient
├── MissingExtraError (ImportError)   an optional package is needed and absent
├── DataError         (ValueError)    a data file that is damaged or not what it should be
├── CheckpointError   (ValueError)    a saved model that does not fit the model it is loaded into
└── StateKeyError     (KeyError)      a name that is not in a state dict
"""

from __future__ import annotations

import numpy as np


class GradflowError(Exception):
    """An error with a message that says what was attempted, what was given and what to do."""


class ShapeError(GradflowError, ValueError):
    """Shapes that do not fit together."""


class ArgumentError(GradflowError, ValueError):
    """An argument of the right type with a value the function does not take."""


class LinAlgError(GradflowError, np.linalg.LinAlgError):
    """A matrix for which there is no result: singular, not positive definite, or one that an iteration gives up on."""


class DTypeError(GradflowError, TypeError):
    """A dtype, or a Python type, that the operation does not take."""


class DeviceError(GradflowError, RuntimeError):
    """Arrays on different devices, or a device that is not there."""


class OutOfMemory(GradflowError, MemoryError):
    """A device that has not got the memory that was asked for."""


class KernelError(GradflowError, RuntimeError):
    """A CUDA kernel that does not compile, or was given arguments that do not fit its signature."""


class IndexOutOfRange(GradflowError, IndexError):
    """An index, a class label or an axis past the end of what it points into."""


class BudgetExceeded(GradflowError, AssertionError):
    """A block of code that launched more kernels, or waited for the GPU more often, than it was allowed to."""


class GradientError(GradflowError, RuntimeError):
    """A backward pass that cannot be run as asked."""


class TransformError(GradflowError, RuntimeError):
    """A function that ``vmap``, ``jvp`` or another transform cannot take apart."""


class ConvergenceError(GradflowError, RuntimeError):
    """An iteration that ended before it found what was asked for."""


class CompileError(GradflowError, RuntimeError):
    """A step that cannot be compiled: a replay would do something else than the step itself."""


class NumPyCallError(GradflowError, TypeError):
    """A function of NumPy's, or an argument of one, that gradflow has no counterpart for."""


class ExportError(GradflowError, BufferError):
    """A tensor whose memory cannot be handed over as asked: its gradient would be lost, or it is elsewhere."""


class MissingExtraError(GradflowError, ImportError):
    """A feature that needs an optional package which is not installed."""


class DataError(GradflowError, ValueError):
    """A data file that is truncated, damaged or of another format than it should be."""


class CheckpointError(GradflowError, ValueError):
    """A saved model that is damaged or does not fit the model it is loaded into."""


class StateKeyError(GradflowError, KeyError):
    """A name that a state dict lacks, or has and should not."""

    def __str__(self) -> str:  # KeyError shows the repr of its argument; a message should read as one
        return str(self.args[0]) if self.args else ""
