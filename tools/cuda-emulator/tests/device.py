"""The emulated driver by ctypes, as small as the tests need it."""

import ctypes
import os
import struct

LAUNCH_ARGUMENTS = 11


class Failed(Exception):
    """A call that did not return 0."""

    def __init__(self, name: str, code: int) -> None:
        super().__init__(f"{name}: {code}")
        self.code = code


class Device:
    """A context on the first device, with one module loaded."""

    def __init__(self, ptx: bytes | None = None) -> None:
        self.driver = ctypes.CDLL(os.path.join(os.environ["EMU_LIBRARIES"], "libcuda.so.1"))
        self.call("cuInit", 0)
        context = ctypes.c_void_p()
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), 0)
        self.call("cuCtxSetCurrent", context)
        if ptx is not None:
            self.module = ctypes.c_void_p()
            self.call("cuModuleLoadData", ctypes.byref(self.module), ptx + b"\0")

    def call(self, name: str, *arguments: object) -> None:
        """Calls a function of the driver."""
        code = getattr(self.driver, name)(*arguments)
        if code:
            raise Failed(name, code)

    def empty(self, size: int) -> ctypes.c_uint64:
        """Allocates bytes."""
        address = ctypes.c_uint64()
        self.call("cuMemAllocAsync", ctypes.byref(address), ctypes.c_size_t(size), None)
        return address

    def send(self, values: list[float], kind: str = "f") -> ctypes.c_uint64:
        """Brings values to the device."""
        data = struct.pack(f"{len(values)}{kind}", *values)
        address = self.empty(len(data))
        self.call("cuMemcpyHtoDAsync_v2", address, data, ctypes.c_size_t(len(data)), None)
        return address

    def receive(self, address: ctypes.c_uint64, count: int, kind: str = "f") -> list[float]:
        """Brings values from the device."""
        data = ctypes.create_string_buffer(count * struct.calcsize(kind))
        self.call("cuMemcpyDtoHAsync_v2", data, address, ctypes.c_size_t(len(data)), None)
        return list(struct.unpack(f"{count}{kind}", data.raw))

    def stream(self) -> ctypes.c_void_p:
        """Makes a stream."""
        made = ctypes.c_void_p()
        self.call("cuStreamCreate", ctypes.byref(made), 1)
        return made

    def launch(self, name: str, blocks: int, threads: int, *arguments: object, stream: object = None) -> None:
        """Launches a kernel of the module; whole numbers are passed as 32 bits."""
        function = ctypes.c_void_p()
        self.call("cuModuleGetFunction", ctypes.byref(function), self.module, name.encode())
        values = [ctypes.c_uint32(one) if isinstance(one, int) else one for one in arguments]
        pointers = (ctypes.c_void_p * len(values))(
            *(ctypes.cast(ctypes.pointer(value), ctypes.c_void_p) for value in values)
        )
        self.call("cuLaunchKernel", function, blocks, 1, 1, threads, 1, 1, 0, stream, pointers, None)

    def synchronize(self) -> None:
        """Waits, and hears of errors."""
        self.call("cuStreamSynchronize", None)
