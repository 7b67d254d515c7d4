/* fakecuda: a test double of libcuda.so.1.
 *
 * - Device memory is PROT_NONE at the address that is given out: a host access faults, as on a machine
 *   with a real device. The double itself works on another mapping of the same pages.
 * - What is submitted to a stream happens only when it is waited for, in the order that CUDA
 *   promises and no better: whoever forgets to wait, or to order, finds old bytes.
 * - Other processes map the memory through handles, as by CUDA IPC.
 * - Kernels are the real ones, compiled for the host.
 * - Failures are injected by the environment, FAKECUDA=word,word=n,...:
 *       nodevice      cuInit finds no device            nobinary      the kernels have nothing for this
 * device noshare       handles cannot be made            nomap         and cannot be opened othermap      an
 * opened handle shows other memory notready=n    an event is not ready n times     oom=n         the n-th
 * allocation on a device, and all nopin         no page-locked memory                           after it,
 * find no memory devices=n     how many there are (2)
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

/* The double's own, for tests: work submitted and not yet done in this process; kernels run; copies made. */
struct fakecuda_counts {
    unsigned long pending, kernels, copies, allocations;
};
void fakecuda_count(struct fakecuda_counts *counts);

#endif
