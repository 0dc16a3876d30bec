/*===- FakeCuda.c - A CUDA driver of host memory ------------------------===*\
|*
|* Part of fk, under the Apache License v2.0. See LICENSE.
|*
|* Built as libcuda.so.1 for RuntimeCudaTest: device memory is host memory, a
|* stream does at once what is enqueued, a captured copy is done again at every
|* launch of its graph. What was made and not destroyed is counted; too large
|* an allocation fails as on a full GPU. There are no kernels.
|*
\*===--------------------------------------------------------------------===*/

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { maxCopies = 64, outOfMemory = 2, invalidValue = 1, notFound = 500 };
static const size_t allocationLimit = (size_t)1 << 30;

struct Copy {
  void *dst;
  const void *src;
  size_t bytes;
};
struct Graph {
  struct Copy copies[maxCopies];
  int count;
};
struct Stream {
  struct Graph *capturing;
};
struct Event {
  struct timespec time;
};

static __thread void *currentContext;
static int context;
static int liveObjects; /* memory, streams, events, graphs, contexts */

int fakeCudaLiveObjects(void) {
  return __atomic_load_n(&liveObjects, __ATOMIC_SEQ_CST);
}
static void *make(size_t bytes) {
  __atomic_add_fetch(&liveObjects, 1, __ATOMIC_SEQ_CST);
  return calloc(1, bytes);
}
static int destroy(void *object) {
  __atomic_sub_fetch(&liveObjects, 1, __ATOMIC_SEQ_CST);
  free(object);
  return 0;
}

static int initialize(unsigned flags) { return flags; }
static int getVersion(int *version) {
  *version = 13000;
  return 0;
}
static int getErrorName(int error, const char **name) {
  *name = error == outOfMemory ? "CUDA_ERROR_OUT_OF_MEMORY"
                               : "CUDA_ERROR_INVALID_VALUE";
  return 0;
}
static int getErrorString(int error, const char **text) {
  *text = error == outOfMemory ? "out of memory" : "invalid argument";
  return 0;
}
static int getCount(int *count) {
  *count = 1;
  return 0;
}
static int getDevice(int *device, int ordinal) {
  *device = ordinal;
  return 0;
}
static int getName(char *name, int length, int device) {
  (void)device;
  strncpy(name, "Fake H100", (size_t)length);
  return 0;
}
static int getAttribute(int *value, int attribute, int device) {
  (void)device;
  *value = attribute == 75 ? 9 : attribute == 38 ? 50 << 20 : 0;
  return 0;
}
static int retain(void **result, int device) {
  (void)device;
  __atomic_add_fetch(&liveObjects, 1, __ATOMIC_SEQ_CST);
  *result = &context;
  return 0;
}
static int release(int device) {
  (void)device;
  __atomic_sub_fetch(&liveObjects, 1, __ATOMIC_SEQ_CST);
  return 0;
}
static int setCurrent(void *given) {
  currentContext = given;
  return 0;
}
static int getInfo(size_t *freeBytes, size_t *total) {
  *freeBytes = *total = allocationLimit;
  return currentContext ? 0 : 201;
}
static int allocate(unsigned long long *pointer, size_t bytes) {
  if (!currentContext)
    return 201;
  if (bytes > allocationLimit)
    return outOfMemory;
  __atomic_add_fetch(&liveObjects, 1, __ATOMIC_SEQ_CST);
  *pointer = (unsigned long long)(uintptr_t)aligned_alloc(256, (bytes + 255) /
                                                                   256 * 256);
  return 0;
}
static int freeMemory(unsigned long long pointer) {
  return destroy((void *)(uintptr_t)pointer);
}
static int allocatePinned(void **pointer, size_t bytes, unsigned flags) {
  (void)flags;
  if (!currentContext)
    return 201;
  *pointer = make(bytes);
  return 0;
}
static int copy(void *dst, const void *src, size_t bytes,
                struct Stream *stream) {
  struct Graph *graph = stream->capturing;
  if (!graph) {
    memcpy(dst, src, bytes);
    return 0;
  }
  if (graph->count == maxCopies)
    return invalidValue;
  graph->copies[graph->count++] = (struct Copy){dst, src, bytes};
  return 0;
}
static int copyToDevice(unsigned long long dst, const void *src, size_t bytes,
                        struct Stream *stream) {
  return copy((void *)(uintptr_t)dst, src, bytes, stream);
}
static int copyToHost(void *dst, unsigned long long src, size_t bytes,
                      struct Stream *stream) {
  return copy(dst, (void *)(uintptr_t)src, bytes, stream);
}
static int copyOnDevice(unsigned long long dst, unsigned long long src,
                        size_t bytes, struct Stream *stream) {
  return copy((void *)(uintptr_t)dst, (void *)(uintptr_t)src, bytes, stream);
}
static int fill(unsigned long long dst, unsigned char value, size_t bytes,
                struct Stream *stream) {
  if (stream->capturing)
    return invalidValue;
  memset((void *)(uintptr_t)dst, value, bytes);
  return 0;
}
static int createStream(void **stream, unsigned flags) {
  (void)flags;
  *stream = make(sizeof(struct Stream));
  return 0;
}
static int synchronize(void *stream) {
  return stream && ((struct Stream *)stream)->capturing ? 900 : 0;
}
static int beginCapture(struct Stream *stream, int mode) {
  (void)mode;
  if (stream->capturing)
    return invalidValue;
  stream->capturing = make(sizeof(struct Graph));
  return 0;
}
static int endCapture(struct Stream *stream, void **graph) {
  *graph = stream->capturing;
  stream->capturing = NULL;
  return *graph ? 0 : invalidValue;
}
static int instantiate(void **exec, struct Graph *graph,
                       unsigned long long flags) {
  (void)flags;
  *exec = make(sizeof(struct Graph));
  memcpy(*exec, graph, sizeof *graph);
  return 0;
}
static int launchGraph(struct Graph *exec, struct Stream *stream) {
  for (int i = 0; i < exec->count; ++i)
    copy(exec->copies[i].dst, exec->copies[i].src, exec->copies[i].bytes,
         stream);
  return 0;
}
static int createEvent(void **event, unsigned flags) {
  (void)flags;
  *event = make(sizeof(struct Event));
  return 0;
}
static int recordEvent(struct Event *event, void *stream) {
  (void)stream;
  return clock_gettime(CLOCK_MONOTONIC, &event->time);
}
static int succeed(void *object) {
  (void)object;
  return 0;
}
static int getElapsed(float *milliseconds, struct Event *start,
                      struct Event *end) {
  *milliseconds =
      (float)(1e3 * (double)(end->time.tv_sec - start->time.tv_sec) +
              1e-6 * (double)(end->time.tv_nsec - start->time.tv_nsec));
  return 0;
}
static int refuse(void) { return invalidValue; }

struct Entry {
  const char *name;
  void *function;
};
#define ENTRY(name, function) {name, (void *)(function)}
static const struct Entry entries[] = {
    ENTRY("cuInit", initialize),
    ENTRY("cuDriverGetVersion", getVersion),
    ENTRY("cuGetErrorName", getErrorName),
    ENTRY("cuGetErrorString", getErrorString),
    ENTRY("cuDeviceGetCount", getCount),
    ENTRY("cuDeviceGet", getDevice),
    ENTRY("cuDeviceGetName", getName),
    ENTRY("cuDeviceGetAttribute", getAttribute),
    ENTRY("cuDevicePrimaryCtxRetain", retain),
    ENTRY("cuDevicePrimaryCtxRelease", release),
    ENTRY("cuCtxSetCurrent", setCurrent),
    ENTRY("cuMemGetInfo", getInfo),
    ENTRY("cuMemAlloc", allocate),
    ENTRY("cuMemFree", freeMemory),
    ENTRY("cuMemHostAlloc", allocatePinned),
    ENTRY("cuMemFreeHost", destroy),
    ENTRY("cuMemcpyHtoDAsync", copyToDevice),
    ENTRY("cuMemcpyDtoHAsync", copyToHost),
    ENTRY("cuMemcpyDtoDAsync", copyOnDevice),
    ENTRY("cuMemsetD8Async", fill),
    ENTRY("cuStreamCreate", createStream),
    ENTRY("cuStreamDestroy", destroy),
    ENTRY("cuStreamSynchronize", synchronize),
    ENTRY("cuStreamBeginCapture", beginCapture),
    ENTRY("cuStreamEndCapture", endCapture),
    ENTRY("cuEventCreate", createEvent),
    ENTRY("cuEventDestroy", destroy),
    ENTRY("cuEventRecord", recordEvent),
    ENTRY("cuEventSynchronize", succeed),
    ENTRY("cuEventElapsedTime", getElapsed),
    ENTRY("cuGraphInstantiateWithFlags", instantiate),
    ENTRY("cuGraphLaunch", launchGraph),
    ENTRY("cuGraphExecDestroy", destroy),
    ENTRY("cuGraphDestroy", destroy),
};

int cuGetProcAddress_v2(const char *symbol, void **function, int version,
                        uint64_t flags, int *status) {
  (void)flags;
  *status = 0;
  *function = (void *)refuse;
  if (version > 13000 || strncmp(symbol, "cu", 2) != 0) {
    *function = NULL;
    *status = 1;
    return notFound;
  }
  for (size_t i = 0; i < sizeof entries / sizeof *entries; ++i)
    if (strcmp(entries[i].name, symbol) == 0)
      *function = entries[i].function;
  return 0;
}
