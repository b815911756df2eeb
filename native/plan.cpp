#include "plan.h"

#include "threads.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <unordered_map>

namespace preceptor {

namespace {

constexpr size_t HUGE_PAGE = size_t(2) << 20;

std::string mebibytes(int64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

Pages::Pages(int64_t bytes, const char* purpose) {
    const int64_t present = int64_t(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
    if (bytes < 0 || bytes > present) {  // the system would promise them and kill the process later
        throw OutOfMemory(std::string(purpose) + ": needs " + mebibytes(bytes) + "; this machine has " +
                          mebibytes(present) + ". Make the batch or the model smaller.");
    }
    if (bytes == 0) return;
    const bool huge = size_t(bytes) >= 2 * HUGE_PAGE;
    mapped_size_ = size_t(bytes) + (huge ? HUGE_PAGE : 0);
    mapped_ = mmap(nullptr, mapped_size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped_ == MAP_FAILED) {
        mapped_ = nullptr;
        throw OutOfMemory(std::string(purpose) + ": the system refused " + mebibytes(bytes) +
                          ". Make the batch or the model smaller, or free memory.");
    }
    data_ = static_cast<char*>(mapped_);
    size_ = size_t(bytes);
    if (huge) {
        data_ = reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(mapped_) + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
        madvise(data_, size_, MADV_HUGEPAGE);  // a wish: refusal costs speed only
    }
}

Pages::~Pages() {
    if (mapped_) munmap(mapped_, mapped_size_);
}

Plan::Plan(int64_t arena_bytes, int segments, int threads)
    : arena_(std::make_shared<Pages>(arena_bytes, "memory of the plan")), segments_(segments), threads_(threads) {
    if (segments < 1) throw std::invalid_argument("a plan has at least one segment, its own memory");
    if (threads < 1 || threads > 4096) throw std::invalid_argument("a plan runs on 1 to 4,096 threads");
}

void Plan::add(Made instruction) {
    if (running_ == forks()) throw std::runtime_error("the plan is running; add instructions before");
    instructions_.push_back(std::move(instruction));
}

void Plan::add(const std::string& kind, const int64_t* begin, size_t count) {
    static const std::unordered_map<std::string, Made (*)(Words&)> makers = {
        {"tiles", make_tiles},
        {"matmul", make_matmul},
        {"convolution", make_convolution},
        {"copy", make_copy},
        {"take", make_take},
        {"gather_sum", make_gather_sum},
        {"scatter_add", make_scatter_add},
        {"random_bits", make_random_bits},
        {"fold_in", make_fold_in},
        {"window", make_window},
    };
    const auto maker = makers.find(kind);
    if (maker == makers.end()) throw std::invalid_argument("no kind of instruction is called '" + kind + "'");
    Words words(begin, count);
    Made made = maker->second(words);
    words.finish();
    add(std::move(made));
}

size_t Plan::scratch_bytes() const {
    size_t most = 0;
    for (const auto& each : instructions_) most = std::max(most, each->scratch_bytes(threads_));
    return most;
}

void Plan::reserve() {
    if (scratch_.size() < scratch_bytes()) scratch_ = Pages(int64_t(scratch_bytes()), "scratch memory of the plan");
}

template <class Step>
int64_t Plan::repeat(
    const std::vector<int64_t>& addresses, const std::vector<int64_t>& strides, int64_t steps, Step&& step) {
    const size_t others = size_t(segments_ - 1);
    if (addresses.size() != others || strides.size() != others) {
        throw std::invalid_argument("the plan has " + std::to_string(others) + " segments besides its own; received " +
                                    std::to_string(addresses.size()) + " addresses and " +
                                    std::to_string(strides.size()) + " strides");
    }
    if (running_.exchange(forks()) == forks()) throw std::runtime_error("the plan is already running in another thread");
    struct Running {
        std::atomic<int>& in;
        ~Running() { in = -1; }
    } until_the_end{running_};
    cancelled_ = false;
    done_ = 0;
    reserve();

    std::vector<char*> bases{arena_->data()};
    for (const int64_t address : addresses) bases.push_back(reinterpret_cast<char*>(address));
    const Context context{bases.data(), threads_, scratch_.data()};
    while (done() < steps && !cancelled_.load(std::memory_order_relaxed)) {
        step(context);
        for (size_t s = 0; s < others; ++s) bases[s + 1] += strides[s];
        done_.store(done() + 1, std::memory_order_relaxed);
    }
    return done();
}

int64_t Plan::run(const std::vector<int64_t>& addresses, const std::vector<int64_t>& strides, int64_t steps) {
    return repeat(addresses, strides, steps, [&](const Context& context) {
        for (const auto& each : instructions_) each->run(context);
    });
}

std::vector<double> Plan::profile(
    const std::vector<int64_t>& addresses, const std::vector<int64_t>& strides, int64_t steps) {
    std::vector<double> seconds(instructions_.size());
    repeat(addresses, strides, steps, [&](const Context& context) {
        auto before = std::chrono::steady_clock::now();
        for (size_t i = 0; i < instructions_.size(); ++i) {
            instructions_[i]->run(context);
            const auto after = std::chrono::steady_clock::now();
            seconds[i] += std::chrono::duration<double>(after - before).count();
            before = after;
        }
    });
    return seconds;
}

}  // namespace preceptor
