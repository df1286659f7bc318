#include <signal.h>

#include "tests/test.h"

extern const fv_suite lines_suite, outbox_suite, pipe_suite, socket_suite, spool_suite;

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_DFL); // targets must not need it ignored
    return fv_test_main(argc, argv,
                        (const fv_suite *[]){&spool_suite, &outbox_suite, &lines_suite, &pipe_suite,
                                            &socket_suite, NULL});
}
