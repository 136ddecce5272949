"""Write a golden request and its answer as the Open Inference Protocol V2 has them, which KServe and Triton speak.

python kserve.py MODEL [NUMBER] writes kserve_request.json and kserve_response.json; MODEL is the folder that
`genrec export RUN -o DIR --target triton` made in DIR, NUMBER the place of the request in its golden.json.
"""

import json
import sys
from pathlib import Path

DATATYPES = {"int64": "INT64", "bool": "BOOL", "float32": "FP32"}


def tensors(entries):
    """golden.json's tensors by name as a list of V2's."""
    return [
        {"name": name, "datatype": DATATYPES[entry["dtype"]], "shape": entry["shape"], "data": entry["data"]}
        for name, entry in entries.items()
    ]


model, number = Path(sys.argv[1]), int(sys.argv[2] if len(sys.argv) > 2 else 0)
golden = json.loads((model / "1" / "golden.json").read_text())["requests"][number]
request = {"id": golden["name"], "inputs": tensors(golden["inputs"])}
response = {"model_name": model.resolve().name, "model_version": "1", "id": golden["name"]}
response["outputs"] = tensors(golden["outputs"])
for name, content in (("request", request), ("response", response)):
    Path(f"kserve_{name}.json").write_text(json.dumps(content, indent=2) + "\n")
