// Loops over threads: all through OpenMP, the runtime that oneDNN uses, so that one pool of threads serves both.
#pragma once

#include <omp.h>

#include <cstdint>

namespace preceptor {

// Part `part` of `parts` equal parts of 0 .. count: contiguous, in order, none missing.
struct Range {
    int64_t begin, end;

    int64_t size() const { return end - begin; }

    static Range part(int64_t count, int64_t part, int64_t parts) {
        return {count * part / parts, count * (part + 1) / parts};
    }
};

// Calls function(part) for part = 0 .. parts - 1, each on a thread of its own. The function must not throw.
template <class Function>
void on_threads(int parts, Function&& function) {
    if (parts <= 1) {
        function(0);
        return;
    }
    #pragma omp parallel num_threads(parts)
    {
        // OpenMP may grant fewer threads than asked for: every part is done all the same.
        for (int part = omp_get_thread_num(); part < parts; part += omp_get_num_threads()) function(part);
    }
}

}  // namespace preceptor
