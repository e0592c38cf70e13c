#pragma once
// JSON of a job file, such as a request's body, in which every string is a template.

#include <vector>

#include "job/expression.hpp"

namespace lockstep {

class JsonTemplate {
  public:
    /// The names of members are taken as they are. Error: that of the first string that is no template.
    static std::expected<JsonTemplate, ExpressionError> parse(Json source);

    /// Each string by render_value(). Error: that of the first that cannot be rendered.
    Result<Json> render(const Scope& scope) const;

    /// As it stands in the job file.
    const Json& source() const { return source_; }

  private:
    Json source_;
    std::vector<Template> texts_;  ///< of the strings with a '$' in them, in the order of for_each_text()
};

}  // namespace lockstep
