// The environment's choice of kernels.
//
// INGOT_KERNEL is a list "[layer/]op=variant,...": "attention=naive", "h.0.attn/attention=naive", "h.*/matmul=onednn".
// A layer is a part of a call's label between dots, or several in a row, in which * stands for any characters and ? for
// one; case does not count. Of the settings that fit a call the one with the most letters in its layer wins, and of
// equals the last.
#pragma once

#include <string>

#include "ingot/ingot.h"

namespace ingot {

/// What INGOT_KERNEL says for a call of `op` with that label; empty if nothing. All of it is checked, so that a slip of
/// the pen is noticed: throws an Error that gives the nearest names.
std::string kernel_from_environment(const std::string& op, const std::string& label, ingot_device_kind device);

/// Whether a layer's pattern fits a label.
bool layer_matches(const std::string& pattern, const std::string& label);

}  // namespace ingot
