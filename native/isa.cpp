#include "isa.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <stdexcept>

namespace preceptor {

namespace {

constexpr const char* NAMES[] = {"sse42", "avx2", "avx512"};

Isa widest() {
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
        return Isa::avx512;
    }
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? Isa::avx2 : Isa::sse42;
}

Isa limited(const std::string& name) {
    for (int i = 0; i < 3; ++i) {
        if (name == NAMES[i]) return std::min(widest(), static_cast<Isa>(i));
    }
    throw std::invalid_argument("instruction set: received '" + name + "'; it must be one of sse42, avx2, avx512");
}

// One for the process: it says what the processor is, and tests narrow it.
std::atomic<Isa>& in_use() {
    static std::atomic<Isa> value([] {
        const char* name = std::getenv("PRECEPTOR_ISA");
        return name && *name ? limited(name) : widest();
    }());
    return value;
}

}  // namespace

Isa isa() { return in_use(); }
void limit_isa(const std::string& name) { in_use() = limited(name); }
std::string isa_name() { return NAMES[static_cast<int>(isa())]; }

}  // namespace preceptor
