#define PRECEPTOR_ISA avx2
#define PRECEPTOR_LANES 8
#include "kernels.inl"
