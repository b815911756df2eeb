// Loops over threads. Each thread that runs plans has a team of its own, made when it is first needed, and made anew in a
// forked child, where the threads of the parent are missing.
#pragma once

#include <cstdint>
#include <type_traits>

namespace preceptor {

// Part `part` of `parts` equal parts of 0 .. count: contiguous, in order, none missing.
struct Range {
    int64_t begin, end;

    int64_t size() const { return end - begin; }

    static Range part(int64_t count, int64_t part, int64_t parts) {
        return {count * part / parts, count * (part + 1) / parts};
    }
};

// How often this process is a forked child of the one that loaded the module: what threads left behind before is void.
int forks();

struct Work {
    int64_t count;
    int threads;
    void* function;
    void (*call)(void* function, int64_t index, int thread);
};

void run_on_team(const Work& work);

// Calls function(index, thread) for index = 0 .. count - 1 on up to `threads` threads, numbered from 0. Each takes indices
// until none is left, its own number first; nobody waits for a thread that comes late, so results must not depend on
// which thread does what. The function must not throw.
template <class Function>
void for_each_index(int64_t count, int threads, Function&& function) {
    if (threads <= 1 || count <= 1) {
        for (int64_t i = 0; i < count; ++i) function(i, 0);
        return;
    }
    using Plain = std::remove_reference_t<Function>;
    run_on_team({count, threads, const_cast<void*>(static_cast<const void*>(&function)),
                 [](void* own, int64_t index, int thread) { (*static_cast<Plain*>(own))(index, thread); }});
}

// Calls function(part) for part = 0 .. parts - 1.
template <class Function>
void on_threads(int parts, Function&& function) {
    for_each_index(parts, parts, [&](int64_t part, int) { function(static_cast<int>(part)); });
}

}  // namespace preceptor
