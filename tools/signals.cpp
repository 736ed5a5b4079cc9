#include "tools/signals.h"

#include <csignal>
#include <fcntl.h>   // open, fcntl
#include <unistd.h>  // _exit

namespace makespan {

namespace {

volatile std::sig_atomic_t noted_signal = 0;

extern "C" void note_signal(int number) {
  if (noted_signal != 0) {
    ::_exit(128 + number);
  }
  noted_signal = number;
}

}  // namespace

void prepare_process() {
  for (int descriptor = 0; descriptor <= 2; ++descriptor) {
    // Opened for reading: a write to a closed standard output still fails. The lowest free number is taken.
    if (::fcntl(descriptor, F_GETFD) < 0 && ::open("/dev/null", O_RDONLY) < 0) {
      ::_exit(3);
    }
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);

  struct sigaction action {};

  action.sa_handler = note_signal;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

int stop_signal() {
  return noted_signal;
}

}  // namespace makespan
