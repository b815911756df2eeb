#define PRECEPTOR_ISA sse42
#define PRECEPTOR_LANES 4
#include "kernels.inl"
