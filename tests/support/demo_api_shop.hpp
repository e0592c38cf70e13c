#pragma once
// What the demo API remembers: reservations, captures, the answer given under each idempotency key, and a ledger of every
// effect in its order. It shares no code with lockstep, for it is the witness that tests ask.

#include <cstdint>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>
#include <vector>

namespace demo {

struct Answer {
    int status = 200;
    std::string body;  ///< JSON, or empty
};

/// A request that changes something.
struct Write {
    std::string method;
    std::string path;
    std::string key;   ///< its idempotency key, or empty
    std::string body;  ///< as received
    nlohmann::json json;
};

class Shop {
  public:
    /// @param state_file  every effect is appended to it before it is answered, and read back at the next start; empty: memory
    /// only
    explicit Shop(const std::string& state_file);
    ~Shop();
    Shop(const Shop&) = delete;
    Shop& operator=(const Shop&) = delete;

    /// What a request's idempotency key says about it.
    enum class Claim : std::uint8_t { fresh, in_flight, replay, other_body };
    /// `fresh` holds the key until apply(), refuse() or abandon(); `replay` fills `stored`.
    Claim claim(const Write& write, Answer& stored);
    /// Carries the write out and remembers its answer under its key, in one step.
    Answer apply(const Write& write);
    /// Remembers an answer that changed nothing: a later request with the same key gets it again.
    void refuse(const Write& write, const Answer& answer);
    /// Forgets a claimed key, as if the request had never come.
    void abandon(const Write& write);

    Answer reservations_of(const std::string& order);
    Answer reservation(const std::string& id);
    Answer captures_of(const std::string& order);
    /// The order a request is about, or "".
    std::string order_of(const Write& write);

    /// Every effect in order, counts by order, and totals, among them half pairs and duplicates.
    std::string ledger(bool with_effects);
    std::size_t effects();
    void clear();

  private:
    struct Reservation {
        std::string order;
        nlohmann::json shown;
        bool deleted = false;
        std::uint32_t captures = 0;
    };
    struct Capture {
        std::string order;
        std::string reservation;
        nlohmann::json shown;
    };
    struct Effect {
        std::string kind;  ///< reserve, capture, delete
        std::string order;
        std::string id;
        std::string key;
        std::int64_t time_ms = 0;
    };
    struct Remembered {
        std::string body;
        Answer answer;
        bool in_flight = true;
    };

    Answer reserve(const Write& write);
    Answer capture(const Write& write);
    Answer remove(const Write& write);
    Answer carry_out(const Write& write);
    void note(const Write& write, std::string kind, std::string order, std::string id);
    void append(const Write& write, const Answer& answer);
    void replay_file(const std::string& state_file);

    std::mutex mutex_;
    std::vector<Reservation> reservations_;  ///< "r<n>" is element n - 1
    std::vector<Capture> captures_;          ///< "c<n>" likewise
    std::unordered_map<std::string, std::vector<std::size_t>> reservations_by_order_;
    std::unordered_map<std::string, std::vector<std::size_t>> captures_by_order_;
    std::unordered_map<std::string, Remembered> keys_;  ///< by method, path and key
    std::vector<Effect> effects_;
    std::int64_t now_ms_ = 0;  ///< while the state file is read: the time it names
    std::uint64_t replayed_ = 0;
    int state_fd_ = -1;
};

}  // namespace demo
