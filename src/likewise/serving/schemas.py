"""What the service takes and gives, as types; the OpenAPI document is made of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

Id = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""An id on the wire; a model whose ids are whole numbers reads it as one."""
Slot = Literal["main", "beside"]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e9, le=1e9)]


def whole(value: Any) -> Any:
    """Whole numbers of a query are digits, nothing else."""
    if isinstance(value, str):
        if not (value.isascii() and value.removeprefix("-").isdigit() and len(value) < 12):
            raise ValueError("must be a whole number")
        return int(value)
    return value


def from_json(value: Any) -> Any:
    """JSON knows 10.0 as a whole number too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def truth(value: Any) -> Any:
    """Flags of a query are the words true and false."""
    if isinstance(value, str):
        if value not in ("true", "false"):
            raise ValueError("must be true or false")
        return value == "true"
    return value


Count = Annotated[int, Field(ge=1, le=1000), BeforeValidator(whole)]
Flag = Annotated[bool, BeforeValidator(truth)]


class Query(BaseModel):
    """Parameters of an address; one that is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class Body(BaseModel):
    """A JSON body; a type that is not the one said, or a field that is not known, is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Which(Query):
    """Which of the models."""

    model: Slot = Field("main", description="main, or beside where the service has a second model")


class Some(Which):
    """A list's length."""

    n: Count = 10


class Find(Some):
    """A search."""

    query: str = Field("", max_length=200, description="part of a title, typing errors allowed; empty gives the most popular")


class Knobs(Which):
    """What a list should be."""

    n: Count = 10
    where: str | None = Field(None, max_length=500, description="condition such as: genres has 'Comedy' and year >= 1990")
    explain: Flag = Field(False, description="add the parts that each score is the sum of")
    filter_seen: Flag = Field(True, description="leave out what the user has had")
    diversity: Share = Field(0.0, description="unlike what is on the list already")
    popularity: Share = Field(0.0, description="what many took")
    novelty: Share = Field(0.0, description="what few took")
    freshness: Share = Field(0.0, description="what is new")
    calibration: Share = Field(0.0, description="genres in the proportions of the history")
    exploration: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = Field(0.0, description="deviations of the score added to it")
    temperature: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = Field(
        0.0, description="0 gives the best; above, the list is drawn by chance, and the exposure log keeps the propensities"
    )


class Said(Body):
    """A person by what they did; or, with an id, somebody known."""

    user_id: Id | None = None
    ratings: dict[Id, Number] = Field(default_factory=dict, max_length=1000)
    likes: list[Id] = Field(default_factory=list, max_length=1000)
    features: dict[Annotated[str, Field(max_length=100)], str | int | float | bool | None] = Field(default_factory=dict, max_length=100)
    model: Slot = "main"


class VisitorRequest(Body):
    """A visitor and the list they should get."""

    ratings: dict[Id, Number] = Field(default_factory=dict, max_length=1000)
    likes: list[Id] = Field(default_factory=list, max_length=1000)
    features: dict[Annotated[str, Field(max_length=100)], str | int | float | bool | None] = Field(default_factory=dict, max_length=100)
    model: Slot = "main"
    n: Annotated[int, Field(ge=1, le=1000), BeforeValidator(from_json)] = 10
    where: str | None = Field(None, max_length=500)
    explain: bool = False
    filter_seen: bool = True
    diversity: Share = 0.0
    popularity: Share = 0.0
    novelty: Share = 0.0
    freshness: Share = 0.0
    calibration: Share = 0.0
    exploration: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = 0.0
    temperature: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = 0.0


class ScoreRequest(Said):
    """Items to be scored for a person."""

    items: list[Id] = Field(min_length=1, max_length=1000)
    explain: bool = False


class QuestionRequest(Said):
    """A person, and items that they could not say anything of."""

    n: Annotated[int, Field(ge=1, le=50), BeforeValidator(from_json)] = 5
    asked: list[Id] = Field(default_factory=list, max_length=1000)


class PlaceRequest(Said):
    """A person to be placed on the map."""


class FeedbackEvent(Body):
    """Something that a person did with an item."""

    user_id: Id
    item_id: Id
    kind: Literal["view", "click", "like", "rate"]
    rating: Number | None = Field(None, description="for rate alone")
    time: Annotated[float, Field(ge=0, le=32_503_680_000, allow_inf_nan=False)] | None = Field(
        None, description="seconds since 1970; now if left out"
    )
    key: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")] | None = Field(
        None, description="idempotency key: the same key is kept once"
    )
    answers: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{8,64}$")] | None = Field(
        None, description="request id of the list it answers"
    )


class FeedbackRequest(Body):
    """One or many events."""

    events: list[FeedbackEvent] = Field(min_length=1, max_length=1000)


# ---- answers -----------------------------------------------------------------------------------------------------------------------


class Part(BaseModel):
    """A part of a score."""

    part: str
    item_id: str | None
    title: str | None
    rating: float | None
    contribution: float


class Reason(BaseModel):
    """Why a score is what it is: the contributions of `parts` sum to `score`."""

    sentence: str
    score: float
    response: float
    parts: list[Part]


class ListedItem(BaseModel):
    """An item at its place; `score` is a rating, a probability or a likeness, as the address says."""

    rank: int
    item_id: str
    title: str | None
    about: dict[str, Any]
    score: float | None
    source: str
    reasons: Reason | None = None


class User(BaseModel):
    """Whom the answer is for."""

    id: str | None
    status: Literal["known", "folded", "features", "cold"]
    history: int
    feedback: int
    unknown: list[str]


class ModelRef(BaseModel):
    """The one model that the whole answer comes from."""

    slot: Slot
    name: str
    version: str


class Answer(BaseModel):
    """The one shape of every list."""

    items: list[ListedItem]
    user: User | None
    model: ModelRef
    request_id: str


class LikeUser(BaseModel):
    """A user at their place."""

    rank: int
    user_id: str
    score: float


class LikeUsers(BaseModel):
    """Users that are alike."""

    users: list[LikeUser]
    model: ModelRef
    request_id: str


class ItemPage(BaseModel):
    """What is known of an item, and what the model makes of it."""

    item: dict[str, Any]
    ratings: dict[str, Any]
    effect: dict[str, float] | None
    fans: list[dict[str, Any]]
    model: ModelRef
    request_id: str


class Kept(BaseModel):
    """What became of the events: each is on the disk."""

    accepted: int
    repeated: int
    request_id: str


class KeptEvent(BaseModel):
    """An event as it was kept."""

    item_id: str
    kind: str
    rating: float | None
    time: float
    key: str
    answers: str | None


class KeptEvents(BaseModel):
    """A person's events, oldest first."""

    user_id: str
    events: list[KeptEvent]
    request_id: str


class Forgotten(BaseModel):
    """How many events were deleted."""

    deleted: int
    request_id: str


class Place(BaseModel):
    """A point of the map."""

    x: float
    y: float


class MapPoint(Place):
    """An item on the map."""

    item_id: str
    title: str
    group: str


class Map(BaseModel):
    """Items by what the model learned of them, on the two directions that tell most apart."""

    points: list[MapPoint]
    explained: list[float]
    model: ModelRef
    request_id: str


class You(BaseModel):
    """A person on the map; null where the model has no place for them."""

    place: Place | None
    model: ModelRef
    request_id: str


class Health(BaseModel):
    """How the service is."""

    status: str
    model: str | None = None
    feedback: str | None = None


class ProblemDocument(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[dict[str, str]] | None = None
