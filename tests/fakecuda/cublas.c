/* A stand-in for libcublas on the double of the driver: matrix products are kernels of the double, so they
 * happen when the stream is waited for, as all else. Computed by plain loops in the order of k: nothing of
 * a BLAS's own blocking, so what is compared with OpenBLAS is compared with something else. */
#include "fakecuda.h"

#include <stdlib.h>

struct cublasContext {
    pl_cu_stream stream;
};

int cublasCreate_v2(struct cublasContext **handle);
int cublasDestroy_v2(struct cublasContext *handle);
int cublasSetStream_v2(struct cublasContext *handle, pl_cu_stream stream);

int cublasCreate_v2(struct cublasContext **handle)
{
    *handle = calloc(1, sizeof **handle);
    return *handle ? 0 : 3; /* CUBLAS_STATUS_ALLOC_FAILED */
}

int cublasDestroy_v2(struct cublasContext *handle)
{
    free(handle);
    return 0;
}

int cublasSetStream_v2(struct cublasContext *handle, pl_cu_stream stream)
{
    handle->stream = stream;
    return 0;
}

#define GEMM(type, entry, kernel)                                                                            \
    struct kernel {                                                                                          \
        const type *a, *b;                                                                                   \
        type *c;                                                                                             \
        int transpose_a, transpose_b, m, n, k, lda, ldb, ldc;                                                \
        type alpha, beta;                                                                                    \
    };                                                                                                       \
                                                                                                             \
    static void run_##kernel(const void *arguments)                                                          \
    {                                                                                                        \
        const struct kernel *g = arguments;                                                                  \
        size_t a_row = g->transpose_a ? (size_t)g->lda : 1, a_column = g->transpose_a ? 1 : (size_t)g->lda;  \
        size_t b_row = g->transpose_b ? (size_t)g->ldb : 1, b_column = g->transpose_b ? 1 : (size_t)g->ldb;  \
        for (size_t j = 0; j < (size_t)g->n; j++) {                                                          \
            type *c = g->c + j * (size_t)g->ldc;                                                             \
            for (size_t i = 0; i < (size_t)g->m; i++)                                                        \
                c[i] = g->beta == 0 ? 0 : g->beta * c[i];                                                    \
            for (size_t l = 0; l < (size_t)g->k; l++) {                                                      \
                type factor = g->alpha * g->b[l * b_row + j * b_column];                                     \
                const type *a = g->a + l * a_column;                                                         \
                if (a_row == 1)                                                                              \
                    for (size_t i = 0; i < (size_t)g->m; i++)                                                \
                        c[i] += factor * a[i];                                                               \
                else                                                                                         \
                    for (size_t i = 0; i < (size_t)g->m; i++)                                                \
                        c[i] += factor * a[i * a_row];                                                       \
            }                                                                                                \
        }                                                                                                    \
    }                                                                                                        \
                                                                                                             \
    int entry(struct cublasContext *handle, int transpose_a, int transpose_b, int m, int n, int k,           \
              const type *alpha, const type *a, int lda, const type *b, int ldb, const type *beta, type *c,  \
              int ldc);                                                                                      \
    int entry(struct cublasContext *handle, int transpose_a, int transpose_b, int m, int n, int k,           \
              const type *alpha, const type *a, int lda, const type *b, int ldb, const type *beta, type *c,  \
              int ldc)                                                                                       \
    {                                                                                                        \
        struct kernel arguments = {                                                                          \
            a, b, c, transpose_a, transpose_b, m, n, k, lda, ldb, ldc, *alpha, *beta};                       \
        void *parameters[] = {&arguments};                                                                   \
        pl_cu_function function;                                                                             \
        if (m < 0 || n < 0 || k < 0 || lda < (transpose_a ? k : m) || ldb < (transpose_b ? n : k) ||         \
            ldc < m)                                                                                         \
            return 7; /* CUBLAS_STATUS_INVALID_VALUE */                                                      \
        if (cuModuleGetFunction(&function, NULL, #kernel) ||                                                 \
            cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, handle->stream, parameters, NULL))                 \
            return 13; /* CUBLAS_STATUS_EXECUTION_FAILED */                                                  \
        return 0;                                                                                            \
    }

GEMM(float, cublasSgemm_v2, gemm_f32)
GEMM(double, cublasDgemm_v2, gemm_f64)

__attribute__((constructor)) static void add_kernels(void)
{
    fakecuda_kernel("gemm_f32", run_gemm_f32, sizeof(struct gemm_f32), 3);
    fakecuda_kernel("gemm_f64", run_gemm_f64, sizeof(struct gemm_f64), 3);
}
