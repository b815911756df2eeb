#define TILE_KERNELS tile_kernels_sse42
#define PRECEPTOR_LANES 4
#include "tile_kernels.inl"
