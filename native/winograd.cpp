#include "winograd.h"

#include <algorithm>

namespace preceptor {

namespace {

constexpr int64_t wide = 6;                 // the side of what a tile takes in, and of the tile transformed
constexpr int64_t positions = wide * wide;
constexpr int64_t most_taps = 25, most_results = 16;  // of a window, of a tile
constexpr int64_t task_numbers = 1 << 17;   // transformed, of a task's tiles: 512 KiB, about the second cache
constexpr int64_t least_tiles = 24;         // of a task, and where it does not fit anyway:
constexpr int64_t many_tiles = 96;
constexpr int64_t kernel_most = 1 << 26;    // numbers (256 MiB) of a transformed kernel, which is four times as large

// Rows a large power of two apart would share few places of a cache.
int64_t spread_row(int64_t numbers) {
    const int64_t whole = round_up(numbers, 16);
    return whole % 128 == 0 ? whole + 16 : whole;
}

// Where the numbers of a square lie in an image, those beyond its edges at `outside`.
template <typename Number>
void find_square(Number* image, int64_t row, int64_t column, int64_t length, const Convolution::Space& space,
                 int64_t channels, Number* outside, Number** found) {
    for (int64_t i = row; i < row + length; ++i) {
        for (int64_t j = column; j < column + length; ++j) {
            const bool within = i >= 0 && i < space[1] && j >= 0 && j < space[2];
            *found++ = within ? image + (i * space[2] + j) * channels : outside;
        }
    }
}

}  // namespace

bool Winograd::is_for(const Convolution& c, Role role) {
    using Space = Convolution::Space;
    if (c.size != Space{1, 3, 3} && c.size != Space{1, 5, 5}) return false;
    if (c.stride != Space{1, 1, 1} || c.dilation != Space{1, 1, 1}) return false;
    if (c.in[0] != 1 || c.out[0] != 1 || c.before[0] != 0) return false;
    if (positions * c.group_in() * c.channels_out > kernel_most) return false;
    // Measured: transforms take the time of 12 multiplications for each number in and out of a product, those of the
    // kernel that of 12 tiles; and by half fewer multiplications pay.
    const auto& space = role == Role::input ? c.in : c.out;
    const int64_t side = wide + 1 - c.size[1];
    const auto tiles = static_cast<double>(c.batch * divide_up(space[1], side) * divide_up(space[2], side));
    const double ins = static_cast<double>(c.group_in()), outs = static_cast<double>(c.group_out());
    const double ours = positions * (tiles * (1 + 12 / ins + 12 / outs) + 12);
    return static_cast<double>(c.taps() * c.batch * space[1] * space[2]) > 1.5 * ours;
}

Winograd::Winograd(const Convolution& convolution, Role role)
    : kernels_(kernels()),
      c_(role == Role::input ? gradient_as_forward(convolution) : convolution),
      flipped_(role == Role::input),
      for_kernel_(role == Role::kernel),
      side_(wide + 1 - c_.size[1]),
      transforms_(c_.size[1] == 3 ? kernels_.winograd_3 : kernels_.winograd_5) {
    across_ = divide_up(c_.out[2], side_);
    per_image_ = divide_up(c_.out[1], side_) * across_;
    tiles_ = c_.batch * per_image_;
    panels_ = divide_up(c_.group_out(), kernels_.panel);
    image_row_ = spread_row(c_.channels_in);
    result_row_ = spread_row(c_.channels_out);
    const int64_t fitting = task_numbers / (positions * (image_row_ + result_row_));
    const int64_t most = fitting < least_tiles ? many_tiles : std::min(fitting, many_tiles);
    task_tiles_ = divide_up(tiles_, round_up(divide_up(tiles_, most), 2));  // so that two threads share them evenly
    if (tiles_ >= 8 * task_tiles_) task_tiles_ = std::max<int64_t>(task_tiles_ / rows_at_once, 1) * rows_at_once;
    tasks_ = divide_up(tiles_, task_tiles_);
    partials_ = count_partials(c_, tasks_);
    for (int64_t i = 0; i < task_tiles_; ++i) tile_offsets_.push_back(i * image_row_);
    for (int64_t i = 0; i < c_.group_in(); ++i) channel_offsets_.push_back(i);
    zeros_.resize(static_cast<size_t>(std::max(c_.channels_in, c_.channels_out)));
}

// How many threads pay.
int Winograd::paying(int threads) const {
    return tiles_ * positions * c_.group_in() * c_.channels_out < parallel_work ? 1 : threads;
}

int64_t Winograd::cuts(int threads) const {
    return count_cuts(for_kernel_ ? partials_ : tasks_, c_.groups * panels_, threads);
}

int64_t Winograd::kernel_panel() const { return c_.group_in() * kernels_.panel; }

Range Winograd::channels_of(int64_t panel) const {
    const int64_t column = panel % panels_ * kernels_.panel, begin = panel / panels_ * c_.group_out() + column;
    return {begin, begin + std::min<int64_t>(kernels_.panel, c_.group_out() - column)};
}

Range Winograd::channels_of(Range panels) const {
    return {channels_of(panels.begin).begin, channels_of(panels.end - 1).end};
}

// What all threads share: the transformed kernel; or the sums of its gradient but the first, which is the result.
int64_t Winograd::shared_count() const {
    if (for_kernel_) return (partials_ - 1) * round_up(c_.kernel_count(), 16);
    return c_.groups * panels_ * positions * kernel_panel();
}

// What each has of its own: transformed tiles, on both sides, and sums, or where results beyond an edge go; before that
// a panel of the kernel as it was.
int64_t Winograd::own_count(int threads) const {
    const int64_t tiles = positions * task_tiles_ * (image_row_ + result_row_);
    if (for_kernel_) return tiles + positions * divide_up(c_.groups * panels_, cuts(threads)) * kernel_panel();
    return std::max(tiles + result_row_, c_.taps() * kernel_panel());
}

size_t Winograd::scratch_bytes(int threads) const {
    threads = paying(threads);
    return static_cast<size_t>(shared_count() + own_count(threads) * threads) * sizeof(float);
}

void Winograd::transform_kernel(const float* kernel, int threads, float* own, float* to) const {
    const int64_t count = c_.groups * panels_, own_step = own_count(threads);
    if (c_.kernel_count() <= 1 << 12) threads = 1;
    for_each_index(count, threads, [&](int64_t i, int thread) {
        float* const packed = own + thread * own_step;
        pack_kernel_panel(c_, kernel, flipped_, i / panels_, i % panels_ * kernels_.panel, packed);
        const float* taps[most_taps];
        for (int64_t tap = 0; tap < c_.taps(); ++tap) taps[tap] = packed + tap * kernel_panel();
        transforms_.kernel(taps, to + i * positions * kernel_panel(), kernel_panel(), kernel_panel());
    });
}

void Winograd::transform_images(const float* x, Range tiles, float* to) const {
    for (int64_t tile = tiles.begin; tile < tiles.end; ++tile, to += image_row_) {
        const int64_t place = tile % per_image_;
        const float* image = x + tile / per_image_ * c_.in_space() * c_.channels_in;
        const float* square[positions];
        find_square(image, place / across_ * side_ - c_.before[1], place % across_ * side_ - c_.before[2], wide, c_.in,
                    c_.channels_in, zeros_.data(), square);
        kernels_.winograd_data(square, to, task_tiles_ * image_row_, c_.channels_in);
    }
}

// Where the results of a tile lie, or their gradients.
template <typename Number>
void Winograd::find_results(Number* images, int64_t tile, Number* outside, Number** found) const {
    const int64_t place = tile % per_image_;
    find_square(images + tile / per_image_ * c_.out_space() * c_.channels_out, place / across_ * side_,
                place % across_ * side_, side_, c_.out, c_.channels_out, outside, found);
}

void Winograd::run_tiles(const Arguments& given, const float* kernel, Range tiles, Range panels, float* scratch) const {
    const int64_t image_step = task_tiles_ * image_row_, result_step = task_tiles_ * result_row_;
    float* const images = scratch;
    float* const results = images + positions * image_step;
    float* const outside = results + positions * result_step;
    transform_images(given.first, tiles, images);
    Strip strip{};
    strip.rows = tiles.size();
    strip.runs = 1;
    strip.length = c_.group_in();
    strip.row_offsets = tile_offsets_.data();
    strip.column_offsets = channel_offsets_.data();
    strip.b_step = kernels_.panel;
    strip.c_step = result_row_;
    for (int64_t position = 0; position < positions; ++position) {
        for (int64_t index = panels.begin; index < panels.end; ++index) {
            const Range channels = channels_of(index);
            strip.columns = channels.size();
            strip.a = images + position * image_step + index / panels_ * c_.group_in();
            strip.b = kernel + (index * positions + position) * kernel_panel();
            strip.c = results + position * result_step + channels.begin;
            kernels_.multiply(strip);
        }
    }
    const Range channels = channels_of(panels);
    const float* bias = given.ending.bias ? given.ending.bias + channels.begin : nullptr;
    for (int64_t tile = tiles.begin; tile < tiles.end; ++tile) {
        float* square[most_results];
        find_results(given.result + channels.begin, tile, outside, square);
        const float* from = results + (tile - tiles.begin) * result_row_ + channels.begin;
        transforms_.result(from, result_step, square, channels.size(), bias, given.ending.relu);
    }
}

// Adds what some tiles give to the sums of the 36 products.
void Winograd::add_kernel_gradient(const Arguments& given, Range tiles, Range panels, bool first,
                                   float* scratch) const {
    const int64_t image_step = task_tiles_ * image_row_, g_step = task_tiles_ * result_row_;
    float* const images = scratch;
    float* const gradients = images + positions * image_step;
    float* const sums = gradients + positions * g_step;
    transform_images(given.first, tiles, images);
    const Range channels = channels_of(panels);
    for (int64_t tile = tiles.begin; tile < tiles.end; ++tile) {
        const float* square[most_results];
        find_results(given.second + channels.begin, tile, zeros_.data(), square);
        float* const to = gradients + (tile - tiles.begin) * result_row_ + channels.begin;
        transforms_.result_gradient(square, to, g_step, channels.size());
    }
    Strip strip{};
    strip.rows = c_.group_in();
    strip.runs = 1;
    strip.length = tiles.size();
    strip.row_offsets = channel_offsets_.data();
    strip.column_offsets = tile_offsets_.data();
    strip.b_step = result_row_;
    strip.c_step = kernels_.panel;
    strip.accumulate = !first;
    for (int64_t position = 0; position < positions; ++position) {
        for (int64_t index = panels.begin; index < panels.end; ++index) {
            const Range own = channels_of(index);
            strip.columns = own.size();
            strip.a = images + position * image_step + index / panels_ * c_.group_in();
            strip.b = gradients + position * g_step + own.begin;
            strip.c = sums + ((index - panels.begin) * positions + position) * kernel_panel();
            kernels_.multiply(strip);
        }
    }
}

void Winograd::finish_kernel_gradient(Range panels, const float* sums, float* gradient) const {
    for (int64_t index = panels.begin; index < panels.end; ++index, sums += positions * kernel_panel()) {
        const Range own = channels_of(index);
        for (int64_t channel = 0; channel < c_.group_in(); ++channel) {
            float* taps[most_taps];
            for (int64_t tap = 0; tap < c_.taps(); ++tap) {
                taps[tap] = gradient + (tap * c_.group_in() + channel) * c_.channels_out + own.begin;
            }
            transforms_.kernel_gradient(sums + channel * kernels_.panel, kernel_panel(), taps, own.size(), nullptr,
                                        false);
        }
    }
}

void Winograd::run(const float* first, const float* second, float* result, const Ending& ending, int threads,
                   char* scratch) const {
    threads = paying(threads);
    const Arguments given{first, second, result, ending};
    auto* const shared = reinterpret_cast<float*>(scratch);
    float* const own = shared + shared_count();
    const int64_t own_step = own_count(threads), panels = c_.groups * panels_, count = cuts(threads);
    const auto tiles_of = [&](int64_t task) {
        return Range{task * task_tiles_, std::min((task + 1) * task_tiles_, tiles_)};
    };
    const auto panels_of = [&](int64_t cut) { return Range::part(panels, cut, count); };
    if (!for_kernel_) {
        transform_kernel(second, threads, own, shared);
        for_each_index(tasks_ * count, threads, [&](int64_t i, int thread) {
            run_tiles(given, shared, tiles_of(i / count), panels_of(i % count), own + thread * own_step);
        });
        return;
    }
    const int64_t sum_step = round_up(c_.kernel_count(), 16);
    for_each_index(partials_ * count, threads, [&](int64_t i, int thread) {
        const int64_t item = i / count;
        const Range dealt = Range::part(tasks_, item, partials_);
        float* const mine = own + thread * own_step;
        for (int64_t task = dealt.begin; task < dealt.end; ++task) {
            add_kernel_gradient(given, tiles_of(task), panels_of(i % count), task == dealt.begin, mine);
        }
        finish_kernel_gradient(panels_of(i % count), mine + positions * task_tiles_ * (image_row_ + result_row_),
                               item == 0 ? result : shared + (item - 1) * sum_step);
    });
    add_partials(shared, sum_step, partials_ - 1, result, c_.kernel_count(), threads);
}

}  // namespace preceptor
