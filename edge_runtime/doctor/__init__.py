"""Find the mistakes that look like quantization loss.

    diagnosis = diagnose("int8.tflite", dataset, reference="float32.tflite")
    diagnosis.verdict                 # "The images are inverted: …"
    diagnosis.causes[0].after         # 496 of 500 right, 99.2%

Does the file say what its full model says, and if not, after which single correction does it? The
rules and their constants are explained in docs/explanation/doctor.md.
"""

from edge_runtime.doctor.diagnosis import diagnose as diagnose
from edge_runtime.doctor.diagnosis import examine as examine
from edge_runtime.doctor.findings import Attempt as Attempt
from edge_runtime.doctor.findings import Diagnosis as Diagnosis
from edge_runtime.doctor.record import open_record as open_record
