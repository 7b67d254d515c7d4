/* model.h: a network as a list of layers, and its passes.
 *
 * The weights are not part of a model: they are one array of model.parameters
 * reals that the caller owns, because what lies in one piece is reduced, saved
 * and updated in one go. A model holds the shapes and the room for a batch.
 */
#ifndef TRAIN_MODEL_H
#define TRAIN_MODEL_H

#include <stdint.h>

#include "failure.h"
#include "layer.h"

enum { MODEL_LAYERS = 12, MODEL_CLASSES = 10 };

struct model {
    const char *name;
    struct layer layers[MODEL_LAYERS];
    int count;         /* of layers */
    int batch;         /* the most samples one pass can take */
    size_t parameters; /* of all layers, in reals */
    size_t bytes;      /* of memory */
    real *activations[MODEL_LAYERS + 1];
    real *deltas[2];       /* each as large as the largest activation */
    unsigned char *labels; /* [batch], for whoever fills the input */
    struct gpu *gpu;       /* where it computes; NULL: on the CPU */
    void *memory;          /* of all that, on the GPU when there is one */
};

/* Fills *m with the network called `name` ("lenet" or "mlp") for images of
 * height x width and passes of up to `batch` samples. With a gpu it computes
 * there: all arrays of the functions below, but model_initialise's, are then the
 * device's, and what has been started need not be done at return. On failure nothing is held. */
int model_create(struct model *m, const char *name, int height, int width, int batch, struct gpu *gpu,
                 struct failure *failure);
void model_destroy(struct model *m);

/* `weights`, on the host, from the seed alone. */
void model_initialise(const struct model *m, real *weights, uint64_t seed);

/* Where the caller puts n images before model_forward: [n][height * width]. */
real *model_input(struct model *m);
/* Returns the scores, [n][MODEL_CLASSES], valid until the next pass. */
const real *model_forward(struct model *m, const real *weights, int n);

/* Where the caller puts the scores' gradient before model_backward, and room for two reals a
 * sample that nobody needs between the passes. */
real *model_delta(struct model *m);
real *model_room(struct model *m);

/* Writes the gradient of every layer, from the last to the first, and calls
 * ready(context, i) as soon as layer i's is complete (and for the layers without
 * weights too), before anything else is computed. */
void model_backward(struct model *m, const real *weights, real *gradients, int n,
                    void (*ready)(void *context, int layer), void *context);

#endif
