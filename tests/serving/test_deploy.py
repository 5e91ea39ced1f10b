"""What is shipped to run stock TF Serving with: it parses, and its parts agree with each other."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2
from tf_serving_flags import FLAGS, wrong_flags

import serving
import serving.deploy
from serving.deploy import IMAGE, MODEL, copy_to
from serving.server.options import MONITORING_PATH

HOME = Path(serving.deploy.__file__).parent
ROOT = HOME.parents[1]
MANIFESTS = sorted((HOME / "kubernetes").glob("*.yaml"))
COMPOSE = HOME / "docker-compose.yml"


def documents(*kinds):
    every = [document for path in MANIFESTS for document in yaml.safe_load_all(path.read_text())]
    return [document for document in every if not kinds or document["kind"] in kinds]


def named(kind, name):
    (found,) = [d for d in documents(kind) if d["metadata"]["name"] == name]
    return found


def containers():
    for deployment in documents("Deployment"):
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        yield deployment, container


def command_lines():
    service = yaml.safe_load(COMPOSE.read_text())["services"]["serving"]
    yield service["image"], service["entrypoint"], service["command"]
    for _, container in containers():
        yield container["image"], container["command"], container["args"]


def models(text):
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    return {entry.name: entry for entry in config.model_config_list.config}


def test_the_list_of_flags_knows_what_is_wrong():
    assert wrong_flags(["--port=8500", "--enable_batching", "--enable_batching=true"]) == []
    for word in ("--prot=1", "--port", "--port=x", "--enable_batching=1", "--model_name"):
        assert wrong_flags([word]) == [word]


@pytest.mark.parametrize("name", ["models.config", "labels.config"])
def test_model_configs_are_what_tf_serving_reads(name):
    (entry,) = models((HOME / name).read_text()).values()
    assert (entry.name, entry.base_path) == (MODEL, f"/models/{MODEL}")
    assert entry.model_platform == "tensorflow"


def test_labels_point_at_versions_that_are_loaded():
    entry = models((HOME / "labels.config").read_text())[MODEL]
    loaded = set(entry.model_version_policy.specific.versions)
    assert set(entry.version_labels) == {"stable", "canary"}
    assert set(entry.version_labels.values()) <= loaded


# BatchingParameters is not among the published stubs: {field: its type}.
BATCHING = {
    "max_batch_size": int,
    "batch_timeout_micros": int,
    "max_enqueued_batches": int,
    "num_batch_threads": int,
}


def test_batching_parameters():
    text = re.sub(r"#.*", "", (HOME / "batching.config").read_text())
    given = dict(re.findall(r"(\w+) \{ value: (\d+) \}", text))
    assert re.sub(r"\w+ \{ value: \d+ \}", "", text).strip() == ""
    assert set(given) == set(BATCHING)
    assert all(int(value) > 0 for value in given.values())


def test_the_embedded_server_reads_the_same_batching_file(tmp_path, shop_one):
    shutil.copytree(shop_one, tmp_path / "shop" / "1")
    options = serving.ServerOptions(
        enable_batching=True, batching_parameters_file=HOME / "batching.config"
    )
    with (
        serving.EmbeddedServer({"shop": tmp_path / "shop"}, options) as server,
        serving.Client(server.address, model="shop") as client,
    ):
        answer = client.predict("serving_default", {"item": ["bread"], "x": [[1.0, 2.0]]})
        assert answer["score"].tolist() == [[3.0]]


def test_monitoring_is_where_the_scraper_looks():
    text = (HOME / "monitoring.config").read_text()
    assert re.findall(r"enable: (\w+)", text) == ["true"]
    (path,) = re.findall(r'path: "([^"]+)"', text)
    assert path == MONITORING_PATH
    for deployment, container in containers():
        notes = deployment["spec"]["template"]["metadata"]["annotations"]
        assert notes["prometheus.io/path"] == path
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert notes["prometheus.io/port"] == str(ports["rest"])


def test_every_flag_is_one_of_tf_servings():
    for image, command, arguments in command_lines():
        assert image == IMAGE
        assert command == ["tensorflow_model_server"]
        assert wrong_flags(arguments) == []
        assert all(word.startswith("--") for word in arguments)


def test_flags_that_are_commented_out_are_right_too():
    commented = re.findall(r"# - (--\S+)", COMPOSE.read_text())
    assert len(commented) == 2
    assert wrong_flags(commented) == []


def test_ports_agree():
    service = yaml.safe_load(COMPOSE.read_text())["services"]["serving"]
    assert service["ports"] == ["127.0.0.1:8500:8500", "127.0.0.1:8501:8501"]
    for _, _, arguments in command_lines():
        assert "--port=8500" in arguments
        assert "--rest_api_port=8501" in arguments
    for _, container in containers():
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert ports == {"grpc": 8500, "rest": 8501}
        probes = [container[kind] for kind in ("startupProbe", "readinessProbe", "livenessProbe")]
        assert [next(iter(probe)) for probe in probes] == ["httpGet", "httpGet", "tcpSocket"]
        for probe in probes:
            assert (probe.get("httpGet") or probe["tcpSocket"])["port"] in ports
    for document in documents("Service"):
        for port in document["spec"]["ports"]:
            assert (port["name"], port["port"]) in {("grpc", 8500), ("rest", 8501)}
            assert port["targetPort"] == port["name"]


def test_files_that_flags_name_are_mounted():
    service = yaml.safe_load(COMPOSE.read_text())["services"]["serving"]
    mounts = {volume["target"]: volume for volume in service["volumes"]}
    assert all(volume["read_only"] for volume in mounts.values())
    for word in service["command"]:
        if "_file=" in word:
            folder, name = word.partition("=")[2].rsplit("/", 1)
            assert mounts[folder]["source"] == "."
            assert (HOME / name).is_file()
    for deployment, container in containers():
        pod = deployment["spec"]["template"]["spec"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        mounted = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
        assert {mount["name"] for mount in mounted.values()} == set(volumes)
        assert mounted["/models"]["readOnly"]
        config = named("ConfigMap", volumes["config"]["configMap"]["name"])
        for word in container["args"]:
            if "_file=" in word:
                folder, name = word.partition("=")[2].rsplit("/", 1)
                assert folder == "/config"
                assert name in config["data"]


def test_config_maps_hold_the_same_texts():
    data = named("ConfigMap", f"{MODEL}-serving")["data"]
    assert data == {name: (HOME / name).read_text() for name in data}
    assert set(data) == {"models.config", "batching.config", "monitoring.config"}


def test_the_canary_serves_one_version_of_the_same_model():
    data = named("ConfigMap", f"{MODEL}-serving-canary")["data"]
    entry = models(data["models.config"])[MODEL]
    assert list(entry.model_version_policy.specific.versions) == [2]
    assert entry.base_path == models((HOME / "models.config").read_text())[MODEL].base_path


def test_selectors_select():
    pods = {
        deployment["metadata"]["name"]: deployment["spec"]["template"]["metadata"]["labels"]
        for deployment, _ in containers()
    }
    for deployment, _ in containers():
        wanted = deployment["spec"]["selector"]["matchLabels"]
        chosen = [name for name, labels in pods.items() if wanted.items() <= labels.items()]
        assert chosen == [deployment["metadata"]["name"]]
    (budget,) = documents("PodDisruptionBudget")
    selectors = [document["spec"]["selector"] for document in documents("Service")]
    for selector in [*selectors, budget["spec"]["selector"]["matchLabels"]]:
        assert all(selector.items() <= labels.items() for labels in pods.values())


def test_pods_are_shut_in():
    for deployment, container in containers():
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(container["resources"]) == {"requests", "limits"}
        rolling = deployment["spec"]["strategy"]["rollingUpdate"]
        assert rolling["maxUnavailable"] == 0


def test_threads_are_those_of_the_cpus_asked_for():
    for _, container in containers():
        cpus = container["resources"]["requests"]["cpu"]
        for kind in ("intra", "inter"):
            assert f"--tensorflow_{kind}_op_parallelism={cpus}" in container["args"]


def test_probes_ask_for_the_model_that_is_served():
    for _, container in containers():
        for kind in ("startupProbe", "readinessProbe"):
            path = container[kind]["httpGet"]["path"]
            assert path == f"/v1/models/{MODEL}/metadata"


def health(port, name):
    """The command of the health check in the Compose file, against another port and model."""
    service = yaml.safe_load(COMPOSE.read_text())["services"]["serving"]
    kind, *words = service["healthcheck"]["test"]
    assert kind == "CMD"
    words[-1] = words[-1].replace("/8501", f"/{port}").replace(f"/{MODEL}/", f"/{name}/")
    return subprocess.run(words, timeout=30, check=False, capture_output=True).returncode


@pytest.mark.skipif(shutil.which("bash") is None, reason="the image has bash, this machine not")
def test_the_health_check_tells_a_model_from_none(reference_server):
    port = reference_server.rest_address.rpartition(":")[2]
    assert health(port, "reference") == 0
    assert health(port, "no-such-model") != 0
    assert health(1, "reference") != 0


def test_copies_bear_another_name(tmp_path):
    written = copy_to(tmp_path / "deploy", "my-store2")
    assert {path.relative_to(tmp_path / "deploy").as_posix() for path in written} == {
        "batching.config",
        "docker-compose.yml",
        "labels.config",
        "models.config",
        "monitoring.config",
        *(f"kubernetes/{path.name}" for path in MANIFESTS),
    }
    assert "shop" not in "".join(path.read_text() for path in written)
    (entry,) = models((tmp_path / "deploy" / "models.config").read_text()).values()
    assert (entry.name, entry.base_path) == ("my-store2", "/models/my-store2")
    copied = (tmp_path / "deploy" / "kubernetes" / "service.yaml").read_text()
    assert next(yaml.safe_load_all(copied))["metadata"]["name"] == "my-store2-serving"
    assert sorted(path.name for path in (tmp_path / "deploy").glob(".*")) == []


@pytest.mark.parametrize("name", ["", "My_Store", "../x", "-a", "a" * 60])
def test_names_that_kubernetes_does_not_take_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match="model: expected up to 42 lower case letters"):
        copy_to(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_the_files_are_part_of_the_distribution():
    shipped = re.search(r'"serving": \[(.*?)\]', (ROOT / "setup.py").read_text(), re.DOTALL)
    patterns = re.findall(r'"([^"]+)"', shipped[1])
    found = {path for pattern in patterns for path in (ROOT / "serving").glob(pattern)}
    assert set(copied := sorted(HOME.rglob("*.config"))) <= found
    assert {COMPOSE, *MANIFESTS} <= found
    assert len(copied) == 4


def test_the_flag_of_labels_is_set_where_labels_may_be():
    for _, _, arguments in command_lines():
        assert "--allow_version_labels_for_unavailable_models=true" in arguments
    assert FLAGS["allow_version_labels_for_unavailable_models"] is bool
