// Who is told of a pass's end.

#include "job/read.hpp"

namespace lockstep {

std::optional<NoticeSpec> read_notice(Reading& reading, const std::optional<Place>& at) {
    if (!at) return std::nullopt;
    const Fields fields(reading.findings, *at, shapes::kNotice);
    if (!fields.is_object()) return std::nullopt;
    NoticeSpec notice;
    notice.timeout = read_duration(reading.findings, fields.get("timeout")).value_or(notice.timeout);
    auto read = read_action(reading, fields, shapes::kMethod, {.role = Surroundings::Role::notice});
    if (!read) return std::nullopt;
    if (read->outputs) reading.findings.add(*read->outputs, "nobody could use the outputs of a notice", "leave them out");
    notice.action = std::move(read->action);
    return notice;
}

}  // namespace lockstep
