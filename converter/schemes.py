"""The ways to quantize, by name."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from edge_runtime.errors import ConversionError, nearest_name

Io = Literal["int8", "uint8", "float32"]


@dataclass(frozen=True)
class Recipe:
    """One way to convert.

    Attributes:
        name: what `--quantize` takes; also the scheme that the result must turn out to have.
        summary: for people.
        calibrated: whether it needs a representative dataset.
        integer_io: dtype of input and output unless `--io` says otherwise; None is float32.
        io_choices: what `--io` may be.
        note: what a user should know before choosing it, or "".
    """

    name: str
    summary: str
    calibrated: bool = False
    integer_io: str | None = None
    io_choices: tuple[str, ...] = ("float32",)
    note: str = ""


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("float32", "weights and arithmetic in float32"),
        Recipe("float16", "weights in float16, arithmetic in float32"),
        Recipe("dynamic", "weights in int8, arithmetic quantized while it runs, float input"),
        Recipe(
            "int8",
            "weights, arithmetic, input and output in int8",
            calibrated=True,
            integer_io="int8",
            io_choices=("int8", "uint8", "float32"),
        ),
        Recipe(
            "int16x8",
            "weights in int8, arithmetic, input and output in int16",
            calibrated=True,
            integer_io="int16",
            io_choices=("float32",),
            note="int16x8 has no XNNPACK kernels: expect some 50 times the latency of int8",
        ),
    )
}

ALL = "all"


def choose_recipes(names: str | Iterable[str]) -> tuple[Recipe, ...]:
    """Return the recipes of these names, each once, in the order of `RECIPES`.

    Args:
        names: one name or several, which commas may join, or "all".

    Raises:
        ConversionError: there is no recipe of that name.
    """
    given = list(names) if isinstance(names, Iterable) and not isinstance(names, str) else [names]
    for name in given:
        if not isinstance(name, str):
            raise ConversionError(f"Expected the name of a recipe, got {type(name).__name__}.")
    wanted = [part.strip() for name in given for part in name.split(",")]
    for name in wanted:
        if name != ALL and name not in RECIPES:
            raise ConversionError(
                f"There is no recipe '{name}'; choose from {', '.join(RECIPES)}, or all."
                + nearest_name(name, [*RECIPES, ALL])
            )
    return tuple(recipe for recipe in RECIPES.values() if recipe.name in wanted or ALL in wanted)


def input_output_type(recipe: Recipe, io: Io | None) -> str:
    """Return the dtype of input and output: int8, uint8, int16 or float32.

    `--io` speaks of the quantized recipes; those in float keep float32.
    """
    if recipe.integer_io is None:
        return "float32"
    return io if io in recipe.io_choices else recipe.integer_io


def refuse_unusable_io(recipes: Iterable[Recipe], io: Io | None) -> None:
    """Raise unless one of the recipes can have that type of input and output.

    Raises:
        ConversionError: none can.
    """
    if io in (None, "float32") or any(io in recipe.io_choices for recipe in recipes):
        return
    names = ", ".join(recipe.name for recipe in recipes)
    raise ConversionError(
        f"The input and output type {io!r} is for int8 (int8, uint8 or float32); {names} cannot "
        "have it. Leave it out."
    )
