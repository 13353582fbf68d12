// The three parts of a colour JPEG as they are stored, brightness and two coarser colours, and the colours of each row.
//
// Between two stored colours lie others: libjpeg's "fancy upsampling", whose numbers these are (jdsample.c, equal in all
// versions of libjpeg-turbo for the layouts of `fit`). Done here it costs a fraction, because what comes of it, row by
// row, is the brightness alone and no picture.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

#include <jpeglib.h>

#include "jikimi/pdq.h"

namespace jikimi::jpeg {

class Planes {
  public:
    // Whether a YCbCr file has one of the layouts that are known here: 4:4:4, 4:2:2, 4:2:0.
    static bool fit(const jpeg_decompress_struct& info);

    // False if this libjpeg stores planes in other sizes: some enlarge the colours while they decode.
    bool start(const jpeg_decompress_struct& info);
    // Where libjpeg shall put the next blocks, and of how many rows of the picture they are.
    JSAMPIMAGE room();
    JDIMENSION room_rows() const { return static_cast<JDIMENSION>(parts_[0].tall); }
    // Whether the next row is complete; the colours of a row need those of its neighbours.
    bool has_row() const;
    // The next row; valid until the one after it.
    pdq::Ycc next_row();

  private:
    // A ring of two rows of blocks.
    struct Part {
        std::size_t stride = 0, tall = 0;
        std::vector<std::uint8_t> ring;
        JSAMPROW lines[2 * DCTSIZE];

        std::uint8_t* row(std::size_t y) { return ring.data() + y % (2 * tall) * stride; }
    };

    std::size_t colour_row() const { return is_low_ ? row_ / 2 : row_; }
    std::size_t neighbour() const;
    const std::uint8_t* widened(Part& part, std::vector<std::uint8_t>& line);

    Part parts_[3];
    JSAMPARRAY arrays_[3];
    bool is_narrow_ = false, is_low_ = false;  // colours at every other column, row
    std::size_t rows_ = 0, colour_rows_ = 0, colour_cols_ = 0, turns_ = 0, row_ = 0;
    std::vector<std::uint16_t> sums_;
    std::vector<std::uint8_t> blue_, red_;
};

}  // namespace jikimi::jpeg
