#include "winograd.h"

#include <algorithm>

namespace preceptor {

namespace {

constexpr int64_t wide = 6;                 // the side of what a tile takes in, and of the tile transformed
constexpr int64_t positions = wide * wide;
constexpr int64_t copied_target = 1 << 12;  // numbers (16 KiB) of an image that are copied at a time: half the first cache
constexpr int64_t task_numbers = 1 << 17;   // transformed, of a task's tiles: 512 KiB, about the second cache
constexpr int64_t least_tiles = 24;         // of a task, and where it does not fit anyway:
constexpr int64_t many_tiles = 96;
constexpr int64_t kernel_most = 1 << 26;    // numbers (256 MiB) of a transformed kernel, which is four times as large

// Rows a large power of two apart would share few places of a cache.
int64_t spread_row(int64_t numbers) {
    const int64_t whole = round_up(numbers, 16);
    return whole % 128 == 0 ? whole + 16 : whole;
}

// Numbers of 36 positions, so many lines of the cache apart that they do not share few of its places: an odd count.
int64_t spread_step(int64_t numbers) { return (numbers / 16 | 1) * 16; }

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
    const bool many = for_kernel_ || fitting < least_tiles;  // few tiles would add to the sums of the kernel often
    const int64_t most = many ? many_tiles : std::min(fitting, many_tiles);
    task_tiles_ = divide_up(tiles_, round_up(divide_up(tiles_, most), 2));  // so that two threads share them evenly
    if (tiles_ >= 8 * task_tiles_) task_tiles_ = std::max<int64_t>(task_tiles_ / rows_at_once, 1) * rows_at_once;
    tasks_ = divide_up(tiles_, task_tiles_);
    const int64_t widest = round_up(std::max(c_.channels_in, c_.channels_out), 16), column = wide * widest;
    copied_tiles_ = std::clamp<int64_t>((copied_target / column - wide) / side_ + 1, 1, across_);
    copied_numbers_ = ((copied_tiles_ - 1) * side_ + wide) * column;
    image_step_ = spread_step(task_tiles_ * image_row_);
    result_step_ = spread_step(task_tiles_ * result_row_);
    partials_ = count_partials(c_, tasks_);
    for (int64_t i = 0; i < task_tiles_; ++i) tile_offsets_.push_back(i * image_row_);
    for (int64_t i = 0; i < c_.group_in(); ++i) channel_offsets_.push_back(i);
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

// What each has of its own: transformed tiles, on both sides, a few of an image, and sums; before that a panel of the
// kernel as it was.
int64_t Winograd::own_count(int threads) const {
    const int64_t tiles = own_tiles() + copied_numbers_;
    if (for_kernel_) return tiles + positions * divide_up(c_.groups * panels_, cuts(threads)) * kernel_panel();
    return std::max(tiles, c_.taps() * kernel_panel());
}

int64_t Winograd::own_tiles() const { return positions * (image_step_ + result_step_); }

size_t Winograd::scratch_bytes(int threads) const {
    threads = paying(threads);
    return static_cast<size_t>(shared_count() + own_count(threads) * threads) * sizeof(float);
}

void Winograd::transform_kernel(const float* kernel, int threads, float* own, float* to) const {
    const int64_t count = c_.groups * panels_, own_step = own_count(threads), numbers = kernel_panel();
    if (c_.kernel_count() <= 1 << 12) threads = 1;
    for_each_index(count, threads, [&](int64_t i, int thread) {
        float* const packed = own + thread * own_step;
        pack_kernel_panel(c_, kernel, flipped_, i / panels_, i % panels_ * kernels_.panel, packed);
        transforms_.kernel(packed, {c_.size[2] * numbers, numbers, 0}, 1, numbers, to + i * positions * numbers, numbers, 0);
    });
}

// Calls function(tile, how many, image, row, column) for tiles side by side: few enough for the copy of what they take in.
template <class Function>
void Winograd::for_rows(Range tiles, Function&& function) const {
    for (int64_t tile = tiles.begin; tile < tiles.end;) {
        const int64_t place = tile % per_image_, column = place % across_;
        const int64_t count = std::min({across_ - column, tiles.end - tile, copied_tiles_});
        function(tile, count, tile / per_image_, place / across_ * side_, column * side_);
        tile += count;
    }
}

// Copies a part of an image, with zeros where it reaches beyond the image's edges and channels.
void Winograd::copy_part(const float* image, const Convolution::Space& space, int64_t channels, int64_t row,
                         int64_t column, int64_t rows, int64_t columns, float* to) const {
    const int64_t width = round_up(channels, kernels_.panel / 2);
    const int64_t first = std::clamp<int64_t>(-column, 0, columns);
    const int64_t last = std::clamp(space[2] - column, first, columns);
    for (int64_t i = row; i < row + rows; ++i, to += columns * width) {
        if (i < 0 || i >= space[1]) {
            std::fill_n(to, columns * width, 0.0f);
            continue;
        }
        const float* from = image + (i * space[2] + column + first) * channels;
        std::fill_n(to, first * width, 0.0f);
        if (width == channels) {
            std::copy_n(from, (last - first) * width, to + first * width);
        } else {
            for (int64_t j = first; j < last; ++j, from += channels) {
                std::copy_n(from, channels, to + j * width);
                std::fill(to + j * width + channels, to + (j + 1) * width, 0.0f);
            }
        }
        std::fill_n(to + last * width, (columns - last) * width, 0.0f);
    }
}

void Winograd::transform_images(const float* x, Range tiles, float* copied, float* to) const {
    const int64_t width = round_up(c_.channels_in, kernels_.panel / 2);
    for_rows(tiles, [&](int64_t tile, int64_t count, int64_t image, int64_t row, int64_t column) {
        const int64_t columns = (count - 1) * side_ + wide;
        copy_part(x + image * c_.in_space() * c_.channels_in, c_.in, c_.channels_in, row - c_.before[1],
                  column - c_.before[2], wide, columns, copied);
        kernels_.winograd_data(copied, {columns * width, width, side_ * width}, count, width,
                               to + (tile - tiles.begin) * image_row_, image_step_, image_row_);
    });
}

// The same of the gradients of some channels of the results, in whole vectors.
void Winograd::transform_gradients(const float* g, Range tiles, Range channels, float* copied, float* to) const {
    const int64_t lanes = kernels_.panel / 2, width = round_up(c_.channels_out, lanes);
    const int64_t begin = channels.begin / lanes * lanes, some = round_up(channels.end - begin, lanes);
    for_rows(tiles, [&](int64_t tile, int64_t count, int64_t image, int64_t row, int64_t column) {
        const int64_t columns = count * side_;
        const float* const from = g + image * c_.out_space() * c_.channels_out;
        Squares at{columns * width, width, side_ * width};
        const bool whole = row + side_ <= c_.out[1] && column + columns <= c_.out[2] && width == c_.channels_out;
        if (whole) {
            at.row = c_.out[2] * width;
        } else {
            copy_part(from, c_.out, c_.channels_out, row, column, side_, columns, copied);
        }
        const float* const first = whole ? from + (row * c_.out[2] + column) * width : copied;
        transforms_.result_gradient(first + begin, at, count, some, to + (tile - tiles.begin) * result_row_ + begin,
                                    result_step_, result_row_);
    });
}

void Winograd::run_tiles(const Arguments& given, const float* kernel, Range tiles, Range panels, float* scratch) const {
    float* const images = scratch;
    float* const results = images + positions * image_step_;
    transform_images(given.first, tiles, scratch + own_tiles(), images);
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
            strip.a = images + position * image_step_ + index / panels_ * c_.group_in();
            strip.b = kernel + (index * positions + position) * kernel_panel();
            strip.c = results + position * result_step_ + channels.begin;
            kernels_.multiply(strip);
        }
    }
    const Range channels = channels_of(panels);
    const Ending& ending = given.ending;
    SquareResults found{};
    found.at = {c_.out[2] * c_.channels_out, c_.channels_out, side_ * c_.channels_out};
    found.count = channels.size();
    found.bias = ending.bias ? ending.bias + channels.begin : nullptr;
    found.relu = ending.relu;
    found.limit = ending.limit;
    for_rows(tiles, [&](int64_t tile, int64_t count, int64_t image, int64_t row, int64_t column) {
        const int64_t place = ((image * c_.out[1] + row) * c_.out[2] + column) * c_.channels_out + channels.begin;
        found.to = given.result + place;
        found.beside = ending.beside ? ending.beside + place : nullptr;
        found.squares = count;
        found.rows = std::min(side_, c_.out[1] - row);
        found.last_columns = std::min(side_, c_.out[2] - column - (count - 1) * side_);
        transforms_.result(results + (tile - tiles.begin) * result_row_ + channels.begin, result_step_, result_row_, found);
    });
}

// Adds what some tiles give to the sums of the 36 products.
void Winograd::add_kernel_gradient(const Arguments& given, Range tiles, Range panels, bool first,
                                   float* scratch) const {
    float* const images = scratch;
    float* const gradients = images + positions * image_step_;
    float* const copied = scratch + own_tiles();
    float* const sums = copied + copied_numbers_;
    transform_images(given.first, tiles, copied, images);
    transform_gradients(given.second, tiles, channels_of(panels), copied, gradients);
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
            strip.a = images + position * image_step_ + index / panels_ * c_.group_in();
            strip.b = gradients + position * result_step_ + own.begin;
            strip.c = sums + ((index - panels.begin) * positions + position) * kernel_panel();
            kernels_.multiply(strip);
        }
    }
}

void Winograd::finish_kernel_gradient(Range panels, const float* sums, float* gradient) const {
    const int64_t tap = c_.group_in() * c_.channels_out;
    SquareResults found{};
    found.at = {c_.size[2] * tap, tap, c_.channels_out};
    found.squares = c_.group_in();
    found.rows = found.last_columns = c_.size[2];
    for (int64_t index = panels.begin; index < panels.end; ++index, sums += positions * kernel_panel()) {
        const Range own = channels_of(index);
        found.to = gradient + own.begin;
        found.count = own.size();
        transforms_.kernel_gradient(sums, kernel_panel(), kernels_.panel, found);
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
        finish_kernel_gradient(panels_of(i % count), mine + own_tiles() + copied_numbers_,
                               item == 0 ? result : shared + (item - 1) * sum_step);
    });
    add_partials(shared, sum_step, partials_ - 1, result, c_.kernel_count(), threads);
}

}  // namespace preceptor
