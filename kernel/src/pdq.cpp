// The sample as one separable linear map, and from the sample to hash and quality.

#include "jikimi/pdq.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "pdq_loops.h"

namespace jikimi::pdq {
namespace {

using Block = std::array<float, kBand * kBand>;

constexpr std::size_t kSmallestSide = 5;

// Rows summed in float32 before they are added up in float64: 32 additions lose no more than the last bits.
constexpr int kPour = 32;

// One sample position of an axis: the weighted positions [first, first + weights.size()) around it.
struct Band {
    std::size_t first;
    std::vector<double> weights;
};

// The 64 samples of one axis; those of a short axis repeat.
struct Axis {
    std::vector<Band> bands;  // distinct, in stored order
    std::array<int, kSide> band_of;
};

// The reference's box at `at` covers [first, end).
struct Window {
    std::size_t first, end;
};

Window window_at(std::size_t at, std::size_t length) {
    const std::size_t size = (length + 2 * kSide - 1) / (2 * kSide);
    const std::size_t half = (size + 2) / 2;
    const std::size_t before = size - half;
    return {at > before ? at - before : 0, std::min(at + half, length)};
}

// A box over a box, seen from one sample: how much each position counts.
Band band_at(std::size_t at, std::size_t length) {
    const Window outer = window_at(at, length);
    const std::size_t first = window_at(outer.first, length).first;
    const std::size_t end = window_at(outer.end - 1, length).end;
    // Differences first, one running sum at the end: a window of windows would be quadratic.
    std::vector<double> steps(end - first + 1, 0.0);
    const double outer_share = 1.0 / static_cast<double>(outer.end - outer.first);
    for (std::size_t q = outer.first; q < outer.end; ++q) {
        const Window inner = window_at(q, length);
        const double share = outer_share / static_cast<double>(inner.end - inner.first);
        steps[inner.first - first] += share;
        steps[inner.end - first] -= share;
    }
    Band band{first, std::vector<double>(end - first)};
    double sum = 0;
    for (std::size_t i = 0; i < band.weights.size(); ++i) band.weights[i] = sum += steps[i];
    return band;
}

Axis axis_of(std::size_t length, bool is_reversed) {
    Axis axis;
    std::size_t last = length;
    for (int i = 0; i < kSide; ++i) {
        const std::size_t at = (2 * static_cast<std::size_t>(i) + 1) * length / (2 * kSide);
        if (at != last) axis.bands.push_back(band_at(at, length));
        last = at;
        axis.band_of[static_cast<std::size_t>(i)] = static_cast<int>(axis.bands.size()) - 1;
    }
    if (is_reversed) {
        // The picture is stored backwards on this axis: the upright position p is stored at length - 1 - p.
        for (Band& band : axis.bands) {
            band.first = length - band.first - band.weights.size();
            std::reverse(band.weights.begin(), band.weights.end());
        }
        std::reverse(axis.bands.begin(), axis.bands.end());
        for (int& band : axis.band_of) band = static_cast<int>(axis.bands.size()) - 1 - band;
    }
    return axis;
}

// Rows of one band on their way in: float32 first, float64 every `kPour` rows.
struct Sums {
    std::vector<float> near;
    std::vector<double> far;
    int fresh = 0;
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

Block frequencies(const float* sample) {
    Block block;
    chosen().frequencies(sample, cosines().data(), block.data());
    return block;
}

float median(Block block) {
    const auto middle = block.begin() + block.size() / 2 - 1;
    std::nth_element(block.begin(), middle, block.end());
    return *middle;
}

// One bit per frequency: is it above the 128th smallest of the 256? Frequency 0 is the last bit.
void write_bits(const Block& block, std::uint8_t* hash) {
    const float middle = median(block);
    std::memset(hash, 0, kHashBytes);
    for (std::size_t k = 0; k < block.size(); ++k) {
        if (block[k] > middle) hash[kHashBytes - 1 - k / 8] |= static_cast<std::uint8_t>(1U << (k % 8));
    }
}

// Calls `take(later - earlier)` for all neighbours, first below each other, then beside each other.
template <typename Take>
void for_neighbours(const float* sample, Take take) {
    for (int i = 0; i < kSide * (kSide - 1); ++i) take(sample[i + kSide] - sample[i]);
    for (int i = 0; i < kSide * kSide; ++i) {
        if (i % kSide != kSide - 1) take(sample[i + 1] - sample[i]);
    }
}

int quality_of(int hundredths) { return std::min(hundredths / 90, 100); }

// Positive frequency rows are those whose cosines are the same from both ends.
Block with_signs(const Block& block, bool by_row, bool by_col) {
    Block signed_block;
    for (int i = 0; i < kBand; ++i) {
        for (int j = 0; j < kBand; ++j) {
            const bool is_negated = (by_row && i % 2 == 0) != (by_col && j % 2 == 0);
            const auto at = static_cast<std::size_t>(i * kBand + j);
            signed_block[at] = is_negated ? -block[at] : block[at];
        }
    }
    return signed_block;
}

Block transposed(const Block& block) {
    Block turned;
    for (std::size_t i = 0; i < kBand; ++i) {
        for (std::size_t j = 0; j < kBand; ++j) turned[j * kBand + i] = block[i * kBand + j];
    }
    return turned;
}

}  // namespace

Turn turn_of(int exif_orientation) {
    switch (exif_orientation) {
        case 2: return {.reverse_cols = true};
        case 3: return {.reverse_rows = true, .reverse_cols = true};
        case 4: return {.reverse_rows = true};
        case 5: return {.transpose = true};
        case 6: return {.reverse_rows = true, .transpose = true};
        case 7: return {.reverse_rows = true, .reverse_cols = true, .transpose = true};
        case 8: return {.reverse_cols = true, .transpose = true};
        default: return {};
    }
}

struct Reducer::State {
    std::size_t cols;
    Pixels pixels;
    bool transpose;
    bool is_tiny;
    Axis by_row, by_col;
    std::vector<Sums> open;  // of the bands that the current row counts for; band b uses open[b % open.size()]
    std::vector<double> samples;  // bands of rows x bands of columns
    std::size_t row = 0;
    std::size_t first_open = 0;

    void weigh(Sums& sums, const void* pixel_row, double weight) const;
    void close(std::size_t band);
};

void Reducer::State::weigh(Sums& sums, const void* pixel_row, double weight) const {
    const Loops& loops = chosen();
    const auto factor = static_cast<float>(weight);
    float* total = sums.near.data();
    switch (pixels) {
        case Pixels::kGrey8: loops.weigh_grey(total, static_cast<const std::uint8_t*>(pixel_row), cols, factor); break;
        case Pixels::kRgb8: loops.weigh_rgb(total, static_cast<const std::uint8_t*>(pixel_row), cols, factor); break;
        case Pixels::kRgbx8:
            loops.weigh_rgbx(total, static_cast<const std::uint32_t*>(pixel_row), cols, factor);
            break;
        case Pixels::kLuma32: loops.weigh_luma(total, static_cast<const float*>(pixel_row), cols, factor); break;
    }
    if (++sums.fresh == kPour) {
        loops.pour(sums.far.data(), total, cols);
        sums.fresh = 0;
    }
}

void Reducer::State::close(std::size_t band) {
    Sums& sums = open[band % open.size()];
    const Loops& loops = chosen();
    loops.pour(sums.far.data(), sums.near.data(), cols);
    double* out = samples.data() + band * by_col.bands.size();
    for (const Band& columns : by_col.bands) {
        *out++ = loops.dot(sums.far.data() + columns.first, columns.weights.data(), columns.weights.size());
    }
    std::fill(sums.far.begin(), sums.far.end(), 0.0);
    sums.fresh = 0;
}

Reducer::Reducer(std::size_t rows, std::size_t cols, Pixels pixels, Turn turn)
    : state_(new State{cols, pixels, turn.transpose, std::min(rows, cols) < kSmallestSide, {}, {}, {}, {}}) {
    if (state_->is_tiny) return;
    state_->by_row = axis_of(rows, turn.reverse_rows);
    state_->by_col = axis_of(cols, turn.reverse_cols);
    const auto& bands = state_->by_row.bands;
    std::size_t most = 1;
    for (std::size_t b = 0, begin = 0; b < bands.size(); ++b) {
        while (bands[begin].first + bands[begin].weights.size() <= bands[b].first) ++begin;
        most = std::max(most, b - begin + 1);
    }
    state_->open.assign(most, Sums{std::vector<float>(cols), std::vector<double>(cols)});
    state_->samples.resize(bands.size() * state_->by_col.bands.size());
}

Reducer::~Reducer() = default;

void Reducer::add(const void* pixel_row) {
    State& state = *state_;
    if (state.is_tiny) return;
    const auto& bands = state.by_row.bands;
    const std::size_t row = state.row++;
    for (std::size_t b = state.first_open; b < bands.size() && bands[b].first <= row; ++b) {
        const std::size_t into = row - bands[b].first;
        const std::size_t last = bands[b].weights.size() - 1;
        if (into > last) continue;
        state.weigh(state.open[b % state.open.size()], pixel_row, bands[b].weights[into]);
        if (into == last) {
            state.close(b);
            if (b == state.first_open) ++state.first_open;
        }
    }
}

void Reducer::finish(float* sample) const {
    const State& state = *state_;
    if (state.is_tiny) {
        std::fill(sample, sample + kSide * kSide, 0.0F);
        return;
    }
    const bool is_grey = state.pixels == Pixels::kGrey8 || state.pixels == Pixels::kLuma32;
    const std::size_t width = state.by_col.bands.size();
    for (std::size_t i = 0; i < kSide; ++i) {
        for (std::size_t j = 0; j < kSide; ++j) {
            const auto row = static_cast<std::size_t>(state.by_row.band_of[state.transpose ? j : i]);
            const auto col = static_cast<std::size_t>(state.by_col.band_of[state.transpose ? i : j]);
            const auto value = static_cast<float>(state.samples[row * width + col]);
            // Where no blur is (sides up to 128) the sum is a whole number, and this rounds as the reference does.
            sample[i * kSide + j] = is_grey ? value : value / 1000.0F;
        }
    }
}

int fingerprint(const float* sample, std::uint8_t* hash) {
    write_bits(frequencies(sample), hash);
    int hundredths = 0;
    for_neighbours(sample, [&](float step) { hundredths += std::abs(static_cast<int>(step * 100.0F / 255.0F)); });
    return quality_of(hundredths);
}

void dihedral(const float* sample, std::uint8_t* hashes) {
    const Block upright = frequencies(sample);
    const Block turned = transposed(upright);
    const Block blocks[kVariants] = {
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
