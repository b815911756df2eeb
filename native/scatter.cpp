#include <algorithm>

#include "convolution.h"

namespace preceptor {

namespace {

constexpr int64_t own_target = 1 << 16; // numbers (256 KiB) that are made and added while in the second cache
constexpr int64_t few_channels = 8;     // of an image. Not by the length of a vector: sums must not hang on it
constexpr int64_t least_places = 24;    // of g at once

}  // namespace

bool ScatteredProduct::is_for(const Convolution& c, Role role) {
    if (role != Role::input) return false;
    if (c.stride != Convolution::Space{1, 1, 1}) return true;
    // Measured: what is saved are products of each channel out, what is added are sums of each channel in.
    return c.groups == 1 && c.taps() > 1 && c.channels_in <= few_channels && 4 * c.channels_in <= c.channels_out;
}

ScatteredProduct::ScatteredProduct(const Convolution& convolution)
    : kernels_(kernels()), c_(convolution), each_(has_small_groups(gradient_as_forward(c_))) {
    const int64_t panel = kernels_.panel, outs = c_.group_out(), of_group = each_ ? c_.channels_in : c_.group_in();
    int64_t widest = outs * c_.channels_in;  // numbers of a place
    if (!each_) widest = c_.taps() * std::min(panel, of_group);
    for (int64_t group = 0; group < (each_ ? 1 : c_.groups); ++group) {
        for (int64_t channel = 0; channel < of_group; channel += panel) {
            const int64_t channels = std::min(panel, of_group - channel);
            blocks_.push_back({group, channel, channels, packed_count_});
            if (each_) continue;
            packed_count_ += divide_up(c_.taps() * channels, panel_step(blocks_.back())) * outs * panel;
        }
    }
    if (each_) packed_count_ = c_.kernel_count();
    const int64_t fitting = std::max(own_target / std::max<int64_t>(widest, 1), least_places);
    places_ = std::min(round_up(fitting, rows_at_once), c_.out_space());
    own_count_ = round_up(places_ * widest + 3, 16);
    for (int64_t i = 0; i < places_; ++i) place_offsets_.push_back(i * c_.channels_out);
    for (int64_t i = 0; i < outs; ++i) channel_offsets_.push_back(i);
}

// Columns of a panel: all taps of a narrow group side by side, one tap of a block of a wide one.
int64_t ScatteredProduct::panel_step(const Block& block) const {
    return c_.group_in() < kernels_.panel ? kernels_.panel : block.channels;
}

size_t ScatteredProduct::scratch_bytes(int threads) const {
    return static_cast<size_t>(packed_count_ + own_count_ * threads) * sizeof(float);
}

// The rows of the kernel that belong to a block, as columns.
void ScatteredProduct::pack_block(const Block& block, const float* kernel, float* packed) const {
    const int64_t columns = c_.taps() * block.channels, step = panel_step(block), outs = c_.group_out();
    packed += block.packed;
    for (int64_t column = 0; column < columns; column += step, packed += outs * kernels_.panel) {
        const int64_t row = column / block.channels * c_.group_in() + block.channel + column % block.channels;
        kernels_.pack(kernel + row * c_.channels_out + block.group * outs, 1, c_.channels_out, outs,
                      std::min(step, columns - column), packed);
    }
}

// For each tap and channel out of a group the numbers of all channels in, side by side.
void ScatteredProduct::pack_spread(const float* kernel, float* packed) const {
    const int64_t ins = c_.group_in(), outs = c_.group_out();
    for (int64_t tap = 0; tap < c_.taps(); ++tap) {
        for (int64_t out = 0; out < outs; ++out) {
            for (int64_t i = 0; i < c_.channels_in; ++i) {
                *packed++ = kernel[(tap * ins + i % ins) * c_.channels_out + i / ins * outs + out];
            }
        }
    }
}

// What a block of an image's channels receives from g.
void ScatteredProduct::run_block(const Block& block, const Image& image, const float* packed, float* products) const {
    const int64_t columns = c_.taps() * block.channels, step = panel_step(block), outs = c_.group_out();
    Strip strip{};
    strip.runs = 1;
    strip.length = outs;
    strip.row_offsets = place_offsets_.data();
    strip.column_offsets = channel_offsets_.data();
    strip.b_step = kernels_.panel;
    strip.c_step = columns;
    for (int64_t place = 0; place < c_.out_space(); place += places_) {
        strip.rows = std::min(places_, c_.out_space() - place);
        strip.a = image.g + place * c_.channels_out + block.group * outs;
        strip.b = packed + block.packed;
        for (int64_t column = 0; column < columns; column += step, strip.b += outs * kernels_.panel) {
            strip.columns = std::min(step, columns - column);
            strip.c = products + column;
            kernels_.multiply(strip);
        }
        scatter(block, products, columns, nullptr, {place, place + strip.rows}, image.dx);
    }
}

void ScatteredProduct::run_spread(Range blocks, const Image& image, const float* packed, float* spread) const {
    const int64_t all = c_.channels_in, outs = c_.group_out();
    const Convolution forward = gradient_as_forward(c_);
    for (int64_t place = 0; place < c_.out_space(); place += places_) {
        const Range places{place, std::min(place + places_, c_.out_space())};
        const float* from = image.g + place * c_.channels_out;
        if (!is_spread(forward)) {
            spread_groups(forward, from, places.size(), spread);
            from = spread;
        }
        for (int64_t index = blocks.begin; index < blocks.end; ++index) {
            const Block& block = blocks_[static_cast<size_t>(index)];
            for (int64_t out = 0; out < outs; ++out) {
                const int64_t first = out * all + block.channel;
                scatter(block, from + first, outs * all, packed + first, places, image.dx);
            }
        }
    }
}

// Adds numbers of some places of g where they belong in the image: those of each tap, or scaled for each.
void ScatteredProduct::scatter(const Block& block, const float* from, int64_t from_step, const float* scale,
                               Range places, float* dx) const {
    const int64_t all = c_.channels_in, channels = block.channels;
    const int64_t width = c_.size[2], length = c_.in[2], stride = c_.stride[2], dilation = c_.dilation[2];
    const int64_t tap_step = scale ? 0 : channels, scale_step = c_.group_out() * all;
    const bool neighbours = channels == all && dilation == 1 && !scale && 2 * channels < kernels_.panel;
    dx += block.group * c_.group_in() + block.channel;
    for (int64_t place = places.begin; place < places.end;) {
        const int64_t line = place / c_.out[2], begin = place % c_.out[2];
        const int64_t end = std::min(c_.out[2], begin + places.end - place);
        for (int64_t tap = 0; tap < c_.taps(); tap += width) {
            const int64_t tap_i = tap / width / c_.size[1], tap_j = tap / width % c_.size[1];
            const int64_t i = line / c_.out[1] * c_.stride[0] - c_.before[0] + tap_i * c_.dilation[0];
            const int64_t j = line % c_.out[1] * c_.stride[1] - c_.before[1] + tap_j * c_.dilation[1];
            if (i < 0 || i >= c_.in[0] || j < 0 || j >= c_.in[1]) continue;
            float* const row = dx + (i * c_.in[1] + j) * length * all;
            if (neighbours) {  // their numbers lie side by side, on both sides
                for (int64_t k = begin; k < end; ++k) {
                    const int64_t start = k * stride - c_.before[2];
                    const int64_t first = std::clamp<int64_t>(-start, 0, width);
                    const int64_t last = std::clamp(length - start, first, width);
                    kernels_.add(from + (k - begin) * from_step + (tap + first) * channels,
                                 row + (start + first) * all, (last - first) * all);
                }
                continue;
            }
            // Taps backwards: then each number is given to by places in their order, as it is above.
            for (int64_t tap_k = width - 1; tap_k >= 0; --tap_k) {
                const int64_t shift = c_.before[2] - tap_k * dilation;  // place k goes to k * stride - shift
                const int64_t first = std::max(begin, divide_up(shift, stride));
                const int64_t last = std::min(end, divide_up(shift + length, stride));
                if (first >= last) continue;
                kernels_.add_rows(from + (first - begin) * from_step + (tap + tap_k) * tap_step, from_step,
                                  scale ? scale + (tap + tap_k) * scale_step : nullptr,
                                  row + (first * stride - shift) * all, stride * all, last - first, channels);
            }
        }
        from += (end - begin) * from_step;
        place += end - begin;
    }
}

void ScatteredProduct::run(const float* g, const float* kernel, float* dx, const Ending&, int threads,
                           char* scratch) const {
    const int64_t work = c_.batch * c_.out_space() * c_.taps() * c_.group_in() * c_.channels_out;
    if (work < parallel_work) threads = 1;
    auto* const packed = reinterpret_cast<float*>(scratch);
    const auto blocks = static_cast<int64_t>(blocks_.size());
    if (each_) {
        pack_spread(kernel, packed);
    } else {
        for_each_index(blocks, c_.kernel_count() <= 1 << 17 ? 1 : threads, [&](int64_t i, int) {
            pack_block(blocks_[static_cast<size_t>(i)], kernel, packed);
        });
    }
    const int64_t cuts = count_cuts(std::max<int64_t>(c_.batch, 1), blocks, threads);
    for_each_index(c_.batch * cuts, threads, [&](int64_t i, int thread) {
        const Range part = Range::part(blocks, i % cuts, cuts);
        const Image image{g + i / cuts * c_.out_space() * c_.channels_out,
                          dx + i / cuts * c_.in_space() * c_.channels_in};
        float* const own = packed + packed_count_ + thread * own_count_;
        if (cuts == 1) std::fill_n(image.dx, c_.in_space() * c_.channels_in, 0.0f);
        for (int64_t index = part.begin; index < part.end; ++index) {
            const Block& block = blocks_[static_cast<size_t>(index)];
            float* to = image.dx + block.group * c_.group_in() + block.channel;
            for (int64_t place = 0; cuts > 1 && place < c_.in_space(); ++place, to += c_.channels_in) {
                std::fill_n(to, block.channels, 0.0f);
            }
            if (!each_) run_block(block, image, packed, own);
        }
        if (each_) run_spread(part, image, packed, own);
    });
}

}  // namespace preceptor
