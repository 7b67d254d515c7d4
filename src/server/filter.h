/* How values travel: encodings. */
#ifndef PL_PS_FILTER_H
#define PL_PS_FILTER_H

#include "wire.h"

/* The floats behind `n` encoded ones: where they are if they are floats, else in `scratch`. */
const float *pl_ps_decode(int encoding, const unsigned char *values, size_t n, float scale, float *scratch);
/* The other way, to `bytes`. With INTEGER8 a value of 127 scale is the largest. */
void pl_ps_encode(int encoding, const float *values, size_t n, float scale, unsigned char *bytes);

/* IEEE half precision, rounded to nearest even. */
uint16_t pl_ps_half(float value);
float pl_ps_unhalf(uint16_t half);

#endif
