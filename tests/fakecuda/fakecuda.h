/* fakecuda: a test double of libcuda.so.1.
 *
 * - Device memory is PROT_NONE at the address that is given out: a host access faults, as on a machine
 *   with a real device. The double itself works on another mapping of the same pages.
 * - What is submitted to a stream happens only when it is waited for, in the order that CUDA
 *   promises and no better: whoever forgets to wait, or to order, finds old bytes.
 * - Other processes map the memory through handles, as by CUDA IPC.
 * - Kernels are the real ones, compiled for the host.
 * - Failures are injected by the environment, FAKECUDA=word,word=n,...:
 *
 *       nodevice      cuInit finds no device
 *       nobinary      the kernels have nothing for this device
 *       noshare       handles cannot be made
 *       nomap         and cannot be opened
 *       othermap      an opened handle shows other memory
 *       notready=n    an event is not ready n times
 *       oom=n         the n-th allocation on a device, and all after it, find no memory
 *       nopin         no page-locked memory
 *       nohold        a stream cannot wait for a word in memory
 *       devices=n     how many there are (2)
 *
 * Here are the declarations for programs that are linked with it; the driver's names, its behaviour.
 */
#ifndef FAKECUDA_H
#define FAKECUDA_H

#include "driver.h"

pl_cu_result cuInit(unsigned flags);
pl_cu_result cuDeviceGet(pl_cu_device *device, int ordinal);
pl_cu_result cuDevicePrimaryCtxRetain(pl_cu_context *context, pl_cu_device device);
pl_cu_result cuCtxSetCurrent(pl_cu_context context);
pl_cu_result cuCtxGetCurrent(pl_cu_context *context);
pl_cu_result cuMemAlloc_v2(pl_cu_address *address, size_t bytes);
pl_cu_result cuMemAllocManaged(pl_cu_address *address, size_t bytes, unsigned flags);
pl_cu_result cuMemFree_v2(pl_cu_address address);
pl_cu_result cuMemHostAlloc(void **address, size_t bytes, unsigned flags);
pl_cu_result cuMemFreeHost(void *address);
pl_cu_result cuMemHostRegister_v2(void *address, size_t bytes, unsigned flags);
pl_cu_result cuMemHostUnregister(void *address);
pl_cu_result cuMemcpyAsync(pl_cu_address to, pl_cu_address from, size_t bytes, pl_cu_stream stream);
pl_cu_result cuMemcpy(pl_cu_address to, pl_cu_address from, size_t bytes);
pl_cu_result cuMemsetD8Async(pl_cu_address to, unsigned char byte, size_t bytes, pl_cu_stream stream);
pl_cu_result cuStreamCreate(pl_cu_stream *stream, unsigned flags);
pl_cu_result cuStreamSynchronize(pl_cu_stream stream);
pl_cu_result cuStreamDestroy_v2(pl_cu_stream stream);
pl_cu_result cuLaunchHostFunc(pl_cu_stream stream, void (*function)(void *argument), void *argument);
pl_cu_result cuStreamWaitValue32_v2(pl_cu_stream stream, pl_cu_address address, uint32_t value,
                                    unsigned flags);
pl_cu_result cuEventCreate(pl_cu_event *event, unsigned flags);
pl_cu_result cuEventDestroy_v2(pl_cu_event event);
pl_cu_result cuEventRecord(pl_cu_event event, pl_cu_stream stream);
pl_cu_result cuEventQuery(pl_cu_event event);

pl_cu_result cuModuleGetFunction(pl_cu_function *function, pl_cu_module module, const char *name);
pl_cu_result cuLaunchKernel(pl_cu_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                            unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                            pl_cu_stream stream, void **parameters, void **extra);

/* The double's own, for tests: work submitted and not yet done in this process; kernels run; copies made. */
struct fakecuda_counts {
    unsigned long pending, kernels, copies, allocations;
};
/* Adds a kernel by that name to all modules. It takes one struct of `bytes` that begins with `pointers`
 * pointers, and is called once for each thread of the grid (host.h). */
void fakecuda_kernel(const char *name, void (*run)(const void *arguments), size_t bytes, int pointers);
void fakecuda_count(struct fakecuda_counts *counts);

#endif
