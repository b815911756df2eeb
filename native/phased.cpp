#include <algorithm>

#include "convolution.h"

namespace preceptor {

namespace {

constexpr int64_t least_channels = 8;  // of an image's group: fewer fill a small part of a vector

// Along one axis, of the places that leave a certain remainder.
struct Class {
    int64_t remainder, taps;  // the taps are remainder, remainder + stride, ...
    int64_t first, places;    // the first of the places, and how many there are
    int64_t before;           // of a convolution of g by the taps
};

std::vector<Class> classes_of(const Convolution& c, size_t axis) {
    std::vector<Class> found;
    const int64_t stride = c.stride[axis];
    for (int64_t r = 0; r < stride; ++r) {
        const int64_t first = ((r - c.before[axis]) % stride + stride) % stride;
        const int64_t taps = divide_up(std::max<int64_t>(c.size[axis] - r, 0), stride);
        const int64_t places = divide_up(std::max<int64_t>(c.in[axis] - first, 0), stride);
        found.push_back({r, taps, first, places, taps - 1 - (first + c.before[axis] - r) / stride});
    }
    return found;
}

}  // namespace

bool PhasedGradient::is_for(const Convolution& c, Role role) {
    using Space = Convolution::Space;
    if (role != Role::input || c.stride == Space{1, 1, 1} || c.dilation != Space{1, 1, 1}) return false;
    return c.group_in() >= least_channels && c.batch * c.in_space() * c.out_space() > 0;
}

PhasedGradient::PhasedGradient(const Convolution& convolution) : c_(height_first(convolution)) {
    const std::vector<Class> classes[] = {classes_of(c_, 0), classes_of(c_, 1), classes_of(c_, 2)};
    for (const Class& a : classes[0]) {
        for (const Class& b : classes[1]) {
            for (const Class& c : classes[2]) {
                Convolution phase = c_;
                std::swap(phase.channels_in, phase.channels_out);
                phase.in = c_.out;
                phase.out = {a.places, b.places, c.places};
                phase.size = {a.taps, b.taps, c.taps};
                phase.stride = {1, 1, 1};
                phase.before = {a.before, b.before, c.before};
                if (phase.out_space() == 0) continue;
                WindowedProduct::Phase places{{}, {a.first, b.first, c.first}, c_.stride, c_.in};
                if (phase.taps() == 0) {
                    empty_.emplace_back(std::move(places), phase.out);
                    continue;
                }
                for (int64_t i = a.taps; i-- > 0;) {
                    for (int64_t j = b.taps; j-- > 0;) {
                        for (int64_t k = c.taps; k-- > 0;) {
                            const int64_t line = (a.remainder + i * c_.stride[0]) * c_.size[1] + b.remainder + j * c_.stride[1];
                            places.taps.push_back(line * c_.size[2] + c.remainder + k * c_.stride[2]);
                        }
                    }
                }
                products_.emplace_back(phase, std::move(places));
            }
        }
    }
}

size_t PhasedGradient::scratch_bytes(int threads) const {
    size_t most = 0;
    for (const WindowedProduct& each : products_) most = std::max(most, each.scratch_bytes(threads));
    return most;
}

// Zeros at places that no tap reaches.
void PhasedGradient::clear(const WindowedProduct::Phase& phase, const Convolution::Space& places, float* dx,
                           int threads) const {
    if (c_.batch * places[0] * places[1] * places[2] * c_.channels_in < parallel_work) threads = 1;
    for_each_index(c_.batch * places[0], threads, [&](int64_t index, int) {
        const int64_t line = index / places[0] * c_.in[0] + phase.first[0] + index % places[0] * phase.step[0];
        for (int64_t j = 0; j < places[1]; ++j) {
            for (int64_t k = 0; k < places[2]; ++k) {
                const int64_t row = line * c_.in[1] + phase.first[1] + j * phase.step[1];
                std::fill_n(dx + (row * c_.in[2] + phase.first[2] + k * phase.step[2]) * c_.channels_in, c_.channels_in,
                            0.0f);
            }
        }
    });
}

void PhasedGradient::run(const float* g, const float* kernel, float* dx, const Ending&, int threads,
                         char* scratch) const {
    for (const auto& [phase, places] : empty_) clear(phase, places, dx, threads);
    for (const WindowedProduct& each : products_) each.run(g, kernel, dx, {}, threads, scratch);
}

}  // namespace preceptor
