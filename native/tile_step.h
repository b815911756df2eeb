// What a tile program has become when it runs: steps, each a call of a kernel on pointers that stand in a table.
// Kernels are compiled once for each instruction set: nothing here may need a function shared between them.
#pragma once

#include <cstdint>

#include "tile_operations.h"

namespace preceptor {

// Scratch has room for whole groups of this many numbers, so that kernels on scratch alone need no loop for the rest.
constexpr int64_t GROUP = 16;

enum Level : int { FULL = 0, ROW = 1, POOL = 2, ONE = 3 };
constexpr int ROUNDED = 4;  // added to a level: its number of numbers, rounded up to whole groups

// What is the same for all rows is kept for a few rows only, so that it takes little of the cache: for at least
// PERIOD_NUMBERS, which is long enough for a loop. Operands that are repeated so are marked by their sign.
constexpr int PERIOD = 8;  // the count of such numbers
constexpr int COUNTS = 9;
constexpr int64_t PERIOD_NUMBERS = 256;
constexpr int REPEATED = 8;

// The tile that is being worked on.
struct Frame {
    char** slots;            // where each slot lies
    int64_t counts[COUNTS];  // numbers of each level, the same rounded up, and of a period
    int64_t row, column;     // the first of the tile
    int64_t rows, columns;   // how many it has
    bool first;              // of a chunk: reductions begin anew
    int window_height, window_width, image_width;
};

// Row r of a memory slot lies (r / div % mod) * stride bytes from its start.
struct RowAddress {
    int64_t div, mod, stride;
};

struct Step;
using StepFunction = void (*)(const Frame&, const Step&);

constexpr int MOST_OPERANDS = 11;
constexpr int32_t NONE = -1;
#define repeated_slot(operand) (-2 - (operand))  // both ways; no function, see above

struct Step {
    StepFunction function;
    int32_t destination;              // slots
    int32_t operands[MOST_OPERANDS];  // NONE, or marked as repeated
    int32_t count;                    // which of the frame's counts
    int32_t immediate;
    const RowAddress* address;
};

// Two steps in one: `outer`, whose operand number `operand` is computed by `inner` on the way; the operands of `inner`
// take its place. What lies between two operations need not even be written to the cache.
struct Fusion {
    StepFunction outer;
    int operand;
    StepFunction inner, fused;
    bool cheap;         // so that `inner` may be computed by each of several readers
    unsigned repeated;  // bit i set where operand i of `inner` must be one that is repeated, and no other; 0 for any
};

// Two sums over rows in one step: of numbers, and of terms that these are a factor of.
struct Pair {
    StepFunction first, second, both;
    int operands;  // of the second
};

constexpr int TYPES = 9;  // of enum class Type
constexpr int MOST_FUSIONS = 80;

struct Kernels {
    // Second index: bit i set where operand i is one number for all, and REPEATED where some are marked as repeated.
    StepFunction operation[static_cast<int>(Operation::count)][2 * REPEATED];
    StepFunction load[TYPES], store[TYPES];                  // all numbers of a level, contiguous in memory
    StepFunction load_rows[TYPES], store_rows[TYPES];        // rows of a tile that lie apart
    StepFunction load_numbers[TYPES], store_numbers[TYPES];  // a number for each row
    StepFunction locate;                                     // where the only row of a tile lies
    StepFunction fill;                                       // one number to all of a level
    StepFunction expand;                                     // a number for each row to all of its columns
    StepFunction repeat_row, repeat_period;                  // one row to a period, a period to all rows
    StepFunction accumulate[2];                              // sum, largest
    StepFunction sum_over_rows;                              // to one row; columns are whole groups
    StepFunction stream;                                     // from scratch to memory, past the caches
    Fusion fusions[MOST_FUSIONS];
    int fusion_count;
    Pair pairs[3];
    // values[0 .. width) = fold of `count` values, the i-th of which is values[i * width ..], in a fixed tree
    void (*fold[2])(float* values, int64_t count, int64_t width);
};

const Kernels& tile_kernels_sse42();
const Kernels& tile_kernels_avx2();
const Kernels& tile_kernels_avx512();

}  // namespace preceptor
