/* Encodings of values: fp16 and int8, beside plain floats.
 *
 * int8 is linear between -127 and 127 times a scale that the sender chose for the whole operation from its
 * largest value. Both lose: what was lost is added to the worker's next update of the same key (F. Seide et
 * al., "1-bit stochastic gradient descent", 2014), so that it arrives later instead of never.
 */
#include "filter.h"

#include <math.h>
#include <string.h>

uint16_t pl_ps_half(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude >= 0x47800000) /* too large, infinite or no number */
        return (uint16_t)(sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00));
    if (magnitude < 0x38800000) { /* subnormal as a half: counted in units of 2^-24 */
        float steps = fabsf(value) * 16777216.0f;
        return (uint16_t)(sign | (uint32_t)lrintf(steps));
    }
    uint32_t rounded = magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1);
    return (uint16_t)(sign | rounded >> 13);
}

float pl_ps_unhalf(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, mantissa = half & 1023;
    float value;
    if (exponent == 0) {
        value = (float)mantissa / 16777216.0f;
        return sign ? -value : value;
    }
    uint32_t bits = sign | (exponent == 31 ? 0x7f800000 : (exponent + 112) << 23) | mantissa << 13;
    memcpy(&value, &bits, sizeof value);
    return value;
}

const float *pl_ps_decode(int encoding, const unsigned char *values, size_t n, float scale, float *scratch)
{
    if (encoding == PL_PS_FLOAT32)
        return (const float *)values;
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        if (encoding == PL_PS_INTEGER8) {
            scratch[i] = (float)(signed char)values[i] * scale;
        } else {
            memcpy(&half, values + 2 * i, sizeof half);
            scratch[i] = pl_ps_unhalf(half);
        }
    }
    return scratch;
}

void pl_ps_encode(int encoding, const float *values, size_t n, float scale, unsigned char *bytes)
{
    if (encoding == PL_PS_FLOAT32) {
        memcpy(bytes, values, n * sizeof *values);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (encoding == PL_PS_INTEGER8) {
            float steps = scale > 0 ? rintf(values[i] / scale) : 0;
            bytes[i] = (unsigned char)(signed char)(steps > 127 ? 127 : steps < -127 ? -127 : steps);
        } else {
            uint16_t half = pl_ps_half(values[i]);
            memcpy(bytes + 2 * i, &half, sizeof half);
        }
    }
}
