//===- TempFolder.h - A folder that goes with its test ---------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_TEST_UNIT_TEMPFOLDER_H
#define FK_TEST_UNIT_TEMPFOLDER_H

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace fk {

struct TempFolder {
  TempFolder() {
    // In memory where that is: fuzzing writes thousands of files.
    namespace fs = std::filesystem;
    std::error_code ignored;
    fs::path base = fs::is_directory("/dev/shm", ignored)
                        ? fs::path("/dev/shm")
                        : fs::temp_directory_path();
    std::string name = (base / "fk-XXXXXX").string();
    if (!::mkdtemp(name.data()))
      throw std::runtime_error("cannot make a folder like " + name);
    path = name;
  }
  TempFolder(const TempFolder &) = delete;
  TempFolder &operator=(const TempFolder &) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }

  void write(const std::filesystem::path &name,
             std::string_view contents) const {
    // Some file systems flush a file that is cut to nothing and written again.
    std::error_code ignored;
    std::filesystem::remove(path / name, ignored);
    std::ofstream(path / name, std::ios::binary | std::ios::trunc)
        .write(contents.data(), static_cast<std::streamsize>(contents.size()));
  }

  std::filesystem::path path;
};

} // namespace fk

#endif // FK_TEST_UNIT_TEMPFOLDER_H
