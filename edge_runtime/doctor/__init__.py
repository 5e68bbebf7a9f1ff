"""Find the mistakes that look like quantization loss.

    diagnosis = diagnose("int8.tflite", dataset, reference=Path("float32.tflite"))
    diagnosis.verdict                 # "The images are inverted: …"
    diagnosis.causes[0].after         # 496 of 500 right, 99.2%

Does the file say what its full model says, and if not, after which single correction does it? The
rules and their constants are explained in docs/explanation/doctor.md.
"""

from edge_runtime.doctor.diagnosis import diagnose, examine
from edge_runtime.doctor.findings import Attempt, Cause, Diagnosis, Figures, Likeness
from edge_runtime.doctor.record import Record, open_record

__all__ = [
    "Attempt",
    "Cause",
    "Diagnosis",
    "Figures",
    "Likeness",
    "Record",
    "diagnose",
    "examine",
    "open_record",
]
