#pragma once

#include <algorithm>
#include <fstream>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "network/graph_spec.h"

namespace makespan::test {

inline std::string file_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// A file of test/network/data.
inline std::string data(const std::string& name) {
  return file_text(MAKESPAN_SOURCE_DIR "/test/network/data/" + name);
}

/// `text` with the first `from` replaced; it must be there.
inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

inline std::vector<std::string> names(const GraphSpec& graph, VertexKind kind) {
  std::vector<std::string> found;
  for (const GraphVertex& vertex : graph.vertices) {
    if (vertex.kind == kind) {
      found.push_back(vertex.name);
    }
  }
  return found;
}

inline const GraphVertex& vertex(const GraphSpec& graph, const std::string& name) {
  const auto found = std::find_if(graph.vertices.begin(), graph.vertices.end(),
                                  [&](const GraphVertex& v) { return v.name == name; });
  if (found == graph.vertices.end()) {
    throw std::out_of_range("no vertex " + name);
  }
  return *found;
}

/// The link between two vertices, if there is one.
inline std::optional<GraphLink> link(const GraphSpec& graph, const std::string& a, const std::string& b) {
  for (const GraphLink& l : graph.links) {
    const std::string& x = graph.vertices[l.a].name;
    const std::string& y = graph.vertices[l.b].name;
    if ((x == a && y == b) || (x == b && y == a)) {
      return l;
    }
  }
  return std::nullopt;
}

inline std::size_t count_links(const GraphSpec& graph, LinkKind kind) {
  return static_cast<std::size_t>(std::count_if(graph.links.begin(), graph.links.end(),
                                                [&](const GraphLink& l) { return l.kind == kind; }));
}

/// What `import` complains of.
inline std::string error_of(const std::function<GraphSpec()>& import) {
  try {
    const GraphSpec graph = import();
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace makespan::test
