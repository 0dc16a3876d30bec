//===- ImportFolder.h - A model folder to tamper with ----------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_TEST_UNIT_IMPORTFOLDER_H
#define FK_TEST_UNIT_IMPORTFOLDER_H

#include "runtime/support/Safetensors.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <functional>
#include <string>
#include <unistd.h>

namespace fk {

/// A copy of a golden model, removed at the end.
struct ImportFolder {
  explicit ImportFolder(const std::string &golden) {
    namespace fs = std::filesystem;
    const auto *test = testing::UnitTest::GetInstance()->current_test_info();
    root = fs::temp_directory_path() /
           ("fk-import-" + std::to_string(getpid()) + "-" + test->name());
    path = root / golden;
    fs::remove_all(root);
    fs::create_directories(path);
    fs::path source = fs::path(FK_SOURCE_DIR "/test/golden") / golden;
    for (const auto &entry : fs::directory_iterator(source)) {
      std::string name = entry.path().filename();
      // Names of the model, not of the expectations beside it.
      if (name.find("inputs.") == std::string::npos &&
          name.find("expected.") == std::string::npos)
        fs::copy(entry.path(), path / name, fs::copy_options::recursive);
    }
    config = nlohmann::json::parse(readTextFile(path / "config.json"));
  }
  ~ImportFolder() { std::filesystem::remove_all(root); }
  ImportFolder(const ImportFolder &) = delete;

  void writeConfig() const {
    writeFileAtomically(path / "config.json", config.dump());
  }

  /// Writes model.safetensors anew: `edit` may change a tensor, or drop it.
  void editTensors(const std::function<bool(TensorToWrite &)> &edit,
                   const std::vector<TensorToWrite> &more = {}) const {
    auto file = SafetensorsFile::open(path / "model.safetensors");
    std::vector<TensorToWrite> tensors;
    for (const auto &[name, view] : file->getTensors()) {
      TensorToWrite tensor{name, view.dtype, view.shape, view.bytes};
      if (edit(tensor))
        tensors.push_back(tensor);
    }
    tensors.insert(tensors.end(), more.begin(), more.end());
    writeSafetensors(path / "model.safetensors", tensors);
  }
  void renameTensors(
      const std::function<std::string(const std::string &)> &rename) const {
    editTensors([&](TensorToWrite &tensor) {
      tensor.name = rename(tensor.name);
      return true;
    });
  }
  void addTensor(const std::string &name, std::vector<int64_t> shape,
                 DType dtype = DType::F32) const {
    int64_t bytes = getSizeInBytes(dtype);
    for (int64_t extent : shape)
      bytes *= extent;
    std::vector<std::byte> zeros(bytes);
    editTensors([](TensorToWrite &) { return true; },
                {{name, dtype, shape, zeros}});
  }

  std::filesystem::path root, path;
  nlohmann::json config;
};

} // namespace fk

#endif // FK_TEST_UNIT_IMPORTFOLDER_H
