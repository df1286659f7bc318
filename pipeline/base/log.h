// What the library says beside its results: timings, choices, warnings. Errors travel in fv_err.
// Thread-safety: safe; set the sink before other threads run.
#pragma once

typedef enum { FV_LOG_ERROR, FV_LOG_WARN, FV_LOG_INFO, FV_LOG_DEBUG } fv_log_level;

// Receives one line without newline. The text is valid during the call.
typedef void (*fv_log_sink)(void *user, fv_log_level level, const char *text);

// Lines at `level` and more severe go to `sink`; NULL restores the default sink (stderr,
// "fovea: warning: ..."). The default level is FV_LOG_WARN; the environment variable FOVEA_LOG
// (error, warn, info, debug) sets it at the first line.
void fv_log_set(fv_log_level level, fv_log_sink sink, void *user);

void fv_log(fv_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
