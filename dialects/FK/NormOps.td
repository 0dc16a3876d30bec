//===- NormOps.td - Normalisation tasks --------------------*- tablegen -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_DIALECTS_FK_NORMOPS_TD
#define FK_DIALECTS_FK_NORMOPS_TD

include "dialects/FK/FKBase.td"

def FK_RMSNormOp : FK_TaskOp<"rms_norm", "L1", "norm",
    "result: T[tokens, hidden]; input: T[tokens, hidden], weight: T[hidden]; "
    "epsilon: f32; tokens, hidden; weight_offset: f32 = 0",
    "y[t, h] = x[t, h] / sqrt(mean_h(x[t, :]^2) + epsilon) * (weight_offset + w[h])",
    "4 * tokens * hidden"> {
  let arguments = (ins FK_Tensor:$input, FK_Tensor:$weight, F32Attr:$epsilon,
                       DefaultValuedAttr<F32Attr, "0.0">:$weight_offset);
  let results = (outs FK_Tensor:$result);
  let hasVerifier = 1;
}

def FK_LayerNormOp : FK_TaskOp<"layer_norm", "L1", "norm",
    "result: T[tokens, hidden]; input: T[tokens, hidden], weight: T[hidden], bias?: T[hidden]; "
    "epsilon: f32; tokens, hidden",
    "y[t, h] = (x[t, h] - mean_h(x[t, :])) / sqrt(var_h(x[t, :]) + epsilon) * w[h] + b[h]",
    "8 * tokens * hidden"> {
  let arguments = (ins FK_Tensor:$input, FK_Tensor:$weight, Optional<FK_Tensor>:$bias,
                       F32Attr:$epsilon);
  let results = (outs FK_Tensor:$result);
  let hasVerifier = 1;
}

def FK_L2NormOp : FK_TaskOp<"l2_norm", "L1", "norm",
    "result: T[rows, columns]; input: T[rows, columns]; epsilon: f32; rows, columns",
    "y[r, c] = x[r, c] / max(sqrt(sum_c(x[r, :]^2)), epsilon)",
    "3 * rows * columns"> {
  let arguments = (ins FK_Tensor:$input, F32Attr:$epsilon);
  let results = (outs FK_Tensor:$result);
  let hasVerifier = 1;
}

def FK_AddRMSNormOp : FK_TaskOp<"add_rms_norm", "L2", "norm",
    "result: T[tokens, hidden], residual_out: T[tokens, hidden]; "
    "input: T[tokens, hidden], residual: T[tokens, hidden], weight: T[hidden]; "
    "epsilon: f32; tokens, hidden; weight_offset: f32 = 0",
    "r = x + residual; y = rms_norm(r, w); residual_out = r",
    "5 * tokens * hidden", [Pure], "add,rms_norm"> {
  let arguments = (ins FK_Tensor:$input, FK_Tensor:$residual, FK_Tensor:$weight,
                       F32Attr:$epsilon, DefaultValuedAttr<F32Attr, "0.0">:$weight_offset);
  let results = (outs FK_Tensor:$result, FK_Tensor:$residual_out);
  let hasVerifier = 1;
}

#endif // FK_DIALECTS_FK_NORMOPS_TD
