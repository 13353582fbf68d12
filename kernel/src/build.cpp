// Building the tables: every chunk is sorted by itself, in two steps that stay in the cache.

#include <algorithm>
#include <cstring>

#include "jikimi/multi_index.h"
#include "level.h"
#include "parallel.h"

namespace jikimi {
namespace {

constexpr int kPartBits = 11; // 2 048 open write streams fit the second cache

std::uint32_t bits_at(const std::uint64_t* value, int offset, int width) {
    std::uint64_t bits = value[offset / 64] >> (offset % 64);
    if (offset % 64 + width > 64) bits |= value[offset / 64 + 1] << (64 - offset % 64);
    return static_cast<std::uint32_t>(bits & ((std::uint64_t{1} << width) - 1));
}

int offset_of(const Widths& widths, int chunk) {
    int offset = 0;
    for (int before = 0; before < chunk; ++before) offset += widths.bits[before];
    return offset;
}

std::size_t first_block(const Widths& widths, int chunk) {
    std::size_t first = 0;
    for (int before = 0; before < chunk; ++before) first += widths.blocks(before);
    return first;
}

struct Keyed {
    std::uint32_t key, row;
};

// Writes the sizes of buckets, one after the other, into blocks.
class BlockWriter {
  public:
    explicit BlockWriter(Block* first) : block_(first) { open(); }

    void add(std::uint32_t size) {
        block_->count[bucket_] = static_cast<std::uint8_t>(std::min(size, 255u));
        if (size >= 255) block_->base |= Block::kCrowded;
        rows_ += size;
        if (++bucket_ == Block::kBuckets) {
            ++block_;
            open();
        }
    }

    void end() {
        if (bucket_ == 0) return;
        ++block_;
        open();
    }

  private:
    void open() {
        std::memset(block_->count, 0, sizeof block_->count);
        block_->base = rows_;
        bucket_ = 0;
    }

    Block* block_;
    std::uint32_t bucket_ = 0, rows_ = 0;
};

// Fill the `order` of one chunk, and call `add` with the size of each bucket in turn. First the rows are dealt out by
// the high bits of the key, then each part is counted and placed by the low bits. Both keep equal keys in the order of
// rows. `dealt` is room for all rows: memory that is new costs more than what is done with it, so it serves every chunk.
template <typename Add>
void sort_chunk(const std::uint64_t* values, std::uint32_t rows, int offset, int width, Keyed* dealt,
                std::uint32_t* order, Add&& add) {
    const int low = std::max(width - kPartBits, 0);
    const std::size_t parts = std::size_t{1} << (width - low);
    std::vector<std::uint32_t> ends(parts + 1, 0); // ends[p + 1] runs from the start to the end of part p
    for (std::uint32_t row = 0; row < rows; ++row)
        ++ends[(bits_at(values + std::size_t{row} * kWords, offset, width) >> low) + 1];
    std::uint32_t sum = 0;
    for (std::size_t part = 0; part < parts; ++part) {
        const std::uint32_t size = ends[part + 1];
        ends[part + 1] = sum;
        sum += size;
    }
    for (std::uint32_t row = 0; row < rows; ++row) {
        const std::uint32_t key = bits_at(values + std::size_t{row} * kWords, offset, width);
        dealt[ends[(key >> low) + 1]++] = {key, row};
    }
    const std::uint32_t mask = (std::uint32_t{1} << low) - 1;
    std::vector<std::uint32_t> running(std::size_t{1} << low);
    for (std::size_t part = 0; part < parts; ++part) {
        const std::uint32_t begin = ends[part], end = ends[part + 1];
        std::fill(running.begin(), running.end(), 0u);
        for (std::uint32_t at = begin; at < end; ++at) ++running[dealt[at].key & mask];
        std::uint32_t place = begin;
        for (std::uint32_t& bucket : running) {
            const std::uint32_t size = bucket;
            add(size);
            bucket = place;
            place += size;
        }
        for (std::uint32_t at = begin; at < end; ++at) order[running[dealt[at].key & mask]++] = dealt[at].row;
    }
}

// The blocks of chunk 0, by which the rows are ordered. False if they are not.
bool count_first(const std::uint64_t* values, std::uint32_t rows, int width, Block* blocks) {
    BlockWriter writer(blocks);
    std::uint32_t row = 0;
    for (std::uint32_t bucket = 0; bucket < std::uint32_t{1} << width; ++bucket) {
        const std::uint32_t first = row;
        while (row < rows && bits_at(values + std::size_t{row} * kWords, 0, width) == bucket) ++row;
        writer.add(row - first);
    }
    writer.end();
    return row == rows;
}

} // namespace

Status arrange(const Widths& widths, const std::uint64_t* values, std::uint32_t rows, std::uint32_t* from) {
    if (!widths.are_sound() || rows > kMostRows) return Status::bad_argument;
    const std::unique_ptr<Keyed[]> dealt(new Keyed[rows]);
    sort_chunk(values, rows, 0, widths.bits[0], dealt.get(), from, [](std::uint32_t) {});
    return Status::ok;
}

void gather(const std::uint64_t* values, const std::uint32_t* from, std::uint32_t rows, int threads,
            std::uint64_t* arranged) {
    constexpr std::size_t block = 1 << 16, ahead = 32;
    detail::share(threads, (rows + block - 1) / block, [&](int, std::size_t task) {
        const std::size_t end = std::min<std::size_t>((task + 1) * block, rows);
        for (std::size_t row = task * block; row < end; ++row) {
            if (row + ahead < end) __builtin_prefetch(values + std::size_t{from[row + ahead]} * kWords);
            std::memcpy(arranged + row * kWords, values + std::size_t{from[row]} * kWords, kWords * 8);
        }
    });
}

Status fill(const Widths& widths, const std::uint64_t* values, std::uint32_t rows, Block* blocks, std::uint32_t* order,
            int threads) {
    if (!widths.are_sound() || rows > kMostRows) return Status::bad_argument;
    std::atomic<bool> is_arranged{true};
    std::vector<std::unique_ptr<Keyed[]>> dealt(static_cast<std::size_t>(std::max(threads, 1)));
    detail::share(threads, static_cast<std::size_t>(widths.chunks), [&](int thread, std::size_t task) {
        const int chunk = static_cast<int>(task), width = widths.bits[chunk];
        Block* const own = blocks + first_block(widths, chunk);
        if (chunk == 0) {
            if (!count_first(values, rows, width, own)) is_arranged = false;
            return;
        }
        BlockWriter writer(own);
        std::unique_ptr<Keyed[]>& room = dealt[static_cast<std::size_t>(thread)];
        if (room == nullptr) room.reset(new Keyed[rows]);
        sort_chunk(values, rows, offset_of(widths, chunk), width, room.get(), order + (task - 1) * std::size_t{rows},
                   [&](std::uint32_t size) { writer.add(size); });
        writer.end();
    });
    return is_arranged ? Status::ok : Status::bad_argument;
}

bool are_sound(const Tables& tables, int threads) {
    const Widths& widths = tables.widths;
    if (!widths.are_sound() || tables.rows.count > kMostRows) return false;
    const std::size_t rows = tables.rows.count, chunks = static_cast<std::size_t>(widths.chunks);
    const detail::Functions& level = detail::functions();
    std::atomic<bool> is_sound{true};
    detail::share(threads, 2 * chunks - 1, [&](int, std::size_t task) {
        if (task < chunks) {
            const int chunk = static_cast<int>(task);
            if (!level.add_up(tables.blocks + first_block(widths, chunk), widths.blocks(chunk), tables.rows.count))
                is_sound = false;
            return;
        }
        if (rows != 0 && level.largest(tables.order + (task - chunks) * rows, rows) >= rows) is_sound = false;
    });
    return is_sound;
}

} // namespace jikimi
