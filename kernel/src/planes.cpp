// Rows of blocks in, rows of pixels out, with the colours between the stored ones.

#include "planes.h"

#include <algorithm>

#include "pdq_loops.h"

namespace jikimi::jpeg {
namespace {

// With fewer columns of colour libjpeg repeats them instead.
constexpr JDIMENSION kFewestColours = 3;

}  // namespace

bool Planes::fit(const jpeg_decompress_struct& info) {
    const int across = info.comp_info[0].h_samp_factor, down = info.comp_info[0].v_samp_factor;
    if (across == 1) return down == 1;
    return across == 2 && down <= 2 && (info.image_width + 1) / 2 >= kFewestColours;
}

bool Planes::start(const jpeg_decompress_struct& info) {
    for (int i = 0; i < 3; ++i) {
        const jpeg_component_info& stored = info.comp_info[i];
        Part& part = parts_[i];
        part.stride = std::size_t{stored.width_in_blocks} * DCTSIZE;
        part.tall = static_cast<std::size_t>(stored.v_samp_factor) * DCTSIZE;
        part.ring.resize(2 * part.tall * part.stride);
        arrays_[i] = part.lines;
    }
    is_narrow_ = info.comp_info[0].h_samp_factor == 2;
    is_low_ = info.comp_info[0].v_samp_factor == 2;
    rows_ = info.output_height;
    colour_rows_ = info.comp_info[1].downsampled_height;
    colour_cols_ = info.comp_info[1].downsampled_width;
    const std::size_t cols = info.output_width;
    if (colour_cols_ != (is_narrow_ ? (cols + 1) / 2 : cols)) return false;
    if (colour_rows_ != (is_low_ ? (rows_ + 1) / 2 : rows_)) return false;
    if (!is_narrow_) return true;
    sums_.resize(colour_cols_ + 2);
    blue_.resize(2 * colour_cols_);
    red_.resize(2 * colour_cols_);
    return true;
}

JSAMPIMAGE Planes::room() {
    for (Part& part : parts_) {
        for (std::size_t i = 0; i < part.tall; ++i) part.lines[i] = part.row(turns_ * part.tall + i);
    }
    ++turns_;
    return arrays_;
}

// The stored row of colours on the other side; beyond an edge it is the last one.
std::size_t Planes::neighbour() const {
    const std::size_t own = colour_row();
    if (!is_low_) return own;
    return row_ % 2 == 0 ? std::max<std::size_t>(own, 1) - 1 : std::min(own + 1, colour_rows_ - 1);
}

bool Planes::has_row() const {
    return row_ < rows_ && std::max(colour_row(), neighbour()) < turns_ * parts_[1].tall;
}

pdq::Ycc Planes::next_row() {
    const pdq::Ycc row{parts_[0].row(row_), widened(parts_[1], blue_), widened(parts_[2], red_)};
    ++row_;
    return row;
}

const std::uint8_t* Planes::widened(Part& part, std::vector<std::uint8_t>& line) {
    const std::uint8_t* own = part.row(colour_row());
    if (!is_narrow_) return own;
    // Each pixel is nine, three, three and one sixteenths of the four nearest colours. The last bit is rounded up and
    // down in turn, along rows where both directions are coarse.
    const pdq::Loops& loops = pdq::chosen();
    loops.add_rows(own, part.row(neighbour()), colour_cols_, sums_.data() + 1);
    sums_.front() = sums_[1];
    sums_.back() = sums_[colour_cols_];
    loops.widen(sums_.data() + 1, colour_cols_, is_low_ ? 8 : 4, is_low_ ? 7 : 8, line.data());
    return line.data();
}

}  // namespace jikimi::jpeg
