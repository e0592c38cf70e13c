// Source: the API reference of Kubernetes, apps/v1 Deployment, batch/v1 CronJob; "Pod Lifecycle", termination of pods.

#include <algorithm>

#include "supervise/entry_words.hpp"
#include "supervise/stop_budget.hpp"

namespace lockstep {

namespace {

/// RFC 1123 label: lower case, digits and '-'; a CronJob's has at most 52 characters.
std::string object_name(const std::string& job) {
    constexpr std::size_t kLongest = 52;
    std::string name;
    for (const char c : job) name += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c == '_' ? '-' : c;
    name = name.substr(std::min(name.find_first_not_of('-'), name.size()), kLongest);
    name.erase(name.find_last_not_of('-') + 1);
    return name.empty() ? "job" : name;
}

std::string indented(const std::string& text, int spaces) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find('\n', at) + 1;
        out += std::string(static_cast<std::size_t>(spaces), ' ') + text.substr(at, end - at);
        at = end;
    }
    return out;
}

std::string claim(const std::string& name) {
    return "# The journal: what is done and what is open. It outlives every pod. ReadWriteOnce keeps pods of other nodes away "
           "from\n"
           "# it, and the journal's own lock those of the same node. No network file system: locks cannot be trusted there.\n"
           "apiVersion: v1\n"
           "kind: PersistentVolumeClaim\n"
           "metadata:\n"
           "  name: " +
           name +
           "-state\n"
           "spec:\n"
           "  accessModes: [ReadWriteOnce]\n"
           "  resources:\n"
           "    requests:\n"
           "      storage: 1Gi\n";
}

std::string secret_lines(const JobSpec& job, const std::string& name) {
    const std::vector<std::string> variables = secret_variables(job);
    std::string text = variables.empty() ? "" : "    env:\n";
    for (const std::string& variable : variables) {
        text += "      - name: " + yaml_quoted(variable) +
                "\n        valueFrom:\n          secretKeyRef:\n            name: " + name +
                "\n            key: " + yaml_quoted(variable) + "\n";
    }
    return text;
}

/// spec of the pod, for both kinds.
std::string pod(const JobSpec& job, const std::string& name, const std::string& image, const std::string& command,
                const std::string& state_directory) {
    const StopBudget budget = stop_budget(job);
    return patience_comment(budget, "# ", "the kubelet", "30") +
           "terminationGracePeriodSeconds: " + std::to_string(budget.seconds) +
           "\n"
           "containers:\n"
           "  - name: " +
           name + "\n    image: " + yaml_quoted(image) +
           "\n"
           "    # No shell in front: lockstep is to be the process that gets the SIGTERM.\n"
           "    command: " +
           command + "\n" + secret_lines(job, name) +
           "    volumeMounts:\n"
           "      - name: state\n"
           "        mountPath: " +
           yaml_quoted(state_directory) +
           "\n"
           "volumes:\n"
           "  - name: state\n"
           "    persistentVolumeClaim:\n"
           "      claimName: " +
           name + "-state\n";
}

std::string deployment(const std::string& name, const std::string& pod_spec) {
    return "# Passes until it is stopped.\n"
           "apiVersion: apps/v1\n"
           "kind: Deployment\n"
           "metadata:\n"
           "  name: " +
           name +
           "\n"
           "spec:\n"
           "  # One at a time: the old pod has ended before the new one is made. A second one would only wait for the lock.\n"
           "  replicas: 1\n"
           "  strategy:\n"
           "    type: Recreate\n"
           "  selector:\n"
           "    matchLabels:\n"
           "      app: " +
           name +
           "\n"
           "  template:\n"
           "    metadata:\n"
           "      labels:\n"
           "        app: " +
           name + "\n    spec:\n" + indented(pod_spec, 6);
}

std::string cron_job(const std::string& name, const std::string& schedule, const std::string& pod_spec) {
    return "apiVersion: batch/v1\n"
           "kind: CronJob\n"
           "metadata:\n"
           "  name: " +
           name + "\nspec:\n  schedule: " + yaml_quoted(schedule) +
           "\n"
           "  # No second run while one is at work.\n"
           "  concurrencyPolicy: Forbid\n"
           "  jobTemplate:\n"
           "    spec:\n"
           "      # What failed is tried again at the next time, which begins with what this one left open.\n"
           "      backoffLimit: 0\n"
           "      template:\n"
           "        spec:\n"
           "          restartPolicy: Never\n" +
           indented(pod_spec, 10);
}

}  // namespace

Result<std::vector<EntryFile>> kubernetes_entry(const JobSpec& job, const EntryRequest& request) {
    auto words = command_words(request);
    if (!words) return std::unexpected(words.error());
    if (std::ranges::find(*words, "--state-dir") == words->end())
        words->insert(words->end(), {"--state-dir", "/var/lib/lockstep"});
    const std::string state_directory = *(std::ranges::find(*words, "--state-dir") + 1);
    if (state_directory.contains(':'))
        return fail(Failure::usage, "--state-dir: Kubernetes mounts no volume at a path with a colon");
    // Nobody can be asked from inside a container.
    words->insert(words->end(), {"--stop-timeout", std::to_string(stop_budget(job).seconds) + "s"});
    const auto schedule = cron_schedule(job, request.schedule, CronDialect::kubernetes);
    if (!schedule) return std::unexpected(schedule.error());
    const std::string name = object_name(job.name);
    const std::string pod_spec = pod(job, name, request.image, for_yaml(*words), state_directory);
    const std::string text = "# " + name + ".yaml, as lockstep setup kubernetes wrote it. Then: kubectl apply -f " + name +
                             ".yaml\n"
                             "# The image holds lockstep and the job file's directory, at the paths that `command` names.\n" +
                             claim(name) + "---\n" +
                             (request.every ? deployment(name, pod_spec) : cron_job(name, *schedule, pod_spec));
    return std::vector<EntryFile>{{name + ".yaml", text}};
}

}  // namespace lockstep
