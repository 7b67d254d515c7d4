/* layer_loss.c: softmax and cross-entropy in one, because together their
 * gradient is just (probability - wanted). The largest score is taken off first,
 * so that exp cannot overflow.
 */
#include "layer.h"

#include <math.h>

static int index_of_largest(const real *scores, int classes)
{
    int best = 0;
    for (int c = 1; c < classes; c++)
        if (scores[c] > scores[best])
            best = c;
    return best;
}

double layer_loss(const real *scores, const unsigned char *labels, int n, int classes, real scale,
                  real *delta)
{
    double loss = 0;
    for (int s = 0; s < n; s++, scores += classes, delta += classes) {
        real largest = scores[index_of_largest(scores, classes)], sum = 0;
        for (int c = 0; c < classes; c++) {
#ifdef TRAIN_DOUBLE
            delta[c] = exp(scores[c] - largest);
#else
            delta[c] = expf(scores[c] - largest);
#endif
            sum += delta[c];
        }
        loss += log((double)sum) - (double)(scores[labels[s]] - largest);
        for (int c = 0; c < classes; c++)
            delta[c] *= scale / sum;
        delta[labels[s]] -= scale;
    }
    return loss * (double)scale;
}

int layer_correct(const real *scores, const unsigned char *labels, int n, int classes)
{
    int correct = 0;
    for (int s = 0; s < n; s++, scores += classes)
        correct += index_of_largest(scores, classes) == labels[s];
    return correct;
}
