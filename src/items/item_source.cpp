#include "items/item_source.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "items/digests.hpp"
#include "items/records.hpp"
#include "step/perform.hpp"

namespace lockstep {
namespace {

/// Gives each record its key, and finds the ones that have none or one that was there before.
class KeyedItems final : public ItemSource {
  public:
    KeyedItems(std::unique_ptr<RecordSource> records, const Template& key, const Scope& base)
        : records_(std::move(records)), key_(key), scope_(base) {}

    Result<std::optional<std::variant<Item, BadItem>>> next() override {
        auto next = records_->next();
        if (!next) return std::unexpected(std::move(next.error()));
        if (!*next) return std::nullopt;
        if (auto* bad = std::get_if<BadItem>(&**next)) return std::move(*bad);
        return keyed(std::move(std::get<Record>(**next)));
    }

  private:
    std::variant<Item, BadItem> keyed(Record record) {
        scope_.inputs = &record.inputs;
        auto key = render(key_, scope_);
        scope_.inputs = nullptr;
        if (!key) return BadItem{fmt::format("{}: the item has no key: {}", record.place, key.error().text)};
        if (key->empty()) return BadItem{fmt::format("{}: the item's key is empty", record.place)};
        if (!seen_.insert(*key)) {
            return BadItem{
                fmt::format("{}: the key \"{}\" was there before: an item is done once", record.place, printable(*key))};
        }
        return Item{std::move(*key), std::move(record.inputs)};
    }

    std::unique_ptr<RecordSource> records_;
    const Template& key_;
    Scope scope_;
    SeenTexts seen_;
};

/// The one item a pass of a job without `items`.
class OneItem final : public ItemSource {
  public:
    explicit OneItem(std::string key) : key_(std::move(key)) {}

    Result<std::optional<std::variant<Item, BadItem>>> next() override {
        if (std::exchange(taken_, true)) return std::nullopt;
        return Item{std::move(key_), Json::object()};
    }

  private:
    std::string key_;
    bool taken_ = false;
};

Result<std::unique_ptr<ItemSource>> one_item(const JobSpec& job, Scope scope, std::int64_t pass) {
    if (!job.key) return std::make_unique<OneItem>(fmt::format("{}/{}", scope.run_id, pass));
    const Json nothing = Json::object();
    scope.inputs = &nothing;
    auto key = render(*job.key, scope);
    if (!key) return fail(Failure::items, "the item's key: " + key.error().text);
    if (key->empty()) return fail(Failure::items, "the item's key is empty");
    return std::make_unique<OneItem>(std::move(*key));
}

Result<std::unique_ptr<RecordSource>> command_records(const ItemsSpec::Command& spec, const Scope& base, const Interrupt& stop,
                                                      Workbench& bench) {
    const std::string name = spec.command.argv.empty() ? "the command" : printable(spec.command.argv.front().source);
    auto listing = fetch_listing(spec.command, base, spec.timeout, stop, bench);
    if (!listing) return std::unexpected(std::move(listing.error().error));
    return ndjson_records(ByteReader::of_text(std::move(listing->body)), name + " (stdout)");
}

struct OpenRecords {
    const Scope& base;
    const Interrupt& stop;
    Workbench& bench;

    Result<std::unique_ptr<RecordSource>> operator()(const ItemsSpec::Ndjson& spec) const {
        auto bytes = ByteReader::open(spec.path, stop);
        if (!bytes) return std::unexpected(std::move(bytes.error()));
        return ndjson_records(std::move(*bytes), spec.path == "-" ? "stdin" : spec.path);
    }
    Result<std::unique_ptr<RecordSource>> operator()(const ItemsSpec::Csv& spec) const {
        auto bytes = ByteReader::open(spec.path, stop);
        if (!bytes) return std::unexpected(std::move(bytes.error()));
        return csv_records(std::move(*bytes), spec.path == "-" ? "stdin" : spec.path);
    }
    Result<std::unique_ptr<RecordSource>> operator()(const ItemsSpec::Command& spec) const {
        return command_records(spec, base, stop, bench);
    }
    Result<std::unique_ptr<RecordSource>> operator()(const ItemsSpec::Http& spec) const {
        return http_records(spec, base, stop, bench);
    }
};

}  // namespace

Result<std::unique_ptr<ItemSource>> open_items(const JobSpec& job, const Scope& base, std::int64_t pass, const Interrupt& stop,
                                               Workbench& bench) {
    if (!job.items) return one_item(job, base, pass);
    auto records = std::visit(OpenRecords{base, stop, bench}, job.items->source);
    if (!records) return std::unexpected(std::move(records.error()));
    return std::make_unique<KeyedItems>(std::move(*records), job.items->key, base);
}

}  // namespace lockstep
