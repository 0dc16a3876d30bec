"""The CUDA driver through ctypes: loads PTX and launches it. Python 3 alone."""
import ctypes
import struct


class LaunchAttribute(ctypes.Structure):
    _fields_ = [("id", ctypes.c_int), ("pad", ctypes.c_int), ("value", ctypes.c_uint32 * 16)]


class LaunchConfig(ctypes.Structure):
    _fields_ = [("grid", ctypes.c_uint * 3), ("block", ctypes.c_uint * 3), ("shared", ctypes.c_uint),
                ("stream", ctypes.c_void_p), ("attributes", ctypes.POINTER(LaunchAttribute)), ("count", ctypes.c_uint)]


FORMATS = {"i8": "<b", "i16": "<h", "i32": "<i", "i64": "<q", "u8": "<B", "u16": "<H", "u32": "<I", "u64": "<Q",
           "f16": "<e", "f32": "<f", "f64": "<d"}


class Cuda:
    """A context on the first GPU."""

    def __init__(self):
        self.lib = ctypes.CDLL("libcuda.so.1")
        self.call("cuInit", 0)
        device, self.context = ctypes.c_int(), ctypes.c_void_p()
        self.call("cuDeviceGet", ctypes.byref(device), 0)
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(self.context), device)
        self.call("cuCtxSetCurrent", self.context)
        name = ctypes.create_string_buffer(128)
        self.call("cuDeviceGetName", name, 128, device)
        self.name = name.value.decode()
        version = ctypes.c_int()
        self.call("cuDriverGetVersion", ctypes.byref(version))
        self.driver = version.value

    def call(self, function, *args):
        status = getattr(self.lib, function)(*args)
        if status != 0:
            text = ctypes.c_char_p()
            self.lib.cuGetErrorString(status, ctypes.byref(text))
            raise RuntimeError(f"{function}: {(text.value or b'?').decode()} ({status})")

    def allocate(self, data):
        """A copy of `data` on the GPU."""
        pointer = ctypes.c_uint64()
        self.call("cuMemAlloc_v2", ctypes.byref(pointer), ctypes.c_size_t(max(len(data), 1)))
        self.call("cuMemcpyHtoD_v2", pointer, bytes(data), ctypes.c_size_t(len(data)))
        return pointer

    def read(self, pointer, size):
        result = ctypes.create_string_buffer(max(size, 1))
        self.call("cuMemcpyDtoH_v2", result, pointer, ctypes.c_size_t(size))
        return result.raw[:size]

    def free(self, pointer):
        self.call("cuMemFree_v2", pointer)

    def load(self, ptx):
        log = ctypes.create_string_buffer(4096)
        options = (ctypes.c_int * 2)(5, 6)  # CU_JIT_ERROR_LOG_BUFFER, its size
        settings = (ctypes.c_void_p * 2)(ctypes.addressof(log), 4096)
        module = ctypes.c_void_p()
        try:
            self.call("cuModuleLoadDataEx", ctypes.byref(module), ptx.encode() + b"\0", 2, options, settings)
        except RuntimeError as error:
            raise RuntimeError(f"{error}: {log.value.decode(errors='replace').strip()}") from None
        return module

    def unload(self, module):
        self.call("cuModuleUnload", module)

    def launch(self, module, entry, grid, block, args, shared=0, cluster=(1, 1, 1)):
        """`args`: the bytes of each parameter. Returns when the kernel has ended."""
        function = ctypes.c_void_p()
        self.call("cuModuleGetFunction", ctypes.byref(function), module, entry.encode())
        if shared > 48 * 1024:
            self.call("cuFuncSetAttribute", function, 8, ctypes.c_int(shared))  # dynamic shared memory
        buffers = [ctypes.create_string_buffer(arg, len(arg)) for arg in args]
        pointers = (ctypes.c_void_p * max(len(buffers), 1))(*(ctypes.addressof(b) for b in buffers))
        config = LaunchConfig((ctypes.c_uint * 3)(*grid), (ctypes.c_uint * 3)(*block), shared, None, None, 0)
        if tuple(cluster) != (1, 1, 1):
            attribute = LaunchAttribute(4, 0)  # CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION
            attribute.value[0:3] = list(cluster)
            config.attributes, config.count = ctypes.pointer(attribute), 1
        self.call("cuLaunchKernelEx", ctypes.byref(config), function, pointers, None)
        self.call("cuCtxSynchronize")

    def run(self, module, case, tensors):
        """Launches a case (cases.py) on `tensors` {name: bytes}; returns them
        as they are behind it."""
        pointers = {name: self.allocate(data) for name, data in tensors.items()}
        args = []
        for text in case["args"]:
            kind, _, value = text.partition(":")
            if text == "null":
                args.append(struct.pack("<Q", 0))
            elif not value:
                args.append(struct.pack("<Q", pointers[text].value))
            elif kind == "hex":
                args.append(bytes.fromhex(value))
            elif kind == "bf16":
                args.append(struct.pack("<f", float(value))[2:])
            else:
                args.append(struct.pack(FORMATS[kind], float(value) if kind[0] == "f" else int(value)))
        self.launch(module, case["entry"], case["grid"], case["block"], args, case.get("shared", 0),
                    case.get("cluster", (1, 1, 1)))
        result = {name: self.read(pointers[name], len(data)) for name, data in tensors.items()}
        for pointer in pointers.values():
            self.free(pointer)
        return result
