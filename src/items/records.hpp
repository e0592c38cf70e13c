#pragma once
// Records before they have keys, one class a format; item_source.cpp makes items of them.

#include <memory>
#include <optional>
#include <variant>

#include "items/bytes.hpp"
#include "items/item_source.hpp"

namespace lockstep {

struct Record {
    Json inputs;
    std::string place;  ///< "/data/pending.ndjson:14"
};

using NextRecord = Result<std::optional<std::variant<Record, BadItem>>>;

class RecordSource {
  public:
    virtual ~RecordSource() = default;
    virtual NextRecord next() = 0;
};

/// One JSON object a line. Blank lines, CRLF and a byte order mark are accepted.
std::unique_ptr<RecordSource> ndjson_records(ByteReader bytes, std::string name);

/// RFC 4180: the first row names the columns, all values are strings. Error: no header, or one with empty or equal names.
Result<std::unique_ptr<RecordSource>> csv_records(ByteReader bytes, std::string name);

/// The elements of the array that `select` finds in each page, as long as `next` names another.
Result<std::unique_ptr<RecordSource>> http_records(const ItemsSpec::Http& spec, const Scope& base, const Interrupt& stop,
                                                   Workbench& bench);

}  // namespace lockstep
