#include "lock.h"

#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

namespace jikimi::box {
namespace {

// The numbers are the same on all architectures; older C libraries have no names for them.
constexpr long kCreateRuleset = 444, kRestrictSelf = 446;
constexpr rlim_t kCpuSlack = 1;
constexpr int kAside = 64;

bool limit(__rlimit_resource resource, rlim_t soft, rlim_t hard) {
    const rlimit wanted{soft, hard};
    return setrlimit(resource, &wanted) == 0;
}

bool limit(__rlimit_resource resource, rlim_t both) { return limit(resource, both, both); }

bool limit_all(const Lock& lock, const Job& job) {
    const auto seconds = static_cast<rlim_t>(std::ceil(job.seconds));
    return limit(RLIMIT_AS, lock.own_space + job.memory_bytes) && limit(RLIMIT_CPU, seconds, seconds + kCpuSlack) &&
           limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_CORE, 0);
}

bool set_timer(double seconds) {
    if (signal(SIGALRM, SIG_DFL) == SIG_ERR) return false;
    sigset_t none;
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, nullptr) != 0) return false;
    itimerval timer{};
    timer.it_value.tv_sec = static_cast<time_t>(seconds);
    timer.it_value.tv_usec = static_cast<suseconds_t>((seconds - std::floor(seconds)) * 1e6);
    return setitimer(ITIMER_REAL, &timer, nullptr) == 0;
}

bool filter_calls(const Lock& lock) {
    if (lock.program.empty()) return false;
    const sock_fprog program{static_cast<unsigned short>(lock.program.size()),
                             const_cast<sock_filter*>(lock.program.data())};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

std::uint64_t own_space() {
    std::FILE* statm = std::fopen("/proc/self/statm", "re");
    if (statm == nullptr) return 0;
    unsigned long pages = 0;
    if (std::fscanf(statm, "%lu", &pages) != 1) pages = 0;
    std::fclose(statm);
    return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

bool prepare(const std::uint8_t* packet, std::size_t count, Lock& lock) {
    Setup setup;
    if (count < sizeof setup || (count - sizeof setup) % sizeof(sock_filter) != 0) return false;
    std::memcpy(&setup, packet, sizeof setup);
    lock.output = static_cast<int>(setup.output);
    lock.program.resize((count - sizeof setup) / sizeof(sock_filter));
    if (!lock.program.empty()) std::memcpy(lock.program.data(), packet + sizeof setup, count - sizeof setup);
    if (setup.ruleset_bytes > 0) {
        if (setup.ruleset_bytes > sizeof setup.ruleset) return false;
        const auto ruleset = static_cast<int>(syscall(kCreateRuleset, setup.ruleset, setup.ruleset_bytes, 0U));
        if (ruleset < 0) return false;
        // Out of the way of the numbers that a child uses.
        lock.ruleset = fcntl(ruleset, F_DUPFD_CLOEXEC, kAside);
        close(ruleset);
        if (lock.ruleset < 0) return false;
    }
    lock.own_space = own_space();
    return lock.own_space > 0;
}

bool lock_down(const Lock& lock, const Job& job, pid_t parent) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != parent) return false;
    if (!limit_all(lock, job) || !set_timer(job.seconds)) return false;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return false;
    if (job.sandbox != 0 && lock.ruleset >= 0 && syscall(kRestrictSelf, lock.ruleset, 0U) != 0) return false;
    if (lock.ruleset >= 0) close(lock.ruleset);
    if (!limit(RLIMIT_NOFILE, 0)) return false;
    return job.sandbox == 0 || filter_calls(lock);
}

}  // namespace jikimi::box
