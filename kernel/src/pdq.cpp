// Rows to the sample, and from the sample to hash and quality.

#include "jikimi/pdq.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "pdq_loops.h"

namespace jikimi::pdq {
namespace {

using Frequencies = std::array<float, kBand * kBand>;

// A picture with a shorter side has the all-zero sample (MIN_HASHABLE_DIM of the reference).
constexpr std::size_t kSmallestSide = 5;

Step step_at(std::size_t position, const Axis& axis) {
    const std::size_t end = std::min(position + axis.lag + 1, axis.length);
    const std::size_t first = std::max(position + axis.lag + 1, axis.window) - axis.window;
    const auto inside = static_cast<float>(end - first);
    return {inside, 1.0F / inside};
}

// The window is a 128th of the axis, rounded up; it is cut off at the ends.
Axis axis_of(std::size_t length, std::size_t tile, std::size_t behind) {
    Axis axis{};
    axis.length = length;
    axis.window = (length + 2 * kSide - 1) / (2 * kSide);
    axis.lag = (axis.window + 2) / 2 - 1;
    axis.steps = (length + 2 * axis.lag + behind + tile - 1) / tile * tile;
    axis.means.resize(axis.steps);
    for (std::size_t at = 0; at < length; ++at) axis.means[at + axis.lag] = step_at(at, axis);
    for (std::size_t i = 0; i < kSide; ++i) {
        const std::size_t at = (2 * i + 1) * length / (2 * kSide);
        const std::size_t due = at + 2 * axis.lag + behind;
        if (axis.due.empty() || axis.due.back() != due) {
            axis.due.push_back(due);
            axis.sampled.push_back(step_at(at, axis));
        }
        axis.sample_of[i] = static_cast<int>(axis.due.size()) - 1;
    }
    axis.due.push_back(axis.steps);
    return axis;
}

// Floats that start at a cache line, all zero.
class Floats {
  public:
    explicit Floats(std::size_t count) : values_(count + kLine / sizeof(float)) {
        const auto begin = reinterpret_cast<std::uintptr_t>(values_.data());
        start_ = (kLine - begin % kLine) % kLine / sizeof(float);
    }
    float* data() { return values_.data() + start_; }

  private:
    static constexpr std::size_t kLine = 64;
    std::vector<float> values_;
    std::size_t start_;
};

// Rows 1 to 16 of the 64-point DCT-II, transposed. The factor is rounded first, as in the reference.
const std::array<float, kSide * kBand>& cosines() {
    static const auto table = [] {
        std::array<float, kSide * kBand> by_place{};
        const double scale = static_cast<double>(static_cast<float>(std::sqrt(2.0 / kSide)));
        const double step = std::acos(-1.0) / 2 / kSide;
        for (int place = 0; place < kSide; ++place) {
            for (int i = 0; i < kBand; ++i) {
                by_place[static_cast<std::size_t>(place * kBand + i)] =
                    static_cast<float>(scale * std::cos(step * (i + 1) * (2 * place + 1)));
            }
        }
        return by_place;
    }();
    return table;
}

Frequencies frequencies(const float* sample) {
    Frequencies block;
    chosen().frequencies(sample, cosines().data(), block.data());
    return block;
}

float median(Frequencies block) {
    const auto middle = block.begin() + block.size() / 2 - 1;
    std::nth_element(block.begin(), middle, block.end());
    return *middle;
}

// One bit per frequency: is it above the 128th smallest of the 256? Frequency 0 is the last bit.
void write_bits(const Frequencies& block, std::uint8_t* hash) {
    const float middle = median(block);
    std::memset(hash, 0, kHashBytes);
    for (std::size_t k = 0; k < block.size(); ++k) {
        if (block[k] > middle) hash[kHashBytes - 1 - k / 8] |= static_cast<std::uint8_t>(1U << (k % 8));
    }
}

// How much happens between neighbours: their differences in whole hundredths of white, summed, scaled to 0..100.
int quality_of(const float* sample) {
    int sum = 0;
    const auto add = [&sum](float step) { sum += std::abs(static_cast<int>(step * 100.0F / 255.0F)); };
    for (int i = 0; i < kSide * (kSide - 1); ++i) add(sample[i + kSide] - sample[i]);
    for (int i = 0; i < kSide * kSide; ++i) {
        if (i % kSide != kSide - 1) add(sample[i + 1] - sample[i]);
    }
    return std::min(sum / 90, 100);
}

// Negated are the frequencies that are alike from both ends.
Frequencies with_signs(const Frequencies& block, bool by_row, bool by_col) {
    Frequencies signed_block;
    for (int i = 0; i < kBand; ++i) {
        for (int j = 0; j < kBand; ++j) {
            const bool is_negated = (by_row && i % 2 == 0) != (by_col && j % 2 == 0);
            const auto at = static_cast<std::size_t>(i * kBand + j);
            signed_block[at] = is_negated ? -block[at] : block[at];
        }
    }
    return signed_block;
}

Frequencies transposed(const Frequencies& block) {
    Frequencies turned;
    for (std::size_t i = 0; i < kBand; ++i) {
        for (std::size_t j = 0; j < kBand; ++j) turned[j * kBand + i] = block[i * kBand + j];
    }
    return turned;
}

}  // namespace

// The state between rows. A full `luma` block is filtered at once; the fourth filter, along the sampled columns only,
// follows row by row.
struct Reducer::State {
    Pixels pixels;
    const Loops& loops;
    std::size_t lanes, rows, cols;
    Axis down, across;
    std::size_t ring_rows, padded, history_columns;
    Floats luma, ring, sums, history, thirds, fourth_ring, fourth_sums, sampled;
    std::size_t row = 0;  // rows taken
    std::size_t next = 0;  // sample row that is due next

    State(std::size_t rows_, std::size_t cols_, Pixels pixels_);
    void filter();
    void follow(std::size_t step, std::size_t lane);
};

Reducer::State::State(std::size_t rows_, std::size_t cols_, Pixels pixels_)
    : pixels(pixels_),
      loops(chosen()),
      lanes(loops.lanes),
      rows(rows_),
      cols(cols_),
      down(axis_of(rows, lanes, 0)),
      across(axis_of(cols, lanes, 2 * lanes)),
      ring_rows((down.window + 2 * lanes - 1) / lanes * lanes),
      padded(across.steps),
      history_columns(std::bit_ceil(across.window + lanes)),
      luma(lanes * padded),
      ring(ring_rows * padded),
      sums(padded),
      history(2 * (history_columns + lanes) * lanes),
      thirds(kSide * lanes),
      fourth_ring(ring_rows * kSide),
      fourth_sums(kSide),
      sampled(kSide * kSide) {}

void Reducer::State::filter() {
    const std::size_t first = row - lanes;
    Block block{&across, &down, first, padded, luma.data(), ring.data(), ring_rows, first % ring_rows, {},
                sums.data(), history.data(), history_columns, thirds.data()};
    for (std::size_t i = 0; i < lanes; ++i) block.leaving[i] = (first + i + ring_rows - down.window) % ring_rows;
    loops.filter(block);
    for (std::size_t lane = 0; lane < lanes; ++lane) follow(first + lane, lane);
}

void Reducer::State::follow(std::size_t step, std::size_t lane) {
    const std::size_t count = across.sampled.size();
    float* entering = fourth_ring.data() + step % ring_rows * kSide;
    const float* leaving = fourth_ring.data() + (step + ring_rows - down.window) % ring_rows * kSide;
    const bool is_due = down.due[next] == step;
    for (std::size_t i = 0; i < count; ++i) {
        entering[i] = thirds.data()[i * lanes + lane];
        float& sum = fourth_sums.data()[i];
        sum = sum + entering[i];
        sum = sum - leaving[i];
        if (is_due) sampled.data()[next * kSide + i] = sum / down.sampled[next].inside;
    }
    next += is_due;
}

Reducer::Reducer(std::size_t rows, std::size_t cols, Pixels pixels)
    : state_(std::make_unique<State>(rows, cols, pixels)) {}

Reducer::~Reducer() = default;

void Reducer::add(const void* row) {
    State& state = *state_;
    float* into = state.luma.data() + state.row % state.lanes * state.padded;
    luma(row, state.cols, state.pixels, into);
    ++state.row;
    // The reference leaves 64 x 64 as it is.
    if (state.rows == kSide && state.cols == kSide) {
        std::copy(into, into + kSide, state.sampled.data() + (state.row - 1) * kSide);
    } else if (state.row % state.lanes == 0) {
        state.filter();
    }
}

void Reducer::finish(float* sample) {
    State& state = *state_;
    if (state.rows == kSide && state.cols == kSide) {
        std::copy(state.sampled.data(), state.sampled.data() + kSide * kSide, sample);
        return;
    }
    if (std::min(state.rows, state.cols) < kSmallestSide) {
        std::fill(sample, sample + kSide * kSide, 0.0F);
        return;
    }
    // Beyond the last row come zeros, until the filters have caught up.
    while (state.row < state.down.steps) {
        float* into = state.luma.data() + state.row % state.lanes * state.padded;
        std::fill(into, into + state.padded, 0.0F);
        if (++state.row % state.lanes == 0) state.filter();
    }
    for (std::size_t i = 0; i < kSide; ++i) {
        for (std::size_t j = 0; j < kSide; ++j) {
            sample[i * kSide + j] = state.sampled.data()[state.down.sample_of[i] * kSide + state.across.sample_of[j]];
        }
    }
}

void luma(const void* row, std::size_t cols, Pixels pixels, float* brightness) {
    const auto* bytes = static_cast<const std::uint8_t*>(row);
    switch (pixels) {
        case Pixels::kGrey8: chosen().grey(bytes, cols, brightness); break;
        case Pixels::kRgb8: chosen().rgb(bytes, cols, brightness); break;
        case Pixels::kRgbx8: chosen().rgbx(bytes, cols, brightness); break;
        case Pixels::kYcc8: chosen().ycc(*static_cast<const Ycc*>(row), cols, brightness); break;
        case Pixels::kLuma32: std::memcpy(brightness, row, cols * sizeof(float)); break;
    }
}

int fingerprint(const float* sample, std::uint8_t* hash) {
    write_bits(frequencies(sample), hash);
    return quality_of(sample);
}

void dihedral(const float* sample, std::uint8_t* hashes) {
    const Frequencies upright = frequencies(sample);
    const Frequencies turned = transposed(upright);
    const Frequencies blocks[kVariants] = {
        upright,
        with_signs(turned, true, false),
        with_signs(upright, true, true),
        with_signs(turned, false, true),
        with_signs(upright, true, false),
        with_signs(upright, false, true),
        turned,
        with_signs(turned, true, true),
    };
    for (int i = 0; i < kVariants; ++i) write_bits(blocks[i], hashes + i * kHashBytes);
}

}  // namespace jikimi::pdq
