#include "winograd.h"

#include <algorithm>

namespace preceptor {

namespace {

constexpr int64_t kernel_side = 6, kernel_positions = kernel_side * kernel_side;  // of the transformed kernel
constexpr int64_t wide = 6;  // the side of what a tile takes in, and of the tile transformed
constexpr int64_t apart_wide = 9, apart_positions = apart_wide * apart_wide;  // the same of windows two apart
constexpr int64_t apart_values = 5;  // along an axis, of the even numbers; the odd ones are as they were
constexpr int64_t copied_target = 1 << 12;  // numbers (16 KiB) of an image that are copied at a time: half the first cache
constexpr int64_t task_numbers = 1 << 17;   // transformed, of a task's tiles: 512 KiB, about the second cache
constexpr int64_t least_tiles = 24;         // of a task, and where it does not fit anyway:
constexpr int64_t many_tiles = 96;
// The same of windows two apart, of which a block's results are transformed at a time: they stay in the second cache.
constexpr int64_t apart_numbers = 1 << 18, apart_least = 16, apart_most = 36;
constexpr int64_t apart_kernel_least = 32, apart_kernel_most = 72, apart_partials = 4;
constexpr int64_t apart_channels = 16;      // of a block
constexpr int64_t kind_count = 4;            // of tiles; see Winograd::Kinds
constexpr int64_t few_tasks = 4;             // for which the kernel is transformed anew each time
constexpr int64_t kernel_most = 1 << 26;    // numbers (256 MiB) of a transformed kernel, which is four times as large

// Rows a large power of two apart would share few places of a cache.
int64_t spread_row(int64_t numbers) {
    const int64_t whole = round_up(numbers, 16);
    return whole % 128 == 0 ? whole + 16 : whole;
}

// Numbers of the positions, so many lines of the cache apart that they do not share few of its places: an odd count.
int64_t spread_step(int64_t numbers) { return (divide_up(numbers, 16) | 1) * 16; }

bool is_apart(const Convolution& c) { return c.stride[1] == 2; }

// Transformed numbers along an axis of so many results, of windows of a size one apart.
int64_t transformed(int64_t results, int64_t size) {
    const int64_t side = wide + 1 - size, rest = results % side;
    return results / side * wide + (rest ? rest + size - 1 : 0);
}

}  // namespace

bool Winograd::is_for(const Convolution& c, Role role) {
    using Space = Convolution::Space;
    if (c.dilation != Space{1, 1, 1} || c.in[0] != 1 || c.out[0] != 1 || c.before[0] != 0) return false;
    if (kernel_positions * c.group_in() * c.channels_out > kernel_most) return false;
    const double ins = static_cast<double>(c.group_in()), outs = static_cast<double>(c.group_out());
    const auto tiles = [&](const Space& space, int64_t side) {
        return static_cast<double>(c.batch * divide_up(space[1], side) * divide_up(space[2], side));
    };
    if (c.size == Space{1, 3, 3} && c.stride == Space{1, 2, 2}) {
        if (c.groups > 1 || (role == Role::input && (c.before[1] - c.before[2]) % 2 != 0)) return false;
        const double count = role == Role::input ? tiles(c.in, 8) : tiles(c.out, 4);
        // Measured: transforms take the time of so many multiplications for each number in and out of a product.
        const double transforms = role == Role::forward ? 12 : role == Role::kernel ? 10 : 7;
        const double ours = apart_positions * count * (1 + transforms / ins + transforms / outs) + kernel_positions * 8;
        return static_cast<double>(c.taps() * c.batch * c.out_space()) > 1.05 * ours;
    }
    if (c.size != Space{1, 3, 3} && c.size != Space{1, 5, 5}) return false;
    if (c.stride != Space{1, 1, 1}) return false;
    // Measured: here it is 12, for the kernel that of 12 tiles; and by half fewer multiplications pay.
    const auto& space = role == Role::input ? c.in : c.out;
    const auto count = static_cast<double>(c.batch * transformed(space[1], c.size[1]) * transformed(space[2], c.size[2]));
    const double ours = count * (1 + 12 / ins + 12 / outs) + kernel_positions * 12;
    return static_cast<double>(c.taps() * c.batch * space[1] * space[2]) > 1.5 * ours;
}

bool Winograd::is_for_halves(const Convolution& c, Role role) {
    return c.groups == 1 && !is_apart(c) && is_for(c, role);
}

Winograd::Winograd(const Convolution& convolution, Role role, bool halves)
    : kernels_(kernels()),
      multiply_(halves ? half_kernels()->multiply : kernels_.multiply),
      c_(role == Role::input ? gradient_as_forward(convolution) : convolution),
      flipped_(role == Role::input),
      for_kernel_(role == Role::kernel),
      halves_(halves),
      pairs_(halves && for_kernel_),
      apart_(is_apart(convolution)),
      wide_(wide),
      side_(wide + 1 - c_.size[1]),
      tile_step_(side_),
      short_wide_(wide),
      short_side_(side_),
      positions_(apart_ ? apart_positions : kernel_positions),
      windows_(!halves ? kernels_.winograd : pairs_ ? half_kernels()->over_places : half_kernels()->over_channels),
      transforms_(apart_              ? kernels_.winograd_apart
                  : c_.size[1] == 3 ? windows_.of_3
                                    : windows_.of_5),
      whole_(transforms_.whole) {
    if (apart_) {
        wide_ = apart_wide;
        tile_step_ = 2 * side_;
    }
    if (apart_ && flipped_) {  // 8 x 8 numbers from 5 x 5 of g: those that two taps reach from one more
        std::swap(side_, tile_step_);
        wide_ = apart_values;
        whole_ = kernels_.winograd_apart_input[convolution.before[1] & 1];  // it may be below 0
        for (size_t axis = 1; axis < 3; ++axis) c_.before[axis] = 1 - ((convolution.before[axis] + 1) >> 1);
    }
    if (!apart_) {
        const int64_t rest_down = c_.out[1] % side_, rest_along = c_.out[2] % side_;
        short_down_ = rest_down != 0;
        short_along_ = rest_along != 0;
        if (short_down_ || short_along_) {
            short_side_ = std::max(rest_down, rest_along);
            short_wide_ = short_side_ + c_.size[1] - 1;
            last_ = c_.size[1] == 3 ? windows_.last_of_3[short_wide_ - 3] : windows_.last_of_5;
        }
    }
    const int64_t side = apart_ ? apart_wide : wide;
    for (int64_t i = 0; i < kernel_positions; ++i) {
        const int64_t row = i / kernel_side, column = i % kernel_side;
        const auto count = [&](int64_t at) { return apart_ && at == apart_values ? apart_wide - apart_values : 1; };
        factors_.push_back({row * side + column, count(row), count(column)});
    }
    across_ = divide_up(c_.out[2], side_);
    per_image_ = divide_up(c_.out[1], side_) * across_;
    tiles_ = c_.batch * per_image_;
    panels_ = divide_up(c_.group_out(), kernels_.panel);
    block_panels_ = apart_ ? std::min(std::max<int64_t>(apart_channels / kernels_.panel, 1), panels_) : c_.groups * panels_;
    image_row_ = spread_row(halves_ && !pairs_ ? divide_up(c_.channels_in, 2) : c_.channels_in);
    result_row_ = spread_row(apart_ ? block_panels_ * kernels_.panel : c_.channels_out);
    // Whatever the length of a vector is: the kernel's gradient is summed over the tiles of a task.
    const int64_t tile_numbers = positions_ * (image_row_ + (apart_ ? apart_channels : result_row_));
    const int64_t fitting = (apart_ ? apart_numbers : task_numbers) / tile_numbers;
    const bool many = for_kernel_ || fitting < least_tiles;  // few tiles would add to the sums of the kernel often
    int64_t most = many ? many_tiles : std::min(fitting, many_tiles);
    if (apart_) {
        most = for_kernel_ ? std::clamp(fitting, apart_kernel_least, apart_kernel_most)
                           : std::clamp(fitting, apart_least, apart_most);
    }
    // So that two threads share them evenly; of windows two apart they can share blocks.
    task_tiles_ = divide_up(tiles_, round_up(divide_up(tiles_, most), apart_ ? 1 : 2));
    if (tiles_ >= 8 * task_tiles_) {  // so that they fill registers, where some are short those of each kind
        const int64_t images = per_image_ * rows_at_once;
        const bool by_images = (short_down_ || short_along_) && images <= most;
        task_tiles_ = by_images ? most / images * images : std::max<int64_t>(task_tiles_ / rows_at_once, 1) * rows_at_once;
    }
    tasks_ = divide_up(tiles_, task_tiles_);
    shared_kernel_ = !apart_ || tasks_ > few_tasks;
    const int64_t widest = round_up(std::max(c_.channels_in, c_.channels_out), 16), column = wide_ * widest;
    copied_tiles_ = std::clamp<int64_t>((copied_target / column - wide_) / tile_step_ + 1, 1, across_);
    copied_numbers_ = ((copied_tiles_ - 1) * tile_step_ + wide_) * column;
    const int64_t rows = pairs_ ? (task_tiles_ + kind_count) / 2 : task_tiles_;  // each kind's last may be alone in its row
    image_step_ = spread_step(rows * image_row_);
    result_step_ = spread_step(rows * result_row_);
    kernel_step_ = spread_step(kernel_panel());
    partials_ = std::min(count_partials(c_, tasks_), apart_ ? apart_partials : tasks_);
    constexpr int64_t odd = apart_wide - apart_values;
    for (int64_t tile = 0; tile < task_tiles_; ++tile) {
        const auto add = [&](Places& places, int64_t position) {
            places.images.push_back(tile * image_row_ + position * image_step_);
            places.results.push_back(tile * result_row_ + position * result_step_);
        };
        add(single_, 0);
        for (int64_t i = 0; apart_ && i < odd; ++i) {
            add(row_, i);
            add(column_, i * apart_wide);
            for (int64_t j = 0; j < odd; ++j) add(square_, i * apart_wide + j);
        }
    }
    for (int64_t i = 0; i < c_.group_in(); ++i) channel_offsets_.push_back(i);
}

const Winograd::Places& Winograd::places_of(const Factor& factor) const {
    if (factor.rows == 1) return factor.columns == 1 ? single_ : row_;
    return factor.columns == 1 ? column_ : square_;
}

// How many threads pay.
int Winograd::paying(int threads) const {
    return tiles_ * positions_ * c_.group_in() * c_.channels_out < parallel_work ? 1 : threads;
}

int64_t Winograd::cuts(int threads) const {
    return count_cuts(for_kernel_ ? partials_ : tasks_, c_.groups * panels_, threads);
}

// Of the transformed kernel, whose channels lie two in a row where it is multiplied in halves; and what a panel of it takes.
int64_t Winograd::kernel_rows() const { return halves_ && !for_kernel_ ? divide_up(c_.group_in(), 2) : c_.group_in(); }
int64_t Winograd::kernel_panel() const { return kernel_rows() * kernels_.panel; }
int64_t Winograd::packed_count() const { return c_.taps() * c_.group_in() * kernels_.panel; }  // of a panel as it was

Range Winograd::channels_of(int64_t panel) const {
    const int64_t column = panel % panels_ * kernels_.panel, begin = panel / panels_ * c_.group_out() + column;
    return {begin, begin + std::min<int64_t>(kernels_.panel, c_.group_out() - column)};
}

Range Winograd::channels_of(Range panels) const {
    return {channels_of(panels.begin).begin, channels_of(panels.end - 1).end};
}

// The first channel of those whose results, transformed, lie side by side.
int64_t Winograd::first_channel(Range block) const { return apart_ ? channels_of(block).begin : 0; }

template <class Function>
void Winograd::for_blocks(Range panels, Function&& function) const {
    for (int64_t begin = panels.begin; begin < panels.end; begin += block_panels_) {
        function(Range{begin, std::min(begin + block_panels_, panels.end)});
    }
}

// Panels of which each thread holds the transformed kernel or its gradient at a time.
int64_t Winograd::block(int threads) const {
    return shares_images(threads) ? block_panels_ : std::min(block_panels_, divide_up(c_.groups * panels_, cuts(threads)));
}

// Whether all threads work on the same tiles, each on blocks of its own: where a task is cut anyway, so that its
// transformed images are there once. The kernel's gradient is summed in the same order.
bool Winograd::shares_images(int threads) const { return apart_ && cuts(threads) > 1; }

// What all threads share: the transformed kernel, or the sums of its gradient but the first, which is the result; and
// transformed images, or not.
int64_t Winograd::shared_count(int threads) const {
    const int64_t images = shares_images(threads) ? positions_ * image_step_ : 0;
    if (for_kernel_) return images + (partials_ - 1) * round_up(c_.kernel_count(), 16);
    return images + (shared_kernel_ ? c_.groups * panels_ * kernel_positions * kernel_step_ : 0);
}

// What each has of its own: transformed results, then a few tiles of an image, then a panel of the kernel as it was and the
// transformed kernel or its gradient, where these are not shared, then transformed images.
int64_t Winograd::own_count(int threads) const {
    const int64_t packed = packed_count();
    const int64_t images = shares_images(threads) ? 0 : positions_ * image_step_;
    const int64_t tiles = kernel_place() + images;
    const int64_t kernel = kernel_positions * block(threads) * kernel_step_;
    if (for_kernel_) return tiles + kernel;
    return shared_kernel_ ? std::max(tiles, packed) : tiles + packed + kernel;
}

int64_t Winograd::copied_place() const { return positions_ * result_step_; }
int64_t Winograd::kernel_place() const { return copied_place() + copied_numbers_; }

size_t Winograd::scratch_bytes(int threads) const {
    threads = paying(threads);
    return static_cast<size_t>(shared_count(threads) + own_count(threads) * threads) * sizeof(float);
}

void Winograd::transform_panel(const float* kernel, int64_t panel, float* packed, float* to) const {
    const int64_t row = kernels_.panel, numbers = c_.group_in() * row;
    pack_kernel_panel(c_, kernel, flipped_, panel / panels_, panel % panels_ * row, packed);
    transforms_.kernel(packed, {c_.size[2] * numbers, numbers, row}, c_.group_in(), row, to, kernel_step_, row);
}

void Winograd::transform_kernel(const float* kernel, int threads, float* own, float* to) const {
    const int64_t own_step = own_count(threads);
    if (c_.kernel_count() <= 1 << 12) threads = 1;
    for_each_index(c_.groups * panels_, threads, [&](int64_t i, int thread) {
        transform_panel(kernel, i, own + thread * own_step, to + i * kernel_positions * kernel_step_);
    });
}

Winograd::Kinds Winograd::kinds_of(Range tiles) const {
    const int64_t height = per_image_ / across_;
    // Of the tiles before one.
    const auto short_along = [&](int64_t tile) { return tile / across_; };
    const auto short_down = [&](int64_t tile) {
        return tile / per_image_ * across_ + std::max<int64_t>(tile % per_image_ - (height - 1) * across_, 0);
    };
    const auto short_both = [&](int64_t tile) { return tile / per_image_; };
    const auto count = [&](bool are, const auto& before) { return are ? before(tiles.end) - before(tiles.begin) : 0; };
    const int64_t along = count(short_along_, short_along), down = count(short_down_, short_down);
    const int64_t both = count(short_along_ && short_down_, short_both);
    const int64_t counts[] = {along - both, tiles.size() - along - down + both, down - both, both};
    Kinds kinds{};
    for (size_t i = 0; i + 1 < kinds.size(); ++i) {
        kinds[i + 1] = kinds[i] + (pairs_ ? round_up(counts[i], 2) : counts[i]);  // no two kinds share a row
    }
    return kinds;
}

// Rows of places of a task.
int64_t Winograd::row_of(int64_t place) const { return pairs_ ? place / 2 : place; }
Range Winograd::rows_of(Range places) const { return {row_of(places.begin), row_of(places.end)}; }

// Places in a task of the tiles that have numbers at a position of the transformed kernel.
Range Winograd::having(const Kinds& kinds, int64_t position) const {
    const bool all_down = position / kernel_side < short_wide_, all_along = position % kernel_side < short_wide_;
    return {all_along ? 0 : kinds[1], !all_down ? kinds[2] : all_along ? kinds[4] : kinds[3]};
}

// Calls function(row) for tiles side by side: few enough for the copy of what they take in.
template <class Function>
void Winograd::for_rows(Range tiles, Function&& function) const {
    Kinds next = kinds_of(tiles);
    for (int64_t tile = tiles.begin; tile < tiles.end;) {
        const int64_t place = tile % per_image_, column = place % across_;
        const bool down = short_down_ && place >= per_image_ - across_, along = short_along_ && column + 1 == across_;
        const int64_t left = along ? 1 : across_ - (short_along_ ? 1 : 0) - column;
        const int64_t count = std::min({left, tiles.end - tile, copied_tiles_});
        int64_t& first = next[static_cast<size_t>(down ? 2 + along : 1 - along)];
        function(Row{first, count, tile / per_image_, place / across_, column, down, along});
        first += count;
        tile += count;
    }
}

const WinogradTile& Winograd::tile_of(const Row& row) const {
    if (row.short_down) return row.short_along ? last_.both : last_.down;
    return row.short_along ? last_.along : whole_;
}

// Numbers of an image, which may be given in bfloat16.
void Winograd::copy(const float* x, int64_t place, int64_t count, float* to) const {
    if (halves_) return kernels_.widen(reinterpret_cast<const uint16_t*>(x) + place, to, count);
    std::copy_n(x + place, count, to);
}

// Copies a part of an image, with zeros where it reaches beyond the image's edges and channels.
void Winograd::copy_part(const float* x, int64_t image, const Convolution::Space& space, int64_t channels, int64_t row,
                         int64_t column, int64_t rows, int64_t columns, float* to) const {
    const int64_t width = round_up(channels, kernels_.panel / 2);
    const int64_t first = std::clamp<int64_t>(-column, 0, columns);
    const int64_t last = std::clamp(space[2] - column, first, columns);
    for (int64_t i = row; i < row + rows; ++i, to += columns * width) {
        if (i < 0 || i >= space[1]) {
            std::fill_n(to, columns * width, 0.0f);
            continue;
        }
        int64_t from = ((image * space[1] + i) * space[2] + column + first) * channels;
        std::fill_n(to, first * width, 0.0f);
        if (width == channels) {
            copy(x, from, (last - first) * width, to + first * width);
        } else {
            for (int64_t j = first; j < last; ++j, from += channels) {
                copy(x, from, channels, to + j * width);
                std::fill(to + j * width + channels, to + (j + 1) * width, 0.0f);
            }
        }
        std::fill_n(to + last * width, (columns - last) * width, 0.0f);
    }
}

void Winograd::transform_images(const float* x, Range tiles, float* copied, float* to) const {
    const int64_t width = round_up(c_.channels_in, kernels_.panel / 2);
    for_rows(tiles, [&](const Row& row) {
        const int64_t rows = row.short_down ? short_wide_ : wide_;
        const int64_t columns = (row.count - 1) * tile_step_ + (row.short_along ? short_wide_ : wide_);
        copy_part(x, row.image, c_.in, c_.channels_in, row.row * tile_step_ - c_.before[1],
                  row.column * tile_step_ - c_.before[2], rows, columns, copied);
        tile_of(row).data(copied, {columns * width, width, tile_step_ * width, row.place}, row.count, width,
                          to + row_of(row.place) * image_row_, image_step_, image_row_);
    });
}

// The same of the gradients of some channels of the results, in whole vectors.
void Winograd::transform_gradients(const float* g, Range tiles, Range block, float* copied, float* to) const {
    const Range channels = channels_of(block);
    const int64_t lanes = kernels_.panel / 2, width = round_up(c_.channels_out, lanes);
    const int64_t begin = channels.begin / lanes * lanes, some = round_up(channels.end - begin, lanes);
    float* const target = to + begin - first_channel(block);
    for_rows(tiles, [&](const Row& tile) {
        const int64_t rows = tile.short_down ? short_side_ : side_;
        const int64_t columns = (tile.count - 1) * side_ + (tile.short_along ? short_side_ : side_);
        const int64_t row = tile.row * side_, column = tile.column * side_;
        Squares at{columns * width, width, side_ * width, tile.place};
        const bool lies = !halves_ && row + rows <= c_.out[1] && column + columns <= c_.out[2] && width == c_.channels_out;
        const float* from = copied;
        if (lies) {
            at.row = c_.out[2] * width;
            from = g + ((tile.image * c_.out[1] + row) * c_.out[2] + column) * width;
        } else {
            copy_part(g, tile.image, c_.out, c_.channels_out, row, column, rows, columns, copied);
        }
        tile_of(tile).result_gradient(from + begin, at, tile.count, some, target + row_of(tile.place) * result_row_,
                                      result_step_, result_row_);
    });
}

void Winograd::run_tiles(const Arguments& given, const float* shared, const float* images, Range tiles, Range panels,
                         float* scratch) const {
    float* const packed = scratch + kernel_place();
    float* const kernel = packed + packed_count();
    for_blocks(panels, [&](Range block) {
        const float* own = shared + block.begin * kernel_positions * kernel_step_;
        for (int64_t index = block.begin; !shared_kernel_ && index < block.end; ++index) {
            transform_panel(given.second, index, packed, kernel + (index - block.begin) * kernel_positions * kernel_step_);
            own = kernel;
        }
        run_block(given, own, images, tiles, block, scratch);
    });
}

// The products of a block of panels, and what becomes of them.
void Winograd::run_block(const Arguments& given, const float* kernel, const float* images, Range tiles, Range block,
                         float* results) const {
    const Range channels = channels_of(block);
    const int64_t first = first_channel(block);
    Strip strip{};
    strip.runs = 1;
    strip.length = kernel_rows();
    strip.column_offsets = channel_offsets_.data();
    strip.b_step = kernels_.panel;
    const Kinds kinds = kinds_of(tiles);
    for (int64_t i = 0; i < kernel_positions; ++i) {
        const Factor& factor = factors_[static_cast<size_t>(i)];
        const Places& places = places_of(factor);
        const Range some = having(kinds, i);
        strip.rows = some.size() * factor.rows * factor.columns;
        strip.row_offsets = places.images.data();
        strip.c_offsets = places.results.data();
        for (int64_t index = block.begin; index < block.end; ++index) {
            const Range own = channels_of(index);
            strip.columns = own.size();
            strip.a = images + factor.position * image_step_ + some.begin * image_row_ + index / panels_ * c_.group_in();
            strip.b = kernel + ((index - block.begin) * kernel_positions + i) * kernel_step_;
            strip.c = results + factor.position * result_step_ + some.begin * result_row_ + own.begin - first;
            multiply_(strip);
        }
    }
    const Ending& ending = given.ending;
    SquareResults found{};
    found.at = {c_.out[2] * c_.channels_out, c_.channels_out, side_ * c_.channels_out};
    found.count = channels.size();
    found.bias = ending.bias ? ending.bias + channels.begin : nullptr;
    found.relu = ending.relu;
    found.limit = ending.limit;
    for_rows(tiles, [&](const Row& tile) {
        const int64_t row = tile.row * side_, column = tile.column * side_;
        const int64_t place = ((tile.image * c_.out[1] + row) * c_.out[2] + column) * c_.channels_out + channels.begin;
        found.to = given.result + place;
        found.beside = ending.beside ? ending.beside + place : nullptr;
        found.squares = tile.count;
        found.rows = std::min(side_, c_.out[1] - row);
        found.last_columns = std::min(side_, c_.out[2] - column - (tile.count - 1) * side_);
        const float* const from = results + tile.place * result_row_ + channels.begin - first;
        tile_of(tile).result(from, result_step_, result_row_, found);
    });
}

// Adds what some tiles give to the sums of the products; of windows two apart to the gradient itself.
void Winograd::add_kernel_gradient(const Arguments& given, const float* images, Range tiles, Range panels, bool first,
                                   float* gradient, float* scratch) const {
    float* const gradients = scratch;
    float* const copied = scratch + copied_place();
    float* const sums = scratch + kernel_place();
    // Sums over the positions of a row or column of a tile: all tiles of the first, then those of the next.
    std::vector<int64_t> along[2];
    for (int64_t position = 0; apart_ && position < apart_wide - apart_values; ++position) {
        for (int64_t tile = 0; tile < tiles.size(); ++tile) {
            along[0].push_back(position * image_step_ + tile * image_row_);
            along[1].push_back(position * apart_wide * image_step_ + tile * image_row_);
        }
    }
    Strip strip{};
    strip.rows = c_.group_in();
    strip.row_offsets = channel_offsets_.data();
    strip.b_step = result_row_;
    strip.c_step = kernels_.panel;
    const Kinds kinds = kinds_of(tiles);
    for_blocks(panels, [&](Range block) {
        transform_gradients(given.second, tiles, block, copied, gradients);
        for (int64_t i = 0; i < kernel_positions; ++i) {
            const Factor& factor = factors_[static_cast<size_t>(i)];
            const bool down = factor.columns == 1 && factor.rows > 1;
            const Range some = rows_of(having(kinds, i));
            strip.length = some.size();
            strip.runs = down ? factor.rows : factor.columns;
            strip.column_offsets = strip.runs == 1 ? single_.images.data() : along[down].data();
            strip.b_run = (down ? apart_wide : 1) * result_step_ - tiles.size() * result_row_;
            for (int64_t index = block.begin; index < block.end; ++index) {
                const Range own = channels_of(index);
                strip.columns = own.size();
                strip.c = sums + ((index - block.begin) * kernel_positions + i) * kernel_step_;
                for (int64_t row = 0; row < (down ? 1 : factor.rows); ++row) {
                    const int64_t position = factor.position + row * apart_wide;
                    strip.accumulate = row > 0 || !(first || apart_);
                    strip.a = images + position * image_step_ + some.begin * image_row_ + index / panels_ * c_.group_in();
                    strip.b = gradients + position * result_step_ + some.begin * result_row_ + own.begin - first_channel(block);
                    multiply_(strip);
                }
            }
        }
        if (apart_) finish_kernel_gradient(block, sums, !first, gradient);
    });
}

void Winograd::finish_kernel_gradient(Range panels, const float* sums, bool add, float* gradient) const {
    const int64_t tap = c_.group_in() * c_.channels_out;
    SquareResults found{};
    found.at = {c_.size[2] * tap, tap, c_.channels_out};
    found.squares = c_.group_in();
    found.rows = found.last_columns = c_.size[2];
    for (int64_t index = panels.begin; index < panels.end; ++index, sums += kernel_positions * kernel_step_) {
        const Range own = channels_of(index);
        found.to = gradient + own.begin;
        found.beside = add ? found.to : nullptr;
        found.count = own.size();
        transforms_.kernel_gradient(sums, kernel_step_, kernels_.panel, found);
    }
}

void Winograd::run(const float* first, const float* second, float* result, const Ending& ending, int threads,
                   char* scratch) const {
    threads = paying(threads);
    const Arguments given{first, second, result, ending};
    const bool shares = shares_images(threads);
    auto* const shared = reinterpret_cast<float*>(scratch);
    float* const own = shared + shared_count(threads);
    const int64_t own_step = own_count(threads), panels = c_.groups * panels_, sum_step = round_up(c_.kernel_count(), 16);
    const int64_t own_images = own_step - positions_ * image_step_;
    float* const images = own - positions_ * image_step_;  // where they are shared
    if (!for_kernel_ && shared_kernel_) transform_kernel(second, threads, own, shared);

    const auto tiles_of = [&](int64_t task) {
        return Range{task * task_tiles_, std::min((task + 1) * task_tiles_, tiles_)};
    };
    // What a task's tiles, transformed, give to the results of some panels, or to a sum of the kernel's gradient.
    const auto run_panels = [&](int64_t task, Range some, const float* transformed, bool is_first, int64_t sum, float* mine) {
        if (!for_kernel_) return run_tiles(given, shared, transformed, tiles_of(task), some, mine);
        float* const gradient = sum == 0 ? result : shared + (sum - 1) * sum_step;
        add_kernel_gradient(given, transformed, tiles_of(task), some, is_first, gradient, mine);
    };
    const int64_t items = for_kernel_ ? partials_ : tasks_;
    const int64_t count = shares ? divide_up(panels, block_panels_) : cuts(threads);
    const auto panels_of = [&](int64_t cut) { return Range::part(panels, cut, count); };
    for (int64_t item = 0; shares && item < items; ++item) {
        const Range dealt = Range::part(tasks_, item, items);
        for (int64_t task = dealt.begin; task < dealt.end; ++task) {
            const Range tiles = tiles_of(task);
            const int64_t pieces = std::min<int64_t>(2 * threads, tiles.size());
            for_each_index(pieces, threads, [&](int64_t i, int thread) {
                const Range part = Range::part(tiles.size(), i, pieces);
                transform_images(first, {tiles.begin + part.begin, tiles.begin + part.end},
                                 own + thread * own_step + copied_place(), images + part.begin * image_row_);
            });
            for_each_index(count, threads, [&](int64_t i, int thread) {
                run_panels(task, panels_of(i), images, task == dealt.begin, item, own + thread * own_step);
            });
        }
    }
    for_each_index(shares ? 0 : items * count, threads, [&](int64_t i, int thread) {
        const int64_t item = i / count;
        const Range dealt = Range::part(tasks_, item, items);
        float* const mine = own + thread * own_step;
        for (int64_t task = dealt.begin; task < dealt.end; ++task) {
            transform_images(first, tiles_of(task), mine + copied_place(), mine + own_images);
            run_panels(task, panels_of(i % count), mine + own_images, task == dealt.begin, item, mine);
        }
        if (!for_kernel_ || apart_) return;
        finish_kernel_gradient(panels_of(i % count), mine + kernel_place(), false,
                               item == 0 ? result : shared + (item - 1) * sum_step);
    });
    if (for_kernel_) add_partials(shared, sum_step, partials_ - 1, result, c_.kernel_count(), threads);
}

}  // namespace preceptor
