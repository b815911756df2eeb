#define TILE_KERNELS tile_kernels_sse42
#include "tile_kernels.inl"
