// How long commands take from their start to their end, how many page faults, and how much memory they keep while what they run
// is at work.
//
//     bench_start RUNS COMMAND…          each COMMAND one argument, split at spaces; its last word is /bin/true
//
// The commands take turns (A B C A B C …), so that whatever else the machine does falls on all of them alike. Prints a line
// for each: median wall time in µs, median minor page faults (with those of its children), memory in KiB, the command. The
// memory is the Pss of smaps_rollup(5), summed over the command and its descendants but for what they run in the end,
// `sleep` in place of /bin/true; 0 for one that has become what it runs.

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

struct Candidate {
    std::string text;
    std::vector<std::string> words;
    std::vector<double> micros;
    std::vector<long> faults;
};

[[noreturn]] void give_up(const std::string& why) {
    std::fprintf(stderr, "bench_start: %s\n", why.c_str());
    std::exit(1);
}

pid_t start(std::vector<std::string>& words) {
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_t pid = -1;
    const int error = ::posix_spawnp(&pid, argv[0], nullptr, nullptr, argv.data(), environ);
    if (error != 0) give_up(words[0] + ": " + std::strerror(error));
    return pid;
}

void run_once(Candidate& candidate) {
    const auto begun = Clock::now();
    const pid_t pid = start(candidate.words);
    int status = 0;
    rusage usage{};
    ::wait4(pid, &status, 0, &usage);
    const auto ended = Clock::now();
    if (status != 0) give_up(candidate.text + " ended with wait status " + std::to_string(status));
    candidate.micros.push_back(std::chrono::duration<double, std::micro>(ended - begun).count());
    candidate.faults.push_back(usage.ru_minflt);
}

std::string file_of(pid_t pid, const char* name) { return "/proc/" + std::to_string(pid) + "/" + name; }

/// `pid` and all that descend from it.
std::vector<pid_t> family_of(pid_t pid) {
    std::vector<pid_t> family{pid};
    std::ifstream children(file_of(pid, ("task/" + std::to_string(pid) + "/children").c_str()));
    for (pid_t child = 0; children >> child;) {
        const auto more = family_of(child);
        family.insert(family.end(), more.begin(), more.end());
    }
    return family;
}

bool is_sleep(pid_t pid) {
    std::string name;
    std::ifstream(file_of(pid, "comm")) >> name;
    return name == "sleep";
}

long pss_kib(pid_t pid) {
    std::ifstream rollup(file_of(pid, "smaps_rollup"));
    for (std::string line; std::getline(rollup, line);) {
        if (line.starts_with("Pss:")) return std::strtol(line.c_str() + 4, nullptr, 10);
    }
    return 0;
}

long memory_while_running(const Candidate& candidate) {
    std::vector<std::string> words = candidate.words;
    if (words.size() == 1) return 0;  // runs nothing
    words.back() = "/bin/sleep";
    words.emplace_back("2");
    const pid_t pid = start(words);
    std::vector<pid_t> family;
    for (const auto end = Clock::now() + 10s;; std::this_thread::sleep_for(10ms)) {
        family = family_of(pid);
        if (std::ranges::any_of(family, is_sleep)) break;
        if (Clock::now() > end) give_up(candidate.text + " does not run its command");
    }
    std::this_thread::sleep_for(200ms);  // whatever they still do after they have started it
    long sum = 0;
    for (const pid_t each : family) {
        if (!is_sleep(each)) sum += pss_kib(each);
    }
    ::waitpid(pid, nullptr, 0);
    return sum;
}

template <class T>
T median(std::vector<T>& values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

}  // namespace

int main(int argc, char** argv) {
    const int runs = argc > 2 ? std::atoi(argv[1]) : 0;
    if (runs < 1) {
        std::fputs("usage: bench_start RUNS COMMAND…\n", stderr);
        return 64;
    }
    std::vector<Candidate> candidates;
    for (int i = 2; i < argc; ++i) {
        Candidate candidate{argv[i], {}, {}, {}};
        std::istringstream words(candidate.text);
        for (std::string word; words >> word;) candidate.words.push_back(word);
        run_once(candidate);  // once for the page cache
        candidate.micros.clear();
        candidate.faults.clear();
        candidates.push_back(std::move(candidate));
    }
    for (int run = 0; run < runs; ++run) {
        for (Candidate& candidate : candidates) run_once(candidate);
    }
    for (Candidate& candidate : candidates) {
        std::printf("%.0f %ld %ld %s\n", median(candidate.micros), median(candidate.faults), memory_while_running(candidate),
                    candidate.text.c_str());
    }
}
