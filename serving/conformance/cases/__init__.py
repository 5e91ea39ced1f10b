"""The cases, in the order they are run."""

from serving.conformance.case import Case
from serving.conformance.cases.examples import CASES as EXAMPLES
from serving.conformance.cases.models import CASES as MODELS
from serving.conformance.cases.multi_inference import CASES as MULTI_INFERENCE
from serving.conformance.cases.predict import CASES as PREDICT
from serving.conformance.cases.reload import CASES as RELOAD
from serving.conformance.cases.rest import CASES as REST
from serving.conformance.cases.rest_predict import CASES as REST_PREDICT
from serving.conformance.cases.tensors import CASES as TENSORS
from serving.conformance.cases.values import CASES as VALUES
from serving.conformance.cases.versions import CASES as VERSIONS
from serving.conformance.cases.wire import CASES as WIRE

CASES: tuple[Case, ...] = (
    *PREDICT,
    *TENSORS,
    *VALUES,
    *VERSIONS,
    *EXAMPLES,
    *MULTI_INFERENCE,
    *MODELS,
    *WIRE,
    *REST,
    *REST_PREDICT,
    *RELOAD,
)
