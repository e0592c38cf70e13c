#include <fmt/format.h>

#include "base/text.hpp"
#include "items/records.hpp"

namespace lockstep {
namespace {

class NdjsonRecords final : public RecordSource {
  public:
    NdjsonRecords(ByteReader bytes, std::string name) : bytes_(std::move(bytes)), name_(std::move(name)) {}

    NextRecord next() override {
        if (!begun_) {
            if (auto skipped = bytes_.skip_byte_order_mark(); !skipped) return std::unexpected(std::move(skipped.error()));
            begun_ = true;
        }
        for (;;) {
            const std::size_t line = bytes_.line_number();
            const auto got = bytes_.line(text_);
            if (!got) return std::unexpected(got.error());
            if (*got == ByteReader::Got::end) return std::nullopt;
            if (*got == ByteReader::Got::too_long) {
                return BadItem{fmt::format("{}:{}: the line is longer than {} MiB", name_, line, kLongestItem >> 20)};
            }
            if (text_.find_first_not_of(" \t\r") != std::string::npos) return record(line);
        }
    }

  private:
    std::variant<Record, BadItem> record(std::size_t line) const {
        auto parsed = parse_json(text_);
        if (!parsed) {
            const auto column = position_at(text_, parsed.error().offset).column;
            return BadItem{
                fmt::format("{}:{}:{}: this line is not JSON: {}", name_, line, column, printable(parsed.error().what))};
        }
        if (!parsed->is_object()) {
            return BadItem{fmt::format("{}:{}: an item must be a JSON object, not {}", name_, line, printable(text_, 40))};
        }
        return Record{std::move(*parsed), fmt::format("{}:{}", name_, line)};
    }

    ByteReader bytes_;
    std::string name_;
    std::string text_;
    bool begun_ = false;
};

}  // namespace

std::unique_ptr<RecordSource> ndjson_records(ByteReader bytes, std::string name) {
    return std::make_unique<NdjsonRecords>(std::move(bytes), std::move(name));
}

}  // namespace lockstep
