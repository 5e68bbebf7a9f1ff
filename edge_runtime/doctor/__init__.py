"""Find the mistakes that look like quantization loss.

    diagnosis = examine("model.tflite", open_record(path), dataset, backend=choose_backend())
    diagnosis.verdict                 # "The images are inverted: …"
    diagnosis.causes[0].after         # 496 of 500 right, 99.2%

Everything is measured on training images; a correction counts only by the rule in
`edge_runtime.doctor.evidence`.
"""

from edge_runtime.doctor.diagnosis import Options, examine
from edge_runtime.doctor.findings import Attempt, Cause, Diagnosis, Figures
from edge_runtime.doctor.record import Record, open_record

__all__ = [
    "Attempt",
    "Cause",
    "Diagnosis",
    "Figures",
    "Options",
    "Record",
    "examine",
    "open_record",
]
