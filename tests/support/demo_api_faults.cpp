#include "support/demo_api_faults.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <string_view>

namespace demo {

namespace {

bool read_number(std::string_view text, std::int64_t& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() && number >= 0;
}

std::string_view without_suffix(std::string_view text, std::string_view suffix) {
    return text.ends_with(suffix) ? text.substr(0, text.size() - suffix.size()) : text;
}

bool add_part(Fault& fault, std::string_view part) {
    std::int64_t number = 0;
    if (part.starts_with("before:")) return read_number(part.substr(7), fault.before_ms);
    if (part.starts_with("after:")) return read_number(part.substr(6), fault.after_ms);

    const std::string_view end = without_suffix(part, "-before");
    for (const auto& [name, value] :
         {std::pair{"drop", Fault::End::drop}, {"reset", Fault::End::reset}, {"hang", Fault::End::hang}}) {
        if (end != name) continue;
        fault.end = value;
        fault.applied = end.size() == part.size();
        return true;
    }

    const std::string_view status = without_suffix(part, "-after");
    fault.applied = status.size() != part.size();
    const std::size_t colon = status.find(':');
    if (!read_number(status.substr(0, colon), number) || number < 200 || number > 599) return false;
    fault.status = static_cast<int>(number);
    if (colon == std::string_view::npos) return true;
    if (!read_number(status.substr(colon + 1), number)) return false;
    fault.retry_after = static_cast<int>(number);
    return true;
}

}  // namespace

bool Fault::add(const std::string& text) {
    std::istringstream parts(text);
    for (std::string part; std::getline(parts, part, ',');) {
        if (!add_part(*this, part)) return false;
    }
    return true;
}

std::string FaultRules::add(const nlohmann::json& json) {
    if (!json.is_object()) return "a rule is an object";
    try {
        Rule rule;
        rule.what = json.value("do", "");
        rule.method = json.value("method", "");
        rule.path = json.value("path", "");
        rule.orders = json.value("orders", std::vector<std::string>{});
        rule.every = json.value("every", std::int64_t{1});
        rule.times = json.value("times", std::int64_t{-1});
        Fault tried;
        if (rule.what.empty() || !tried.add(rule.what)) return "\"do\" is not a fault: " + rule.what;
        if (rule.every < 1) return "\"every\" must be at least 1";
        const std::lock_guard guard(mutex_);
        rules_.push_back(std::move(rule));
    } catch (const nlohmann::json::exception& error) {
        return error.what();
    }
    return "";
}

void FaultRules::clear() {
    const std::lock_guard guard(mutex_);
    rules_.clear();
}

std::string FaultRules::list() {
    const std::lock_guard guard(mutex_);
    nlohmann::json out = nlohmann::json::array();
    for (const Rule& rule : rules_) out.push_back({{"do", rule.what}, {"seen", rule.seen}, {"struck", rule.struck}});
    return out.dump();
}

void FaultRules::match(const std::string& method, const std::string& path, const std::string& order, Fault& fault) {
    const std::lock_guard guard(mutex_);
    for (Rule& rule : rules_) {
        if (rule.method.empty() ? method == "GET" : rule.method != method) continue;
        if (!path.starts_with(rule.path)) continue;
        if (!rule.orders.empty() && std::ranges::find(rule.orders, order) == rule.orders.end()) continue;
        if (++rule.seen % rule.every != 0 || rule.struck == rule.times) continue;
        ++rule.struck;
        fault.add(rule.what);
    }
}

}  // namespace demo
