// Damaged JPEGs against the sanitizers: every file named is mutated many times, and nothing may go wrong but declining.
//
// Usage: test_pdq_jpeg ROUNDS FILE...

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "jikimi/jpeg.h"
#include "jikimi/jpeg_header.h"
#include "jikimi/pdq.h"

namespace {

using Bytes = std::vector<std::uint8_t>;

// Width and height as the first frame header says, so that mutated sizes are decoded as well.
jikimi::jpeg::Size size_of(const Bytes& file) {
    for (std::size_t at = 2; at + 9 < file.size();) {
        if (file[at] != 0xFF) return {};
        const unsigned marker = file[at + 1];
        if (marker >= 0xC0 && marker <= 0xC2) {
            return {file[at + 7] * std::size_t{256} + file[at + 8], file[at + 5] * std::size_t{256} + file[at + 6]};
        }
        at += 2 + file[at + 2] * std::size_t{256} + file[at + 3];
    }
    return {};
}

int try_all_turns(const Bytes& file) {
    const jikimi::jpeg::Size size = size_of(file);
    if (size.width * size.height > 4'000'000) return 0;
    int decoded = 0;
    for (int orientation = 1; orientation <= 8; ++orientation) {
        float sample[jikimi::pdq::kSide * jikimi::pdq::kSide];
        decoded += jikimi::jpeg::sample(file.data(), file.size(), size, orientation, sample);
    }
    return decoded;
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 3) return 2;
    std::mt19937 chance(1);
    int tried = 0, headers = 0, decoded = 0;
    for (int i = 2; i < count; ++i) {
        std::ifstream stream(arguments[i], std::ios::binary);
        const Bytes whole{std::istreambuf_iterator<char>(stream), {}};
        if (whole.empty()) return 2;
        for (const char* level : jikimi::pdq::levels()) {
            jikimi::pdq::use_level(level);
            if (try_all_turns(whole) == 0) std::printf("%s is declined\n", arguments[i]);
        }
        for (int round = std::atoi(arguments[1]); round > 0; --round) {
            Bytes file = whole;
            for (auto changes = chance() % 4; changes > 0; --changes) {
                // Headers are where the interesting bytes are.
                const std::size_t reach = chance() % 2 ? file.size() : std::min<std::size_t>(file.size(), 700);
                file[chance() % reach] = static_cast<std::uint8_t>(chance());
            }
            if (chance() % 4 == 0) file.resize(1 + chance() % file.size());
            file.shrink_to_fit();  // so that a read behind the end is seen
            ++tried;
            headers += jikimi::jpeg::read_header(file.data(), file.size()).has_value();
            decoded += try_all_turns(file);
        }
    }
    std::printf("%d files, %d headers, %d samples\n", tried, headers, decoded);
    return 0;
}
