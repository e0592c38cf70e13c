// jobs/job.schema.json against the reader's own tables of keys and words, in both directions. That the schema accepts and
// refuses the same files as the reader is in schema_test.py.

#include <set>

#include "job/keys.hpp"
#include "unit/job/job_support.hpp"

using namespace lockstep;
using namespace lockstep::test;

namespace {

const Json& schema() {
    static const Json kSchema = parse_json(contents(std::filesystem::path(SOURCE_DIR) / "jobs/job.schema.json")).value();
    return kSchema;
}

using Names = std::set<std::string, std::less<>>;

Names member_names(const Json* object) {
    Names names;
    if (object == nullptr) return names;
    for (const JsonMember& member : object->members) names.insert(member.key);
    return names;
}

Names texts(const Json* array) {
    Names names;
    if (array == nullptr) return names;
    for (const Json& element : array->elements) names.insert(element.text);
    return names;
}

/// The schema's definitions that an object of the reader stands for: the three kinds of request share their keys.
std::vector<const Json*> definitions_of(std::string_view shape) {
    if (shape == "job") return {&schema()};
    const Json& definitions = *schema().find("definitions");
    if (shape == "http") return {definitions.find("http"), definitions.find("probeHttp"), definitions.find("itemsHttp")};
    return {definitions.find(shape)};
}

}  // namespace

TEST_CASE("every object of the reader has the same keys in the schema, the same of them required, and no others", "[schema]") {
    for (const ObjectShape* shape : shapes::kAll) {
        Names all = {std::string(keys::kComment)};
        Names required;
        for (const KeySpec& key : shape->keys) {
            all.emplace(key.name);
            if (key.required) required.emplace(key.name);
        }
        for (const Json* definition : definitions_of(shape->name)) {
            INFO(shape->name);
            REQUIRE(definition != nullptr);
            CHECK(member_names(definition->find("properties")) == all);
            CHECK(texts(definition->find("required")) == required);
            const Json* additional = definition->find("additionalProperties");
            REQUIRE(additional != nullptr);
            CHECK(to_text(*additional) == "false");
        }
    }
}

TEST_CASE("every object of the schema is one of the reader's", "[schema]") {
    Names known = {"probeHttp", "itemsHttp"};
    for (const ObjectShape* shape : shapes::kAll) known.emplace(shape->name);
    for (const JsonMember& definition : schema().find("definitions")->members) {
        if (definition.value.find("properties") == nullptr) continue;
        INFO(definition.key);
        CHECK(known.contains(definition.key));
    }
}

TEST_CASE("every enumeration of the reader has the same words in the schema, and the other way round", "[schema]") {
    Names known;
    for (const EnumShape* words : shapes::kAllEnums) {
        INFO(words->name);
        known.emplace(words->name);
        const Json* definition = schema().find("definitions")->find(words->name);
        REQUIRE(definition != nullptr);
        CHECK(texts(definition->find("enum")) == Names(words->words.begin(), words->words.end()));
    }
    for (const JsonMember& definition : schema().find("definitions")->members) {
        if (definition.value.find("enum") == nullptr) continue;
        INFO(definition.key);
        CHECK(known.contains(definition.key));
    }
}

TEST_CASE("every reference inside the schema leads somewhere, and every definition is used", "[schema]") {
    Names used;
    const auto visit = [&](const Json& value, const auto& self) -> void {
        for (const Json& element : value.elements) self(element, self);
        for (const JsonMember& member : value.members) {
            if (member.key == "$ref") used.insert(member.value.text.substr(std::string("#/definitions/").size()));
            self(member.value, self);
        }
    };
    visit(schema(), visit);
    CHECK(used == member_names(schema().find("definitions")));
}
