#include <fmt/format.h>

#include <set>

#include "base/text.hpp"
#include "items/records.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kMostFields = 10'000;

class CsvRecords final : public RecordSource {
  public:
    CsvRecords(ByteReader bytes, std::string name) : bytes_(std::move(bytes)), name_(std::move(name)) {}

    Result<void> read_header() {
        if (auto skipped = bytes_.skip_byte_order_mark(); !skipped) return skipped;
        auto row = read_row();
        if (!row) return std::unexpected(std::move(row.error()));
        if (!*row) return fail(Failure::items, fmt::format("{}: there is no first row that names the columns", name_));
        if (!(*row)->wrong.empty()) return fail(Failure::items, fmt::format("{}:{}: {}", name_, (*row)->line, (*row)->wrong));
        names_ = std::move((*row)->fields);
        std::set<std::string_view> seen;
        for (const std::string& column : names_) {
            if (column.empty()) return fail(Failure::items, fmt::format("{}: a column of the first row has no name", name_));
            if (!seen.insert(column).second) {
                return fail(Failure::items,
                            fmt::format("{}: two columns of the first row are named \"{}\"", name_, printable(column)));
            }
        }
        return {};
    }

    NextRecord next() override {
        auto row = read_row();
        if (!row) return std::unexpected(std::move(row.error()));
        if (!*row) return std::nullopt;
        Row& got = **row;
        std::string place = fmt::format("{}:{}", name_, got.line);
        if (got.wrong.empty() && got.fields.size() != names_.size()) {
            got.wrong = fmt::format("the row has {} fields, the first row names {}", got.fields.size(), names_.size());
        }
        if (!got.wrong.empty()) return BadItem{fmt::format("{}: {}", place, got.wrong)};
        Json inputs = Json::object();
        inputs.members.reserve(names_.size());
        for (std::size_t i = 0; i < names_.size(); ++i) {
            inputs.members.push_back({names_[i], Json::of_string(std::move(got.fields[i])), 0});
        }
        return Record{std::move(inputs), std::move(place)};
    }

  private:
    struct Row {
        std::size_t line = 0;
        std::vector<std::string> fields;
        std::size_t bytes = 0;
        std::string wrong;  ///< the first thing wrong with it; the rest of it is read past
    };

    /// The next row that is not blank.
    Result<std::optional<Row>> read_row() {
        for (;;) {
            Row row;
            row.line = bytes_.line_number();
            const auto first = bytes_.peek();
            if (!first) return std::unexpected(first.error());
            if (*first == ByteReader::kEnd) return std::nullopt;
            const bool quoted = *first == '"';
            for (bool more = true; more;) {
                auto read = read_field(row);
                if (!read) return std::unexpected(std::move(read.error()));
                more = *read;
            }
            const bool blank = !quoted && row.wrong.empty() && row.fields.size() == 1 && row.fields[0].empty();
            if (!blank) return row;
        }
    }

    /// One field and what ends it. @return whether a comma did, so that another follows
    Result<bool> read_field(Row& row) {
        // A row of nothing but commas is no reason to run out of memory.
        if (row.fields.size() < kMostFields) {
            row.fields.emplace_back();
        } else {
            note(row, fmt::format("the row has more than {} fields", kMostFields));
        }
        const auto first = bytes_.peek();
        if (!first) return std::unexpected(first.error());
        if (*first == '"') {
            bytes_.take();
            if (auto quoted = read_quoted(row); !quoted) return std::unexpected(std::move(quoted.error()));
        }
        const bool after_quotes = *first == '"';
        for (;;) {
            const auto next = bytes_.peek();
            if (!next) return std::unexpected(next.error());
            if (*next != ByteReader::kEnd) bytes_.take();
            if (*next == ByteReader::kEnd || *next == '\n' || *next == ',') {
                end_field(row, *next != ',', after_quotes);
                return *next == ',';
            }
            if (after_quotes) {
                if (*next != '\r') note(row, "there is text behind a closing quote");
            } else {
                if (*next == '"') note(row, "there is a quote inside a field that does not begin with one");
                append(row, static_cast<char>(*next));
            }
        }
    }

    /// Up to the closing quote; two quotes are one.
    Result<void> read_quoted(Row& row) {
        for (;;) {
            const auto next = bytes_.peek();
            if (!next) return std::unexpected(next.error());
            if (*next == ByteReader::kEnd) {
                note(row, "a quote is never closed");
                return {};
            }
            bytes_.take();
            if (*next == '"') {
                const auto second = bytes_.peek();
                if (!second) return std::unexpected(second.error());
                if (*second != '"') return {};
                bytes_.take();
            }
            append(row, static_cast<char>(*next));
        }
    }

    void end_field(Row& row, bool at_line_end, bool quoted) {
        std::string& field = row.fields.back();
        if (!quoted) {
            if (at_line_end && field.ends_with('\r')) field.pop_back();
            // Of lines that end in CR alone, all would be read as one: the first row, with no row behind it.
            if (field.find('\r') != std::string::npos)
                note(row, "there is a carriage return without a line feed; end the lines with LF or CRLF");
        }
        if (!is_utf8(field)) note(row, fmt::format("field {} is not UTF-8", row.fields.size()));
    }

    static void append(Row& row, char byte) {
        if (++row.bytes > kLongestItem) {
            row.fields.back().clear();
            note(row, fmt::format("the row is longer than {} MiB; is a quote missing?", kLongestItem >> 20));
            return;
        }
        row.fields.back().push_back(byte);
    }

    static void note(Row& row, std::string what) {
        if (row.wrong.empty()) row.wrong = std::move(what);
    }

    ByteReader bytes_;
    std::string name_;
    std::vector<std::string> names_;
};

}  // namespace

Result<std::unique_ptr<RecordSource>> csv_records(ByteReader bytes, std::string name) {
    auto records = std::make_unique<CsvRecords>(std::move(bytes), std::move(name));
    if (auto header = records->read_header(); !header) return std::unexpected(std::move(header.error()));
    return records;
}

}  // namespace lockstep
