"""An in-process server that answers as `tensorflow_model_server` does.

The story, from the outside in: `server` owns the ports and the threads, `service` turns a gRPC
call into a request and a failure into a status, and so does `rest` for HTTP. `models` finds the
model a request asks for, by name, version or label, and takes over new configurations;
`model_config` says which are refused. What a request means stands in `predict`, `classify`,
`regress`, `multi_inference`, `model_metadata` and `model_status`. A `manager` follows the versions
of one model on disk, by the steps of `version_policy`; `version_table` is what it serves, `loading`
how a version is loaded and warmed up, and `model` is one loaded version.
"""
