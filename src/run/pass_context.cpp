#include "run/pass_context.hpp"

namespace lockstep {

Scope PassContext::base_scope(const Json& params, const SecretStore& store) const {
    Scope scope;
    scope.params = &params;
    scope.run_id = run_id;
    scope.run_date = run_date;
    scope.made_by = run_id;
    scope.secret = [&store](std::string_view name) { return store.resolve(name); };
    return scope;
}

}  // namespace lockstep
