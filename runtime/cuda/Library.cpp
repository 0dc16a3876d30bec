//===- Library.cpp - CUDA libraries found at run time ----------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/cuda/Library.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <sstream>

namespace fs = std::filesystem;

namespace fk::cuda {

static std::string getVariable(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

static std::vector<std::string> splitPath(const std::string &text) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, ':');)
    if (!part.empty())
      parts.push_back(part);
  return parts;
}

/// Sorted subfolders of `folder` whose name starts with `prefix`.
static std::vector<fs::path> listFolders(const fs::path &folder,
                                         const std::string &prefix) {
  std::vector<fs::path> found;
  std::error_code ignored;
  for (fs::directory_iterator it(folder, ignored), end; it != end;
       it.increment(ignored)) {
    if (ignored)
      break;
    if (it->path().filename().string().starts_with(prefix) &&
        it->is_directory(ignored))
      found.push_back(it->path());
  }
  std::sort(found.begin(), found.end(), std::greater<>());
  return found;
}

/// nvidia/*/lib of every Python under `prefix`.
static void addWheels(std::vector<std::string> &folders,
                      const fs::path &prefix) {
  for (const fs::path &lib : {prefix / "lib", prefix / "local/lib"})
    for (const fs::path &python : listFolders(lib, "python3"))
      for (const char *packages : {"site-packages", "dist-packages"})
        for (const fs::path &wheel :
             listFolders(python / packages / "nvidia", ""))
          folders.push_back((wheel / "lib").string());
}

std::vector<std::string> getLibraryFolders() {
  std::vector<std::string> folders = splitPath(getVariable("FK_CUDA_LIBS"));
  for (const char *name : {"CUDA_HOME", "CUDA_PATH"})
    if (std::string home = getVariable(name); !home.empty())
      for (const char *lib : {"lib64", "lib"})
        folders.push_back((fs::path(home) / lib).string());
  for (const fs::path &toolkit : listFolders("/usr/local", "cuda"))
    folders.push_back((toolkit / "lib64").string());
  std::vector<fs::path> prefixes;
  if (std::string environment = getVariable("VIRTUAL_ENV");
      !environment.empty())
    prefixes.push_back(environment);
  for (const std::string &folder : splitPath(getVariable("PATH")))
    prefixes.push_back(fs::path(folder).parent_path());
  for (const fs::path &prefix : prefixes)
    addWheels(folders, prefix);
  std::vector<std::string> unique;
  for (const std::string &folder : folders)
    if (std::find(unique.begin(), unique.end(), folder) == unique.end())
      unique.push_back(folder);
  return unique;
}

std::shared_ptr<Library> Library::open(const std::vector<std::string> &names,
                                       const std::string &package) {
  std::shared_ptr<Library> library(new Library);
  std::string failure;
  auto tryOpen = [&](const std::string &path) {
    library->handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library->handle)
      library->path = path;
    return library->handle != nullptr;
  };
  size_t chosen = splitPath(getVariable("FK_CUDA_LIBS")).size();
  std::vector<std::string> folders = getLibraryFolders();
  // Folders the user chose come before the system's path, all others after.
  for (size_t i = 0; i <= folders.size(); ++i) {
    for (const std::string &name : names) {
      if (i == std::min(chosen, folders.size()) && tryOpen(name))
        return library;
      std::error_code ignored;
      if (i == folders.size() ||
          !fs::exists(fs::path(folders[i]) / name, ignored))
        continue;
      if (tryOpen((fs::path(folders[i]) / name).string()))
        return library;
      const char *text = dlerror();
      failure = text ? text : "";
    }
  }
  throw Error({"library " + names.front() + " cannot be opened",
               "FK_CUDA_LIBS, the system, CUDA toolkits, Python environments",
               names.front(), failure.empty() ? "no such file" : failure,
               "install the CUDA toolkit or 'pip install " + package +
                   "', or put its folder into FK_CUDA_LIBS"},
              ErrorKind::Infrastructure);
}

Library::~Library() {
  if (handle)
    dlclose(handle);
}

void *Library::getSymbol(const char *name) const {
  if (void *symbol = dlsym(handle, name))
    return symbol;
  throw Error({std::string("function ") + name + " is missing", path, name, "",
               "use a newer version of the library"},
              ErrorKind::Infrastructure);
}

} // namespace fk::cuda
