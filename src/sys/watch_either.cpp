#include "sys/watch_either.hpp"

#include <sys/epoll.h>

namespace lockstep {

Result<UniqueFd> watch_either(int one, int other, const char* what) {
    UniqueFd watch(::epoll_create1(EPOLL_CLOEXEC));
    for (const int fd : {one, other}) {
        epoll_event event{};
        event.events = EPOLLIN;
        if (!watch || ::epoll_ctl(watch.get(), EPOLL_CTL_ADD, fd, &event) != 0) return os_error(Failure::os, what);
    }
    return watch;
}

}  // namespace lockstep
