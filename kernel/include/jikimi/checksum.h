// A checksum that runs at the speed of memory, against failing disks and memory; no protection against forgery.
#pragma once

#include <cstddef>
#include <cstdint>

namespace jikimi {

constexpr std::size_t kSumBlock = std::size_t{1} << 20;

// Two numbers for each block of 1 MiB (the last may be shorter), of words w_i (the last padded with zeros) and keys
// k_i = (i + 1) * 0x9E3779B97F4A7C15: the sum of w_i, and the sum of low32(w_i ^ k_i) * high32(w_i ^ k_i), modulo 2^64.
// The first notices every change of one word; the second also sees words change places.
// `sums` has room for two numbers per block; `data` is aligned to 8 bytes.
void checksum(const std::uint8_t* data, std::size_t bytes, int threads, std::uint64_t* sums);

} // namespace jikimi
