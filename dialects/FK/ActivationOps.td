//===- ActivationOps.td - Pointwise and softmax tasks ------*- tablegen -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_DIALECTS_FK_ACTIVATIONOPS_TD
#define FK_DIALECTS_FK_ACTIVATIONOPS_TD

include "dialects/FK/FKBase.td"

class FK_UnaryOp<string mnemonic, string formula, string flops>
    : FK_TaskOp<mnemonic, "L1", "activation",
      "result: T[tokens, features]; input: T[tokens, features]; ; tokens, features",
      formula, flops> {
  let arguments = (ins FK_Tensor:$input);
  let results = (outs FK_Tensor:$result);
}

def FK_SiluOp : FK_UnaryOp<"silu", "y = x / (1 + exp(-x))", "4 * tokens * features">;
def FK_TanhOp : FK_UnaryOp<"tanh", "y = tanh(x)", "4 * tokens * features">;

def FK_GeluOp : FK_TaskOp<"gelu", "L1", "activation",
    "result: T[tokens, features]; input: T[tokens, features]; approximate: i32; tokens, features",
    "y = x * Phi(x): erf (approximate = 0) or tanh (approximate = 1)",
    "8 * tokens * features"> {
  let arguments = (ins FK_Tensor:$input, DefaultValuedAttr<I32Attr, "0">:$approximate);
  let results = (outs FK_Tensor:$result);
  let hasVerifier = 1;
}

class FK_BinaryOp<string mnemonic, string formula>
    : FK_TaskOp<mnemonic, "L1", "activation",
      "result: T[tokens, features]; lhs: T[tokens, features], rhs: T[tokens, features]; ; "
      "tokens, features", formula, "tokens * features"> {
  let arguments = (ins FK_Tensor:$lhs, FK_Tensor:$rhs);
  let results = (outs FK_Tensor:$result);
}

def FK_AddOp : FK_BinaryOp<"add", "y = a + b">;
def FK_MulOp : FK_BinaryOp<"mul", "y = a * b">;

def FK_SoftmaxOp : FK_TaskOp<"softmax", "L1", "activation",
    "result: T[rows, columns]; input: T[rows, columns]; ; rows, columns",
    "y[r, c] = exp(x[r, c] - max(x[r, :])) / sum_c(exp(x[r, :] - max(x[r, :])))",
    "5 * rows * columns"> {
  let arguments = (ins FK_Tensor:$input);
  let results = (outs FK_Tensor:$result);
}

def FK_SiluAndMulOp : FK_TaskOp<"silu_and_mul", "L2", "activation",
    "result: T[tokens, intermediate]; gate_up: T[tokens, 2 * intermediate]; ; "
    "tokens, intermediate",
    "y[t, i] = silu(gate_up[t, i]) * gate_up[t, intermediate + i]",
    "5 * tokens * intermediate", [Pure], "silu,mul"> {
  let arguments = (ins FK_Tensor:$gate_up);
  let results = (outs FK_Tensor:$result);
}

def FK_GeluAndMulOp : FK_TaskOp<"gelu_and_mul", "L2", "activation",
    "result: T[tokens, intermediate]; gate_up: T[tokens, 2 * intermediate]; approximate: i32; "
    "tokens, intermediate",
    "y[t, i] = gelu(gate_up[t, i]) * gate_up[t, intermediate + i]",
    "9 * tokens * intermediate", [Pure], "gelu,mul"> {
  let arguments = (ins FK_Tensor:$gate_up, DefaultValuedAttr<I32Attr, "0">:$approximate);
  let results = (outs FK_Tensor:$result);
  let hasVerifier = 1;
}

#endif // FK_DIALECTS_FK_ACTIVATIONOPS_TD
