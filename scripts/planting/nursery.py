"""Make planned files, with their full models and datasets, in a folder."""

import json
from pathlib import Path

from edge_runtime.data.datasets import Dataset
from edge_runtime.data.predictions import Predictions
from planting.cases import FULL_MODEL, INDEX, Planted, write_dataset, write_model
from planting.networks import Network
from planting.plans import Plan, build, convert


class Nursery:
    """Writes planned files into a folder; networks and datasets are written once."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / INDEX).write_text("", "utf-8")
        self._folder = folder
        self._count = 0
        # With the object, so that no other gets its id.
        self._networks: dict[int, tuple[str, Network]] = {}
        self._datasets: dict[int, tuple[str, Dataset]] = {}

    def plant(self, plan: Plan) -> Planted:
        """Return a planned file after it was written, with a line in the index."""
        data = build(plan)
        full, images = self._full_model(plan.network), self._dataset(plan.network.dataset)
        name = f"{self._count:04}.tflite"
        self._count += 1
        write_model(self._folder / name, data, plan.network.dataset, plan.manifest)
        fields = {
            "kind": plan.kind,
            "variant": plan.variant,
            "network": plan.network.name,
            "recipe": plan.recipe,
        }
        places = {"model": name, "full": full, "images": images}
        with (self._folder / INDEX).open("a", encoding="utf-8") as index:
            index.write(json.dumps({**fields, **places}) + "\n")
        return Planted(**fields, **{key: self._folder / place for key, place in places.items()})

    def _full_model(self, network: Network) -> str:
        if id(network) not in self._networks:
            name = f"network-{len(self._networks)}"
            folder = self._folder / name
            folder.mkdir(exist_ok=True)
            data = convert(network.full_model(), "float32", None)
            write_model(folder / FULL_MODEL, data, network.dataset)
            train = network.dataset.train
            said = Predictions(
                network.answers(),
                train.labels,
                train.image_sha256(),
                network.dataset.class_names,
                {"model": "full", "scheme": "keras"},
            )
            said.save(folder / "full.predictions.npz")
            self._networks[id(network)] = name, network
        return self._networks[id(network)][0]

    def _dataset(self, dataset: Dataset) -> str:
        if id(dataset) not in self._datasets:
            name = f"images-{len(self._datasets)}.npz"
            write_dataset(self._folder / name, dataset)
            self._datasets[id(dataset)] = name, dataset
        return self._datasets[id(dataset)][0]
