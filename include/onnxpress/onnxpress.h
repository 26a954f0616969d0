// SPDX-License-Identifier: Apache-2.0
#pragma once

// All of onnxpress: each verb of the command line is a function that takes a request and returns a
// Document. Nothing here prints, ends the process or reads the environment. Functions may be called
// from several threads at once.
#include "onnxpress/about.h"
#include "onnxpress/calibrate.h"
#include "onnxpress/compress.h"
#include "onnxpress/document.h"
#include "onnxpress/error.h"
#include "onnxpress/inspect.h"
#include "onnxpress/measure.h"
#include "onnxpress/nearest.h"
#include "onnxpress/options.h"
#include "onnxpress/run.h"
#include "onnxpress/sensitivity.h"
