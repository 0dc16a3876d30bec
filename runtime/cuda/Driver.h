//===- Driver.h - The CUDA driver, reached at run time ---------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// libcuda.so.1 is opened with dlopen and its functions are taken by the table
// below through cuGetProcAddress, so that fk builds without CUDA headers and
// starts on machines without a driver. The types are declared here; their sizes
// are those of the driver's stable ABI (RuntimeTest checks them against cuda.h
// where one is found). Do not include <cuda.h> beside this header: its macros
// rename the functions.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_CUDA_DRIVER_H
#define FK_RUNTIME_CUDA_DRIVER_H

#include <cstddef>
#include <cstdint>
#include <string>

struct CUctx_st;
struct CUmod_st;
struct CUfunc_st;
struct CUstream_st;
struct CUevent_st;
struct CUgraph_st;
struct CUgraphExec_st;
struct CUgraphNode_st;

namespace fk::cuda {

using Result = int; ///< CUresult; 0 is success
using DeviceId = int;
using DevicePtr = unsigned long long;
using Context = ::CUctx_st *;
using Module = ::CUmod_st *;
using Function = ::CUfunc_st *;
using StreamHandle = ::CUstream_st *;
using EventHandle = ::CUevent_st *;
using GraphHandle = ::CUgraph_st *;
using GraphExec = ::CUgraphExec_st *;
using GraphNode = ::CUgraphNode_st *;

/// CUlaunchAttribute; the value is a union of 64 bytes.
struct LaunchAttribute {
  int id = 0;
  int pad = 0;
  union {
    char bytes[64];
    struct {
      unsigned x, y, z;
    } clusterDim;
    int programmaticStreamSerializationAllowed;
  } value = {{0}};
};
enum LaunchAttributeId : int {
  LaunchAttributeCooperative = 2,
  LaunchAttributeClusterDimension = 4,
  LaunchAttributeProgrammaticStreamSerialization = 6,
};

/// CUlaunchConfig.
struct LaunchConfig {
  unsigned gridX = 1, gridY = 1, gridZ = 1;
  unsigned blockX = 1, blockY = 1, blockZ = 1;
  unsigned sharedMemBytes = 0;
  StreamHandle stream = nullptr;
  LaunchAttribute *attributes = nullptr;
  unsigned numAttributes = 0;
};

/// CUtensorMap: opaque, passed to a kernel as a __grid_constant__ parameter.
struct alignas(64) TensorMap {
  uint64_t opaque[16];
};

enum DeviceAttribute : int {
  DeviceMaxThreadsPerBlock = 1,
  DeviceMultiprocessorCount = 16,
  DeviceMemoryClockRate = 36,
  DeviceMemoryBusWidth = 37,
  DeviceL2CacheSize = 38,
  DeviceComputeCapabilityMajor = 75,
  DeviceComputeCapabilityMinor = 76,
  DeviceMaxSharedMemoryPerMultiprocessor = 81,
  DeviceMaxSharedMemoryPerBlockOptin = 97,
};

enum FunctionAttribute : int {
  FunctionMaxThreadsPerBlock = 0,
  FunctionSharedSizeBytes = 1,
  FunctionLocalSizeBytes = 3,
  FunctionNumRegs = 4,
  FunctionPtxVersion = 5,
  FunctionBinaryVersion = 6,
  FunctionMaxDynamicSharedSizeBytes = 8,
  FunctionNonPortableClusterSizeAllowed = 14,
};

enum JitOption : int {
  JitMaxRegisters = 0,
  JitInfoLogBuffer = 3,
  JitInfoLogBufferSizeBytes = 4,
  JitErrorLogBuffer = 5,
  JitErrorLogBufferSizeBytes = 6,
};

enum StreamFlags : unsigned { StreamNonBlocking = 1 };
enum EventFlags : unsigned { EventDefault = 0, EventDisableTiming = 2 };
enum CaptureMode : int { CaptureThreadLocal = 1, CaptureRelaxed = 2 };
enum ErrorCode : int { ErrorOutOfMemory = 2 };

/// Every driver function fk calls: name, parameters, and the CUDA version whose
/// ABI is asked for (12.0 unless the function is younger). `optional` ones are
/// nullptr where the driver is too old.
#define FK_CUDA_DRIVER_FUNCTIONS(X, OPTIONAL)                                  \
  X(cuInit, (unsigned flags), 12000)                                           \
  X(cuDriverGetVersion, (int *version), 12000)                                 \
  X(cuGetErrorName, (Result error, const char **name), 12000)                  \
  X(cuGetErrorString, (Result error, const char **text), 12000)                \
  X(cuDeviceGetCount, (int *count), 12000)                                     \
  X(cuDeviceGet, (DeviceId * device, int ordinal), 12000)                      \
  X(cuDeviceGetName, (char *name, int length, DeviceId device), 12000)         \
  X(cuDeviceGetAttribute, (int *value, int attribute, DeviceId device), 12000) \
  X(cuDeviceTotalMem, (size_t * bytes, DeviceId device), 12000)                \
  X(cuDevicePrimaryCtxRetain, (Context * context, DeviceId device), 12000)     \
  X(cuDevicePrimaryCtxRelease, (DeviceId device), 12000)                       \
  X(cuCtxSetCurrent, (Context context), 12000)                                 \
  X(cuCtxGetCurrent, (Context * context), 12000)                               \
  X(cuCtxGetDevice, (DeviceId * device), 12000)                                \
  X(cuCtxSynchronize, (), 12000)                                               \
  X(cuMemGetInfo, (size_t * free, size_t *total), 12000)                       \
  X(cuMemAlloc, (DevicePtr * pointer, size_t bytes), 12000)                    \
  X(cuMemFree, (DevicePtr pointer), 12000)                                     \
  X(cuMemHostAlloc, (void **pointer, size_t bytes, unsigned flags), 12000)     \
  X(cuMemFreeHost, (void *pointer), 12000)                                     \
  X(cuMemcpyHtoDAsync,                                                         \
    (DevicePtr dst, const void *src, size_t bytes, StreamHandle stream),       \
    12000)                                                                     \
  X(cuMemcpyDtoHAsync,                                                         \
    (void *dst, DevicePtr src, size_t bytes, StreamHandle stream), 12000)      \
  X(cuMemcpyDtoDAsync,                                                         \
    (DevicePtr dst, DevicePtr src, size_t bytes, StreamHandle stream), 12000)  \
  X(cuMemsetD8Async,                                                           \
    (DevicePtr dst, unsigned char value, size_t bytes, StreamHandle stream),   \
    12000)                                                                     \
  X(cuStreamCreate, (StreamHandle * stream, unsigned flags), 12000)            \
  X(cuStreamDestroy, (StreamHandle stream), 12000)                             \
  X(cuStreamSynchronize, (StreamHandle stream), 12000)                         \
  X(cuStreamWaitEvent,                                                         \
    (StreamHandle stream, EventHandle event, unsigned flags), 12000)           \
  X(cuStreamBeginCapture, (StreamHandle stream, int mode), 12000)              \
  X(cuStreamEndCapture, (StreamHandle stream, GraphHandle *graph), 12000)      \
  X(cuEventCreate, (EventHandle * event, unsigned flags), 12000)               \
  X(cuEventDestroy, (EventHandle event), 12000)                                \
  X(cuEventRecord, (EventHandle event, StreamHandle stream), 12000)            \
  X(cuEventSynchronize, (EventHandle event), 12000)                            \
  X(cuEventElapsedTime,                                                        \
    (float *milliseconds, EventHandle start, EventHandle end), 12000)          \
  X(cuGraphInstantiateWithFlags,                                               \
    (GraphExec * exec, GraphHandle graph, unsigned long long flags), 12000)    \
  X(cuGraphLaunch, (GraphExec exec, StreamHandle stream), 12000)               \
  X(cuGraphUpload, (GraphExec exec, StreamHandle stream), 12000)               \
  X(cuGraphGetNodes, (GraphHandle graph, GraphNode * nodes, size_t *count),    \
    12000)                                                                     \
  X(cuGraphExecDestroy, (GraphExec exec), 12000)                               \
  X(cuGraphDestroy, (GraphHandle graph), 12000)                                \
  X(cuModuleLoadDataEx,                                                        \
    (Module * module, const void *image, unsigned numOptions, int *options,    \
     void **values),                                                           \
    12000)                                                                     \
  X(cuModuleUnload, (Module module), 12000)                                    \
  X(cuModuleGetFunction, (Function * function, Module module,                  \
                          const char *name), 12000)                            \
  X(cuModuleGetGlobal,                                                         \
    (DevicePtr * pointer, size_t *bytes, Module module, const char *name),     \
    12000)                                                                     \
  X(cuFuncGetAttribute, (int *value, int attribute, Function function), 12000) \
  X(cuFuncSetAttribute, (Function function, int attribute, int value), 12000)  \
  X(cuLaunchKernelEx,                                                          \
    (const LaunchConfig *config, Function function, void **parameters,         \
     void **extra),                                                            \
    12000)                                                                     \
  X(cuOccupancyMaxActiveBlocksPerMultiprocessor,                               \
    (int *blocks, Function function, int blockSize, size_t sharedBytes),       \
    12000)                                                                     \
  X(cuTensorMapEncodeTiled,                                                    \
    (TensorMap * map, int dataType, uint32_t rank, void *address,              \
     const uint64_t *dims, const uint64_t *strides, const uint32_t *box,       \
     const uint32_t *elementStrides, int interleave, int swizzle,              \
     int l2Promotion, int outOfBoundsFill),                                    \
    12000)                                                                     \
  OPTIONAL(cuFuncGetParamInfo,                                                 \
           (Function function, size_t index, size_t *offset, size_t *size),    \
           12040)

/// The opened driver. Constant after it is opened; shared by all sessions.
struct Driver {
#define FK_CUDA_MEMBER(name, params, version) Result(*name) params = nullptr;
  FK_CUDA_DRIVER_FUNCTIONS(FK_CUDA_MEMBER, FK_CUDA_MEMBER)
#undef FK_CUDA_MEMBER

  int version = 0; ///< 13000 for CUDA 13.0

  /// Throws Error (Infrastructure) where `result` is not success, with the
  /// text of the call.
  void check(Result result, const char *call) const;
};

/// Opens the driver at the first call. Throws Error (Infrastructure) where there
/// is none, it is too old or it finds no GPU; a later call tries again.
const Driver &getDriver();

/// "580.159.04" of the kernel's driver, or "" where it does not say.
std::string getDriverRelease();

} // namespace fk::cuda

/// A checked driver call: FK_CUDA(driver, cuMemAlloc(&pointer, bytes)).
#define FK_CUDA(driver, call) (driver).check((driver).call, #call)

#endif // FK_RUNTIME_CUDA_DRIVER_H
