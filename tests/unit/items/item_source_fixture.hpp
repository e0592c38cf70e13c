#pragma once
// What the tests of item sources share: a directory, jobs written as text, and all items of one at once.

#include <catch2/catch.hpp>

#include <atomic>
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "items/item_source.hpp"
#include "step/workbench.hpp"
#include "support/temporary_directory.hpp"

namespace lockstep::test {

class ItemsFixture : public CommandHost {
  public:
    ItemsFixture() : stop(Interrupt::create().value()) {
        bench.commands = this;
        bench.cut = &stop;
        job.name = "test";
        job.directory = directory;
        job.params = Json::object();
        job.params.set("warehouse", Json::of_string("north"));
        base.params = &job.params;
        base.run_id = "run-1";
        base.run_date = "2026-11-23";
    }
    ItemsFixture(const ItemsFixture&) = delete;
    ItemsFixture& operator=(const ItemsFixture&) = delete;
    template <class Source>
    void items_from(Source source, const char* key = "$inputs.id") {
        job.items = ItemsSpec{std::move(source), parse_template(key).value()};
    }

    Result<std::unique_ptr<ItemSource>> open(std::int64_t pass = 1) { return open_items(job, base, pass, stop, bench); }

    struct All {
        std::vector<Item> items;
        std::vector<BadItem> bad;
        std::optional<Error> error;

        std::string keys() const {
            std::string text;
            for (const Item& item : items) text.append(text.empty() ? "" : " ").append(item.key);
            return text;
        }
    };

    All read_all() {
        All all;
        auto source = open();
        if (!source) {
            all.error = source.error();
            return all;
        }
        for (;;) {
            auto next = (*source)->next();
            if (!next) {
                all.error = next.error();
                return all;
            }
            if (!*next) return all;
            if (auto* item = std::get_if<Item>(&**next)) all.items.push_back(std::move(*item));
            if (auto* bad = std::get_if<BadItem>(&**next)) all.bad.push_back(std::move(*bad));
        }
    }

    /// The stop comes as soon as `reached` has a value.
    template <class Value>
    All read_all_stopped_at(const std::atomic<Value>& reached) {
        std::thread stopper([&] {
            while (reached == 0) std::this_thread::yield();
            stop.fire();
        });
        const auto before = std::chrono::steady_clock::now();
        All all = read_all();
        stopper.join();
        CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(8));
        return all;
    }

    // CommandHost: no lock directory here.
    Result<CommandMark> command_mark() override { return CommandMark{}; }
    void command_begins(pid_t pid, int) override { started = pid; }
    void command_ended(pid_t, CommandMark) override {}
    void command_output(int, std::string_view) override {}
    void command_notice(std::string_view) override {}

    Interrupt stop;
    const testing::TemporaryDirectory place;
    const std::string& directory = place.path();
    JobSpec job;
    Scope base;
    Workbench bench;
    std::atomic<pid_t> started = 0;
};

}  // namespace lockstep::test
