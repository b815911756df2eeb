// "random_bits": key ref, count, bits, destination ref; "fold_in": key ref, number ref, its type, destination ref.
// The bits are those of ops/random.py: Threefry-2x32 with 20 rounds, of a counter.
#include "instruction.h"
#include "kernels.h"
#include "threads.h"

namespace preceptor {

namespace {

constexpr int64_t parallel_count = 1 << 15;  // words: some 20 us of one core

class RandomBits final : public Instruction {
  public:
    explicit RandomBits(Words& words) {
        key_ = words.ref();
        count_ = words.next();
        bits_ = words.narrow();
        to_ = words.ref();
        words.finish();
        if (count_ < 0 || bits_ < 1 || bits_ > 32) {
            throw std::invalid_argument("random_bits: a count from 0 on and 1 to 32 bits are required");
        }
    }

    // Words i and i + half come from the counter (i, 0); of an odd count the last second word is left out.
    void run(const Context& context) const override {
        const auto* key = context.at<uint32_t>(key_);
        auto* first = context.at<uint32_t>(to_);
        const int64_t half = (count_ + 1) / 2, whole = count_ / 2;
        uint32_t* second = first + half;
        const Kernels& compiled = kernels();
        const int parts = count_ < parallel_count ? 1 : context.threads;
        on_threads(parts, [&](int part) {
            const auto range = Range::part(whole, part, parts);
            compiled.encrypt(key, uint32_t(range.begin), 0, range.end - range.begin, 32 - bits_, first + range.begin,
                             second + range.begin);
        });
        if (half > whole) {
            uint32_t beyond;
            compiled.encrypt(key, uint32_t(whole), 0, 1, 32 - bits_, first + whole, &beyond);
        }
    }

  private:
    Ref key_, to_;
    int64_t count_;
    int bits_;
};

class FoldIn final : public Instruction {
  public:
    explicit FoldIn(Words& words) {
        key_ = words.ref();
        number_ = words.ref();
        type_ = words.narrow();
        to_ = words.ref();
        words.finish();
        if (type_ < 0 || type_ > 6) throw std::invalid_argument("fold_in: unknown type of the number");
    }

    void run(const Context& context) const override {
        uint32_t first, second;
        kernels().encrypt(context.at<uint32_t>(key_), number(context), 0xFFFFFFFF, 1, 0, &first, &second);
        auto* to = context.at<uint32_t>(to_);  // may be the key's own place
        to[0] = first;
        to[1] = second;
    }

  private:
    uint32_t number(const Context& context) const {
        switch (type_) {
            case 0: return *context.at<uint8_t>(number_);
            case 1: return uint32_t(*context.at<int8_t>(number_));
            case 2: return uint32_t(*context.at<int16_t>(number_));
            case 3: return uint32_t(*context.at<int32_t>(number_));
            case 4: return uint32_t(*context.at<int64_t>(number_));
            case 5: return *context.at<uint16_t>(number_);
            default: return *context.at<uint32_t>(number_);
        }
    }

    Ref key_, number_, to_;
    int type_;
};

}  // namespace

Made make_random_bits(Words& words) { return std::make_unique<RandomBits>(words); }
Made make_fold_in(Words& words) { return std::make_unique<FoldIn>(words); }

}  // namespace preceptor
