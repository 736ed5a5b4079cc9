#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "network/import_text.h"

namespace makespan {

/// A cabled port, seen from one end.
struct IbPort {
  int number = 0;
  std::string_view peer;  ///< identifier of what is at the other end, such as S-2c5eab0300b87b40
  int peer_port = 0;
  double bits_per_second = 0;
  std::string_view speed;  ///< as printed: 4xNDR
  TextLine line;
};

/// A switch, channel adapter or router.
struct IbRecord {
  char kind = 'S';  ///< S switch, H channel adapter, R router: the first letter of the identifier
  std::string_view identifier;
  std::string_view description;
  int port_count = 0;
  std::vector<IbPort> ports;
  TextLine line;
};

/// The records of what `ibnetdiscover` prints, with every cable checked to be listed at both ends. Throws
/// InputError for lines that it does not print, ports and identifiers that are there twice, and cables of
/// which one end is missing.
[[nodiscard]] std::vector<IbRecord> read_ib_records(const SourceText& source);

}  // namespace makespan
