"""gRPC: wire messages to types and back, one servicer per service, worker processes and their supervisor."""
