#define TILE_KERNELS tile_kernels_avx2
#define PRECEPTOR_LANES 8
#include "tile_kernels.inl"
