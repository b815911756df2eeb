// See kernels.inl.
#include <immintrin.h>

#include <cstring>

#include "kernels.h"

namespace preceptor::avx512bf16 {

namespace {

#define PRECEPTOR_LANES 16
#define PRECEPTOR_HALVES 1
constexpr int lanes = PRECEPTOR_LANES;
#include "vector.inl"
#include "multiply.inl"
#include "winograd.inl"

}  // namespace

extern const HalfKernels kernels = {
    multiply_strip<false>,
    winograd_windows<Stored::channels>,
    winograd_windows<Stored::pairs>,
};

}  // namespace preceptor::avx512bf16
