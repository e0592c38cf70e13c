#include "sqlite_file.hpp"

#include <sqlite3.h>

#include <catch2/catch.hpp>

#include "journal/sqlite_journal.hpp"

namespace lockstep::test {

std::unique_ptr<Journal> open_in(const std::string& directory) {
    auto journal = open_sqlite_journal({directory, "ship"});
    INFO((journal ? "" : journal.error().text));
    REQUIRE(journal);
    return std::move(*journal);
}

std::string query(const std::string& path, const char* sql) {
    sqlite3* db = nullptr;
    REQUIRE(::sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    std::string rows;
    ::sqlite3_exec(
        db, sql,
        [](void* out, int columns, char** values, char**) {
            for (int i = 0; i < columns; ++i)
                static_cast<std::string*>(out)->append(values[i]).append(i + 1 < columns ? "|" : "\n");
            return 0;
        },
        &rows, nullptr);
    ::sqlite3_close(db);
    return rows;
}

}  // namespace lockstep::test
