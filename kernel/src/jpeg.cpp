// libjpeg(-turbo) as Pillow uses it: slow integer IDCT, fancy upsampling, whole file in memory.

#include "jikimi/jpeg.h"

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include <jpeglib.h>

#include "planes.h"

namespace jikimi::jpeg {
namespace {

// Rows asked for at once; libjpeg gives one or two.
constexpr JDIMENSION kRows = 4;

// libjpeg reports errors by a call that must not return. Warnings end decoding as well: a decoder that found damage
// and went on has guessed, and another version may guess differently.
struct Escape {
    jpeg_error_mgr manager;
    std::jmp_buf way_out;
};

[[noreturn]] void leave(j_common_ptr info) {
    std::longjmp(reinterpret_cast<Escape*>(info->err)->way_out, 1);
}

void leave_on_warning(j_common_ptr info, int level) {
    if (level < 0) leave(info);
}

void say_nothing(j_common_ptr) {}

void describe_nothing(j_common_ptr, char* text) { text[0] = '\0'; }

// Everything that a jump past the frame that decodes must not leak.
struct Decoding {
    jpeg_decompress_struct info;
    Escape escape;
    std::vector<std::uint8_t> rows;
    Planes planes;

    Decoding() {
        std::memset(&info, 0, sizeof info);
        info.err = jpeg_std_error(&escape.manager);
        escape.manager.error_exit = leave;
        escape.manager.emit_message = leave_on_warning;
        escape.manager.output_message = say_nothing;
        escape.manager.format_message = describe_nothing;
    }
    ~Decoding() { jpeg_destroy_decompress(&info); }  // harmless before anything was created: the struct is zero
    Decoding(const Decoding&) = delete;
    Decoding& operator=(const Decoding&) = delete;
};

bool is_grey(const jpeg_decompress_struct& info) { return info.num_components == 1; }

// The layouts whose pixels were compared with Pillow's, which carries another version of libjpeg.
bool is_usual_colour(const jpeg_decompress_struct& info) {
    if (info.num_components != 3 || info.jpeg_color_space != JCS_YCbCr) return false;
    const jpeg_component_info* parts = info.comp_info;
    for (int i = 1; i < 3; ++i) {
        if (parts[i].h_samp_factor != 1 || parts[i].v_samp_factor != 1) return false;
    }
    const int across = parts[0].h_samp_factor, down = parts[0].v_samp_factor;
    return (across == 1 && down <= 2) || (across == 2 && down <= 2) || (across == 4 && down == 1);
}

bool is_usual(const jpeg_decompress_struct& info, Size expected) {
    if (info.image_width != expected.width || info.image_height != expected.height) return false;
    if (info.data_precision != 8 || info.arith_code) return false;
    return is_grey(info) ? info.jpeg_color_space == JCS_GRAYSCALE : is_usual_colour(info);
}

// A progressive file may end before its coefficients are precise. libjpeg then smooths, each version in its own way.
bool is_complete(const jpeg_decompress_struct& info) {
    if (!info.progressive_mode) return true;
    for (int part = 0; part < info.num_components; ++part) {
        for (int k = 0; k < DCTSIZE2; ++k) {
            if (info.coef_bits[part][k] != 0) return false;
        }
    }
    return true;
}

// Takes the rows of one picture, from top to bottom.
class Rows {
  public:
    virtual ~Rows() = default;
    // Whether RGB is wanted; else whatever gives the same brightness soonest.
    virtual bool needs_rgb() const = 0;
    virtual void start(const jpeg_decompress_struct& info, pdq::Pixels layout) = 0;
    virtual void add(const void* row) = 0;
};

#ifdef JCS_EXTENSIONS
constexpr J_COLOR_SPACE kRgbx = JCS_EXT_RGBX;
constexpr pdq::Pixels kQuick = pdq::Pixels::kRgbx8;
#else
constexpr J_COLOR_SPACE kRgbx = JCS_RGB;
constexpr pdq::Pixels kQuick = pdq::Pixels::kRgb8;
#endif

pdq::Pixels layout_for(const jpeg_decompress_struct& info, const Rows& target) {
    if (is_grey(info)) return pdq::Pixels::kGrey8;
    if (target.needs_rgb()) return pdq::Pixels::kRgb8;
    return Planes::fit(info) ? pdq::Pixels::kYcc8 : kQuick;
}

void ask_for(jpeg_decompress_struct& info, pdq::Pixels layout) {
    info.raw_data_out = layout == pdq::Pixels::kYcc8;
    switch (layout) {
        case pdq::Pixels::kGrey8: info.out_color_space = JCS_GRAYSCALE; break;
        case pdq::Pixels::kYcc8: info.out_color_space = JCS_YCbCr; break;
        case pdq::Pixels::kRgbx8: info.out_color_space = kRgbx; break;
        default: info.out_color_space = JCS_RGB;
    }
}

// No object with a destructor may live in these frames: errors jump out of them.
void read_rows(Decoding& decoding, Rows& target) {
    jpeg_decompress_struct& info = decoding.info;
    const std::size_t stride = info.output_width * static_cast<std::size_t>(info.output_components);
    decoding.rows.resize(kRows * stride);
    JSAMPROW lines[kRows];
    for (JDIMENSION i = 0; i < kRows; ++i) lines[i] = decoding.rows.data() + i * stride;
    while (info.output_scanline < info.output_height) {
        const JDIMENSION got = jpeg_read_scanlines(&info, lines, kRows);
        for (JDIMENSION i = 0; i < got; ++i) target.add(lines[i]);
    }
}

bool read_planes(Decoding& decoding, Rows& target) {
    jpeg_decompress_struct& info = decoding.info;
    Planes& planes = decoding.planes;
    if (!planes.start(info)) return false;
    while (info.output_scanline < info.output_height) {
        jpeg_read_raw_data(&info, planes.room(), planes.room_rows());
        while (planes.has_row()) {
            const pdq::Ycc row = planes.next_row();
            target.add(&row);
        }
    }
    return true;
}

bool decode(Decoding& decoding, const std::uint8_t* bytes, std::size_t count, Size expected, Rows& target) {
    if (setjmp(decoding.escape.way_out) != 0) return false;
    jpeg_decompress_struct& info = decoding.info;
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, bytes, static_cast<unsigned long>(count));
    if (jpeg_read_header(&info, TRUE) != JPEG_HEADER_OK || !is_usual(info, expected)) return false;
    const pdq::Pixels layout = layout_for(info, target);
    ask_for(info, layout);
    jpeg_start_decompress(&info);
    if (!is_complete(info)) return false;
    target.start(info, layout);
    if (layout == pdq::Pixels::kYcc8) {
        if (!read_planes(decoding, target)) return false;
    } else {
        read_rows(decoding, target);
    }
    jpeg_finish_decompress(&info);
    return info.err->num_warnings == 0;
}

class IntoSample final : public Rows {
  public:
    bool needs_rgb() const override { return false; }
    void start(const jpeg_decompress_struct& info, pdq::Pixels layout) override {
        reducer_ = std::make_unique<pdq::Reducer>(info.output_height, info.output_width, layout);
    }
    void add(const void* row) override { reducer_->add(row); }
    void finish(float* sample) { reducer_->finish(sample); }

  private:
    std::unique_ptr<pdq::Reducer> reducer_;
};

// Lays each stored row where it belongs in the upright picture.
class IntoTurned final : public Rows {
  public:
    explicit IntoTurned(int orientation)
        : is_sideways_(orientation >= 5),
          // From which end of the upright axes stored rows and columns are counted.
          is_row_reversed_(orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7),
          is_col_reversed_(orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8) {}
    bool needs_rgb() const override { return false; }
    void start(const jpeg_decompress_struct& info, pdq::Pixels layout) override {
        layout_ = layout;
        rows_ = info.output_height;
        cols_ = info.output_width;
        upright_.resize(rows_ * cols_);
        line_.resize(cols_);
    }
    void add(const void* row) override {
        pdq::luma(row, cols_, layout_, line_.data());
        if (is_col_reversed_) std::reverse(line_.begin(), line_.end());
        const std::size_t at = is_row_reversed_ ? rows_ - 1 - row_ : row_;
        if (!is_sideways_) {
            std::copy(line_.begin(), line_.end(), upright_.begin() + static_cast<std::ptrdiff_t>(at * cols_));
        } else {
            for (std::size_t x = 0; x < cols_; ++x) upright_[x * rows_ + at] = line_[x];
        }
        ++row_;
    }
    void finish(float* sample) const {
        const std::size_t height = is_sideways_ ? cols_ : rows_, width = is_sideways_ ? rows_ : cols_;
        pdq::Reducer reducer(height, width, pdq::Pixels::kLuma32);
        for (std::size_t y = 0; y < height; ++y) reducer.add(upright_.data() + y * width);
        reducer.finish(sample);
    }

  private:
    bool is_sideways_, is_row_reversed_, is_col_reversed_;
    pdq::Pixels layout_ = kQuick;
    std::size_t rows_ = 0, cols_ = 0, row_ = 0;
    std::vector<float> upright_, line_;
};

class IntoPixels final : public Rows {
  public:
    explicit IntoPixels(std::uint8_t* rgb) : next_(rgb) {}
    bool needs_rgb() const override { return true; }
    void start(const jpeg_decompress_struct& info, pdq::Pixels layout) override {
        width_ = info.output_width;
        is_grey_ = layout == pdq::Pixels::kGrey8;
    }
    void add(const void* row) override {
        const auto* bytes = static_cast<const std::uint8_t*>(row);
        for (std::size_t i = 0; i < 3 * width_; ++i) next_[i] = bytes[is_grey_ ? i / 3 : i];
        next_ += 3 * width_;
    }

  private:
    std::uint8_t* next_;
    std::size_t width_ = 0;
    bool is_grey_ = false;
};

}  // namespace

#define JIKIMI_TEXT_(x) #x
#define JIKIMI_TEXT(x) JIKIMI_TEXT_(x)

const char* version() {
#ifdef LIBJPEG_TURBO_VERSION
    return "libjpeg-turbo " JIKIMI_TEXT(LIBJPEG_TURBO_VERSION);
#else
    return "libjpeg " JIKIMI_TEXT(JPEG_LIB_VERSION);
#endif
}

template <typename Target>
bool decode_into(Target target, const std::uint8_t* bytes, std::size_t count, Size expected, float* sample) {
    Decoding decoding;
    try {
        if (!decode(decoding, bytes, count, expected, target)) return false;
        target.finish(sample);
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

bool sample(const std::uint8_t* untrusted_bytes, std::size_t count, Size expected, int orientation, float* sample) {
    if (orientation == 1) return decode_into(IntoSample(), untrusted_bytes, count, expected, sample);
    return decode_into(IntoTurned(orientation), untrusted_bytes, count, expected, sample);
}

bool pixels(const std::uint8_t* untrusted_bytes, std::size_t count, Size expected, std::uint8_t* rgb) {
    Decoding decoding;
    IntoPixels target(rgb);
    return decode(decoding, untrusted_bytes, count, expected, target);
}

}  // namespace jikimi::jpeg
