#include "convolution.h"

namespace preceptor {

namespace {

// Measured, of the kernel's gradient: sums over more places are faster in pieces, and few channels in do not repay packing.
constexpr int64_t most_places = 1024, least_channels = 192;
constexpr int64_t sharing = 1024;  // numbers of a row: a product copies rows a multiple of it apart, which takes memory

Gemm product_of(const Convolution& c, Role role) {
    const int64_t places = c.batch * c.in_space(), ins = c.channels_in, outs = c.channels_out;
    switch (role) {
        case Role::forward: return {1, places, outs, ins, {0, ins, 1}, {0, outs, 1}, {0, outs, 1}, 0};
        case Role::input: return {1, places, ins, outs, {0, outs, 1}, {0, 1, outs}, {0, ins, 1}, 0};
        default: return {1, ins, outs, places, {0, 1, ins}, {0, outs, 1}, {0, outs, 1}, 0};
    }
}

}  // namespace

bool SinglePlaces::is_for(const Convolution& c, Role role) {
    using Space = Convolution::Space;
    if (c.groups > 1 || c.taps() > 1 || c.in != c.out) return false;
    if (c.stride != Space{1, 1, 1} || c.before != Space{0, 0, 0} || c.batch * c.in_space() == 0) return false;
    if (role == Role::kernel) return c.batch * c.in_space() <= most_places && c.channels_in >= least_channels;
    return (role == Role::forward ? c.channels_in : c.channels_out) % sharing != 0;
}

SinglePlaces::SinglePlaces(const Convolution& convolution, Role role) : product_(product_of(convolution, role)) {}

size_t SinglePlaces::scratch_bytes(int threads) const { return product_.scratch_bytes(threads); }

void SinglePlaces::run(const float* first, const float* second, float* result, const Ending& ending, int threads,
                       char* scratch) const {
    product_.run(first, second, result, ending.bias, ending.relu, threads, scratch);
}

}  // namespace preceptor
