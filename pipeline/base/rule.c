#include "pipeline/base/rule.h"

#include <stddef.h>

#define LINE (1u << FV_RULE_LINE)
#define ZONE (1u << FV_RULE_ZONE)
#define WHEN (1u << FV_RULE_WHEN)

const char *const fv_rule_kind_names[] = {"line", "zone", "when", NULL};
const char *const fv_anchor_names[] = {"bottom", "center", "top", NULL};

const fv_event_row fv_event_rows[FV_N_EVENTS] = {
    [FV_EVENT_CROSS] = {"cross", LINE, true, false, NULL,
                        "an object went from one side of the line to the other"},
    [FV_EVENT_ENTER] = {"enter", ZONE, true, false, NULL,
                        "an object came into the zone from outside"},
    [FV_EVENT_LEAVE] = {"leave", ZONE, true, false, "s", "an object went out of the zone"},
    [FV_EVENT_APPEAR] = {"appear", ZONE, true, false, NULL,
                         "an object was first seen inside the zone"},
    [FV_EVENT_DISAPPEAR] = {"disappear", ZONE, true, false, "s",
                            "an object was last seen inside the zone"},
    [FV_EVENT_COUNT] = {"count", ZONE, false, false, NULL, "the number of objects inside changed"},
    [FV_EVENT_DWELL] = {"dwell", ZONE, true, true, "s",
                        "an object has been inside for `dwell` or longer"},
    [FV_EVENT_OVERCROWDING] = {"overcrowding", ZONE, true, true, "s",
                               "`overcrowding` or more objects are inside for `hold`"},
    [FV_EVENT_EMPTY] = {"empty", ZONE, false, true, "s", "nobody is inside for `hold`"},
    [FV_EVENT_STOPPED] = {"stopped", ZONE, true, true, "s",
                          "an object inside has been at rest for `stopped` or longer"},
    [FV_EVENT_WRONG_WAY] = {"wrong-way", ZONE, true, true, "degrees",
                            "an object inside moves against `heading`"},
    [FV_EVENT_SPEED] = {"speed", ZONE, true, true, "m/s", "an object inside is faster than `speed`"},
    [FV_EVENT_WHEN] = {"when", WHEN, true, true, "s", "the condition holds for `hold`"},
};
