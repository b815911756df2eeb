#include "tile_program.h"

#include <algorithm>

namespace preceptor {

namespace {

constexpr int OPERATIONS = static_cast<int>(Operation::count);

constexpr int OPERANDS[] = {
#define X(identifier, name, operands, cost) operands,
    PRECEPTOR_TILE_OPERATIONS(X)
#undef X
};

constexpr int COSTS[] = {
#define X(identifier, name, operands, cost) cost,
    PRECEPTOR_TILE_OPERATIONS(X)
#undef X
};

constexpr int64_t STREAMED = 1 << 22;  // numbers (16 MiB) of an array that no cache holds until it is read

constexpr int64_t BYTES[TYPES] = {4, 4, 4, 1, 2, 1, 1, 2, 2};  // of enum class Type

int64_t bytes(Type type) { return BYTES[static_cast<int>(type)]; }

void require(bool holds, const char* what) {
    if (!holds) throw std::invalid_argument(std::string("tiles: ") + what);
}

int within(int64_t value, int64_t limit, const char* what) {
    require(value >= 0 && value < limit, what);
    return static_cast<int>(value);
}

size_t length(Words& words) { return size_t(within(words.next(), 1 << 20, "a number of things is not possible")); }

bool same_steps(const std::vector<Step>& one, const std::vector<Step>& other) {
    return one.size() == other.size() &&
           std::equal(one.begin(), one.end(), other.begin(), [](const Step& a, const Step& b) {
               return a.function == b.function && a.destination == b.destination &&
                      std::equal(a.operands, a.operands + MOST_OPERANDS, b.operands) && a.count == b.count &&
                      a.immediate == b.immediate && !a.address && !b.address;
           });
}

class Compiler {
  public:
    Compiler(const TileProgram& program, const Kernels& kernels, const std::array<int64_t, 4>& room,
             TileInstance& instance)
        : program_(program),
          kernels_(kernels),
          room_(room),
          instance_(instance),
          g_(instance.geometry),
          single_row_(g_.tile_rows == 1),
          known_(program.slots.size()) {
        code_.slots = static_cast<int32_t>(program.slots.size());
        in_scratch_.assign(program.slots.size(), false);
        instance_.pointers.clear();
    }

    TileCode compile() {
        for (int s = 0; s < static_cast<int>(program_.slots.size()); ++s) place(s);
        for (const TileOperation& each : program_.operations) operation(each);
        for (const TileReduction& each : program_.reductions) reduction(each);
        while (fuse(false) || pair() || fuse(true)) {
        }
        stream();
        return std::move(code_);
    }

  private:
    // What is known of a slot while the operations are gone through in order.
    struct Known {
        enum { DIRECT, CONVERTED, ROWS_APART } way = DIRECT;  // of a slot in memory
        int value = -1;                                       // where its numbers are, or will be, in 32 bits
        bool present = false;                                 // they are there
        bool invariant = false;                               // they are the same in all tiles
        int whole = -1;                                       // where what is repeated stands for all rows
        bool alike = false;                                   // in memory there is one row for all
        int expanded = -1;                                    // where the number of each row stands at all columns
        int constant = -1;                                    // where the one number stands that it is
        const RowAddress* address = nullptr;
    };

    struct Operand {
        int slot = NONE;
        bool single = false, invariant = true;
        bool repeated = false;  // a period, for all rows
    };

    using Steps = std::vector<Step>;

    static Step step(StepFunction function, int32_t destination, std::initializer_list<int32_t> operands, int32_t count,
                     const RowAddress* address = nullptr, int32_t immediate = 0) {
        Step made{function, destination, {}, count, immediate, address};
        std::fill(std::copy(operands.begin(), operands.end(), made.operands), made.operands + MOST_OPERANDS, NONE);
        return made;
    }

    // Slots.

    int32_t new_slot(bool in_scratch) {
        in_scratch_.push_back(in_scratch);
        return code_.slots++;
    }

    void give_scratch(int slot, Level level) {
        in_scratch_[slot] = true;
        if (level == ONE) {
            code_.shared.push_back({slot, code_.shared_bytes});
            code_.shared_bytes += GROUP * 4;
        } else {
            code_.own.push_back({slot, code_.own_bytes});
            // One group more: kernels may write beyond the end, and slots of 4096 bytes would share the lines of a
            // cache.
            code_.own_bytes += ((room_[level] + GROUP - 1) / GROUP + 1) * GROUP * 4;
        }
    }

    int32_t new_scratch(Level level) {
        const int32_t slot = new_slot(true);
        give_scratch(slot, level);
        return slot;
    }

    int32_t new_constant(int32_t bits) {
        for (const auto& each : code_.constants) {
            if (each.value == bits) return each.slot;
        }
        const int32_t slot = new_slot(true);
        code_.constants.push_back({slot, bits});
        return slot;
    }

    Level level_of(int s) const {
        const TileSlot& slot = program_.slots[s];
        return slot.number_per_row() ? ROW : slot.level;
    }

    void place(int s) {
        const TileSlot& slot = program_.slots[s];
        Known& known = known_[s];
        known.value = s;
        if (!slot.in_memory) {
            give_scratch(s, slot.level);
            known.present = true;
            return;
        }
        MemoryWords memory = instance_.memory[slot.memory];
        const int64_t item = bytes(slot.type);
        const bool word = item == 4;
        const Level level = level_of(s);
        known.way = word ? Known::DIRECT : Known::CONVERTED;
        MemoryPointer pointer{s, memory.ref, 0, 0};
        if (level == FULL || level == ROW) {
            const bool wraps = memory.mod > 0 && memory.mod * memory.div < g_.rows;
            const bool alike = slot.same_rows || (level == FULL && (g_.rows <= memory.div || memory.stride == 0));
            const bool even = !wraps && memory.div == 1;  // the distance from row to row is always the same
            const int64_t next_tile = level == FULL ? g_.tile_columns * item : 0;
            known.alike = alike && g_.rows > 1;
            if (alike) {
                pointer.column_tile_bytes = next_tile;
                known.invariant = !single_row_ || g_.column_tiles() <= 1;
                if (!single_row_) {
                    known.way = Known::ROWS_APART;
                    if (!word) known.address = keep({1, 1, 0});
                }
            } else if (even && (single_row_ || memory.stride == (level == FULL ? g_.columns : 1))) {
                pointer.row_tile_bytes = g_.tile_rows * memory.stride * item;
                pointer.column_tile_bytes = next_tile;
            } else {
                known.address = keep({memory.div, wraps ? memory.mod : INT64_MAX, memory.stride * item});
                pointer.column_tile_bytes = next_tile;
                if (single_row_) {
                    pointer.slot = new_slot(false);  // where row 0 lies; the slot itself is set tile by tile
                    code_.body.push_back(step(kernels_.locate, s, {pointer.slot}, FULL, known.address));
                } else {
                    known.way = Known::ROWS_APART;
                }
            }
        } else if (level == POOL) {
            pointer.row_tile_bytes = g_.numbers(POOL) * item;
        }
        instance_.pointers.push_back(pointer);
        if (known.way != Known::DIRECT) known.value = new_scratch(level);
        known.present = known.way == Known::DIRECT;
        if (level == ONE) known.invariant = true;
    }

    const RowAddress* keep(const RowAddress& address) {
        code_.addresses.push_back(address);
        return &code_.addresses.back();
    }

    // Operands.

    Steps& steps(Level level, bool invariant) {
        return level == ONE ? code_.before : invariant ? code_.setup : code_.body;
    }

    int32_t count(Level level, int destination, std::initializer_list<Operand> operands) const {
        bool rounded = in_scratch_[destination];
        for (const Operand& each : operands)
            rounded = rounded && (each.slot < 0 || each.single || (in_scratch_[each.slot] && !each.repeated));
        return level + (rounded ? ROUNDED : 0);
    }

    // Where the numbers of a slot stand, brought there if they are not.
    int value(int s) {
        Known& known = known_[s];
        if (known.present) return known.value;
        known.present = true;
        const TileSlot& slot = program_.slots[s];
        const Level level = level_of(s);
        const int type = static_cast<int>(slot.type);
        const bool apart = known.way == Known::ROWS_APART;
        const StepFunction function = apart && !known.address ? kernels_.repeat_row
                                      : !apart                ? kernels_.load[type]
                                      : level == FULL         ? kernels_.load_rows[type]
                                                              : kernels_.load_numbers[type];
        steps(level, known.invariant).push_back(step(function, known.value, {s}, level, known.address));
        return known.value;
    }

    Operand operand(int s, Level level) {
        Known& known = known_[s];
        if (known.constant >= 0) return {known.constant, true, true};
        const Level own = level_of(s);
        if (own == ONE) return {value(s), level != ONE, true};
        if (own == level) return {value(s), false, known.invariant, level == FULL && known.invariant && !single_row_};
        require(own == ROW && level == FULL, "an operand does not fit the level of its operation");
        if (single_row_) return {value(s), true, known.invariant};
        if (known.expanded < 0) {
            const int from = value(s);
            known.expanded = new_scratch(FULL);
            steps(FULL, known.invariant).push_back(step(kernels_.expand, known.expanded, {from}, FULL));
        }
        return {known.expanded, false, known.invariant};
    }

    // The same for kernels that need all the numbers.
    Operand many(int s, Level level) {
        const Operand found = operand(s, level);
        if (found.repeated) {
            Known& known = known_[s];
            if (known.whole < 0) {
                known.whole = new_scratch(FULL);
                code_.setup.push_back(step(kernels_.repeat_period, known.whole, {found.slot}, FULL));
            }
            return {known.whole, false, true};
        }
        if (!found.single) return found;
        const int32_t slot = new_scratch(level);
        steps(level, found.invariant).push_back(step(kernels_.fill, slot, {found.slot}, level));
        return {slot, false, found.invariant};
    }

    // Operations.

    void operation(const TileOperation& o) {
        const Level level = o.level, result = level_of(o.destination);
        const bool over_rows =
            o.code == Operation::row_sum || o.code == Operation::row_max || o.code == Operation::row_argmax_i;
        const bool to_largest = o.code == Operation::pool_max_mean;
        const bool over_windows = o.code == Operation::pool_max || o.code == Operation::pool_sum || to_largest;
        const bool to_windows = o.code == Operation::pool_spread || o.code == Operation::pool_max_spread;
        if (over_rows) require(g_.tile_columns == g_.columns, "rows that are reduced must be whole");
        if (over_windows || to_windows) require(g_.window_height > 0, "windows need a geometry with pooling");
        require(result == (over_rows      ? ROW
                           : over_windows ? POOL
                                          : level),
                "a destination is not of its operation's level");

        Known& target = known_[o.destination];
        const bool written_once = !program_.slots[o.destination].in_memory && program_.slots[o.destination].writes == 1;
        if (o.code == Operation::constant || o.code == Operation::constant_i) {
            const int32_t number = new_constant(o.immediate);
            if (written_once) {
                target.constant = number;
            } else {
                finish(o, result, kernels_.fill, {{number, true, true}}, false);
            }
            return;
        }
        std::array<Operand, 3> operands;
        for (int i = 0; i < OPERANDS[static_cast<int>(o.code)]; ++i) {
            const int s = o.operands[i];
            require(s != NONE, "an operation misses an operand");
            const bool pooled = to_largest ? i == 2 : to_windows && i != 1;
            const bool all = over_rows || over_windows || to_windows;
            operands[i] = all ? many(s, pooled ? POOL : FULL) : operand(s, level);
        }
        if (o.code == Operation::scale || o.code == Operation::shift)
            operands[1] = {new_constant(o.immediate), true, true};
        if (o.code == Operation::clip) operands[1] = {new_constant(o.immediate), true, true};
        if (o.code == Operation::clip_mask) operands[2] = {new_constant(o.immediate), true, true};
        const bool symmetric =
            o.code == Operation::add || o.code == Operation::multiply || o.code == Operation::multiply_add;
        const auto varies = [](const Operand& each) { return !each.single && !each.repeated; };
        if (symmetric && !varies(operands[0]) && varies(operands[1])) std::swap(operands[0], operands[1]);

        // What is the same in all tiles is computed once; where they have several rows, what is the same in all rows.
        const bool index = o.code == Operation::column_index_i;
        bool invariant =
            written_once && (single_row_ ? !index || g_.column_tiles() <= 1 : level == FULL && level == result);
        for (const Operand& each : operands) {
            invariant =
                invariant && each.invariant && (single_row_ || each.slot == NONE || each.single || each.repeated);
        }
        invariant = invariant && !over_windows && !to_windows;
        const bool squares = o.code == Operation::multiply && operands[0].slot == operands[1].slot;
        if (squares) operands[1] = {};
        const auto& kernels = kernels_.operation[static_cast<int>(squares ? Operation::square : o.code)];
        unsigned kind = 0;
        for (int i = 0; i < 3; ++i) {
            if (operands[i].repeated && !invariant && !kernels[REPEATED]) operands[i] = many(o.operands[i], FULL);
            kind |= unsigned(operands[i].single) << i;
            if (operands[i].repeated && !invariant) kind |= REPEATED;
        }
        const StepFunction function = kernels[kind];
        require(function, "an operation does not take these operands");
        finish(o, result, function, operands, invariant);
        code_.cost += COSTS[static_cast<int>(o.code)] * double(g_.numbers(level));
    }

    void finish(const TileOperation& o, Level result, StepFunction function, const std::array<Operand, 3>& operands,
                bool invariant) {
        const TileSlot& slot = program_.slots[o.destination];
        Known& target = known_[o.destination];
        if (slot.in_memory) {
            require(!target.alike && !slot.one_column, "a destination in memory is not plain");
            // A number that all tiles may read is written when they are done.
            if (result == ONE && target.value == o.destination) target.value = new_scratch(ONE);
        }
        const int to = target.value;
        const bool period = invariant && o.level == FULL && !single_row_;
        const int32_t exact = o.level == result ? count(o.level, to, {operands[0], operands[1], operands[2]}) : o.level;
        const int32_t n = period ? PERIOD : exact;
        int32_t immediate = o.immediate;
        if (o.code == Operation::integer_power) {
            float exponent;
            std::memcpy(&exponent, &o.immediate, sizeof exponent);
            immediate = static_cast<int32_t>(exponent);
        }
        Step made = step(function, to, {}, n, nullptr, immediate);
        for (int i = 0; i < 3; ++i) {
            const bool marked = operands[i].repeated && !period;
            made.operands[i] = marked ? repeated_slot(operands[i].slot) : operands[i].slot;
        }
        steps(o.level, invariant).push_back(made);
        target.invariant = invariant || result == ONE;
        target.present = true;
        target.expanded = target.whole = -1;
        if (to != o.destination) {
            const int type = static_cast<int>(slot.type);
            const bool apart = target.way == Known::ROWS_APART;
            const StepFunction store = !apart           ? kernels_.store[type]
                                       : result == FULL ? kernels_.store_rows[type]
                                                        : kernels_.store_numbers[type];
            Steps& list = result == ONE ? code_.after : code_.body;
            list.push_back(step(store, o.destination, {to}, result, target.address));
        }
    }

    void reduction(const TileReduction& r) {
        const TileSlot& slot = program_.slots[r.slot];
        const Level level = slot.level;
        require(level != ONE, "a single number is not reduced");
        require(level == FULL || r.over_all, "only values of level full are reduced over rows");
        const Operand from = many(r.slot, level);
        const int32_t to = new_scratch(level);
        // Never rounded up: the last tile may be shorter, and what stands behind its end is no part of the sum.
        const bool to_row = r.combine == 0 && !r.over_all && !single_row_ && g_.columns % GROUP == 0;
        const StepFunction function = to_row ? kernels_.sum_over_rows : kernels_.accumulate[r.combine];
        code_.body.push_back(step(function, to, {from.slot}, level));
        code_.accumulators.push_back({to, level, r.combine, r.over_all, to_row});
        code_.cost += double(g_.numbers(level));
    }

    // Makes one step of two where a kernel for both exists; false where none is left. Cheap steps only: of a step and
    // several that read it, too.
    bool fuse(bool cheap) {
        Steps& body = code_.body;
        for (size_t i = 0; i < body.size(); ++i) {
            const Step inner = body[i];
            const std::vector<size_t> readers = readers_of(i);
            if (readers.empty() || (readers.size() > 1 && !cheap)) continue;
            std::vector<Step> fused;
            for (const size_t reader : readers) {
                const Fusion* const found = fusion(body[reader], inner);
                if (!found || (cheap && !found->cheap)) break;
                fused.push_back(joined(body[reader], inner, *found));
            }
            if (fused.size() < readers.size()) continue;
            for (size_t k = 0; k < readers.size(); ++k) body[readers[k]] = fused[k];
            body.erase(body.begin() + static_cast<int64_t>(i));
            return true;
        }
        return false;
    }

    const Fusion* fusion(const Step& outer, const Step& inner) const {
        for (const Fusion* each = kernels_.fusions; each < kernels_.fusions + kernels_.fusion_count; ++each) {
            if (outer.function != each->outer || inner.function != each->inner) continue;
            if (outer.operands[each->operand] != inner.destination) continue;
            unsigned repeated = 0;
            for (int k = 0; k < MOST_OPERANDS; ++k) repeated |= unsigned(inner.operands[k] < NONE) << k;
            if (!each->repeated || each->repeated == repeated) return each;
        }
        return nullptr;
    }

    static Step joined(const Step& outer, const Step& inner, const Fusion& fusion) {
        Step fused = outer;
        fused.function = fusion.fused;
        fused.count = std::min(outer.count, inner.count);  // rounded up only where both are
        int32_t* next = std::copy_n(outer.operands, fusion.operand, fused.operands);
        for (const int32_t each : inner.operands) {
            if (each != NONE) *next++ = each;
        }
        for (int k = fusion.operand + 1; k < MOST_OPERANDS && outer.operands[k] != NONE; ++k)
            *next++ = outer.operands[k];
        return fused;
    }

    // Two sums over rows that read the same numbers become one step; false where there are none.
    bool pair() {
        Steps& body = code_.body;
        for (size_t i = 0; i < body.size(); ++i) {
            for (Step& two : body) {
                const Step one = body[i];
                for (const Pair& each : kernels_.pairs) {
                    if (one.function != each.first || two.function != each.second) continue;
                    int32_t* const end = two.operands + each.operands;
                    int32_t* const shared = std::find(two.operands, end, one.operands[0]);
                    if (shared == end) continue;
                    std::swap(*shared, two.operands[0]);
                    two.function = each.both;
                    *end = two.destination;
                    two.destination = one.destination;
                    body.erase(body.begin() + static_cast<int64_t>(i));
                    return true;
                }
            }
        }
        return false;
    }

    // What fills large arrays is written past the caches, so that memory is not read first: there is no cache that would
    // hold it until it is needed. Not where it takes the place of what was read.
    void stream() {
        Steps& body = code_.body;
        const int64_t tile = g_.tile_rows * g_.tile_columns;
        const bool lines = tile % GROUP == 0 && (single_row_ ? g_.columns % GROUP == 0 : true);
        if (!lines || g_.rows * g_.columns < STREAMED) return;
        for (size_t i = 0; i < body.size(); ++i) {
            const int32_t to = body[i].destination;
            if (to < 0 || to >= static_cast<int32_t>(program_.slots.size()) || in_scratch_[to]) continue;
            const TileSlot& slot = program_.slots[to];
            const Known& known = known_[to];
            const bool plain = slot.in_memory && level_of(to) == FULL && known.way == Known::DIRECT && !known.address &&
                               !known.alike && slot.type == Type::f32;
            if (!plain || body[i].count != FULL) continue;
            const bool met = std::any_of(body.begin(), body.end(), [&](const Step& step) {
                const bool writes = &step != &body[i] && step.destination >= 0 && share(step.destination, to);
                return writes || std::any_of(step.operands, step.operands + MOST_OPERANDS, [&](int32_t each) {
                           return each != NONE && share(each < NONE ? repeated_slot(each) : each, to);
                       });
            });
            if (met) continue;
            const int32_t between = new_scratch(FULL);
            body[i].destination = between;
            body.insert(body.begin() + static_cast<int64_t>(i) + 1, step(kernels_.stream, to, {between}, FULL));
            code_.streams = true;
            ++i;
        }
    }

    // Whether two slots may be the same memory: there a place may have several names.
    bool share(int32_t one, int32_t other) const {
        if (one == other) return true;
        if (in_scratch_[one] || in_scratch_[other]) return false;
        const auto count = static_cast<int32_t>(program_.slots.size());
        if (one >= count || other >= count) return true;
        const Extent a = extent(one), b = extent(other);
        return a.segment == b.segment && a.begin < b.end && b.begin < a.end;
    }

    // What of memory a slot is, over all tiles.
    struct Extent {
        int64_t segment, begin, end;
    };

    Extent extent(int32_t s) const {
        const TileSlot& slot = program_.slots[s];
        const MemoryWords& memory = instance_.memory[slot.memory];
        const Level level = level_of(s);
        int64_t numbers = 1;
        if (level == POOL) {
            numbers = g_.rows * g_.columns / (int64_t(g_.window_height) * g_.window_width);
        } else if (level != ONE) {
            const int64_t apart = (g_.rows + memory.div - 1) / memory.div;
            const int64_t rows = slot.same_rows ? 1 : memory.mod > 0 ? std::min(memory.mod, apart) : apart;
            numbers = (rows - 1) * memory.stride + (level == FULL ? g_.columns : 1);
        }
        return {memory.ref.segment, memory.ref.offset, memory.ref.offset + numbers * bytes(slot.type)};
    }

    // The steps of the body that read what step i leaves in scratch; none if one of them could not as well compute it.
    std::vector<size_t> readers_of(size_t i) const {
        const Steps& body = code_.body;
        const Step& maker = body[i];
        std::vector<size_t> readers;
        if (maker.destination < 0 || !in_scratch_[maker.destination]) return readers;
        bool overwritten = false;
        for (size_t j = i + 1; j < body.size(); ++j) {
            const Step& step = body[j];
            const auto reads = std::count(step.operands, step.operands + MOST_OPERANDS, maker.destination);
            if (reads > 1 || (reads && overwritten)) return {};
            if (reads) readers.push_back(j);
            if (step.destination == maker.destination) break;
            for (const int32_t each : maker.operands) {  // until then nothing may write what it reads
                overwritten = overwritten || (each != NONE && share(each < NONE ? repeated_slot(each) : each,
                                                                    step.destination));
            }
        }
        return readers;
    }

    const TileProgram& program_;
    const Kernels& kernels_;
    const std::array<int64_t, 4>& room_;
    TileInstance& instance_;
    const TileGeometry& g_;
    const bool single_row_;
    TileCode code_;
    std::vector<Known> known_;
    std::vector<bool> in_scratch_;
};

}  // namespace

TileProgram::TileProgram(Words& words) {
    slots.resize(length(words));
    for (TileSlot& slot : slots) {
        slot.in_memory = words.flag();
        slot.level = static_cast<Level>(within(words.next(), 4, "a level of a slot is unknown"));
        slot.type = static_cast<Type>(within(words.next(), TYPES, "a type of a slot is unknown"));
        const int access = within(words.next(), 3, "an access to a slot is unknown");
        slot.same_rows = slot.in_memory && slot.level == FULL && access == 1;
        slot.one_column = slot.in_memory && slot.level == FULL && access == 2;
        slot.memory = slot.in_memory ? memory_slots++ : -1;
        slot.writes = 0;
    }
    const auto count = static_cast<int64_t>(slots.size());
    operations.resize(length(words));
    for (TileOperation& each : operations) {
        each.code = static_cast<Operation>(within(words.next(), OPERATIONS, "an operation is unknown"));
        each.level = static_cast<Level>(within(words.next(), 4, "a level of an operation is unknown"));
        each.destination = within(words.next(), count, "a destination is no slot");
        for (int& s : each.operands) s = within(words.next() + 1, count + 1, "an operand is no slot") - 1;
        each.immediate = static_cast<int32_t>(words.next());
        ++slots[each.destination].writes;
    }
    reductions.resize(length(words));
    for (TileReduction& each : reductions) {
        each.slot = within(words.next(), count, "a reduced value is no slot");
        each.combine = within(words.next(), 2, "a way to combine is unknown");
        each.over_all = words.flag();
    }
}

// Along a row memory is read in order; but sums over rows want the tiles of a column together, and a chunk with sums
// must not begin with a tile shorter than the others.
bool TileProgram::columns_first(const TileGeometry& g) const {
    const bool over_rows =
        std::any_of(reductions.begin(), reductions.end(), [](const auto& each) { return !each.over_all; });
    return g.column_tiles() > 1 && !over_rows && (reductions.empty() || g.row_tiles() == 1);
}

TileGeometry::TileGeometry(Words& words) {
    rows = words.next(), columns = words.next(), tile_rows = words.next(), tile_columns = words.next();
    window_height = words.narrow(), window_width = words.narrow(), image_width = words.narrow();
    require(rows >= 0 && columns >= 0 && tile_rows >= 1 && tile_columns >= (columns > 0), "a geometry is not possible");
    tile_columns = std::max<int64_t>(std::min(tile_columns, columns), 1);  // so that the first tile is always whole
    tile_rows = std::max<int64_t>(std::min(tile_rows, rows), 1);
    require(tile_rows == 1 || columns == 0 || tile_columns == columns, "tiles of several rows must have all columns");
    if (window_height > 0) {
        const bool whole = window_width > 0 && image_width > 0 && image_width % window_width == 0;
        require(whole && tile_rows % (int64_t(window_height) * image_width) == 0, "tiles do not have whole windows");
        require(rows % (int64_t(window_height) * image_width) == 0, "the rows are not whole windows");
    }
}

int64_t TileGeometry::numbers(Level level) const {
    const int64_t all = tile_rows * tile_columns;
    if (level == POOL) return window_height > 0 ? all / (int64_t(window_height) * window_width) : 0;
    return level == FULL ? all : level == ROW ? tile_rows : 1;
}

TileInstance::TileInstance(const TileProgram& program, Words& words) : geometry(words) {
    for (int i = 0; i < program.memory_slots; ++i) {
        memory.push_back({words.ref(), words.next(), words.next(), words.next()});
        require(bool(memory.back().ref), "a slot in memory has no place");
        memory.back().div = std::max<int64_t>(memory.back().div, 1);
    }
    for (size_t i = 0; i < program.reductions.size(); ++i) {
        results.push_back(words.ref());
        require(bool(results.back()), "a reduction has no place for its result");
    }
}

bool TileCode::same(const TileCode& other) const {
    return slots == other.slots && same_steps(before, other.before) && same_steps(setup, other.setup) &&
           same_steps(body, other.body) && same_steps(after, other.after) && own == other.own &&
           shared == other.shared && constants == other.constants;
}

TileCode compile(const TileProgram& program, const Kernels& kernels, const std::array<int64_t, 4>& room,
                 TileInstance& instance) {
    return Compiler(program, kernels, room, instance).compile();
}

}  // namespace preceptor
