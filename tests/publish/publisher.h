// A target under test, numbered messages for it, and what it told.
#pragma once

#include "plugins/publish/target.h"
#include "tests/test.h"

// Defaults, `to`, a fresh spool, short times; change what the test is about, then create.
fv_target_params publisher_params(const char *to);

fv_target *publisher_create(const fv_target_params *params);

// Fails, and says `part`.
void publisher_refuses(const fv_target_params *params, const char *part);

// Messages from..to-1: topic "gate/events", key "gate", id "gate/event/N", body
// {"n":N,"pad":"..."}.
void publisher_add(fv_target *t, int from, int to);

// The same, one every `us` microseconds.
void publisher_add_slowly(fv_target *t, int from, int to, int us);

// The same every millisecond for `seconds`, and on until there are enough for an outage (200). Returns
// the number behind the last.
int publisher_add_for(fv_target *t, int from, double seconds);

// Waits until `waiting` is 0, however slow the machine; false when it never is.
bool publisher_wait(fv_target *t);

// The same for `part` in what is told; checks that it comes.
void publisher_wait_told(const char *part);

// All that was told, a line each, "! " before what is grave. Of the last publisher_create on.
const char *publisher_told(void);

// Checks that `text` has "n":0 .. "n":n-1 in order; repeats (at least once) are allowed as far as
// `repeats`. Returns how many there were beyond n.
int publisher_check(const char *text, int n, bool repeats);

double publisher_seconds(void); // monotonic
int publisher_free_port(void);

// A child process of the test: `command` by the shell, ended at the latest with the test.
int publisher_start(const char *command);
void publisher_kill(int pid, int signal); // and waits for its end
