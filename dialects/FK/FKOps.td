//===- FKOps.td - All ops of the dialect -------------------*- tablegen -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_DIALECTS_FK_FKOPS_TD
#define FK_DIALECTS_FK_FKOPS_TD

include "dialects/FK/ActivationOps.td"
include "dialects/FK/AttentionOps.td"
include "dialects/FK/LinearOps.td"
include "dialects/FK/ModuleOps.td"
include "dialects/FK/NormOps.td"
include "dialects/FK/SamplingOps.td"

#endif // FK_DIALECTS_FK_FKOPS_TD
