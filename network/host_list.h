#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace makespan {

/// The most hosts that one description may have.
inline constexpr std::size_t kMaxHosts = 100'000;

/// The names that a host list expression of Slurm stands for, in order: "gpu[08-10,12],login" is gpu08 gpu09
/// gpu10 gpu12 login. Numbers keep the width of a first number that starts with a zero; of several brackets
/// in one name the last varies fastest.
///
/// `where` is the place of the first letter of `text`, which is on one line. Throws InputError at the letter
/// that is wrong: brackets that do not pair, ranges that are empty or run backwards, letters that no host
/// name has, more than kMaxHosts names.
[[nodiscard]] std::vector<std::string> expand_host_list(std::string_view text, const SourceLocation& where);

}  // namespace makespan
