// RUN: fk-opt %s --fk-select-kernels=device=host | FileCheck %s --check-prefix=HOST
// RUN: fk-opt %s --fk-select-kernels=device=cuda | FileCheck %s --check-prefix=CUDA
// RUN: fk-opt %s --fk-select-kernels=device=cuda --remarks-filter=fk-select-kernels --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// The list ends with the first kernel without a condition.
// HOST-LABEL: func.func @linear
// HOST: fk.linear {{.*}}fk.kernels = [#fk.kernel<"reference", "reference">]
// CUDA-LABEL: func.func @linear
// CUDA: fk.linear {{.*}}fk.kernels = [#fk.kernel<"cuda", "linear_gemv", where = "tokens == 1 && in_features % 8 == 0">, #fk.kernel<"cuda", "linear_skinny", where = "tokens <= 8 && in_features % 8 == 0">, #fk.kernel<"cublaslt", "linear">]
// REMARK: [Passed] linear | Category:fk-select-kernels
// REMARK-SAME: Place=lm_head,
// REMARK-SAME: Text="cuda:linear_gemv where tokens == 1 && in_features % 8 == 0: one row
// REMARK: [Passed] linear
// REMARK-SAME: Text="cuda:linear_skinny where tokens <= 8 && in_features % 8 == 0: few rows
// REMARK: [Passed] linear
// REMARK-SAME: Text="cublaslt:linear: tensor-core
func.func @linear(%x: tensor<?x64xbf16> {fk.dims = ["tokens"]}, %w: tensor<128x64xbf16>) -> tensor<?x128xbf16> {
  %0 = fk.linear %x, %w : (tensor<?x64xbf16>, tensor<128x64xbf16>) -> tensor<?x128xbf16> loc("lm_head")
  return %0 : tensor<?x128xbf16>
}
