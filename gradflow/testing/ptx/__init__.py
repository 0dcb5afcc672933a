"""An interpreter of PTX: runs the kernels that NVRTC compiles, with no GPU, and finds what is wrong with them.

All threads of a grid run at once, an instruction at a time, on NumPy arrays with one element a thread; where they part,
those that are least far in the program go first, so that they meet again. A launch ends in a ``KernelFault`` that names
kernel, source line, thread and address for an access out of bounds, misaligned, after the memory was freed or before it
was written, for a data race (between barriers in a block, between blocks without fences and atomic operations), a
barrier or a shuffle that waits forever, and an instruction that is not known. Otherwise it gives a ``Report``: bytes,
32-byte sectors, instructions, atomics, bank conflicts, lines that ran. It does not predict time.

>>> import numpy as np
>>> from gradflow.testing import nvrtc, ptx
>>> source = '''
... template <typename T> __global__ void twice(const T* x, T* out, int n) {
...   int i = blockIdx.x * blockDim.x + threadIdx.x;
...   if (i < n) out[i] = 2 * x[i];
... }'''
>>> program = ptx.load(nvrtc.compile(source, ["twice<float>"]))  # doctest: +SKIP
>>> memory = ptx.Memory(1 << 20)
>>> x, out = memory.upload(np.arange(5, dtype=np.float32)), memory.allocate(20)
>>> arguments = [np.uint64(x), np.uint64(out), np.int32(5)]
>>> report = program.launch("twice<float>", (1,), (32,), arguments, memory)  # doctest: +SKIP
>>> memory.download(out, (5,), np.float32)  # doctest: +SKIP
array([0., 2., 4., 6., 8.], dtype=float32)
>>> report.stores.sectors_per_request  # doctest: +SKIP
1.0
"""

from gradflow.testing.ptx.faults import KernelFault
from gradflow.testing.ptx.memory import Memory
from gradflow.testing.ptx.program import Program, load
from gradflow.testing.ptx.report import Report
from gradflow.testing.ptx.traffic import Traffic

__all__ = ["KernelFault", "Memory", "Program", "Report", "Traffic", "load"]
