#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A client of the Container Runtime Interface, on Debian's python3-grpcio and python3-protobuf alone.

usage: client.py VERB ARGUMENT...
  version | status                          JSON
  cidr PREFIX[,PREFIX]                      UpdateRuntimeConfig: the node's addresses
  runp POD.json...                          sandbox ids, one a line; all at once
  create POD-ID CONTAINER.json POD.json     container id
  start CONTAINER-ID
  exec CONTAINER-ID COMMAND...              its output and exit status
  inspectp POD-ID...                        JSON, one after the other
  pods                                      JSON of all sandboxes
  stopp POD-ID... | rmp POD-ID...           all at once

The JSON files have the form of crictl's. The messages are described here, at run time, in the subset that is needed:
field numbers and types are those of k8s.io/cri-api, runtime/v1/api.proto.
"""
import json
import os
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

# name: field=number[:type], `*` for repeated; a string where no type is given.
MESSAGES = """
VersionRequest: version=1
VersionResponse: version=1 runtime_name=2 runtime_version=3 runtime_api_version=4
StatusRequest: verbose=1:bool
StatusResponse: status=1:RuntimeStatus info=2:map
RuntimeStatus: conditions=1*:RuntimeCondition
RuntimeCondition: type=1 status=2:bool reason=3 message=4
UpdateRuntimeConfigRequest: runtime_config=1:RuntimeConfig
UpdateRuntimeConfigResponse:
RuntimeConfig: network_config=1:NetworkConfig
NetworkConfig: pod_cidr=1
PortMapping: protocol=1:Protocol container_port=2:int32 host_port=3:int32 host_ip=4
LinuxPodSandboxConfig: cgroup_parent=1 sysctls=3:map
PodSandboxMetadata: name=1 uid=2 namespace=3 attempt=4:uint32
PodSandboxConfig: metadata=1:PodSandboxMetadata hostname=2 log_directory=3 port_mappings=5*:PortMapping labels=6:map
 annotations=7:map linux=8:LinuxPodSandboxConfig
RunPodSandboxRequest: config=1:PodSandboxConfig runtime_handler=2
RunPodSandboxResponse: pod_sandbox_id=1
StopPodSandboxRequest: pod_sandbox_id=1
StopPodSandboxResponse:
RemovePodSandboxRequest: pod_sandbox_id=1
RemovePodSandboxResponse:
PodSandboxStatusRequest: pod_sandbox_id=1 verbose=2:bool
PodSandboxStatusResponse: status=1:PodSandboxStatus info=2:map
ListPodSandboxRequest:
ListPodSandboxResponse: items=1*:PodSandbox
PodSandbox: id=1 metadata=2:PodSandboxMetadata state=3:int32
PodSandboxStatus: id=1 metadata=2:PodSandboxMetadata state=3:int32 created_at=4:int64 network=5:PodSandboxNetworkStatus
PodSandboxNetworkStatus: ip=1 additional_ips=2*:PodIP
PodIP: ip=1
ImageSpec: image=1
ContainerMetadata: name=1 attempt=2:uint32
ContainerConfig: metadata=1:ContainerMetadata image=2:ImageSpec command=3* args=4* log_path=11
CreateContainerRequest: pod_sandbox_id=1 config=2:ContainerConfig sandbox_config=3:PodSandboxConfig
CreateContainerResponse: container_id=1
StartContainerRequest: container_id=1
StartContainerResponse:
ExecSyncRequest: container_id=1 cmd=2* timeout=3:int64
ExecSyncResponse: stdout=1:bytes stderr=2:bytes exit_code=3:int32
"""
PACKAGE = "runtime.v1"
Field = descriptor_pb2.FieldDescriptorProto
SCALARS = {
    "string": Field.TYPE_STRING,
    "bytes": Field.TYPE_BYTES,
    "bool": Field.TYPE_BOOL,
    "int32": Field.TYPE_INT32,
    "int64": Field.TYPE_INT64,
    "uint32": Field.TYPE_UINT32,
}


def add_field(message, name, number, kind, repeated):
    field = message.field.add(name=name, number=number)
    field.label = Field.LABEL_REPEATED if repeated or kind == "map" else Field.LABEL_OPTIONAL
    if kind in SCALARS:
        field.type = SCALARS[kind]
    elif kind == "map":  # of string to string: a nested message, by the rules of proto3
        entry = message.nested_type.add(name="".join(word.capitalize() for word in name.split("_")) + "Entry")
        entry.options.map_entry = True
        add_field(entry, "key", 1, "string", False)
        add_field(entry, "value", 2, "string", False)
        field.type, field.type_name = Field.TYPE_MESSAGE, ".%s.%s.%s" % (PACKAGE, message.name, entry.name)
    else:
        field.type = Field.TYPE_ENUM if kind == "Protocol" else Field.TYPE_MESSAGE
        field.type_name = ".%s.%s" % (PACKAGE, kind)


def describe():
    """A function from a message's name to its class."""
    file = descriptor_pb2.FileDescriptorProto(name="cri.proto", package=PACKAGE, syntax="proto3")
    protocols = file.enum_type.add(name="Protocol")
    for number, name in enumerate(("TCP", "UDP", "SCTP")):
        protocols.value.add(name=name, number=number)
    for line in MESSAGES.replace("\n ", " ").strip().splitlines():
        name, fields = line.split(":", 1)
        message = file.message_type.add(name=name)
        for text in fields.split():
            field, spec = text.split("=")
            number, _, kind = spec.partition(":")
            add_field(message, field, int(number.rstrip("*")), kind or "string", number.endswith("*"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    of = getattr(message_factory, "GetMessageClass", None) or message_factory.MessageFactory(pool).GetPrototype
    return lambda name: of(pool.FindMessageTypeByName("%s.%s" % (PACKAGE, name)))


class Runtime:
    def __init__(self, socket):
        self.message = describe()
        # No proxy of the environment is to be asked for a local socket.
        self.channel = grpc.insecure_channel("unix://" + socket, options=[("grpc.enable_http_proxy", 0)])

    def start(self, method, fields):
        call = self.channel.unary_unary(
            "/%s.RuntimeService/%s" % (PACKAGE, method),
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=self.message(method + "Response").FromString,
        )
        request = json_format.ParseDict(fields, self.message(method + "Request")(), ignore_unknown_fields=True)
        return call.future(request, timeout=120)

    def call(self, method, **fields):
        return self.start(method, fields).result()

    def call_all(self, method, requests):
        calls = [self.start(method, fields) for fields in requests]
        for call in calls:  # all of them, before an error of one is told: leaving would cancel the rest
            call.exception()
        return [call.result() for call in calls]


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def show(message):
    answer = json_format.MessageToDict(message)
    for key, value in (answer.get("info") or {}).items():  # JSON in a string
        try:
            answer["info"][key] = json.loads(value)
        except ValueError:
            pass
    print(json.dumps(answer, indent=1))


def run(runtime, verb, args):
    if verb == "version":
        show(runtime.call("Version"))
    elif verb == "status":
        show(runtime.call("Status"))
    elif verb == "cidr":
        runtime.call("UpdateRuntimeConfig", runtime_config={"network_config": {"pod_cidr": args[0]}})
    elif verb == "runp":
        for answer in runtime.call_all("RunPodSandbox", [{"config": load(path)} for path in args]):
            print(answer.pod_sandbox_id)
    elif verb == "create":
        pod, container, sandbox = args
        answer = runtime.call(
            "CreateContainer", pod_sandbox_id=pod, config=load(container), sandbox_config=load(sandbox)
        )
        print(answer.container_id)
    elif verb == "start":
        runtime.call("StartContainer", container_id=args[0])
    elif verb == "exec":
        answer = runtime.call("ExecSync", container_id=args[0], cmd=args[1:], timeout=20)
        sys.stdout.buffer.write(answer.stdout)
        sys.stderr.buffer.write(answer.stderr)
        return answer.exit_code
    elif verb == "inspectp":
        for answer in runtime.call_all("PodSandboxStatus", [{"pod_sandbox_id": pod, "verbose": True} for pod in args]):
            show(answer)
    elif verb == "pods":
        show(runtime.call("ListPodSandbox"))
    elif verb == "stopp":
        runtime.call_all("StopPodSandbox", [{"pod_sandbox_id": pod} for pod in args])
    elif verb == "rmp":
        runtime.call_all("RemovePodSandbox", [{"pod_sandbox_id": pod} for pod in args])
    else:
        sys.exit(__doc__)
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        sys.exit(run(Runtime(os.environ.get("CRI_SOCKET", "/run/containerd/containerd.sock")), sys.argv[1], sys.argv[2:]))
    except grpc.RpcError as error:
        sys.exit("%s: %s" % (error.code().name, error.details()))
