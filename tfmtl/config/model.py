"""Which network: trunk, task towers, retrieval towers, balancer."""

from typing import Annotated, Literal

from pydantic import Field

from tfmtl.config.balancers import Balancer, Static
from tfmtl.config.base import Spec, Units
from tfmtl.config.funnels import Funnel
from tfmtl.config.interactions import Interaction
from tfmtl.config.scenario_nets import ScenarioNet
from tfmtl.config.trunks import SharedBottom, Trunk


class Factorised(Spec):
    """Biased matrix factorisation of the first user id and the first item id:
    `b_u + b_i + p_u . q_i` (Koren et al. 2009). With the trunk `none` and the mean that a head
    starts from it is the model known as SVD.

    Example:
        `{dim: 32, l2: 0.09}`, or SVD++ as `{dim: 20, l2: 0.08, implicit: true}`
    """

    dim: Annotated[int, Field(ge=1)] = 32
    l2: Annotated[float, Field(ge=0)] = 0.02
    """Penalty on the squares of a row's biases and factors, a mean over the batch."""
    implicit: bool = False
    """Adds to a user's factors what it says of the user to have rated some items, whatever the
    ratings: SVD++ (Koren 2008). The items that each user rated in training are a part of the
    model."""


class RetrievalTowers(Spec):
    """The towers that map a query and an item to vectors of one space."""

    kind: Literal["mlp", "sum", "factorised"] = "mlp"
    """`mlp` runs the concatenated embeddings through dense layers; `sum` adds the embeddings, so
    that with one id on each side the model is a matrix factorisation. `factorised` has nothing of
    its own to learn: its vectors are those of `model.factorised`, so that the items it finds are
    those with the highest predictions of a ranking task."""
    of: str | None = None
    """Of `factorised`: the ranking task whose predictions order the items; the first number that
    is predicted where it is not given."""
    dim: Annotated[int, Field(ge=1)] = 32
    """Dimension of the vectors; for `sum` every feature's dimension."""
    units: Units = [64]
    query: list[str] | None = None
    """Features of the query tower; those of user, query and history where it is not given."""
    item: list[str] | None = None
    """Features of the item tower; all item features where it is not given."""
    normalize: bool = False
    """Vectors of length 1, to be used with a low temperature."""


class Model(Spec):
    """The network. Interaction, scenario net, trunk and balancer are chosen independently."""

    interaction: Interaction | None = None
    """How features meet one another before all else; they are joined where it is not given."""
    scenario_net: ScenarioNet | None = None
    """Adapts features and task towers to the scenario; none where it is not given."""
    trunk: Trunk = SharedBottom(kind="shared_bottom")
    tower: Units = [32]
    """Dense layers between the trunk and a ranking task's output."""
    funnel: Funnel | None = None
    """How tasks are learnt that come `after` one another; `esmm` where it is not given."""
    factorised: Factorised | None = None
    """Adds a biased matrix factorisation to what a ranking task's tower gives; none where it is
    not given."""
    match: list[tuple[str, str]] = []
    """Pairs of features of text or vectors, such as `[query, title]`: the trunk is given the
    element-wise product of their vectors, each of length 1, and one cosine. Of frozen texts that is
    the cosine of what the encoder gives, which tells from the first step on."""
    match_alone: bool = False
    """Whether the trunk reads of the features in `match` their resemblance alone: what is learnt of
    some queries then holds for others, too."""
    match_history: bool = True
    """Gives the trunk, for every history, the element-wise product of its embedding with that of
    the candidate: how much the item resembles what the user did before."""
    retrieval: RetrievalTowers = RetrievalTowers()
    balancer: Balancer = Static(kind="static")
