// A plan: its own memory and a list of instructions, run step after step.
#pragma once

#include "instruction.h"

#include <atomic>
#include <new>

namespace preceptor {

class OutOfMemory : public std::bad_alloc {
  public:
    explicit OutOfMemory(std::string text) : text_(std::move(text)) {}
    const char* what() const noexcept override { return text_.c_str(); }

  private:
    std::string text_;
};

// Zeroed pages straight from the system, aligned to 64 bytes and more; large blocks ask for huge pages.
class Pages {
  public:
    Pages() = default;
    Pages(int64_t bytes, const char* purpose);  // OutOfMemory where they cannot be had
    ~Pages();
    Pages(Pages&& other) noexcept { swap(other); }
    Pages& operator=(Pages&& other) noexcept {
        swap(other);
        return *this;
    }

    char* data() const { return data_; }
    size_t size() const { return size_; }

  private:
    void swap(Pages& other) {
        std::swap(mapped_, other.mapped_);
        std::swap(mapped_size_, other.mapped_size_);
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
    }

    void* mapped_ = nullptr;
    size_t mapped_size_ = 0;
    char* data_ = nullptr;
    size_t size_ = 0;
};

class Plan {
  public:
    Plan(int64_t arena_bytes, int segments, int threads);

    void add(Made instruction);
    void add(const std::string& kind, const int64_t* words, size_t count);

    // Runs all instructions `steps` times. Segment s > 0 lies at addresses[s - 1], and strides[s - 1] bytes further
    // with each step. Returns the steps done: fewer than asked for where another thread has called cancel().
    int64_t run(const std::vector<int64_t>& addresses, const std::vector<int64_t>& strides, int64_t steps);

    // The same; seconds of each instruction, summed over the steps.
    std::vector<double> profile(const std::vector<int64_t>& addresses, const std::vector<int64_t>& strides,
                                int64_t steps);

    int64_t done() const { return done_.load(std::memory_order_relaxed); }  // steps since run() began
    void cancel() { cancelled_.store(true, std::memory_order_relaxed); }    // has no effect before run() has begun

    std::shared_ptr<Pages> arena() const { return arena_; }  // shared with the views of it, which may outlive the plan
    size_t scratch_bytes() const;
    void reserve();  // takes the scratch memory, if no run has

  private:
    template <class Step>
    int64_t repeat(const std::vector<int64_t>& addresses, const std::vector<int64_t>& strides, int64_t steps,
                   Step&& step);

    const std::shared_ptr<Pages> arena_;
    Pages scratch_;
    const int segments_, threads_;
    std::vector<Made> instructions_;
    std::atomic<int64_t> done_{0};
    std::atomic<bool> cancelled_{false};
    std::atomic<int> running_{-1};  // forks() of the process in which it runs: what ran at a fork, runs in the parent only
};

}  // namespace preceptor
