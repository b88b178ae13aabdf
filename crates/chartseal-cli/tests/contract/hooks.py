"""What schemathesis does not know of a Chartseal node: bodies are canonical CBOR, and a question may wait for a block."""

import os
from pathlib import Path

import schemathesis
from hypothesis import strategies as st

# Messages in their format, as the fuzzers have them.
SEEDS = [
    path.read_bytes()
    for path in sorted(Path(os.environ["CHARTSEAL_SEEDS"]).glob("api_*/*"))
]


@st.composite
def damaged(draw):
    """A message with one byte changed, or cut off."""
    seed = bytearray(draw(st.sampled_from(SEEDS)))
    at = draw(st.integers(0, len(seed) - 1))
    if draw(st.booleans()):
        return bytes(seed[:at])
    seed[at] ^= draw(st.integers(1, 255))
    return bytes(seed)


schemathesis.openapi.media_type(
    "application/cbor", st.one_of(st.sampled_from(SEEDS), damaged(), st.binary(max_size=2_000))
)


@schemathesis.hook
def map_query(context, query):
    """Nobody waits twenty seconds for a block that will not come."""
    if query and isinstance(query.get("wait_ms"), int) and query["wait_ms"] > 20:
        query["wait_ms"] = 20
    if query and isinstance(query.get("height"), int) and query["height"] > 1:
        query["height"] = 1
    return query
