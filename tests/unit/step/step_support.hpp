#pragma once
// What the tests of this room share: phases and scopes made by hand, a host that remembers.

#include <fcntl.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "step/perform.hpp"
#include "step/request.hpp"
#include "support/temporary_directory.hpp"

namespace lockstep::testing {

inline Template template_of(const std::string& source) {
    auto parsed = parse_template(source);
    INFO(source);
    REQUIRE(parsed);
    return *parsed;
}

inline Condition condition_of(const std::string& source) {
    auto parsed = Condition::parse(source);
    INFO(source);
    REQUIRE(parsed);
    return *parsed;
}

inline std::vector<NamedTemplate> named(const std::vector<std::pair<std::string, std::string>>& entries) {
    std::vector<NamedTemplate> result;
    for (const auto& [name, source] : entries) result.push_back({name, template_of(source)});
    return result;
}

inline Json json_of(std::string_view text) {
    auto parsed = parse_json(text);
    REQUIRE(parsed);
    return *parsed;
}

inline JsonTemplate body_of(std::string_view text) {
    auto parsed = JsonTemplate::parse(json_of(text));
    REQUIRE(parsed);
    return *parsed;
}

inline HttpSpec http(const std::string& method, const std::string& url) {
    HttpSpec spec;
    spec.method = method;
    spec.url = template_of(url);
    return spec;
}

inline CommandSpec command(const std::vector<std::string>& argv) {
    CommandSpec spec;
    for (const std::string& argument : argv) spec.argv.push_back(template_of(argument));
    return spec;
}

/// A shell script; it must not hold a '$' that looks like an expression, so write $$ for one.
inline CommandSpec shell(const std::string& script) { return command({"/bin/sh", "-c", script}); }

inline PhaseSpec phase_of(ActionSpec action) {
    PhaseSpec phase;
    phase.action = std::move(action);
    return phase;
}

/// A command host that remembers what it was told.
class RememberingHost final : public CommandHost {
  public:
    Result<CommandMark> command_mark() override {
        if (mark_path.empty()) return CommandMark{};
        return CommandMark{UniqueFd(::open(mark_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600))};
    }
    void command_begins(pid_t pid, int) override {
        const std::lock_guard guard(mutex_);
        started_ = pid;
    }
    void command_ended(pid_t pid, CommandMark) override {
        const std::lock_guard guard(mutex_);
        ended_ = pid;
    }
    void command_output(int fd, std::string_view bytes) override {
        const std::lock_guard guard(mutex_);
        (fd == 1 ? out_ : err_) += bytes;
    }
    void command_notice(std::string_view line) override {
        const std::lock_guard guard(mutex_);
        notices_.emplace_back(line);
    }

    pid_t started() const { return locked(started_); }
    pid_t ended() const { return locked(ended_); }
    std::string out() const { return locked(out_); }
    std::string err() const { return locked(err_); }
    std::vector<std::string> notices() const { return locked(notices_); }

    std::string mark_path;

  private:
    template <class T>
    T locked(const T& value) const {
        const std::lock_guard guard(mutex_);
        return value;
    }
    mutable std::mutex mutex_;
    pid_t started_ = 0;
    pid_t ended_ = 0;
    std::string out_;
    std::string err_;
    std::vector<std::string> notices_;
};

inline bool within(std::chrono::milliseconds limit, const std::function<bool()>& holds) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
}

/// Everything that one attempt needs.
struct Bench {
    Bench() { work.commands = &host; }

    Attempt perform_once(const PhaseSpec& phase, AttemptOptions options = {}) {
        const auto request = render_request(phase.action, phase.idempotency, scope);
        if (!request) INFO(request.error().text);
        REQUIRE(request);
        return perform(phase, *request, scope, options, work);
    }

    Json inputs = json_of(R"({"orderId": "o 17", "qty": 3, "price": 1.10, "none": null})");
    Scope scope{.inputs = &inputs, .made_by = "run-1", .idempotency_key = "key-1", .item_key = "north/o17"};
    RememberingHost host;
    Workbench work;
};

}  // namespace lockstep::testing
