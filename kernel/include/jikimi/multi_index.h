// Exact search within a radius by multi-index hashing.
//
// The 256 bits are cut into chunks of chosen widths. Each chunk has a table: all rows ordered by the chunk's bits, and
// how many are in each of its 2^width buckets. General pigeonhole principle: if chunk c is looked up with up to t_c bits
// flipped, and the sum of all (t_c + 1) is radius + 1, then no neighbour escapes, for it would have to differ in at
// least t_c + 1 bits of every chunk. So the same tables serve every radius; the t_c are chosen when it is known.
// (Norouzi, Punjani, Fleet: "Fast Exact Search in Hamming Space with Multi-Index Hashing", 2014; Qin et al.: "GPH:
// Similarity Search in Hamming Space", 2018.)
//
// Rows are stored in the order of chunk 0: it needs no order column, and its candidates lie side by side.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "jikimi/hamming.h"

namespace jikimi {

constexpr int kMostChunks = 32;
constexpr int kWidest = 28; // 2^28 buckets are 286 MB

struct Widths {
    int chunks = 0;
    std::uint8_t bits[kMostChunks] = {};

    bool are_sound() const; // 1 to 32 chunks of 1 to 28 bits, 256 in all
    std::size_t blocks(int chunk) const; // of one chunk, with the one that ends it
    std::size_t blocks() const;          // of all chunks
};

// Sixty buckets in one cache line, so that a look-up waits for memory once: a bucket starts at `base` plus the counts
// before it. This takes a quarter of the room that starting points would, which is worth more flips (wider chunks).
// A count that does not fit is written as 255 and `base` has its high bit set; such buckets, which a crowd of
// look-alikes makes, are found by binary search in `order`.
struct alignas(64) Block {
    static constexpr std::uint32_t kBuckets = 60;
    static constexpr std::uint32_t kCrowded = 0x80000000;
    std::uint8_t count[kBuckets];
    std::uint32_t base;
};
static_assert(sizeof(Block) == 64);

constexpr std::uint32_t kMostRows = 0x7FFFFFFF;

// The widths that make searches with a radius near 31 cheapest, within a bound on memory.
Widths choose_widths(std::uint64_t rows);

struct Tables {
    Widths widths;
    Rows rows;
    const Block* blocks;        // chunk after chunk; each ends with a block whose base is the number of rows
    const std::uint32_t* order; // per chunk but the first: all row numbers in the chunk's order
};

// The order of chunk 0 (equal ones stay as they are): row i of the result is to be row `from[i]` of `values`. Needs
// 8 bytes per row besides.
Status arrange(const Widths& widths, const std::uint64_t* values, std::uint32_t rows, std::uint32_t* from);

// Write the rows in that order. The two must not overlap.
void gather(const std::uint64_t* values, const std::uint32_t* from, std::uint32_t rows, int threads,
            std::uint64_t* arranged);

// Fill `blocks` and `order` for arranged rows. Within a bucket, rows ascend. Needs 8 bytes per row and thread besides.
Status fill(const Widths& widths, const std::uint64_t* values, std::uint32_t rows, Block* blocks,
            std::uint32_t* order, int threads);

// Whether the buckets of every chunk add up to all rows, and every row number is below their number.
bool are_sound(const Tables& tables, int threads);

// Tables that are ready to be searched, by any number of threads at once. It borrows what the tables point to.
class MultiIndex {
  public:
    explicit MultiIndex(const Tables& tables);
    ~MultiIndex();
    MultiIndex(const MultiIndex&) = delete;
    MultiIndex& operator=(const MultiIndex&) = delete;

    // All matches, appended to `found`, by query, then row. Never much dearer than trying all rows: candidates are
    // counted before they are touched, and too many mean that all rows are tried.
    Status search(const std::uint64_t* queries, std::size_t count, const Reach& reach, int threads,
                  std::vector<Match>& found) const;

    // What a search with this radius would do: look-ups, and candidates if bits were uniform; no look-ups: try all.
    struct Estimate {
        std::uint64_t probes;
        double candidates;
    };
    Estimate estimate(int radius) const;

  private:
    struct Plan;
    struct Plans;
    const Plan& plan_for(int radius) const;

    Tables tables_;
    std::unique_ptr<Plans> plans_;
};

} // namespace jikimi
