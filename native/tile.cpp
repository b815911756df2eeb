#include "tile.h"

#include <emmintrin.h>

#include <algorithm>
#include <cmath>

#include "isa.h"
#include "threads.h"
#include "tile_program.h"

namespace preceptor {

namespace {

// Tiles are dealt out in chunks that depend on the geometry only: what is summed in which order does not depend on
// threads.
constexpr int64_t MOST_CHUNKS = 32;        // with reductions, each of which folds its accumulator once a chunk
constexpr int64_t MOST_FREE_CHUNKS = 256;  // without
constexpr int64_t CHUNK_NUMBERS = 8192;    // at least

// In additions, of which a core does twenty a nanosecond: some 10 us of work. A fork and its join take 2 us where the
// threads are still awake, so that two of them win from about 5 us on; the rest is for those that have to wake up.
constexpr double WORTH_A_FORK = 2e5;

constexpr int64_t LINE = 64;
int64_t whole_lines(int64_t bytes) { return (bytes + LINE - 1) / LINE * LINE; }

const Kernels& kernels_in_use() {
    switch (isa()) {
        case Isa::avx512: return tile_kernels_avx512();
        case Isa::avx2: return tile_kernels_avx2();
        default: return tile_kernels_sse42();
    }
}

// Numbers of a tile at each level, as in Frame.
struct TileSize {
    int64_t counts[COUNTS];

    TileSize() = default;
    TileSize(const TileGeometry& g, int64_t rows, int64_t columns) {
        const int64_t windows = g.window_height > 0 ? rows * columns / (int64_t(g.window_height) * g.window_width) : 0;
        const int64_t exact[] = {rows * columns, rows, windows, 1};
        for (int level = 0; level < 4; ++level) {
            counts[level] = exact[level];
            counts[level + ROUNDED] = (exact[level] + GROUP - 1) / GROUP * GROUP;
        }
        const int64_t few = (PERIOD_NUMBERS + g.tile_columns - 1) / g.tile_columns;
        counts[PERIOD] = std::min(few, g.tile_rows) * g.tile_columns;
    }
};

struct Chunk {
    int instance;
    int64_t first, last;  // tiles
    int64_t partial;      // where in scratch its sums are left, in bytes
};

template <class T>
struct Span {
    const T *first = nullptr, *last = nullptr;

    Span() = default;
    explicit Span(const std::vector<T>& all) : first(all.data()), last(all.data() + all.size()) {}
    const T* begin() const { return first; }
    const T* end() const { return last; }
    bool empty() const { return first == last; }
};

// An instance and what its execution needs beyond the program.
struct Part {
    TileInstance instance;
    bool columns_first = false;  // tiles follow each other along a row, else down a column
    int64_t shared_offset = 0;   // of its numbers of level one
    int first_chunk = 0, last_chunk = 0;
    int64_t chunks_beside = 1;  // chunks of one column of tiles, where sums over rows are wanted
    TileSize whole{};           // of all tiles but the last ones
    int64_t line = 1;           // tiles that follow each other until the next row or column of tiles
    // The same as in the instance and its code, one step nearer: of a small instruction the time goes into finding
    // things.
    Span<Step> setup, body;
    Span<MemoryPointer> pointers;
    bool reduces = false;

    explicit Part(TileInstance made) : instance(std::move(made)) {}
    int64_t width(const TileCode::Accumulator& each) const {
        return each.over_all ? 1 : instance.geometry.tile_columns;
    }
};

class Worker;

class Tiles final : public Instruction {
  public:
    explicit Tiles(Words& words) : program_(words), kernels_(kernels_in_use()) {
        std::array<int64_t, 4> room{};
        const int64_t count = words.next();
        if (count < 1) throw std::invalid_argument("tiles: there is no instance");
        for (int64_t i = 0; i < count; ++i) {
            parts_.emplace_back(TileInstance(program_, words));
            for (int level = 0; level < 4; ++level) {
                const int64_t numbers = parts_.back().instance.geometry.numbers(static_cast<Level>(level));
                room[level] = std::max(room[level], numbers);
            }
        }
        for (Part& part : parts_) {
            TileCode code = compile(program_, kernels_, room, part.instance);
            const auto known =
                std::find_if(codes_.begin(), codes_.end(), [&](const TileCode& each) { return each.same(code); });
            if (known == codes_.end()) {
                codes_.push_back(std::move(code));
                part.instance.code = &codes_.back();
            } else {
                part.instance.code = &*known;
            }
        }
        for (int i = 0; i < static_cast<int>(parts_.size()); ++i) lay_out(i);
        for (const TileCode& code : codes_) {
            slots_bytes_ = std::max(slots_bytes_, whole_lines(code.slots * int64_t(sizeof(char*))));
            thread_bytes_ = std::max(thread_bytes_, code.own_bytes);
        }
        thread_bytes_ = whole_lines(thread_bytes_) + slots_bytes_;
    }

    size_t scratch_bytes(int threads) const override { return size_t(shared_bytes_ + thread_bytes_ * threads); }
    void run(const Context& context) const override;

  private:
    friend class Worker;

    // Divides the tiles of an instance into chunks and its scratch among what it keeps.
    void lay_out(int index) {
        Part& part = parts_[index];
        const TileGeometry& g = part.instance.geometry;
        const TileCode& code = *part.instance.code;
        part.shared_offset = shared_bytes_;
        shared_bytes_ += code.shared_bytes;

        const int64_t row_tiles = g.row_tiles(), column_tiles = g.column_tiles(), tiles = row_tiles * column_tiles;
        const bool reduces = part.reduces = !code.accumulators.empty();
        part.setup = Span<Step>(code.setup), part.body = Span<Step>(code.body);
        part.pointers = Span<MemoryPointer>(part.instance.pointers);
        part.columns_first = program_.columns_first(g);
        part.line = part.columns_first ? column_tiles : row_tiles;
        part.whole = TileSize(g, g.tile_rows, g.tile_columns);
        if (!code.before.empty()) beginning_.push_back(index);
        if (!code.after.empty()) ending_.push_back(index);
        if (reduces) reducing_.push_back(index);
        const int64_t columns_apart = part.columns_first ? 1 : std::max<int64_t>(column_tiles, 1);
        const int64_t each = tiles / columns_apart;
        const int64_t worth = each * g.numbers(FULL) / CHUNK_NUMBERS;
        const int64_t most = reduces ? std::max<int64_t>(MOST_CHUNKS / columns_apart, 1) : MOST_FREE_CHUNKS;
        const int64_t pieces = tiles ? std::max<int64_t>(std::min({each, worth, most}), 1) : 0;
        part.chunks_beside = pieces;
        part.first_chunk = static_cast<int>(chunks_.size());
        for (int64_t column = 0; column < (tiles ? columns_apart : 0); ++column) {
            for (int64_t piece = 0; piece < pieces; ++piece) {
                const Range range = Range::part(each, static_cast<int>(piece), static_cast<int>(pieces));
                chunks_.push_back({index, column * each + range.begin, column * each + range.end, shared_bytes_});
                for (const auto& sum : code.accumulators) shared_bytes_ += part.width(sum) * int64_t(sizeof(float));
                shared_bytes_ = whole_lines(shared_bytes_);
                cost_ += code.cost * double(range.end - range.begin);
                costs_.push_back(cost_);
            }
        }
        part.last_chunk = static_cast<int>(chunks_.size());
    }

    void write_results(const Context& context, const Part& part) const;

    const TileProgram program_;
    const Kernels& kernels_;
    std::vector<Part> parts_;
    std::deque<TileCode> codes_;  // one for each shape among the instances
    std::vector<Chunk> chunks_;
    std::vector<int> beginning_, reducing_, ending_;  // instances with something to do before or after all tiles
    std::vector<double> costs_;                       // of all chunks up to and with each
    double cost_ = 0;
    int64_t shared_bytes_ = 0, thread_bytes_ = 0, slots_bytes_ = 0;
};

// One thread's way through its chunks.
class Worker {
  public:
    Worker(const Tiles& tiles, const Context& context, int thread) : tiles_(tiles), context_(context) {
        char* const mine = context.scratch + tiles.shared_bytes_ + tiles.thread_bytes_ * thread;
        frame_.slots = reinterpret_cast<char**>(mine);
        own_ = mine + tiles.slots_bytes_;
    }

    // Steps that are taken once a run, on numbers of level one.
    void once(const Part& part, const std::vector<Step>& steps) {
        enter(part);
        move_to(part, 0, 0);
        run(Span<Step>(steps));
    }

    void run(const Chunk& chunk) {
        const Part& part = tiles_.parts_[chunk.instance];
        enter(part);
        if (!prepared_) {
            prepared_ = true;
            if (!part.setup.empty()) {
                move_to(part, 0, 0);
                run(part.setup);
            }
        }
        frame_.first = true;
        for (int64_t tile = chunk.first; tile < chunk.last;) {
            const int64_t across = tile ? tile / part.line : 0, along = tile - across * part.line;
            const int64_t until = std::min(chunk.last, (across + 1) * part.line);
            if (part.columns_first) {
                move_to(part, across, along);
            } else {
                move_to(part, along, across);
            }
            for (;;) {
                run(part.body);
                frame_.first = false;
                if (++tile == until) break;
                move_on(part);
            }
        }
        if (part.reduces) leave_sums(part, chunk);
        if (part.instance.code->streams) _mm_sfence();
    }

  private:
    void run(Span<Step> steps) {
        for (const Step& step : steps) step.function(frame_, step);
    }

    // Sets the pointers that are the same for all tiles of an instance.
    void enter(const Part& part) {
        if (part_ == &part) return;
        part_ = &part;
        prepared_ = false;
        const TileCode& code = *part.instance.code;
        char** const slots = frame_.slots;
        if (code_ != &code) {
            code_ = &code;
            for (const auto& each : code.own) slots[each.slot] = own_ + each.bytes;
            for (const auto& each : code.constants)
                slots[each.slot] = reinterpret_cast<char*>(const_cast<int32_t*>(&each.value));
        }
        char* const shared = context_.scratch + part.shared_offset;
        for (const auto& each : code.shared) slots[each.slot] = shared + each.bytes;
        const TileGeometry& g = part.instance.geometry;
        frame_.window_height = g.window_height;
        frame_.window_width = g.window_width;
        frame_.image_width = g.image_width;
        frame_.rows = -1;
    }

    void move_to(const Part& part, int64_t row_tile, int64_t column_tile) {
        const TileInstance& instance = part.instance;
        for (const MemoryPointer& each : part.pointers) {
            frame_.slots[each.slot] =
                context_.at<char>(each.ref) + row_tile * each.row_tile_bytes + column_tile * each.column_tile_bytes;
        }
        frame_.row = row_tile * instance.geometry.tile_rows;
        frame_.column = column_tile * instance.geometry.tile_columns;
        fit(part);
    }

    // To the next tile of the line.
    void move_on(const Part& part) {
        const TileInstance& instance = part.instance;
        if (part.columns_first) {
            for (const MemoryPointer& each : part.pointers) frame_.slots[each.slot] += each.column_tile_bytes;
            frame_.column += instance.geometry.tile_columns;
        } else {
            for (const MemoryPointer& each : part.pointers) frame_.slots[each.slot] += each.row_tile_bytes;
            frame_.row += instance.geometry.tile_rows;
        }
        fit(part);
    }

    // The size of the tile: the last ones may be shorter.
    void fit(const Part& part) {
        const TileGeometry& g = part.instance.geometry;
        const int64_t rows = std::min(g.tile_rows, g.rows - frame_.row);
        const int64_t columns = std::min(g.tile_columns, g.columns - frame_.column);
        if (rows == frame_.rows && columns == frame_.columns) return;
        frame_.rows = rows;
        frame_.columns = columns;
        if (rows == g.tile_rows && columns == g.tile_columns) {
            std::memcpy(frame_.counts, part.whole.counts, sizeof frame_.counts);
        } else {
            const TileSize size(g, rows, columns);
            std::memcpy(frame_.counts, size.counts, sizeof frame_.counts);
        }
    }

    // Folds the accumulators of a chunk. They are as large as its first tile, which is no shorter than the others.
    void leave_sums(const Part& part, const Chunk& chunk) {
        const TileCode& code = *part.instance.code;
        const TileGeometry& g = part.instance.geometry;
        if (chunk.last - chunk.first > 1) {
            const int64_t across = chunk.first / part.line, along = chunk.first - across * part.line;
            frame_.row = (part.columns_first ? across : along) * g.tile_rows;
            frame_.column = (part.columns_first ? along : across) * g.tile_columns;
            fit(part);
        }
        float* partial = reinterpret_cast<float*>(context_.scratch + chunk.partial);
        for (const auto& each : code.accumulators) {
            auto* const values = reinterpret_cast<float*>(frame_.slots[each.slot]);
            const int64_t width = each.over_all ? 1 : frame_.columns;
            const int64_t count = each.over_all ? frame_.counts[each.level] : each.one_row ? 1 : frame_.rows;
            tiles_.kernels_.fold[each.combine](values, count, width);
            std::copy_n(values, width, partial);
            partial += part.width(each);
        }
    }

    const Tiles& tiles_;
    const Context& context_;
    Frame frame_;  // filled in on entering an instance
    char* own_;
    const Part* part_ = nullptr;
    const TileCode* code_ = nullptr;
    bool prepared_ = false;
};

void Tiles::run(const Context& context) const {
    Worker worker(*this, context, 0);
    for (const int i : beginning_) worker.once(parts_[i], parts_[i].instance.code->before);
    const int chunks = static_cast<int>(chunks_.size());
    const int threads = cost_ > WORTH_A_FORK ? std::min(context.threads, chunks) : 1;
    if (threads <= 1) {
        for (const Chunk& chunk : chunks_) worker.run(chunk);
    } else {
        on_threads(threads, [&](int part) {
            Worker own(*this, context, part);
            const auto upto = [&](int share) {  // chunks that end within this share of the work
                const double limit = cost_ * share / threads * (1 + 1e-9);
                return static_cast<int>(std::upper_bound(costs_.begin(), costs_.end(), limit) - costs_.begin());
            };
            const int last = part + 1 == threads ? chunks : upto(part + 1);
            for (int i = upto(part); i < last; ++i) own.run(chunks_[i]);
        });
    }
    for (const int i : reducing_) write_results(context, parts_[i]);
    for (const int i : ending_) worker.once(parts_[i], parts_[i].instance.code->after);
}

// Combines what the chunks have left, in their order.
void Tiles::write_results(const Context& context, const Part& part) const {
    const TileGeometry& g = part.instance.geometry;
    const auto& accumulators = part.instance.code->accumulators;
    int64_t offset = 0;
    for (size_t i = 0; i < accumulators.size(); ++i) {
        const TileCode::Accumulator& each = accumulators[i];
        const int64_t width = part.width(each), length = each.over_all ? 1 : g.columns;
        float* const result = context.at<float>(part.instance.results[i]);
        const auto partial = [&](int chunk) {
            return reinterpret_cast<const float*>(context.scratch + chunks_[chunk].partial) + offset;
        };
        const bool largest = each.combine == 1;
        const auto combine = [largest](float a, float b) { return largest ? (a != a || a > b ? a : b) : a + b; };
        if (part.first_chunk == part.last_chunk) {
            std::fill_n(result, length, largest ? -INFINITY : 0.0f);
        } else if (each.over_all) {
            float value = *partial(part.first_chunk);
            for (int chunk = part.first_chunk + 1; chunk < part.last_chunk; ++chunk)
                value = combine(value, *partial(chunk));
            *result = value;
        } else {
            int chunk = part.first_chunk;
            for (int64_t column = 0; column < length; column += width) {
                const int64_t present = std::min(width, length - column);
                std::copy_n(partial(chunk++), present, result + column);
                for (int64_t piece = 1; piece < part.chunks_beside; ++piece, ++chunk) {
                    const float* const more = partial(chunk);
                    for (int64_t c = 0; c < present; ++c) result[column + c] = combine(result[column + c], more[c]);
                }
            }
        }
        offset += width;
    }
}

}  // namespace

Made make_tiles(Words& words) { return std::make_unique<Tiles>(words); }

std::vector<std::pair<std::string, int>> tile_operations() {
    std::vector<std::pair<std::string, int>> found;
#define X(identifier, name, operands, cost) found.emplace_back(name, static_cast<int>(Operation::identifier));
    PRECEPTOR_TILE_OPERATIONS(X)
#undef X
    return found;
}

}  // namespace preceptor
