//===- Bind.h - Declared launches against image and signature --*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_CANDIDATE_BIND_H
#define FK_LIB_CANDIDATE_BIND_H

#include "fk/Candidate/Candidate.h"
#include "lib/Candidate/Declaration.h"
#include "lib/Candidate/Image.h"

namespace fk {

/// Checks the launches of `variant` against the image's entries, the task's
/// signature and the limits of the architecture, at the static axes known and
/// at small, odd and large dynamic ones. Throws Error. `axes`: the static axes
/// this variant is for. Trailing parameters of Triton get the workspace where
/// `trailingScratch` says so.
CandidateVariant bindVariant(const VariantDeclaration &variant,
                             const ImageInfo &image, const Signature &signature,
                             const CandidateTarget &target,
                             const std::vector<AxisValues> &axes,
                             std::string_view where, bool trailingScratch,
                             std::vector<std::string> &remarks);

/// The C prototype of the parameters with `target`'s optional operands.
std::string describeParameters(const Signature &signature,
                               const CandidateTarget &target,
                               bool hasWorkspace);

} // namespace fk

#endif // FK_LIB_CANDIDATE_BIND_H
