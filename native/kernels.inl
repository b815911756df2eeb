// Included by kernels_*.cpp with PRECEPTOR_ISA and PRECEPTOR_LANES set. No header with inline functions or templates may
// be included here: the linker would keep one copy of them for all, perhaps the one that this machine cannot run.
#include <cstring>

#include "kernels.h"

namespace preceptor::PRECEPTOR_ISA {

namespace {

#define PRECEPTOR_TEXT_OF(x) #x
#define PRECEPTOR_TEXT(x) PRECEPTOR_TEXT_OF(x)
constexpr const char* name = PRECEPTOR_TEXT(PRECEPTOR_ISA);

constexpr int lanes = PRECEPTOR_LANES;
typedef float Vector __attribute__((vector_size(4 * lanes)));
typedef float Unaligned __attribute__((vector_size(4 * lanes), aligned(4), may_alias));

inline Vector load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }
inline void store(Vector value, float* to) { *reinterpret_cast<Unaligned*>(to) = value; }

#include "multiply.inl"
#include "rows.inl"

}  // namespace

extern const Kernels kernels = {
    name,
    panel,
    multiply,
    pack,
    widen,
    add,
    encrypt,
    maximum,
    count_equal,
    divide,
    add_where_equal,
};

}  // namespace preceptor::PRECEPTOR_ISA
