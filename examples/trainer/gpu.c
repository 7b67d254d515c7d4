/* gpu.c: a device, its stream, its kernels and cuBLAS, over the driver's interface.
 *
 * cuBLAS knows matrices column by column. What lies row by row is to it the
 * transposed matrix, so that c = a * b is asked for as c' = b' * a', and nothing is
 * moved:
 *
 *     rows:  c [m][n] = a [m][k] * b [k][n]     columns:  c (n x m) = b (n x k) * a (k x m)
 *
 * The kernels are compiled when peal-train is built (gpu_image.h) and loaded
 * here. Rejected: the CUDA runtime, which would have to be linked.
 */
#include "gpu.h"

#include <stdint.h>
#include <stdlib.h>

#include "gpu_image.h"
#include "gpu_library.h"

enum { THREADS = 256, BLOCKS_PER_MULTIPROCESSOR = 8 };

struct gpu {
    struct gpu_library api;
    int device, multiprocessors;
    char name[96];
    gpu_context context;
    gpu_stream stream;
    gpu_module module;
    gpu_function kernels[GPU_KERNELS];
    gpu_blas blas;
    gpu_event marks[GPU_MARKS];
    struct failure failure; /* empty: all is well */
};

static const char *text_of(struct gpu *gpu, gpu_result result)
{
    const char *text = NULL;
    gpu->api.error_text(result, &text);
    return text ? text : "unknown error";
}

/* Notes the first error. */
static int note(struct gpu *gpu, gpu_result result, const char *doing)
{
    if (result && gpu->failure.text[0] == '\0')
        failure_set(&gpu->failure, "CUDA failed %s on %s: %s", doing, gpu->name, text_of(gpu, result));
    return result != 0;
}

static int well(const struct gpu *gpu)
{
    return gpu->failure.text[0] == '\0';
}

static gpu_address address_of(const void *pointer)
{
    return (gpu_address)(uintptr_t)pointer;
}

static int find_device(struct gpu *gpu, int index, struct failure *failure)
{
    int count = 0;
    gpu_result result = gpu->api.init(0);
    if (!result)
        result = gpu->api.device_count(&count);
    if (result == GPU_NO_DEVICE || (!result && count == 0))
        return fail(failure, "--device cuda: the CUDA driver finds no GPU in this machine (or "
                             "CUDA_VISIBLE_DEVICES hides it); --device cpu trains without");
    if (!result)
        result = gpu->api.device_get(&gpu->device, index % count);
    if (!result)
        result = gpu->api.device_name(gpu->name, (int)sizeof gpu->name, gpu->device);
    if (!result)
        result = gpu->api.device_attribute(&gpu->multiprocessors, GPU_MULTIPROCESSORS, gpu->device);
    if (!result)
        result = gpu->api.context_retain(&gpu->context, gpu->device);
    if (!result)
        result = gpu->api.context_set(gpu->context);
    if (result)
        return fail(failure, "--device cuda: GPU %d cannot be used: %s", index % (count ? count : 1),
                    text_of(gpu, result));
    return 0;
}

static int load_kernels(struct gpu *gpu, struct failure *failure)
{
#define NAME(name, type) TRAIN_KERNEL_NAME(name),
    static const char *const names[] = {TRAIN_KERNELS(NAME)};
#undef NAME
    gpu_result result = gpu->api.module_load(&gpu->module, gpu_image);
    if (result)
        return fail(failure, "--device cuda: peal-train's kernels do not load on %s: %s%s", gpu->name,
                    text_of(gpu, result),
                    gpu_image_built ? ""
                                    : "; peal-train was built without nvcc: install the CUDA toolkit "
                                      "and build again");
    for (int i = 0; i < GPU_KERNELS; i++) {
        result = gpu->api.module_function(&gpu->kernels[i], gpu->module, names[i]);
        if (result)
            return fail(failure, "--device cuda: the kernel %s is missing: %s", names[i],
                        text_of(gpu, result));
    }
    return 0;
}

static int open_stream(struct gpu *gpu, struct failure *failure)
{
    gpu_result result = gpu->api.stream_create(&gpu->stream, GPU_STREAM_NON_BLOCKING);
    for (int i = 0; i < GPU_MARKS && !result; i++)
        result = gpu->api.event_create(&gpu->marks[i], GPU_EVENT_NO_TIMING);
    if (result)
        return fail(failure, "--device cuda: no stream on %s: %s", gpu->name, text_of(gpu, result));
    result = gpu->api.blas_create(&gpu->blas);
    if (!result)
        result = gpu->api.blas_stream(gpu->blas, gpu->stream);
    if (result)
        return fail(failure,
                    "--device cuda: cuBLAS cannot be used on %s (its status %d): is there memory "
                    "left, and is it made for this driver?",
                    gpu->name, result);
    return 0;
}

struct gpu *gpu_create(int index, struct failure *failure)
{
    struct gpu *gpu = calloc(1, sizeof *gpu);
    if (!gpu) {
        failure_set(failure, "no memory for what is known of a GPU");
        return NULL;
    }
    if (gpu_library_open(&gpu->api, failure) != 0 || find_device(gpu, index, failure) != 0 ||
        load_kernels(gpu, failure) != 0 || open_stream(gpu, failure) != 0) {
        gpu_destroy(gpu);
        return NULL;
    }
    return gpu;
}

void gpu_destroy(struct gpu *gpu)
{
    if (!gpu)
        return;
    if (gpu->blas)
        gpu->api.blas_destroy(gpu->blas);
    for (int i = 0; i < GPU_MARKS; i++)
        if (gpu->marks[i])
            gpu->api.event_destroy(gpu->marks[i]);
    if (gpu->stream)
        gpu->api.stream_destroy(gpu->stream);
    if (gpu->module)
        gpu->api.module_unload(gpu->module);
    if (gpu->context)
        gpu->api.context_release(gpu->device);
    free(gpu);
}

const char *gpu_name(const struct gpu *gpu)
{
    return gpu->name;
}

void *gpu_allocate(struct gpu *gpu, size_t bytes, const char *what, struct failure *failure)
{
    gpu_address address = 0;
    gpu_result result = gpu->api.allocate(&address, bytes ? bytes : 1);
    if (!result)
        return (void *)(uintptr_t)address;
    failure_set(failure,
                "no memory on %s for %s (%zu MiB): %s; fewer ranks on one GPU or a smaller --batch "
                "take less",
                gpu->name, what, (bytes >> 20) + 1, text_of(gpu, result));
    return NULL;
}

void gpu_free(struct gpu *gpu, void *address)
{
    if (address)
        gpu->api.free(address_of(address));
}

static void copy(struct gpu *gpu, const void *to, const void *from, size_t bytes)
{
    if (well(gpu) && bytes > 0 &&
        !note(gpu, gpu->api.copy(address_of(to), address_of(from), bytes, gpu->stream), "to copy"))
        note(gpu, gpu->api.stream_wait(gpu->stream), "in a copy, or in a kernel before it");
}

void gpu_upload(struct gpu *gpu, void *to, const void *from, size_t bytes)
{
    copy(gpu, to, from, bytes);
}

void gpu_download(struct gpu *gpu, void *to, const void *from, size_t bytes)
{
    copy(gpu, to, from, bytes);
}

void gpu_launch(struct gpu *gpu, enum gpu_kernel kernel, void *arguments, size_t results)
{
    void *parameters[] = {arguments};
    size_t blocks = (results + THREADS - 1) / THREADS,
           most = (size_t)gpu->multiprocessors * BLOCKS_PER_MULTIPROCESSOR;
    if (!well(gpu) || results == 0)
        return;
    blocks = blocks < most || most == 0 ? blocks : most;
    note(gpu,
         gpu->api.launch(gpu->kernels[kernel], (unsigned)blocks, 1, 1, THREADS, 1, 1, 0, gpu->stream,
                         parameters, NULL),
         "to start a kernel");
}

void gpu_product(struct gpu *gpu, int transpose_a, int transpose_b, int m, int n, int k, const real *a,
                 int row_a, const real *b, int row_b, real beta, real *c, int row_c)
{
    const real one = 1;
    if (well(gpu))
        note(gpu,
             gpu->api.gemm(gpu->blas, transpose_b ? GPU_BLAS_T : GPU_BLAS_N,
                           transpose_a ? GPU_BLAS_T : GPU_BLAS_N, n, m, k, &one, b, row_b, a, row_a, &beta, c,
                           row_c),
             "in cuBLAS");
}

void gpu_mark(struct gpu *gpu, int mark)
{
    if (well(gpu))
        note(gpu, gpu->api.event_record(gpu->marks[mark], gpu->stream), "to record an event");
}

int gpu_passed(struct gpu *gpu, int mark)
{
    gpu_result result = well(gpu) ? gpu->api.event_query(gpu->marks[mark]) : 0;
    if (result == GPU_NOT_READY)
        return 0;
    note(gpu, result, "in a kernel");
    return 1;
}

void gpu_wait(struct gpu *gpu, int mark)
{
    if (well(gpu))
        note(gpu, gpu->api.event_wait(gpu->marks[mark]), "in a kernel");
}

int gpu_finish(struct gpu *gpu, struct failure *failure)
{
    if (well(gpu))
        note(gpu, gpu->api.stream_wait(gpu->stream), "in a kernel");
    if (well(gpu))
        return 0;
    *failure = gpu->failure;
    return -1;
}
