#define TILE_KERNELS tile_kernels_avx512
#include "tile_kernels.inl"
