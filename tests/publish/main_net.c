#include <signal.h>

#include "fovea-config.h"
#include "tests/test.h"

extern const fv_suite told_suite, stalled_suite, mqtt_suite, webhook_suite, kafka_suite;

int kafka_child(char **args);

int main(int argc, char **argv) {
#if FV_WITH_KAFKA
    if (argc == 6 && !strcmp(argv[1], "child")) // killed in the middle of a test
        return kafka_child(argv + 2);
#endif
    const fv_suite *suites[] = {
        &told_suite,
        &stalled_suite,
#if FV_WITH_MQTT
        &mqtt_suite,
#endif
#if FV_WITH_WEBHOOK
        &webhook_suite,
#endif
#if FV_WITH_KAFKA
        &kafka_suite,
#endif
        NULL,
    };
    signal(SIGPIPE, SIG_DFL); // targets must not need it ignored
    return fv_test_main(argc, argv, suites);
}
