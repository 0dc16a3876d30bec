//===- Providers.h - Providers by name -------------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_PROVIDERS_H
#define FK_RUNTIME_PROVIDERS_H

#include "runtime/Kernel.h"

#include <memory>
#include <string>

namespace fk {

/// A provider for a session. Throws Error where the name is unknown, or this
/// build was made without the provider.
std::unique_ptr<Provider> createProvider(const std::string &name,
                                         Device &device, const Plan &plan);

} // namespace fk

#endif // FK_RUNTIME_PROVIDERS_H
