"""How to read the report, in plain words."""

GLOSSARY = (
    (
        "Full model",
        "The trained model, before it was converted. All others are measured against it.",
    ),
    ("Accuracy", "The share of the test images that a model names rightly."),
    ("Point", "One percentage point: from 83 % to 82 % is a loss of 1 point."),
    (
        "95 % interval",
        "The test images are a sample; other images of the same kind would give slightly other "
        "figures. The interval holds the values that fit what was seen. More images make it "
        "narrower.",
    ),
    (
        "Holds, broken, inconclusive",
        "For each demand there is a limit. It holds when the whole interval is on the good side "
        "of the limit, is broken when the whole interval is on the bad side, and is inconclusive "
        "when the limit lies within: then more images are needed. For accuracy this is called a "
        "test for non-inferiority.",
    ),
    (
        "Flip, lost, won",
        "An image whose answer changed. It is lost if only the full model was right, won if only "
        "the converted one is, and otherwise neither was.",
    ),
    (
        "Agreement",
        "The share of the images to which both models give the same answer, right or wrong. Its "
        "interval is exact (Clopper and Pearson's).",
    ),
    (
        "Blamed step",
        "The first step of the chain at which an image's answer was no longer the full model's. "
        "For a model it is the step at which most of its lost answers arose.",
    ),
    (
        "McNemar's test, p",
        "Only lost and won images tell two models apart. p is how often equally good models would "
        "differ as much as here, by luck alone. Below 0.05 luck is an unlikely explanation.",
    ),
    (
        "Beyond chance, Holm",
        "Of many classes some look odd by luck. Holm's method raises each p for the number of "
        "comparisons; what then is still below 0.05 is marked ◆.",
    ),
    ("Recall", "Of the images of one class, the share that the model finds."),
    (
        "Confusion matrix",
        "How many images of each class (row) got each answer (column). What is off the diagonal "
        "is a mistake.",
    ),
    ("Confidence", "The probability that a model gives to its own answer."),
    (
        "Calibration, ECE",
        "Of answers with 80 % confidence, 80 % should be right. The expected calibration error is "
        "how far they are off, averaged over ten bins of confidence. On a sample it comes out too "
        "large, so it is shown and not judged; the Brier score is.",
    ),
    (
        "Brier score, log loss",
        "Two marks for probabilities, which punish being sure and wrong. 0 is perfect for both. "
        "Brier's is a squared distance; log loss (negative log-likelihood) a logarithm.",
    ),
    (
        "Threshold",
        "A device may act only on answers that are sure enough. After conversion the same "
        "threshold may accept more or fewer images, and more or fewer of them wrongly.",
    ),
    (
        "Total variation",
        "How much probability moved from some classes to others for one image: 0 is none, 1 all. "
        "The 99th percentile is what 99 of 100 images do not exceed.",
    ),
    (
        "KL divergence",
        "Another distance of probabilities, in nats: how surprised one would be who trusted the "
        "converted model's probabilities while the full model's were true.",
    ),
    (
        "Tie",
        "Two classes with exactly the same, largest probability; common where probabilities are "
        "whole 256ths, as in int8 models.",
    ),
    (
        "Median time",
        "Half of the images took less time, half took more. One µs is a millionth of a second.",
    ),
)
