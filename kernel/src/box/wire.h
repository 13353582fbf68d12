// The bytes of `jikimi/engine/decode/wire.py`, which says what they mean. Little-endian, as are the machines we run on.
#pragma once

#include <cstdint>
#include <cstring>

namespace jikimi::box {

constexpr char kReady[] = {'r', 'e', 'a', 'd', 'y'};
constexpr int kJobDescriptors = 3;
constexpr char kSize = 'H', kSketch = 'S', kEnd = 'E', kDeclined = 'D';
constexpr char kExited = 'E', kSignalled = 'S', kNotStarted = 'N';

#pragma pack(push, 1)

// Once, before the first job; the seccomp program follows.
struct Setup {
    std::uint32_t output;
    std::uint32_t ruleset_bytes;  // 0: the kernel has no Landlock
    std::uint8_t ruleset[24];
};
static_assert(sizeof(Setup) == 32);

struct Job {
    char kind[16];
    std::uint64_t max_bytes, max_pixels, max_frames, max_total_pixels, memory_bytes;
    double seconds;
    std::uint8_t sandbox;
};
static_assert(sizeof(Job) == 65);

struct Status {
    char how;
    std::uint32_t code;
    std::uint64_t peak_bytes;
};
static_assert(sizeof(Status) == 13);

struct Record {
    char tag;
    std::uint32_t length;
};

struct Size {
    Record record{kSize, 8};
    std::uint32_t width, height;
};

struct Sketch {
    Record record{kSketch, 13 + sizeof(float) * 64 * 64};
    std::uint32_t frame = 0;
    std::uint8_t flattened = 0;
    char type[8] = {'p', 'd', 'q'};
};

struct End {
    Record record{kEnd, 4};
    std::uint32_t frames = 1;
};

// The whole answer of a child that has decoded.
struct Answer {
    Size size;
    Sketch sketch;
    float sample[64 * 64];
    End end;
};
static_assert(sizeof(Answer) == 13 + 18 + 16384 + 9);

#pragma pack(pop)

}  // namespace jikimi::box
