#pragma once
// Places in a job file, and what is wrong at them: inside this room only.

#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "job/job_file.hpp"

namespace lockstep {

/// A value of the job file and the way to it.
struct Place {
    const Json* json = nullptr;
    std::string pointer;

    Place member(const JsonMember& member) const;
    Place element(std::size_t index) const;
};

/// `text` in double quotes, made printable.
std::string in_quotes(std::string_view text);

/// "did you mean "X"?" for the nearest of `candidates`, or, if none is near, "use one of A, B, C" (`or_else` if that is too
/// long).
std::string suggestion(std::string_view word, const std::vector<std::string_view>& candidates, std::string_view or_else = "");

class Findings {
  public:
    explicit Findings(std::string_view text) : text_(text) {}

    void add(const Place& at, std::string what, std::string advice = "");
    void add_at(std::size_t offset, std::string pointer, std::string what, std::string advice = "");
    /// At a byte of a string value; escapes before it are counted as they are written in the file.
    void add_in_string(const Place& at, std::size_t offset_in_value, std::string what, std::string advice = "");
    /// Not about a place in the file.
    void add_general(std::string what, std::string advice = "");

    std::size_t count() const { return items_.size(); }
    /// In the file's order, each one once.
    std::vector<Finding> sorted() const;

  private:
    struct Item {
        std::size_t offset = 0;
        Finding finding;
    };
    std::string_view text_;
    std::vector<Item> items_;
};

}  // namespace lockstep
