// PDQ: pixels, row by row, to the 64 x 64 sample; the sample to hash, quality and the eight dihedral hashes.
//
// Equal bit for bit to the reference, flat pictures included: every float32 addition and division of its four box
// filters is made in its order. Only what is not asked for is left out, and no more than a few rows are held: the
// filters run one behind the other on small tiles, and a position that is not sampled is summed up but not divided.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace jikimi::pdq {

constexpr int kSide = 64;
constexpr int kBand = 16;
constexpr int kHashBytes = 32;
constexpr int kVariants = 8;

// Rows are held in blocks, so a side is limited; JPEG's own limit is the same.
constexpr std::size_t kLongestSide = 65536;

// How pixels lie in memory. In `kRgbx8` the fourth byte is ignored; a row of `kYcc8` is a `Ycc`.
enum class Pixels { kGrey8, kRgb8, kRgbx8, kYcc8, kLuma32 };

// A row as JPEG has it: brightness, and how blue and how red. It means the RGB that libjpeg makes of it.
struct Ycc {
    const std::uint8_t* bright;
    const std::uint8_t* blue;
    const std::uint8_t* red;
};

// Takes rows from top to bottom and gives the sample.
class Reducer {
  public:
    // Both sides at most `kLongestSide`.
    Reducer(std::size_t rows, std::size_t cols, Pixels pixels);
    ~Reducer();
    Reducer(const Reducer&) = delete;
    Reducer& operator=(const Reducer&) = delete;

    // Each call is the next row: `cols` pixels.
    void add(const void* row);
    // Once, after the last row: `sample` gets 64 x 64 floats.
    void finish(float* sample);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// One row of pixels as brightness 0..255.
void luma(const void* row, std::size_t cols, Pixels pixels, float* brightness);

// The hash, most significant bit first, and the quality, 0 to 100.
int fingerprint(const float* sample, std::uint8_t* hash);

// Eight hashes in the reference's order: as is, rotated by 90, 180, 270, flipped x, y, plus 1, minus 1.
void dihedral(const float* sample, std::uint8_t* hashes);

// Instruction sets that this processor and this build have, the widest last; which one runs (`JIKIMI_KERNEL_LEVEL` may
// name a lower one); and, for tests, another choice: false if there is no such level. All give the same bits.
std::vector<const char*> levels();
const char* level();
bool use_level(const char* name);

}  // namespace jikimi::pdq
