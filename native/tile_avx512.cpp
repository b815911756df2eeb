#define TILE_KERNELS tile_kernels_avx512
#define PRECEPTOR_LANES 16
#include "tile_kernels.inl"
