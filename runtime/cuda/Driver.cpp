//===- Driver.cpp - The CUDA driver, reached at run time ------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/cuda/Driver.h"

#include "runtime/support/Error.h"

#include <dlfcn.h>
#include <fstream>

using namespace fk;
using namespace fk::cuda;

namespace {

using GetProcAddress = Result (*)(const char *symbol, void **function,
                                  int version, uint64_t flags, int *status);

constexpr const char *library = "libcuda.so.1";
constexpr int oldestVersion = 12000;

std::string versionText(int version) {
  return std::to_string(version / 1000) + "." +
         std::to_string(version % 1000 / 10);
}

Driver openDriver() {
  // Never closed: the driver does not survive being unloaded.
  void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *reason = dlerror();
    throw Error({.what = "no CUDA driver",
                 .where = library,
                 .wanted = "a library that the loader finds",
                 .got = reason ? reason : "nothing",
                 .mend = "install the NVIDIA driver, or use --device host"},
                ErrorKind::Infrastructure);
  }
  // The driver exports the function of CUDA 12 beside that of CUDA 11, whose
  // parameters differ.
  auto get =
      reinterpret_cast<GetProcAddress>(dlsym(handle, "cuGetProcAddress_v2"));
  if (!get)
    throw Error({.what = "the CUDA driver is too old",
                 .where = library,
                 .wanted = "CUDA " + versionText(oldestVersion) + " or newer",
                 .got = "a driver without cuGetProcAddress_v2",
                 .mend = "update the NVIDIA driver"},
                ErrorKind::Infrastructure);

  Driver driver;
  auto load = [&](const char *name, void *member, int version, bool optional) {
    void *function = nullptr;
    int status = 0;
    Result result = get(name, &function, version, /*flags=*/0, &status);
    if (result == 0 && function) {
      *static_cast<void **>(member) = function;
      return;
    }
    if (!optional)
      throw Error(
          {.what = "the CUDA driver is too old",
           .where = library,
           .wanted = std::string(name) + " of CUDA " + versionText(version),
           .got = "a driver without it",
           .mend = "update the NVIDIA driver"},
          ErrorKind::Infrastructure);
  };
#define FK_CUDA_LOAD(name, params, version)                                    \
  load(#name, static_cast<void *>(&driver.name), version, false);
#define FK_CUDA_LOAD_OPTIONAL(name, params, version)                           \
  load(#name, static_cast<void *>(&driver.name), version, true);
  FK_CUDA_DRIVER_FUNCTIONS(FK_CUDA_LOAD, FK_CUDA_LOAD_OPTIONAL)
#undef FK_CUDA_LOAD
#undef FK_CUDA_LOAD_OPTIONAL

  FK_CUDA(driver, cuInit(0));
  FK_CUDA(driver, cuDriverGetVersion(&driver.version));
  return driver;
}

} // namespace

void Driver::check(Result result, const char *call) const {
  if (result == 0)
    return;
  const char *name = nullptr, *text = nullptr;
  cuGetErrorName(result, &name);
  cuGetErrorString(result, &text);
  throw Error({.what = std::string("a CUDA call failed: ") + call,
               .got = std::string(name ? name : "error ") +
                      (name ? "" : std::to_string(result)) +
                      (text ? std::string(", ") + text : std::string())},
              ErrorKind::Infrastructure);
}

const Driver &fk::cuda::getDriver() {
  static const Driver driver = openDriver();
  return driver;
}

std::string fk::cuda::getDriverRelease() {
  // "580.159.04", alone in the file.
  std::ifstream file("/sys/module/nvidia/version");
  std::string release;
  std::getline(file, release);
  return release;
}
