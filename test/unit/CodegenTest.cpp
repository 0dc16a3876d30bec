//===- CodegenTest.cpp - The image cache and generated kernels ------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Codegen/Codegen.h"
#include "lib/Codegen/ImageCache.h"
#include "runtime/support/Error.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

using namespace fk;
namespace fs = std::filesystem;

namespace {

struct Folder {
  fs::path path;
  Folder() {
    std::string pattern =
        (fs::temp_directory_path() / "fk-codegen-XXXXXX").string();
    path = mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path); }

  uint64_t countBytes() const {
    uint64_t bytes = 0;
    for (const auto &file : fs::directory_iterator(path))
      bytes += file.file_size();
    return bytes;
  }
  std::vector<fs::path> list() const {
    std::vector<fs::path> files;
    for (const auto &file : fs::directory_iterator(path))
      files.push_back(file.path());
    return files;
  }
};

TEST(ImageCache, GivesBackWhatWasPutIn) {
  Folder folder;
  ImageCache cache(folder.path / "deep" / "images");
  EXPECT_EQ(cache.find("a"), std::nullopt);
  cache.insert("a", "image of a\nof two lines");
  cache.insert("b", "");
  EXPECT_EQ(cache.find("a"), "image of a\nof two lines");
  EXPECT_EQ(cache.find("b"), "");
  EXPECT_EQ(cache.find("c"), std::nullopt);
  cache.insert("a", "another");
  EXPECT_EQ(cache.find("a"), "another");
}

TEST(ImageCache, TakesADamagedFileForNone) {
  Folder folder;
  ImageCache cache(folder.path);
  cache.insert("a", "image");
  fs::path file = folder.list().at(0);
  for (std::string_view damage : {"", "\n", "image", "0123\nimage"}) {
    std::ofstream(file, std::ios::trunc) << damage;
    EXPECT_EQ(cache.find("a"), std::nullopt) << damage;
  }
  cache.insert("a", "image");
  EXPECT_EQ(cache.find("a"), "image");
}

TEST(ImageCache, StaysBelowItsLimitAndKeepsWhatIsUsed) {
  Folder folder;
  ImageCache cache(folder.path, 10000);
  auto wait = [] {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  };
  for (int i = 0; i < 20; ++i) {
    cache.insert(std::to_string(i), std::string(1000, 'x'));
    wait();
    EXPECT_NE(cache.find("0"), std::nullopt) << "after " << i;
    wait();
  }
  EXPECT_LE(folder.countBytes(), 10000u);
  EXPECT_EQ(cache.find("1"), std::nullopt);
  EXPECT_NE(cache.find("19"), std::nullopt);
}

TEST(ImageCache, SaysWhereItCannotWrite) {
  Folder folder;
  std::ofstream(folder.path / "file") << "no folder";
  ImageCache cache(folder.path / "file" / "images");
  EXPECT_EQ(cache.find("a"), std::nullopt);
  EXPECT_THROW(cache.insert("a", "image"), Error);
}

TEST(ImageCache, IsSharedByProcesses) {
  Folder folder;
  // Each key has one right image, written and evicted by all of them.
  auto getImage = [](int key) {
    return std::string(500 + key, char('a' + key));
  };
  auto work = [&](unsigned seed) {
    ImageCache cache(folder.path, 4000);
    for (int i = 0; i < 200; ++i) {
      seed = seed * 1664525 + 1013904223;
      int key = int(seed >> 16) % 12;
      if (auto image = cache.find(std::to_string(key));
          image && *image != getImage(key))
        return 1;
      cache.insert(std::to_string(key), getImage(key));
    }
    return 0;
  };
  std::vector<pid_t> children;
  for (unsigned i = 0; i < 4; ++i) {
    pid_t child = fork();
    if (child == 0)
      _exit(work(i + 1));
    children.push_back(child);
  }
  for (pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  for (const fs::path &file : folder.list())
    EXPECT_EQ(file.extension(), ".image") << "a temporary file is left";
}

TEST(Codegen, TakesAKernelFromTheCache) {
  Folder folder;
  setenv("XDG_CACHE_HOME", folder.path.c_str(), 1);
  TaskRequest request;
  request.task = "silu";
  request.axes = {{"features", 64}};
  std::string text = buildTaskModule(request), error;
  auto first = generateKernel(text, "silu", {}, error);
  ASSERT_TRUE(mlir::succeeded(first)) << error;
  EXPECT_EQ(error, "");
  EXPECT_EQ(first->entry, "silu");
  EXPECT_NE(first->ptx.find(".visible .entry silu("), std::string::npos);
  EXPECT_EQ(first->getText().find("// fk.launch: grid=("), 0u);
  ImageCache cache(folder.path / "fk" / "images");
  size_t images = 0;
  for ([[maybe_unused]] const auto &file :
       fs::directory_iterator(cache.getFolder()))
    ++images;
  EXPECT_EQ(images, 1u);
  auto second = generateKernel(text, "silu", {}, error);
  ASSERT_TRUE(mlir::succeeded(second));
  EXPECT_EQ(second->getText(), first->getText());
  // Another option is another kernel.
  CodegenOptions options;
  options.pdl = false;
  auto third = generateKernel(text, "silu", options, error);
  ASSERT_TRUE(mlir::succeeded(third));
  EXPECT_EQ(third->ptx.find("griddepcontrol"), std::string::npos);
}

TEST(Codegen, MakesAKernelWithoutACache) {
  Folder folder;
  std::ofstream(folder.path / "file") << "no folder";
  setenv("XDG_CACHE_HOME", (folder.path / "file").c_str(), 1);
  TaskRequest request;
  request.task = "mul";
  request.axes = {{"features", 8}};
  std::string error;
  auto kernel = generateKernel(buildTaskModule(request), "mul", {}, error);
  EXPECT_TRUE(mlir::succeeded(kernel));
  EXPECT_NE(error.find("the image cache cannot be made"), std::string::npos);
}

std::string getError(const TaskRequest &request) {
  try {
    buildTaskModule(request);
  } catch (const Error &error) {
    return error.what();
  }
  return "none";
}

TEST(Codegen, RefusesRequestsThatDoNotFit) {
  EXPECT_NE(getError({.task = "nonsense"}).find("there is no such task"),
            std::string::npos);
  EXPECT_NE(
      getError({.task = "silu", .axes = {{"hidden", 4}}}).find("no such axis"),
      std::string::npos);
  EXPECT_NE(getError({.task = "silu", .axes = {{"features", 0}}})
                .find("must be positive"),
            std::string::npos);
  EXPECT_NE(getError({.task = "layer_norm", .operands = {"weight"}})
                .find("no such optional operand"),
            std::string::npos);
  EXPECT_NE(getError({.task = "gelu", .attributes = {{"exact", 1}}})
                .find("no such scalar"),
            std::string::npos);
  EXPECT_NE(
      getError({.task = "rope"}).find("the width of 'rotary_dim' is not known"),
      std::string::npos);
  EXPECT_NE(getError({.task = "gelu",
                      .axes = {{"features", 8}},
                      .attributes = {{"approximate", 2}}})
                .find("does not make a valid op"),
            std::string::npos);
}

} // namespace
