// Where the items of a batch come from.

#include "job/read.hpp"

namespace lockstep {

namespace {

constexpr Millis kHttpTimeout{10'000};

Surroundings source_surroundings() { return {.role = Surroundings::Role::items_source}; }

std::string read_file_name(Reading& reading, const Place& at) {
    const auto path = read_path(reading.findings, at, reading.directory);
    if (path && path->find("{$") != std::string::npos) {
        reading.findings.add(at, "the name of an items file takes no expressions", "use {\"command\": [\"cat\", …]} instead");
    }
    return path.value_or("");
}

void check_page_expression(Reading& reading, const std::optional<Place>& at, const std::optional<Expression>& expression,
                           bool header_too) {
    if (!expression || expression->kind == Expression::Kind::response_body) return;
    if (header_too && expression->kind == Expression::Kind::response_header) return;
    reading.findings.add(
        *at, expression->source + " does not look into the answer",
        header_too ? "use $response.body#/… or $response.header.NAME" : "use $response.body or $response.body#/…");
}

ItemsSpec::Http read_http_source(Reading& reading, const Fields& fields) {
    ItemsSpec::Http source;
    source.request = read_http(reading, *fields.get("http"), shapes::kItemsMethod, source_surroundings());
    const Surroundings answered = source_surroundings().with_answer(HttpSpec{});
    auto select = read_expression(reading, fields.get("select"), answered);
    check_page_expression(reading, fields.get("select"), select, false);
    source.select = select ? std::move(*select) : parse_expression("$response.body").value();
    source.next = read_expression(reading, fields.get("next"), answered);
    check_page_expression(reading, fields.get("next"), source.next, true);
    source.timeout = read_duration(reading.findings, fields.get("timeout")).value_or(kHttpTimeout);
    return source;
}

ItemsSpec::Command read_command_source(Reading& reading, const Fields& fields) {
    ItemsSpec::Command source{};
    std::optional<Place> outputs;
    source.command = read_command(reading, *fields.get("command"), source_surroundings(), outputs);
    if (outputs)
        reading.findings.add(*outputs, "a command that lists items has no outputs", "it prints one JSON object a line");
    if (!fields.has("timeout")) {
        reading.findings.add(*fields.get("command"), "a command must state its timeout", "add \"timeout\" beside \"command\"");
    }
    source.timeout = read_duration(reading.findings, fields.get("timeout")).value_or(kHttpTimeout);
    return source;
}

void refuse(Reading& reading, const Fields& fields, std::initializer_list<std::string_view> keys, const std::string& why) {
    for (const std::string_view key : keys) {
        if (fields.has(key)) reading.findings.add(*fields.get(key), in_quotes(key) + " " + why, "leave it out");
    }
}

}  // namespace

std::optional<ItemsSpec> read_items(Reading& reading, const Place& at) {
    const Fields fields(reading.findings, at, shapes::kItems);
    if (!fields.is_object()) return std::nullopt;
    ItemsSpec items;
    items.key = read_template(reading, fields.get("key"), {.role = Surroundings::Role::item_key}).value_or(Template{});
    const auto kind = fields.exactly_one({"ndjson", "csv", "command", "http"}, true);
    if (!kind) return items;
    if (*kind != "http") refuse(reading, fields, {"select", "next"}, "belongs to http items");
    if (*kind == "ndjson") {
        const Place place = *fields.get("ndjson");
        items.source = ItemsSpec::Ndjson{place.json->text == "-" ? "-" : read_file_name(reading, place)};
        refuse(reading, fields, {"timeout"}, "belongs to items from a command or from http");
    } else if (*kind == "csv") {
        items.source = ItemsSpec::Csv{read_file_name(reading, *fields.get("csv"))};
        refuse(reading, fields, {"timeout"}, "belongs to items from a command or from http");
    } else if (*kind == "command") {
        items.source = read_command_source(reading, fields);
    } else {
        items.source = read_http_source(reading, fields);
    }
    return items;
}

}  // namespace lockstep
