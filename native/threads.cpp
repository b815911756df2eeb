#include "threads.h"

#include <immintrin.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace preceptor {

namespace {

// How long a thread turns on the spot before it sleeps: some 0.1 ms, as the next loop of a plan comes sooner as a rule.
// Longer, and on a machine with other work it would take the time from the very thread that it waits for.
constexpr uint64_t spin_cycles = 300'000;
constexpr size_t stack_bytes = size_t(2) << 20;  // of a worker; the system's own choice is 8 MiB

std::atomic<int> fork_count{0};

const int registered = pthread_atfork(nullptr, nullptr, [] { fork_count.fetch_add(1, std::memory_order_relaxed); });

int count_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                       : std::max(1u, std::thread::hardware_concurrency());
}

// Turns until a condition holds; false where it has not come within the time.
template <class Condition>
bool spin(uint64_t cycles, Condition&& holds) {
    for (const uint64_t begin = __rdtsc();;) {
        if (holds()) return true;
        if (__rdtsc() - begin >= cycles) return false;
        _mm_pause();
    }
}

// The thread that owns it and workers. `state_` holds the number of the work in its upper half, odd while it may be
// joined, and how many workers have joined it in the lower one. The owner takes part, closes the work when no index is
// left, and waits for those that have joined; a worker that wakes up too late finds it closed.
class Team {
  public:
    Team() = default;
    ~Team() {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            ending_ = true;
        }
        started_.notify_all();
        for (const pthread_t worker : workers_) pthread_join(worker, nullptr);
    }
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    bool is_alive() const { return born_ == forks(); }

    void run(const Work& work) {
        grow(work.threads - 1);
        work_ = work;
        next_.store(0, std::memory_order_relaxed);
        state_.fetch_add(one_work);
        if (sleeping_.load() > 0) {
            { const std::lock_guard<std::mutex> lock(mutex_); }
            started_.notify_all();
        }
        take(0);
        state_.fetch_add(one_work);
        const auto all_left = [&] { return joined(state_.load()) == 0; };
        if (spin(spin_cycles_, all_left)) return;
        std::unique_lock<std::mutex> lock(mutex_);
        waiting_ = true;
        finished_.wait(lock, all_left);
        waiting_ = false;
    }

  private:
    static constexpr uint64_t one_work = uint64_t(1) << 32;
    static constexpr int64_t few = 64;  // indices, of which each thread takes its own number first

    static uint32_t number(uint64_t state) { return static_cast<uint32_t>(state >> 32); }
    static uint32_t joined(uint64_t state) { return static_cast<uint32_t>(state); }

    struct Start {
        Team* team;
        int thread;
    };

    // Where the system grants fewer threads, those that are there do the work.
    void grow(int workers) {
        if (static_cast<int>(workers_.size()) >= workers || refused_) return;
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, stack_bytes);
        sigset_t all, before;  // signals are for the threads that the user knows of
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        while (static_cast<int>(workers_.size()) < workers && !refused_) {
            auto start = std::make_unique<Start>(Start{this, static_cast<int>(workers_.size()) + 1});
            pthread_t made;
            refused_ = pthread_create(&made, &attributes, &begin, start.get()) != 0;
            if (refused_) break;
            start.release();
            workers_.push_back(made);
        }
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        pthread_attr_destroy(&attributes);
        // More threads than cores take the time from each other: they sleep at once.
        spin_cycles_ = static_cast<int>(workers_.size()) < count_cores() ? spin_cycles : 0;
    }

    static void* begin(void* given) {
        const std::unique_ptr<Start> start(static_cast<Start*>(given));
        start->team->serve(start->thread);
        return nullptr;
    }

    void serve(int thread) {
        uint32_t seen = 0;
        for (;;) {
            uint64_t state;
            const auto is_called = [&] {
                state = state_.load();
                return ending_.load(std::memory_order_relaxed) || (number(state) % 2 == 1 && number(state) != seen);
            };
            if (!spin(spin_cycles_, is_called)) {
                std::unique_lock<std::mutex> lock(mutex_);
                sleeping_.fetch_add(1);
                started_.wait(lock, is_called);
                sleeping_.fetch_sub(1);
            }
            if (ending_.load(std::memory_order_relaxed)) return;
            if (!state_.compare_exchange_strong(state, state + 1)) continue;
            seen = number(state);
            if (thread < work_.threads) take(thread);
            if (joined(state_.fetch_sub(1)) == 1 && waiting_.load()) {
                { const std::lock_guard<std::mutex> lock(mutex_); }
                finished_.notify_all();
            }
        }
    }

    void take(int thread) {
        const Work work = work_;
        if (work.count > few) {
            for (uint64_t i; (i = next_.fetch_add(1)) < static_cast<uint64_t>(work.count);) {
                work.call(work.function, static_cast<int64_t>(i), thread);
            }
            return;
        }
        // What a thread did in one loop it does in the next, where it is in time: so it finds its own cache filled.
        const uint64_t all = ~uint64_t(0) >> (few - work.count);
        uint64_t taken = next_.load();
        for (uint64_t mine = uint64_t(thread < work.count) << thread % few; taken != all;) {
            if ((taken & mine) || mine == 0) mine = (taken + 1) & ~taken;  // the first that is free
            if (!next_.compare_exchange_weak(taken, taken | mine)) continue;
            work.call(work.function, __builtin_ctzll(mine), thread);
            taken = next_.load();
        }
    }

    const int born_ = forks();
    std::vector<pthread_t> workers_;
    bool refused_ = false;
    Work work_{};
    std::atomic<uint64_t> spin_cycles_{spin_cycles};
    alignas(64) std::atomic<uint64_t> state_{0};
    alignas(64) std::atomic<uint64_t> next_{0};  // the next index; of few the set of those that are taken
    alignas(64) std::atomic<int> sleeping_{0};
    std::atomic<bool> ending_{false}, waiting_{false};
    std::mutex mutex_;
    std::condition_variable started_, finished_;
};

// In a forked child the parent's team is forgotten, not ended: its threads are not there to be waited for.
struct Owned {
    std::unique_ptr<Team> team;

    ~Owned() {
        if (team && !team->is_alive()) static_cast<void>(team.release());
    }
    Team& get() {
        if (team && !team->is_alive()) static_cast<void>(team.release());
        if (!team) team = std::make_unique<Team>();
        return *team;
    }
};

}  // namespace

int forks() { return fork_count.load(std::memory_order_relaxed); }

void run_on_team(const Work& work) {
    static thread_local Owned owned;
    owned.get().run(work);
}

}  // namespace preceptor
