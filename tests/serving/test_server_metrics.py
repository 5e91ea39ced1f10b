"""The page for Prometheus, in the text format and by the buckets of TF Serving."""

import http.client
import shutil

import grpc
import pytest

import serving
from serving.protocol import PREDICT, PredictRequest
from serving.server.metrics import Metrics


def test_counters_and_histograms():
    metrics = Metrics()
    metrics.record("shop", "Predict", "GRPC", "OK", 15e-6)
    metrics.record("shop", "Predict", "GRPC", "OK", 18e-6)
    metrics.record("shop", "Predict", "GRPC", "OK", 3000.0)
    metrics.record("shop", "Predict", "GRPC", "NOT_FOUND", 1.0)
    lines = metrics.render().splitlines()
    assert lines[:3] == [
        "# TYPE :tensorflow:serving:request_count counter",
        ':tensorflow:serving:request_count{model_name="shop",status="NOT_FOUND"} 1',
        ':tensorflow:serving:request_count{model_name="shop",status="OK"} 3',
    ]
    assert lines[3] == "# TYPE :tensorflow:serving:request_latency histogram"
    start = ':tensorflow:serving:request_latency_bucket{model_name="shop",API="Predict",'
    buckets = [line for line in lines if line.startswith(start)]
    # 10 us, each limit 1.8 times the one before, 33 of them and what is beyond.
    limits = [f"{10 * 1.8**i:g}" for i in range(33)]
    assert limits[1] == "18"
    assert limits[19] == "708235"
    assert [line.split('le="')[1].split('"')[0] for line in buckets] == [*limits, "+Inf"]
    assert [int(line.split()[-1]) for line in buckets] == [0, *[2] * 32, 3]
    total = ':tensorflow:serving:request_latency_sum{model_name="shop",API="Predict",'
    assert f'{total}entrypoint="GRPC"}} 3e+09' in lines
    assert lines[-1].endswith('entrypoint="GRPC"} 3')


def test_names_of_clients_are_escaped_and_bounded():
    metrics = Metrics()
    metrics.record('a"b\\c\nd', "Predict", "GRPC", "NOT_FOUND", 1.0)
    assert 'model_name="a\\"b\\\\c\\nd"' in metrics.render()
    for index in range(3000):
        metrics.record(f"m{index}", "Predict", "GRPC", "NOT_FOUND", 1.0)
    lines = metrics.render().splitlines()
    assert len(lines) < 1100
    others = [line for line in lines if 'model_name="other"' in line]
    assert others == [
        ':tensorflow:serving:request_count{model_name="other",status="NOT_FOUND"} 2001'
    ]


def test_requests_over_grpc(tmp_path, shop_one):
    shutil.copytree(shop_one, tmp_path / "1")
    with (
        serving.EmbeddedServer(
            {"shop": tmp_path}, serving.ServerOptions(rest_api_port=0)
        ) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        predict = channel.unary_unary(PREDICT, PredictRequest.SerializeToString)
        request = PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = "shop", "slow"
        request.inputs["steps"].dtype = 3
        request.inputs["steps"].int_val.append(1)
        predict(request)
        request.model_spec.version.value = 9
        with pytest.raises(grpc.RpcError):
            predict(request)
        connection = http.client.HTTPConnection(server.rest_address, timeout=10)
        connection.request("GET", "/monitoring/prometheus/metrics")
        response = connection.getresponse()
        page = response.read().decode()
        connection.close()
    assert response.getheader("Content-Type") == "text/plain"
    assert ':tensorflow:serving:request_count{model_name="shop",status="OK"} 1\n' in page
    assert ':tensorflow:serving:request_count{model_name="shop",status="NOT_FOUND"} 1\n' in page
    count = ':tensorflow:serving:request_latency_count{model_name="shop",API="Predict",'
    assert f'{count}entrypoint="GRPC"}} 1\n' in page
