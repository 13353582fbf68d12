// The loops that exist once per instruction set, and which of them this processor runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "jikimi/pdq.h"

namespace jikimi::pdq {

constexpr std::size_t kMostLanes = 16;

// Where the mean of a window is due, and over how many positions: 0 where there is none.
struct Step {
    float inside = 0;
    float share = 0;  // 1 / inside
};

// One axis of the picture, step by step. Filters lag: after step t the first knows position t - lag, the second,
// which takes in what the first gave, t - 2 lag. Across, a tile more is added for each of the two filters that work
// behind the first. All is known when `steps` are done.
struct Axis {
    std::size_t length, window, lag, steps;
    std::vector<Step> means;  // of the first filter, by step
    std::vector<Step> sampled;  // of the second filter, for each distinct sample in ascending order
    std::vector<std::size_t> due;  // the step at which each of them is known, then one that never comes
    int sample_of[kSide];  // those of a short axis repeat
};

// What passes from one block of rows to the next. Columns are padded to whole tiles.
struct Block {
    const Axis* across;
    const Axis* down;
    std::size_t first_row;  // the step that the block's first row is
    std::size_t padded;  // columns
    float* luma;  // lanes x padded
    float* ring;  // rows that the second filter still needs: tiles of columns x ring_rows x lanes
    std::size_t ring_rows;  // whole blocks, at least a window and a block
    std::size_t entering;  // where the block's rows go in the ring
    std::size_t leaving[kMostLanes];  // where the rows are that leave the window then
    float* sums;  // of the second filter: padded
    float* history;  // 2 x (history_columns + lanes) x lanes
    std::size_t history_columns;  // a power of two, at least a window and a tile
    float* thirds;  // out: distinct samples x lanes
};

struct Loops {
    // Rows in a block.
    std::size_t lanes;
    void (*grey)(const std::uint8_t* row, std::size_t cols, float* brightness);
    void (*rgb)(const std::uint8_t* row, std::size_t cols, float* brightness);
    void (*rgbx)(const std::uint8_t* row, std::size_t cols, float* brightness);
    void (*ycc)(const Ycc& row, std::size_t cols, float* brightness);
    // 3/4 of a row of colours and 1/4 of its neighbour, times four; and twice as many from such sums, which need one more
    // at each end: 3/4 of the own sum and 1/4 of the nearer neighbour's, rounded by what is added to sixteenths.
    void (*add_rows)(const std::uint8_t* own, const std::uint8_t* neighbour, std::size_t cols, std::uint16_t* sums);
    void (*widen)(const std::uint16_t* sums, std::size_t cols, int before, int after, std::uint8_t* wide);
    // Along rows, along columns, along rows again: three of the four filters on `lanes` rows.
    void (*filter)(Block& block);
    void (*frequencies)(const float* sample, const float* cosines_by_place, float* frequencies);
};

namespace generic { const Loops& loops(); }
namespace avx2 { const Loops& loops(); }
namespace avx512 { const Loops& loops(); }

// The widest that this processor has, or what `use_level` said.
const Loops& chosen();


}  // namespace jikimi::pdq
