// Outputs that are files, before anything runs.
#pragma once

#include "pipeline/desc/desc.h"

// Can each be opened for writing? What is in them stays, and what was not there is not left behind.
// FV_BAD_INPUT names the first that cannot.
bool fv_output_try(const fv_desc *desc, fv_err *err);
