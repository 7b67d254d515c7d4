/* real.h: the number that the network computes with.
 *
 * float in peal-train. The layers' tests compile the same sources with
 * -DTRAIN_DOUBLE, because a gradient can be checked against finite differences
 * to nine digits in double, where float leaves three and hides small mistakes.
 */
#ifndef TRAIN_REAL_H
#define TRAIN_REAL_H

#ifdef TRAIN_DOUBLE
typedef double real;
#define train_gemm cblas_dgemm
#else
typedef float real;
#define train_gemm cblas_sgemm
#endif

#endif
