/* failure.h: why something the user asked for cannot be done.
 *
 * A function that can fail takes a struct failure and returns 0, or -1 with
 * the reason in text. An empty text means that all is well, so that ranks can
 * compare notes by passing the struct around (see agree.h).
 */
#ifndef TRAIN_FAILURE_H
#define TRAIN_FAILURE_H

struct failure {
    char text[1024];
};

/* Writes the reason. */
void failure_set(struct failure *failure, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes the reason and is -1; a macro, so that the compiler sees that it is not 0. */
#define fail(...) (failure_set(__VA_ARGS__), -1)

#endif
