// Which of the compiled instruction sets is in use. Kernels are compiled for each and chosen when a plan is made.
#pragma once

#include <string>

namespace preceptor {

enum class Isa : int { sse42 = 0, avx2 = 1, avx512 = 2 };

Isa isa();                                // the widest that this processor has, unless limited
void limit_isa(const std::string& name);  // for tests: nothing wider than this; as does the variable PRECEPTOR_ISA
std::string isa_name();

}  // namespace preceptor
