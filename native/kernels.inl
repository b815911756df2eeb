// Included by kernels_*.cpp with PRECEPTOR_ISA and PRECEPTOR_LANES set. No header with inline functions or templates
// may be included here: the linker would keep one copy of them for all, perhaps one that this machine cannot run.
#include <immintrin.h>

#include <cstring>

#include "kernels.h"

namespace preceptor::PRECEPTOR_ISA {

namespace {

#define PRECEPTOR_TEXT_OF(x) #x
#define PRECEPTOR_TEXT(x) PRECEPTOR_TEXT_OF(x)
constexpr const char* name = PRECEPTOR_TEXT(PRECEPTOR_ISA);

constexpr int lanes = PRECEPTOR_LANES;
#include "vector.inl"
#include "multiply.inl"
#include "pack.inl"
#include "dots.inl"
#include "winograd.inl"
#include "rows.inl"

}  // namespace

extern const Kernels kernels = {
    name,
    panel,
    multiply_strip<false>,
    multiply_dots,
    multiply_strip<true>,
    pack,
    widen,
    add,
    add_rows,
    mix_rows,
    rectify,
    limit,
    transpose,
    winograd_windows<Stored::numbers>,
    winograd_apart,
    {winograd_apart_input<0>, winograd_apart_input<1>},
    encrypt,
    sum_rows,
    max_rows,
    share_of_winners,
    sum_of_shares,
    mean_of_winners,
};

}  // namespace preceptor::PRECEPTOR_ISA
