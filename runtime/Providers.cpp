//===- Providers.cpp - Providers by name ----------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The build defines FK_HAS_* for the providers it has.
//
//===----------------------------------------------------------------------===//

#include "runtime/Providers.h"

#include "runtime/support/Error.h"

using namespace fk;

std::unique_ptr<Provider>
fk::createProvider(const std::string &name, [[maybe_unused]] Device &device,
                   [[maybe_unused]] const Plan &plan) {
#ifdef FK_HAS_REFERENCE
  if (name == "reference")
    return createReferenceProvider(device);
#endif
#ifdef FK_HAS_CUDA
  if (name == "cuda")
    return createCudaProvider(device);
#endif
#ifdef FK_HAS_CUBLASLT
  if (name == "cublaslt")
    return createCublasLtProvider(device);
#endif
#ifdef FK_HAS_CANDIDATE
  if (name == "candidate")
    return createCandidateProvider(device, plan);
  if (name == "codegen")
    return createCandidateProvider(device, plan, name);
#endif
  throw Error({.what = "this build lacks a provider",
               .wanted = "'" + name + "'",
               .mend = "see `fk doctor` for what was left out and why"},
              ErrorKind::Infrastructure);
}
