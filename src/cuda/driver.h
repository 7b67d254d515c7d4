/* What is used of CUDA's driver library, declared here so that no header of NVIDIA's is needed
 * to build. The library is opened at
 * run time: library.c. */
#ifndef PL_CUDA_DRIVER_H
#define PL_CUDA_DRIVER_H

#include <stddef.h>
#include <stdint.h>

typedef int pl_cu_result;
typedef int pl_cu_device;
typedef uint64_t pl_cu_address;
typedef struct pl_cu_context_s *pl_cu_context;
typedef struct pl_cu_stream_s *pl_cu_stream;
typedef struct pl_cu_event_s *pl_cu_event;
typedef struct pl_cu_module_s *pl_cu_module;
typedef struct pl_cu_function_s *pl_cu_function;

enum { /* CUresult */
       PL_CU_OK = 0,
       PL_CU_INVALID_VALUE = 1,
       PL_CU_OUT_OF_MEMORY = 2,
       PL_CU_NOT_INITIALIZED = 3,
       PL_CU_NO_DEVICE = 100,
       PL_CU_INVALID_DEVICE = 101,
       PL_CU_INVALID_IMAGE = 200,
       PL_CU_INVALID_CONTEXT = 201,
       PL_CU_MAP_FAILED = 205,
       PL_CU_NO_BINARY_FOR_GPU = 209,
       PL_CU_INVALID_HANDLE = 400,
       PL_CU_NOT_FOUND = 500,
       PL_CU_NOT_READY = 600,
       PL_CU_ILLEGAL_ADDRESS = 700,
       PL_CU_NOT_SUPPORTED = 801,
};

enum { /* CUpointer_attribute */
       PL_CU_ATTRIBUTE_CONTEXT = 1,
       PL_CU_ATTRIBUTE_MEMORY_TYPE = 2,
       PL_CU_ATTRIBUTE_BUFFER_ID = 7,
       PL_CU_ATTRIBUTE_IS_MANAGED = 8,
       PL_CU_ATTRIBUTE_DEVICE_ORDINAL = 9,
};

enum { /* CUmemorytype */
       PL_CU_MEMORY_HOST = 1,
       PL_CU_MEMORY_DEVICE = 2,
       PL_CU_MEMORY_ARRAY = 3,
       PL_CU_MEMORY_UNIFIED = 4,
};

enum {
    PL_CU_STREAM_DEFAULT = 0,       /* in order with the legacy default stream */
    PL_CU_WAIT_VALUE_GEQ = 0,       /* CU_STREAM_WAIT_VALUE_GEQ: the difference is not negative */
    PL_CU_EVENT_DISABLE_TIMING = 2, /* CU_EVENT_DISABLE_TIMING */
    PL_CU_IPC_LAZY_PEER = 1,        /* CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS */
    PL_CU_HOST_PORTABLE = 1,        /* CU_MEMHOSTALLOC_PORTABLE */
    PL_CU_MULTIPROCESSORS = 16,     /* CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT */
    PL_CU_CAPABILITY_MAJOR = 75,
    PL_CU_CAPABILITY_MINOR = 76,
};

typedef struct {
    unsigned char bytes[64];
} pl_cu_ipc_handle;

typedef struct {
    unsigned char bytes[16];
} pl_cu_uuid;

typedef struct { /* CUDA_MEMCPY2D */
    size_t source_x, source_y;
    unsigned source_type;
    const void *source_host;
    pl_cu_address source_device;
    void *source_array;
    size_t source_pitch;
    size_t target_x, target_y;
    unsigned target_type;
    void *target_host;
    pl_cu_address target_device;
    void *target_array;
    size_t target_pitch;
    size_t width, height;
} pl_cu_copy_2d;

/* PL_CU_CALLS(X) with X(member, name in the library, parameters). */
#define PL_CU_CALLS(X)                                                                                       \
    X(init, cuInit, (unsigned flags))                                                                        \
    X(version, cuDriverGetVersion, (int *version))                                                           \
    X(error_name, cuGetErrorName, (pl_cu_result error, const char **name))                                   \
    X(error_text, cuGetErrorString, (pl_cu_result error, const char **text))                                 \
    X(device_count, cuDeviceGetCount, (int *count))                                                          \
    X(device_get, cuDeviceGet, (pl_cu_device * device, int ordinal))                                         \
    X(device_name, cuDeviceGetName, (char *name, int length, pl_cu_device device))                           \
    X(device_uuid, cuDeviceGetUuid, (pl_cu_uuid * uuid, pl_cu_device device))                                \
    X(device_attribute, cuDeviceGetAttribute, (int *value, int attribute, pl_cu_device device))              \
    X(primary_retain, cuDevicePrimaryCtxRetain, (pl_cu_context * context, pl_cu_device device))              \
    X(primary_release, cuDevicePrimaryCtxRelease_v2, (pl_cu_device device))                                  \
    X(context_push, cuCtxPushCurrent_v2, (pl_cu_context context))                                            \
    X(context_pop, cuCtxPopCurrent_v2, (pl_cu_context * context))                                            \
    X(context_current, cuCtxGetCurrent, (pl_cu_context * context))                                           \
    X(context_device, cuCtxGetDevice, (pl_cu_device * device))                                               \
    X(pointer_attributes, cuPointerGetAttributes,                                                            \
      (unsigned count, const int *attributes, void **data, pl_cu_address address))                           \
    X(address_range, cuMemGetAddressRange_v2, (pl_cu_address * base, size_t * size, pl_cu_address address))  \
    X(allocate, cuMemAlloc_v2, (pl_cu_address * address, size_t bytes))                                      \
    X(free, cuMemFree_v2, (pl_cu_address address))                                                           \
    X(host_allocate, cuMemHostAlloc, (void **address, size_t bytes, unsigned flags))                         \
    X(host_free, cuMemFreeHost, (void *address))                                                             \
    X(copy, cuMemcpyAsync, (pl_cu_address to, pl_cu_address from, size_t bytes, pl_cu_stream stream))        \
    X(copy_2d, cuMemcpy2DAsync_v2, (const pl_cu_copy_2d *copy, pl_cu_stream stream))                         \
    X(stream_create, cuStreamCreate, (pl_cu_stream * stream, unsigned flags))                                \
    X(stream_destroy, cuStreamDestroy_v2, (pl_cu_stream stream))                                             \
    X(stream_synchronize, cuStreamSynchronize, (pl_cu_stream stream))                                        \
    X(stream_wait, cuStreamWaitEvent, (pl_cu_stream stream, pl_cu_event event, unsigned flags))              \
    X(event_create, cuEventCreate, (pl_cu_event * event, unsigned flags))                                    \
    X(event_destroy, cuEventDestroy_v2, (pl_cu_event event))                                                 \
    X(event_record, cuEventRecord, (pl_cu_event event, pl_cu_stream stream))                                 \
    X(event_query, cuEventQuery, (pl_cu_event event))                                                        \
    X(event_synchronize, cuEventSynchronize, (pl_cu_event event))                                            \
    X(module_load, cuModuleLoadData, (pl_cu_module * module, const void *image))                             \
    X(module_unload, cuModuleUnload, (pl_cu_module module))                                                  \
    X(module_function, cuModuleGetFunction,                                                                  \
      (pl_cu_function * function, pl_cu_module module, const char *name))                                    \
    X(launch, cuLaunchKernel,                                                                                \
      (pl_cu_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,         \
       unsigned block_y, unsigned block_z, unsigned shared_bytes, pl_cu_stream stream, void **parameters,    \
       void **extra))                                                                                        \
    X(ipc_get, cuIpcGetMemHandle, (pl_cu_ipc_handle * handle, pl_cu_address address))                        \
    X(ipc_open, cuIpcOpenMemHandle_v2, (pl_cu_address * address, pl_cu_ipc_handle handle, unsigned flags))   \
    X(ipc_close, cuIpcCloseMemHandle, (pl_cu_address address))

/* What a driver may lack: a member is NULL then. */
#define PL_CU_NEWER_CALLS(X)                                                                                 \
    X(launch_host, cuLaunchHostFunc,                                                                         \
      (pl_cu_stream stream, void (*function)(void *argument), void *argument))                               \
    X(stream_wait_value, cuStreamWaitValue32_v2,                                                             \
      (pl_cu_stream stream, pl_cu_address address, uint32_t value, unsigned flags))

struct pl_cu_library {
#define PL_CU_MEMBER(member, symbol, parameters) pl_cu_result(*member) parameters;
    PL_CU_CALLS(PL_CU_MEMBER)
    PL_CU_NEWER_CALLS(PL_CU_MEMBER)
#undef PL_CU_MEMBER
    void *handle; /* dlopen's */
};

/* Opens libcuda.so.1. 0, or PL_EUNSUPPORTED: there is none, or it lacks something (the text says what). */
int pl_cu_library_open(struct pl_cu_library *library);

/* Writes the text for a failed call and returns PL_ENOMEM or PL_ESYSTEM. */
int pl_cu_fail(const struct pl_cu_library *library, pl_cu_result result, const char *doing);

#endif
