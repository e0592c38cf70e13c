#include "cli/resolve_choice.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <map>
#include <set>
#include <string_view>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "journal/decide.hpp"
#include "sys/user_name.hpp"

namespace lockstep {

namespace {

std::unexpected<Error> unclear(const std::string& text) { return fail(Failure::usage, text); }

/// The name that the uid has, and who he was before sudo(8).
std::string who() {
    std::string name = user_name(::getuid());
    const char* before = ::getenv("SUDO_USER");
    if (before != nullptr && *before != '\0' && name != before) name += " (" + printable(before, 60) + " by sudo)";
    return name;
}

/// A value that is JSON is taken as that, anything else as text: 5, "5", [1], r-17.
Json value_of(const std::string& text) {
    auto json = parse_json(text);
    return json ? std::move(*json) : Json::of_string(text);
}

/// The journal keeps UTF-8 only. Of two values for one output nobody can tell which is meant, nor of which item a value is.
Result<void> check_words(const ResolveArguments& arguments) {
    if (arguments.keys.empty() && !arguments.all_parked) return unclear("which item? Give its KEY, several, or --all-parked");
    if (!arguments.outputs.empty() && (arguments.all_parked || arguments.keys.size() > 1))
        return unclear("--output is an answer of one item: decide about that alone");
    std::set<std::string_view> names;
    for (const auto& [name, text] : arguments.outputs) {
        if (!names.insert(name).second) return unclear("--output " + printable(name) + " is given twice");
        if (!is_utf8(text)) return unclear("--output " + printable(name + "=" + text) + ": the value is not UTF-8");
    }
    return {};
}

/// The pair that is meant: the named step's, else the only one of which this can be said; what is unfinished comes before what
/// has ended.
Result<Pair> choose_pair(const std::vector<Pair>& pairs, const std::string& key, const std::string& step, DecisionVerb verb) {
    std::vector<Pair> meant;
    std::string steps;
    for (const Pair& pair : pairs) {
        steps += (steps.empty() ? "" : ", ") + pair.step + " (" + std::string(to_string(pair.state)) + ")";
        if (step.empty() || pair.step == step) meant.push_back(pair);
    }
    if (pairs.empty()) return unclear(key + ": no item with this key was ever begun; lockstep status shows what is parked");
    if (meant.empty()) return unclear(key + ": it has no step " + step + " in the journal, but " + steps);
    if (meant.size() == 1) return meant.front();
    const auto can_be_said = [verb](const Pair& pair) { return is_possible(pair, verb); };
    std::vector<Pair> fitting;
    const auto take = [&](const auto& is_it) {
        if (fitting.empty()) std::ranges::copy_if(meant, std::back_inserter(fitting), is_it);
    };
    take([&](const Pair& pair) { return is_unfinished(pair) && can_be_said(pair); });
    take(can_be_said);
    take([](const Pair& pair) { return pair.state == PairState::parked; });  // it is told why not
    if (fitting.size() == 1) return fitting.front();
    return unclear(key + ": which step? Give --step: " + steps);
}

class Choosing {
  public:
    Choosing(const ResolveArguments& arguments, const std::vector<StepSpec>& steps, JournalReader& reader)
        : arguments_(arguments), steps_(steps), reader_(reader) {}

    Result<ResolveChoice> run() {
        auto waiting = reader_.waiting_decisions();
        if (!waiting) return std::unexpected(std::move(waiting.error()));
        for (const DecisionLine& line : *waiting) waiting_[{line.decision.item_key, line.decision.step}] = line.decision;
        auto chosen = arguments_.all_parked ? all_parked() : named();
        if (!chosen) return std::unexpected(std::move(chosen.error()));
        return std::move(choice_);
    }

  private:
    Result<void> all_parked() {
        const auto unfinished = reader_.unfinished();
        if (!unfinished) return std::unexpected(unfinished.error());
        for (const Pair& pair : *unfinished) {
            if (pair.state != PairState::parked) continue;
            if (!arguments_.step.empty() && pair.step != arguments_.step) continue;
            if (!arguments_.phase.empty() && parked_phase(pair) != arguments_.phase) continue;
            if (waiting_.contains({pair.item_key, pair.step})) {
                ++choice_.decided_before;
            } else {
                decide_about(pair);
            }
        }
        return {};
    }

    Result<void> named() {
        // A list that somebody made of parked pairs names an item as often as it has such steps.
        for (const std::string& key : std::set<std::string>(arguments_.keys.begin(), arguments_.keys.end())) {
            const auto pairs = reader_.pairs_of(key);
            if (!pairs) return std::unexpected(pairs.error());
            auto pair = choose_pair(*pairs, key, arguments_.step, arguments_.verb);
            if (!pair) {
                choice_.refused.push_back(std::move(pair.error()));
                continue;
            }
            if (const auto earlier = waiting_.find({pair->item_key, pair->step}); earlier != waiting_.end()) {
                choice_.refused.push_back(decided_already(earlier->second));
                continue;
            }
            decide_about(*pair);
        }
        return {};
    }

    /// A second decision about the same pair would come too late.
    static Error decided_already(const Decision& earlier) {
        return {Failure::busy,
                printable(earlier.item_key) + ", step " + earlier.step + ": " + printable(earlier.by) + " decided it at " +
                    format_local(earlier.decided_ms) + " (" + std::string(to_string(earlier.verb)) +
                    "); the next pass applies that",
                0};
    }

    void decide_about(const Pair& pair) {
        Decision decision;
        decision.item_key = pair.item_key;
        decision.step = pair.step;
        decision.verb = arguments_.verb;
        Json outputs = Json::object();
        for (const auto& [name, text] : arguments_.outputs) outputs.set(name, value_of(text));
        decision.outputs = to_text(outputs);
        decision.by = by_;
        decision.decided_ms = now_;
        decision.seen = stand_of(pair);
        if (arguments_.redefine) {
            const auto step = std::ranges::find(steps_, pair.step, &StepSpec::name);
            if (step == steps_.end()) {
                choice_.refused.push_back(
                    {Failure::usage, printable(pair.item_key) + ": the job file has no step " + pair.step, 0});
                return;
            }
            decision.definition = step->definition;
        }
        if (auto next = decide(pair, decision); !next) {
            choice_.refused.push_back(std::move(next.error()));
        } else {
            choice_.decisions.push_back(std::move(decision));
        }
    }

    const ResolveArguments& arguments_;
    const std::vector<StepSpec>& steps_;
    JournalReader& reader_;
    const std::string by_ = who();
    const std::int64_t now_ = wall_now_ms();
    std::map<std::pair<std::string, std::string>, Decision> waiting_;  ///< by item and step
    ResolveChoice choice_;
};

}  // namespace

Result<ResolveChoice> choose_decisions(const ResolveArguments& arguments, const std::vector<StepSpec>& steps,
                                       JournalReader& reader) {
    if (auto sound = check_words(arguments); !sound) return std::unexpected(std::move(sound.error()));
    return Choosing(arguments, steps, reader).run();
}

}  // namespace lockstep
