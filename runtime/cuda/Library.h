//===- Library.h - CUDA libraries found at run time ------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_CUDA_LIBRARY_H
#define FK_RUNTIME_CUDA_LIBRARY_H

#include <memory>
#include <string>
#include <vector>

namespace fk::cuda {

/// A shared library opened with dlopen.
class Library {
public:
  /// Opens the first of `names` ("libcublasLt.so.13", ...) that is found, in
  /// this order of places: the folders of FK_CUDA_LIBS (colon-separated), the
  /// system's search path, the toolkit (CUDA_HOME, CUDA_PATH,
  /// /usr/local/cuda*), wheels of Python environments (nvidia/*/lib of
  /// VIRTUAL_ENV and of every prefix on the PATH). Throws Error
  /// (Infrastructure) where there is none; `package` names the wheel that
  /// brings it.
  static std::shared_ptr<Library> open(const std::vector<std::string> &names,
                                       const std::string &package);
  ~Library();

  const std::string &getPath() const { return path; }
  /// Throws Error (Infrastructure) where the library lacks it.
  void *getSymbol(const char *name) const;

private:
  Library() = default;
  std::string path;
  void *handle = nullptr;
};

/// The folders searched beside the system's path, in order.
std::vector<std::string> getLibraryFolders();

} // namespace fk::cuda

#endif // FK_RUNTIME_CUDA_LIBRARY_H
