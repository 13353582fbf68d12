// PDQ: pixels, row by row, to the 64 x 64 sample; the sample to hash, quality and the eight dihedral hashes.
//
// Two ways to the sample. `Reducer` is quick: the reference's four box filters and its decimation are one linear map,
// which it evaluates only where a sample is taken. Its result is nearer to the truth than the reference's, whose
// float32 sums drift; where that drift could decide a bit, `is_doubtful` says so. `reduce_exactly` is the other way:
// every float32 operation of the reference in its order, hence equal bit for bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace jikimi::pdq {

constexpr int kSide = 64;
constexpr int kBand = 16;
constexpr int kHashBytes = 32;
constexpr int kVariants = 8;

// How one pixel lies in memory.
enum class Pixels { kGrey8, kRgb8, kRgbx8, kLuma32 };

// EXIF orientation 1 to 8 as what it does to the stored axes.
struct Turn {
    bool reverse_rows = false;
    bool reverse_cols = false;
    bool transpose = false;
};
Turn turn_of(int exif_orientation);

// Takes the stored rows from top to bottom and gives the sample of the upright picture. Memory: a few rows.
class Reducer {
 public:
    Reducer(std::size_t rows, std::size_t cols, Pixels pixels, Turn turn);
    ~Reducer();
    Reducer(const Reducer&) = delete;
    Reducer& operator=(const Reducer&) = delete;

    // Each call is the next row: `cols` pixels.
    void add(const void* row);
    // `sample` gets 64 x 64 floats once all rows are in.
    void finish(float* sample) const;

 private:
    struct State;
    std::unique_ptr<State> state_;
};

// Overwrites `luma` (rows x cols, C order) and writes 64 x 64 floats, bit for bit as the reference does.
void reduce_exactly(float* luma, std::size_t rows, std::size_t cols, float* sample);

// Whether rounding in the reference's sums over an upright picture of this size may have turned a bit of any of the
// eight hashes, or a point of quality, away from what the quick sample says.
bool is_doubtful(const float* sample, std::size_t rows, std::size_t cols);

// The hash, most significant bit first, and the quality, 0 to 100.
int fingerprint(const float* sample, std::uint8_t* hash);

// Eight hashes in the reference's order: as is, rotated by 90, 180, 270, flipped x, y, plus 1, minus 1.
void dihedral(const float* sample, std::uint8_t* hashes);

}  // namespace jikimi::pdq
