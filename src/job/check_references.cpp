// Every expression refers to something that exists, and exists by then.

#include <algorithm>

#include "job/read.hpp"

namespace lockstep {

namespace {

using Kind = Expression::Kind;
using Role = Surroundings::Role;
using AnswerOf = Surroundings::AnswerOf;

struct Complaint {
    std::string what;
    std::string advice;
};

bool asks_answer_of_http(Kind kind) {
    return kind == Kind::status_code || kind == Kind::response_body || kind == Kind::response_header;
}
bool asks_answer_of_command(Kind kind) { return kind == Kind::exit_status || kind == Kind::stdout_text; }

class ReferenceChecker {
  public:
    ReferenceChecker(const JobSpec& job, const ExpressionUse& use)
        : job_(job), expression_(use.expression), around_(use.around), source_(use.expression.source) {}

    std::optional<Complaint> complaint() const {
        if (auto misplaced = role_complaint()) return misplaced;
        if (asks_answer_of_http(expression_.kind) || asks_answer_of_command(expression_.kind)) return answer_complaint();
        switch (expression_.kind) {
            case Kind::inputs: return input_complaint();
            case Kind::params: return param_complaint();
            case Kind::secrets: return secret_complaint();
            case Kind::step_output: return step_complaint();
            default: return std::nullopt;
        }
    }

  private:
    std::optional<Complaint> complain(std::string what, std::string advice = "") const {
        return Complaint{source_ + ": " + std::move(what), std::move(advice)};
    }

    std::optional<Complaint> role_complaint() const {
        const Kind kind = expression_.kind;
        if (around_.role == Role::item_key || around_.role == Role::job_key) {
            if (kind == Kind::inputs || kind == Kind::params || kind == Kind::run_date) return std::nullopt;
            return complain("a key must be the same whenever the item is met again",
                            "use only $inputs, $params and $run.date in it");
        }
        if (around_.role == Role::items_source) {
            if (kind == Kind::inputs || kind == Kind::step_output || kind == Kind::idempotency_key) {
                return complain("there is no item yet where the items are listed", "use $params, $run or $secrets");
            }
        }
        if (around_.role == Role::notice && (kind == Kind::step_output || kind == Kind::idempotency_key))
            return complain("a notice tells of a whole pass, not of an item", "its $inputs are the pass's summary");
        return std::nullopt;
    }

    std::optional<Complaint> input_complaint() const {
        if (around_.role == Role::notice) {
            if (std::ranges::find(kSummaryNames, expression_.name) != std::end(kSummaryNames)) return std::nullopt;
            const std::vector<std::string_view> names(std::begin(kSummaryNames), std::end(kSummaryNames));
            return complain("the summary of a pass has no " + in_quotes(expression_.name), suggestion(expression_.name, names));
        }
        return job_.items ? std::nullopt : complain("there are no inputs: this job has no \"items\"");
    }

    std::optional<Complaint> answer_complaint() const {
        if (around_.answer == AnswerOf::nothing) {
            return complain("there is no answer before the call is made",
                            R"(keep the value in "outputs" and use $steps.NAME.first.outputs.X later)");
        }
        if (around_.answer == AnswerOf::http && asks_answer_of_command(expression_.kind)) {
            return complain("this is an http call, not a command",
                            "use $statusCode, $response.body#/… or $response.header.NAME");
        }
        if (around_.answer == AnswerOf::command && asks_answer_of_http(expression_.kind)) {
            return complain("this is a command, not an http call", "use $exitStatus, $stdout or $stdout#/…");
        }
        return std::nullopt;
    }

    std::optional<Complaint> param_complaint() const {
        if (job_.params.find(expression_.name) != nullptr) return std::nullopt;
        std::vector<std::string_view> names;
        for (const JsonMember& param : job_.params.members) names.push_back(param.key);
        return complain("there is no parameter " + in_quotes(expression_.name),
                        suggestion(expression_.name, names, "declare it in \"params\""));
    }

    std::optional<Complaint> secret_complaint() const {
        if (!around_.secrets_allowed) {
            return complain("a secret may stand only in headers and in a command's environment",
                            "elsewhere it would be written into the journal");
        }
        if (job_.secrets.contains(expression_.name)) return std::nullopt;
        std::vector<std::string_view> names;
        for (const auto& [name, spec] : job_.secrets) names.push_back(name);
        return complain("there is no secret " + in_quotes(expression_.name),
                        suggestion(expression_.name, names, "declare it in \"secrets\""));
    }

    std::optional<Complaint> step_complaint() const {
        const auto found = std::ranges::find(job_.steps, expression_.step, &StepSpec::name);
        if (found == job_.steps.end()) {
            std::vector<std::string_view> names;
            for (const StepSpec& step : job_.steps) names.push_back(step.name);
            return complain("there is no step " + in_quotes(expression_.step), suggestion(expression_.step, names));
        }
        const std::string phase = in_quotes(expression_.step) + ", " + std::string(to_string(expression_.phase));
        if (!is_done_before(static_cast<std::size_t>(found - job_.steps.begin()))) {
            return complain("the phase " + phase + " is not done yet when this is used",
                            "a phase can use only what earlier phases gave");
        }
        const PhaseSpec* spec = found->phase(expression_.phase);
        if (spec == nullptr) return complain("the step " + in_quotes(expression_.step) + " has no second phase");
        std::vector<std::string_view> names;
        for (const NamedTemplate& output : spec->outputs) names.push_back(output.name);
        if (std::ranges::find(names, expression_.name) != names.end()) return std::nullopt;
        return complain("the phase " + phase + " has no output " + in_quotes(expression_.name),
                        suggestion(expression_.name, names, "declare it in its \"outputs\""));
    }

    bool is_done_before(std::size_t step) const {
        if (step != around_.step) return step < around_.step;
        return expression_.phase == PhaseName::first && around_.phase != PhaseName::first;
    }

    const JobSpec& job_;
    const Expression& expression_;
    const Surroundings& around_;
    const std::string& source_;
};

}  // namespace

void check_references(Reading& reading, const JobSpec& job) {
    for (const ExpressionUse& use : reading.uses) {
        auto complaint = ReferenceChecker(job, use).complaint();
        if (!complaint) continue;
        reading.findings.add_in_string(use.place, use.expression.offset, std::move(complaint->what),
                                       std::move(complaint->advice));
    }
}

}  // namespace lockstep
