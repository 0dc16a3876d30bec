//===- Toolchain.cpp - ptxas and nvcc, where they are found ---------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "lib/Candidate/Toolchain.h"
#include "lib/Candidate/Image.h"
#include "runtime/support/Safetensors.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <spawn.h>
#include <sstream>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace fk;
namespace fs = std::filesystem;

extern char **environ;

namespace {

bool isProgram(const fs::path &path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && access(path.c_str(), X_OK) == 0;
}

/// The folders of the CUDA compiler's programs, the preferred first.
std::vector<fs::path> getToolFolders() {
  std::vector<fs::path> folders;
  for (const char *name : {"FK_CUDA_TOOLKIT", "CUDA_HOME", "CUDA_PATH"})
    if (const char *value = std::getenv(name); value && *value)
      folders.push_back(fs::path(value) / "bin");
  if (const char *value = std::getenv("PATH")) {
    std::stringstream path(value);
    for (std::string folder; std::getline(path, folder, ':');)
      if (!folder.empty())
        folders.push_back(folder);
  }
  folders.push_back("/usr/local/cuda/bin");
  std::error_code error;
  std::vector<fs::path> versions;
  for (const fs::directory_entry &entry :
       fs::directory_iterator("/usr/local", error))
    if (entry.path().filename().string().starts_with("cuda-"))
      versions.push_back(entry.path() / "bin");
  std::sort(versions.rbegin(), versions.rend());
  folders.insert(folders.end(), versions.begin(), versions.end());
  // build/dev/bin/fk -> build/deps, and build/deps of the current folder.
  fs::path self = fs::read_symlink("/proc/self/exe", error);
  for (fs::path folder = self.parent_path(); folder.has_relative_path();
       folder = folder.parent_path())
    for (const char *deps : {"deps", "build/deps"})
      folders.push_back(folder / deps / "cuda/nvidia/cu13/bin");
  return folders;
}

/// The environment without variables that would change what nvcc does.
std::vector<std::string> getCleanEnvironment() {
  static constexpr std::string_view dropped[] = {
      "NVCC_PREPEND_FLAGS=", "NVCC_APPEND_FLAGS=", "CPATH=", "C_INCLUDE_PATH=",
      "CPLUS_INCLUDE_PATH="};
  std::vector<std::string> kept;
  for (char **variable = environ; *variable; ++variable) {
    std::string_view text = *variable;
    if (std::none_of(
            std::begin(dropped), std::end(dropped),
            [&](std::string_view name) { return text.starts_with(name); }))
      kept.emplace_back(text);
  }
  return kept;
}

/// At most `limit` lines, the ones that speak of errors first in order.
std::string shorten(const std::string &output, const std::string &folder) {
  std::stringstream stream(output);
  std::string errors;
  int count = 0;
  for (std::string line; std::getline(stream, line) && count < 5;) {
    if (line.find("error") == std::string::npos &&
        line.find("fatal") == std::string::npos)
      continue;
    for (size_t at; (at = line.find(folder + "/")) != std::string::npos;)
      line.erase(at, folder.size() + 1);
    errors += (errors.empty() ? "" : "; ") + line;
    ++count;
  }
  if (errors.empty())
    errors = output.substr(0, 400);
  std::replace(errors.begin(), errors.end(), '\n', ' ');
  return errors;
}

/// The number before the `index`-th unit in "Used 38 registers, 128 bytes
/// smem".
int64_t findNumberBefore(const std::string &line, const std::string &unit) {
  size_t at = line.find(unit);
  if (at == std::string::npos)
    return -1;
  size_t start = at;
  while (start > 0 && std::isdigit(static_cast<unsigned char>(line[start - 1])))
    --start;
  return start == at ? -1 : std::atoll(line.substr(start, at - start).c_str());
}

fs::path findHostCompiler() {
  for (const char *name : {"g++-12", "g++", "g++-13", "g++-11"})
    if (fs::path path = fs::path("/usr/bin") / name; isProgram(path))
      return path;
  return {};
}

/// Where the headers of a compiled candidate may lie.
void checkIncludes(const fs::path &dependencies, const fs::path &source,
                   const fs::path &nvcc, const std::string &where) {
  std::error_code error;
  std::vector<fs::path> allowed = {"/usr/include", "/usr/lib",
                                   "/usr/local/cuda"};
  fs::path toolkit = fs::canonical(nvcc, error).parent_path().parent_path();
  allowed.push_back(toolkit);
  for (fs::path folder = toolkit; folder.has_relative_path();
       folder = folder.parent_path())
    if (folder.filename() == "deps" &&
        folder.parent_path().filename() == "build")
      allowed.push_back(folder);
  for (fs::path &folder : allowed)
    if (fs::path real = fs::canonical(folder, error); !error)
      folder = real;
  std::string text = readTextFile(dependencies);
  std::replace(text.begin(), text.end(), '\\', ' ');
  std::stringstream words(
      text.substr(std::min(text.find(':') + 1, text.size())));
  for (std::string word; words >> word;) {
    fs::path file = fs::weakly_canonical(word, error);
    if (file == fs::weakly_canonical(source, error))
      continue;
    bool isInside = std::any_of(
        allowed.begin(), allowed.end(), [&](const fs::path &folder) {
          auto [end, rest] = std::mismatch(folder.begin(), folder.end(),
                                           file.begin(), file.end());
          return end == folder.end();
        });
    if (!isInside)
      failCandidate("the file includes what is not the toolkit's", where,
                    "headers of the CUDA toolkit or of build/deps",
                    "'" + word + "'", "put it into the one file");
  }
}

} // namespace

/// Whether a program says that it is of CUDA 13 or later. Older ones do not
/// know all PTX that fk takes.
static bool isRecent(const fs::path &tool) {
  static std::mutex mutex;
  static std::map<std::string, bool> known;
  std::lock_guard<std::mutex> lock(mutex);
  auto [it, isNew] = known.try_emplace(tool.string(), false);
  if (isNew) {
    std::string output = runProcess({tool, "--version"}, 30).output;
    size_t at = output.find("release ");
    it->second = at != std::string::npos &&
                 std::atoi(output.c_str() + at + std::strlen("release ")) >= 13;
  }
  return it->second;
}

fs::path fk::findCudaTool(const std::string &name) {
  // An explicit FK_CUDA_TOOLKIT that has no such tool means: none.
  if (const char *value = std::getenv("FK_CUDA_TOOLKIT"); value && *value) {
    fs::path path = fs::path(value) / "bin" / name;
    return isProgram(path) ? path : fs::path();
  }
  for (const fs::path &folder : getToolFolders())
    if (fs::path path = folder / name; isProgram(path) && isRecent(path))
      return path;
  return {};
}

TemporaryFolder::TemporaryFolder() {
  std::error_code error;
  fs::path base = fs::temp_directory_path(error);
  std::string pattern = (error ? fs::path("/tmp") : base) / "fk-XXXXXX";
  if (!mkdtemp(pattern.data()))
    throw Error({"cannot make a temporary folder", pattern, "", "",
                 std::strerror(errno)},
                ErrorKind::Infrastructure);
  path = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code error;
  fs::remove_all(path, error);
}

ProcessResult fk::runProcess(const std::vector<std::string> &arguments,
                             int seconds) {
  TemporaryFolder folder;
  std::string log = folder.getPath() / "output";
  std::vector<std::string> environment = getCleanEnvironment();
  std::vector<char *> argv, envp;
  for (const std::string &argument : arguments)
    argv.push_back(const_cast<char *>(argument.c_str()));
  argv.push_back(nullptr);
  for (const std::string &variable : environment)
    envp.push_back(const_cast<char *>(variable.c_str()));
  envp.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t pid = 0;
  int code = posix_spawn(&pid, argv[0], &actions, &attributes, argv.data(),
                         envp.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (code != 0)
    throw Error(
        {"cannot run '" + arguments[0] + "'", "", "", "", std::strerror(code)},
        ErrorKind::Infrastructure);

  ProcessResult result;
  auto deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  int status = 0;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (!result.timedOut && std::chrono::steady_clock::now() > deadline) {
      result.timedOut = true;
      kill(-pid, SIGKILL);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  if (WIFEXITED(status) && !result.timedOut)
    result.exitCode = WEXITSTATUS(status);
  std::error_code error;
  if (fs::exists(log, error))
    result.output = readTextFile(log);
  return result;
}

std::optional<std::map<std::string, AssembledEntry>>
fk::assemble(std::string_view ptx, const std::string &arch,
             const std::string &where) {
  fs::path ptxas = findCudaTool("ptxas");
  if (ptxas.empty())
    return std::nullopt;
  TemporaryFolder folder;
  fs::path input = folder.getPath() / "candidate.ptx";
  writeFileAtomically(input, ptx);
  ProcessResult result =
      runProcess({ptxas, "-arch=" + arch, "-v", "-o",
                  folder.getPath() / "candidate.cubin", input});
  if (result.timedOut)
    failCandidate("ptxas did not end within 300 seconds", where);
  if (result.exitCode != 0)
    failCandidate("ptxas refuses it", where, "PTX that assembles for " + arch,
                  shorten(result.output, folder.getPath()));
  std::map<std::string, AssembledEntry> entries;
  AssembledEntry *entry = nullptr;
  std::stringstream lines(result.output);
  for (std::string line; std::getline(lines, line);) {
    size_t start = line.find("Compiling entry function '");
    if (start != std::string::npos) {
      start = line.find('\'', start) + 1;
      entry = &entries[line.substr(start, line.find('\'', start) - start)];
    } else if (entry && line.find("Used ") != std::string::npos) {
      entry->registers = findNumberBefore(line, " registers");
      entry->sharedBytes =
          std::max<int64_t>(findNumberBefore(line, " bytes smem"), 0);
    } else if (entry) {
      entry->spillBytes = std::max(
          entry->spillBytes, findNumberBefore(line, " bytes spill stores"));
    }
  }
  return entries;
}

std::string fk::compileCuda(const fs::path &file, std::string_view contents,
                            const std::string &arch,
                            const std::map<std::string, int64_t> &defines) {
  std::string where = file.string();
  fs::path nvcc = findCudaTool("nvcc");
  if (nvcc.empty())
    throw Error({"a .cu candidate needs nvcc, which is not found", where,
                 "nvcc of CUDA 13 in CUDA_HOME, on the PATH or in "
                 "/usr/local/cuda",
                 "", "run `make deps`, or compile it to .ptx elsewhere"},
                ErrorKind::Infrastructure);
  TemporaryFolder folder;
  // Compiled away from its folder, so that it is one file indeed.
  fs::path input = folder.getPath() / file.filename();
  fs::path output = folder.getPath() / "candidate.ptx";
  fs::path dependencies = folder.getPath() / "candidate.d";
  writeFileAtomically(input, contents);
  std::string number = arch.starts_with("sm_") ? arch.substr(3) : arch;
  std::vector<std::string> arguments = {
      nvcc,  "-ptx",      "-arch=compute_" + number, "-std=c++17", "-O3", "-MD",
      "-MF", dependencies};
  if (fs::path host = findHostCompiler(); !host.empty()) {
    arguments.push_back("-ccbin");
    arguments.push_back(host);
  }
  std::string list;
  for (const auto &[name, value] : defines) {
    arguments.push_back("-D" + name + "=" + std::to_string(value));
    list += " " + arguments.back();
  }
  arguments.insert(arguments.end(), {"-o", output, input});
  ProcessResult result = runProcess(arguments);
  if (result.timedOut)
    failCandidate("nvcc did not end within 300 seconds", where);
  if (result.exitCode != 0)
    failCandidate("nvcc refuses it", where,
                  "CUDA C++ that compiles for " + arch +
                      (list.empty() ? "" : " with" + list),
                  shorten(result.output, folder.getPath()));
  checkIncludes(dependencies, input, nvcc, where);
  return readTextFile(output);
}
