// What looking up costs, and the choices that follow from it.
#pragma once

#include <array>
#include <cstdint>

#include "jikimi/multi_index.h"

namespace jikimi::detail {

constexpr int kMostFlips = 5;

// Nanoseconds, for a table of this many rows: measured by bench/, and only used to compare one way with another.
struct Costs {
    double probe;     // one look-up: its start, and the first line of row numbers
    double candidate; // one row fetched and compared
    double row;       // one row when all are tried
};
Costs costs_for(double rows);

// How many patterns of `width` bits have at most `flips` of them set.
double patterns(int width, int flips);

struct Thresholds {
    std::array<int, kMostChunks> flips; // -1: the chunk is not looked up at all
    double probes;
    double candidates; // if bits were uniform
    bool is_worth_it;  // cheaper than trying all rows
};
Thresholds choose_thresholds(const Widths& widths, double rows, int radius);

} // namespace jikimi::detail
