"""The wire: generated protobuf messages and gRPC services, one package per API version."""
