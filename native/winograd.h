// Convolutions of 3 x 3 and 5 x 5 windows with fewer multiplications: 36 for each tile of 4 x 4 or 2 x 2 results, where
// the sums of the windows take 144 or 100. Lavin and Gray (2016), https://arxiv.org/abs/1509.09308.
#pragma once

#include <vector>

#include "convolution.h"

namespace preceptor {

// Tiles of the image are transformed into 36 numbers a channel, the kernel likewise; each of the 36 is a product over
// the channels of its own, and the results are transformed back. Some tiles at a time, so that all stays in the cache.
class Winograd : public OwnMethod {
  public:
    // Whether it can do a convolution, and does it in less time than WindowedProduct.
    static bool is_for(const Convolution& convolution, Role role);

    Winograd(const Convolution& convolution, Role role);

    size_t scratch_bytes(int threads) const override;
    bool ends_itself() const override { return true; }
    void run(const float* first, const float* second, float* result, const Ending& ending, int threads,
             char* scratch) const override;

  private:
    int paying(int threads) const;
    int64_t cuts(int threads) const;
    int64_t kernel_panel() const;
    int64_t shared_count() const;
    int64_t own_count(int threads) const;
    Range channels_of(int64_t panel) const;
    Range channels_of(Range panels) const;
    void transform_kernel(const float* kernel, int threads, float* own, float* to) const;
    int64_t own_tiles() const;
    template <class Function>
    void for_rows(Range tiles, Function&& function) const;
    void copy_part(const float* image, const Convolution::Space& space, int64_t channels, int64_t row, int64_t column,
                   int64_t rows, int64_t columns, float* to) const;
    void transform_images(const float* x, Range tiles, float* copied, float* to) const;
    void transform_gradients(const float* g, Range tiles, Range channels, float* copied, float* to) const;
    void run_tiles(const Arguments& given, const float* kernel, Range tiles, Range panels, float* scratch) const;
    void add_kernel_gradient(const Arguments& given, Range tiles, Range panels, bool first, float* scratch) const;
    void finish_kernel_gradient(Range panels, const float* sums, float* gradient) const;

    const Kernels& kernels_;
    Convolution c_;  // of the forward kind: the gradient of the input is a forward convolution of g
    bool flipped_, for_kernel_;
    int64_t side_;  // of a tile's results
    const WinogradTransforms& transforms_;
    int64_t across_, per_image_, tiles_;     // tiles side by side, of an image, of all images
    int64_t task_tiles_, tasks_, partials_;  // partials: sums of the kernel's gradient that threads may work on at once
    int64_t panels_;                         // of a group
    int64_t image_row_, result_row_;         // numbers from one tile to the next
    int64_t image_step_, result_step_;       // from one position to the next
    int64_t copied_tiles_, copied_numbers_;  // of an image at a time
    std::vector<int64_t> tile_offsets_, channel_offsets_;
};

}  // namespace preceptor
