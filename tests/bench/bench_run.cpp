// One pass over a job as `lockstep run` makes it, inside this process, with the journal on the disk or with one that remembers
// nothing beyond the pass: what durability costs. Only this program has such a journal.
//
//     bench_run JOB.json IN_FLIGHT STATE_DIR|off          prints: pairs per second, syncs per pair

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unordered_map>

#include "job/job_file.hpp"
#include "journal/sqlite_journal.hpp"
#include "run/command_marks.hpp"
#include "run/pass.hpp"
#include "run/run_options.hpp"
#include "step/secret_store.hpp"

namespace {

std::atomic<long> syncs = 0;

}  // namespace

// SQLite's syncs come by here, too.
extern "C" int fdatasync(int fd) {
    ++syncs;
    return static_cast<int>(::syscall(SYS_fdatasync, fd));
}
extern "C" int fsync(int fd) {
    ++syncs;
    return static_cast<int>(::syscall(SYS_fsync, fd));
}

namespace {

using namespace lockstep;

class ForgetfulJournal final : public Journal {
  public:
    Result<void> begin_run(const RunStart&) override { return {}; }
    Result<void> end_pass(const std::string&, std::int64_t, const PassTotals&, const std::string&) override { return {}; }
    Result<std::optional<Pair>> find(const std::string& item_key, const std::string& step) override {
        const std::lock_guard guard(mutex_);
        const auto found = pairs_.find(item_key + '\0' + step);
        return found != pairs_.end() ? std::optional(found->second) : std::nullopt;
    }
    Result<void> write(const Pair& pair, Durability) override {
        const std::lock_guard guard(mutex_);
        pairs_.insert_or_assign(pair.item_key + '\0' + pair.step, pair);
        return {};
    }
    Result<std::vector<Decision>> pending_decisions() override { return {}; }
    Result<void> apply(const Decision&, const Pair*, const std::string&) override { return {}; }
    Result<std::vector<Pair>> pairs_of(const std::string&) override { return {}; }
    Result<std::vector<UnfinishedPair>> unfinished() override { return {}; }
    Result<std::vector<Pair>> open_on_record() override { return {}; }
    Digests told_records() override { return {}; }
    void keep_told_records(Digests) override {}
    Result<void> flush() override { return {}; }
    Result<void> close() override { return {}; }

  private:
    std::mutex mutex_;
    std::unordered_map<std::string, Pair> pairs_;
};

template <class Value>
Value checked(Result<Value> result) {
    if (result) return std::move(*result);
    std::fprintf(stderr, "bench_run: %s\n", result.error().text.c_str());
    std::exit(1);
}

PassResult run_pass(const JobSpec& job, Journal& journal) {
    const std::string run_id = new_run_id();
    const std::string run_date = run_date_now();
    const StopState stop = checked(StopState::create());
    Bell begun = checked(Bell::create());
    ActivityBoard activity(static_cast<std::size_t>(job.max_concurrency), begun);
    const SecretStore secrets(job.secrets);
    const std::optional<std::string> only;
    LockRecord record;
    record.run_id = run_id;
    record.job = job.name;
    const LockPath path = checked(LockPath::open(job.lock));
    DirectoryLock lock = checked(DirectoryLock::acquire(path, record, {}));
    CommandTable commands{};
    CommandMarks marks(&lock, commands);
    const std::atomic<bool> shield = false;
    PassContext context{
        job, run_id, run_date, journal, lock, stop, secrets, activity, only, shield, checked(Interrupt::create())};
    return Pass(context, marks, 1).run();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fputs("usage: bench_run JOB.json IN_FLIGHT STATE_DIR|off\n", stderr);
        return 64;
    }
    auto job = read_job_file(argv[1], {});
    if (!job) {
        std::fprintf(stderr, "bench_run: %s\n", job.error().error.text.c_str());
        return 78;
    }
    job->max_concurrency = std::atoi(argv[2]);
    std::unique_ptr<Journal> journal = std::make_unique<ForgetfulJournal>();
    if (std::strcmp(argv[3], "off") != 0) journal = checked(open_sqlite_journal({argv[3], job->name}));

    const MonotonicTime start = monotonic_now();
    const PassResult result = run_pass(*job, *journal);
    if (auto flushed = journal->flush(); !flushed || result.status != ExitStatus::ok) {
        std::fprintf(stderr, "bench_run: %s\n", flushed ? result.ended_because.c_str() : flushed.error().text.c_str());
        return 1;
    }
    const std::chrono::duration<double> took = monotonic_now() - start;
    const auto pairs = static_cast<double>(result.totals.done);
    std::printf("%.0f %.2f\n", pairs / took.count(), static_cast<double>(syncs) / pairs);
    return journal->close() ? 0 : 1;
}
