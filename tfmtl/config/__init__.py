"""Inert, validated description of a run: features, tasks, scenarios, model, training, gate."""

from tfmtl.config.bags import BagFeature
from tfmtl.config.balancers import Balancer
from tfmtl.config.base import ConfigError
from tfmtl.config.config import Config
from tfmtl.config.distillation import Distillation, Teacher
from tfmtl.config.encoders import HistoryEncoder, NumberEncoding
from tfmtl.config.evaluation import Evaluation, Rule
from tfmtl.config.features import Feature, Features
from tfmtl.config.funnels import Aitm, Escm2, Esmm, Funnel
from tfmtl.config.histories import History
from tfmtl.config.ids import (
    CategoricalFeature,
    CrossedFeature,
    HashedFeature,
    IdFeature,
    Vocabular,
)
from tfmtl.config.index import Index
from tfmtl.config.inputs import Input, Raw, RawKind, Side
from tfmtl.config.interactions import Interaction
from tfmtl.config.loading import dump, load, parse, schema
from tfmtl.config.losses import BinaryLoss, CrossEntropy, Focal, RankingLoss
from tfmtl.config.model import Model, RetrievalTowers
from tfmtl.config.next_event import NextEvent
from tfmtl.config.numbers import Bucketize, NumericFeature, TimestampFeature, VectorFeature
from tfmtl.config.sampling import NegativeRule, Resampling, Sampling
from tfmtl.config.scenario_nets import ScenarioNet
from tfmtl.config.serving import Serving
from tfmtl.config.source import Events, Impressions, Negatives, Source
from tfmtl.config.tables import Lookup, SideTable, TableSource
from tfmtl.config.tasks import (
    TUNED,
    BinaryTask,
    ClassTask,
    MultiClassTask,
    MultiLabelTask,
    RankingTask,
    RegressionTask,
    RetrievalTask,
    Scenario,
    Task,
)
from tfmtl.config.text_encoders import Cnn, Pretrained, TextEncoder, Transformer
from tfmtl.config.texts import CharacterTokens, TextFeature, WordTokens
from tfmtl.config.training import Optimizers, Split, Training
from tfmtl.config.trunks import Trunk
from tfmtl.config.validation import AnomalyKind, Distances, LabelRate, Severity, Validation
from tfmtl.config.variants import Storage, Variant
from tfmtl.config.windows import Window

__all__ = [
    "TUNED",
    "Aitm",
    "AnomalyKind",
    "BagFeature",
    "Balancer",
    "BinaryLoss",
    "BinaryTask",
    "Bucketize",
    "CategoricalFeature",
    "CharacterTokens",
    "ClassTask",
    "Cnn",
    "Config",
    "ConfigError",
    "CrossEntropy",
    "CrossedFeature",
    "Distances",
    "Distillation",
    "Escm2",
    "Esmm",
    "Evaluation",
    "Events",
    "Feature",
    "Features",
    "Focal",
    "Funnel",
    "HashedFeature",
    "History",
    "HistoryEncoder",
    "IdFeature",
    "Impressions",
    "Index",
    "Input",
    "Interaction",
    "LabelRate",
    "Lookup",
    "Model",
    "MultiClassTask",
    "MultiLabelTask",
    "NegativeRule",
    "Negatives",
    "NextEvent",
    "NumberEncoding",
    "NumericFeature",
    "Optimizers",
    "Pretrained",
    "RankingLoss",
    "RankingTask",
    "Raw",
    "RawKind",
    "RegressionTask",
    "Resampling",
    "RetrievalTask",
    "RetrievalTowers",
    "Rule",
    "Sampling",
    "Scenario",
    "ScenarioNet",
    "Serving",
    "Severity",
    "Side",
    "SideTable",
    "Source",
    "Split",
    "Storage",
    "TableSource",
    "Task",
    "Teacher",
    "TextEncoder",
    "TextFeature",
    "TimestampFeature",
    "Training",
    "Transformer",
    "Trunk",
    "Validation",
    "Variant",
    "VectorFeature",
    "Vocabular",
    "Window",
    "WordTokens",
    "dump",
    "load",
    "parse",
    "schema",
]
