// Building the tables: every chunk is sorted by itself, in two steps that stay in the cache.

#include <algorithm>
#include <cstring>

#include "jikimi/multi_index.h"
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

struct Keyed {
    std::uint32_t key, row;
};

// Fill 2^width + 1 `starts` and the `order` of one chunk. First the rows are dealt out by the high bits of the key,
// then each part is counted and placed by the low bits. Both keep equal keys in the order of rows.
void sort_chunk(const std::uint64_t* values, std::uint32_t rows, int offset, int width, std::uint32_t* starts,
                std::uint32_t* order) {
    const int low = std::max(width - kPartBits, 0);
    const std::size_t parts = std::size_t{1} << (width - low);
    std::vector<std::uint32_t> ends(parts + 1, 0); // ends[p + 1] runs from the start to the end of part p
    for (std::uint32_t row = 0; row < rows; ++row) {
        const std::uint32_t key = bits_at(values + std::size_t{row} * kWords, offset, width);
        ++ends[(key >> low) + 1];
    }
    std::uint32_t sum = 0;
    for (std::size_t part = 0; part < parts; ++part) {
        const std::uint32_t size = ends[part + 1];
        ends[part + 1] = sum;
        sum += size;
    }
    const std::unique_ptr<Keyed[]> dealt(new Keyed[rows]);
    for (std::uint32_t row = 0; row < rows; ++row) {
        const std::uint32_t key = bits_at(values + std::size_t{row} * kWords, offset, width);
        dealt[ends[(key >> low) + 1]++] = {key, row};
    }
    starts[0] = 0;
    for (std::size_t part = 0; part < parts; ++part) {
        std::uint32_t* const running = starts + 1 + (part << low); // from the start to the end of each bucket
        const std::size_t buckets = std::size_t{1} << low;
        const std::uint32_t mask = static_cast<std::uint32_t>(buckets - 1);
        const std::uint32_t begin = ends[part], end = ends[part + 1];
        std::fill(running, running + buckets, 0u);
        for (std::uint32_t at = begin; at < end; ++at) ++running[dealt[at].key & mask];
        std::uint32_t place = begin;
        for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
            const std::uint32_t size = running[bucket];
            running[bucket] = place;
            place += size;
        }
        for (std::uint32_t at = begin; at < end; ++at) order[running[dealt[at].key & mask]++] = dealt[at].row;
    }
}

// The starts of chunk 0, by which the rows are ordered. False if they are not.
bool count_first(const std::uint64_t* values, std::uint32_t rows, int width, std::uint32_t* starts) {
    const std::size_t buckets = std::size_t{1} << width;
    std::size_t bucket = 0;
    for (std::uint32_t row = 0; row < rows; ++row) {
        const std::uint32_t key = bits_at(values + std::size_t{row} * kWords, 0, width);
        if (key + std::size_t{1} < bucket) return false;
        while (bucket <= key) starts[bucket++] = row;
    }
    while (bucket <= buckets) starts[bucket++] = rows;
    return true;
}

} // namespace

Status arrange(const Widths& widths, const std::uint64_t* values, std::uint32_t rows, std::uint32_t* from) {
    if (!widths.are_sound()) return Status::bad_argument;
    std::vector<std::uint32_t> starts((std::size_t{1} << widths.bits[0]) + 1);
    sort_chunk(values, rows, 0, widths.bits[0], starts.data(), from);
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

Status fill(const Widths& widths, const std::uint64_t* values, std::uint32_t rows, std::uint32_t* starts,
            std::uint32_t* order, int threads) {
    if (!widths.are_sound()) return Status::bad_argument;
    std::vector<std::size_t> begin(static_cast<std::size_t>(widths.chunks), 0);
    for (std::size_t chunk = 1; chunk < begin.size(); ++chunk)
        begin[chunk] = begin[chunk - 1] + (std::size_t{1} << widths.bits[chunk - 1]) + 1;
    std::atomic<bool> is_arranged{true};
    detail::share(threads, begin.size(), [&](int, std::size_t task) {
        const int chunk = static_cast<int>(task), width = widths.bits[task];
        if (chunk == 0) {
            if (!count_first(values, rows, width, starts)) is_arranged = false;
        } else {
            sort_chunk(values, rows, offset_of(widths, chunk), width, starts + begin[task],
                       order + (task - 1) * std::size_t{rows});
        }
    });
    return is_arranged ? Status::ok : Status::bad_argument;
}

bool are_sound(const Tables& tables, int threads) {
    if (!tables.widths.are_sound()) return false;
    std::vector<std::size_t> begin(static_cast<std::size_t>(tables.widths.chunks) + 1, 0);
    for (std::size_t chunk = 1; chunk < begin.size(); ++chunk)
        begin[chunk] = begin[chunk - 1] + (std::size_t{1} << tables.widths.bits[chunk - 1]) + 1;
    const std::size_t rows = tables.rows.count, chunks = begin.size() - 1;
    std::atomic<bool> is_sound{true};
    detail::share(threads, 2 * chunks - 1, [&](int, std::size_t task) {
        bool good = true;
        if (task < chunks) {
            const std::uint32_t* starts = tables.starts + begin[task];
            const std::size_t buckets = begin[task + 1] - begin[task] - 1;
            bool falls = false;
            for (std::size_t bucket = 0; bucket < buckets; ++bucket) falls |= starts[bucket + 1] < starts[bucket];
            good = starts[0] == 0 && starts[buckets] == rows && !falls;
        } else {
            const std::uint32_t* order = tables.order + (task - chunks) * rows;
            std::uint32_t largest = 0;
            for (std::size_t place = 0; place < rows; ++place) largest = std::max(largest, order[place]);
            good = rows == 0 || largest < rows;
        }
        if (!good) is_sound = false;
    });
    return is_sound;
}

} // namespace jikimi
