// Distances between 256-bit values: the instruction levels, and trying all rows.
//
// A value is 32 bytes, read as four little-endian 64-bit words; bit i is bit i % 64 of word i / 64. Pointers are
// borrowed, must be aligned to 8 bytes and stay valid for the call. Nothing here throws but std::bad_alloc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace jikimi {

constexpr int kBits = 256;
constexpr int kWords = 4;

enum class Status : int {
    ok = 0,
    bad_argument = 1, // the caller's mistake: a radius, a width or a size that cannot be
    damaged = 2,      // the tables point outside of the rows: whoever wrote them lied or the memory failed
};

// Instruction levels, slowest first. The numbers are no format: they may change.
enum class Level : int { generic = 0, popcnt = 1, avx512 = 2, neon = 3 };

constexpr int kLevels = 4;

const char* name_of(Level level);

// Whether this build has the level and this machine can run it.
bool is_available(Level level);

// The level in use: the best available, or what JIKIMI_KERNEL_LEVEL names (if available), or what was forced.
Level level_in_use();

// For tests: use this level from now on, in all threads. `bad_argument` if it is not available.
Status force_level(Level level);

struct Match {
    std::uint32_t query;
    std::uint32_t row;
    std::uint32_t distance;
};

// Which rows count, and how near they have to be: row r matches at a distance below limit[bank[r]]; so 0 leaves a bank
// out, and 32 is a radius of 31. Without banks (null), limit[0] is for all rows. Of each query's matches in each bank only
// the nearest `most` are given, unless that is 0: lists of look-alikes come from outside and may be endless.
struct Reach {
    const std::uint16_t* limit;
    std::size_t banks;
    std::size_t most = 0;

    // The largest distance that any bank lets through, or -1.
    int radius() const;
};

struct Rows {
    const std::uint64_t* values; // count x 4
    std::uint32_t count;
    const std::uint16_t* bank; // count, or null
};

// All matches of (queries x 4) words among the rows, by trying all; several queries share a pass. Appended to `found`,
// by query, then row.
Status scan(const Rows& rows, const std::uint64_t* queries, std::size_t count, const Reach& reach, int threads,
            std::vector<Match>& found);

} // namespace jikimi
