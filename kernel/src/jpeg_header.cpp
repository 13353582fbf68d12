// Every read is through `Bytes`, which knows its end.

#include "jikimi/jpeg_header.h"

#include <algorithm>
#include <string_view>

namespace jikimi::jpeg {
namespace {

using namespace std::string_view_literals;

// Part of an untrusted file. Asking for what lies beyond the end is answered with nothing.
class Bytes {
  public:
    Bytes(const std::uint8_t* first, std::size_t count) : text_(reinterpret_cast<const char*>(first), count) {}
    explicit Bytes(std::string_view text) : text_(text) {}

    std::size_t size() const { return text_.size(); }
    bool has(std::size_t at, std::size_t count) const { return at <= size() && count <= size() - at; }
    unsigned byte(std::size_t at) const { return static_cast<unsigned char>(text_[at]); }
    unsigned big16(std::size_t at) const { return byte(at) << 8 | byte(at + 1); }
    unsigned big32(std::size_t at) const { return big16(at) << 16 | big16(at + 2); }
    Bytes part(std::size_t at, std::size_t count) const { return Bytes(text_.substr(at, count)); }
    bool starts_with(std::string_view prefix) const { return text_.substr(0, prefix.size()) == prefix; }
    bool is_at(std::size_t at, std::string_view word) const {
        return has(at, word.size()) && text_.substr(at, word.size()) == word;
    }
    bool contains(std::string_view word) const { return text_.find(word) != std::string_view::npos; }

  private:
    std::string_view text_;
};

constexpr auto kExif = "Exif\0\0"sv;
constexpr std::size_t kTiffHead = 8, kEntry = 12;
constexpr unsigned kOrientation = 0x0112, kResolution = 0x011A, kResolutionUnit = 0x0128;
constexpr unsigned kShort = 3, kRational = 5;
// Bytes of one value of each TIFF type from 1 on.
constexpr std::size_t kTypeBytes[] = {1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8};

struct Entry {
    unsigned tag, type;
    std::size_t count, at;  // where its values lie
};

// The TIFF directory inside an EXIF segment; only one in which every entry points to where it may.
class Directory {
  public:
    explicit Directory(Bytes tiff) : tiff_(tiff) {}

    // 1 to 8, where 1 also stands for numbers that mean nothing; 0 if there is none; or nothing: declined.
    std::optional<int> orientation() {
        if (tiff_.is_at(0, "II*\0"sv)) {
            is_little_ = true;
        } else if (!tiff_.is_at(0, "MM\0*"sv)) {
            return {};
        }
        if (tiff_.size() < kTiffHead) return {};
        const std::size_t at = word32(4);
        if (!tiff_.has(at, 2)) return {};
        const std::size_t count = word16(at);
        if (!tiff_.has(at + 2, count * kEntry + 4)) return {};
        int found = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const std::optional<Entry> entry = read(at + 2 + i * kEntry);
            if (!entry || !is_plain(*entry)) return {};
            if (entry->tag != kOrientation) continue;
            const unsigned value = word16(entry->at);
            if (found != 0) return {};
            found = value < 1 || value > 8 ? 1 : static_cast<int>(value);
        }
        return found;
    }

  private:
    unsigned word16(std::size_t at) const {
        return is_little_ ? tiff_.byte(at) | tiff_.byte(at + 1) << 8 : tiff_.big16(at);
    }
    unsigned word32(std::size_t at) const {
        return is_little_ ? word16(at) | word16(at + 2) << 16 : tiff_.big32(at);
    }
    std::optional<Entry> read(std::size_t at) const {
        Entry entry{word16(at), word16(at + 2), word32(at + 4), at + 8};
        if (entry.type < 1 || entry.type > std::size(kTypeBytes) || entry.count == 0) return {};
        if (entry.count > tiff_.size()) return {};
        const std::size_t bytes = entry.count * kTypeBytes[entry.type - 1];
        if (bytes > 4) entry.at = word32(at + 8);
        if (!tiff_.has(entry.at, bytes)) return {};
        return entry;
    }
    // Pillow looks at these three, and their values must not be able to surprise it.
    bool is_plain(const Entry& entry) const {
        switch (entry.tag) {
            case kOrientation:
            case kResolutionUnit: return entry.type == kShort && entry.count == 1;
            case kResolution: return entry.type == kRational && entry.count == 1 && word32(entry.at + 4) != 0;
            default: return true;
        }
    }

    Bytes tiff_;
    bool is_little_ = false;
};

class Reader {
  public:
    explicit Reader(Bytes file) : file_(file) {}

    std::optional<Header> read() {
        if (!file_.starts_with("\xff\xd8\xff"sv)) return {};
        for (std::size_t at = 2; file_.has(at, 4) && file_.byte(at) == 0xFF;) {
            const unsigned marker = file_.byte(at + 1);
            const std::size_t length = file_.big16(at + 2);
            if (length < 2 || !file_.has(at + 2, length)) return {};
            if (!take(marker, file_.part(at + 4, length - 2))) return {};
            if (marker == 0xDA) return finished();
            at += 2 + length;
        }
        return {};
    }

  private:
    bool take(unsigned marker, Bytes segment) {
        switch (marker) {
            case 0xC0:  // baseline, extended, progressive
            case 0xC1:
            case 0xC2: return take_frame(segment);
            case 0xC4:  // Huffman tables, restart interval, comment, scan: libjpeg's business
            case 0xDD:
            case 0xFE:
            case 0xDA: return true;
            case 0xDB: return are_tables_whole(segment);
            case 0xE0: return !segment.starts_with("JFIF"sv) || segment.size() >= 14;
            case 0xE1: return take_app1(segment);
            case 0xE2: return is_plain_app2(segment);
            case 0xED: return is_plain_photoshop(segment);
            case 0xEE: return !segment.starts_with("Adobe"sv) || segment.size() >= 12;
            default: return marker > 0xE0 && marker <= 0xEF;
        }
    }
    bool take_frame(Bytes segment) {
        if (has_frame_ || segment.size() < 6 || segment.byte(0) != 8) return false;
        const std::size_t layers = segment.byte(5);
        header_.size = {segment.big16(3), segment.big16(1)};
        has_frame_ = true;
        return (layers == 1 || layers == 3) && segment.size() == 6 + 3 * layers && header_.size.width > 0 &&
               header_.size.height > 0;
    }
    static bool are_tables_whole(Bytes segment) {
        std::size_t at = 0;
        while (at < segment.size()) {
            const unsigned precision = segment.byte(at) >> 4;
            if (precision > 1) return false;
            at += 1 + 64 * (precision + 1);
        }
        return at == segment.size();
    }
    bool take_app1(Bytes segment) {
        if (segment.starts_with(kExif)) return take_exif(segment.part(kExif.size(), segment.size()));
        has_turned_xmp_ = has_turned_xmp_ || segment.contains("tiff:Orientation"sv);
        return true;
    }
    bool take_exif(Bytes tiff) {
        const std::optional<int> orientation = Directory(tiff).orientation();
        if (has_exif_ || !orientation) return false;
        has_exif_ = true;
        turn_ = *orientation;
        return true;
    }
    // MPF announces several pictures; FlashPix and profiles are only kept.
    static bool is_plain_app2(Bytes segment) {
        if (segment.starts_with("MPF\0"sv)) return false;
        return !segment.starts_with("ICC_PROFILE\0"sv) || segment.size() >= 14;
    }
    static bool is_plain_photoshop(Bytes segment) {
        if (!segment.starts_with("Photoshop 3.0\0"sv)) return true;
        std::size_t at = 14;
        while (segment.is_at(at, "8BIM"sv)) {
            if (!segment.has(at, 7)) return false;
            at += 7 + segment.byte(at + 6);
            at += at & 1;
            if (!segment.has(at, 4)) return false;
            const std::size_t length = segment.big32(at);
            if (!segment.has(at + 4, length)) return false;
            at += 4 + length;
            at += at & 1;
        }
        return true;
    }
    std::optional<Header> finished() {
        // Where EXIF is silent, Pillow asks XMP.
        if (!has_frame_ || (turn_ == 0 && has_turned_xmp_)) return {};
        header_.orientation = std::max(turn_, 1);
        return header_;
    }

    Bytes file_;
    Header header_;
    bool has_frame_ = false, has_exif_ = false, has_turned_xmp_ = false;
    int turn_ = 0;
};

}  // namespace

std::optional<Header> read_header(const std::uint8_t* untrusted_bytes, std::size_t count) {
    return Reader(Bytes(untrusted_bytes, count)).read();
}

}  // namespace jikimi::jpeg
