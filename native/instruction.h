// What all kernels share: a plan is a list of instructions, each made once from a row of integers and then run many times.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace preceptor {

// Where an array lies: a segment (0 is the plan's own memory, others are given with each run) and bytes from its start.
struct Ref {
    int32_t segment = -1;
    int64_t offset = 0;

    explicit operator bool() const { return segment >= 0; }
};

// What an instruction may read while it runs.
struct Context {
    char* const* bases;  // start of each segment in this step
    int threads;
    char* scratch;  // as many bytes as the instruction said it needs, aligned to 64; undefined contents

    template <class T>
    T* at(Ref ref) const {
        return reinterpret_cast<T*>(bases[ref.segment] + ref.offset);
    }
};

class Instruction {
  public:
    virtual ~Instruction() = default;
    virtual void run(const Context& context) const = 0;
    virtual size_t scratch_bytes(int threads) const { (void)threads; return 0; }
};

// Reads the integers that describe an instruction, in order.
class Words {
  public:
    Words(const int64_t* begin, size_t count) : at_(begin), end_(begin + count) {}

    int64_t next() {
        if (at_ == end_) throw std::invalid_argument("an instruction has too few words");
        return *at_++;
    }
    int narrow() { return static_cast<int>(next()); }
    bool flag() { return next() != 0; }
    float real() {  // the bits of a float32
        const auto bits = static_cast<uint32_t>(next());
        float value;
        std::memcpy(&value, &bits, sizeof value);
        return value;
    }
    Ref ref() {  // segment in the upper 16 bits, -1 for none
        const int64_t word = next();
        if (word < 0) return {};
        return {static_cast<int32_t>(word >> 48), word & ((int64_t(1) << 48) - 1)};
    }
    std::vector<int64_t> list() {  // its length comes first
        std::vector<int64_t> values(static_cast<size_t>(next()));
        for (auto& value : values) value = next();
        return values;
    }
    void finish() const {
        if (at_ != end_) throw std::invalid_argument("an instruction has too many words");
    }

  private:
    const int64_t *at_, *end_;
};

enum class Type : int { f32 = 0, i32 = 1, u32 = 2, boolean = 3, bf16 = 4, u8 = 5, i8 = 6, i16 = 7, u16 = 8 };

using Made = std::unique_ptr<Instruction>;

// One maker for each kind of instruction; what their words are is said where they are defined.
Made make_tiles(Words& words);               // tile.cpp
Made make_matmul(Words& words);              // product.cpp
Made make_convolution(Words& words);         // product.cpp
Made make_copy(Words& words);                // movement.cpp
Made make_take(Words& words);                // movement.cpp
Made make_scatter_add(Words& words);         // movement.cpp
Made make_gather_sum(Words& words);          // movement.cpp
Made make_random_bits(Words& words);         // random.cpp
Made make_fold_in(Words& words);             // random.cpp
Made make_window(Words& words);              // window.cpp

}  // namespace preceptor
