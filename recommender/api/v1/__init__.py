"""Version 1 of the wire, generated from `protos/` by `make protos`; import its modules one by one."""
