// What happens when nobody knows whether a phase took effect: there is no silent default for what must not happen twice.

#include <algorithm>

#include "job/read.hpp"

namespace lockstep {

namespace {

std::string why_not_twice(const PhaseSpec& phase) {
    return phase.command() != nullptr ? "a command" : "a " + phase.http()->method;
}

std::vector<InDoubtPolicy> read_list(Reading& reading, const Place& at) {
    std::vector<InDoubtPolicy> list;
    if (!expect_type(reading.findings, at, Json::Type::array)) return list;
    if (at.json->elements.empty())
        reading.findings.add(at, "the list is empty", "use probe, resend or park, in the order to be tried");
    for (std::size_t i = 0; i < at.json->elements.size(); ++i) {
        const Place place = at.element(i);
        const auto word = read_word(reading.findings, place, shapes::kInDoubt);
        if (!word) continue;
        const auto policy = static_cast<InDoubtPolicy>(*word);
        if (std::ranges::find(list, policy) != list.end())
            reading.findings.add(place, in_quotes(to_string(policy)) + " stands here twice");
        list.push_back(policy);
    }
    const auto park = std::ranges::find(list, InDoubtPolicy::park);
    if (park != list.end() && park + 1 != list.end()) {
        reading.findings.add(at, "nothing behind \"park\" is ever tried", "put \"park\" at the end");
    }
    return list;
}

void check_list(Reading& reading, const Fields& fields, const PhaseSpec& phase) {
    const auto names = [&](InDoubtPolicy policy) { return std::ranges::find(phase.in_doubt, policy) != phase.in_doubt.end(); };
    const Place at = *fields.get("inDoubt");
    if (names(InDoubtPolicy::resend) && !phase.can_resend()) {
        reading.findings.add(at, "\"resend\" could carry out " + why_not_twice(phase) + " twice",
                             "add an \"idempotencyKey\", or \"idempotent\": true if a second time does no harm");
    }
    if (names(InDoubtPolicy::probe) && !fields.has("probe")) {
        reading.findings.add(at, "\"probe\" is to be tried, but there is none",
                             "add \"probe\": a GET or a command that finds out");
    }
    if (!names(InDoubtPolicy::probe) && fields.has("probe")) {
        reading.findings.add(*fields.get("probe"), "this probe is never used", "add \"probe\" to \"inDoubt\"");
    }
}

}  // namespace

void read_in_doubt(Reading& reading, const Fields& fields, PhaseSpec& phase) {
    if (const auto at = fields.get("inDoubt")) {
        const std::size_t before = reading.findings.count();
        phase.in_doubt = read_list(reading, *at);
        if (reading.findings.count() == before) check_list(reading, fields, phase);
        return;
    }
    const bool method_known = phase.http() == nullptr || !phase.http()->method.empty();
    if (fields.has("probe")) {
        reading.findings.add(*fields.get("probe"), "this probe is never used", R"(add "inDoubt": ["probe", …])");
    } else if (!phase.can_resend() && method_known) {
        reading.findings.add(
            fields.place(),
            why_not_twice(phase) + " without an idempotency key must say what is done when its outcome is not known",
            R"(add "inDoubt": ["park"], or a "probe", or an "idempotencyKey", or "idempotent": true)");
    }
    phase.in_doubt = {InDoubtPolicy::resend, InDoubtPolicy::park};
}

}  // namespace lockstep
