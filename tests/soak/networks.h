// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model.h"
#include "world.h"

// What the workers work on.
namespace soak {

/// A worker's containers: those of host-local alone, those with namespaces, and the one of which nobody takes care.
struct Worker {
    std::vector<Attachment*> ipam, chains;
    Attachment* contested = nullptr;
};

std::vector<Worker> make_workers(Soak& soak, test::World& world, int count);

} // namespace soak
