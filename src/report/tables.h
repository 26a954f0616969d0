// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "report/table.h"

namespace onnxpress {

// Tables of compress, bench and compare.
void add_measured_tables(const Document& document, bool verbose, std::vector<FigureTable>& tables);
// Tables of inspect, check, run, calibrate, passes and doctor.
void add_descriptive_tables(const Document& document, bool verbose,
                            std::vector<FigureTable>& tables);

}  // namespace onnxpress
