/* The compiled kernels, in the format that the driver loads. */
#ifndef PL_CUDA_IMAGE_H
#define PL_CUDA_IMAGE_H

/* A fatbin (sm_80, sm_90 and PTX), or a text that no driver takes, where Peal was built without nvcc. */
extern const unsigned char pl_cuda_image[];

#endif
