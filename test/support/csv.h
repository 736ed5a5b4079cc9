#pragma once

#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace makespan::test {

/// The fields of one line; quotes may hold commas, and a doubled quote is a quote.
inline std::vector<std::string> csv_fields(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"') {
      if (quoted && i + 1 < line.size() && line[i + 1] == '"') {
        fields.back() += line[++i];
      } else {
        quoted = !quoted;
      }
    } else if (line[i] == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += line[i];
    }
  }
  return fields;
}

/// The rows below the header, by column name; empty when there is no such file. Lines that start with # are
/// comments.
inline std::vector<std::map<std::string, std::string>> read_csv(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::vector<std::map<std::string, std::string>> rows;
  do {
    if (!std::getline(file, line)) {
      return rows;
    }
  } while (line.starts_with('#'));
  const std::vector<std::string> names = csv_fields(line);
  while (std::getline(file, line)) {
    const std::vector<std::string> fields = csv_fields(line);
    for (std::size_t i = 0; i < names.size() && i < fields.size(); ++i) {
      if (i == 0) {
        rows.emplace_back();
      }
      rows.back()[names[i]] = fields[i];
    }
  }
  return rows;
}

}  // namespace makespan::test
