#include "tools/collective_options.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <set>

#include "core/error.h"
#include "scenarios/quantity.h"

namespace makespan {

namespace {

constexpr std::size_t kMostSizes = 10'000;

std::vector<std::string_view> parts_of(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(end + 1);
  }
}

InputError wrong(const std::string& option, const std::string& what, const std::string& hint = {}) {
  return {SourceLocation{}, option, what, hint};
}

std::string quoted(std::string_view text) {
  return "'" + std::string(text) + "'";
}

Bytes size_of(std::string_view text, const std::string& option) {
  const Parsed<Bytes> size = parse_size(text);
  if (!size.value) {
    throw wrong(option, quoted(text) + " " + size.what, size.hint);
  }
  if (size.value->count() < 1) {
    throw wrong(option, quoted(text) + " is no size", "at least 1 B");
  }
  return *size.value;
}

/// A whole number at the front of `text`, which it takes away.
std::int64_t take_whole(std::string_view& text, const std::string& option) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0) {
    throw wrong(option, quoted(text) + " does not start with a number",
                "write a list such as 0,8,16-23 or 0-56/8");
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::int64_t whole(std::string_view text, const std::string& option, const std::string& hint) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1) {
    throw wrong(option, quoted(text) + " is not a whole number from 1 on", hint);
  }
  return value;
}

std::vector<Bytes> range_of_sizes(const std::vector<std::string_view>& parts, const std::string& option) {
  const Bytes first = size_of(parts[0], option);
  const Bytes last = size_of(parts[1], option);
  const std::string_view step = parts.size() == 3 ? parts[2] : "x2";
  const std::string hint = "a factor such as x2, or a step such as +1MiB";
  if (last < first) {
    throw wrong(option, quoted(parts[1]) + " is less than " + quoted(parts[0]), "from the smaller size on");
  }
  if (!step.starts_with('x') && !step.starts_with('+')) {
    throw wrong(option, quoted(step) + " is neither a factor nor a step", hint);
  }
  const bool is_factor = step.front() == 'x';
  const std::int64_t by =
      is_factor ? whole(step.substr(1), option, hint) : size_of(step.substr(1), option).count();
  if (is_factor && by < 2) {
    throw wrong(option, "a factor of " + std::to_string(by) + " leads nowhere", hint);
  }
  std::vector<Bytes> sizes;
  std::int64_t size = first.count();
  while (size <= last.count()) {
    sizes.emplace_back(size);
    if (sizes.size() > kMostSizes) {
      throw wrong(option, "more than " + std::to_string(kMostSizes) + " sizes", "take a larger step");
    }
    std::int64_t next = 0;
    if (is_factor ? __builtin_mul_overflow(size, by, &next) : __builtin_add_overflow(size, by, &next)) {
      break;
    }
    size = next;
  }
  return sizes;
}

/// "3", "0-7" or "0-56/8".
void add_range(std::string_view text, std::size_t gpu_count, const std::string& option,
               std::vector<std::size_t>& gpus) {
  const std::string_view all = text;
  const std::int64_t first = take_whole(text, option);
  std::int64_t last = first;
  std::int64_t step = 1;
  if (text.starts_with('-')) {
    text.remove_prefix(1);
    last = take_whole(text, option);
    if (text.starts_with('/')) {
      text.remove_prefix(1);
      step = take_whole(text, option);
    }
  }
  if (!text.empty()) {
    throw wrong(option, quoted(all) + " is not a GPU or a range", "write a list such as 0,8,16-23 or 0-56/8");
  }
  if (last < first || step < 1) {
    throw wrong(option, "the range " + quoted(all) + " is empty");
  }
  if (static_cast<std::size_t>(last) >= gpu_count) {
    throw wrong(option, "there is no GPU " + std::to_string(last),
                "the last is " + std::to_string(gpu_count - 1));
  }
  for (std::int64_t gpu = first;; gpu += step) {
    gpus.push_back(static_cast<std::size_t>(gpu));
    if (last - gpu < step) {
      return;
    }
  }
}

}  // namespace

std::vector<Bytes> parse_sizes(std::string_view text, const std::string& option) {
  const std::vector<std::string_view> parts = parts_of(text, ':');
  if (parts.size() == 2 || parts.size() == 3) {
    return range_of_sizes(parts, option);
  }
  if (parts.size() > 3) {
    throw wrong(option, quoted(text) + " has too many parts", "FROM:TO:xFACTOR, such as 8B:8GiB:x2");
  }
  std::vector<Bytes> sizes;
  for (const std::string_view size : parts_of(text, ',')) {
    sizes.push_back(size_of(size, option));
  }
  std::sort(sizes.begin(), sizes.end());
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  return sizes;
}

std::vector<std::size_t> parse_gpus(std::string_view text, std::size_t gpu_count, const std::string& option) {
  std::vector<std::size_t> gpus;
  for (const std::string_view range : parts_of(text, ',')) {
    add_range(range, gpu_count, option, gpus);
  }
  std::set<std::size_t> seen;
  for (const std::size_t gpu : gpus) {
    if (!seen.insert(gpu).second) {
      throw wrong(option, "names GPU " + std::to_string(gpu) + " twice");
    }
  }
  return gpus;
}

Operation parse_operation(std::string_view text, std::size_t gpu_count, const std::string& option) {
  const std::string hint = "write KIND:SIZE:GPUS, such as send:8GiB:0->9 or all-reduce:1GiB:0,8,16";
  const std::vector<std::string_view> parts = parts_of(text, ':');
  if (parts.size() != 3) {
    throw wrong(option, quoted(text) + " is not an operation", hint);
  }
  Operation operation;
  try {
    operation.kind = find_test_type(parts[0]).kind;
  } catch (const InputError& error) {
    throw wrong(option, error.what());
  }
  operation.payload = size_of(parts[1], option);
  const std::size_t arrow = parts[2].find("->");
  if (operation.kind != TestKind::send) {
    if (arrow != std::string_view::npos) {
      throw wrong(option, quoted(parts[2]) + " is for sends", hint);
    }
    operation.groups.push_back(parse_gpus(parts[2], gpu_count, option));
    if (operation.groups.front().size() < 2) {
      throw wrong(option, "a group of one GPU has nobody to talk to");
    }
  } else {
    if (arrow == std::string_view::npos) {
      throw wrong(option, quoted(parts[2]) + " does not say from where to where", hint);
    }
    const std::vector<std::size_t> from = parse_gpus(parts[2].substr(0, arrow), gpu_count, option);
    const std::vector<std::size_t> to = parse_gpus(parts[2].substr(arrow + 2), gpu_count, option);
    if (from.size() != to.size()) {
      throw wrong(option, quoted(parts[2]) + " does not pair senders and receivers",
                  "as many on the left as on the right, such as 0-7->8-15");
    }
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (from[i] == to[i]) {
        throw wrong(option, "sends from GPU " + std::to_string(from[i]) + " to itself");
      }
      operation.sends.emplace_back(from[i], to[i]);
    }
  }
  return operation;
}

std::vector<std::vector<std::size_t>> split_ranks(const std::vector<std::size_t>& gpus,
                                                  std::string_view split, const std::string& option) {
  const std::string hint = "write 'mod 8' (ranks of equal remainder) or 'div 8' (of equal quotient)";
  std::string word(split.substr(0, 3));
  std::transform(word.begin(), word.end(), word.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (word != "mod" && word != "div") {
    throw wrong(option, quoted(split) + " is not a way to split", hint);
  }
  const std::string_view digits = split.substr(std::min(split.find_first_not_of(' ', 3), split.size()));
  const auto by = static_cast<std::size_t>(whole(digits, option, hint));
  std::vector<std::vector<std::size_t>> groups(word == "mod" ? std::min(by, gpus.size())
                                                             : (gpus.size() + by - 1) / by);
  for (std::size_t rank = 0; rank < gpus.size(); ++rank) {
    groups[word == "mod" ? rank % by : rank / by].push_back(gpus[rank]);
  }
  return groups;
}

std::vector<Bytes> parse_matrix(std::string_view text, const std::string& source, std::size_t ranks) {
  std::vector<Bytes> matrix;
  int line = 0;
  for (std::string_view row : parts_of(text, '\n')) {
    ++line;
    if (row.ends_with('\r')) {
      row.remove_suffix(1);
    }
    if (row.find_first_not_of(" \t") == std::string_view::npos || row.starts_with('#')) {
      continue;
    }
    const std::vector<std::string_view> cells = parts_of(row, ',');
    if (cells.size() != ranks || matrix.size() == ranks * ranks) {
      throw InputError(
          {source, line, 0}, {},
          cells.size() != ranks ? "the row has " + std::to_string(cells.size()) + " cells" : "a row too many",
          "one row and one column for each of " + std::to_string(ranks) + " ranks");
    }
    for (std::string_view cell : cells) {
      const auto column = static_cast<int>(cell.data() - row.data()) + 1;
      const std::size_t first = std::min(cell.find_first_not_of(' '), cell.size());
      cell = cell.substr(first, cell.find_last_not_of(' ') + 1 - first);
      std::int64_t bytes = 0;
      const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), bytes);
      if (error != std::errc() || end != cell.data() + cell.size() || bytes < 0) {
        throw InputError({source, line, column}, {}, quoted(cell) + " is not a whole number of bytes");
      }
      matrix.emplace_back(bytes);
    }
  }
  if (matrix.size() != ranks * ranks) {
    throw InputError({source, 0, 0}, {}, "has " + std::to_string(matrix.size() / ranks) + " rows",
                     "one for each of " + std::to_string(ranks) + " ranks");
  }
  return matrix;
}

}  // namespace makespan
