//===- CublasLt.cpp - Matrix products by cuBLASLt --------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// linear, qkv_linear and gate_up_linear: y = x w^T + b. Products of bf16 and
// f16 accumulate in float32; those of f32 are true float32 (no TF32). The
// library is opened at run time; the little of its C interface that is needed
// is declared here.
//
// cuBLASLt is column-major: y^T [out, tokens] = (w^T as stored, [in, out])^T
// times (x^T as stored, [in, tokens]), so w is its A (transposed), x its B.
//
// The result is rounded once, after the bias. Where every row and tensor is
// aligned to 16 bytes the library's bias epilogue does that. Elsewhere it adds
// the bias to the product already rounded to the result's type, outside the
// error budget: there broadcast_rows first writes the bias into every row of
// the result, and the product is added to it in float32 (beta = 1, C = D).
//
//===----------------------------------------------------------------------===//

#include "runtime/Device.h"
#include "runtime/Kernel.h"
#include "runtime/cuda/Driver.h"
#include "runtime/cuda/Launcher.h"
#include "runtime/cuda/Library.h"
#include "runtime/providers/Cuda.h"
#include "runtime/support/Error.h"

#include <utility>
#include <vector>

namespace fk {

namespace {

using Status = int;
using Handle = struct LtHandle *;
using MatmulDesc = struct LtMatmulDesc *;
using MatrixLayout = struct LtMatrixLayout *;
using Preference = struct LtPreference *;

struct Algorithm {
  uint64_t data[8];
};
struct Heuristic {
  Algorithm algorithm;
  size_t workspaceBytes;
  Status state;
  float waves;
  int reserved[4];
};

// Enumerators of cublasLt.h, cublas_api.h and library_types.h.
constexpr int compute32F = 68;
constexpr int real32F = 0, real16F = 2, real16BF = 14;
constexpr int descTransA = 3, descEpilogue = 7, descBiasPointer = 8;
constexpr int32_t operationTranspose = 1;
constexpr uint32_t epilogueBias = 4;
constexpr int preferenceWorkspace = 1, preferenceReduction = 3,
              preferenceAlignmentA = 5;
/// Partial sums of a split product are added in float32. The other schemes add
/// them in the output's type, outside the error budget.
constexpr uint32_t reductionComputeType = 2;
constexpr int configId = 0, configTile = 1, configSplitK = 2, configStages = 6;

constexpr int64_t workspaceBytes = int64_t(32) << 20;
constexpr int wantedHeuristics = 8;

#define FK_CUBLASLT_FUNCTIONS(X)                                               \
  X(cublasLtCreate, Status, (Handle * handle))                                 \
  X(cublasLtDestroy, Status, (Handle handle))                                  \
  X(cublasLtGetVersion, size_t, ())                                            \
  X(cublasLtGetStatusString, const char *, (Status status))                    \
  X(cublasLtMatmulDescCreate, Status,                                          \
    (MatmulDesc * desc, int compute, int scale))                               \
  X(cublasLtMatmulDescDestroy, Status, (MatmulDesc desc))                      \
  X(cublasLtMatmulDescSetAttribute, Status,                                    \
    (MatmulDesc desc, int attribute, const void *value, size_t size))          \
  X(cublasLtMatrixLayoutCreate, Status,                                        \
    (MatrixLayout * layout, int type, uint64_t rows, uint64_t columns,         \
     int64_t leading))                                                         \
  X(cublasLtMatrixLayoutDestroy, Status, (MatrixLayout layout))                \
  X(cublasLtMatmulPreferenceCreate, Status, (Preference * preference))         \
  X(cublasLtMatmulPreferenceDestroy, Status, (Preference preference))          \
  X(cublasLtMatmulPreferenceSetAttribute, Status,                              \
    (Preference preference, int attribute, const void *value, size_t size))    \
  X(cublasLtMatmulAlgoGetHeuristic, Status,                                    \
    (Handle handle, MatmulDesc desc, MatrixLayout a, MatrixLayout b,           \
     MatrixLayout c, MatrixLayout d, Preference preference, int wanted,        \
     Heuristic *results, int *found))                                          \
  X(cublasLtMatmulAlgoCheck, Status,                                           \
    (Handle handle, MatmulDesc desc, MatrixLayout a, MatrixLayout b,           \
     MatrixLayout c, MatrixLayout d, const Algorithm *algorithm,               \
     Heuristic *result))                                                       \
  X(cublasLtMatmulAlgoConfigGetAttribute, Status,                              \
    (const Algorithm *algorithm, int attribute, void *value, size_t size,      \
     size_t *written))                                                         \
  X(cublasLtMatmul, Status,                                                    \
    (Handle handle, MatmulDesc desc, const void *alpha, const void *a,         \
     MatrixLayout aLayout, const void *b, MatrixLayout bLayout,                \
     const void *beta, const void *c, MatrixLayout cLayout, void *d,           \
     MatrixLayout dLayout, const Algorithm *algorithm, void *workspace,        \
     size_t workspaceBytes, cuda::StreamHandle stream))

/// The library and one handle of it.
struct CublasLt {
#define FK_CUBLASLT_MEMBER(name, type, params) type(*name) params = nullptr;
  FK_CUBLASLT_FUNCTIONS(FK_CUBLASLT_MEMBER)
#undef FK_CUBLASLT_MEMBER

  std::shared_ptr<cuda::Library> library;
  Handle handle = nullptr;

  explicit CublasLt(Device &device) {
    library = cuda::Library::open({"libcublasLt.so.13", "libcublasLt.so.12"},
                                  "nvidia-cublas");
#define FK_CUBLASLT_LOAD(name, type, params)                                   \
  name = reinterpret_cast<type(*) params>(library->getSymbol(#name));
    FK_CUBLASLT_FUNCTIONS(FK_CUBLASLT_LOAD)
#undef FK_CUBLASLT_LOAD
    device.makeCurrent();
    check(cublasLtCreate(&handle), "cublasLtCreate");
  }
  ~CublasLt() {
    if (handle)
      cublasLtDestroy(handle);
  }

  void check(Status status, const char *call) const {
    if (status == 0)
      return;
    throw Error({std::string(call) + " failed", library->getPath(), "success",
                 cublasLtGetStatusString(status),
                 "run 'fk doctor' for the versions found"},
                ErrorKind::Infrastructure);
  }
};

#define FK_LT(lt, call) (lt).check((lt).call, #call)

/// A library object that is destroyed with its owner.
template <typename T> struct Owned {
  T value = nullptr;
  Status (*destroy)(T) = nullptr;
  Owned() = default;
  Owned(Owned &&other) noexcept
      : value(std::exchange(other.value, nullptr)), destroy(other.destroy) {}
  Owned &operator=(Owned &&) = delete;
  ~Owned() {
    if (value)
      destroy(value);
  }
};

int getLibraryType(DType type, const std::string &place) {
  switch (type) {
  case DType::F32:
    return real32F;
  case DType::F16:
    return real16F;
  case DType::BF16:
    return real16BF;
  default:
    throw Error({"cublaslt has no product of this element type", place,
                 "bf16, f16 or f32", std::string(getName(type)), ""});
  }
}

/// Binds broadcast_rows; its image is loaded for the first bias that needs it.
class BiasBroadcast {
public:
  explicit BiasBroadcast(Device &device) : device(device) {}

  std::unique_ptr<Kernel> bind(DType dtype, void *result, const void *bias,
                               int64_t tokens, int64_t out,
                               const std::string &place) {
    const cuda::KernelRow &row = cuda::getBroadcastRow();
    if (!image) {
      image = cuda::loadUnit(device, row.unit);
      variants = cuda::declareKernel(row);
    }
    BoundLaunch launch;
    launch.task = row.name;
    launch.place = place;
    launch.dtype = dtype;
    launch.results = {{"result", {result, dtype, {tokens, out}}}};
    launch.operands = {{"bias", {const_cast<void *>(bias), dtype, {out}}}};
    launch.axes = {{"tokens", tokens}, {"features", out}};
    return cuda::bindVariant(device, image, variants.front(), launch,
                             "cublaslt:" + std::string(row.name),
                             "_" + std::string(getName(dtype)));
  }

private:
  Device &device;
  std::shared_ptr<const cuda::Image> image;
  std::vector<CandidateVariant> variants;
};

/// One product: [tokens, out] = [tokens, in] times [out, in]^T, and the bias.
class Product {
public:
  Product(const CublasLt &lt, BiasBroadcast &broadcast, DType dtype,
          void *result, const void *input, const void *weight, const void *bias,
          int64_t tokens, int64_t out, int64_t in, const std::string &place)
      : lt(lt), result(result), input(input), weight(weight) {
    int type = getLibraryType(dtype, place);
    createLayout(a, type, in, out);
    createLayout(b, type, in, tokens);
    createLayout(d, type, out, tokens);
    desc.destroy = lt.cublasLtMatmulDescDestroy;
    FK_LT(lt, cublasLtMatmulDescCreate(&desc.value, compute32F, real32F));
    setDesc(descTransA, operationTranspose);
    bool inEpilogue = bias && isAligned(bias, out * getSizeInBytes(dtype),
                                        in * getSizeInBytes(dtype));
    if (inEpilogue) {
      setDesc(descEpilogue, epilogueBias);
      setDesc(descBiasPointer, bias);
    } else if (bias) {
      fillBias = broadcast.bind(dtype, result, bias, tokens, out, place);
    }
    choose(place + ": " + std::to_string(tokens) + " x " + std::to_string(out) +
           " x " + std::to_string(in));
    if (inEpilogue)
      choice += ", bias in the epilogue";
    else if (bias)
      choice += ", bias by broadcast_rows before (beta 1)";
  }

  void launch(Stream &stream, void *workspace) const {
    float alpha = 1, beta = 0;
    if (fillBias) {
      fillBias->launch(stream, nullptr);
      beta = 1;
    }
    FK_LT(lt,
          cublasLtMatmul(lt.handle, desc.value, &alpha, weight, a.value, input,
                         b.value, &beta, result, d.value, result, d.value,
                         &algorithm, workspace, workspaceBytes,
                         static_cast<cuda::StreamHandle>(stream.getHandle())));
  }

  const std::string &describe() const { return choice; }

private:
  void createLayout(Owned<MatrixLayout> &layout, int type, int64_t rows,
                    int64_t columns) {
    layout.destroy = lt.cublasLtMatrixLayoutDestroy;
    FK_LT(lt,
          cublasLtMatrixLayoutCreate(&layout.value, type, rows, columns, rows));
  }

  template <typename T> void setDesc(int attribute, const T &value) {
    FK_LT(lt, cublasLtMatmulDescSetAttribute(desc.value, attribute, &value,
                                             sizeof(T)));
  }

  /// Whether the bias epilogue rounds once: see the top of this file.
  bool isAligned(const void *bias, int64_t outBytes, int64_t inBytes) const {
    auto bits = uint64_t(outBytes) | uint64_t(inBytes);
    for (const void *pointer :
         {bias, weight, input, static_cast<const void *>(result)})
      bits |= reinterpret_cast<uintptr_t>(pointer);
    return bits % 16 == 0;
  }

  /// The largest power of two, up to 256, that divides the address.
  static uint32_t getAlignment(const void *pointer) {
    auto address = reinterpret_cast<uintptr_t>(pointer) | 256;
    return uint32_t(address & -address);
  }

  /// Takes the first heuristic that the library itself accepts.
  void choose(const std::string &place) {
    Owned<Preference> preference;
    preference.destroy = lt.cublasLtMatmulPreferenceDestroy;
    FK_LT(lt, cublasLtMatmulPreferenceCreate(&preference.value));
    uint64_t limit = workspaceBytes;
    FK_LT(lt, cublasLtMatmulPreferenceSetAttribute(preference.value,
                                                   preferenceWorkspace, &limit,
                                                   sizeof(limit)));
    FK_LT(lt, cublasLtMatmulPreferenceSetAttribute(
                  preference.value, preferenceReduction, &reductionComputeType,
                  sizeof(reductionComputeType)));
    const void *tensors[] = {weight, input, result, result};
    for (int i = 0; i < 4; ++i) {
      uint32_t alignment = getAlignment(tensors[i]);
      FK_LT(lt, cublasLtMatmulPreferenceSetAttribute(
                    preference.value, preferenceAlignmentA + i, &alignment,
                    sizeof(alignment)));
    }
    Heuristic found[wantedHeuristics] = {};
    int count = 0;
    FK_LT(lt, cublasLtMatmulAlgoGetHeuristic(
                  lt.handle, desc.value, a.value, b.value, d.value, d.value,
                  preference.value, wantedHeuristics, found, &count));
    for (int i = 0; i < count; ++i) {
      Heuristic checked = {};
      if (found[i].state != 0 ||
          lt.cublasLtMatmulAlgoCheck(lt.handle, desc.value, a.value, b.value,
                                     d.value, d.value, &found[i].algorithm,
                                     &checked) != 0 ||
          checked.workspaceBytes > size_t(workspaceBytes))
        continue;
      algorithm = found[i].algorithm;
      describeChoice(i, count);
      return;
    }
    throw Error({"cuBLASLt has no algorithm for a product", place,
                 "at least one of its heuristics",
                 std::to_string(count) + " offered, none accepted",
                 "use a newer cuBLASLt (FK_CUDA_LIBS names its folder)"});
  }

  void describeChoice(int index, int count) {
    auto get = [&](int attribute) {
      uint32_t value = 0;
      size_t written = 0;
      lt.cublasLtMatmulAlgoConfigGetAttribute(&algorithm, attribute, &value,
                                              sizeof(value), &written);
      return std::to_string(value);
    };
    choice = "algorithm " + get(configId) + " tile " + get(configTile) +
             " stages " + get(configStages) + " split-k " + get(configSplitK) +
             " (heuristic " + std::to_string(index + 1) + " of " +
             std::to_string(count) + ")";
  }

  const CublasLt &lt;
  void *result;
  const void *input, *weight;
  Owned<MatrixLayout> a, b, d;
  Owned<MatmulDesc> desc;
  std::unique_ptr<Kernel> fillBias; ///< nullptr: no bias, or in the epilogue
  Algorithm algorithm = {};
  std::string choice;
};

class ProductKernel final : public Kernel {
public:
  ProductKernel(std::shared_ptr<CublasLt> lt, BiasBroadcast &broadcast)
      : lt(std::move(lt)), broadcast(broadcast) {}

  int64_t getWorkspaceBytes() const override { return workspaceBytes; }

  void launch(Stream &stream, void *workspace) override {
    for (const auto &product : products)
      product->launch(stream, workspace);
  }

  std::string describe() const override {
    std::string text;
    for (const auto &product : products)
      text += (text.empty() ? "" : "; ") + product->describe();
    return text;
  }

  /// Rows [firstRow, firstRow + out) of the weight and bias make `result`.
  void add(const BoundLaunch &launch, std::string_view result, int64_t firstRow,
           int64_t out) {
    const TensorRef &input = launch.operand("input");
    const TensorRef &weight = launch.operand("weight");
    const TensorRef &bias = launch.operand("bias");
    int64_t in = launch.axis("in_features"),
            size = getSizeInBytes(launch.dtype);
    auto at = [&](const TensorRef &tensor, int64_t element) -> const void * {
      return tensor ? static_cast<const char *>(tensor.data) + element * size
                    : nullptr;
    };
    products.push_back(std::make_unique<Product>(
        *lt, broadcast, launch.dtype, launch.result(result).data, input.data,
        at(weight, firstRow * in), at(bias, firstRow), launch.axis("tokens"),
        out, in, launch.place.empty() ? launch.task : launch.place));
  }

private:
  std::shared_ptr<CublasLt> lt; ///< outlives the products
  BiasBroadcast &broadcast;     ///< the provider's; used by add only
  std::vector<std::unique_ptr<Product>> products;
};

class CublasLtProvider final : public Provider {
public:
  explicit CublasLtProvider(Device &device)
      : device(device), broadcast(device) {}

  std::string_view getName() const override { return "cublaslt"; }

  std::unique_ptr<Kernel> bind(std::string_view kernel,
                               const BoundLaunch &launch) override {
    device.makeCurrent();
    if (!lt)
      lt = std::make_shared<CublasLt>(device);
    auto bound = std::make_unique<ProductKernel>(lt, broadcast);
    if (kernel == "linear") {
      bound->add(launch, "result", 0, launch.axis("out_features"));
    } else if (kernel == "gate_up_linear") {
      bound->add(launch, "gate_up", 0, 2 * launch.axis("intermediate"));
    } else if (kernel == "qkv_linear") {
      int64_t q = launch.axis("q_features"), kv = launch.axis("kv_features");
      bound->add(launch, "query", 0, q);
      bound->add(launch, "key", q, kv);
      bound->add(launch, "value", q + kv, kv);
    } else {
      throw Error(
          {"provider cublaslt has no kernel '" + std::string(kernel) + "'",
           launch.place, "linear, qkv_linear or gate_up_linear",
           std::string(kernel),
           "compile the plan again with this version of fk"});
    }
    return bound;
  }

private:
  Device &device;
  BiasBroadcast broadcast;
  std::shared_ptr<CublasLt> lt;
};

} // namespace

std::unique_ptr<Provider> createCublasLtProvider(Device &device) {
  return std::make_unique<CublasLtProvider>(device);
}

} // namespace fk
