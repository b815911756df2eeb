// Programs of tile operations, as the words describe them and as they run.
#pragma once

#include <array>
#include <deque>

#include "instruction.h"
#include "tile_step.h"

namespace preceptor {

struct TileSlot {
    bool in_memory;
    Level level;
    Type type;
    bool same_rows;  // a column vector
    int memory;      // its place among the slots in memory
    int writes;      // how many operations write it
    bool number_per_row() const { return level == ROW || one_column; }
    bool one_column;  // a row vector: level full, one number for each row
};

struct TileOperation {
    Operation code;
    Level level;
    int destination;
    std::array<int, 3> operands;
    int32_t immediate;  // bits
};

struct TileReduction {
    int slot;
    int combine;  // 0 sum, 1 largest
    bool over_all;
};

struct TileProgram {
    std::vector<TileSlot> slots;
    std::vector<TileOperation> operations;
    std::vector<TileReduction> reductions;
    int memory_slots = 0;

    explicit TileProgram(Words& words);
    bool columns_first(
        const struct TileGeometry& geometry) const;  // tiles follow each other along a row, else down a column
};

struct TileGeometry {
    int64_t rows, columns, tile_rows, tile_columns;
    int window_height, window_width, image_width;

    explicit TileGeometry(Words& words);
    int64_t row_tiles() const { return columns ? (rows + tile_rows - 1) / tile_rows : 0; }
    int64_t column_tiles() const { return (columns + tile_columns - 1) / tile_columns; }
    int64_t numbers(Level level) const;  // of a whole tile
};

struct MemoryWords {
    Ref ref;
    int64_t div, mod, stride;  // in numbers
};

// What a program has become for one shape; instances of the same shape share it.
struct TileCode {
    struct Offset {
        int32_t slot;
        int64_t bytes;
        bool operator==(const Offset& other) const { return slot == other.slot && bytes == other.bytes; }
    };
    struct Constant {
        int32_t slot;
        int32_t value;
        bool operator==(const Constant& other) const { return slot == other.slot && value == other.value; }
    };
    struct Accumulator {
        int32_t slot;
        Level level;
        int combine;
        bool over_all;
        bool one_row;  // summed to a single row already
    };

    std::vector<Step> before;    // once a run: what is one number for all tiles
    std::vector<Step> setup;     // once a run and thread: what is the same in all tiles
    std::vector<Step> body;      // for each tile
    std::vector<Step> after;     // once a run: numbers of level one on their way to memory
    std::vector<Offset> own;     // slots in the scratch of a thread
    std::vector<Offset> shared;  // slots of level one, in scratch that all threads see
    std::vector<Constant> constants;
    std::vector<Accumulator> accumulators;
    std::deque<RowAddress> addresses;
    int32_t slots = 0;  // all of them: the program's, then those for conversions and copies
    int64_t own_bytes = 0, shared_bytes = 0;
    double cost = 0;       // of a tile, in additions
    bool streams = false;  // something is written past the caches

    bool same(const TileCode& other) const;
};

// Where a memory slot lies, tile by tile.
struct MemoryPointer {
    int32_t slot;
    Ref ref;
    int64_t row_tile_bytes, column_tile_bytes;  // from a tile to the next below, beside
};

struct TileInstance {
    TileGeometry geometry;
    std::vector<MemoryWords> memory;
    std::vector<Ref> results;
    std::vector<MemoryPointer> pointers;
    const TileCode* code = nullptr;

    TileInstance(const TileProgram& program, Words& words);
};

// Fills in the pointers of the instance. `room`: numbers that a slot of each level needs, in the largest instance.
TileCode compile(const TileProgram& program, const Kernels& kernels, const std::array<int64_t, 4>& room,
                 TileInstance& instance);

}  // namespace preceptor
