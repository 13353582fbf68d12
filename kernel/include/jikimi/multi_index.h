// Exact search within a radius by multi-index hashing.
//
// The 256 bits are cut into chunks of chosen widths. Each chunk has a table: all rows ordered by the chunk's bits, and
// where each of its 2^width buckets starts. General pigeonhole principle: if chunk c is looked up with up to t_c bits
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
constexpr int kWidest = 28; // 2^28 starts are a gigabyte

struct Widths {
    int chunks = 0;
    std::uint8_t bits[kMostChunks] = {};

    bool are_sound() const; // 1 to 32 chunks of 1 to 28 bits, 256 in all
    std::size_t starts() const; // how many numbers the starts of all chunks are
};

// The widths that make searches with a radius near 31 cheapest, within a bound on memory.
Widths choose_widths(std::uint64_t rows);

struct Tables {
    Widths widths;
    Rows rows;
    const std::uint32_t* starts; // per chunk 2^width + 1 row positions, chunk after chunk
    const std::uint32_t* order;  // per chunk but the first: all row numbers in the chunk's order
};

// The order of chunk 0 (equal ones stay as they are): row i of the result is to be row `from[i]` of `values`. Needs
// 8 bytes per row besides.
Status arrange(const Widths& widths, const std::uint64_t* values, std::uint32_t rows, std::uint32_t* from);

// Write the rows in that order. The two must not overlap.
void gather(const std::uint64_t* values, const std::uint32_t* from, std::uint32_t rows, int threads,
            std::uint64_t* arranged);

// Fill `starts` and `order` for arranged rows. Within a bucket, rows ascend. Needs 8 bytes per row and thread besides.
Status fill(const Widths& widths, const std::uint64_t* values, std::uint32_t rows, std::uint32_t* starts,
            std::uint32_t* order, int threads);

// Whether every bucket is in range and every row number below the number of rows.
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
