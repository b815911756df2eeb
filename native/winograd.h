// Convolutions of 3 x 3 and 5 x 5 windows with fewer multiplications: 36 for each tile of 4 x 4 or 2 x 2 results, where
// the sums of the windows take 144 or 100. Lavin and Gray (2016), https://arxiv.org/abs/1509.09308. Where windows of 3 x 3
// are two apart, 81 for 4 x 4 results, or for 8 x 8 of the gradient of the input, in place of 144. Where windows are one
// apart, tiles that reach beyond an edge take only as many multiplications as they have results: 25 for 3 x 3, 16 for 2 x 2.
#pragma once

#include <array>
#include <vector>

#include "convolution.h"

namespace preceptor {

// Tiles of the image are transformed into 36 or 81 numbers a channel, the kernel into 36; each of them is a product over
// the channels of its own, and the results are transformed back. Some tiles at a time, so that all stays in the cache; of 81
// numbers also a block of channels out at a time.
class Winograd : public OwnMethod {
  public:
    // Whether it can do a convolution, and does it in less time than WindowedProduct.
    static bool is_for(const Convolution& convolution, Role role);

    // Halves: factors are given in bfloat16, but the kernel in float32, and once transformed they are multiplied so.
    static bool is_for_halves(const Convolution& convolution, Role role);
    Winograd(const Convolution& convolution, Role role, bool halves = false);

    size_t scratch_bytes(int threads) const override;
    bool ends_itself() const override { return true; }
    void run(const float* first, const float* second, float* result, const Ending& ending, int threads,
             char* scratch) const override;

  private:
    // One of the positions of the transformed kernel, and those of tiles that are multiplied by it.
    struct Factor {
        int64_t position, rows, columns;  // the first of a tile, and how many there are
    };
    // Of the positions of a factor: where each of their rows lies, those of a tile side by side.
    struct Places {
        std::vector<int64_t> images, results;
    };
    // Tiles of a task lie in this order, so that those that have numbers at a position do so side by side: those that are short
    // along, whole ones, those that are short down, those that are both. Where each kind begins, and the end.
    using Kinds = std::array<int64_t, 5>;
    // Tiles of a kind, side by side in an image: how many, and the first one's place in the task, row and column.
    struct Row {
        int64_t place, count, image, row, column;
        bool short_down, short_along;
    };

    int paying(int threads) const;
    const Places& places_of(const Factor& factor) const;
    int64_t cuts(int threads) const;
    int64_t kernel_panel() const;
    int64_t kernel_rows() const;
    int64_t packed_count() const;
    int64_t block(int threads) const;
    bool shares_images(int threads) const;
    int64_t shared_count(int threads) const;
    int64_t own_count(int threads) const;
    int64_t copied_place() const;
    int64_t kernel_place() const;
    Range channels_of(int64_t panel) const;
    Range channels_of(Range panels) const;
    int64_t first_channel(Range block) const;
    template <class Function>
    void for_blocks(Range panels, Function&& function) const;
    void transform_panel(const float* kernel, int64_t panel, float* packed, float* to) const;
    void transform_kernel(const float* kernel, int threads, float* own, float* to) const;
    Kinds kinds_of(Range tiles) const;
    Range having(const Kinds& kinds, int64_t position) const;
    const WinogradTile& tile_of(const Row& row) const;
    template <class Function>
    void for_rows(Range tiles, Function&& function) const;
    int64_t row_of(int64_t place) const;
    Range rows_of(Range places) const;
    void copy_part(const float* x, int64_t image, const Convolution::Space& space, int64_t channels, int64_t row,
                   int64_t column, int64_t rows, int64_t columns, float* to) const;
    void copy(const float* x, int64_t place, int64_t count, float* to) const;
    void transform_images(const float* x, Range tiles, float* copied, float* to) const;
    void transform_gradients(const float* g, Range tiles, Range block, float* copied, float* to) const;
    void run_tiles(const Arguments& given, const float* shared, const float* images, Range tiles, Range panels,
                   float* scratch) const;
    void run_block(const Arguments& given, const float* kernel, const float* images, Range tiles, Range block,
                   float* results) const;
    void add_kernel_gradient(const Arguments& given, const float* images, Range tiles, Range panels, bool first,
                             float* gradient, float* scratch) const;
    void finish_kernel_gradient(Range panels, const float* sums, bool add, float* gradient) const;

    const Kernels& kernels_;
    void (*multiply_)(const Strip& strip);
    Convolution c_;  // of the forward kind: the gradient of the input is a forward convolution of g
    bool flipped_, for_kernel_;
    bool halves_;           // factors are bfloat16, but for the kernel as it is given
    bool pairs_;            // two tiles share a row
    bool apart_;            // windows are two apart
    int64_t wide_, side_;   // of what a tile takes in, and of its results
    int64_t tile_step_;     // from what a tile takes in to what the next does
    int64_t short_wide_, short_side_;  // as wide_ and side_, of the last tiles
    bool short_down_ = false, short_along_ = false;  // whether the last ones are
    int64_t positions_;
    const WinogradWindows& windows_;
    const WinogradTransforms& transforms_;
    WinogradTile whole_;
    WinogradLast last_{};
    std::vector<Factor> factors_;            // of the transformed kernel
    int64_t across_, per_image_, tiles_;     // tiles side by side, of an image, of all images
    int64_t task_tiles_, tasks_, partials_;  // partials: sums of the kernel's gradient that threads may work on at once
    int64_t panels_;                         // of a group
    int64_t block_panels_;                   // of all groups, at a time
    bool shared_kernel_;                     // it is transformed once; else a block's is for each task, which takes less memory
    int64_t image_row_, result_row_;         // numbers from one tile to the next, or from two to the next two
    int64_t image_step_, result_step_, kernel_step_;  // from one position to the next
    int64_t copied_tiles_, copied_numbers_;  // of an image at a time
    Places single_, row_, column_, square_;
    std::vector<int64_t> channel_offsets_;
};

}  // namespace preceptor
