#include "run/pass_context.hpp"

namespace lockstep {

Scope PassContext::base_scope(const Json& params, const SecretStore& store) const {
    Scope scope;
    scope.params = &params;
    scope.run_id = run_id;
    scope.run_date = run_date;
    scope.secret = [&store](std::string_view name) { return store.resolve(name); };
    return scope;
}

void PassContext::publish_activity() const {
    std::string phase = activity.brief();
    const std::lock_guard guard(record_mutex);
    if (record.phase == phase) return;
    record.phase = std::move(phase);
    (void)lock.update(record);
}

}  // namespace lockstep
