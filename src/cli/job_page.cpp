// lockstep-job(5): the keys as the schema has them, and around them what a schema cannot say.

#include <fmt/format.h>

#include <algorithm>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/job_schema.hpp"
#include "cli/manual.hpp"
#include "cli/roff.hpp"

namespace lockstep {

namespace {

constexpr std::string_view kBeforeKeys = R"(## NAME
lockstep-job - job files of lockstep(1)
## SYNOPSIS
lockstep check JOB.json
## DESCRIPTION
A job file is JSON. It names a lock, where the items of a pass come from, and the steps that are carried out for each item. A
step is a pair of side effects, or a single one: once the first has taken effect the second follows, whatever comes between.

`lockstep check` says all that is wrong with a file at once, or what the job will do. Nothing is created, locked or sent before
the whole file has been found right. Relative paths are relative to the job file.

`lockstep init` writes a file to begin with. `lockstep schema` prints the JSON Schema by which an editor completes one: write it
to job.schema.json beside the file, and "$schema": "job.schema.json" into it.
## EXAMPLE
    {
      "lockstep": 1,
      "job": "ship-orders",
      "items": {"ndjson": "orders.ndjson", "key": "{$inputs.id}"},
      "secrets": {"token": {"env": "SHOP_TOKEN"}},
      "steps": [{
        "step": "pay",
        "first": {
          "http": {"method": "POST", "url": "https://shop.example/reservations",
                   "headers": {"Authorization": "Bearer {$secrets.token}"},
                   "body": {"order": "$inputs.id", "amount": "$inputs.amount"}},
          "idempotencyKey": {"retention": "24h"},
          "outputs": {"rid": "$response.body#/id"},
          "compensate": {
            "http": {"method": "DELETE",
                     "url": "https://shop.example/reservations/{$steps.pay.first.outputs.rid}"}
          }
        },
        "second": {
          "command": ["./capture.sh", "{$steps.pay.first.outputs.rid}"],
          "timeout": "20s",
          "refusedStatus": [3],
          "inDoubt": ["park"]
        }
      }]
    }

Each order is reserved by one call and captured by a command that is given the first one's answer. If the command says by its
status 3 that it never will, the reservation is deleted. If it was cut short, nobody knows what it did: a person decides.
)";

constexpr std::string_view kBehindKeys = R"(## EXPRESSIONS
A text of the file may hold values that are known only when it is used. A text that is one expression keeps the value's JSON type
("$inputs.qty" may be a number); inside a longer text an expression stands in braces and becomes text
("order {$inputs.id}"); $$ is a dollar sign. A value that is missing, or null where text is made of it, fails the item before
anything begins; where an earlier phase should have put it out, the phase that wants it is refused. Behind #, a JSON Pointer (RFC 6901) looks into the value.
- $inputs.NAME, $inputs.NAME#/POINTER: of the item
- $params.NAME: a parameter
- $secrets.NAME: a secret; in headers, and in the environment of commands
- $steps.STEP.first.outputs.NAME, $steps.STEP.second.outputs.NAME: what an earlier phase has put out; also with #/POINTER
- $idempotencyKey: the key of this phase, where it is not sent as a header
- $run.id, $run.date: the run, and the local date on which it began; of a loop, each pass has its own date. What a pair was begun with holds for all its phases and probes, whichever run goes on with it
- $statusCode, $response.header.NAME, $response.body, $response.body#/POINTER: of the answer of an http
- $exitStatus, $stdout, $stdout#/POINTER: of the end of a command; $stdout is without its last newline

In a URL {$...} is percent-encoded. In an argument of a command it is a part of that one argument; in the script behind a
shell's -c it is refused: hand it on as an argument, which the script knows as "$1".
## CONDITIONS
success, refused, notApplied, applied and absent are one condition each:
    $statusCode == 200 && ($response.body#/state == 'paid' || $response.body#/amount <= 0)

|| && ! ( ) == != < <= > >=, texts in single quotes, numbers, true, false and null. What is missing equals null and nothing else.
Values of different types are unequal, and cannot be compared by <. What cannot be proven does not hold.
## WHAT AN ANSWER MEANS
- done: the phase took effect: a 2xx, or exit status 0, or what success says
- not applied: it certainly did not, and is tried again (retry): nobody could be reached, nothing was sent; 421, 425, 429, and 503 under an idempotency key; a command that could not be started, or notAppliedStatus; notApplied
- refused: it certainly did not and never will: any other 4xx but 408; refusedStatus; refused
- in doubt: nobody knows: the time was up, the connection broke, 408, 5xx, a redirect, a 2xx that success does not accept, an output that is missing; any other end of a command

A first phase that is refused fails its item, which is tried again, under a new key, when it comes up again. Where the second is refused
for good, or maxPairAttempts is used up, the first is undone by its compensate; without one the pair is parked. Nothing is ever undone
while it is not known whether the second took effect.

Where the same request was sent before, 401, 403, 404, 405, 407 and 410 tell nothing of what became of that, and it stays in doubt; so does
409 under an idempotency key, and 422 says that the key was used for another request, and parks the pair.
## IN DOUBT
The list inDoubt is gone through in its order: at once as long as the deadline lasts, and after a crash by the next run, before anything
else.
- probe: ask: a GET, HEAD or command that changes nothing. applied: it took effect. absent, once settle is over: it did not, and is sent again. Anything else: the next policy; before the pair is parked, later passes ask again until parkAfter is over
- resend: the very same request is sent again, under its key while its retention lasts, or because the method or the author ("idempotent": true) says that a second time does no harm
- park: a person decides: lockstep status shows what is parked, lockstep resolve settles it, and what is still in doubt, too

Where nothing is said it is resend, then park; a command, a POST and a PATCH without a key must say it.
## WHEN SOMETHING IS DONE AGAIN
An item is known by the job's name and its key, in each step: what is done is not done again by later runs, whatever the file says by
then. A parameter that a step uses must be a part of the key, else two different runs would be taken for one. A job without items has
the key "key", or none: then each pass is a new item.

An idempotency key is made of the job's name, the item's key, the step, the phase and a number that rises after a refusal, so that it is
the same on every rerun. A pair that was begun is finished as the file said when it began; what is
parked goes on as it says now with `lockstep resolve --redefine`.

A pair that fails is tried in three passes as they come, then after 30 s, 1 min, 2 min ... 1 h, in maxPairAttempts passes at most.
## STOPPING
A stop request begins nothing new. A pair that is in hand is finished, and with "section": "item" all steps of its item; this may take
stop.grace, by default the longest pair. Then "atDeadline": "finish" goes on to the end of the pair all the same, "cut" ends what is in
hand, journalled in doubt. A supervisor must wait longer than the longest pair: lockstep check tells how long.
## ENVIRONMENT OF COMMANDS
- LOCKSTEP_ITEM_KEY, LOCKSTEP_IDEMPOTENCY_KEY: the item's key, and the key of this phase
- LOCKSTEP_RUN_ID: the ids of the runs that the command is part of
## SEE ALSO
lockstep(1)
)";

struct ObjectOfFile {
    const char* definition;
    const char* title;
    const char* text;  ///< nullptr: the definition's own
};

/// Objects that have keys of their own, in the order in which a reader meets them. What is not named here is like one of them,
/// or is a value.
constexpr ObjectOfFile kObjects[] = {
    {"items", "items", nullptr},
    {"step", "a step", nullptr},
    {"first", "first, second, compensate",
     "One side effect each: an http or a command. second follows once first is done; compensate, which stands in first and has "
     "no "
     "outputs, undoes it where the second was refused for good."},
    {"http", "http",
     "A request, with one of body, form, multipart and bodyFile at most. An itemsHttp is a GET, a probeHttp a GET or HEAD."},
    {"multipartPart", "a part of multipart", nullptr},
    {"commandObject", "command", "Where it is more than an array of arguments."},
    {"idempotencyKey", "idempotencyKey", nullptr},
    {"retry", "retry", nullptr},
    {"probe", "probe", nullptr},
    {"secret", "a secret", nullptr},
    {"notice", "onFailure, onParked, onRecovered, heartbeat", nullptr},
    {"stop", "stop", nullptr},
};

class KeysOfSchema {
  public:
    explicit KeysOfSchema(const Json& schema) : schema_(schema), definitions_(*schema.find("definitions")) {}

    std::string text() const {
        std::string text = ".SH KEYS\nEvery object but those inside a body may have a \\fB$comment\\fR.\n" +
                           object("the file", description(schema_), schema_);
        for (const ObjectOfFile& one : kObjects) {
            const Json& definition = *definitions_.find(one.definition);
            text += object(one.title, one.text != nullptr ? one.text : description(definition), definition);
        }
        return text + ".SH VALUES\n" + values();
    }

  private:
    std::string object(const std::string& title, const std::string& told, const Json& definition) const {
        std::string text = ".SS " + roff_text(title) + "\n" + roff_text(told) + "\n";
        for (const JsonMember& key : definition.find("properties")->members) {
            if (key.key != "$comment") text += entry(key.key, key.value, is_required(definition, key.key));
        }
        return text;
    }

    /// Those that a key's type names, and that have no keys of their own.
    std::string values() const {
        std::string text;
        for (const JsonMember& one : definitions_.members) {
            if (one.value.find("properties") != nullptr || one.key == "comment") continue;
            const std::string told = description(one.value);
            text += ".TP\n\\fI" + roff_text(one.key) + "\\fR\n" + roff_text(told + words(one.value, told)) + "\n";
        }
        return text;
    }

    std::string entry(const std::string& key, const Json& node, bool required) const {
        std::string text = ".TP\n\\fB" + roff_text(key) + "\\fR: " + type(node) + (required ? ", required" : "");
        if (const Json* fallback = node.find("default")) text += ", by default " + roff_text(to_plain_text(*fallback));
        const std::string told = description(node);
        return text + "\n" + (told.empty() ? roff_text(description(*definitions_.find(reference(node)))) : roff_text(told)) +
               "\n";
    }

    /// The definition's name, or what JSON calls it.
    std::string type(const Json& node) const {
        if (const std::string name = reference(node); !name.empty()) return "\\fI" + roff_text(name) + "\\fR";
        if (const Json* elements = node.find("items")) return "array of " + type(*elements);
        if (const Json* members = node.find("additionalProperties"); members != nullptr && members->is_object())
            return "object of " + type(*members);
        if (const Json* constant = node.find("const")) return roff_text(to_plain_text(*constant));
        const Json* type = node.find("type");
        if (type == nullptr) return "any JSON";
        if (!type->is_array()) return range(node, type->text);
        std::vector<std::string> either;
        for (const Json& one : type->elements) either.push_back(one.text);
        return joined(either, " or ");
    }

    static std::string range(const Json& node, const std::string& type) {
        const Json* least = node.find("minimum");
        const Json* most = node.find("maximum");
        return least != nullptr && most != nullptr ? fmt::format("{} from {} to {}", type, least->text, most->text) : type;
    }

    /// Those that can stand there, where the text does not tell them.
    static std::string words(const Json& definition, std::string_view told) {
        const Json* all = definition.find("enum");
        std::vector<std::string> words;
        bool all_told = true;
        for (const Json& word : all != nullptr ? all->elements : std::vector<Json>()) {
            words.push_back(word.text);
            all_told = all_told && told.find(word.text + ":") != std::string_view::npos;
        }
        return all_told ? "" : " One of: " + joined(words) + ".";
    }

    static std::string description(const Json& node) {
        const Json* text = node.find("description");
        return text != nullptr ? text->text : "";
    }

    static bool is_required(const Json& definition, std::string_view key) {
        const Json* required = definition.find("required");
        return required != nullptr && std::ranges::any_of(required->elements, [&](const Json& one) { return one.text == key; });
    }

    /// Of `{"$ref": "#/definitions/NAME"}`, or of one inside `allOf`; else "".
    static std::string reference(const Json& node) {
        constexpr std::string_view kPlace = "#/definitions/";
        const Json* inside = node.find("allOf");
        const Json* ref = inside != nullptr ? inside->elements.front().find("$ref") : node.find("$ref");
        return ref != nullptr ? ref->text.substr(kPlace.size()) : "";
    }

    const Json& schema_;
    const Json& definitions_;
};

}  // namespace

std::string job_page(const std::string& version) {
    const auto schema = parse_json(job_schema());
    return fmt::format(".TH LOCKSTEP\\-JOB 5 \"\" \"lockstep {}\" \"File Formats\"\n.nh\n", version) + roff_page(kBeforeKeys) +
           (schema ? KeysOfSchema(*schema).text() : "") + roff_page(kBehindKeys);
}

}  // namespace lockstep
