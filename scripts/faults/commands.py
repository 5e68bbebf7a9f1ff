"""The command lines that are interrupted, and what comes before each of them."""

from dataclasses import dataclass
from pathlib import Path

from studies.inputs import CLASSES, SIDE, TINY, write_bundle, write_pictures

Line = tuple[str, ...]


@dataclass(frozen=True)
class Scenario:
    """One command line and what comes before it."""

    name: str
    line: Line  # what stands after `fmnist-edge`
    before: tuple[Line, ...] = ()  # the command lines that make its beginning
    killed: str | None = None  # what the last of them is killed before, in the words of the event

    @property
    def command(self) -> str:
        """The name of its command."""
        return self.line[0]

    @property
    def needs_tensorflow(self) -> bool:
        """Whether it trains or converts, or follows on that."""
        return any(line[0] in ("train", "convert") for line in (self.line, *self.before))


def scenarios(inputs: Path) -> tuple[Scenario, ...]:
    """Return every scenario; ``inputs`` is the folder that `make_inputs` has filled."""
    data = ("--dataset", f"folder:{inputs}/pictures")
    train = ("train", *data, "--model", f"{inputs}/tiny.keras", "--epochs", "2")
    convert = ("convert", "--quantize", "int8,float32")
    predict = ("predict", f"{inputs}/tiny.tflite", *data)
    bundle = ("bundle", f"{inputs}/tiny.tflite", *data, "--out", ".")
    parity = ("parity", "--reference", "one.predictions.npz", "two.predictions.npz", *data)
    answers = (
        (*predict, "--name", "one"),
        (*predict, "--name", "two", "--kernels", "reference"),
    )
    install = tuple(("install", f"{inputs}/{number}.edge.zip") for number in (1, 2, 3, 4))
    second = "rename runs/.tiny-pictures-2.partial/checkpoint.npz"
    return (
        Scenario("train", train, (train,)),
        Scenario("train --name", (*train, "--name", "x"), (train,)),
        Scenario(
            "train --force",
            (*train, "--name", "x", "--force"),
            ((*train, "--name", "x", "--seed", "1"), train),
        ),
        Scenario("train --resume", ("train", "--resume"), (train, train), second),
        Scenario("train --epochs 0", (*train, "--epochs", "0"), (train,)),
        Scenario("convert", convert, (train,)),
        Scenario(
            "convert --force",
            (*convert, "--force"),
            (train, ("convert", "--quantize", "int8", "--io", "uint8")),
        ),
        Scenario("bundle", bundle),
        Scenario("bundle --force", (*bundle, "--force"), ((*bundle, "--bundle-version", "7"),)),
        Scenario("predict", predict),
        Scenario("predict --force", (*predict, "--force"), ((*predict, "--split", "train"),)),
        Scenario("parity", parity, answers),
        Scenario("parity again", (*parity, "--max-drop", "0.5"), (*answers, parity)),
        Scenario("install", install[0]),
        Scenario("install another", install[3], install[:3]),
        Scenario("rollback", ("rollback",), install[:3]),
    )


def make_inputs(folder: Path, *, tensorflow: bool) -> None:
    """Fill a folder with what the commands read: pictures, models, and bundles."""
    write_pictures(folder / "pictures", train=2, test=2)
    (folder / "tiny.tflite").write_bytes(TINY.read_bytes())
    for version in (1, 2, 3, 4):
        write_bundle(folder / f"{version}.edge.zip", version=version)
    if tensorflow:
        import keras

        keras.utils.set_random_seed(0)
        layers = [keras.Input((SIDE, SIDE, 1)), keras.layers.Rescaling(1 / 255)]
        layers += [keras.layers.Flatten(), keras.layers.Dense(len(CLASSES), activation="softmax")]
        keras.Sequential(layers).save(folder / "tiny.keras")
