// What a convolution is, and our own way to compute it.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "blocks.h"
#include "gemm.h"
#include "kernels.h"
#include "threads.h"

namespace preceptor {

enum class Role : int { forward = 0, input = 1, kernel = 2 };

// Channels last; kernels (*size, channels in of a group, channels out). Space has one to three axes; those that are
// missing come first, with length 1.
struct Convolution {
    using Space = std::array<int64_t, 3>;

    int64_t batch, groups, channels_in, channels_out;
    Space in, out, size, stride, before, dilation;

    int64_t group_in() const { return channels_in / groups; }
    int64_t group_out() const { return channels_out / groups; }
    int64_t taps() const { return size[0] * size[1] * size[2]; }
    int64_t in_space() const { return in[0] * in[1] * in[2]; }
    int64_t out_space() const { return out[0] * out[1] * out[2]; }
    int64_t kernel_count() const { return taps() * group_in() * channels_out; }
};

// A gradient of the input as the forward convolution that it is, of g, where the stride is 1: with the kernel turned
// round and its channels exchanged.
Convolution gradient_as_forward(const Convolution& c);

// Tasks are rows along the first axis, so that of an image this is its height.
Convolution height_first(Convolution c);

// Channels out of a group, from `column` on, as a panel: for each tap and channel in, neighbouring channels out. Where
// flipped, c is a gradient as a forward convolution, and the kernel that of the convolution itself.
void pack_kernel_panel(const Convolution& c, const float* kernel, bool flipped, int64_t group, int64_t column,
                       float* panel);

// Groups of few channels out would fill small parts of vectors. Spread, each place holds for each channel in of a group
// what it is in the group of each channel out: all channels out then lie side by side, each with factors of its own.
// Measured: with more channels in to a group, spreading costs more than it gains.
bool has_small_groups(const Convolution& c);
bool is_spread(const Convolution& c);  // as it lies, for groups have one channel in and out
void spread_groups(const Convolution& c, const float* from, int64_t places, float* to);  // and up to 3 numbers beyond

// How many sums of the kernel's gradient threads may work on at once: a fixed number, and these are added in order, so
// that the bits do not depend on the number of threads.
int64_t count_partials(const Convolution& c, int64_t tasks);

// Into how many parts the panels of each item of work are cut where items are too few for the threads.
int64_t count_cuts(int64_t items, int64_t panels, int threads);

// Adds sums that lie `step` apart to the result, in order.
void add_partials(const float* partials, int64_t step, int64_t partial_count, float* result, int64_t count,
                  int threads);

// What is done to the numbers of a forward convolution before they are written, in this order.
struct Ending {
    const float* bias = nullptr;    // a number for each channel out is added, where not null
    const float* beside = nullptr;  // then as many numbers as the result has
    bool relu = false;              // what is below 0 becomes 0
    float limit = 0;                // what is above it becomes the limit, where that is not 0
};

// One of our own ways to compute a convolution.
class OwnMethod {
  public:
    virtual ~OwnMethod() = default;
    virtual size_t scratch_bytes(int threads) const = 0;
    // Whether `beside` and `limit` are heeded; else they must be left out.
    virtual bool ends_itself() const { return false; }
    // forward: (x, kernel) -> y; input: (g, kernel) -> dx; kernel: (x, g) -> dkernel. An ending: forward only.
    virtual void run(const float* first, const float* second, float* result, const Ending& ending, int threads,
                     char* scratch) const = 0;

  protected:
    struct Arguments {
        const float *first, *second;
        float* result;
        Ending ending;
        bool past_caches = false;
    };
};

// Images are copied into a padded buffer, some at a time. There a window lies at one offset and each of its entries at
// another, and so the windows are the rows of a product with the kernel; for the gradient of the kernel its columns.
// Any sizes, strides, dilations and groups; gradients of the input with stride 1 only, or a phase of them.
class WindowedProduct : public OwnMethod {
  public:
    // Of a gradient of the input by windows that lie apart, the places at which some of the taps reach: a convolution of g
    // by those.
    struct Phase {
        std::vector<int64_t> taps;               // of the kernel: which each entry of a window is
        Convolution::Space first, step, length;  // the places, and what they are of
    };

    WindowedProduct(const Convolution& convolution, Role role);
    WindowedProduct(const Convolution& convolution, Phase phase);

    size_t scratch_bytes(int threads) const override;
    bool ends_itself() const override { return true; }
    void run(const float* first, const float* second, float* result, const Ending& ending, int threads,
             char* scratch) const override;

  private:
    struct Task {
        int64_t image, images, row, rows;
    };

    WindowedProduct(const Convolution& convolution, bool flipped, bool for_kernel, Phase phase);
    int64_t shared_count() const;
    int64_t own_count() const;
    Task task(int64_t index) const;
    int64_t result_place(const Task& task) const;
    void fill_padded(const float* x, const Task& task, float* padded) const;
    int64_t channel(int64_t panel) const;
    int64_t columns(int64_t panel) const;
    void pack_kernel(const float* kernel, int threads, float* packed) const;
    void run_windows(const Arguments& given, const float* packed, const Task& task, Range part,
                     float* padded) const;
    void run_kernel(const Arguments& given, float* sum, bool accumulate, const Task& task, Range part,
                    float* scratch) const;

    const Kernels& kernels_;
    Convolution c_;  // of the forward kind: the gradient of the input is a forward convolution of g
    bool flipped_;   // kernels are turned round, and their channels exchanged
    bool for_kernel_;
    Phase phase_;
    bool each_;      // the buffer is spread; channels out side by side, whatever their group
    int64_t place_;  // numbers of a place in the padded buffer

    int64_t images_ = 1, rows_ = 1;  // of a task: several whole images, or some rows of one
    int64_t image_tasks_ = 0, row_tasks_ = 0;
    int64_t panels_ = 0;             // of all groups; one has channels of several groups only where each_
    int64_t padded_image_ = 0;       // numbers
    Convolution::Space padded_{};    // lengths of the padded buffer; the first axis: of the rows of a task
    std::vector<int64_t> windows_;   // offset of each window of a task
    std::vector<int64_t> entries_;   // offset within a window of each entry of the kernel
    std::vector<int64_t> results_;   // of a phase: where the result of each window lies
    int64_t partials_ = 0;
};

// Windows of single places of an image without padding: the product of a matrix as it lies.
class SinglePlaces : public OwnMethod {
  public:
    static bool is_for(const Convolution& convolution, Role role);
    SinglePlaces(const Convolution& convolution, Role role);

    size_t scratch_bytes(int threads) const override;
    void run(const float* first, const float* second, float* result, const Ending& ending, int threads,
             char* scratch) const override;

  private:
    Gemm product_;
};

// The gradient of the input by windows that lie apart. Which taps reach a place hangs on its number along each axis modulo
// the stride: for each such phase the gradient is a convolution of g by the taps of the phase. Nothing is multiplied by
// the zeros between the entries of g, and each number is written once.
class PhasedGradient : public OwnMethod {
  public:
    static bool is_for(const Convolution& convolution, Role role);
    explicit PhasedGradient(const Convolution& convolution);

    size_t scratch_bytes(int threads) const override;
    void run(const float* first, const float* second, float* result, const Ending& ending, int threads,
             char* scratch) const override;

  private:
    void clear(const WindowedProduct::Phase& phase, const Convolution::Space& places, float* dx, int threads) const;

    Convolution c_;
    std::vector<WindowedProduct> products_;
    std::vector<std::pair<WindowedProduct::Phase, Convolution::Space>> empty_;  // places that no tap reaches
};

// The gradient of the input of depthwise windows that lie apart, in two dimensions at most and without dilation. Which
// taps reach a place hangs on its row and column modulo the strides: for each such class the gradient is a convolution of
// g, by the taps of the class, whose results lie a stride apart. Each number is written once, and no zero is multiplied
// but those around g.
class DepthwiseGradient : public OwnMethod {
  public:
    static bool is_for(const Convolution& convolution, Role role);
    explicit DepthwiseGradient(const Convolution& convolution);

    size_t scratch_bytes(int threads) const override;
    void run(const float* first, const float* second, float* result, const Ending& ending, int threads,
             char* scratch) const override;

  private:
    // Along one axis, of the places that leave a certain remainder: the taps are remainder, remainder + stride, ...
    struct Class {
        int64_t taps;
        int64_t place, places;  // the first of them, and how many there are
        int64_t from;           // the place of g under the first tap at the first place
    };

    void fill_padded(const float* g, int64_t first_row, int64_t rows, float* padded) const;
    void run_row(int64_t row, const float* packed, const float* padded, int64_t first_row, bool past, float* dx) const;
    void pack(const float* kernel, float* packed) const;
    int64_t first_row(int64_t row) const;  // of g that a row needs

    const Kernels& kernels_;
    Convolution c_;
    int64_t panels_, height_ = 1;  // rows of an image at once
    int64_t left_, line_;          // zeros before each line of g, and the numbers of a padded one
    int64_t own_rows_ = 0;         // lines of g for so many rows
    std::vector<Class> rows_, columns_;         // by remainder
    std::vector<int64_t> starts_;               // of each pair of classes, in the packed kernel
    std::vector<int64_t> places_;               // offsets of neighbouring places
    std::vector<std::vector<int64_t>> entries_; // of each pair: offsets of its taps
};

// The gradient of the input as products of g with the whole kernel, whose numbers are added where they belong: where
// windows lie apart it multiplies what there is and no more, and where channels in are few taps fill the vectors.
class ScatteredProduct : public OwnMethod {
  public:
    static bool is_for(const Convolution& convolution, Role role);
    explicit ScatteredProduct(const Convolution& convolution);

    size_t scratch_bytes(int threads) const override;
    void run(const float* first, const float* second, float* result, const Ending& ending, int threads,
             char* scratch) const override;

  private:
    // Some channels in of a group; of one image they are one piece of work.
    struct Block {
        int64_t group, channel, channels;
        int64_t packed;  // where its part of the packed kernel begins
    };
    struct Image {
        const float* g;
        float* dx;
    };

    int64_t panel_step(const Block& block) const;
    void pack_block(const Block& block, const float* kernel, float* packed) const;
    void pack_spread(const float* kernel, float* packed) const;
    void run_block(const Block& block, const Image& image, const float* packed, float* products) const;
    void run_spread(Range blocks, const Image& image, const float* packed, float* spread) const;
    void scatter(const Block& block, const float* from, int64_t from_step, const float* scale, Range places,
                 float* dx) const;

    const Kernels& kernels_;
    Convolution c_;
    bool each_;  // g is spread, and products are made as they are added; blocks are of channels of all groups
    int64_t places_ = 0;        // of g at once
    int64_t own_count_ = 0;     // numbers of their products, or of them spread
    int64_t packed_count_ = 0;
    std::vector<Block> blocks_;
    std::vector<int64_t> place_offsets_, channel_offsets_;
};

}  // namespace preceptor
