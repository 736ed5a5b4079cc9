#include "tools/schedule_palette.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>

#include "core/error.h"
#include "core/text.h"

namespace makespan {

namespace {

/// 0xRRGGBB: where a rank has one stage, and of the first and the last of several.
struct Shades {
  int only;
  int dark;
  int light;
};

struct Palette {
  std::string_view name;
  std::array<Shades, 4> shades;  ///< of F, B, I, W: in the order of ActionKind
};

/// CIELAB lightness 40, 55, 70, 85 (only), 26, 33, 40, 47 (dark), 66, 75, 83, 92 (light), and as much chroma
/// as sRGB has there, up to 55. megatron: Narayanan et al., SC21, figure 4; pytorch: its schedule visualizer;
/// dualpipe: DeepSeek-V3, figure 5.
constexpr std::array<Palette, 4> kPalettes = {{
    {"megatron",
     {{{0x0360a7, 0x003f70, 0x58a3fd},
       {0x6cbd68, 0x136d1f, 0x9fdf98},
       {0x049296, 0x015759, 0x27ccd1},
       {0xffcb97, 0xa16100, 0xffe3cb}}}},
    {"pytorch",
     {{{0x0360a7, 0x003f70, 0x58a3fd},
       {0xffcb97, 0xa16100, 0xffe3cb},
       {0x049296, 0x015759, 0x27ccd1},
       {0x6cbd68, 0x136d1f, 0x9fdf98}}}},
    {"dualpipe",
     {{{0xffcb97, 0xa16100, 0xffe3cb},
       {0x026d36, 0x014821, 0x52b372},
       {0x88ba4c, 0x3c6a00, 0xb4db83},
       {0x2e86dd, 0x014f8b, 0x90baff}}}},
    {"grey",
     {{{0x5e5e5e, 0x3e3e3e, 0xa0a0a0},
       {0xababab, 0x5e5e5e, 0xcfcfcf},
       {0x848484, 0x4e4e4e, 0xb9b9b9},
       {0xd4d4d4, 0x6f6f6f, 0xe8e8e8}}}},
}};

constexpr std::array<unsigned, 3> kChannels = {16, 8, 0};

int channel(int colour, unsigned shift) {
  return static_cast<int>(static_cast<unsigned>(colour) >> shift & 0xffU);
}

}  // namespace

std::vector<std::string> figure_palettes() {
  std::vector<std::string> names;
  for (const Palette& palette : kPalettes) {
    names.emplace_back(palette.name);
  }
  return names;
}

std::string palette_colour(std::string_view palette, ActionKind kind, int slot, int slots) {
  MAKESPAN_CHECK(is_compute(kind) && slot >= 0 && slot < slots, "only computes of a rank have a colour");
  const auto* const found = std::find_if(kPalettes.begin(), kPalettes.end(),
                                         [&](const Palette& known) { return known.name == palette; });
  if (found == kPalettes.end()) {
    const std::vector<std::string> names = figure_palettes();
    const std::vector<std::string_view> views(names.begin(), names.end());
    throw InputError({}, "palette", fmt::format("unknown palette '{}'", palette), suggestion(palette, views));
  }
  const Shades& shades = found->shades[static_cast<std::size_t>(kind)];
  if (slots == 1) {
    return fmt::format("{:06x}", shades.only);
  }
  std::string colour;
  for (const unsigned shift : kChannels) {
    const int dark = channel(shades.dark, shift);
    const int steps = slots - 1;
    colour += fmt::format("{:02x}", (dark * (steps - slot) + channel(shades.light, shift) * slot) / steps);
  }
  return colour;
}

/// Black and white have the same contrast on a luminance of 0.18 (WCAG 2); squares stand for the transfer
/// curve.
bool wants_white_text(std::string_view colour) {
  int value = 0;
  (void)std::from_chars(colour.data(), colour.data() + colour.size(), value, 16);
  constexpr std::array<int, 3> kLuminance = {2126, 7152, 722};  // per 10,000, ITU-R BT.709
  int luminance = 0;
  for (std::size_t i = 0; i < kChannels.size(); ++i) {
    luminance += kLuminance[i] * channel(value, kChannels[i]) * channel(value, kChannels[i]) / 255;
  }
  constexpr int kEven = 1950;  // the squares of a grey whose luminance is 0.18
  return luminance < kEven * 255;
}

}  // namespace makespan
