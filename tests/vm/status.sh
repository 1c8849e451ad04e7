#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# status.sh BIN OPTION: STATUS of bridge must name the option that the kernel lacks. To be run by run.sh.
answer=$(CNI_COMMAND=STATUS CNI_PATH=$1 "$1/bridge" <<<'{"cniVersion":"1.1.0","name":"n","type":"bridge"}') &&
    echo "STATUS is content without $2" && exit 1
jq -e --arg option "$2" '.code == 50 and (.msg | contains($option))' <<<"$answer"
