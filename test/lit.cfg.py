# lit configuration shared by all areas; lit.site.cfg.py in the build folder sets
# the paths and loads this.
import os
import pathlib
import shutil

import lit.formats
import lit.util

config.name = "fk"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "unit", "gpu"]
config.test_source_root = os.path.join(config.fk_source_dir, "test")
config.test_exec_root = os.path.join(config.fk_build_dir, "test")

path = [os.path.join(config.fk_build_dir, "bin"), config.llvm_tools_dir]
config.environment["PATH"] = os.pathsep.join(path + [config.environment.get("PATH", os.environ.get("PATH", ""))])
config.environment["XDG_CACHE_HOME"] = os.path.join(config.test_exec_root, "cache")
for variable in ("CUDA_HOME", "CUDA_PATH", "FK_CUDA_LIBS", "FK_CUDA_TOOLKIT"):
    if variable in os.environ:
        config.environment[variable] = os.environ[variable]

config.substitutions.append(("%fk_source", config.fk_source_dir))
config.substitutions.append(("%fk_build", config.fk_build_dir))
config.substitutions.append(("%python", config.python))


def has_gpu():
    return os.path.exists("/dev/nvidia0")


def find_toolkit():
    """The nvcc of an installed toolkit, as cmake/FKCuda.cmake looks for it."""
    for home in (os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH")):
        if home and os.path.exists(os.path.join(home, "bin", "nvcc")):
            return os.path.join(home, "bin", "nvcc")
    if shutil.which("nvcc"):
        return shutil.which("nvcc")
    return next((str(p) for p in pathlib.Path("/usr/local").glob("cuda*/bin/nvcc")), None)


wheels = os.path.join(config.fk_source_dir, "build", "deps", "cuda", "nvidia", "cu13", "bin", "nvcc")
if has_gpu():
    config.available_features.add("cuda")
if find_toolkit():
    config.available_features.add("toolkit")
if os.path.exists(wheels):
    config.available_features.add("cuda-wheels")
if find_toolkit() or os.path.exists(wheels):
    config.available_features.add("nvcc")
