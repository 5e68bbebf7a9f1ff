"""Which classifier runs a model on the command line: confined, if nobody vouches for the model."""

from typing import Any

from edge_runtime.inference.classifier import Classifier
from edge_runtime.models.model_file import ModelFile


def careful_classifier(file: ModelFile, **options: Any) -> Classifier:
    """Return a classifier that is confined if nobody vouches for the model and that can be done.

    A manifest vouches, as beside what `convert` makes and in each bundle. The model has passed its
    checks; the options are those of `Classifier`.
    """
    if file.manifest is not None:
        return Classifier(file, **options)
    # Here, since a model that is vouched for should not wait for them.
    from edge_runtime.inference.confined import ConfinedClassifier
    from edge_runtime.runtimes.forked import may_fork

    return (ConfinedClassifier if may_fork() else Classifier)(file, **options)
