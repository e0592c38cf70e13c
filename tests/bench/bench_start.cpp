// How long commands take from their start to their end, and how many page faults.
//
//     bench_start RUNS COMMAND…          each COMMAND one argument, split at spaces
//
// The commands take turns (A B C A B C …), so that whatever else the machine does falls on all of them alike. Prints a line
// for each: median wall time in µs, median minor page faults (with those of its children), the command.

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

namespace {

struct Candidate {
    std::string text;
    std::vector<std::string> words;
    std::vector<double> micros;
    std::vector<long> faults;
};

void run_once(Candidate& candidate) {
    std::vector<char*> argv;
    for (std::string& word : candidate.words) argv.push_back(word.data());
    argv.push_back(nullptr);

    const auto start = std::chrono::steady_clock::now();
    pid_t pid = -1;
    if (const int error = ::posix_spawnp(&pid, argv[0], nullptr, nullptr, argv.data(), environ); error != 0) {
        std::fprintf(stderr, "bench_start: %s: %s\n", argv[0], std::strerror(error));
        std::exit(1);
    }
    int status = 0;
    rusage usage{};
    ::wait4(pid, &status, 0, &usage);
    const auto end = std::chrono::steady_clock::now();
    if (status != 0) {
        std::fprintf(stderr, "bench_start: %s ended with wait status %d\n", candidate.text.c_str(), status);
        std::exit(1);
    }
    candidate.micros.push_back(std::chrono::duration<double, std::micro>(end - start).count());
    candidate.faults.push_back(usage.ru_minflt);
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
        std::printf("%.0f %ld %s\n", median(candidate.micros), median(candidate.faults), candidate.text.c_str());
    }
}
