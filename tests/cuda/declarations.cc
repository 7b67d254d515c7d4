/* Peal and peal-train declare by themselves what they use of CUDA's driver library and of cuBLAS, to build
 * without NVIDIA's headers. Where those are installed, this compares: every function's number of
 * parameters, and of each and of the result the size and whether it is a pointer, an integer or a
 * floating point number, which is what a call depends on; every constant; the layout of structs. */
#include <cstddef>
#include <cstdio>
#include <type_traits>

#ifdef HAVE_CUDA_HEADERS

#include <cublas_v2.h>
#include <cuda.h>

extern "C" {
#include "driver.h"
#include "gpu_api.h"
}

namespace
{

int compared, wrong;

void expect(bool same, const char *what)
{
    compared++;
    if (same)
        return;
    wrong++;
    std::printf("%s is declared otherwise in NVIDIA's headers\n", what);
}

template <class A, class B> constexpr bool alike()
{
    return sizeof(A) == sizeof(B) && std::is_pointer<A>::value == std::is_pointer<B>::value &&
           std::is_floating_point<A>::value == std::is_floating_point<B>::value &&
           std::is_class<A>::value == std::is_class<B>::value;
}

/* What pointers point at, but for structs that are never looked into. */
template <class A, class B> constexpr bool both()
{
    if constexpr (std::is_pointer<A>::value && std::is_pointer<B>::value) {
        using a = typename std::remove_cv<typename std::remove_pointer<A>::type>::type;
        using b = typename std::remove_cv<typename std::remove_pointer<B>::type>::type;
        if constexpr (std::is_scalar<a>::value && std::is_scalar<b>::value)
            return alike<a, b>();
        return true;
    }
    return alike<A, B>();
}

template <class A, class B> struct same_call {
    static constexpr bool value = false;
};

template <class R, class... P, class S, class... Q> struct same_call<R (*)(P...), S (*)(Q...)> {
    static constexpr bool compare()
    {
        if constexpr (sizeof...(P) == sizeof...(Q))
            return alike<R, S>() && (both<P, Q>() && ...);
        return false;
    }
    static constexpr bool value = compare();
};

void compare_calls()
{
#define DRIVER(member, symbol, parameters)                                                                   \
    expect(same_call<decltype(pl_cu_library::member), decltype(&::symbol)>::value, #symbol);
    PL_CU_CALLS(DRIVER)
    PL_CU_NEWER_CALLS(DRIVER)
#define TRAINER(member, symbol, parameters)                                                                  \
    expect(same_call<decltype(gpu_library::member), decltype(&::symbol)>::value, "peal-train's " #symbol);
    GPU_DRIVER_CALLS(TRAINER)
    GPU_BLAS_CALLS(TRAINER)
}

void compare_constants()
{
#define CONSTANT(ours, theirs) expect((long long)(ours) == (long long)(theirs), #theirs);
    CONSTANT(PL_CU_OK, CUDA_SUCCESS)
    CONSTANT(PL_CU_INVALID_VALUE, CUDA_ERROR_INVALID_VALUE)
    CONSTANT(PL_CU_OUT_OF_MEMORY, CUDA_ERROR_OUT_OF_MEMORY)
    CONSTANT(PL_CU_NOT_INITIALIZED, CUDA_ERROR_NOT_INITIALIZED)
    CONSTANT(PL_CU_NO_DEVICE, CUDA_ERROR_NO_DEVICE)
    CONSTANT(PL_CU_INVALID_DEVICE, CUDA_ERROR_INVALID_DEVICE)
    CONSTANT(PL_CU_INVALID_IMAGE, CUDA_ERROR_INVALID_IMAGE)
    CONSTANT(PL_CU_INVALID_CONTEXT, CUDA_ERROR_INVALID_CONTEXT)
    CONSTANT(PL_CU_MAP_FAILED, CUDA_ERROR_MAP_FAILED)
    CONSTANT(PL_CU_NO_BINARY_FOR_GPU, CUDA_ERROR_NO_BINARY_FOR_GPU)
    CONSTANT(PL_CU_INVALID_HANDLE, CUDA_ERROR_INVALID_HANDLE)
    CONSTANT(PL_CU_NOT_FOUND, CUDA_ERROR_NOT_FOUND)
    CONSTANT(PL_CU_NOT_READY, CUDA_ERROR_NOT_READY)
    CONSTANT(PL_CU_ILLEGAL_ADDRESS, CUDA_ERROR_ILLEGAL_ADDRESS)
    CONSTANT(PL_CU_NOT_SUPPORTED, CUDA_ERROR_NOT_SUPPORTED)
    CONSTANT(PL_CU_ATTRIBUTE_CONTEXT, CU_POINTER_ATTRIBUTE_CONTEXT)
    CONSTANT(PL_CU_ATTRIBUTE_MEMORY_TYPE, CU_POINTER_ATTRIBUTE_MEMORY_TYPE)
    CONSTANT(PL_CU_ATTRIBUTE_BUFFER_ID, CU_POINTER_ATTRIBUTE_BUFFER_ID)
    CONSTANT(PL_CU_ATTRIBUTE_IS_MANAGED, CU_POINTER_ATTRIBUTE_IS_MANAGED)
    CONSTANT(PL_CU_ATTRIBUTE_DEVICE_ORDINAL, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL)
    CONSTANT(PL_CU_MEMORY_HOST, CU_MEMORYTYPE_HOST)
    CONSTANT(PL_CU_MEMORY_DEVICE, CU_MEMORYTYPE_DEVICE)
    CONSTANT(PL_CU_MEMORY_ARRAY, CU_MEMORYTYPE_ARRAY)
    CONSTANT(PL_CU_MEMORY_UNIFIED, CU_MEMORYTYPE_UNIFIED)
    CONSTANT(PL_CU_STREAM_DEFAULT, CU_STREAM_DEFAULT)
    CONSTANT(PL_CU_EVENT_DISABLE_TIMING, CU_EVENT_DISABLE_TIMING)
    CONSTANT(PL_CU_IPC_LAZY_PEER, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS)
    CONSTANT(PL_CU_HOST_PORTABLE, CU_MEMHOSTALLOC_PORTABLE)
    CONSTANT(PL_CU_MULTIPROCESSORS, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)
    CONSTANT(PL_CU_CAPABILITY_MAJOR, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
    CONSTANT(PL_CU_CAPABILITY_MINOR, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)
    CONSTANT(GPU_NO_MEMORY, CUDA_ERROR_OUT_OF_MEMORY)
    CONSTANT(GPU_NO_DEVICE, CUDA_ERROR_NO_DEVICE)
    CONSTANT(GPU_NOT_READY, CUDA_ERROR_NOT_READY)
    CONSTANT(GPU_STREAM_NON_BLOCKING, CU_STREAM_NON_BLOCKING)
    CONSTANT(GPU_EVENT_NO_TIMING, CU_EVENT_DISABLE_TIMING)
    CONSTANT(GPU_MULTIPROCESSORS, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)
    CONSTANT(GPU_BLAS_N, CUBLAS_OP_N)
    CONSTANT(GPU_BLAS_T, CUBLAS_OP_T)
}

void compare_structs()
{
#define FIELD(ours, theirs)                                                                                  \
    expect(offsetof(pl_cu_copy_2d, ours) == offsetof(CUDA_MEMCPY2D, theirs) &&                               \
               sizeof(pl_cu_copy_2d::ours) == sizeof(CUDA_MEMCPY2D::theirs),                                 \
           "CUDA_MEMCPY2D." #theirs);
    FIELD(source_x, srcXInBytes)
    FIELD(source_y, srcY)
    FIELD(source_type, srcMemoryType)
    FIELD(source_host, srcHost)
    FIELD(source_device, srcDevice)
    FIELD(source_array, srcArray)
    FIELD(source_pitch, srcPitch)
    FIELD(target_x, dstXInBytes)
    FIELD(target_y, dstY)
    FIELD(target_type, dstMemoryType)
    FIELD(target_host, dstHost)
    FIELD(target_device, dstDevice)
    FIELD(target_array, dstArray)
    FIELD(target_pitch, dstPitch)
    FIELD(width, WidthInBytes)
    FIELD(height, Height)
    expect(sizeof(pl_cu_copy_2d) == sizeof(CUDA_MEMCPY2D), "CUDA_MEMCPY2D");
    expect(sizeof(pl_cu_ipc_handle) == sizeof(CUipcMemHandle), "CUipcMemHandle");
    expect(sizeof(pl_cu_uuid) == sizeof(CUuuid), "CUuuid");
    /* the test itself must see a difference */
    static_assert(!same_call<int (*)(int, void *), int (*)(int, int)>::value, "");
    static_assert(!same_call<int (*)(int), int (*)(int, int)>::value, "");
    static_assert(!same_call<int (*)(int *), int (*)(std::size_t *)>::value, "");
}

} /* namespace */

int main()
{
    compare_calls();
    compare_constants();
    compare_structs();
    std::printf("%d declarations compared with those of CUDA %d.%d, %d differ\n", compared,
                CUDA_VERSION / 1000, CUDA_VERSION % 1000 / 10, wrong);
    return wrong != 0;
}

#else

int main()
{
    std::puts("skipped: cuda.h and cublas_v2.h were not found when this was built");
    return 77;
}

#endif
