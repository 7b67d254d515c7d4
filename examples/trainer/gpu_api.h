/* gpu_api.h: what is used of CUDA's driver library and of cuBLAS, declared here
 * so that peal-train builds where there is no CUDA toolkit. Both are opened at
 * run time (gpu_library.c). tests/cuda compares these lines with NVIDIA's own
 * headers, where they are installed.
 */
#ifndef TRAIN_GPU_API_H
#define TRAIN_GPU_API_H

#include <stddef.h>

#include "real.h"

typedef int gpu_result; /* CUresult and cublasStatus_t: 0 is success */
typedef unsigned long long gpu_address;
typedef struct CUctx_st *gpu_context;
typedef struct CUstream_st *gpu_stream;
typedef struct CUevent_st *gpu_event;
typedef struct CUmod_st *gpu_module;
typedef struct CUfunc_st *gpu_function;
typedef struct cublasContext *gpu_blas;

enum {
    GPU_NO_MEMORY = 2,           /* CUDA_ERROR_OUT_OF_MEMORY */
    GPU_NO_DEVICE = 100,         /* CUDA_ERROR_NO_DEVICE */
    GPU_NOT_READY = 600,         /* CUDA_ERROR_NOT_READY */
    GPU_STREAM_NON_BLOCKING = 1, /* CU_STREAM_NON_BLOCKING: not in order with the default stream */
    GPU_EVENT_NO_TIMING = 2,     /* CU_EVENT_DISABLE_TIMING */
    GPU_MULTIPROCESSORS = 16,    /* CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT */
    GPU_BLAS_N = 0,              /* CUBLAS_OP_N */
    GPU_BLAS_T = 1,              /* CUBLAS_OP_T */
};

#ifdef TRAIN_DOUBLE
#define GPU_GEMM cublasDgemm_v2
#else
#define GPU_GEMM cublasSgemm_v2
#endif

/* X(member, name in the library, parameters) */
#define GPU_DRIVER_CALLS(X)                                                                                  \
    X(init, cuInit, (unsigned flags))                                                                        \
    X(error_text, cuGetErrorString, (gpu_result error, const char **text))                                   \
    X(device_count, cuDeviceGetCount, (int *count))                                                          \
    X(device_get, cuDeviceGet, (int *device, int ordinal))                                                   \
    X(device_name, cuDeviceGetName, (char *name, int length, int device))                                    \
    X(device_attribute, cuDeviceGetAttribute, (int *value, int attribute, int device))                       \
    X(context_retain, cuDevicePrimaryCtxRetain, (gpu_context * context, int device))                         \
    X(context_release, cuDevicePrimaryCtxRelease_v2, (int device))                                           \
    X(context_set, cuCtxSetCurrent, (gpu_context context))                                                   \
    X(allocate, cuMemAlloc_v2, (gpu_address * address, size_t bytes))                                        \
    X(free, cuMemFree_v2, (gpu_address address))                                                             \
    X(copy, cuMemcpyAsync, (gpu_address to, gpu_address from, size_t bytes, gpu_stream stream))              \
    X(stream_create, cuStreamCreate, (gpu_stream * stream, unsigned flags))                                  \
    X(stream_destroy, cuStreamDestroy_v2, (gpu_stream stream))                                               \
    X(stream_wait, cuStreamSynchronize, (gpu_stream stream))                                                 \
    X(event_create, cuEventCreate, (gpu_event * event, unsigned flags))                                      \
    X(event_destroy, cuEventDestroy_v2, (gpu_event event))                                                   \
    X(event_record, cuEventRecord, (gpu_event event, gpu_stream stream))                                     \
    X(event_query, cuEventQuery, (gpu_event event))                                                          \
    X(event_wait, cuEventSynchronize, (gpu_event event))                                                     \
    X(module_load, cuModuleLoadData, (gpu_module * module, const void *image))                               \
    X(module_unload, cuModuleUnload, (gpu_module module))                                                    \
    X(module_function, cuModuleGetFunction, (gpu_function * function, gpu_module module, const char *name))  \
    X(launch, cuLaunchKernel,                                                                                \
      (gpu_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,           \
       unsigned block_y, unsigned block_z, unsigned shared_bytes, gpu_stream stream, void **parameters,      \
       void **extra))

#define GPU_BLAS_CALLS(X)                                                                                    \
    X(blas_create, cublasCreate_v2, (gpu_blas * blas))                                                       \
    X(blas_destroy, cublasDestroy_v2, (gpu_blas blas))                                                       \
    X(blas_stream, cublasSetStream_v2, (gpu_blas blas, gpu_stream stream))                                   \
    X(gemm, GPU_GEMM,                                                                                        \
      (gpu_blas blas, int transpose_a, int transpose_b, int m, int n, int k, const real *alpha,              \
       const real *a, int lda, const real *b, int ldb, const real *beta, real *c, int ldc))

struct gpu_library {
#define GPU_MEMBER(member, symbol, parameters) gpu_result(*member) parameters;
    GPU_DRIVER_CALLS(GPU_MEMBER)
    GPU_BLAS_CALLS(GPU_MEMBER)
#undef GPU_MEMBER
};

#endif
