//===- Catalog.h - The parts of the kernel catalog -------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_PROVIDERS_CATALOG_H
#define FK_RUNTIME_PROVIDERS_CATALOG_H

#include "runtime/Kernel.h"

#include <span>

namespace fk {

/// The rows of the `cuda` and `cublaslt` providers. Catalog.cpp.
std::span<const KernelInfo> getDeviceCatalog();

/// The rows of the `codegen` provider, made when a plan is. CodegenCatalog.cpp.
std::span<const KernelInfo> getCodegenCatalog();

/// The rows of the `reference` provider. ReferenceCatalog.cpp.
std::span<const KernelInfo> getReferenceCatalog();

} // namespace fk

#endif // FK_RUNTIME_PROVIDERS_CATALOG_H
