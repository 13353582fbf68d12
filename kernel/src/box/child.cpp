#include "child.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "jikimi/jpeg.h"
#include "jikimi/jpeg_header.h"

namespace jikimi::box {
namespace {

constexpr int kDone = 0, kFault = 70;
constexpr int kMostDescriptors = 1 << 16;

struct File {
    const std::uint8_t* bytes = nullptr;
    std::size_t count = 0;
};

// The whole file, without moving the offset that we share; no mapping of it, which could end in mid-air.
std::optional<File> read_whole(int source, std::uint64_t max_bytes) {
    struct stat facts;
    if (fstat(source, &facts) != 0 || facts.st_size <= 0) return {};
    const std::size_t size = std::min<std::uint64_t>(static_cast<std::uint64_t>(facts.st_size), max_bytes);
    void* room = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (room == MAP_FAILED) return {};
    auto* bytes = static_cast<std::uint8_t*>(room);
    std::size_t done = 0;
    while (done < size) {
        const ssize_t got = pread(source, bytes + done, size - done, static_cast<off_t>(done));
        if (got < 0) return {};
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    return File{bytes, done};
}

void close_from(int first) {
    if (syscall(SYS_close_range, static_cast<unsigned>(first), ~0U, 0U) == 0) return;
    const long most = std::min<long>(sysconf(_SC_OPEN_MAX), kMostDescriptors);
    for (int descriptor = first; descriptor < most; ++descriptor) close(descriptor);
}

// Leaves /dev/null as 0 to 2, the output pipe, and the rule set, which `lock_down` closes.
void keep_only(const Lock& lock, int output) {
    dup2(0, 2);
    const int ruleset = lock.ruleset < 0 ? -1 : lock.output + 1;
    dup2(output, lock.output);
    if (ruleset >= 0) dup2(lock.ruleset, ruleset);
    close_from(ruleset >= 0 ? ruleset + 1 : lock.output + 1);
}

bool is_within(const jpeg::Size& size, const Job& job) {
    const std::uint64_t pixels = static_cast<std::uint64_t>(size.width) * size.height;
    // Pillow has a limit of its own, which we set to half of ours and which strikes at twice its number.
    return pixels <= job.max_pixels / 2 * 2 && job.max_frames > 0;
}

bool decode(const std::optional<File>& file, const Job& job, Answer& answer) {
    if (!file) return false;
    const std::optional<jpeg::Header> header = jpeg::read_header(file->bytes, file->count);
    if (!header || !is_within(header->size, job)) return false;
    float sample[64 * 64];
    if (!jpeg::sample(file->bytes, file->count, header->size, header->orientation, sample)) return false;
    std::memcpy(answer.sample, sample, sizeof sample);
    const bool is_sideways = header->orientation >= 5;
    answer.size.width = static_cast<std::uint32_t>(is_sideways ? header->size.height : header->size.width);
    answer.size.height = static_cast<std::uint32_t>(is_sideways ? header->size.width : header->size.height);
    return true;
}

bool write_whole(int output, const void* bytes, std::size_t count) {
    const auto* rest = static_cast<const std::uint8_t*>(bytes);
    while (count > 0) {
        const ssize_t done = write(output, rest, count);
        if (done < 0) return false;
        rest += done;
        count -= static_cast<std::size_t>(done);
    }
    return true;
}

}  // namespace

void live(const Lock& lock, const Job& job, int source, int output, pid_t server) {
    const std::optional<File> file = read_whole(source, job.max_bytes);
    keep_only(lock, output);
    Lock own = lock;
    if (own.ruleset >= 0) own.ruleset = lock.output + 1;
    if (!lock_down(own, job, server)) _exit(kFault);
    Answer answer;
    const Record declined{kDeclined, 0};
    const bool is_written = decode(file, job, answer) ? write_whole(lock.output, &answer, sizeof answer)
                                                      : write_whole(lock.output, &declined, sizeof declined);
    _exit(is_written ? kDone : kFault);
}

}  // namespace jikimi::box
