"""Figures of a run: what titles claim, what is written in them, and how they are saved."""

import io
import re

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from sklearn.metrics import confusion_matrix

from edge_runtime.data.datasets import Dataset, Split, image_hashes
from edge_runtime.data.predictions import Predictions
from edge_runtime.errors import PredictionsError
from trainer.figures import (
    confidence_histogram,
    confusion_matrix_figure,
    example_grid,
    least_confident_grid,
    overfits_after,
    per_class_figure,
    per_class_table,
    predictions_grid,
    run_figures,
    to_png,
    training_curves,
)
from trainer.figures.style import fit_text, percent, text_width_pt

NAMES = ("boot", "coat", "dress")


def some_images(count, *, height=8, width=8, channels=1):
    shape = (count, height, width, channels)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def sure_of(predicted, *, classes, confidence=0.9):
    """Probabilities whose largest is ``confidence``, at ``predicted``."""
    predicted = np.asarray(predicted)
    rest = (1 - np.broadcast_to(confidence, predicted.shape)) / (classes - 1)
    probabilities = np.repeat(rest[:, None], classes, axis=1)
    probabilities[np.arange(len(predicted)), predicted] = confidence
    return probabilities.astype(np.float32)


def random_answers(count, classes, *, seed=1):
    """Labels and probabilities of a model that is right about half of the time."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, count)
    scores = generator.normal(size=(count, classes))
    scores[np.arange(count), labels] += 2
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return labels, probabilities.astype(np.float32)


def answers(labels, probabilities, names=NAMES):
    """What a model said about as many images."""
    labels = np.asarray(labels, dtype=np.int64)
    hashes = np.array([f"{index:064}" for index in range(len(labels))], "S64")
    return Predictions(np.asarray(probabilities, np.float32), labels, hashes, tuple(names), {})


def examples(images, labels, names=NAMES):
    return example_grid(Split(images, np.asarray(labels, dtype=np.int64)), names)


def numbered_names(classes):
    return tuple(f"class {index}" for index in range(classes))


def texts(figure: Figure) -> list[str]:
    """Everything written in a figure."""
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def title_of(figure: Figure) -> str:
    """The finding, on one line."""
    return figure.get_suptitle().replace("\n", " ")


def epochs(*, loss, accuracy, test_loss, test_accuracy):
    columns = zip(loss, accuracy, test_loss, test_accuracy, strict=True)
    keys = ("loss", "accuracy", "test_loss", "test_accuracy")
    return [
        {"epoch": epoch, **dict(zip(keys, values, strict=True))}
        for epoch, values in enumerate(columns, start=1)
    ]


OVERFITTED = epochs(
    loss=[0.9, 0.5, 0.3, 0.1],
    accuracy=[0.6, 0.8, 0.9, 0.99],
    test_loss=[0.8, 0.5, 0.6, 0.7],
    test_accuracy=[0.65, 0.8, 0.82, 0.81],
)


class TestExampleGrid:
    def test_pictures_are_spread_over_the_classes_and_ordered_by_them(self):
        labels = np.array([2] * 30 + [0] * 30 + [1] * 30)
        figure = examples(some_images(90), labels)
        shown = [text for text in texts(figure) if text in NAMES]
        assert shown == ["boot"] * 9 + ["coat"] * 8 + ["dress"] * 8

    def test_title_tells_classes_size_and_balance(self):
        images = some_images(5, height=9, width=12, channels=3)
        figure = examples(images, [0, 0, 0, 1, 2])
        assert title_of(figure) == (
            "3 classes of 12 \N{MULTIPLICATION SIGN} 9 colour pixels, 1 to 3 images of each"
        )
        assert len(figure.axes) == 5

    def test_of_more_classes_than_places_every_few_are_shown(self):
        labels = np.arange(100)
        figure = examples(some_images(100), labels, numbered_names(100))
        shown = [text for text in texts(figure) if text.startswith("class ")]
        assert len(shown) == 25
        assert shown[0] == "class 0"
        assert shown[-1] == "class 99"

    @pytest.mark.parametrize("channels", [1, 3, 4])
    def test_the_very_pixels_are_drawn(self, channels):
        images = some_images(1, channels=channels)
        (axes,) = examples(images, [0]).axes
        drawn = np.asarray(axes.images[0].get_array())
        assert np.array_equal(drawn, images[0, ..., 0] if channels == 1 else images[0])
        assert axes.images[0].get_clim() == (0, 255)


class TestTrainingCurves:
    def test_title_names_the_final_and_best_accuracy_and_where_it_overfits(self):
        assert title_of(training_curves(OVERFITTED)) == (
            "Test accuracy 81.0 %, at best 82.0 %; overfits after epoch 2"
        )

    def test_a_last_epoch_that_is_the_best_is_called_so(self):
        assert title_of(training_curves(OVERFITTED[:3])) == (
            "Test accuracy 82.0 %, its best; overfits after epoch 2"
        )
        assert title_of(training_curves(OVERFITTED[:2])) == "Test accuracy 80.0 %, its best"

    def test_a_jitter_of_the_test_loss_is_not_overfitting(self):
        within = [*OVERFITTED[:2], {**OVERFITTED[2], "test_loss": 0.5 * 1.04}]
        beyond = [*OVERFITTED[:2], {**OVERFITTED[2], "test_loss": 0.5 * 1.06}]
        assert overfits_after(within) is None
        assert overfits_after(beyond) == 2

    def test_a_test_loss_that_rises_with_the_training_loss_is_not_overfitting(self):
        unstable = [*OVERFITTED[:2], {**OVERFITTED[2], "loss": 2.0, "test_loss": 2.0}]
        assert overfits_after(unstable) is None

    def test_both_panels_hold_the_numbers_with_their_units(self):
        accuracy, loss = training_curves(OVERFITTED).axes
        assert accuracy.get_ylabel() == "Accuracy (%)"
        assert loss.get_ylabel() == "Loss (cross-entropy, nats)"
        assert accuracy.get_xlabel() == loss.get_xlabel() == "Epoch"
        training, test = accuracy.get_lines()
        assert list(training.get_xdata()) == [1, 2, 3, 4]
        np.testing.assert_allclose(training.get_ydata(), [60, 80, 90, 99])
        np.testing.assert_allclose(test.get_ydata(), [65, 80, 82, 81])

    def test_a_run_that_was_not_tested_shows_its_training(self):
        history = [{"epoch": 1, "loss": 0.5, "accuracy": 0.75}]
        figure = training_curves(history)
        assert title_of(figure) == "Training accuracy 75.0 %; the model was not tested"
        assert [len(axes.get_lines()) for axes in figure.axes] == [1, 1]

    def test_a_model_without_history_is_said_to_be_taken_as_it_is(self):
        figure = training_curves([])
        assert title_of(figure) == "Taken as it is: no epochs trained"
        assert figure.axes == []


class TestSinglePictures:
    def test_a_wrong_answer_is_crossed_and_followed_by_the_true_class(self):
        probabilities = np.array([[0.125, 0.75, 0.125]], dtype=np.float32)
        written = texts(predictions_grid(some_images(1), answers([0], probabilities), 0))
        assert "✗ coat" in written
        assert "75 %" in written
        assert "true class: boot" in written
        assert "12 %" in written

    def test_a_right_answer_is_ticked_and_followed_by_the_second_guess(self):
        probabilities = np.array([[0.05, 0.75, 0.2]], dtype=np.float32)
        written = texts(predictions_grid(some_images(1), answers([1], probabilities), 0))
        assert "✓ coat" in written
        assert "next: dress" in written
        assert not any("true class" in text for text in written)

    def test_six_of_many_are_drawn_by_seed(self):
        predictions = answers(*random_answers(200, 3))
        images = some_images(200)

        def drawn(seed):
            figure = predictions_grid(images, predictions, seed)
            return np.stack([axes.images[0].get_array() for axes in figure.axes])

        assert not np.array_equal(drawn(1), drawn(2))

    def test_title_counts_the_six_and_all(self):
        labels = np.zeros(40, dtype=np.int64)
        probabilities = sure_of([0] * 40, classes=3)
        figure = predictions_grid(some_images(40), answers(labels, probabilities), 0)
        assert title_of(figure) == "6 of 6 random test images recognised, 100 % of all 40"

    def test_the_least_sure_come_first(self):
        confidence = np.array([0.9, 0.5, 0.8, 0.4, 0.7, 0.6, 0.95, 0.99])
        probabilities = sure_of([0] * 8, classes=3, confidence=confidence)
        labels = np.array([0, 1, 0, 0, 0, 2, 0, 0])
        figure = least_confident_grid(some_images(8), answers(labels, probabilities))
        sure = [text for text in texts(figure) if re.fullmatch(r"\d\d %", text)][::2]
        assert sure == ["40 %", "50 %", "60 %", "70 %", "80 %", "90 %"]
        assert title_of(figure) == "Least sure answers: 4 of 6 are right"


class TestConfusionMatrix:
    def test_title_names_the_hardest_class_and_what_it_is_taken_for(self):
        labels = np.repeat([0, 1, 2], 100)
        predicted = labels.copy()
        predicted[100:140] = 2
        predicted[140:146] = 0
        predicted[200:210] = 1
        figure = confusion_matrix_figure(answers(labels, sure_of(predicted, classes=3)))
        assert title_of(figure) == "coat is hardest: 54 % found; most often taken for dress"

    def test_cells_hold_the_rates_of_scikit_learn(self):
        labels, probabilities = random_answers(3000, 5)
        figure = confusion_matrix_figure(answers(labels, probabilities, numbered_names(5)))
        expected = confusion_matrix(labels, probabilities.argmax(axis=1), normalize="true")
        (axes,) = figure.axes
        cells = {text.get_position(): text.get_text() for text in axes.texts}
        assert len(cells) == 25
        for row, column in np.ndindex(5, 5):
            assert cells[column, row] == f"{100 * expected[row, column]:.0f}"

    def test_nothing_confused_is_said(self):
        figure = confusion_matrix_figure(answers([0, 1, 2], sure_of([0, 1, 2], classes=3)))
        assert title_of(figure) == "Every image is recognised: no class is taken for another"

    def test_a_class_without_images_has_a_dash_and_is_not_the_hardest(self):
        figure = confusion_matrix_figure(answers([0, 0, 1, 1], sure_of([0, 1, 1, 1], classes=3)))
        assert title_of(figure) == "boot is hardest: 50 % found; most often taken for coat"
        cells = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
        assert cells == {(0, 0): "50", (1, 0): "50", (1, 1): "100", (2, 2): "\N{EN DASH}"}

    def test_thirty_classes_have_colours_instead_of_numbers(self):
        labels, probabilities = random_answers(2000, 30)
        figure = confusion_matrix_figure(answers(labels, probabilities, numbered_names(30)))
        assert not figure.axes[0].texts
        assert {"found (%)", "taken for another class (%)"} <= set(texts(figure))

    def test_of_a_hundred_classes_every_few_are_named(self):
        labels, probabilities = random_answers(2000, 100)
        figure = confusion_matrix_figure(answers(labels, probabilities, numbered_names(100)))
        named = [label.get_text() for label in figure.axes[0].get_yticklabels()]
        assert named[:2] == ["class 0", "class 3"]
        assert len(named) == 34


class TestConfidence:
    def test_title_tells_overconfidence_in_points(self):
        labels = np.zeros(1000, dtype=np.int64)
        predicted = np.repeat([0, 1], [700, 300])
        figure = confidence_histogram(
            answers(labels, sure_of(predicted, classes=3, confidence=0.9))
        )
        assert title_of(figure) == "Overconfident by 20.0 points: says 90.0 %, is right 70.0 %"

    def test_title_tells_underconfidence_in_points(self):
        labels = np.zeros(1000, dtype=np.int64)
        figure = confidence_histogram(answers(labels, sure_of(labels, classes=3, confidence=0.6)))
        assert title_of(figure) == "Underconfident by 40.0 points: says 60.0 %, is right 100 %"

    def test_a_gap_that_chance_can_make_is_no_finding(self):
        labels = np.zeros(10, dtype=np.int64)
        predicted = [0] * 8 + [1] * 2
        figure = confidence_histogram(
            answers(labels, sure_of(predicted, classes=3, confidence=0.9))
        )
        assert title_of(figure) == "Confidence agrees with accuracy: says 90.0 %, is right 80.0 %"

    def test_bars_count_every_image_once_right_or_wrong(self):
        labels, probabilities = random_answers(777, 4)
        right = probabilities.argmax(axis=1) == labels
        (axes,) = confidence_histogram(answers(labels, probabilities, numbered_names(4))).axes
        counted = {
            bars.get_label(): sum(bar.get_height() for bar in bars) for bars in axes.containers
        }
        assert counted == {"right": right.sum(), "wrong": (~right).sum()}

    def test_wrong_answers_are_hatched_and_not_only_coloured(self):
        labels, probabilities = random_answers(50, 4)
        (axes,) = confidence_histogram(answers(labels, probabilities, numbered_names(4))).axes
        hatches = {bars.get_label(): bars[0].get_hatch() for bars in axes.containers}
        assert not hatches["right"]
        assert hatches["wrong"] == "////"

    def test_full_confidence_a_rounding_above_one_is_counted(self):
        probabilities = np.array([[np.nextafter(np.float32(1), np.float32(2)), 0]], np.float32)
        (axes,) = confidence_histogram(answers([0], probabilities, NAMES[:2])).axes
        assert axes.containers[0][-1].get_height() == 1


class TestPerClass:
    def test_title_names_the_lowest_recall_and_precision(self):
        labels = np.repeat([0, 1, 2], 10)
        predicted = np.repeat([0, 1, 0, 2], [10, 5, 5, 10])
        figure = per_class_figure(answers(labels, sure_of(predicted, classes=3)))
        assert title_of(figure) == "Recall is lowest for coat (50 %), precision for boot (67 %)"

    def test_dots_are_at_recall_and_precision_in_the_order_of_recall(self):
        labels = np.repeat([0, 1, 2], 10)
        predicted = np.repeat([0, 1, 0, 2], [10, 5, 5, 10])
        (axes,) = per_class_figure(answers(labels, sure_of(predicted, classes=3))).axes
        assert [label.get_text() for label in axes.get_yticklabels()] == ["coat", "boot", "dress"]
        recall, precision = axes.get_lines()
        np.testing.assert_allclose(recall.get_xdata(), [50, 100, 100])
        np.testing.assert_allclose(precision.get_xdata(), [100, 200 / 3, 100])

    def test_a_class_without_images_is_said_to_have_none(self):
        figure = per_class_figure(answers([0, 1], sure_of([0, 1], classes=3)))
        assert texts(figure).count("no test images") == 1
        assert title_of(figure) == "Every image is recognised: precision and recall are 100 %"

    @pytest.mark.filterwarnings("error")
    def test_table_lists_every_class_even_when_absent(self):
        table = per_class_table(answers([0, 0, 1, 1], sure_of([0, 1, 1, 1], classes=3)))
        rows = {row.split()[0]: row.split()[1:] for row in table.splitlines() if row.strip()}
        assert rows["boot"] == ["1.000", "0.500", "0.667", "2"]
        assert rows["coat"] == ["0.667", "1.000", "0.800", "2"]
        assert rows["dress"] == ["0.000", "0.000", "0.000", "0"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("labels", "probabilities", "names", "message"),
        [
            ([0, 1], np.full((3, 3), 1 / 3), NAMES, r"shape \(2, 3\) .* got \(3, 3\)"),
            ([], np.zeros((0, 3)), NAMES, "had no images"),
            ([0, 1], np.full((2, 3), np.nan), NAMES, "answers with NaN"),
            ([0, 1], np.full((2, 3), 4.5), NAMES, "probabilities, not scores or logits"),
            ([0, 3], np.full((2, 3), 1 / 3), NAMES, "Labels must be 0 to 2"),
            ([0, 1], np.full((2, 3), 1 / 3), NAMES[:2], r"shape \(2, 2\) .* got \(2, 3\)"),
        ],
    )
    def test_answers_that_do_not_belong_together_are_refused(
        self, labels, probabilities, names, message
    ):
        with pytest.raises(PredictionsError, match=message):
            confusion_matrix_figure(answers(labels, probabilities, names))


class TestWords:
    @pytest.mark.parametrize(
        ("fraction", "words"),
        [(0, "0 %"), (0.001, "<1 %"), (0.54, "54 %"), (0.9999, ">99 %"), (1, "100 %")],
    )
    def test_only_all_is_a_hundred_per_cent_and_only_nothing_is_none(self, fraction, words):
        assert percent(fraction) == words

    def test_a_long_name_is_cut_to_the_room_there_is(self):
        cut = fit_text("Ankle boot " * 20, width_in=1.0, size=9)
        assert cut.startswith("Ankle boot")
        assert cut.endswith("…")
        assert text_width_pt(cut, size=9) <= 72
        assert fit_text("Ankle\n boot", width_in=1.0, size=9) == "Ankle boot"


class TestSaving:
    def run(self, classes, *, images, channels=1):
        labels, probabilities = random_answers(images, classes)
        split = Split(some_images(images, channels=channels), labels)
        names = numbered_names(classes)
        predictions = Predictions(
            probabilities, labels, image_hashes(split.images), names, details={}
        )
        return Dataset("some", names, split, split), predictions

    def test_the_same_run_gives_the_same_bytes(self):
        run = self.run(3, images=20)
        first, second = (run_figures(*run, OVERFITTED, seed=7) for _ in range(2))
        assert list(first) == [
            "examples",
            "curves",
            "predictions",
            "confusion",
            "confidence",
            "least_confident",
            "per_class",
        ]
        for name, figure in first.items():
            assert to_png(figure) == to_png(second[name])

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize(("classes", "images", "channels"), [(2, 1, 1), (30, 60, 3)])
    def test_every_figure_is_as_wide_as_a_readme(self, classes, images, channels):
        run = self.run(classes, images=images, channels=channels)
        for name, figure in run_figures(*run, [], seed=7).items():
            with Image.open(io.BytesIO(to_png(figure))) as picture:
                assert picture.width == 800, name

    @pytest.mark.filterwarnings("error")
    def test_names_are_no_formulas(self):
        names = ("costs $5", "costs $6", r"$\frac{")
        figure = confusion_matrix_figure(answers([0, 1], sure_of([1, 1], classes=3), names))
        assert to_png(figure)
        assert title_of(figure).startswith("costs $5 is hardest: 0 % found")

    def test_the_reader_s_own_settings_change_nothing(self):
        predictions = answers(*random_answers(20, 3))
        usual = to_png(confidence_histogram(predictions))
        theirs = {"font.size": 20, "axes.facecolor": "black", "savefig.dpi": 30}
        with matplotlib.rc_context({**theirs, "savefig.bbox": "tight", "xtick.color": "red"}):
            assert to_png(confidence_histogram(predictions)) == usual
            assert matplotlib.rcParams["font.size"] == 20

    def test_png_names_no_software(self):
        with Image.open(io.BytesIO(to_png(training_curves([])))) as picture:
            assert "Software" not in picture.info
