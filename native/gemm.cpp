#include "gemm.h"

#include <emmintrin.h>

#include <algorithm>
#include <cstring>

#include "blocks.h"
#include "threads.h"

namespace preceptor {

namespace {

// Sizes of blocks, measured on Zen 3. Where rows of the left factor are contiguous long blocks win, for sums go through
// memory once in each: a panel (64 KiB with AVX2) comes from the second cache. Else it is packed: in large blocks, for
// that is as much work as twenty multiplications a number; and 256 of a strip of rows stay in the first cache with as
// much of a panel.
constexpr int64_t block_rows = 288, packed_rows = 576;
constexpr int64_t block_depth = 1024, packed_depth = 256;
constexpr int64_t task_panels = 8, packed_panels = 64;
constexpr int64_t row_padding = 16;  // rows a power of two apart would share few places of a cache
constexpr int64_t sharing_rows = 1024;    // numbers: rows a multiple of this apart do
constexpr int64_t spread_most = 1 << 22;  // numbers (16 MiB) of a left factor that is copied for it
constexpr int64_t run_length = 16;   // numbers of a row between two requests to memory

constexpr int64_t strip_columns = 4;  // of a strip that are packed at a time

constexpr int64_t small_factor = 4096;      // numbers: a factor of so few is read where it lies
constexpr int64_t task_work = 1 << 22;      // multiplications, some 60 us
constexpr int64_t least_rows = 24;           // of a task, that packing pays
constexpr int64_t dot_depth = 2048, least_dot = 512;  // terms of a dot product
constexpr int64_t narrow = 8, narrow_dot = 32;        // columns and terms of one that is shorter
constexpr int64_t few_rows = 32;            // of the left factor: fetching the right one takes as long as computing

}  // namespace

Gemm::Gemm(int64_t batch, int64_t m, int64_t n, int64_t k, Strides a, Strides b, Strides c, int64_t bias_batch)
    : kernels_(kernels()),
      batch_(batch),
      m_(m),
      n_(n),
      k_(k),
      a_(a),
      b_(b),
      c_(c),
      bias_batch_(bias_batch),
      given_row_(a.row) {
    spread_a_ = batch == 1 && a.column == 1 && a.row % sharing_rows == 0 && m >= least_rows && n > 8 * kernels_.panel &&
                m * k <= spread_most;
    if (spread_a_) a_.row = k + row_padding;
    pack_a_ = a.column != 1 && (a.row != 1 || (n > 2 * kernels_.panel && m * k > small_factor));
    const int64_t most_rows = pack_a_ ? packed_rows : block_rows;
    rows_ = m <= most_rows ? m : round_up(divide_up(m, divide_up(m, most_rows)), rows_at_once);  // blocks of one size
    const bool is_narrow = n <= narrow && k >= narrow_dot;  // most of a panel would be empty
    dots_ = a.column == 1 && b.row == 1 && b.column != 1 && m <= few_rows && (k >= least_dot || is_narrow);
    const int64_t most_depth = dots_ ? dot_depth : a.column == 1 && m > few_rows ? block_depth : packed_depth;
    const int64_t blocks = std::max<int64_t>(divide_up(k, most_depth), 1);
    depth_ = std::max(round_up(divide_up(k, blocks), run_length), run_length);  // blocks of one size: none is short
    pack_b_ = !dots_ && (b.column != 1 || (m > 12 && k * b.row > small_factor));
    fetch_ahead_ = pack_b_ && m <= few_rows && k > packed_depth && k * n > small_factor;
    panels_ = std::min(pack_a_ ? packed_panels : task_panels, divide_up(n, kernels_.panel));
    small_ = batch * m * n * k < parallel_work && m <= rows_ && n <= panels_ * kernels_.panel;
    const bool strips = pack_a_ && a.row == 1;
    const int64_t row_step = pack_a_ ? depth_ + row_padding : a_.row, column_step = pack_a_ ? 1 : a.column;
    for (int64_t i = 0; i < rows_; ++i) {
        row_offsets_.push_back(strips ? i / rows_at_once * rows_at_once * row_step + i % rows_at_once : i * row_step);
    }
    for (int64_t i = 0; i < depth_; ++i) column_offsets_.push_back(i * (strips ? rows_at_once : column_step));
}

size_t Gemm::spread_bytes() const {
    return spread_a_ ? static_cast<size_t>(m_ * (k_ + row_padding)) * sizeof(float) / 64 * 64 + 64 : 0;
}

// Of a packed block of the left factor.
int64_t Gemm::left_count() const { return pack_a_ ? round_up(rows_, rows_at_once) * (depth_ + row_padding) : 0; }

size_t Gemm::scratch_bytes(int threads) const {
    const int64_t left = left_count();
    const int64_t right = pack_b_ ? depth_ * kernels_.panel * panels_ : 0;
    const size_t each = static_cast<size_t>(left + right + 32) * sizeof(float) / 64 * 64;
    return spread_bytes() + each * static_cast<size_t>(threads);
}

void Gemm::run(const float* a, const float* b, float* c, const float* bias, bool relu, int threads,
               char* scratch) const {
    if (batch_ * m_ * n_ == 0) return;
    constexpr int64_t line = 16;
    const bool past = batch_ * m_ * n_ > past_caches && k_ <= depth_ && !dots_ && c_.row % line == 0 &&
                      c_.batch % line == 0 && reinterpret_cast<uintptr_t>(c) % (line * sizeof(float)) == 0;
    const auto given = [&](int64_t i) {
        const float* own_bias = bias ? bias + i * bias_batch_ : nullptr;
        return Arguments{a + i * a_.batch, b + i * b_.batch, c + i * c_.batch, own_bias, relu, past};
    };
    if (small_) {  // nothing to divide
        for (int64_t i = 0; i < batch_; ++i) {
            run_block(given(i), {0, m_, 0, n_}, reinterpret_cast<float*>(scratch));
        }
        return;
    }
    const int64_t panels = divide_up(n_, kernels_.panel);
    if (batch_ * m_ * n_ * k_ < parallel_work) threads = 1;
    int64_t row_tasks = divide_up(m_, rows_), column_tasks = divide_up(panels, panels_);
    // Few tasks are cut further, the longer side first, until the threads share them evenly and, where there is work
    // enough, each has several: one that is held up takes fewer.
    const int64_t several = std::clamp<int64_t>(batch_ * m_ * n_ * k_ / task_work, threads, 4 * threads);
    const auto cut = [&](int64_t& cuts, int64_t most) {
        for (; cuts < most; ++cuts) {
            const int64_t count = batch_ * row_tasks * column_tasks;
            if (count >= 4 * threads || (count >= several && count % threads == 0)) break;
        }
    };
    if (n_ >= m_) cut(column_tasks, panels);
    cut(row_tasks, divide_up(m_, least_rows));
    if (n_ < m_) cut(column_tasks, panels);
    const int64_t rows = round_up(divide_up(m_, row_tasks), rows_at_once), width = divide_up(panels, column_tasks);
    row_tasks = divide_up(m_, rows);
    column_tasks = divide_up(panels, width);
    const int64_t tasks = batch_ * row_tasks * column_tasks;
    if (spread_a_) {
        auto* const copy = reinterpret_cast<float*>(scratch);
        on_threads(threads, [&](int part) {
            const auto some = Range::part(m_, part, threads);
            for (int64_t i = some.begin; i < some.end; ++i) {
                std::copy(a + i * given_row_, a + i * given_row_ + k_, copy + i * a_.row);
            }
        });
        a = copy;
        scratch += spread_bytes();
    }
    const size_t scratch_each = scratch_bytes(1) - spread_bytes();
    for_each_index(tasks, threads, [&](int64_t index, int thread) {
        const int64_t column = index % column_tasks * width * kernels_.panel;
        const int64_t row = index / column_tasks % row_tasks * rows;
        const int64_t item = index / column_tasks / row_tasks;
        const Block block{row, std::min(rows, m_ - row), column, std::min(width * kernels_.panel, n_ - column)};
        run_block(given(item), block, reinterpret_cast<float*>(scratch + scratch_each * static_cast<size_t>(thread)));
    });
}

const float* Gemm::packed_left(const float* a, int64_t rows, int64_t depth, float* packed) const {
    if (!pack_a_) return a;
    if (a_.row == 1) {  // strips of six rows, in which the six numbers of a column lie side by side
        for (int64_t begin = 0; begin < depth; begin += strip_columns) {
            const int64_t end = std::min(begin + strip_columns, depth);
            for (int64_t row = 0; row < rows; row += rows_at_once) {
                const auto bytes = static_cast<size_t>(std::min(rows_at_once, rows - row)) * sizeof(float);
                float* const strip = packed + row * (depth_ + row_padding);
                for (int64_t i = begin; i < end; ++i) {
                    const float* const from = a + i * a_.column + row;
                    if (bytes == rows_at_once * sizeof(float)) {  // a length known here is two moves
                        std::memcpy(strip + i * rows_at_once, from, rows_at_once * sizeof(float));
                    } else {
                        std::memcpy(strip + i * rows_at_once, from, bytes);
                    }
                }
            }
        }
        return packed;
    }
    for (int64_t i = 0; i < rows; ++i) {
        const float* from = a + i * a_.row;
        float* to = packed + i * (depth_ + row_padding);
        if (a_.column == 1) {
            std::memcpy(to, from, static_cast<size_t>(depth) * sizeof(float));
        } else {
            for (int64_t j = 0; j < depth; ++j) to[j] = from[j * a_.column];
        }
    }
    return packed;
}

// Some rows of all panels before the next rows: so memory is read in longer pieces.
void Gemm::pack_right(const float* b, int64_t columns, int64_t depth, float* packed) const {
    const int64_t rows = b_.column == 1 ? 16 : depth;
    for (int64_t k = 0; k < depth; k += rows) {
        for (int64_t j = 0; j < columns; j += kernels_.panel) {
            kernels_.pack(b + k * b_.row + j * b_.column, b_.row, b_.column, std::min(rows, depth - k),
                          std::min<int64_t>(kernels_.panel, columns - j), packed + j * depth + k * kernels_.panel);
        }
    }
}

void Gemm::run_block(const Arguments& given, const Block& block, float* scratch) const {
    const int64_t panel = kernels_.panel;
    float* const packed_b = scratch + left_count();
    Strip strip{};
    strip.rows = block.rows;
    strip.row_offsets = row_offsets_.data();
    strip.column_offsets = column_offsets_.data();
    strip.b_step = pack_b_ ? panel : dots_ ? b_.column : b_.row;
    strip.past_caches = given.past_caches;
    strip.c_step = c_.row;
    for (int64_t k = 0; k == 0 || k < k_; k += depth_) {
        const int64_t depth = std::min(depth_, k_ - k);
        const bool last = k + depth == k_;
        const bool fetch = fetch_ahead_ && !last && depth % run_length == 0;
        const float* b = given.b + k * b_.row + block.column * b_.column;
        strip.a = packed_left(given.a + block.row * a_.row + k * a_.column, block.rows, depth, scratch);
        if (pack_b_) pack_right(b, block.columns, depth, packed_b);
        strip.runs = fetch ? depth / run_length : 1;
        strip.length = fetch ? run_length : depth;
        strip.accumulate = k > 0;
        strip.relu = last && given.relu;
        for (int64_t j = 0; j < block.columns; j += panel) {
            strip.columns = std::min(panel, block.columns - j);
            strip.b = pack_b_ ? packed_b + j * depth : b + j * b_.column;
            strip.c = given.c + block.row * c_.row + block.column + j;
            strip.bias = last && given.bias ? given.bias + block.column + j : nullptr;
            if (fetch) {  // the same panel of the next block: 16 rows, or 16 columns, for each run
                strip.ahead = b + depth * b_.row + j * b_.column;
                strip.ahead_step = b_.column == 1 ? b_.row : b_.column;
                strip.ahead_run = run_length * b_.row;
            }
            (dots_ ? kernels_.multiply_dots : kernels_.multiply)(strip);
        }
        strip.ahead = nullptr;
    }
    if (given.past_caches) _mm_sfence();
}

}  // namespace preceptor
