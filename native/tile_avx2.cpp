#define TILE_KERNELS tile_kernels_avx2
#include "tile_kernels.inl"
