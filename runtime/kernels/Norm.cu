//===- Norm.cu - rms_norm, add_rms_norm, layer_norm, l2_norm ---*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// One block a row, at most 1024 threads, one 16-byte vector a thread up to 8192
// halves. The row is read once: four vectors a thread stay in registers, longer
// rows are read again (from L1). Statistics are in float32; the answer is
// rounded once.
//
//   rms_norm     bytes = 2 * tokens * hidden * sizeof(T)
//   add_rms_norm bytes = 4 * tokens * hidden * sizeof(T)
//
//===----------------------------------------------------------------------===//

#include "Common.cuh"

namespace fk {

/// A row as the block's threads see it: `width` elements at a time, the first
/// four pieces of each thread held in registers.
template <typename T, int width> struct Row {
  static constexpr int held = 4;
  float piece[held][width];
  const T *data;
  int pieces;

  static __device__ __forceinline__ void read(const T *from, float *to) {
    if constexpr (width == 1) {
      to[0] = toFloat(from[0]);
    } else {
      Vec<T> vec = loadVec(from);
#pragma unroll
      for (int j = 0; j < width; ++j)
        to[j] = toFloat(vec.at[j]);
    }
  }
  static __device__ __forceinline__ void write(T *to, const float *from) {
    if constexpr (width == 1) {
      to[0] = fromFloat<T>(from[0]);
    } else {
      Vec<T> vec;
#pragma unroll
      for (int j = 0; j < width; ++j)
        vec.at[j] = fromFloat<T>(from[j]);
      storeVec(to, vec);
    }
  }

  __device__ __forceinline__ void load(const T *row, int length) {
    data = row;
    pieces = length / width;
#pragma unroll
    for (int i = 0; i < held; ++i) {
      int index = threadIdx.x + i * blockDim.x;
      if (index < pieces)
        read(row + int64_t(index) * width, piece[i]);
    }
  }

  /// body(first element, its `width` values).
  template <typename Body>
  __device__ __forceinline__ void forEach(Body body) {
#pragma unroll
    for (int i = 0; i < held; ++i) {
      int index = threadIdx.x + i * blockDim.x;
      if (index < pieces)
        body(index * width, piece[i]);
    }
    for (int index = threadIdx.x + held * blockDim.x; index < pieces;
         index += blockDim.x) {
      float values[width];
      read(data + int64_t(index) * width, values);
      body(index * width, values);
    }
  }
};

template <typename T, int width>
__device__ __forceinline__ void
rmsNormRow(T *result, const T *input, const T *weight, float epsilon,
           int hidden, float weightOffset, float *scratch) {
  Row<T, width> row;
  row.load(input, hidden);
  float sum = 0.0f;
  row.forEach([&](int, const float *x) {
#pragma unroll
    for (int j = 0; j < width; ++j)
      sum += x[j] * x[j];
  });
  sum = reduceBlock<Sum>(sum, scratch);
  float scale = 1.0f / sqrtf(sum / float(hidden) + epsilon);
  row.forEach([&](int first, const float *x) {
    float w[width], y[width];
    Row<T, width>::read(weight + first, w);
#pragma unroll
    for (int j = 0; j < width; ++j)
      y[j] = x[j] * scale * (weightOffset + w[j]);
    Row<T, width>::write(result + first, y);
  });
}

template <typename T>
__device__ __forceinline__ void rmsNorm(T *result, const T *input,
                                        const T *weight, float epsilon,
                                        int hidden, float weightOffset) {
  __shared__ float scratch[33];
  beginKernel();
  int64_t offset = int64_t(blockIdx.x) * hidden;
  if (hidden % Vec<T>::size == 0)
    rmsNormRow<T, Vec<T>::size>(result + offset, input + offset, weight,
                                epsilon, hidden, weightOffset, scratch);
  else
    rmsNormRow<T, 1>(result + offset, input + offset, weight, epsilon, hidden,
                     weightOffset, scratch);
}

/// The sum is rounded to T before it is normalised: that is what residual_out
/// holds, and what the two separate tasks compute.
template <typename T, int width>
__device__ __forceinline__ void
addRmsNormRow(T *result, T *residualOut, const T *input, const T *residual,
              const T *weight, float epsilon, int hidden, float weightOffset,
              float *scratch) {
  Row<T, width> row;
  row.load(input, hidden);
  float sum = 0.0f;
  row.forEach([&](int first, float *x) {
    float r[width];
    Row<T, width>::read(residual + first, r);
#pragma unroll
    for (int j = 0; j < width; ++j) {
      x[j] = toFloat(fromFloat<T>(x[j] + r[j]));
      sum += x[j] * x[j];
    }
    Row<T, width>::write(residualOut + first, x);
  });
  // Pieces beyond the held ones are read again, now as the sum: each thread
  // reads only what it wrote itself.
  row.data = residualOut;
  sum = reduceBlock<Sum>(sum, scratch);
  float scale = 1.0f / sqrtf(sum / float(hidden) + epsilon);
  row.forEach([&](int first, const float *x) {
    float w[width], y[width];
    Row<T, width>::read(weight + first, w);
#pragma unroll
    for (int j = 0; j < width; ++j)
      y[j] = x[j] * scale * (weightOffset + w[j]);
    Row<T, width>::write(result + first, y);
  });
}

template <typename T>
__device__ __forceinline__ void
addRmsNorm(T *result, T *residualOut, const T *input, const T *residual,
           const T *weight, float epsilon, int hidden, float weightOffset) {
  __shared__ float scratch[33];
  beginKernel();
  int64_t offset = int64_t(blockIdx.x) * hidden;
  if (hidden % Vec<T>::size == 0)
    addRmsNormRow<T, Vec<T>::size>(
        result + offset, residualOut + offset, input + offset,
        residual + offset, weight, epsilon, hidden, weightOffset, scratch);
  else
    addRmsNormRow<T, 1>(result + offset, residualOut + offset, input + offset,
                        residual + offset, weight, epsilon, hidden,
                        weightOffset, scratch);
}

/// The variance is that of the deviations from the mean (a second pass over
/// registers), so that a large mean costs no digits.
template <typename T, int width>
__device__ __forceinline__ void
layerNormRow(T *result, const T *input, const T *weight, const T *bias,
             float epsilon, int hidden, float *scratch) {
  Row<T, width> row;
  row.load(input, hidden);
  float sum = 0.0f;
  row.forEach([&](int, const float *x) {
#pragma unroll
    for (int j = 0; j < width; ++j)
      sum += x[j];
  });
  float mean = reduceBlock<Sum>(sum, scratch) / float(hidden);
  float squares = 0.0f;
  row.forEach([&](int, const float *x) {
#pragma unroll
    for (int j = 0; j < width; ++j)
      squares += (x[j] - mean) * (x[j] - mean);
  });
  squares = reduceBlock<Sum>(squares, scratch);
  float scale = 1.0f / sqrtf(squares / float(hidden) + epsilon);
  row.forEach([&](int first, const float *x) {
    float w[width], b[width], y[width];
    Row<T, width>::read(weight + first, w);
    if (bias)
      Row<T, width>::read(bias + first, b);
#pragma unroll
    for (int j = 0; j < width; ++j)
      y[j] = (x[j] - mean) * scale * w[j] + (bias ? b[j] : 0.0f);
    Row<T, width>::write(result + first, y);
  });
}

template <typename T>
__device__ __forceinline__ void layerNorm(T *result, const T *input,
                                          const T *weight, const T *bias,
                                          float epsilon, int hidden) {
  __shared__ float scratch[33];
  beginKernel();
  int64_t offset = int64_t(blockIdx.x) * hidden;
  if (hidden % Vec<T>::size == 0)
    layerNormRow<T, Vec<T>::size>(result + offset, input + offset, weight, bias,
                                  epsilon, hidden, scratch);
  else
    layerNormRow<T, 1>(result + offset, input + offset, weight, bias, epsilon,
                       hidden, scratch);
}

template <typename T, int width>
__device__ __forceinline__ void l2NormRow(T *result, const T *input,
                                          float epsilon, int columns,
                                          float *scratch) {
  Row<T, width> row;
  row.load(input, columns);
  float sum = 0.0f;
  row.forEach([&](int, const float *x) {
#pragma unroll
    for (int j = 0; j < width; ++j)
      sum += x[j] * x[j];
  });
  sum = reduceBlock<Sum>(sum, scratch);
  float scale = 1.0f / fmaxf(sqrtf(sum), epsilon);
  row.forEach([&](int first, const float *x) {
    float y[width];
#pragma unroll
    for (int j = 0; j < width; ++j)
      y[j] = x[j] * scale;
    Row<T, width>::write(result + first, y);
  });
}

template <typename T>
__device__ __forceinline__ void l2Norm(T *result, const T *input, float epsilon,
                                       int columns) {
  __shared__ float scratch[33];
  beginKernel();
  int64_t offset = int64_t(blockIdx.x) * columns;
  if (columns % Vec<T>::size == 0)
    l2NormRow<T, Vec<T>::size>(result + offset, input + offset, epsilon,
                               columns, scratch);
  else
    l2NormRow<T, 1>(result + offset, input + offset, epsilon, columns, scratch);
}

} // namespace fk

using namespace fk;

#define DEFINE(T)                                                              \
  extern "C" __global__ void __launch_bounds__(1024) rms_norm_##T(             \
      T *result, const T *input, const T *weight, float epsilon, int32_t,      \
      int32_t hidden, float weight_offset) {                                   \
    rmsNorm(result, input, weight, epsilon, hidden, weight_offset);            \
  }                                                                            \
  extern "C" __global__ void __launch_bounds__(1024) add_rms_norm_##T(         \
      T *result, T *residual_out, const T *input, const T *residual,           \
      const T *weight, float epsilon, int32_t, int32_t hidden,                 \
      float weight_offset) {                                                   \
    addRmsNorm(result, residual_out, input, residual, weight, epsilon, hidden, \
               weight_offset);                                                 \
  }                                                                            \
  extern "C" __global__ void __launch_bounds__(1024) layer_norm_##T(           \
      T *result, const T *input, const T *weight, const T *bias,               \
      float epsilon, int32_t, int32_t hidden) {                                \
    layerNorm(result, input, weight, bias, epsilon, hidden);                   \
  }                                                                            \
  extern "C" __global__ void __launch_bounds__(1024) l2_norm_##T(              \
      T *result, const T *input, float epsilon, int32_t, int32_t columns) {    \
    l2Norm(result, input, epsilon, columns);                                   \
  }
FK_FOR_ALL_TYPES(DEFINE)
