//===- ActivationOps.td - Pointwise and softmax tasks ------*- tablegen -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_DIALECTS_FK_ACTIVATIONOPS_TD
#define FK_DIALECTS_FK_ACTIVATIONOPS_TD

include "dialects/FK/FKBase.td"

/// A pointwise task; `title` is its summary.
class FK_UnaryOp<string mnemonic, string formula, string flops, string title, string libraries>
    : FK_TaskOp<mnemonic, "L1", "activation",
      "result: T[tokens, features]; input: T[tokens, features]; ; tokens, features",
      formula, flops> {
  let summary = title;
  let description = [{
    `}] # formula # [{`

    Computed in f32 or better; one rounding to T at the end.
    In place allowed.
    Libraries: }] # libraries # [{.

    Constraints:
    - (C1) All floating tensors have one element type T: bf16, f16, f32 or f64.
    - (C2) Ranks and extents are those of the signature.

    Example:
    ```mlir
    %y = fk.}] # mnemonic # [{ %x : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
    ```
  }];
  let arguments = (ins FK_Tensor:$input);
  let results = (outs FK_Tensor:$result);
}

def FK_SiluOp : FK_UnaryOp<"silu", "y = x / (1 + exp(-x))", "4 * tokens * features",
    "Sigmoid linear unit", "PyTorch `functional.silu`, transformers `silu`">;
def FK_TanhOp : FK_UnaryOp<"tanh", "y = tanh(x)", "4 * tokens * features",
    "Hyperbolic tangent", "PyTorch `tanh`, transformers `BertPooler`">;

def FK_GeluOp : FK_TaskOp<"gelu", "L1", "activation",
    "result: T[tokens, features]; input: T[tokens, features]; approximate: i32; tokens, features",
    "y = x * Phi(x): erf (approximate = 0) or tanh (approximate = 1)",
    "8 * tokens * features"> {
  let summary = "Gaussian error linear unit";
  let description = [{
    `y = x * Phi(x)`: `0.5 x (1 + erf(x / sqrt(2)))` where approximate = 0, `0.5 x (1 +
    tanh(sqrt(2 / pi) (x + 0.044715 x^3)))` where approximate = 1.

    Computed in f32 or better; one rounding to T at the end. In place allowed.
    Libraries: PyTorch `functional.gelu`, transformers `gelu`, `gelu_pytorch_tanh`.

    Constraints:
    - (C1) All floating tensors have one element type T: bf16, f16, f32 or f64.
    - (C2) Ranks and extents are those of the signature.
    - (C3) `approximate` is 0 (erf) or 1 (tanh).

    Example:
    ```mlir
    %y = fk.gelu %x {approximate = 1 : i32} : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
    ```
  }];
  let arguments = (ins FK_Tensor:$input, DefaultValuedAttr<I32Attr, "0">:$approximate);
  let results = (outs FK_Tensor:$result);
  let hasVerifier = 1;
}

class FK_BinaryOp<string mnemonic, string formula, string title, string libraries>
    : FK_TaskOp<mnemonic, "L1", "activation",
      "result: T[tokens, features]; lhs: T[tokens, features], rhs: T[tokens, features]; ; "
      "tokens, features", formula, "tokens * features"> {
  let summary = title;
  let description = [{
    `}] # formula # [{`

    Computed in f32 or better; one rounding to T at the end.
    In place allowed, on either operand.
    Libraries: }] # libraries # [{.

    Constraints:
    - (C1) All floating tensors have one element type T: bf16, f16, f32 or f64.
    - (C2) Ranks and extents are those of the signature.

    Example:
    ```mlir
    %y = fk.}] # mnemonic # [{ %a, %b : (tensor<?x64xbf16>, tensor<?x64xbf16>) -> tensor<?x64xbf16>
    ```
  }];
  let arguments = (ins FK_Tensor:$lhs, FK_Tensor:$rhs);
  let results = (outs FK_Tensor:$result);
}

def FK_AddOp : FK_BinaryOp<"add", "y = a + b", "Sum of two tensors", "PyTorch `add`">;
def FK_MulOp : FK_BinaryOp<"mul", "y = a * b", "Product of two tensors", "PyTorch `mul`">;

def FK_SoftmaxOp : FK_TaskOp<"softmax", "L1", "activation",
    "result: T[rows, columns]; input: T[rows, columns]; ; rows, columns",
    "y[r, c] = exp(x[r, c] - max(x[r, :])) / sum_c(exp(x[r, :] - max(x[r, :])))",
    "5 * rows * columns"> {
  let summary = "Softmax of each row";
  let description = [{
    `y[r, c] = exp(x[r, c] - max(x[r, :])) / sum_c(exp(x[r, :] - max(x[r, :])))`

    Computed in f32 or better; one rounding to T at the end. In place allowed.
    Libraries: PyTorch `functional.softmax`, FlashInfer `sampling.softmax`.

    Constraints:
    - (C1) All floating tensors have one element type T: bf16, f16, f32 or f64.
    - (C2) Ranks and extents are those of the signature.

    Example:
    ```mlir
    %y = fk.softmax %x : (tensor<?x256xf32>) -> tensor<?x256xf32>
    ```
  }];
  let arguments = (ins FK_Tensor:$input);
  let results = (outs FK_Tensor:$result);
}

def FK_SiluAndMulOp : FK_TaskOp<"silu_and_mul", "L2", "activation",
    "result: T[tokens, intermediate]; gate_up: T[tokens, 2 * intermediate]; ; "
    "tokens, intermediate",
    "y[t, i] = silu(gate_up[t, i]) * gate_up[t, intermediate + i]",
    "5 * tokens * intermediate", [Pure], "silu,mul"> {
  let summary = "Gated SiLU of a concatenated projection";
  let description = [{
    `y[t, i] = silu(gate_up[t, i]) * gate_up[t, intermediate + i]`: the gate is the first half of
    a row.

    Computed in f32 or better; one rounding to T at the end. Production kernels may round
    silu(gate) to T before the product; the error budget admits both. Not in place.
    Libraries: vLLM `silu_and_mul`, FlashInfer `activation.silu_and_mul`, transformers `LlamaMLP`.

    Constraints:
    - (C1) All floating tensors have one element type T: bf16, f16, f32 or f64.
    - (C2) Ranks and extents are those of the signature.

    Example:
    ```mlir
    %y = fk.silu_and_mul %gate_up : (tensor<?x256xbf16>) -> tensor<?x128xbf16>
    ```
  }];
  let arguments = (ins FK_Tensor:$gate_up);
  let results = (outs FK_Tensor:$result);
}

def FK_GeluAndMulOp : FK_TaskOp<"gelu_and_mul", "L2", "activation",
    "result: T[tokens, intermediate]; gate_up: T[tokens, 2 * intermediate]; approximate: i32; "
    "tokens, intermediate",
    "y[t, i] = gelu(gate_up[t, i]) * gate_up[t, intermediate + i]",
    "9 * tokens * intermediate", [Pure], "gelu,mul"> {
  let summary = "Gated GELU of a concatenated projection";
  let description = [{
    `y[t, i] = gelu(gate_up[t, i]) * gate_up[t, intermediate + i]`: the gate is the first half of
    a row.

    Computed in f32 or better; one rounding to T at the end. Production kernels may round
    gelu(gate) to T before the product; the error budget admits both. Not in place.
    Libraries: vLLM `gelu_and_mul`, `gelu_tanh_and_mul`, FlashInfer `activation.gelu_and_mul`,
    `activation.gelu_tanh_and_mul`, transformers `GemmaMLP`.

    Constraints:
    - (C1) All floating tensors have one element type T: bf16, f16, f32 or f64.
    - (C2) Ranks and extents are those of the signature.
    - (C3) `approximate` is 0 (erf) or 1 (tanh).

    Example:
    ```mlir
    %y = fk.gelu_and_mul %gate_up {approximate = 1 : i32} : (tensor<?x256xbf16>) -> tensor<?x128xbf16>
    ```
  }];
  let arguments = (ins FK_Tensor:$gate_up, DefaultValuedAttr<I32Attr, "0">:$approximate);
  let results = (outs FK_Tensor:$result);
  let hasVerifier = 1;
}

#endif // FK_DIALECTS_FK_ACTIVATIONOPS_TD
