#include "tools/compare_causes.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "scenarios/account.h"
#include "tools/report_writer.h"

namespace makespan {

namespace {

using nlohmann::ordered_json;

std::string what_if_words(const WhatIf& entry) {
  switch (entry.cause) {
    case Cause::compute_slowdown:
      return "no compute slow-down";
    case Cause::contention:
      return "no contention";
    case Cause::latency:
      return "no latency";
    case Cause::bandwidth:
      return fmt::format("{} bandwidth unlimited", to_string(entry.group));
    case Cause::communication:
      return "all communication free";
    case Cause::bubble:
      break;
  }
  return "bubble-free bound";
}

/// "exposed_tp" as "tp, as alone".
std::string account_words(const std::string& cause) {
  const auto rest = [&](std::string_view prefix) { return cause.substr(prefix.size()); };
  if (cause.starts_with("exposed_")) {
    return fmt::format("exposed {}, as alone", rest("exposed_"));
  }
  if (cause.starts_with("contention_")) {
    return fmt::format("exposed {}, contention", rest("contention_"));
  }
  if (cause.starts_with("bubble_")) {
    std::string words = "bubble: " + rest("bubble_");
    std::replace(words.begin(), words.end(), '_', '-');
    return words;
  }
  return cause == "compute_slowdown" ? "compute slow-down" : cause;
}

std::string signed_text(Time difference) {
  return (difference > Time(0) ? "+" : "") + time_text(seconds(difference));
}

/// The rows that ran, each with its account.
struct Accounted {
  const CompareRow* row;
  std::vector<AccountItem> items;
};

std::vector<Accounted> accounts(const std::vector<CompareRow>& rows) {
  std::vector<Accounted> result;
  for (const CompareRow& row : rows) {
    if (row.report) {
      result.push_back({&row, account(*row.report)});
    }
  }
  return result;
}

}  // namespace

std::string what_if_key(const WhatIf& entry) {
  switch (entry.cause) {
    case Cause::compute_slowdown:
      return "compute_slowdown";
    case Cause::contention:
      return "contention";
    case Cause::latency:
      return "latency";
    case Cause::bandwidth:
      return fmt::format("bandwidth_{}", to_string(entry.group));
    case Cause::communication:
      return "communication";
    case Cause::bubble:
      break;
  }
  return "bubble";
}

Table what_if_table(const CompareRow& row, bool names_row) {
  const Time whole = row.report->iteration_time;
  Table table{{names_row ? row.name + ": what if" : "what if", "iteration", "saves", "share"},
              {{"as it is", time_text(seconds(whole)), "", ""}}};
  for (const WhatIf& entry : row.what_if) {
    const double saved = seconds(whole - entry.iteration_time);
    table.rows.push_back({what_if_words(entry), time_text(seconds(entry.iteration_time)), time_text(saved),
                          share_text(saved, seconds(whole))});
  }
  return table;
}

ordered_json what_if_json(const CompareRow& row) {
  const Time whole = row.report->iteration_time;
  ordered_json list = ordered_json::array();
  for (const WhatIf& entry : row.what_if) {
    const Time saved = whole - entry.iteration_time;
    list.push_back({{"cause", what_if_key(entry)},
                    {"simulated", entry.cause != Cause::bubble},
                    {"iteration_time_s", seconds(entry.iteration_time)},
                    {"iteration_time_ps", entry.iteration_time.count()},
                    {"saved_s", seconds(saved)},
                    {"saved_ps", saved.count()},
                    {"share", whole > Time(0) ? seconds(saved) / seconds(whole) : 0.0}});
  }
  return list;
}

Table difference_table(const std::vector<CompareRow>& rows) {
  const std::vector<Accounted> all = accounts(rows);
  if (all.size() < 2) {
    return {};
  }
  const Accounted& first = all.front();
  Table table{{"mean over ranks", first.row->name}, {}};
  for (std::size_t i = 1; i < all.size(); ++i) {
    table.header.insert(table.header.end(), {all[i].row->name, "difference"});
  }
  const auto add_row = [&](const std::string& words, const auto& time_of) {
    std::vector<std::string> cells = {words, time_text(seconds(time_of(first)))};
    for (std::size_t i = 1; i < all.size(); ++i) {
      cells.insert(cells.end(),
                   {time_text(seconds(time_of(all[i]))), signed_text(time_of(all[i]) - time_of(first))});
    }
    table.rows.push_back(std::move(cells));
  };
  for (std::size_t item = 0; item < first.items.size(); ++item) {
    const auto time_of = [item](const Accounted& entry) { return entry.items[item].time; };
    if (std::any_of(all.begin(), all.end(), [&](const auto& entry) { return time_of(entry) != Time(0); })) {
      add_row(account_words(first.items[item].cause), time_of);
    }
  }
  add_row("iteration", [](const Accounted& entry) { return entry.row->report->iteration_time; });
  return table;
}

ordered_json differences_json(const std::vector<CompareRow>& rows) {
  const std::vector<Accounted> all = accounts(rows);
  ordered_json list = ordered_json::array();
  for (std::size_t i = 1; i < all.size(); ++i) {
    ordered_json causes = ordered_json::array();
    for (std::size_t item = 0; item < all[i].items.size(); ++item) {
      const Time before = all.front().items[item].time;
      const Time here = all[i].items[item].time;
      causes.push_back({{"cause", all[i].items[item].cause},
                        {"against_ps", before.count()},
                        {"this_ps", here.count()},
                        {"difference_ps", (here - before).count()}});
    }
    const Time difference = all[i].row->report->iteration_time - all.front().row->report->iteration_time;
    list.push_back({{"name", all[i].row->name},
                    {"against", all.front().row->name},
                    {"difference_s", seconds(difference)},
                    {"difference_ps", difference.count()},
                    {"causes", std::move(causes)}});
  }
  return list;
}

}  // namespace makespan
