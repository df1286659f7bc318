#define _GNU_SOURCE
// Targets on the network from a description: the summary, the exit code, what waits for the next run.
#include <stdlib.h>

#include "tests/publish/publisher.h"
#include "tests/run/clips.h"

static int port, server;

static void write_description(const char *more) {
    run_shell("printf 'fovea: 1\\nstreams:\\n- {name: d, source: in.mp4, outputs: [{publish: {to: \"http://127.0.0.1:%d/h\", "
              "hmac-env: KEY, linger: 300ms, retry-max: 200ms%s}}]}\\n' > d.yaml", port, more);
}

static void serve(void) {
    char command[3000];
    snprintf(command, sizeof command, "/usr/bin/python3 %s %d %s/hook.log secret well",
             fv_test_source("tests/publish/webhook_server.py"), port, clips_folder());
    server = publisher_start(command);
    CHECK_EQUAL(run_shell("for i in $(seq 200); do bash -c '</dev/tcp/127.0.0.1/%d' 2>/dev/null && exit 0; sleep 0.05; done; exit 1",
                          port), 0);
}

static int run(void) {
    return run_shell("XDG_STATE_HOME=$PWD/state KEY=secret timeout 200 \"$FOVEA\" run d.yaml");
}

static void frames_in_order(int expected) {
    run_shell("sed 's/.*\"frame\":\\([0-9]*\\),.*/\\1/' hook.log | awk '{if ($1 != (NR - 1) %% 50) print \"bad\", NR, $1} END {print NR}'");
    CHECK_EQUAL(atoi(run_output), expected);
}

static void what_waits_goes_with_the_next_run(void) {
    port = publisher_free_port();
    write_description("");
    CHECK_EQUAL(run(), 1); // nobody is there
    CHECK_CONTAINS(run_output, "fovea: note: http://127.0.0.1:");
    CHECK_CONTAINS(run_output, "records wait in the spool");
    CHECK_CONTAINS(run_output, "fovea: error: http://127.0.0.1:");
    CHECK_CONTAINS(run_output, "50 records wait in the spool");
    CHECK_CONTAINS(run_output, "d: sent 0 records to http://127.0.0.1:");
    CHECK_CONTAINS(run_output, "; 50 wait in the spool\n");
    CHECK_CONTAINS(run_output, "d: 50 frames decoded"); // the video went on
    CHECK(!strstr(run_output, "/h;") && !strstr(run_output, "secret"));
    serve();
    write_description(", linger: 20s");
    run_shell("sed -i 's/linger: 300ms, //' d.yaml");
    CHECK_EQUAL(run(), 0);
    CHECK_CONTAINS(run_output, "d: sent 100 records to http://127.0.0.1:");
    CHECK(!strstr(run_output, "wait") && !strstr(run_output, "error"));
    publisher_kill(server, 9);
    frames_in_order(100);
}

static void a_full_spool_is_told(void) {
    port = publisher_free_port();
    write_description(", spool: full, spool-max: 0.01");
    CHECK_EQUAL(run(), 1);
    CHECK_CONTAINS(run_output, "the spool is full and the oldest records are dropped");
    CHECK_CONTAINS(run_output, " were lost, 0 of them events; ");
    int lost = 0, waiting = 0;
    const char *p = strstr(run_output, "d: sent 0 records");
    CHECK(p && sscanf(strchr(p, ';'), "; %d were lost, 0 of them events; %d wait", &lost, &waiting) == 2);
    CHECK_EQUAL(lost + waiting, 50);
}

// Whoever reads standard output sleeps, or goes away: the video goes on; that is told and counted.
static void standard_output_is_not_read(void) {
    run_shell("printf 'fovea: 1\\nstreams:\\n- {name: d, source: in.mp4, outputs: [{publish: \"-\"}, {file: d.mp4}]}\\n' > d.yaml");
    run_shell("(\"$FOVEA\" run d.yaml 2>err; echo code $? >>err) | (sleep 3; cat >got); cat err");
    CHECK_CONTAINS(run_output, "d: 50 frames decoded");
    CHECK_CONTAINS(run_output, "code 0"); // 50 records fit into a pipe
    CHECK_EQUAL(run_shell("test $(wc -l <got) = 50"), 0);
    run_shell("rm -f gone; (until [ -e gone ]; do sleep 0.05; done; \"$FOVEA\" run d.yaml 2>err; echo code $? >>err) | { exec <&-; touch gone; }; cat err");
    CHECK_CONTAINS(run_output, "fovea: error: standard output: nobody reads any more");
    CHECK_CONTAINS(run_output, "d: 50 frames decoded");
    CHECK_CONTAINS(run_output, "d: wrote d.mp4");
    CHECK_CONTAINS(run_output, "d: broke off standard output: 0 records; 50 could not be written");
    CHECK_CONTAINS(run_output, "code 1");
}

static void mistakes(void) {
    static const struct {
        const char *publish, *part;
    } rows[] = {
        {"{to: mqqt://b/x}", "m.yaml:3:54: error: mqqt://b/x: unknown target 'mqqt:', did you mean 'mqtt:'"},
        {"tcp://host", "m.yaml:3:49: error: tcp://host: the port is missing"},
        {"{to: https://u:p@h/x}", "give `password-env` or `password-file`"},
        {"{to: https://h/x, tls-ca: none.pem}", "none.pem: cannot be read: No such file"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        run_shell("printf 'fovea: 1\\nstreams:\\n- {name: m, source: in.mp4, outputs: [{publish: %s}]}\\n' > m.yaml", rows[i].publish);
        CHECK_EQUAL(run_fovea("check m.yaml"), 2);
        CHECK_CONTAINS(run_output, rows[i].part);
    }
    run_shell("printf 'fovea: 1\\nstreams:\\n- {name: m, source: in.mp4, outputs: [{publish: {to: m.jsonl, qos: 0}}]}\\n' > m.yaml");
    CHECK_ERROR(run_fovea("run m.yaml"), 2, "m.jsonl: `qos` is for mqtt; leave it out");
    run_shell("printf 'fovea: 1\\nstreams:\\n- {name: m, source: in.mp4, outputs: [{publish: {to: \"http://h/\", hmac-env: NOT_SET}}]}\\n' > m.yaml");
    CHECK_ERROR(run_fovea("run m.yaml"), 2, "hmac-env: the environment variable NOT_SET is not set");
}

static const fv_suite deliver_suite = {
    "deliver",
    (const fv_case[]){CASE(what_waits_goes_with_the_next_run), CASE(a_full_spool_is_told),
                      CASE(standard_output_is_not_read), CASE(mistakes), {0}}};

int main(int argc, char **argv) {
    return fv_test_main(argc, argv, (const fv_suite *[]){&deliver_suite, NULL});
}
