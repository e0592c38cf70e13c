#include "job/starting_job.hpp"

#include "base/text.hpp"

namespace lockstep {

namespace {

// NAME stands for the job's name.

constexpr std::string_view kCommand = R"({
  "$comment": ["One command under a lock. Try it: lockstep run NAME.json",
               "It ends by itself or by its timeout; a stop request waits for it. What it prints goes through unchanged."],
  "lockstep": 1,
  "job": "NAME",
  "lock": "/tmp/NAME.lock",
  "steps": [
    {
      "step": "work",
      "first": {
        "$comment": ["argv, without a shell; ./work.sh would lie beside this file. Exit status 0: done.",
                     "inDoubt: what to do if it was cut short (kill -9, a power cut) and nobody knows how far it came.",
                     "park: tell a person (lockstep status, lockstep resolve). With \"idempotent\": true, when a second",
                     "time does no harm, write [\"resend\", \"park\"]: it is then simply run again."],
        "command": ["echo", "work"],
        "timeout": "10m",
        "inDoubt": ["park"]
      }
    }
  ]
}
)";

constexpr std::string_view kLoop = R"({
  "$comment": ["Passes until it is stopped, 10 s apart: lockstep loop NAME.json",
               "For supervisord, systemd or a container; the entry for them: lockstep setup supervisord NAME.json"],
  "lockstep": 1,
  "job": "NAME",
  "lock": "/tmp/NAME.lock",
  "every": "10s",
  "steps": [
    {
      "$comment": "A pair: once first is done second follows, whatever comes between: a stop waits, a crash is picked up.",
      "step": "both",
      "first": {
        "$comment": ["idempotent: a second time does no harm, so after a crash it is run again (resend).",
                     "Leave it out and write [\"park\"] if that is not so."],
        "command": ["echo", "first"],
        "timeout": "30s",
        "idempotent": true,
        "inDoubt": ["resend", "park"]
      },
      "second": {
        "command": ["echo", "second"],
        "timeout": "30s",
        "idempotent": true,
        "inDoubt": ["resend", "park"]
      }
    }
  ]
}
)";

constexpr std::string_view kPair = R"({
  "$comment": ["Two API calls that belong together. Look at them first: lockstep run NAME.json --dry-run",
               "A key of its own for each day makes the day's second run find everything done. Without \"key\" each run is new."],
  "lockstep": 1,
  "job": "NAME",
  "lock": "/tmp/NAME.lock",
  "key": "$run.date",
  "secrets": {"$comment": "Never the secret itself: where it is. \"env\" or \"file\".", "token": {"env": "API_TOKEN"}},
  "steps": [
    {
      "step": "both",
      "first": {
        "http": {
          "method": "POST",
          "url": "http://127.0.0.1:8080/orders",
          "headers": {"Authorization": "Bearer {$secrets.token}"},
          "body": {"day": "$run.date"}
        },
        "$comment": ["idempotencyKey: the API does nothing twice under one key, so a call whose answer was lost may be sent",
                     "again, for as long as the API remembers (retention). Without one: \"inDoubt\": [\"park\"], or a probe.",
                     "timeout: one attempt. deadline: all of them together, with pauses and probes."],
        "idempotencyKey": {"header": "Idempotency-Key", "retention": "24h"},
        "success": "$statusCode == 200 || $statusCode == 201",
        "outputs": {"id": "$response.body#/id"},
        "timeout": "5s",
        "deadline": "20s"
      },
      "second": {
        "$comment": "Uses the first one's answer. If it is refused for good, \"compensate\" in first could undo that.",
        "http": {
          "method": "PUT",
          "url": "http://127.0.0.1:8080/orders/{$steps.both.first.outputs.id}",
          "headers": {"Authorization": "Bearer {$secrets.token}"},
          "body": {"done": true}
        },
        "timeout": "5s",
        "deadline": "20s"
      }
    }
  ]
}
)";

constexpr std::string_view kBatch = R"({
  "$comment": ["Two API calls for each line of NAME.ndjson, two items at a time. Look first: lockstep run NAME.json --dry-run",
               "What is done is remembered by its key: the next run skips it, whatever else has been added to the file."],
  "lockstep": 1,
  "job": "NAME",
  "lock": "/tmp/NAME.lock",
  "items": {
    "$comment": "One JSON object a line. Also: \"csv\", a \"command\" that prints such lines, or \"http\" page by page.",
    "ndjson": "NAME.ndjson",
    "key": "$inputs.id"
  },
  "maxConcurrency": 2,
  "toleratedFailureCount": 10,
  "steps": [
    {
      "step": "both",
      "first": {
        "$comment": ["If the answer is lost the probe asks the API whether the call took effect; else it is sent again under",
                     "the same key, and if that settles nothing a person decides (lockstep status, lockstep resolve)."],
        "http": {"method": "POST", "url": "http://127.0.0.1:8080/orders", "body": {"order": "$inputs.id"}},
        "idempotencyKey": {"header": "Idempotency-Key", "retention": "24h"},
        "success": "$statusCode == 200 || $statusCode == 201",
        "outputs": {"id": "$response.body#/id"},
        "timeout": "5s",
        "deadline": "20s",
        "inDoubt": ["probe", "resend", "park"],
        "probe": {
          "http": {"method": "GET", "url": "http://127.0.0.1:8080/orders", "query": {"order": "$inputs.id"}},
          "applied": "$response.body#/0/id != null",
          "outputs": {"id": "$response.body#/0/id"}
        },
        "compensate": {
          "$comment": "Undoes the first call where the second is refused for good.",
          "http": {"method": "DELETE", "url": "http://127.0.0.1:8080/orders/{$steps.both.first.outputs.id}"},
          "success": "$statusCode == 204 || $statusCode == 404",
          "deadline": "20s"
        }
      },
      "second": {
        "http": {"method": "PUT", "url": "http://127.0.0.1:8080/orders/{$steps.both.first.outputs.id}", "body": {"paid": true}},
        "refused": "$statusCode == 402",
        "timeout": "5s",
        "deadline": "20s"
      }
    }
  ]
}
)";

std::string named(std::string_view text, const std::string& job) { return replaced(std::string(text), "NAME", job); }

}  // namespace

std::vector<StartingFile> starting_job(std::string_view kind, const std::string& job) {
    const std::string file = job + ".json";
    if (kind == "pair") return {{file, named(kPair, job)}};
    if (kind == "loop") return {{file, named(kLoop, job)}};
    if (kind == "command") return {{file, named(kCommand, job)}};
    return {{file, named(kBatch, job)}, {job + ".ndjson", "{\"id\": \"a1\"}\n{\"id\": \"a2\"}\n"}};
}

}  // namespace lockstep
