#pragma once
// The keys of every object of a job file and the words of every enumeration: one table, which the reader obeys (asking for a
// key that is not in it is a bug of ours) and which a test holds against jobs/job.schema.json, in both directions.

#include <array>
#include <span>
#include <string_view>

namespace lockstep {

struct KeySpec {
    std::string_view name;
    bool required = false;
};

struct ObjectShape {
    std::string_view name;  ///< of its definition in the schema
    std::span<const KeySpec> keys;
};

struct EnumShape {
    std::string_view name;
    std::span<const std::string_view> words;
    std::string_view wrong = "is not possible here";  ///< what is said of any other word
};

namespace keys {

inline constexpr bool kRequired = true;

/// For people only: a text, or an array of texts, in every object of the format but those inside a "body".
inline constexpr std::string_view kComment = "$comment";

inline constexpr KeySpec kJob[] = {{"$schema"},
                                   {"lockstep", kRequired},
                                   {"job", kRequired},
                                   {"lock"},
                                   {"every"},
                                   {"expectEvery"},
                                   {"stop"},
                                   {"params"},
                                   {"items"},
                                   {"key"},
                                   {"maxConcurrency"},
                                   {"toleratedFailureCount"},
                                   {"maxPairAttempts"},
                                   {"parkAfter"},
                                   {"keepHistory"},
                                   {"forgetItems"},
                                   {"section"},
                                   {"shield"},
                                   {"secrets"},
                                   {"onFailure"},
                                   {"onParked"},
                                   {"onRecovered"},
                                   {"heartbeat"},
                                   {"steps", kRequired}};
inline constexpr KeySpec kStop[] = {{"grace"}, {"atDeadline"}};
inline constexpr KeySpec kItems[] = {{"ndjson"}, {"csv"},  {"command"}, {"http"},
                                     {"select"}, {"next"}, {"timeout"}, {"key", kRequired}};
inline constexpr KeySpec kSecret[] = {{"env"}, {"file"}};
inline constexpr KeySpec kStep[] = {{"step", kRequired}, {"first", kRequired}, {"second"}};

inline constexpr KeySpec kFirst[] = {{"http"},      {"command"},    {"idempotencyKey"}, {"idempotent"},       {"success"},
                                     {"refused"},   {"notApplied"}, {"refusedStatus"},  {"notAppliedStatus"}, {"outputs"},
                                     {"timeout"},   {"deadline"},   {"retry"},          {"inDoubt"},          {"probe"},
                                     {"compensate"}};
inline constexpr KeySpec kSecond[] = {{"http"},    {"command"},    {"idempotencyKey"}, {"idempotent"},       {"success"},
                                      {"refused"}, {"notApplied"}, {"refusedStatus"},  {"notAppliedStatus"}, {"outputs"},
                                      {"timeout"}, {"deadline"},   {"retry"},          {"inDoubt"},          {"probe"}};
// Nothing can refer to the outputs of a compensation, so it has none.
inline constexpr KeySpec kCompensate[] = {
    {"http"},          {"command"},          {"idempotencyKey"}, {"idempotent"}, {"success"}, {"refused"}, {"notApplied"},
    {"refusedStatus"}, {"notAppliedStatus"}, {"timeout"},        {"deadline"},   {"retry"},   {"inDoubt"}, {"probe"}};

inline constexpr KeySpec kHttp[] = {{"method", kRequired}, {"url", kRequired}, {"query"}, {"headers"}, {"body"}, {"form"},
                                    {"multipart"},         {"bodyFile"},       {"proxy"}};
inline constexpr KeySpec kMultipart[] = {{"name", kRequired}, {"value"}, {"file"}, {"contentType"}};
inline constexpr KeySpec kCommand[] = {{"argv", kRequired}, {"env"}, {"cwd"}, {"stdin"}, {"outputs"}};
inline constexpr KeySpec kIdempotencyKey[] = {{"header"}, {"retention"}};
inline constexpr KeySpec kRetry[] = {{"maxAttempts"}, {"initialInterval"}, {"backoffRate"}, {"maxInterval"}, {"jitter"}};
inline constexpr KeySpec kProbe[] = {{"http"},    {"command"}, {"applied", kRequired}, {"absent"}, {"outputs"},
                                     {"timeout"}, {"settle"}};

inline constexpr KeySpec kNotice[] = {{"http"}, {"command"}, {"timeout"}};

inline constexpr std::string_view kMethodWords[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"};
inline constexpr std::string_view kProbeMethodWords[] = {"GET", "HEAD"};
inline constexpr std::string_view kItemsMethodWords[] = {"GET"};
inline constexpr std::string_view kInDoubtWords[] = {"probe", "resend", "park"};
inline constexpr std::string_view kJitterWords[] = {"full", "none"};
inline constexpr std::string_view kAtDeadlineWords[] = {"finish", "cut"};
inline constexpr std::string_view kSectionWords[] = {"step", "item"};

inline constexpr int kMostPairAttempts = 1000;

}  // namespace keys

namespace shapes {

inline constexpr ObjectShape kJob{"job", keys::kJob};
inline constexpr ObjectShape kStop{"stop", keys::kStop};
inline constexpr ObjectShape kItems{"items", keys::kItems};
inline constexpr ObjectShape kSecret{"secret", keys::kSecret};
inline constexpr ObjectShape kStep{"step", keys::kStep};
inline constexpr ObjectShape kFirst{"first", keys::kFirst};
inline constexpr ObjectShape kSecond{"second", keys::kSecond};
inline constexpr ObjectShape kCompensate{"compensate", keys::kCompensate};
inline constexpr ObjectShape kHttp{"http", keys::kHttp};
inline constexpr ObjectShape kMultipart{"multipartPart", keys::kMultipart};
inline constexpr ObjectShape kCommand{"commandObject", keys::kCommand};
inline constexpr ObjectShape kIdempotencyKey{"idempotencyKey", keys::kIdempotencyKey};
inline constexpr ObjectShape kRetry{"retry", keys::kRetry};
inline constexpr ObjectShape kProbe{"probe", keys::kProbe};
inline constexpr ObjectShape kNotice{"notice", keys::kNotice};

inline constexpr std::array<const ObjectShape*, 15> kAll = {&kJob,     &kStop,           &kItems,      &kSecret, &kStep,
                                                            &kFirst,   &kSecond,         &kCompensate, &kHttp,   &kMultipart,
                                                            &kCommand, &kIdempotencyKey, &kRetry,      &kProbe,  &kNotice};

inline constexpr EnumShape kMethod{"method", keys::kMethodWords, "is not an HTTP method"};
inline constexpr EnumShape kProbeMethod{"probeMethod", keys::kProbeMethodWords};
inline constexpr EnumShape kItemsMethod{"itemsMethod", keys::kItemsMethodWords};
inline constexpr EnumShape kInDoubt{"inDoubtPolicy", keys::kInDoubtWords};
inline constexpr EnumShape kJitter{"jitter", keys::kJitterWords};
inline constexpr EnumShape kAtDeadline{"atDeadline", keys::kAtDeadlineWords};
inline constexpr EnumShape kSection{"section", keys::kSectionWords};

inline constexpr std::array<const EnumShape*, 7> kAllEnums = {&kMethod, &kProbeMethod, &kItemsMethod, &kInDoubt,
                                                              &kJitter, &kAtDeadline,  &kSection};

}  // namespace shapes

}  // namespace lockstep
