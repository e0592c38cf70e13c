#include "support/demo_api_shop.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string_view>

namespace demo {

using nlohmann::json;

namespace {

constexpr std::string_view kReservations = "/reservations";
constexpr std::string_view kCaptures = "/captures";

std::string scoped(const Write& write) { return write.method + ' ' + write.path + ' ' + write.key; }

std::int64_t wall_clock_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string text_at(const json& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end()) return "";
    return found->is_string() ? found->get<std::string>() : found->dump();
}

/// "r17" is element 16.
std::optional<std::size_t> index_of(std::string_view id, char letter, std::size_t size) {
    std::size_t number = 0;
    if (id.size() < 2 || id[0] != letter) return std::nullopt;
    const auto [end, error] = std::from_chars(id.data() + 1, id.data() + id.size(), number);
    if (error != std::errc{} || end != id.data() + id.size() || number == 0 || number > size) return std::nullopt;
    return number - 1;
}

Answer problem(int status, const std::string& what) { return {status, json{{"error", what}}.dump()}; }

}  // namespace

Shop::Shop(const std::string& state_file) {
    if (state_file.empty()) return;
    replay_file(state_file);
    state_fd_ = ::open(state_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (state_fd_ < 0) {
        std::perror(state_file.c_str());
        std::exit(1);
    }
}

Shop::~Shop() {
    if (state_fd_ >= 0) ::close(state_fd_);
}

Shop::Claim Shop::claim(const Write& write, Answer& stored) {
    if (write.key.empty()) return Claim::fresh;
    const std::lock_guard guard(mutex_);
    const auto [entry, inserted] = keys_.try_emplace(scoped(write), Remembered{write.body, {}, true});
    if (inserted) return Claim::fresh;
    const Remembered& known = entry->second;
    if (known.body != write.body) return Claim::other_body;
    if (known.in_flight) return Claim::in_flight;
    ++replayed_;
    stored = known.answer;
    return Claim::replay;
}

Answer Shop::apply(const Write& write) {
    const std::lock_guard guard(mutex_);
    Answer answer = carry_out(write);
    append(write, answer);
    if (!write.key.empty()) keys_[scoped(write)] = {write.body, answer, false};
    return answer;
}

void Shop::refuse(const Write& write, const Answer& answer) {
    if (write.key.empty()) return;
    const std::lock_guard guard(mutex_);
    keys_[scoped(write)] = {write.body, answer, false};
}

void Shop::abandon(const Write& write) {
    if (write.key.empty()) return;
    const std::lock_guard guard(mutex_);
    keys_.erase(scoped(write));
}

Answer Shop::carry_out(const Write& write) {
    if (write.method == "DELETE") return remove(write);
    if (write.path == kReservations) return reserve(write);
    return capture(write);
}

Answer Shop::reserve(const Write& write) {
    const std::string order = text_at(write.json, "order");
    if (order.empty()) return problem(400, "\"order\" is missing");
    const std::string id = "r" + std::to_string(reservations_.size() + 1);
    json shown = write.json;
    shown["id"] = id;
    Answer answer{201, shown.dump()};
    reservations_by_order_[order].push_back(reservations_.size());
    reservations_.push_back({order, std::move(shown), false, 0});
    note(write, "reserve", order, id);
    return answer;
}

Answer Shop::capture(const Write& write) {
    const std::string rid = text_at(write.json, "reservation");
    const auto index = index_of(rid, 'r', reservations_.size());
    if (!index || reservations_[*index].deleted) return problem(404, "no such reservation: " + rid);
    Reservation& reservation = reservations_[*index];
    const std::string id = "c" + std::to_string(captures_.size() + 1);
    json shown{{"id", id}, {"order", reservation.order}, {"reservation", rid}};
    Answer answer{201, shown.dump()};
    // A second capture is carried out, too: whoever asks twice charges twice, and the ledger shows it.
    ++reservation.captures;
    captures_by_order_[reservation.order].push_back(captures_.size());
    captures_.push_back({reservation.order, rid, std::move(shown)});
    note(write, "capture", reservation.order, id);
    return answer;
}

Answer Shop::remove(const Write& write) {
    const std::string id = write.path.substr(write.path.rfind('/') + 1);
    const auto index = index_of(id, 'r', reservations_.size());
    if (!index || reservations_[*index].deleted) return problem(404, "no such reservation: " + id);
    reservations_[*index].deleted = true;
    note(write, "delete", reservations_[*index].order, id);
    return {204, ""};
}

void Shop::note(const Write& write, std::string kind, std::string order, std::string id) {
    const std::int64_t time = now_ms_ != 0 ? now_ms_ : wall_clock_ms();
    effects_.push_back({std::move(kind), std::move(order), std::move(id), write.key, time});
}

// Effect and answer are one line and one write(2): a kill leaves both or neither, as a database's transaction would.
void Shop::append(const Write& write, const Answer& answer) {
    if (state_fd_ < 0 || answer.status >= 300) return;
    const json line{{"time", effects_.back().time_ms},
                    {"method", write.method},
                    {"path", write.path},
                    {"key", write.key},
                    {"body", write.body}};
    const std::string text = line.dump() + '\n';
    if (::write(state_fd_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        std::perror("demo_api: writing the state file");
        std::exit(1);
    }
}

void Shop::replay_file(const std::string& state_file) {
    std::ifstream file(state_file);
    for (std::string line; std::getline(file, line);) {
        const json entry = json::parse(line, nullptr, false);
        if (entry.is_discarded()) break;  // the last line of a killed server
        Write write{entry["method"], entry["path"], entry["key"], entry["body"], {}};
        write.json = json::parse(write.body, nullptr, false);
        now_ms_ = entry["time"];
        apply(write);
    }
    now_ms_ = 0;
}

Answer Shop::reservations_of(const std::string& order) {
    const std::lock_guard guard(mutex_);
    json found = json::array();
    for (const std::size_t index : reservations_by_order_[order]) {
        if (!reservations_[index].deleted) found.push_back(reservations_[index].shown);
    }
    return {200, found.dump()};
}

Answer Shop::reservation(const std::string& id) {
    const std::lock_guard guard(mutex_);
    const auto index = index_of(id, 'r', reservations_.size());
    if (!index || reservations_[*index].deleted) return problem(404, "no such reservation: " + id);
    return {200, reservations_[*index].shown.dump()};
}

Answer Shop::captures_of(const std::string& order) {
    const std::lock_guard guard(mutex_);
    json found = json::array();
    for (const std::size_t index : captures_by_order_[order]) found.push_back(captures_[index].shown);
    return {200, found.dump()};
}

std::string Shop::order_of(const Write& write) {
    if (write.json.is_object() && write.json.contains("order")) return text_at(write.json, "order");
    const std::lock_guard guard(mutex_);
    const std::string id =
        write.path == kCaptures ? text_at(write.json, "reservation") : write.path.substr(write.path.rfind('/') + 1);
    const auto index = index_of(id, 'r', reservations_.size());
    return index ? reservations_[*index].order : "";
}

std::string Shop::ledger(bool with_effects) {
    const std::lock_guard guard(mutex_);
    json out;
    json& orders = out["orders"] = json::object();
    if (with_effects) out["effects"] = json::array();
    struct Counts {
        int reservations = 0, captures = 0, deletes = 0;
    };
    std::map<std::string, Counts> counts;
    for (const Effect& effect : effects_) {
        Counts& of_order = counts[effect.order];
        if (effect.kind == "reserve") ++of_order.reservations;
        if (effect.kind == "capture") ++of_order.captures;
        if (effect.kind == "delete") ++of_order.deletes;
        if (with_effects) {
            out["effects"].push_back({{"order", effect.order},
                                      {"kind", effect.kind},
                                      {"id", effect.id},
                                      {"key", effect.key},
                                      {"time", effect.time_ms}});
        }
    }
    int reserved = 0, captured = 0, duplicates = 0, deletes = 0, half_pairs = 0;
    for (const auto& [order, of_order] : counts) {
        const int live = of_order.reservations - of_order.deletes;
        reserved += live > 0;
        captured += of_order.captures > 0;
        duplicates += std::max(0, live - 1) + std::max(0, of_order.captures - 1);
        deletes += of_order.deletes;
        orders[order] = {
            {"reservations", of_order.reservations}, {"captures", of_order.captures}, {"deletes", of_order.deletes}};
    }
    for (const Reservation& reservation : reservations_) half_pairs += reservation.deleted == (reservation.captures > 0);
    out["totals"] = {{"orders", counts.size()},  {"reserved", reserved}, {"captured", captured}, {"halfPairs", half_pairs},
                     {"duplicates", duplicates}, {"deletes", deletes},   {"replayed", replayed_}};
    return out.dump();
}

std::size_t Shop::effects() {
    const std::lock_guard guard(mutex_);
    return effects_.size();
}

void Shop::clear() {
    const std::lock_guard guard(mutex_);
    reservations_.clear();
    captures_.clear();
    reservations_by_order_.clear();
    captures_by_order_.clear();
    keys_.clear();
    effects_.clear();
    replayed_ = 0;
    if (state_fd_ >= 0 && ::ftruncate(state_fd_, 0) != 0) std::perror("demo_api: emptying the state file");
}

}  // namespace demo
