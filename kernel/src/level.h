// What each instruction level offers, and the jobs it is given. Plain structs only: files compiled with wide flags must
// not instantiate anything that the linker could take for shared code.
#pragma once

#include <cstddef>
#include <cstdint>

#include "jikimi/multi_index.h"

namespace jikimi::detail {

// Where matches go. `grow` makes room for at least one more; it lives in shared code.
struct Sink {
    Match* data = nullptr;
    std::size_t size = 0;
    std::size_t capacity = 0;
    void (*grow)(Sink&) = nullptr;
    void* owner = nullptr;
};

// Compare rows [first, last) with the queries. `number[i]` is what query i is called in a match.
struct ScanJob {
    Rows rows;
    std::uint32_t first, last;
    const std::uint64_t* queries; // count x 4
    const std::uint32_t* number;
    std::size_t count;
    Reach reach;
    std::uint32_t radius;
};

// One chunk as a search with a certain radius uses it.
struct ProbeChunk {
    const Block* blocks;
    const std::uint32_t* order; // null for chunk 0
    const std::uint32_t* masks; // the flips to try
    std::uint32_t probes;
    std::uint32_t most_flips;
    std::uint32_t offset, width;
};

struct Range {
    std::uint32_t begin, count;
};

struct ProbeJob {
    Rows rows;
    const ProbeChunk* chunks;
    int count;
    const std::uint64_t* query;
    std::uint32_t number;
    Reach reach;
    std::uint32_t radius;
    std::uint64_t most_candidates;
    std::uint32_t* buckets; // scratch: one per probe
    Range* ranges;          // scratch: one per probe
};

enum class Probed : int { done, too_many, damaged };

struct Functions {
    // False if a bank number is out of range.
    bool (*scan)(const ScanJob&, Sink&);
    Probed (*probe)(const ProbeJob&, Sink&);
    void (*sum_block)(const std::uint64_t* words, std::size_t count, std::uint64_t* sums);
    std::uint32_t (*largest)(const std::uint32_t* numbers, std::size_t count);
    bool (*add_up)(const Block* blocks, std::size_t count, std::uint32_t rows);
};

// Null where the build has no such level.
const Functions* generic_functions();
const Functions* popcnt_functions();
const Functions* avx512_functions();
const Functions* neon_functions();

const Functions& functions();

} // namespace jikimi::detail
