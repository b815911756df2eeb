#define PRECEPTOR_ISA avx512
#define PRECEPTOR_LANES 16
#include "kernels.inl"
