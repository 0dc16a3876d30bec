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
  let summary = "Root-mean-square normalisation of each row";
  let description = [{
    `y[t, h] = x[t, h] / sqrt(mean_h(x[t, :]^2) + epsilon) * (weight_offset + w[h])`

    Computed in f32 or better; one rounding to T at the end. Production kernels round the
    normalised row to T once more before the weight; the error budget admits both. In place
    allowed: `result` on `input`.
    Libraries: vLLM `rms_norm`, FlashInfer `norm.rmsnorm` (`norm.gemma_rmsnorm`: weight_offset =
    1), transformers `LlamaRMSNorm`, `GemmaRMSNorm`.

    Constraints:
    - (C1) All floating tensors have one element type T: bf16, f16, f32 or f64.
    - (C2) Ranks and extents are those of the signature.
    - (C3) `epsilon` is finite and positive.

    Example:
    ```mlir
    %y = fk.rms_norm %x, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16>
    ```
  }];
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
  let summary = "Layer normalisation of each row";
  let description = [{
    `y[t, h] = (x[t, h] - mean_h(x[t, :])) / sqrt(var_h(x[t, :]) + epsilon) * w[h] + b[h]`, var
    being the mean of the squared differences.

    Computed in f32 or better; one rounding to T at the end. In place allowed: `result` on
    `input`.
    Libraries: transformers and PyTorch `LayerNorm`, vLLM's `LayerNorm`.

    Constraints:
    - (C1) All floating tensors have one element type T: bf16, f16, f32 or f64.
    - (C2) Ranks and extents are those of the signature.
    - (C3) `epsilon` is finite and positive.

    Example:
    ```mlir
    %y = fk.layer_norm %x, %w, %b {epsilon = 1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16>
    ```
  }];
  let arguments = (ins FK_Tensor:$input, FK_Tensor:$weight, Optional<FK_Tensor>:$bias,
                       F32Attr:$epsilon);
  let results = (outs FK_Tensor:$result);
  let hasVerifier = 1;
}

def FK_L2NormOp : FK_TaskOp<"l2_norm", "L1", "norm",
    "result: T[rows, columns]; input: T[rows, columns]; epsilon: f32; rows, columns",
    "y[r, c] = x[r, c] / max(sqrt(sum_c(x[r, :]^2)), epsilon)",
    "3 * rows * columns"> {
  let summary = "Rows divided by their Euclidean length";
  let description = [{
    `y[r, c] = x[r, c] / max(sqrt(sum_c(x[r, :]^2)), epsilon)`

    Computed in f32 or better; one rounding to T at the end. In place allowed: `result` on
    `input`.
    Libraries: PyTorch `functional.normalize`, sentence-transformers `Normalize`.

    Constraints:
    - (C1) All floating tensors have one element type T: bf16, f16, f32 or f64.
    - (C2) Ranks and extents are those of the signature.
    - (C3) `epsilon` is finite and positive.

    Example:
    ```mlir
    %y = fk.l2_norm %x {epsilon = 1.0e-12 : f32} : (tensor<?x64xf32>) -> tensor<?x64xf32>
    ```
  }];
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
  let summary = "Residual sum and its normalisation";
  let description = [{
    `r = x + residual; y = rms_norm(r, w); residual_out = r`

    Computed in f32 or better; each result is rounded to T once. Production kernels round the sum
    to T before they normalise it, and the normalised row before the weight; the error budget
    admits both. In place allowed: `result` on `input`, `residual_out` on `residual`.
    Libraries: vLLM `fused_add_rms_norm`, FlashInfer `norm.fused_add_rmsnorm`.

    Constraints:
    - (C1) All floating tensors have one element type T: bf16, f16, f32 or f64.
    - (C2) Ranks and extents are those of the signature.
    - (C3) `epsilon` is finite and positive.

    Example:
    ```mlir
    %y, %r = fk.add_rms_norm %x, %residual, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<?x64xbf16>, tensor<64xbf16>) -> (tensor<?x64xbf16>, tensor<?x64xbf16>)
    ```
  }];
  let arguments = (ins FK_Tensor:$input, FK_Tensor:$residual, FK_Tensor:$weight,
                       F32Attr:$epsilon, DefaultValuedAttr<F32Attr, "0.0">:$weight_offset);
  let results = (outs FK_Tensor:$result, FK_Tensor:$residual_out);
  let hasVerifier = 1;
}

#endif // FK_DIALECTS_FK_NORMOPS_TD
