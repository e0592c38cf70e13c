#include <algorithm>

#include "base/text.hpp"
#include "step/action_end.hpp"
#include "step/command_run.hpp"
#include "sys/stop_signals.hpp"

namespace lockstep {

namespace {

/// Of a text that is redacted already.
std::string detail_of(std::string_view text) {
    constexpr std::size_t kLongestDetail = 160;
    return printable(text, kLongestDetail);
}

/// The last line of its stderr, redacted before it is cut out: a secret may have lines of its own.
std::string last_line(const CommandEnd& command, const SecretKeeper& keeper) {
    std::string text = keeper.redact(command.err);
    // Where the beginning was not kept, what is there first may be the end of a secret.
    if (command.err_was_longer) text.erase(0, keeper.longest_form());
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    return text.substr(text.rfind('\n') + 1);
}

ActionEnd without_answer(Verdict verdict, std::string text) {
    ActionEnd end;
    end.meaning.verdict = verdict;
    end.text = std::move(text);
    return end;
}

/// What could not even be prepared. It is no refusal: nobody but us has said no, and an earlier attempt may have taken effect.
ActionEnd nothing_done(const Error& error) { return without_answer(Verdict::not_applied, error.text); }

std::optional<Millis> retry_after_of(const HttpResponse& response) {
    const std::string* value = response.header("Retry-After");
    if (value == nullptr) return std::nullopt;
    return parse_retry_after(*value, response.header("Date"), wall_now_ms());
}

ActionEnd of_response(HttpResponse&& response, const SecretKeeper& keeper) {
    ActionEnd end;
    end.answered = true;
    end.text = describe_status(response.status);
    const bool success = is_2xx(response.status);
    if (!success) end.detail = detail_of(keeper.redact(response.body));
    end.retry_after = retry_after_of(response);
    end.answer.status_code = response.status;
    end.answer.headers = std::move(response.headers);
    end.answer.body = std::move(response.body);
    return end;
}

ActionEnd of_failure(const HttpFailure& failure) {
    ActionEnd end;
    end.meaning = meaning_of_failure(failure);
    end.text = failure.text;
    end.not_connected = failure.kind == HttpFailure::Kind::not_sent;
    end.was_cut = failure.kind == HttpFailure::Kind::cut;
    return end;
}

ActionEnd run_http(const Json& http, const SecretKeeper& keeper, const ActionLimits& limits, Workbench& bench) {
    const auto request = prepare_http(http, keeper.scope());
    if (!request) return nothing_done(request.error());
    if (bench.http == nullptr) {
        auto client = HttpClient::create();
        if (!client) return without_answer(Verdict::not_applied, client.error().text);
        bench.http = std::make_unique<HttpClient>(std::move(*client));
    }
    HttpExchange exchange = bench.http->exchange(*request, limits.timeout, limits.cut);
    ActionEnd end = exchange.answered ? of_response(std::move(exchange.response), keeper) : of_failure(exchange.failure);
    end.sent_twice = exchange.sent_twice;
    return end;
}

ActionEnd of_status(CommandEnd&& command, const SecretKeeper& keeper) {
    ActionEnd end;
    end.answered = true;
    if (command.status.signal != 0) {
        end.text = "killed by " + signal_name(command.status.signal);
    } else {
        end.text = "exit status " + std::to_string(command.status.exit_status);
        end.answer.exit_status = command.status.exit_status;
    }
    if (command.status.shell_status() != 0) end.detail = detail_of(last_line(command, keeper));
    end.answer.body = std::move(command.out);
    end.answer.body_was_longer = command.out_was_longer;
    return end;
}

ActionEnd run_command_action(const Json& json, const SecretKeeper& keeper, const ActionLimits& limits, Workbench& bench) {
    const auto command = prepare_command(json, keeper.scope());
    if (!command) return nothing_done(command.error());
    CommandLimits command_limits;
    command_limits.timeout = limits.timeout;
    command_limits.cut = limits.cut;
    command_limits.shield = bench.shields_commands();
    command_limits.pass_stdout = !limits.for_listing;
    if (limits.for_listing) command_limits.keep_stdout = kLargestBody;
    CommandEnd ended = run_command(*command, command_limits, *bench.commands);
    switch (ended.kind) {
        case CommandEnd::Kind::not_started: return without_answer(Verdict::not_applied, ended.text);
        case CommandEnd::Kind::timed_out:
            return without_answer(Verdict::in_doubt, "no end within " + format_duration(limits.timeout) + ", so it was ended");
        case CommandEnd::Kind::cut: {
            ActionEnd end = without_answer(Verdict::in_doubt, "cut off before its end");
            end.was_cut = true;
            return end;
        }
        case CommandEnd::Kind::ended: break;
    }
    if (limits.for_listing && ended.out_was_longer) {
        return without_answer(Verdict::in_doubt, "its output is larger than " + std::to_string(kLargestBody >> 20U) + " MiB");
    }
    return of_status(std::move(ended), keeper);
}

}  // namespace

ActionEnd run_action(const RenderedRequest& request, const SecretKeeper& keeper, const ActionLimits& limits, Workbench& bench) {
    if (const Json* http = request.json.find("http")) return run_http(*http, keeper, limits, bench);
    if (const Json* command = request.json.find("command")) return run_command_action(*command, keeper, limits, bench);
    return without_answer(Verdict::not_applied, "the request is neither http nor command; nothing was done");
}

}  // namespace lockstep
