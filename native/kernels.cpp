#include "kernels.h"

#include "isa.h"

namespace preceptor {

const Kernels& kernels() {
    switch (isa()) {
        case Isa::avx512: return avx512::kernels;
        case Isa::avx2: return avx2::kernels;
        default: return sse42::kernels;
    }
}

const HalfKernels* half_kernels() {
#ifdef PRECEPTOR_AVX512BF16  // which older compilers do not know
    if (isa() == Isa::avx512 && __builtin_cpu_supports("avx512bf16")) return &avx512bf16::kernels;
#endif
    return nullptr;
}

}  // namespace preceptor
