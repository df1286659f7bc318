// Everything that reads bytes which nobody vouches for, as rows: fed by the fuzzer (fuzz.c) and, with
// changes that are always the same, by the tests (test_hostile.c).
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct {
    const char *name;
    void (*seed)(FILE *to); // something that is right, to begin with
    // Returns whether the bytes are taken. Must neither crash nor hang, whatever they are.
    int (*take)(const uint8_t *data, size_t size);
} hostile_target;

extern const hostile_target hostile_targets[]; // ends with {0}
const hostile_target *hostile_target_find(const char *name); // NULL: there is none

// The bytes as a file that lives in memory; valid until the next call.
const char *hostile_file(const uint8_t *data, size_t size);

// The rows, by the file that has them.
int hostile_take_card(const uint8_t *data, size_t size);
int hostile_take_desc(const uint8_t *data, size_t size);
int hostile_take_rules(const uint8_t *data, size_t size);
int hostile_take_set(const uint8_t *data, size_t size);
int hostile_take_address(const uint8_t *data, size_t size);
int hostile_take_names(const uint8_t *data, size_t size);
int hostile_take_records(const uint8_t *data, size_t size);
int hostile_take_mot(const uint8_t *data, size_t size);
int hostile_take_npy(const uint8_t *data, size_t size);
int hostile_take_mp4(const uint8_t *data, size_t size);
int hostile_take_spool(const uint8_t *data, size_t size);
int hostile_take_tune(const uint8_t *data, size_t size);

void hostile_seed_npy(FILE *to);
void hostile_seed_mp4(FILE *to);
void hostile_seed_spool(FILE *to);
void hostile_seed_tune(FILE *to);
