"""Which classifier runs a model on the command line: confined, if nobody vouches for the model."""

from typing import Any

from edge_runtime.inference.classifier import Classifier
from edge_runtime.models.model_file import ModelFile


def careful_classifier(file: ModelFile, **options: Any) -> Classifier:
    """Return a classifier that is confined if nobody vouches for the model and that can be done.

    Args:
        file: a model that has passed its checks; one with a manifest, as beside what `convert`
            makes and in each bundle, is vouched for.
        **options: as for `Classifier`.
    """
    if file.manifest is not None:
        return Classifier(file, **options)
    # Here, since a model that is vouched for should not wait for them.
    from edge_runtime.inference.confined import ConfinedClassifier
    from edge_runtime.runtimes.forked import may_fork

    return (ConfinedClassifier if may_fork() else Classifier)(file, **options)
