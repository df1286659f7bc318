#include "tests/test.h"

extern const fv_suite address_suite, record_suite, record_read_suite, yaml_suite, rules_suite, card_suite,
    desc_suite, mutations_suite, format_suite,
    format_frigate_suite;

int main(int argc, char **argv) {
    return fv_test_main(argc, argv,
                        (const fv_suite *[]){&address_suite, &yaml_suite, &rules_suite, &card_suite, &desc_suite,
                                             &mutations_suite, &record_suite, &record_read_suite,
                                             &format_suite, &format_frigate_suite,
                                             NULL});
}
