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

}  // namespace preceptor
