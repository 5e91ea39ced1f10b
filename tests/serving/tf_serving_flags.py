"""The flags of `tensorflow_model_server`, as its main.cc declares them, with their types."""

FLAGS = {
    "port": int,
    "grpc_socket_path": str,
    "rest_api_port": int,
    "rest_api_num_threads": int,
    "rest_api_timeout_in_ms": int,
    "rest_api_enable_cors_support": bool,
    "enable_batching": bool,
    "allow_version_labels_for_unavailable_models": bool,
    "batching_parameters_file": str,
    "enable_per_model_batching_parameters": bool,
    "model_config_file": str,
    "model_config_file_poll_wait_seconds": int,
    "model_name": str,
    "model_base_path": str,
    "num_load_threads": int,
    "num_unload_threads": int,
    "max_num_load_retries": int,
    "load_retry_interval_micros": int,
    "file_system_poll_wait_seconds": int,
    "flush_filesystem_caches": bool,
    "tensorflow_session_parallelism": int,
    "tensorflow_session_config_file": str,
    "tensorflow_intra_op_parallelism": int,
    "tensorflow_inter_op_parallelism": int,
    "use_alts_credentials": bool,
    "ssl_config_file": str,
    "platform_config_file": str,
    "per_process_gpu_memory_fraction": float,
    "saved_model_tags": str,
    "grpc_channel_arguments": str,
    "grpc_max_threads": int,
    "enable_model_warmup": bool,
    "num_request_iterations_for_warmup": int,
    "version": bool,
    "monitoring_config_file": str,
    "remove_unused_fields_from_bundle_metagraph": bool,
    "prefer_tflite_model": bool,
    "num_tflite_pools": int,
    "num_tflite_interpreters_per_pool": int,
    "enable_signature_method_name_check": bool,
    "xla_cpu_compilation_enabled": bool,
    "xla_gpu_compilation_enabled": bool,
    "enable_profiler": bool,
    "thread_pool_factory_config_file": str,
    "mixed_precision": str,
    "skip_initialize_tpu": bool,
    "enable_grpc_healthcheck_service": bool,
    "enable_serialization_as_tensor_content": bool,
}


def wrong_flags(words) -> list[str]:
    """The flags on a command line that main.cc would refuse: unknown ones, values of other types.

    Its parser takes `--name=value`, and `--name` alone for booleans only.
    """
    return [word for word in words if word.startswith("--") and not _is_right(word)]


def _is_right(word: str) -> bool:
    name, equals, value = word.removeprefix("--").partition("=")
    if name not in FLAGS:
        return False
    kind = FLAGS[name]
    if kind is bool:
        return not equals or value in ("true", "false")
    if not equals or kind is str:
        return bool(equals)
    try:
        kind(value)
    except ValueError:
        return False
    return True
