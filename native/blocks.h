// How work is cut into blocks.
#pragma once

#include <cstdint>

namespace preceptor {

constexpr int64_t parallel_work = 1 << 20;  // multiplications: some 15 us of one core, where a fork costs 2 to 5

// Numbers (32 MiB) of a result: no cache holds more until they are read. They are written past the caches, which spares that
// memory is first read.
constexpr int64_t past_caches = 1 << 23;

constexpr int64_t rows_at_once = 6;  // of a product, in registers; see multiply.inl

inline int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t round_up(int64_t a, int64_t b) { return divide_up(a, b) * b; }

}  // namespace preceptor
