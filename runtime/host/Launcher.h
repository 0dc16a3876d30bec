//===- Launcher.h - Declared launches on the host device -------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The host device runs a plan's PTX in the emulator. What a launch may touch is
// exactly its tensors and its workspace: results start undefined, operands are
// read-only unless they are states or lie where a result does.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_HOST_LAUNCHER_H
#define FK_RUNTIME_HOST_LAUNCHER_H

#include "runtime/Kernel.h"
#include "runtime/LaunchBinding.h"
#include "runtime/emulator/Emulator.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace fk::host {

/// A device image that the emulator can run.
class Image {
public:
  /// `kind` is PlanImage::kind; `file` is how messages call the text. Throws
  /// Error where it is no PTX: machine code needs a GPU.
  Image(std::span<const std::byte> bytes, std::string_view kind,
        std::string file);

  const std::string &getFile() const { return file; }
  const emulator::Module &getModule() const { return *module; }
  /// Throws Error where the image has no such kernel.
  void checkEntry(const std::string &entry) const;

private:
  std::string file;
  std::shared_ptr<const emulator::Module> module;
};

/// How messages call an image of a candidate: by the name of the user's file,
/// as its lines are the file's; "rms_norm.cu.ptx" where it was compiled from
/// one. `image` is the image's name in the plan.
std::string getImageFile(const std::string &candidateFile,
                         const std::string &image);

/// How a finding is printed: "k.ptx:31:3: out of bounds: ...". One without a
/// line is about the launch as a whole.
std::string describe(const emulator::Finding &finding, const std::string &file);

/// Thrown by a kernel of the host device that does what no kernel may: exit
/// code 1.
class FindingsError : public Error {
public:
  FindingsError(const std::string &what, std::vector<std::string> lines);
  /// One line a finding, ready to be printed.
  const std::vector<std::string> &getLines() const { return lines; }

private:
  std::vector<std::string> lines;
};

/// A declared kernel bound to tensors in host memory.
class EmulatedKernel : public Kernel {
public:
  /// Runs the launches over `workspace` and returns what was found; the bytes
  /// of results that nothing wrote are findings too.
  virtual emulator::Report run(void *workspace,
                               const emulator::Options &options) = 0;
  virtual const std::string &getFile() const = 0;
};

/// Binds the launches of `variant`, whose kernels lie in `image`, to `launch`.
/// `what` names the kernel in messages. The kernel's launch() throws
/// FindingsError. Throws Error where a limit is exceeded.
std::unique_ptr<EmulatedKernel>
bindVariant(std::shared_ptr<const Image> image, const CandidateVariant &variant,
            const BoundLaunch &launch, const std::string &what,
            const std::string &entrySuffix = "");

} // namespace fk::host

#endif // FK_RUNTIME_HOST_LAUNCHER_H
