#include <iostream>
#include <string>
#include <unistd.h>  // STDOUT_FILENO
#include <vector>

#include "tools/cli.h"
#include "tools/output_file.h"
#include "tools/signals.h"

int main(int argc, char** argv) {
  makespan::prepare_process();
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  makespan::DescriptorStream out(STDOUT_FILENO, "standard output");
  return makespan::run_cli(arguments, out, std::cerr);
}
