#!/bin/sh
# Each target's other side stays away for SECONDS (60) under load, then comes back: every event has to arrive, in
# order, once (Kafka) or at least once under a stable name. Prints a line a target. Six minutes; not part of the suite,
# which does the same for a few seconds.
#
#     tests/tools/outages.sh [SECONDS]
set -e
cd "$(dirname "$0")/../.."
export FOVEA_OUTAGE="${1:-60}" FOVEA_SOURCE="$PWD"
build/tests/publish/test-publish socket/an_outage_of 2>&1
for name in mqtt/an_outage webhook/away_for kafka/an_outage; do
  build/tests/publish/test-publish-network "$name" 2>&1
done
