#include <emmintrin.h>

#include <algorithm>

#include "convolution.h"

namespace preceptor {

namespace {

constexpr int64_t padded_target = 1 << 15;  // numbers (128 KiB) of g at once, in the second cache
constexpr int64_t line_numbers = 16;        // of a line of the cache

int64_t divide_down(int64_t a, int64_t b) { return a >= 0 ? a / b : -divide_up(-a, b); }

}  // namespace

bool DepthwiseGradient::is_for(const Convolution& c, Role role) {
    return role == Role::input && is_spread(c) && c.in[0] == 1 && c.out[0] == 1 && c.size[0] == 1 && c.before[0] == 0 &&
           c.stride != Convolution::Space{1, 1, 1} && c.dilation == Convolution::Space{1, 1, 1} &&
           c.batch * c.in_space() * c.out_space() > 0;
}

DepthwiseGradient::DepthwiseGradient(const Convolution& convolution) : kernels_(kernels()), c_(convolution) {
    const int64_t all = c_.channels_in;
    panels_ = divide_up(all, kernels_.panel);
    const auto classes = [&](size_t axis) {
        std::vector<Class> found;
        const int64_t stride = c_.stride[axis], before = c_.before[axis];
        for (int64_t r = 0; r < stride; ++r) {
            const int64_t place = r - divide_down(r - before, stride) * stride - before;  // 0 .. stride - 1
            const int64_t taps = divide_up(std::max<int64_t>(c_.size[axis] - r, 0), stride);
            const int64_t places = divide_up(std::max<int64_t>(c_.in[axis] - place, 0), stride);
            found.push_back({taps, place, places, divide_down(place + before - r, stride)});
        }
        return found;
    };
    rows_ = classes(1);
    columns_ = classes(2);
    // g from the place under the last tap of a line's first place to that under the first tap of its last one.
    int64_t first = 0, end = c_.out[2];
    for (const Class& each : columns_) {
        if (!each.taps || !each.places) continue;
        first = std::min(first, each.from - each.taps + 1);
        end = std::max(end, each.from + each.places);
    }
    left_ = -first;
    line_ = (end - first) * all;
    const int64_t reach = divide_up(c_.size[1], c_.stride[1]);  // lines of g that a row needs
    height_ = std::clamp(padded_target / line_ - reach, int64_t(1), c_.out[1]) * c_.stride[1];
    height_ = std::min(height_, c_.in[1]);
    own_rows_ = divide_up(height_, c_.stride[1]) + reach;
    int64_t most = 0;
    for (const Class& each : columns_) most = std::max(most, each.places);
    for (int64_t i = 0; i < most; ++i) places_.push_back(i * all);
    int64_t taps = 0;
    for (const Class& row : rows_) {
        for (const Class& column : columns_) {
            starts_.push_back(taps * panels_ * kernels_.panel);
            taps += row.taps * column.taps;
            entries_.emplace_back();
            for (int64_t i = 0; i < row.taps; ++i) {
                for (int64_t j = 0; j < column.taps; ++j) {
                    entries_.back().push_back(-i * line_ + (column.from - j + left_) * all);
                }
            }
        }
    }
}

size_t DepthwiseGradient::scratch_bytes(int threads) const {
    const int64_t packed = c_.taps() * panels_ * kernels_.panel;
    return static_cast<size_t>(packed + round_up(own_rows_ * line_, line_numbers) * threads) * sizeof(float);
}

// For each pair of classes and each panel the numbers of its taps.
void DepthwiseGradient::pack(const float* kernel, float* packed) const {
    const int64_t panel = kernels_.panel, all = c_.channels_in;
    for (int64_t a = 0; a < c_.stride[1]; ++a) {
        for (int64_t b = 0; b < c_.stride[2]; ++b) {
            for (int64_t begin = 0; begin < all; begin += panel) {
                const int64_t columns = std::min(panel, all - begin);
                for (int64_t i = a; i < c_.size[1]; i += c_.stride[1]) {
                    for (int64_t j = b; j < c_.size[2]; j += c_.stride[2], packed += panel) {
                        std::copy_n(kernel + (i * c_.size[2] + j) * all + begin, columns, packed);
                        std::fill(packed + columns, packed + panel, 0.0f);
                    }
                }
            }
        }
    }
}

int64_t DepthwiseGradient::first_row(int64_t row) const {
    return divide_down(row + c_.before[1], c_.stride[1]) - divide_up(c_.size[1], c_.stride[1]) + 1;
}

// Some lines of an image's g, zeros around them.
void DepthwiseGradient::fill_padded(const float* g, int64_t first_row, int64_t rows, float* padded) const {
    const int64_t before = left_ * c_.channels_out, count = c_.out[2] * c_.channels_out;
    for (int64_t row = first_row; row < first_row + rows; ++row, padded += line_) {
        if (row < 0 || row >= c_.out[1]) {
            std::fill(padded, padded + line_, 0.0f);
            continue;
        }
        std::fill(padded, padded + before, 0.0f);
        std::copy_n(g + row * count, count, padded + before);
        std::fill(padded + before + count, padded + line_, 0.0f);
    }
}

void DepthwiseGradient::run_row(int64_t row, const float* packed, const float* padded, int64_t first_row, bool past,
                                float* dx) const {
    const int64_t all = c_.channels_in, panel = kernels_.panel;
    const int64_t remainder = (row + c_.before[1]) % c_.stride[1] + (row + c_.before[1] < 0 ? c_.stride[1] : 0);
    const auto a = static_cast<size_t>(remainder % c_.stride[1]);
    const int64_t from = divide_down(row + c_.before[1], c_.stride[1]) - first_row;
    Strip strip{};
    strip.runs = 1;
    strip.row_offsets = places_.data();
    strip.b_step = panel;
    strip.c_step = c_.stride[2] * all;
    strip.past_caches = past;
    for (size_t b = 0; b < columns_.size(); ++b) {
        const Class& column = columns_[b];
        const std::vector<int64_t>& entries = entries_[a * columns_.size() + b];
        strip.rows = column.places;
        strip.length = static_cast<int64_t>(entries.size());
        strip.column_offsets = entries.data();
        for (int64_t begin = 0; begin < all && strip.rows; begin += panel) {
            strip.columns = std::min(panel, all - begin);
            strip.a = padded + from * line_ + begin;
            strip.b = packed + starts_[a * columns_.size() + b] + begin * strip.length;
            strip.c = dx + (row * c_.in[2] + column.place) * all + begin;
            kernels_.multiply_each(strip);
        }
    }
}

void DepthwiseGradient::run(const float* g, const float* kernel, float* dx, const Ending&, int threads,
                            char* scratch) const {
    const int64_t all = c_.channels_in, count = c_.batch * c_.in_space() * all;
    if (c_.batch * c_.out_space() * c_.taps() * all < parallel_work) threads = 1;
    auto* const packed = reinterpret_cast<float*>(scratch);
    pack(kernel, packed);
    float* const own = packed + c_.taps() * panels_ * kernels_.panel;
    const int64_t own_step = round_up(own_rows_ * line_, line_numbers), parts = divide_up(c_.in[1], height_);
    const bool past = count > past_caches && all % line_numbers == 0 && kernels_.panel >= line_numbers &&
                      reinterpret_cast<uintptr_t>(dx) % (line_numbers * sizeof(float)) == 0;
    for_each_index(c_.batch * parts, threads, [&](int64_t index, int thread) {
        const int64_t image = index / parts, begin = index % parts * height_;
        const int64_t end = std::min(begin + height_, c_.in[1]);
        float* const padded = own + thread * own_step;
        const int64_t first = first_row(begin);
        const int64_t last = divide_down(end - 1 + c_.before[1], c_.stride[1]);
        fill_padded(g + image * c_.out_space() * all, first, last - first + 1, padded);
        float* const to = dx + image * c_.in_space() * all;
        for (int64_t row = begin; row < end; ++row) run_row(row, packed, padded, first, past, to);
        if (past) _mm_sfence();
    });
}

}  // namespace preceptor
