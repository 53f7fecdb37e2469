// INGOT_HOST_DEVICE: functions that kernels on a GPU call too.
#pragma once

#if defined(__CUDACC__)
#define INGOT_HOST_DEVICE __host__ __device__
#else
#define INGOT_HOST_DEVICE
#endif
