// The fork server for plain JPEGs: `jikimi-box DESCRIPTOR`. What `jikimi/engine/decode/box.py` is for every other file,
// in a process so small that forking it costs next to nothing; the two speak the same protocol.
//
// It takes the lock's parts as its first packet, says that it is ready, and then forks one child per job. It never looks
// at a byte of any file, reports how each child ended, kills a child whose job was given up, and ends when its socket
// closes. A child that meets anything unusual declines, and the file goes to the other fork server.

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <vector>

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "lock.h"
#include "wire.h"

namespace jikimi::box {
namespace {

// A filter has about sixty steps of eight bytes.
constexpr std::size_t kMostSetup = 4096;

struct Child {
    pid_t pid;
    int pidfd;
    int status;  // the socket of whoever asked
    bool is_given_up = false;
};

struct Request {
    Job job;
    int source, output, status;
};

enum class Received { kJob, kNonsense, kEnd };

void report(int status, char how, int code, std::uint64_t peak_bytes) {
    const Status packet{how, static_cast<std::uint32_t>(code), peak_bytes};
    // Who asked may be gone.
    [[maybe_unused]] const ssize_t sent = send(status, &packet, sizeof packet, MSG_NOSIGNAL);
}

int* descriptors_of(msghdr& message, std::size_t& count) {
    cmsghdr* control = CMSG_FIRSTHDR(&message);
    count = 0;
    if (control == nullptr || control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) return nullptr;
    count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    return reinterpret_cast<int*>(CMSG_DATA(control));
}

Received receive(int control, Request& request) {
    iovec text{&request.job, sizeof request.job};
    alignas(cmsghdr) char room[CMSG_SPACE(kJobDescriptors * sizeof(int))];
    msghdr message{};
    message.msg_iov = &text;
    message.msg_iovlen = 1;
    message.msg_control = room;
    message.msg_controllen = sizeof room;
    const ssize_t got = recvmsg(control, &message, MSG_CMSG_CLOEXEC);
    if (got <= 0) return Received::kEnd;
    std::size_t count;
    const int* descriptors = descriptors_of(message, count);
    if (got == sizeof request.job && count == kJobDescriptors) {
        request.source = descriptors[0];
        request.output = descriptors[1];
        request.status = descriptors[2];
        return Received::kJob;
    }
    for (std::size_t i = 0; i < count; ++i) close(descriptors[i]);
    return Received::kNonsense;
}

class Server {
  public:
    Server(int control, const Lock& lock) : control_(control), lock_(lock), pid_(getpid()) {}

    // Until the parent is gone; what still runs then dies with us.
    void serve() {
        for (;;) {
            watch();
            if (poll(watched_.data(), watched_.size(), -1) < 0 && errno != EINTR) return;
            const bool has_news = watched_[0].revents != 0;
            look_after();
            // New jobs last: those looked after are not moved meanwhile.
            if (has_news && !take_job()) return;
        }
    }

  private:
    // First the control socket, then two for each child.
    void watch() {
        watched_.assign(1, pollfd{control_, POLLIN, 0});
        for (const Child& child : children_) {
            watched_.push_back({child.pidfd, POLLIN, 0});
            watched_.push_back({child.is_given_up ? -1 : child.status, POLLIN, 0});
        }
    }
    void look_after() {
        std::vector<Child> left;
        for (std::size_t i = 0; i < children_.size(); ++i) {
            Child& child = children_[i];
            if (watched_[1 + 2 * i].revents != 0) {
                bury(child);
                continue;
            }
            if (watched_[2 + 2 * i].revents != 0) give_up(child);
            left.push_back(child);
        }
        children_.swap(left);
    }
    bool take_job() {
        Request request;
        switch (receive(control_, request)) {
            case Received::kEnd: return false;
            case Received::kNonsense: return true;
            case Received::kJob: break;
        }
        start(request);
        close(request.source);
        close(request.output);
        return true;
    }
    void start(const Request& request) {
        const pid_t pid = fork();
        if (pid == 0) live(lock_, request.job, request.source, request.output, pid_);
        const int pidfd = pid < 0 ? -1 : static_cast<int>(syscall(SYS_pidfd_open, pid, 0U));
        if (pidfd < 0) {
            if (pid > 0) {
                kill(pid, SIGKILL);
                waitpid(pid, nullptr, 0);
            }
            report(request.status, kNotStarted, 0, 0);
            close(request.status);
            return;
        }
        children_.push_back({pid, pidfd, request.status});
    }
    static void give_up(Child& child) {
        child.is_given_up = true;
        kill(child.pid, SIGKILL);  // not buried yet, so the number is still its own
    }
    static void bury(const Child& child) {
        int ended = 0;
        rusage usage{};
        wait4(child.pid, &ended, 0, &usage);
        const bool is_signalled = WIFSIGNALED(ended);
        report(child.status, is_signalled ? kSignalled : kExited, is_signalled ? WTERMSIG(ended) : WEXITSTATUS(ended),
               static_cast<std::uint64_t>(usage.ru_maxrss) * 1024);
        close(child.pidfd);
        close(child.status);
    }

    int control_;
    const Lock& lock_;
    pid_t pid_;
    std::vector<Child> children_;
    std::vector<pollfd> watched_;
};

bool run(int control) {
    signal(SIGINT, SIG_IGN);
    std::vector<std::uint8_t> packet(kMostSetup);
    const ssize_t got = recv(control, packet.data(), packet.size(), 0);
    Lock lock;
    if (got <= 0 || !prepare(packet.data(), static_cast<std::size_t>(got), lock)) return false;
    if (send(control, kReady, sizeof kReady, MSG_NOSIGNAL) < 0) return false;
    Server(control, lock).serve();
    return true;
}

}  // namespace
}  // namespace jikimi::box

int main(int count, char** arguments) {
    if (count != 2) return 2;
    return jikimi::box::run(std::atoi(arguments[1])) ? 0 : 1;
}
