"""The errors Likewise raises, as one tree.

    LikewiseError                 anything the caller can put right; the command line prints its one line and exits with 2
    ├── InputError (ValueError)   an argument or a table is not what it may be
    │   ├── UnknownIdError        an id or title that the model has never seen, where one was required
    │   └── AmbiguousTitleError   a title that stands for several items
    ├── NotFittedError            an answer was asked before `fit`
    ├── DivergedError             training left the numbers; the last good parameters are kept
    ├── ArtifactError             a saved model is damaged, foreign, or of an unknown version
    └── MissingExtraError (ImportError)  a feature needs an optional dependency

Every message says what was wrong, what is allowed, what was given, and what to do next.
"""


class LikewiseError(Exception):
    """Anything the caller can put right."""


class InputError(LikewiseError, ValueError):
    """An argument or a table is not what it may be."""


class UnknownIdError(InputError):
    """An id or title that was never seen, where a known one is required."""


class AmbiguousTitleError(InputError):
    """A title that stands for several items; the message lists them."""


class NotFittedError(LikewiseError):
    """An answer was asked of a recommender that has not been fitted."""


class DivergedError(LikewiseError):
    """Training produced numbers that are not finite.

    Attributes
    ----------
    fit : the `Fit` with the last good parameters, or None where there were none yet
    """

    def __init__(self, message: str, fit: object = None) -> None:
        super().__init__(message)
        self.fit = fit


class ArtifactError(LikewiseError):
    """A saved model is damaged, foreign, or of a version this release cannot read."""


class MissingExtraError(LikewiseError, ImportError):
    """A feature needs an optional dependency.

    >>> str(MissingExtraError("plots", "rec.insight.map().plot()"))
    "rec.insight.map().plot() needs the extra 'plots': pip install 'likewise[plots]'"
    """

    def __init__(self, extra: str, what: str) -> None:
        super().__init__(f"{what} needs the extra '{extra}': pip install 'likewise[{extra}]'")
        self.extra = extra
