// Damaged JPEGs under the sanitizers, for some seconds: nothing may go wrong but declining, and what is not declined must
// have the sample of its pixels, which libjpeg makes in another way.
//
// Usage: jpeg_mutations SECONDS [SEED [FILE...]]   The files that are mutated are made here, in all layouts; add others.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include <jpeglib.h>

#include "jikimi/jpeg.h"
#include "jikimi/pdq.h"

namespace {

using Bytes = std::vector<std::uint8_t>;
using Sample = float[jikimi::pdq::kSide * jikimi::pdq::kSide];
using Chance = std::mt19937;

unsigned below(Chance& chance, std::size_t end) { return static_cast<unsigned>(chance() % end); }

constexpr std::size_t kMostPixels = 1'000'000;
// Headers are where the interesting bytes are.
constexpr std::size_t kHeaders = 700;

struct Layout {
    int colours, across, down;
    bool is_progressive;
};

constexpr Layout kLayouts[] = {
    {1, 1, 1, false}, {3, 1, 1, false}, {3, 2, 1, false}, {3, 2, 2, false}, {3, 1, 2, false}, {3, 4, 1, false},
    {1, 1, 1, true},  {3, 1, 1, true},  {3, 2, 1, true},  {3, 2, 2, true},  {3, 1, 2, true},
};

// A picture of noise over waves, so that every coefficient says something.
Bytes encoded(const Layout& layout, Chance& chance) {
    jpeg_compress_struct info;
    jpeg_error_mgr errors;
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    unsigned char* out = nullptr;
    unsigned long size = 0;
    jpeg_mem_dest(&info, &out, &size);
    info.image_width = 1 + below(chance, 120);
    info.image_height = 1 + below(chance, 120);
    info.input_components = layout.colours;
    info.in_color_space = layout.colours == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, 1 + static_cast<int>(below(chance, 100)), TRUE);
    info.comp_info[0].h_samp_factor = layout.across;
    info.comp_info[0].v_samp_factor = layout.down;
    info.restart_interval = below(chance, 3) == 0 ? 2 : 0;
    if (layout.is_progressive) jpeg_simple_progression(&info);
    jpeg_start_compress(&info, TRUE);
    Bytes row(info.image_width * static_cast<std::size_t>(layout.colours));
    JSAMPROW line = row.data();
    while (info.next_scanline < info.image_height) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            row[i] = static_cast<std::uint8_t>(i * i / 40 + info.next_scanline + below(chance, 64));
        }
        jpeg_write_scanlines(&info, &line, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    Bytes file(out, out + size);
    std::free(out);
    return file;
}

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

// Whether the file was decoded; ends the run if the two ways differ.
bool try_both_ways(const Bytes& file) {
    const jikimi::jpeg::Size size = size_of(file);
    if (size.width * size.height > kMostPixels) return false;
    Sample sample, expected;
    Bytes rgb(size.width * size.height * 3);
    const bool is_done = jikimi::jpeg::sample(file.data(), file.size(), size, 1, sample);
    bool is_equal = jikimi::jpeg::pixels(file.data(), file.size(), size, rgb.data()) == is_done;
    if (is_done && is_equal) {
        jikimi::pdq::Reducer reducer(size.height, size.width, jikimi::pdq::Pixels::kRgb8);
        for (std::size_t y = 0; y < size.height; ++y) reducer.add(rgb.data() + 3 * y * size.width);
        reducer.finish(expected);
        is_equal = std::memcmp(sample, expected, sizeof sample) == 0;
    }
    if (!is_equal) {
        std::ofstream("jpeg_mutations.jpg", std::ios::binary)
            .write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
        std::printf("%s: the two ways differ; see jpeg_mutations.jpg\n", jikimi::pdq::level());
        std::exit(1);
    }
    return is_done;
}

void try_a_turn(const Bytes& file, Chance& chance) {
    const jikimi::jpeg::Size size = size_of(file);
    if (size.width * size.height > kMostPixels) return;
    Sample sample;
    jikimi::jpeg::sample(file.data(), file.size(), size, 2 + static_cast<int>(below(chance, 7)), sample);
}

Bytes mutated(Bytes file, Chance& chance) {
    for (auto changes = below(chance, 4); changes > 0; --changes) {
        const std::size_t reach = below(chance, 2) ? file.size() : std::min(file.size(), kHeaders);
        file[below(chance, reach)] = static_cast<std::uint8_t>(chance());
    }
    if (below(chance, 8) == 0) file.resize(1 + below(chance, file.size()));
    file.shrink_to_fit();  // so that a read behind the end is seen
    return file;
}

Bytes read(const char* path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 2) return 2;
    const auto seed = static_cast<unsigned>(count > 2 ? std::atoi(arguments[2]) : 1);
    Chance chance(seed);
    std::vector<Bytes> given;
    for (int i = 3; i < count; ++i) given.push_back(read(arguments[i]));
    const auto levels = jikimi::pdq::levels();
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(std::atoi(arguments[1]));
    long tried = 0, decoded = 0;
    while (std::chrono::steady_clock::now() < end) {
        const std::size_t which = below(chance, std::size(kLayouts) + given.size());
        const Bytes whole = which < given.size() ? given[which] : encoded(kLayouts[which - given.size()], chance);
        for (int round = 0; round < 20 && !whole.empty(); ++round) {
            const Bytes file = round == 0 ? whole : mutated(whole, chance);
            jikimi::pdq::use_level(levels[below(chance, levels.size())]);
            ++tried;
            decoded += try_both_ways(file);
            try_a_turn(file, chance);
        }
    }
    std::printf("seed %u: %ld files, %ld of them decoded, both ways alike\n", seed, tried, decoded);
    return decoded == 0;
}
