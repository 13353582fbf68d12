// Two small dynamic programmes: how wide to cut the chunks, and how far to flip in each for a radius.

#include "plan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace jikimi {
namespace {

constexpr int kDesignRadius = 31; // what PDQ's makers recommend as "the same picture"
constexpr double kBytesPerBucket = 64.0 / Block::kBuckets;
constexpr double kInfinite = std::numeric_limits<double>::infinity();

// Bytes of tables (blocks and order) per row that are worth their speed. Small collections may take more.
double most_bytes(double rows) { return rows >= 3e6 ? 61.0 : 128.0; }

struct Choice {
    double cost = kInfinite;
    int flips = 0, width = 0;
};

// The cheapest chunks for all bits and the design radius if a byte per row costs `byte_price` nanoseconds.
Widths cheapest(double rows, double byte_price) {
    constexpr int budget = kDesignRadius + 1, most_flips = 3;
    const detail::Costs costs = detail::costs_for(rows);
    const int middle = static_cast<int>(std::lround(std::log2(std::max(rows, 2.0))));
    const int narrowest = std::clamp(middle - 6, 8, 20), widest = std::clamp(middle + 3, 12, kWidest);
    std::vector<Choice> best(static_cast<std::size_t>((kBits + 1) * (budget + 1)));
    auto at = [&](int bits, int spent) -> Choice& { return best[static_cast<std::size_t>(bits * (budget + 1) + spent)]; };
    at(0, 0).cost = 0;
    for (int width = narrowest; width <= widest; ++width)
        for (int flips = 0; flips <= most_flips; ++flips) {
            const double probes = detail::patterns(width, flips), load = rows / std::exp2(width);
            const double price = probes * (costs.probe + load * costs.candidate) +
                                 byte_price * (4 + kBytesPerBucket / load);
            for (int bits = width; bits <= kBits; ++bits)
                for (int spent = flips + 1; spent <= budget; ++spent) {
                    const double cost = at(bits - width, spent - flips - 1).cost + price;
                    if (cost < at(bits, spent).cost) at(bits, spent) = {cost, flips, width};
                }
        }
    Widths widths;
    for (int bits = kBits, spent = budget; bits > 0;) {
        const Choice& choice = at(bits, spent);
        if (choice.width == 0 || widths.chunks == kMostChunks) return Widths{};
        widths.bits[widths.chunks++] = static_cast<std::uint8_t>(choice.width);
        bits -= choice.width;
        spent -= choice.flips + 1;
    }
    // The widest first: it is looked up most, and chunk 0 is the cheapest to look up.
    std::sort(widths.bits, widths.bits + widths.chunks, std::greater<>());
    return widths;
}

double bytes_per_row(const Widths& widths, double rows) {
    return 4.0 * (widths.chunks - 1) + 64.0 * static_cast<double>(widths.blocks()) / rows;
}

} // namespace

bool Widths::are_sound() const {
    if (chunks < 1 || chunks > kMostChunks) return false;
    int sum = 0;
    for (int chunk = 0; chunk < chunks; ++chunk) {
        if (bits[chunk] < 1 || bits[chunk] > kWidest) return false;
        sum += bits[chunk];
    }
    return sum == kBits;
}

std::size_t Widths::blocks(int chunk) const {
    return ((std::size_t{1} << bits[chunk]) + Block::kBuckets - 1) / Block::kBuckets + 1;
}

std::size_t Widths::blocks() const {
    std::size_t count = 0;
    for (int chunk = 0; chunk < chunks; ++chunk) count += blocks(chunk);
    return count;
}

Widths choose_widths(std::uint64_t rows) {
    const double count = std::max(static_cast<double>(rows), 1.0);
    Widths narrow; // sixteen of sixteen: the textbook's, and good for few rows
    narrow.chunks = 16;
    std::fill(narrow.bits, narrow.bits + 16, std::uint8_t{16});
    Widths chosen = cheapest(count, 0);
    for (double price = 20; chosen.chunks == 0 || bytes_per_row(chosen, count) > most_bytes(count); price *= 1.5) {
        if (price > 1e6) return narrow;
        chosen = cheapest(count, price);
    }
    return chosen;
}

detail::Costs detail::costs_for(double rows) {
    // From what fits the caches to what lies in memory.
    const double outside = std::clamp((std::log2(std::max(rows, 2.0)) - 17) / 5, 0.0, 1.0);
    return {4 + 18 * outside, 3 + 8 * outside, 0.35 + 0.75 * outside};
}

double detail::patterns(int width, int flips) {
    double count = 1, ways = 1;
    for (int flip = 1; flip <= std::min(flips, width); ++flip) {
        ways = ways * (width - flip + 1) / flip;
        count += ways;
    }
    return flips < 0 ? 0 : count;
}

detail::Thresholds detail::choose_thresholds(const Widths& widths, double rows, int radius) {
    const Costs costs = costs_for(rows);
    const int budget = radius + 1;
    std::vector<std::vector<double>> least(static_cast<std::size_t>(widths.chunks) + 1,
                                           std::vector<double>(static_cast<std::size_t>(budget) + 1, kInfinite));
    std::vector<std::vector<int>> taken(least.size(), std::vector<int>(least[0].size(), -1));
    least[0][0] = 0;
    for (int chunk = 0; chunk < widths.chunks; ++chunk) {
        const auto here = static_cast<std::size_t>(chunk);
        const int width = widths.bits[chunk];
        for (int flips = -1; flips <= std::min(kMostFlips, width); ++flips) {
            const double price =
                patterns(width, flips) * (costs.probe + rows / std::exp2(width) * costs.candidate);
            for (int spent = flips + 1; spent <= budget; ++spent) {
                const double cost = least[here][static_cast<std::size_t>(spent - flips - 1)] + price;
                if (cost < least[here + 1][static_cast<std::size_t>(spent)]) {
                    least[here + 1][static_cast<std::size_t>(spent)] = cost;
                    taken[here + 1][static_cast<std::size_t>(spent)] = flips;
                }
            }
        }
    }
    Thresholds chosen{};
    chosen.is_worth_it = least.back()[static_cast<std::size_t>(budget)] < rows * costs.row;
    if (!chosen.is_worth_it) return chosen;
    for (int chunk = widths.chunks, spent = budget; chunk > 0; --chunk) {
        const int flips = taken[static_cast<std::size_t>(chunk)][static_cast<std::size_t>(spent)];
        const int width = widths.bits[chunk - 1];
        chosen.flips[static_cast<std::size_t>(chunk - 1)] = flips;
        chosen.probes += patterns(width, flips);
        chosen.candidates += patterns(width, flips) * rows / std::exp2(width);
        spent -= flips + 1;
    }
    return chosen;
}

} // namespace jikimi
