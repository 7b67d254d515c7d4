/* gpu_image.h: the compiled kernels, in the format that the driver loads. */
#ifndef TRAIN_GPU_IMAGE_H
#define TRAIN_GPU_IMAGE_H

/* A fatbin (sm_80, sm_90 and PTX), or a text that no driver takes, where there was no nvcc. */
extern const unsigned char gpu_image[];
/* 1: a fatbin. */
extern const int gpu_image_built;

#endif
